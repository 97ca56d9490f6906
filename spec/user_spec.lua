-- A goloader that root has built and installed, used by somebody else: without an environment, a cache or a home.
local lfs = require "lfs"
local support = require "spec.support"
local quote = require "goloader.building.toolchain".quote

teardown(support.clean)

local root, home = nil, nil

local function write(name, text)
  local path = support.write(name, text)
  os.execute("chmod -R a+rX " .. quote(support.tmpdir()))
  return path
end

-- Runs Lua as that user, with no variables but these.
local function lua(script, variables, prefix)
  local file = write("user.lua", script)
  local command = ("cd / && %senv -i LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;;' LUA_CPATH='%s/lib/?.so;;' %s "
    .. "%s /usr/bin/env luajit %s"):format(support.as_nobody, root, root, root, variables or "", prefix or "",
    quote(file))
  return support.run { "sh", "-c", command }
end

local build = [[
local host = assert(require "goloader".host())
local module, message = host:build(%q)
print(module and module.Get() or message)
]]

local upper = 'package p\n\nimport "strings"\n\nfunc Get() string { return strings.ToUpper("%s") }\n'

describe("another user", function()
  setup(function()
    root = support.tmpdir() .. "/installed"
    home = support.tmpdir() .. "/home"
    local made = ("make -s install LUADIR=%s/lua LIBDIR=%s/lib BINDIR=%s/bin >%s 2>&1"):format(root, root, root,
      support.tmpdir() .. "/install.log")
    assert(os.execute(made) == 0, support.read(support.tmpdir() .. "/install.log"))
    lfs.mkdir(home)
    os.execute(("chmod -R a+rX %s && chmod 777 %s"):format(quote(support.tmpdir()), quote(home)))
  end)

  local function check(text, status, out, errors)
    assert.equal("", errors)
    assert.equal(text .. "\n", out)
    assert.equal(0, status)
  end

  it("builds a file", function()
    local file = write("one.go", upper:format "one")
    check("ONE", lua(build:format(file)))
  end)

  it("is told when it may have no more threads, before Go would end the process", function()
    local status, out, errors = lua([[
      local host, message, err = require "goloader".host()
      print(host, err.code, message)
    ]], nil, "prlimit --nproc=3")
    assert.equal("", errors)
    assert.equal(0, status)
    assert.truthy(out:find "^nil\tlimit\tGo can't be started: %d+ threads more .* needs %d+: ", out)
    assert.truthy(out:find("RLIMIT_NPROC (ulimit -u) is 3", 1, true), out)
  end)

  it("builds a module, and nobody compiles the standard library for it", function()
    write("two/go.mod", "module example.com/two\n\ngo 1.21\n")
    write("two/dep/dep.go", 'package dep\n\nimport "net/http"\n\nvar Handler http.Handler\n')
    write("two/two.go", 'package two\n\nimport (\n\t"fmt"\n\t"example.com/two/dep"\n)\n\n'
      .. 'func Get() string { return fmt.Sprint("two ", dep.Handler == nil) }\n')
    local dir = support.tmpdir() .. "/two"
    check("two true", lua(build:format(dir)))
    check("two true", lua(build:format(dir), "HOME=/nonexistent"))
    -- a home of their own, with an empty cache
    check("two true", lua(build:format(dir), "HOME=" .. quote(home)))
    assert.equal("directory", lfs.attributes(home .. "/.cache/go-build", "mode"))
  end)

  it("is told when the standard library is compiled after all", function()
    write("three/go.mod", "module example.com/three\n\ngo 1.21\n")
    write("three/dep/dep.go", 'package dep\n\nimport "os/user"\n\nvar User user.User\n')
    write("three/three.go", 'package three\n\nimport "example.com/three/dep"\n\n'
      .. "func Get() string { return dep.User.Name + \"three\" }\n")
    local variables = ("HOME=%s CGO_ENABLED=0"):format(quote(home))
    local status, out, errors = lua(build:format(support.tmpdir() .. "/three"), variables)
    assert.equal("goloader: compiling the standard library, of which Go's build cache has no build with these flags\n",
      errors)
    assert.equal("three\n", out)
    assert.equal(0, status)
    check("three", lua(build:format(support.tmpdir() .. "/three"), variables))
  end)

  it("is told in one line what is missing", function()
    local file = write("four.go", 'package four\n\nfunc Get() string { return "four" }\n')
    check("no temporary file can be made in /nonexistent (TMPDIR says where else)",
      lua(build:format(file), "TMPDIR=/nonexistent"))
    local archives = root .. "/lib/goloader/host/libgoloader_host.so.archives"
    assert(os.rename(archives, archives .. ".gone"))
    file = write("five.go", upper:format "five")
    local status, out, errors = lua(build:format(file))
    os.rename(archives .. ".gone", archives)
    assert.equal("", errors)
    local why = "the archive of strings, which belongs to the host, is not there; make the host anew"
    assert.truthy(out:find(why, 1, true), out)
    assert.equal(0, status)
  end)
end)
