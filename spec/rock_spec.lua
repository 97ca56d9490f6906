-- Rocks for each Lua, made one after another from this checkout: used elsewhere by somebody else, and removed without a
-- trace. LuaFileSystem and argparse are the distribution's, so LuaRocks is told not to ask for rocks of theirs.
local lfs = require "lfs"
local support = require "spec.support"
local quote = require "goloader.building.toolchain".quote

local trees = support.tmpdir()

teardown(support.clean)

local function luarocks(version, tree, ...)
  return support.run { "luarocks", "--lua-version=" .. version, "--tree", tree, ... }
end

-- Runs a command as nobody where that can be, from another folder, with no variables but these.
local function as_another(command, variables)
  return support.run { "sh", "-c", ("cd / && %senv -i PATH=\"$PATH\" TMPDIR=%s HOME=/nonexistent %s %s"):format(
    support.as_nobody, quote(trees .. "/tmp"), variables or "", command) }
end

local output_of = support.output_of

setup(function()
  support.write("shop.go", "package shop\n\nfunc Greet(name string) string { return \"hello, \" + name }\n")
  support.write("hello.go", 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello from Go") }\n')
  lfs.mkdir(trees .. "/tmp")
  os.execute(("chmod -R a+rX %s && chmod 1777 %s/tmp"):format(quote(trees), quote(trees)))
end)

local rocks = {
  { lua = "lua5.1", version = "5.1" },
  { lua = "lua5.3", version = "5.3" },
  { lua = "lua5.4", version = "5.4" },
  { lua = "luajit", version = "5.1", headers = "/usr/include/luajit-2.1" },
}

for _, rock in ipairs(rocks) do
  describe("the rock for " .. rock.lua, function()
    local tree = trees .. "/" .. rock.lua

    it("is made, used from another folder by another user, and removed without a trace", function()
      local make = { "make", "--deps-mode=none", "rockspec/goloader-dev-1.rockspec" }
      if rock.headers then
        make[#make + 1], make[#make + 2] = "LUA_INCDIR=" .. rock.headers, "LUA=/usr/bin/" .. rock.lua
      end
      local unpack = rawget(table, "unpack") or unpack
      output_of(luarocks(rock.version, tree, unpack(make)))

      local lua, lib = ("%s/share/lua/%s"):format(tree, rock.version), ("%s/lib/lua/%s"):format(tree, rock.version)
      local variables = ("LUA_PATH='%s/?.lua;%s/?/init.lua;;' LUA_CPATH='%s/?.so;;'"):format(lua, lua, lib)
      local script = ("print(assert(require 'goloader'.host():build '%s/shop.go').Greet(_VERSION))"):format(trees)
      assert.equal("hello, Lua " .. rock.version .. "\n",
        output_of(as_another(rock.lua .. " -e " .. quote(script), variables)))

      local goloader = tree .. "/bin/goloader"
      assert.matches("LuaJIT 2%.1", output_of(as_another(goloader .. " version")))
      assert.equal("hello from Go\n", output_of(as_another(("%s run %s/hello.go"):format(goloader, trees))))
      output_of(as_another(goloader .. " clean"))

      local docs = ("%s/lib/luarocks/rocks-%s/goloader/dev-1/doc/"):format(tree, rock.version)
      for _, name in ipairs { "README.md", "src/call/TYPES.md", "rockspec/CHANGELOG.md", "examples/shipping.md" } do
        assert.equal(support.read(name), support.read(docs .. name))
      end

      output_of(luarocks(rock.version, tree, "remove", "goloader"))
      local left = output_of(support.run { "find", tree, trees .. "/tmp", "-type", "f" })
      assert.equal(("%s/lib/luarocks/rocks-%s/manifest\n"):format(tree, rock.version), left)
      assert.is_nil(lfs.attributes(tree .. "/share"))
    end)
  end)
end

describe("a rock", function()
  local function refused(pattern, ...)
    local status, _, errors = support.run { "make", "-n", "rock", ... }
    assert.equal(2, status)
    assert.matches(pattern, errors)
  end

  it("is not made with headers that are not there, or another Lua's", function()
    refused("LUA_INCDIR=/nowhere has no lua%.h", "LUA_INCDIR=/nowhere", "LUA=lua5.1")
    refused("LUA_INCDIR=/usr/include/lua5%.4 has the headers of Lua 5%.4, but lua5%.3 is Lua 5%.3",
      "LUA_INCDIR=/usr/include/lua5.4", "LUA=lua5.3")
  end)

  it("has a version: the newest of the changes, and says what it needs", function()
    local version = support.read "rockspec/CHANGELOG.md":match "\n## ([%d.]+)\n"
    local function read(file)
      local spec = {}
      local chunk = assert(loadfile(file))
      setfenv(chunk, spec)()
      return spec
    end
    local released = read(("rockspec/goloader-%s-1.rockspec"):format(version))
    local dev = read "rockspec/goloader-dev-1.rockspec"
    assert.equal(version .. "-1", released.version)
    assert.equal("v" .. version, released.source.tag)
    assert.equal(version, released.build.install_variables.VERSION)
    assert.same(dev.dependencies, released.dependencies)
    for _, file in ipairs { released.version, dev.version } do
      output_of(support.run { "luarocks", "lint", ("rockspec/goloader-%s.rockspec"):format(file) })
    end
  end)
end)
