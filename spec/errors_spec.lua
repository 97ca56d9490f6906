-- Bad input: each is nil and an error of one clear line, or a Lua error of one; and nothing stays behind.
local goloader = require "goloader"
local toolchain = require "goloader.building.toolchain"
local support = require "spec.support"

local host, good, bytes

-- What a failed load must not change.
local function footprint()
  -- first, since it is a module itself; one unloaded lately may go out of Go's list at any moment, but none may enter
  local known_to_go = support.runtime_modules()
  return { loaded = assert(host:stats().modules), known_to_go = known_to_go }
end

local function assert_nothing_left(before)
  local now = footprint()
  assert.equal(before.loaded, now.loaded)
  assert.is_true(now.known_to_go <= before.known_to_go)
end

-- What `try` returns is nil, a message, and an error of this code; the message names all that is listed.
local function refused_by(try, code, ...)
  local before = footprint()
  local module, message, err = try()
  assert.is_nil(module)
  assert.equal(code, err.code, message)
  assert.equal(message, err.message)
  assert.equal(message, tostring(err))
  for _, part in ipairs { ... } do
    assert.is_truthy(err.message:find(part, 1, true), ("%q is not in: %s"):format(part, err.message))
  end
  assert_nothing_left(before)
  return err
end

local function refused(files, code, ...)
  local err = refused_by(function() return host:load(files) end, code, ...)
  assert.is_nil(err.message:find("\n", 1, true), "more than one line: " .. err.message)
  return err
end

setup(function()
  host = support.host()
  good = support.compile("spec/testdata/shop/shop.go", "shop")
  bytes = support.read(good)
end)

teardown(support.clean)

describe("a file that is no object", function()
  it("is refused when it is not there", function()
    refused("/no/such.o", "io", "/no/such.o", "No such file or directory")
  end)

  it("is refused when it is a directory", function() refused("/tmp", "io", "/tmp") end)

  it("is refused when it is empty", function()
    local file = support.write("empty.o", "")
    refused(file, "format", file)
  end)

  it("is refused when it is something else", function()
    for name, text in pairs { ["elf.o"] = support.read "/proc/self/exe", ["text.o"] = "package main\n",
      ["archive.a"] = "!<arch>\nhello.txt/      0           0     0     644     6         `\nhello\n" } do
      refused(support.write(name, text), "format", name)
    end
  end)
end)

