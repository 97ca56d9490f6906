-- What is made twice is the same, byte for byte, wherever it is made, by whom and when: hosts, and shipped modules.
local lfs = require "lfs"
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

local quote = toolchain.quote
local host = support.host().path
local beside = host:match "^(.*)/"

teardown(support.clean)

local elsewhere, environment

local function run(...)
  local status, out, errors = support.run({ ... }, environment)
  assert.equal(0, status, out .. errors)
  return out
end

-- A process of somebody else, as far as variables and the umask go; of Go's caches one is enough.
setup(function()
  elsewhere = toolchain.absolute(support.tmpdir()) .. "/somewhere else @ (2)"
  local job = assert(support.tools():go { "env", "GOCACHE" })
  local _, cache = job:wait()
  lfs.mkdir(elsewhere)
  lfs.mkdir(elsewhere .. "/tmp")
  environment = ("umask 077; env HOME=%s TMPDIR=%s XDG_CACHE_HOME=%s USER=nobody GOCACHE=%s"):format(
    quote(elsewhere), quote(elsewhere .. "/tmp"), quote(elsewhere .. "/cache"), quote(cache:match "^%S+"))
end)

local function copy(from, to)
  to = elsewhere .. "/" .. to
  os.execute(("mkdir -p %s && cp -r %s/. %s"):format(quote(to), quote(from), quote(to)))
  return to
end

local function is_same(one, other)
  local status, out = support.run { "diff", "-r", one, other }
  assert.equal("", out)
  assert.equal(0, status)
end

describe("of two clones", function()
  local other, sources

  setup(function()
    sources = copy("src/host", "clone/src/host")
    other = elsewhere .. "/build/" .. host:match "[^/]*$"
    lfs.mkdir(elsewhere .. "/build")
    run(beside .. "/tools/mkhost", "-goroot", support.tools().goroot, "-sources", sources, "-o", other)
  end)

  it("the host is the same, and all that lies beside it", function()
    for _, what in ipairs { "", ".desc", ".importcfg", ".goroot", ".archives" } do
      is_same(host .. what, other .. what)
    end
    for shelf in lfs.dir(host .. ".archives") do
      for entry in lfs.dir(host .. ".archives/" .. shelf) do
        if entry:find "%-a$" then -- of Go's build cache, which notes there when it was made
          assert.matches(" +0\n$", support.read(("%s.archives/%s/%s"):format(host, shelf, entry)))
        end
      end
    end
  end)

  it("the Go halves of parts in Lua are the same", function()
    local function ship(name, into, from)
      local file = ("%s/%s.gom"):format(elsewhere, name)
      run("env", "GOLOADER_HOST=" .. into, "build/bin/goloader", "build", "-o", file,
        ("-gcflags=goloader.dev/host/...='-trimpath=%s=>goloader.dev/host'"):format(from), from .. "/bridge")
      return file
    end
    is_same(ship("bridge", host, toolchain.absolute "src/host"), ship("other", other, sources))
  end)

  it("a module shipped with -trimpath is the same, with C parts and assembly too, and loads into the other's host",
    function()
      for _, name in ipairs { "ship", "cgo" } do
        local here, there = ("%s/%s.gom"):format(support.tmpdir(), name), ("%s/%s.gom"):format(elsewhere, name)
        local status, _, errors = support.run { "build/bin/goloader", "build", "-trimpath", "-o", here,
          "spec/testdata/" .. name }
        assert.equal(0, status, errors)
        run("env", "GOLOADER_HOST=" .. other, "build/bin/goloader", "build", "-trimpath", "-o", there,
          copy("spec/testdata/" .. name, "clone/" .. name))
        is_same(here, there)
      end
      local status, out, errors = support.lua(([[
        local host = assert(require "goloader".host())
        local module = assert(host:load %q)
        io.write(assert(module.Report()))
        assert(module:unload())
      ]]):format(support.tmpdir() .. "/ship.gom"), "GOLOADER_HOST=" .. quote(other))
      assert.equal(0, status, errors)
      assert.matches("%S", out)
    end)

  it("debuggers know the host's functions by name and line, and show its source where they are told of it", function()
    local status, out = support.run { "gdb", "-nx", "-batch", "-ex", "info line goloader.dev/host.enterCall",
      "-ex", "set substitute-path goloader.dev/host '" .. sources .. "'",
      "-ex", "list goloader.dev/host.goloader_call", other }
    assert.equal(0, status, out)
    assert.matches('Line %d+ of "goloader%.dev/host/enter%.go"', out)
    assert.is_truthy(out:find("//export goloader_call\n", 1, true), out)
  end)
end)

describe("a host of one's own", function()
  it("is the same with -trimpath", function()
    local made = {}
    for i, dir in ipairs { "examples/ownhost", copy("examples/ownhost", "own host") } do
      made[i] = ("%s/%d/own.so"):format(elsewhere, i)
      lfs.mkdir(elsewhere .. "/" .. i)
      run("sh", "-c", ('cd "$0" && exec "$@"'), dir, toolchain.absolute "build/bin/goloader", "host", "--goroot",
        support.tools().goroot, "--minimal", "-trimpath", "-o", made[i], "./stock")
    end
    for _, what in ipairs { "", ".desc", ".importcfg" } do is_same(made[1] .. what, made[2] .. what) end
  end)
end)
