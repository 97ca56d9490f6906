-- Nobody breaks it from Lua, and who calls it in a wrong way is told what was wrong, at his own line.
local lfs = require "lfs"
local support = require "spec.support"
local goloader = require "goloader"

local unpack = rawget(table, "unpack") or unpack
local has_ffi, ffi = pcall(require, "ffi")

local host, m

setup(function()
  host = support.host()
  m = assert(host:build "spec/testdata/abuse")
end)

teardown(function()
  m:unload { handles = "drop" }
  support.clean()
end)

local HERE = debug.getinfo(1, "S").short_src

-- What is raised is raised here, and says what is expected; nothing of it is the loader's own.
local function refuses(pattern, f, ...)
  local arguments, n = { ... }, select("#", ...)
  local ok, err = pcall(function()
    local result = f(unpack(arguments, 1, n))
    return result
  end)
  assert.is_false(ok)
  assert.equal("string", type(err), tostring(err))
  assert.equal(HERE, err:match "^(.-):%d+: ", err)
  assert.matches(pattern, err)
end

describe("a wrong argument", function()
  it("of goloader's functions is named, at the caller's line", function()
    refuses("goloader%.manifest: argument #1: a file's name expected, got nil", goloader.manifest)
    refuses("goloader%.nm: argument #1: a file's name expected, got table", goloader.nm, {})
    refuses("goloader%.nm: argument #2: a file's name expected, got boolean", goloader.nm, "x.o", true)
    refuses("goloader%.disasm: argument #2: a symbol's name expected, got table", goloader.disasm, "x.o", {})
    refuses("goloader%.sign: argument #2: a file's name expected, got nil", goloader.sign, "x.gom")
    refuses("goloader%.keygen: argument #2: a file's name expected, got number", goloader.keygen, "x", 1)
  end)

  it("of a host's methods is named, at the caller's line", function()
    refuses("host:add_archive: an import path expected, got nil", host.add_archive, host)
    refuses("host:add_archive: a file's name expected, got nil", host.add_archive, host, "a/b")
    refuses("host:build: words: a list of strings expected, got one with a number at 1", host.build, host, "x.go",
      { words = { 1 } })
    refuses("host:build: path #2: a string expected, got table", host.build, host, { "x.go", {} })
    refuses("host:ship: strings: a table of strings by names expected", host.ship, host, "x.go", "x.gom",
      { strings = { "x" } })
    refuses("host:load: builds: a table of strings by names expected", host.load, host, "x.gom", { builds = { true } })
    refuses('host:load: twice: "refuse", "other" or "always" expected', host.load, host, "x.gom", { twice = "once" })
    refuses("host:load: ndeps: a number of files expected, got %-1", host.load, host, "x.gom", { ndeps = -1 })
  end)

  it("of a module's methods is named, at the caller's line", function()
    refuses("module:set_string: a variable's name expected, got table", m.set_string, m, {})
    refuses("module:set_string: Title: a string expected, got nil", m.set_string, m, "Title")
    refuses("module:run_main: a list of strings expected, got number", m.run_main, m, 1)
    refuses("module:run_main: argument #2: a string expected, got table", m.run_main, m, { "x", {} })
    refuses("module:coverage: a file's name expected, got table", m.coverage, m, {})
    refuses("bad value for '%*abuse%.Point'", m.new, m, "Point", 7)
    refuses("no exported type Pair", m.new, m, "Pair")
  end)

  it("of a handle's methods is named, at the caller's line", function()
    local h = m.Make(1)
    refuses("a handle expected, got n", h.explain)
    refuses("a handle expected, got table", h.async, {}, "Sum")
    refuses("a method's name expected, got nil", h.async, h)
    local each, iterator = m:ref("Index"):pairs()
    refuses("a handle expected, got n", each)
    refuses("a handle expected, got number", each, 1)
    assert.equal("one", (each(iterator)))
  end)

  it("of a watched module's, or folder's, methods is named, at the caller's line", function()
    local file = support.write("watched/one.go", "package one\n\nfunc One() int { return 1 }\n")
    local watched = assert(host:watch(file))
    for _, method in ipairs { "reload", "poll", "next_timeout", "tidy", "waiting", "is_over", "close" } do
      refuses(method .. ": no watched module to call it on %(write watched:" .. method, watched[method])
      refuses(method .. ": no watched module to call it on", watched[method], {})
    end
    assert.is_true(watched:close())
    local folder = assert(host:watch(file:match "^(.*)/" .. "/*"))
    for _, method in ipairs { "poll", "failures", "next_timeout", "is_over", "close" } do
      refuses(method .. ": no watched folder to call it on %(write watched:" .. method, folder[method])
    end
    assert.is_true(folder:close())
  end)

  it("may be a table whose own functions fail", function()
    local odd = setmetatable({}, { __tostring = error, __index = error, __len = error, __eq = error })
    refuses("a module has no method of type table", function() return m[odd] end)
    refuses("there is no option of type table", host.load, host, "x.gom", { [odd] = 1 })
    refuses("no exported variable of type table", function() m[odd] = 1 end)
  end)

  it("that is very long takes no longer", function()
    local name = ("y"):rep(2 ^ 20)
    local found, message = host:std(name)
    assert.is_nil(found)
    assert.matches("neither this host nor Go's library has such a package", message)
    refuses("there is no option yyy", host.load, host, "x.gom", { [name] = 1 })
  end)

  it("that is a C type, and no value of it, is refused as such", function()
    if not has_ffi then return end
    refuses("int expected, got cdata", m.Int, ffi.typeof "int64_t")
    refuses("uint64 expected, got cdata", m.Uint64, ffi.typeof "uint64_t")
    refuses("got cdata", m.Any, ffi.typeof "double[2]")
    refuses("%[%]int expected %(a table%), got cdata", m.Ints, ffi.typeof "int64_t[3]")
    refuses("%[%]uint8 expected %(a string%), got cdata", m.Bytes, ffi.typeof "uint8_t[2]")
    refuses("argument #2: a symbol's name expected, got cdata", goloader.disasm, "x.o", ffi.new "void *")
    refuses("an array of int expected, got cdata", function() return m.Int:map(ffi.typeof "int64_t[3]") end)
  end)
end)

