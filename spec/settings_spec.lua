-- Flags and variables of the go command: what they make of a build, and which of them no host can follow.
local support = require "spec.support"

teardown(support.clean)

-- A package with a variable of another one's interface type: its descriptor is known by a number in that package's
-- object, which is another one in another build of the standard library.
local function write_module(name)
  support.write(name .. "/go.mod", "module example.com/p\n\ngo 1.21\n")
  support.write(name .. "/lib/lib.go", 'package lib\n\nimport "io"\n\nvar W io.Writer\n')
  support.write(name .. "/p_test.go", 'package main\n\nimport "testing"\n\nfunc TestMain_(t *testing.T) { main() }\n')
  support.write(name .. "/p.go", [[
package main

import (
	"os"
	"runtime"
	"strings"

	"example.com/p/lib"
)

func File() string { _, file, _, _ := runtime.Caller(0); return file }

func main() {
	lib.W = os.Stdout
	lib.W.Write([]byte(strings.ToUpper("written\n")))
}
]])
  return support.tmpdir() .. "/" .. name
end

-- CGO_ENABLED and build tags leave most of the standard library as it is: they cost little here.
local settings = {
  { "-trimpath", flags = { "-trimpath" } },
  { "flags of the compiler for all packages", flags = { "-gcflags=all=-l" } },
  { "CGO_ENABLED=0", environment = "CGO_ENABLED=0", flags = {} },
  { "a tag of the standard library's", flags = { "-tags=osusergo,netgo" } },
  { "GOFLAGS", environment = "GOFLAGS=-trimpath", flags = {} },
  { "GOAMD64", environment = "GOAMD64=v1", flags = {} },
  -- what is inlined of it counts by variables that the host's build has not
  { "coverage of the standard library", environment = "GOCOVERDIR=" .. support.tmpdir(),
    flags = { "-cover", "-coverpkg=strings" } },
}