describe("a truncated object", function()
  it("is refused wherever it ends", function()
    -- a member of odd size has a byte of padding after it, which nobody misses
    local at, last = 9, nil
    while at < #bytes do
      last = at + 60 + tonumber(bytes:sub(at + 48, at + 57)) - 1
      at = last + 1 + last % 2
    end
    local lengths = { 1, 7, 8, 9, 60, 67, 68, 69, 100, 200 }
    for i = 1, 60 do lengths[#lengths + 1] = math.floor(last * i / 61) end
    for i = 1, 16 do lengths[#lengths + 1] = last - i end
    local before = footprint()
    for _, length in ipairs(lengths) do
      local file = support.write("cut.o", bytes:sub(1, length))
      local module, _, err = host:load(file)
      assert.is_nil(module, "loaded when cut to " .. length)
      assert.is_truthy(err.message:find("cut.o", 1, true), err.message)
      assert.is_nil(err.message:find("\n", 1, true), err.message)
    end
    assert_nothing_left(before)
  end)
end)

describe("a corrupt object", function()
  -- A child takes the hits: what is asked is that it ends by itself, whatever is broken.
  it("never takes the process down", function()
    local status, out, errors = support.lua(([[
      local goloader = require "goloader"
      local f = io.open(%q, "rb"); local bytes = f:read "*a"; f:close()
      local host = assert(goloader.host())
      local seed = 12345
      local function random(n)
        seed = (seed * 1103515245 + 12345) %% 2147483648
        return math.floor(seed / 65536) %% n
      end
      local function number() return random(32768) * 32768 + random(32768) end
      local refused, loaded = 0, 0
      for round = 1, 400 do
        local at = number() %% #bytes
        -- headers, symbols and relocations are what is read; code and data may hold anything
        local broken = bytes:sub(1, at) .. string.char(random(256), random(256), random(256), random(256))
          .. bytes:sub(at + 5)
        local o = io.open(%q, "wb"); o:write(broken); o:close()
        local module, _, err = host:load(%q, { run_init = false })
        if module then loaded = loaded + 1; assert(module:unload()) else
          refused = refused + 1
          assert(type(err.message) == "string" and not err.message:find "\n", err.message)
        end
      end
      print(refused + loaded, refused > 0)
    ]]):format(good, support.tmpdir() .. "/broken.o", support.tmpdir() .. "/broken.o"))
    assert.equal("400\ttrue\n", out, errors)
    assert.equal(0, status, errors)
  end)

  it("is not taken for what a C compiler made", function()
    local file = support.write("unknown.o", (bytes:gsub("go object ", "no object ")))
    local module, message, err = support.host():load(file)
    assert.is_nil(module)
    assert.equal("format", err.code)
    assert.matches("unknown%.o is corrupt: its member _go_%.o is neither a Go object nor one of a C compiler$", message)
  end)

  it("says what takes Go source", function()
    local message = select(2, support.host():load(support.write("source.go", "package source\n")))
    assert.matches("source%.go is no Go object: .*; Go source is compiled by host:build$", message)
  end)
end)

describe("an object for another host", function()
  local function relabel(from, to)
    -- the header stands in both members; the archive's sizes stay right when its length does
    assert.equal(#from, #to)
    local changed, n = bytes:gsub(from:gsub("%p", "%%%0"), to)
    assert.is_true(n > 0)
    return support.write("foreign.o", changed)
  end

  it("is refused by Go version, both named", function()
    local version = host:info().go_version
    local other = version:sub(1, -2) .. (version:sub(-1) == "0" and "9" or "0")
    refused(relabel(" " .. version .. " ", " " .. other .. " "), "mismatch", version, other, "foreign.o")
  end)

  it("is refused by processor, both named", function()
    refused(relabel(" linux amd64 ", " linux arm64 "), "mismatch", "amd64", "arm64", "foreign.o")
  end)

  it("is refused by operating system, both named", function()
    refused(relabel(" linux amd64 ", " hurdy amd64 "), "mismatch", "linux", "hurdy", "foreign.o")
  end)

  it("is refused by experiments, which are named", function()
    local job = assert(toolchain.start({ support.tools():tool "compile", "-p", "shop",
      "-o", support.tmpdir() .. "/flags.o", support.write("flags.go", "package shop\n\nfunc F() int { return 1 }\n") },
      { env = "GOEXPERIMENT=fieldtrack", merge = true }))
    local ok, output = job:wait()
    assert(ok, output)
    refused(support.tmpdir() .. "/flags.o", "mismatch", "GOEXPERIMENT=fieldtrack is what the host was made without")
  end)
end)

describe("a package that can't be built", function()
  local function refused_build(path, code, ...)
    return refused_by(function() return host:build(path) end, code, ...)
  end

  local function natively(dir)
    local goroot = support.tools().goroot
    local _, _, errors = support.run({ goroot .. "/bin/go", "-C", dir, "build", "." }, "GOTOOLCHAIN=local")
    return (errors:gsub("%s+$", ""))
  end

  it("is told the compiler's own message, untouched", function()
    support.write("wrong/go.mod", "module example.test/wrong\n\ngo 1.21\n")
    local dir = support.write("wrong/wrong.go",
      "package wrong\n\nimport \"embed\"\n\nvar F embed.FS\n\nfunc A() int { return nothing }\nfunc B() { x := 1 }\n")
      :match "^(.*)/"
    local err = refused_build(dir, "compile", "./wrong.go:7:23: undefined: nothing",
      "./wrong.go:8:12: ")
    assert.equal(natively(dir), err.message)
  end)

  it("is told where its imports go round in a circle", function()
    support.write("circle/go.mod", "module example.test/circle\n\ngo 1.21\n")
    support.write("circle/left/left.go", 'package left\n\nimport "example.test/circle/right"\n\nvar A = right.B\n')
    support.write("circle/right/right.go", 'package right\n\nimport "example.test/circle/left"\n\nvar B = left.A\n')
    local err = refused_build(support.tmpdir() .. "/circle/left", "compile", "import cycle not allowed",
      "imports example.test/circle/right", "imports example.test/circle/left")
    assert.equal(natively(support.tmpdir() .. "/circle/left"), err.message)
  end)

  it("is told which dependency nobody has, and where it is imported", function()
    support.write("alone/go.mod", "module example.test/alone\n\ngo 1.21\n")
    local dir = support.tmpdir() .. "/alone"
    support.write("alone/alone.go", 'package alone\n\nimport "nobody/here"\n\nvar A = here.B\n')
    local err = refused_build(dir, "compile", "alone.go:3:8: package nobody/here is not in std")
    assert.equal(natively(dir), err.message)
    support.write("alone/alone.go", 'package alone\n\nimport "example.test/nobody"\n\nvar A = nobody.B\n')
    err = refused_build(dir, "compile", "alone.go:3:8: no required module provides package example.test/nobody")
    assert.equal(natively(dir), err.message)
  end)

  it("is told which two versions of a package do not go together, and the way out", function()
    local first = assert(host:build "spec/testdata/shared/left")
    os.execute(("cp -r spec/testdata/shared %s/newer"):format(support.tmpdir()))
    local function change(file, from, to)
      local text, n = support.read("spec/testdata/shared/" .. file):gsub(from, to)
      assert.is_true(n > 0)
      support.write("newer/" .. file, text)
    end
    change("go.mod", "v1%.2%.0", "v1.3.0")
    change("vendor/modules.txt", "v1%.2%.0", "v1.3.0")
    change("vendor/example.com/money/money.go", "var Made", "var More, Made")
    local dir = support.tmpdir() .. "/newer/left"
    local err = refused_build(dir, "mismatch", "example.com/shared/left", "example.com/money@v1.2.0",
      "example.com/money@v1.3.0", "private = true")
    assert.is_nil(err.message:find("\n", 1, true), err.message)
    local second = assert(host:build(dir, { private = true }))
    assert.is_number(second.Made())
    assert(second:unload())
    assert(first:unload())
  end)
end)

describe("missing symbols", function()
  it("are all named, with who needs them", function()
    local object = support.compile([[
package needs

import _ "unsafe"

//go:linkname first example.test/absent.First
func first() int

//go:linkname second example.test/absent.Second
func second() int

func A() int { return first() }
func B() int { return first() + second() }
]], "needs", { "-complete=false" })
    refused(object, "missing", "2 symbols", "example.test/absent.First (needed by needs.",
      "example.test/absent.Second (needed by needs.B)")
  end)

  it("name the package that is not there", function()
    support.write("gone/go.mod", "module example.test/gone\n\ngo 1.21\n")
    support.write("gone/dep/dep.go", "package dep\n\n//go:noinline\nfunc F() int { return 1 }\n")
    support.write("gone/gone.go", 'package gone\n\nimport "example.test/gone/dep"\n\nfunc F() int { return dep.F() }\n')
    local build = require "goloader.building.build"
    local objects = assert(assert(build.start(support.tools(), support.tmpdir() .. "/gone")):wait())
    local err = refused(objects.files[#objects.files].file, "missing", "example.test/gone/dep.F", "example.test/gone.F")
    assert.same({ "example.test/gone/dep" }, err.packages)
  end)
end)

describe("a function that is there under another ABI", function()
  -- A package in Go and assembly, whose compiler was not told all that the go command tells it.
  local function pack(go, assembly, symabis)
    local tools = support.tools()
    local archive = support.compile(go, "abi", { "-symabis", support.write("symabis", symabis) })
    local object = support.tmpdir() .. "/asm.o"
    for _, job in ipairs {
      assert(tools:start_tool("asm", { "-p", "abi", "-o", object, support.write("asm.s", assembly) })),
      assert(tools:go({ "tool", "pack", "r", archive, object }, { merge = true })),
    } do
      local ok, output = job:wait()
      assert(ok, output)
    end
    return archive
  end

  it("is said to be assembly's where Go calls it", function()
    refused(pack("package abi\n\nfunc Double(n int) int\n\nfunc Use() int { return Double(4) }\n",
      "TEXT ·Double(SB), 4, $0-16\n\tRET\n", ""), "missing",
      "1 symbol is defined nowhere: abi.Double (needed by abi.Use; "
        .. "there is one, but only as assembly calls it: <ABI0>)")
  end)

  it("is said to be Go's where assembly calls it", function()
    refused(pack("package abi\n\nfunc Outer()\n\n//go:noinline\nfunc inner() int { return 4 }\n\n"
      .. "func Use() int { Outer(); return inner() }\n",
      "TEXT ·Outer(SB), 4, $8-0\n\tCALL ·inner(SB)\n\tRET\n", "def abi.Outer ABI0\n"), "missing",
      "abi.inner <ABI0> (needed by abi.Outer; there is one, but only as Go calls it: <ABIInternal>)")
  end)
end)

describe("a call that can't be", function()
  local module
  setup(function()
    module = assert(host:load(support.compile([[
package odd

import "io"

func Channel(c chan int) {}
func Writer(name string, w io.Writer) {}
func Function() func() { return nil }
func Fine(n int) int { return n }
]], "odd")))
  end)
  teardown(function() assert(module:unload()) end)

  it("says which parameter takes but a handle, and of which type", function()
    assert.error_matches(function() module.Channel(1) end, "Channel.*'c'.*chan int")
    assert.error_matches(function() module.Writer("x", 1) end, "Writer.*'w'.*io%.Writer")
    assert.is_nil(module.Function())
    assert.equal(3, module.Fine(3))
  end)

  it("says which argument is wrong, what was wanted and given", function()
    assert.error_matches(function() module.Fine "x" end, "'Fine'.*'n'.*int.*string")
    assert.error_matches(function() module.Fine(1.5) end, "'Fine'.*'n'.*int")
    assert.error_matches(function() module.Fine() end, "'Fine'.*missing: n int")
    assert.error_matches(function() module.Fine(1, 2) end, "'?Fine'?")
  end)
end)

describe("an unloaded module", function()
  it("says so whatever is asked of it", function()
    local module = assert(host:load(good))
    local add = module.Add
    assert.equal(3, add(1, 2))
    assert(module:unload())
    assert.is_false(module:is_loaded())
    assert.error_matches(function() add(1, 2) end, "unloaded")
    assert.error_matches(function() return module.Add(1, 2) end, "unloaded")
    assert.error_matches(function() return module.Greeting end, "unloaded")
    assert.error_matches(function() module.Greeting = "x" end, "unloaded")
    local ok, _, err = module:unload()
    assert.is_nil(ok)
    assert.equal("closed", err.code)
  end)
end)

describe("a host that can't be", function()
  local function start(setup_script, environment)
    local status, out, errors = support.lua(setup_script .. [[
      local host, _, err = require "goloader".host(options)
      print(host, err and err.code, err and err.message)
    ]], environment)
    assert.equal(0, status, errors)
    return out
  end

  it("is refused when its file is not there", function()
    assert.matches("^nil\t%l+\t[^\n]*/no/such%.so[^\n]*\n$", start 'options = { path = "/no/such.so" }')
  end)

  it("is refused when it is no host", function()
    local libc = support.read "/proc/self/maps":match "(/%S*/libc[%.%-]%S*so%S*)"
    assert.matches("^nil\t%l+\t[^\n]*libc[^\n]*\n$", start(("options = { path = %q }"):format(libc)))
  end)

  it("is refused when its description is not there", function()
    assert.matches("^nil\t%l+\t[^\n]*/no/such%.desc[^\n]*\n$",
      start(("options = { path = %q, desc = '/no/such.desc' }"):format(host.path)))
  end)

  it("is refused when its description lacks something, which is named", function()
    local desc = support.read(host.path .. ".desc"):gsub("\nfield\truntime%.moduledata\tpclntable\t[^\n]*", "")
    local file = support.write("lacking.desc", desc)
    assert.matches("^nil\thost\t[^\n]*pclntable[^\n]*\n$",
      start(("options = { path = %q, desc = %q }"):format(host.path, file)))
  end)

  it("is refused when the environment names a wrong one", function()
    assert.matches("^nil\t%l+\t[^\n]*/elsewhere%.so[^\n]*\n$", start("", "GOLOADER_HOST=/elsewhere.so"))
  end)
end)

describe("errors", function()
  it("are tables that print, join and can be raised", function()
    local _, _, err = goloader.host { path = "/other.so" }
    assert.equal("string", type(err.code))
    assert.equal("goloader: " .. err.message, "goloader: " .. err)
    local ok, raised = pcall(error, err)
    assert.is_false(ok)
    assert.equal(err, raised)
  end)
end)