describe("what Lua has of a module that was unloaded", function()
  it("says so, at the caller's line", function()
    local gone = assert(host:build "spec/testdata/abuse")
    assert(gone:unload { handles = "drop" })
    for _, method in ipairs { "exports", "symbols", "stats" } do
      refuses("was unloaded", gone[method], gone)
    end
    refuses("was unloaded", gone.explain, gone, "Add")
    refuses("was unloaded", gone.disassemble, gone, "Add")
    refuses("was unloaded", gone.set_string, gone, "Title", "x")
  end)
end)

describe("tostring", function()
  it("has a text for each handle", function()
    local gone = assert(host:build "spec/testdata/abuse")
    local h = gone.Make(1)
    local _, iterator = gone:ref("Index"):pairs()
    assert.matches("an iterator", tostring(iterator))
    assert(gone:unload { handles = "drop" })
    assert.matches("its module was unloaded", tostring(h))
    h:release()
    assert.matches("released", tostring(h))
  end)
end)

describe("a handle whose finalizer was called by hand", function()
  it("is refused as one that was released", function()
    for _, use in ipairs {
      function(h) return h:close() end, function(h) return #h end, function(h) return h:get() end,
      function(h) return h:copy() end, function(h) return h:pairs() end, function(h) return h:async "Sum" end,
      function(h) return h:keep "Sum" end, function(h) return h:explain "Sum" end, function(h) return h.X end,
      function(h) h.X = 1 end, function(h) return h:Sum() end, function(h) return m.Pointer(h) end,
    } do
      local h = m.Make(1)
      debug.getmetatable(h).__gc(h)
      debug.getmetatable(h).__gc(h)
      support.raises("released", use, h)
      assert.matches("released", tostring(h))
      h:release()
    end
  end)
end)

describe("random calls of all that is public", function()
  it("crash nothing, leave nothing, and are refused in a helpful way", function()
    local status, out, errors = support.run({ support.interpreter, "spec/env.lua", "spec/bench/abuse.lua", "1", "1" },
      "CALLS=600")
    assert.equal(0, status, out .. errors)
    assert.matches("^[1-9]%d* runs of 600 calls: 0 kinds of violations\n$", out)
    assert.is_nil(lfs.attributes "made2")
  end)
end)
