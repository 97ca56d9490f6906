-- goloader.core is built for one Lua (make, make plain-luas) and says so to another.
local support = require "spec.support"

-- LuaJIT has the C API of 5.1: each takes the other's.
local builds = { luajit = "lib", ["lua5.1"] = "lua5.1", ["lua5.3"] = "lua5.3", ["lua5.4"] = "lua5.4" }
local api = { ["lib"] = 5.1, ["lua5.1"] = 5.1, ["lua5.3"] = 5.3, ["lua5.4"] = 5.4 }

-- Loads goloader with the core of `build` into `lua`.
local function load_into(lua, build)
  return support.run { lua, "-e", ([[
    package.path = "lua/?.lua;lua/?/init.lua;" .. package.path
    package.cpath = "build/%s/?.so;" .. package.cpath
    local ok, goloader = pcall(require, "goloader")
    print(ok and goloader.version or goloader)
  ]]):format(build) }
end

teardown(support.clean)

for lua, own in pairs(builds) do
  for _, build in pairs(builds) do
    if api[build] == api[own] then
      it(("%s loads the core in build/%s"):format(lua, build), function()
        local _, out, errors = load_into(lua, build)
        assert.equal("dev\n", out, errors)
      end)
    else
      it(("%s is told that the core in build/%s is another Lua's"):format(lua, build), function()
        local _, out = load_into(lua, build)
        assert.matches("^build/" .. build .. "/goloader/core%.so was built for another Lua than this one, "
          .. "Lua 5%.%d, which has no luaL?_%w+: make it with LUA_INCDIR=[^\n]*\n$", out)
      end)
    end
  end
end

it("has counts that are integers where Lua has those", function()
  local file = support.write("counted.go", "package counted\n\nfunc F() {}\n")
  for _, lua in ipairs { "lua5.3", "lua5.4" } do
    local _, out, errors = support.run { lua, "spec/env.lua", support.write("count.lua", ([[
      local goloader = require "goloader"
      local host = assert(goloader.host())
      local module = assert(host:build %q)
      local one = host:modules()[1]
      print(one.number, one.users, math.type(one.bytes), math.type(one.since))
      print(math.type(goloader.stats().calls), math.type(host:stats().handles))
    ]]):format(file)) }
    assert.equal("1\t0\tinteger\tinteger\ninteger\tinteger\n", out, errors)
  end
end)
