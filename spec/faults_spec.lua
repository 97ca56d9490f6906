-- What the system, or the C library, refuses: each call of ours for memory, mappings, files and threads, over a load, a
-- shipped module's load, a shipping, an unload, a replacement, and a call of each road. It fails and says so, nothing
-- is lost (memory, mappings, address space, descriptors, modules, handles), and the next one works.
local support = require "spec.support"

teardown(support.clean)

describe("what is refused to the library", function()
  it("is told, and nothing is lost by it", function()
    local library = support.tmpdir() .. "/refused.so"
    local status, _, errors = support.run { "cc", "-shared", "-fPIC", "-O1", "-o", library, "spec/testdata/refused.c" }
    assert.equal(0, status, errors)
    local out
    status, out, errors = support.run({ "luajit", "spec/env.lua", "spec/testdata/refused/refused.lua" },
      "LD_PRELOAD=" .. library)
    local refused = {}
    for line in out:gmatch "[^\n]+" do
      local name, n = line:match "^done\t(.+)\t(%d+)$"
      if name then
        refused[name] = tonumber(n)
      elseif line ~= "end" then
        assert.equal("", line)
      end
    end
    assert.matches("\nend\n$", out, errors)
    assert.equal(0, status, errors)
    for name, least in pairs { load = 150, ["load of a shipped module"] = 150, ["load beside Lua"] = 150, ship = 150,
      unload = 3, replace = 150, ["a pure call"] = 20, ["an ffi call"] = 5, ["a job"] = 5, ["a Lua function"] = 5 } do
      assert.is_true(refused[name] >= least, ("%s: %d calls were refused"):format(name, refused[name]))
    end
  end)
end)

describe("a fault in loaded code", function()
  local faulty

  setup(function() faulty = assert(support.host():build "spec/testdata/faulty/faulty.go") end)

  teardown(function()
    collectgarbage()
    collectgarbage()
    assert(faulty:unload())
  end)

  local function same(n) return n end

  for name, road in pairs {
    ["the pure road"] = { function() return faulty.Pure(0) end, function() return faulty.Pure(3) == 3 end },
    ["the ffi road"] = { function() return faulty.Text "" end, function() return faulty.Text "a" == "a!" end },
    ["the C API road"] = { function() return faulty.Any(nil) end, function() return faulty.Any(3) == 3 end },
    ["many calls"] = { function() return faulty.Pure:map { 1, 0, 3 } end,
      function() return faulty.Pure:map({ 1, 2 })[2] == 2 end },
    ["a job"] = { function() return faulty.Text:async(""):wait() end,
      function() return faulty.Text:async("a"):wait() == "a!" end },
    ["a method"] = { function() return faulty.New():Get() end, function() return faulty.New() ~= nil end },
    ["Go that has called Lua"] = { function() return faulty.Apply(3, same) end, function() return true end },
  } do
    it("is an error on the way of " .. name .. ", and the next call works", function()
      for _ = 1, 100 do -- LuaJIT compiles such a loop
        local ok, err = pcall(road[1])
        assert(not ok and tostring(err):find("nil pointer dereference", 1, true), tostring(err))
        assert(road[2]())
      end
    end)
  end
end)

describe("recursion without end in loaded code", function()
  for name, call in pairs {
    ["the ffi road"] = "m.DeepText 'a'",
    ["the C API road"] = "m.DeepAny(1)",
    ["a job"] = "m.Deep:async(1):wait()",
  } do
    it("ends the process as in any Go library, on the way of " .. name, function()
      local status, out, errors = support.lua(([[
        local m = assert(require "goloader".host():build "spec/testdata/faulty/faulty.go")
        m.Limit()
        print(pcall(function() return %s end))
      ]]):format(call))
      assert.equal(128 + 6, status, errors)
      assert.equal("", out)
      assert.matches("goroutine stack exceeds 1048576%-byte limit\n", errors)
      assert.matches("\nfatal error: stack overflow\n", errors)
    end)
  end

  it("is an error on the pure road, whose stack is the library's own", function()
    local status, out, errors = support.lua([[
      local m = assert(require "goloader".host():build "spec/testdata/faulty/faulty.go")
      for _, call in ipairs { function() return m.Deep(1) end, function() return m.Deep:map { 1 } end } do
        local ok, err = pcall(call)
        print(ok, (tostring(err):gsub("\n.*", "")))
      end
      print(m.Pure(3))
    ]], nil, "luajit")
    assert.equal(0, status, errors)
    assert.matches("^false\t[^\n]*stack overflow: recursion deeper than %d+ MB\nfalse.[^\n]*stack overflow[^\n]*\n3\n$",
      out)
  end)
end)
