-- A Debian package: made of what is built, without a complaint, and used by somebody else where it was unpacked.
local lfs = require "lfs"
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

local quote = toolchain.quote
local output_of = support.output_of
local dir = toolchain.absolute(support.tmpdir())
local root = dir .. "/root"
local package

setup(function()
  local log = dir .. "/make.log"
  assert(os.execute(("make deb >%s 2>&1"):format(quote(log))) == 0, support.read(log):sub(-2000))
  package = output_of(support.run { "sh", "-c", "echo build/deb/*.deb" }):match "^[^\n]*"
  output_of(support.run { "dpkg-deb", "-x", package, root })
  support.write("shop.go", "package shop\n\nfunc Greet(name string) string { return \"hello, \" + name }\n")
  support.write("hello.go", 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello from Go") }\n')
  lfs.mkdir(dir .. "/tmp")
  os.execute(("chmod -R a+rX %s && chmod 1777 %s/tmp"):format(quote(dir), quote(dir)))
end)

teardown(support.clean)

local function field(name)
  return (output_of(support.run { "dpkg-deb", "-f", package, name }):gsub("%s+", " "):gsub(" $", ""))
end

-- Runs a command as nobody where that can be, from another folder.
local function as_another(command, variables)
  return support.run { "sh", "-c", ("cd / && %senv -i PATH=\"$PATH\" TMPDIR=%s HOME=/nonexistent %s %s"):format(
    support.as_nobody, quote(dir .. "/tmp"), variables or "", command) }
end

local library = "/usr/lib/" .. output_of(support.run { "dpkg-architecture", "-qDEB_HOST_MULTIARCH" }):match "%S+"
  .. "/lua/5.1"

describe("the Debian package", function()
  it("says what it is, needs, and of which Go its host is", function()
    local version = support.read "rockspec/CHANGELOG.md":match "\n## ([%d.]+)\n"
    assert.same({ "goloader", version, "amd64" }, { field "Package", field "Version", field "Architecture" })
    local needs = field "Depends"
    for _, name in ipairs { "libelf1", "libsodium", "libcapstone", "luajit", "lua%-filesystem", "lua%-argparse" } do
      assert.matches(name, needs)
    end
    local go = assert(support.tools().goroot)
    local version_of_go = support.read(go .. "/VERSION"):match "^%S+"
    assert.truthy(field "Description":find("a Go runtime of " .. version_of_go, 1, true), field "Description")
    local owner = select(2, support.run { "dpkg-query", "-S", go .. "/bin/go" }):match "^[^:]+"
    if owner then assert.matches(owner, field "Recommends", 1, true) end
    local plan = output_of(support.run { "apt-get", "-s", "install", "--no-install-recommends", "./" .. package })
    assert.matches("\nInst goloader ", "\n" .. plan)
  end)

  it("has what belongs to it", function()
    for _, file in ipairs {
      "/usr/bin/goloader", library .. "/goloader/core.so", library .. "/goloader/host/libgoloader_host.so",
      "/usr/share/lua/5.1/goloader/init.lua", "/usr/share/lua/5.1/goloader/definitions/goloader.lua",
      "/usr/share/man/man1/goloader.1.gz", "/usr/share/bash-completion/completions/goloader",
      "/usr/share/zsh/vendor-completions/_goloader", "/usr/share/fish/vendor_completions.d/goloader.fish",
      "/usr/share/doc/goloader/copyright", "/usr/share/doc/goloader/changelog.gz",
      "/usr/share/doc/goloader/README.md", "/usr/share/doc/goloader/src/call/TYPES.md",
    } do
      assert.equal("file", lfs.attributes(root .. file, "mode"), file)
    end
  end)

  it("is nothing that lintian complains of, but for what is explained", function()
    assert.equal("", output_of(support.run { "lintian", "--fail-on", "error,warning", package }))
    local explained = false
    for line in io.lines "rockspec/debian/goloader.lintian-overrides" do
      assert.is_true(explained or line:find "^#" ~= nil, line)
      explained = line:find "^#" ~= nil
    end
  end)

  it("is used by another user, under LuaJIT and from a shell", function()
    local lua = root .. "/usr/share/lua/5.1"
    local variables = ("LUA_PATH='%s/?.lua;%s/?/init.lua;;' LUA_CPATH='%s/?.so;;'"):format(lua, lua, root .. library)
    local script = ("print(assert(require 'goloader'.host():build '%s/shop.go').Greet '%s')"):format(dir, "Lua")
    assert.equal("hello, Lua\n", output_of(as_another("luajit -e " .. quote(script), variables)))
    local goloader = root .. "/usr/bin/goloader"
    assert.equal("goloader " .. field "Version", output_of(as_another(goloader .. " version")):match "^goloader [%d.]+")
    assert.equal("hello from Go\n", output_of(as_another(("%s run %s/hello.go"):format(goloader, dir))))
    output_of(as_another(goloader .. " clean"))
  end)

  it("names nothing of the tree that it was made in", function()
    local status, out = support.run { "grep", "-rlF", lfs.currentdir(), root }
    assert.equal("", out)
    assert.equal(1, status)
  end)
end)
