-- goloader clean: the user's cache is emptied, and all works as before.
local lfs = require "lfs"
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

teardown(support.clean)

local function entries(dir)
  local names = {}
  for entry in lfs.dir(dir) do if not entry:find "^%.%.?$" then names[#names + 1] = entry end end
  table.sort(names)
  return names
end

describe("goloader clean", function()
  it("removes what builds have left, and nothing else", function()
    local caches = toolchain.absolute(support.tmpdir()) .. "/caches"
    local cache = caches .. "/goloader"
    support.write("caches/go-build/kept", "Go's own")
    support.write("caches/goloader/notes", "the user's")
    support.write("caches/goloader/modules/m-1/go.mod", "module m\n")
    support.write("caches/goloader/cgo-" .. ("0"):rep(32) .. ".so", ("x"):rep(2000000))
    support.write("caches/goloader/go/pkg/mod/dep/dep.go", "package dep\n")
    assert(lfs.mkdir(cache .. "/programs"))
    os.execute("chmod -R a-w " .. toolchain.quote(cache .. "/go"))
    local environment = "XDG_CACHE_HOME=" .. toolchain.quote(caches)
    local function clean(...) return support.run({ "build/bin/goloader", "clean", ... }, environment) end

    local before = entries(cache)
    local status, out, errors = clean "-n"
    assert.equal(0, status, errors)
    assert.matches("^would remove      1%.9 MB  C parts of packages, linked\n", out)
    assert.same(before, entries(cache))

    status, out, errors = clean()
    assert.equal(0, status, errors)
    assert.matches("^removed      1%.9 MB  C parts of packages, linked\nremoved      0%.0 MB  go%.mod files", out)
    assert.same({ "notes", "programs" }, entries(cache))
    assert.same({ "kept" }, entries(caches .. "/go-build"))

    status, out = clean()
    assert.equal(0, status)
    assert.equal(("nothing to remove in %s\n"):format(cache), out)
  end)
end)