describe("a module compiled against another build of the standard library than the host's", function()
  -- What the runtime defines for package arena the host's linker has dropped: nobody there can import it.
  it("runs: an experiment that lets a package be imported", function()
    support.write("arena/go.mod", "module example.com/p\n\ngo 1.21\n")
    local file = support.write("arena/p.go", [[
package main

import "arena"

type node struct {
	n    int
	next *node
}

func main() {
	a := arena.NewArena()
	defer a.Free()
	var last *node
	for i := 0; i < 1000; i++ {
		n := arena.New[node](a)
		n.n, n.next = i, last
		last = n
	}
	sum := 0
	for n := last; n != nil; n = n.next {
		sum += n.n
	}
	println(sum, len(arena.MakeSlice[int](a, 3, 5)))
}
]])
    local status, _, errors = support.run({ "build/bin/goloader", "run", file:match "^(.*)/" }, "GOEXPERIMENT=arenas")
    assert.equal("499500 3\n", errors)
    assert.equal(0, status)
  end)

  for _, setting in ipairs(settings) do
    it("runs: " .. setting[1], function()
      local argv = { "build/bin/goloader", "run", unpack(setting.flags) }
      argv[#argv + 1] = write_module "run"
      local status, out, errors = support.run(argv, setting.environment)
      assert.equal("WRITTEN\n", out)
      assert.equal("", errors)
      assert.equal(0, status)
    end)
  end

  it("is shipped", function()
    local dir, shipped = write_module "shipped", support.tmpdir() .. "/shipped.gom"
    local status, _, errors = support.cli("build", "-o", shipped, "-trimpath", dir)
    assert.equal("", errors)
    assert.equal(0, status)
    assert.equal("WRITTEN\n", select(2, support.cli("run", shipped)))
  end)

  it("is tested", function()
    local dir = write_module "tested"
    local goloader = require "lfs".currentdir() .. "/build/bin/goloader"
    local status, out = support.run({ "sh", "-c", "cd " .. dir .. " && " .. goloader .. " test -trimpath ." })
    assert.truthy(out:find("ok%s+example.com/p"), out)
    assert.equal(0, status)
  end)

  it("is built by a program", function()
    local dir = write_module "built"
    local status, out, errors = support.lua(([[
local host = assert(require "goloader".host())
for _, gcflags in ipairs { "all=-l", "-N" } do
  local module, message = host:build(%q, { gcflags = gcflags })
  print(module and module.File():match "[^/]*$" or message)
end
]]):format(dir))
    assert.equal("p.go\np.go\n", out)
    assert.equal("", errors)
    assert.equal(0, status)
  end)
end)

describe("what the host was not made for", function()
  local dir = write_module "mismatch"
  local own = "the host was made with other experiments, and loads nothing else; "
  local why = {
    ["GOEXPERIMENT=fieldtrack"] = "GOEXPERIMENT=fieldtrack: " .. own .. '"GOEXPERIMENT=fieldtrack goloader host '
      .. '-o HOST.so PACKAGE…" makes one that does (GOLOADER_HOST names it)',
    ["GOARCH=arm64"] = "GOARCH=arm64: the host is for amd64, and loads nothing else",
    ["GOOS=windows"] = "GOOS=windows: the host is for linux, and loads nothing else",
  }

  it("is told before anything is compiled", function()
    for environment, text in pairs(why) do
      for command, who in pairs { ["run"] = "goloader: ", ["test"] = "goloader test: ", ["build"] = "goloader: " } do
        local status, out, errors = support.run({ "build/bin/goloader", command, dir }, environment)
        assert.same({ 1, "", who .. text .. "\n" }, { status, out, errors })
      end
      local _, out = support.lua(("print(require 'goloader'.host():build(%q))"):format(dir), environment)
      assert.equal("nil\t" .. text, out:match "^nil\t[^\t\n]*")
    end
  end)

  it("is other sources of the standard library, too", function()
    local file = support.tools().goroot .. "/src/strings/strings.go"
    local overlay = support.write("overlay.json", ('{"Replace": {%q: %q}}'):format(file, file))
    local text = ("flag -overlay: %s is another one in %s, but the standard library is the host's")
      :format(file, overlay)
    for command, who in pairs { run = "goloader: ", test = "goloader test: ", build = "goloader: " } do
      for _, way in ipairs { { {}, "GOFLAGS=-overlay=" .. overlay }, { { "-overlay=" .. overlay } } } do
        local argv = { "build/bin/goloader", command, unpack(way[1]) }
        argv[#argv + 1] = dir
        local status, out, errors = support.run(argv, way[2])
        assert.same({ 1, "", who .. text .. "\n" }, { status, out, errors })
      end
    end
    local _, out = support.lua(("print(require 'goloader'.host():build(%q))"):format(dir),
      "GOFLAGS=-overlay=" .. overlay)
    assert.equal("nil\t" .. text, out:match "^nil\t[^\t\n]*")
    for _, options in ipairs { "words = { '-overlay=%s' }", "cover = true, words = { '-overlay', '%s' }" } do
      _, out = support.lua(("print(require 'goloader'.host():build(%q, { %s }))"):format(dir, options:format(overlay)))
      assert.matches("^nil\tflag %-overlay: ", out)
    end
  end)

  it("is nothing that is said of it in other words", function()
    local status, out, errors = support.run({ "build/bin/goloader", "run", dir },
      "GOOS=linux GOARCH=amd64 GOEXPERIMENT=nofieldtrack")
    assert.same({ 0, "WRITTEN\n", "" }, { status, out, errors })
  end)
end)

describe("a sanitizer", function()
  local why = "flag -%s: the %s sanitizer needs a runtime of its own, which no host is built with"
  local asan, race = why:format("asan", "address"),
    "flag -race: the race detector has a runtime of its own: goloader host --exe -race makes programs that have it"

  it("is refused wherever it is asked for", function()
    local file = support.write("sanitized.go", "package p\n\nvar x = []int{1}\n\nfunc Get(i int) int { return x[i] }\n")
    local host = support.host()
    for _, gcflags in ipairs { "-asan", "all=-asan", "-N --asan=1", "'-asan'" } do
      local module, message, err = host:build(file, { gcflags = gcflags })
      assert.is_nil(module)
      assert.equal(asan, tostring(message))
      assert.equal("unsupported", (err or message).code)
    end
    assert.truthy(host:build(file, { gcflags = "-asan=false" }))
    for environment, text in pairs { ["GOFLAGS=-asan"] = asan, ["GOFLAGS=-gcflags=all=-asan"] = asan,
      ["GOFLAGS=-race"] = race } do
      local _, out = support.lua(("print(require 'goloader'.host():build(%q))"):format(file), environment)
      assert.equal("nil\t" .. text, out:match "^nil\t[^\t\n]*")
    end
  end)

  it("is refused on the command line", function()
    local file = support.write("sanitized_main.go", "package main\n\nfunc main() {}\n")
    for flag, text in pairs { ["-gcflags=-asan"] = asan, ["-gcflags=all=-asan"] = asan, ["-race"] = race } do
      local status, _, errors = support.cli("run", flag, file)
      assert.equal("goloader run: " .. text, errors:match "^[^\n]*")
      assert.equal(2, status)
    end
  end)

  it("is found in objects", function()
    local object = support.compile("package seen\n\nvar x = []int{1}\n\nfunc Get(i int) int { return x[i] }\n", "seen",
      { "-asan" })
    local module, message, err = support.host():load(object)
    assert.is_nil(module)
    assert.equal(object .. " was compiled with -asan, which takes a runtime of its own that this host is not built "
      .. "with",
      tostring(message))
    assert.equal("unsupported", (err or message).code)
  end)
end)
