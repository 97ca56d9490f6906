-- Packages that import "C": Go calls C, C calls Go, and both come and go together.
local lfs = require "lfs"
local support = require "spec.support"

local source = "spec/testdata/cgo"
local host, parts

-- Where libraries with C parts are mapped; nobody else's file is deleted while it is mapped.
local function libraries()
  local _, n = support.read "/proc/self/maps":gsub("[^\n]*r%-xp[^\n]*/cgo%.so %(deleted%)", "")
  return n
end

setup(function()
  host = support.host()
  parts = assert(host:build(source))
end)
teardown(support.clean)

describe("Go calls C", function()
  it("functions, inline ones, and those of a library", function()
    assert.equal(21, parts.Triple(7))
    assert.equal(math.sqrt(2), parts.Root(2))
  end)

  it("and gets errno as an error", function()
    local n, err = parts.Fail(2)
    assert.is_nil(n)
    assert.equal("no such file or directory", tostring(err))
    assert.is_true(parts.IsNotExist())
  end)

  it("with strings and memory of C's", function()
    assert.equal("GOLOADER", parts.Upper "goloader")
    assert.equal(70000, parts.Bytes(10000))
  end)

  it("with structs and unions by value", function()
    assert.same({ 2, 1 }, { parts.Mirrored(1, 2) })
    assert.equal("3ff8000000000000", parts.Bits(1.5))
  end)

  it("and uses its variables", function()
    local first = parts.Count()
    assert.is_true(first > 40)
    assert.equal(first + 1, parts.Count())
  end)

  it("by a function pointer", function() assert.equal(-5, parts.Applied(5)) end)
  it("that is written in assembly", function() assert.equal(42, parts.FromAssembly()) end)

  it("that is written in C++, with exceptions", function()
    assert.same({ 3, "caught in C++" }, { parts.FromCXX "one two three" })
  end)

  it("of another package", function()
    local sum = parts.Elsewhere() -- n from Go and n + 1 from C
    assert.equal(sum + 4, parts.Elsewhere())
  end)

  it("but may not hand it a Go pointer to a Go pointer", function()
    assert.error_matches(parts.Smuggle, "Go pointer to unpinned Go pointer")
  end)
end)

describe("C calls Go", function()
  it("by name and by pointer", function()
    assert.equal(15, parts.Called(7))
    assert.equal(14, parts.CalledByPointer(7))
    assert.equal("gogogo", parts.Text(3))
  end)

  it("which calls C, and so on", function() assert.equal(50, parts.Deep(50)) end)

  it("with a handle of a Go value", function() assert.equal(5050, parts.Summed(100)) end)

  it("on threads of its own", function()
    for _ = 1, 5 do assert.equal(36, parts.Threads(8)) end
  end)

  it("which panics through it", function()
    assert.equal("recovered: through C", parts.Recovered())
    assert.error_matches(parts.Panic, "through C")
    assert.equal(15, parts.Called(7))
  end)

  it("and tracebacks go through it", function()
    local trace = parts.Trace()
    assert.matches("example%.com/parts%.goTrace%(%)%s+%S+/parts%.go:%d+", trace)
    assert.matches("example%.com/parts%._Cfunc_call_trace", trace)
    assert.matches("example%.com/parts%.Trace%(%)%s+%S+/parts%.go:%d+", trace)
  end)
end)

describe("a module with parts in C", function()
  it("has C variables of its own", function()
    local other = assert(host:build(source))
    assert.equal(41, other.Count())
    assert.equal(42, other.Count())
    assert(other:unload())
  end)

  it("takes its library along, time and again", function()
    local before = libraries()
    assert.is_true(before > 0)
    for _ = 1, 10 do
      local module = assert(host:build(source))
      assert.equal(41, module.Count())
      assert.equal(15, module.Called(7))
      assert.equal(2, (module.FromCXX "a b"))
      assert.equal(10, module.Threads(4))
      assert.equal(before + 1, libraries())
      assert(module:unload())
      collectgarbage()
      assert.equal(before, libraries())
    end
  end)

  it("stays while a goroutine is in its C code", function()
    local module = assert(host:build(source))
    module.Wait()
    local ok, _, err = module:unload()
    assert.is_nil(ok)
    assert.equal("busy", err.code)
    assert.matches("parts%._Cfunc_wait_here", err.message)
    module.Release()
    assert.is_true(support.eventually(function() return module:unload() end))
  end)

  it("is loaded where temporary files can't be executed", function()
    local dir = support.tmpdir() .. "/noexec"
    assert(lfs.mkdir(dir))
    local script = support.write("noexec.lua", ([[
      local module, message = require("spec.support").host():build %q
      print(module and module.Called(7) or message)
    ]]):format(source))
    local unshare = lfs.attributes("/proc/self", "uid") == 0 and { "unshare", "-m" } or { "unshare", "-rm" }
    for _, word in ipairs { "sh", "-c", ([[mount -t tmpfs -o noexec none "$0" && TMPDIR=$0 exec %s spec/env.lua "$1"]])
      :format(support.interpreter), dir, script } do
      unshare[#unshare + 1] = word
    end
    local status, out, errors = support.run(unshare)
    assert.equal("", errors)
    assert.equal("15\n", out)
    assert.equal(0, status)
  end)

  it("has no memory that is writable and executable", function()
    assert.is_nil(support.read "/proc/self/maps":match "rwxp[^\n]*")
  end)
end)

describe("a third-party package with parts in C", function()
  local left, right

  setup(function()
    left = assert(host:build "spec/testdata/clock/left")
    right = assert(host:build "spec/testdata/clock/right")
  end)

  it("is one for all modules, in C as in Go", function()
    assert.same({ 101, 102, 103 }, { left.Tick(), right.Tick(), left.Tick() })
    right.Set(500)
    assert.equal(504, left.Tick())
  end)

  it("outlives them", function()
    local ticks = right.Tick()
    assert(left:unload())
    left = assert(host:build "spec/testdata/clock/left")
    assert.equal(ticks + 1, left.Tick())
  end)

  it("is a module's own when that is private", function()
    local alone = assert(host:build("spec/testdata/clock/left", { private = true }))
    assert.equal(101, alone.Tick())
    assert(alone:unload())
  end)
end)

describe("a shipped module", function()
  it("has its parts in C in it", function()
    local file = support.tmpdir() .. "/parts.gom"
    assert(host:ship(source, file))
    local status, out = support.lua(([[
      local host = assert(require "goloader".host())
      local parts = assert(host:load %q)
      print(parts.Called(7), parts.Count(), parts.FromAssembly(), parts.Threads(8), parts:unload())
    ]]):format(file), "CC=/no/such/cc CXX=/no/such/cxx GOROOT=/no/such/goroot")
    assert.equal("15\t41\t42\t36\ttrue\n", out)
    assert.equal(0, status)
  end)
end)

describe("a program", function()
  it("resolves names by way of C, in the standard library's own cgo packages", function()
    local main = support.write("names.go", [[
package main

import (
	"fmt"
	"net"
	"os/user"
)

func main() {
	fmt.Println(net.LookupHost("localhost"))
	u, err := user.LookupId("0")
	fmt.Println(u.Username, err)
}
]])
    local status, out, errors = support.run({ "build/bin/goloader", "run", main }, "GODEBUG=netdns=cgo+1")
    assert.equal(0, status)
    assert.matches("cgo [DNS ]*resolver", errors)
    assert.matches("%[[^\n]*127%.0%.0%.1[^\n]*%] <nil>\n", out)
    assert.matches("\nroot <nil>\n", out)
  end)

  it("has C functions in reach of dlsym", function()
    local main = support.write("reach.go", [[
package main

/*
#cgo LDFLAGS: -ldl
#define _GNU_SOURCE
#include <dlfcn.h>

static int call(const char *name) {
	int (*f)(int) = dlsym(RTLD_DEFAULT, name);
	return f == 0 ? -1 : f(20);
}
*/
import "C"

//export addOne
func addOne(x C.int) C.int { return x + 1 }

func main() { println(C.call(C.CString("addOne"))) }
]])
    local status, _, errors = support.cli("run", main)
    assert.equal("21\n", errors)
    assert.equal(0, status)
  end)
end)

describe("a thread that C starts while packages are initialised", function()
  it("waits until they are", function()
    local main = support.write("early.go", [[
package main

/*
#include <pthread.h>
#include <unistd.h>

extern void early(void);

static void *run(void *arg) { early(); return arg; }

static void start(void) {
	pthread_t thread;
	pthread_create(&thread, 0, run, 0);
	usleep(50000);
}
*/
import "C"

var ready = false
var seen = make(chan bool)

//export early
func early() { seen <- ready }

func init() {
	C.start()
	ready = true
}

func main() { println(<-seen) }
]])
    local _, _, errors = support.cli("run", main)
    assert.equal("true\n", errors)
  end)
end)

describe("C parts that can't be linked", function()
  local function broken(preamble)
    local dir = support.write("broken/go.mod", "module example.com/broken\n\ngo 1.21\n"):match "^(.*)/"
    local text = 'package broken\n\n/*\n%s\n*/\nimport "C"\n\nfunc Call() { C.f() }\n'
    support.write("broken/broken.go", text:format(preamble))
    return host:build(dir)
  end

  it("are the C linker's message", function()
    local module, _, err = broken "#cgo LDFLAGS: -lnothing_of_this_name\nvoid f(void) {}"
    assert.is_nil(module)
    assert.equal("compile", err.code)
    assert.matches("nothing_of_this_name", err.message)
  end)

  it("name the symbol that nobody defines", function()
    local module, _, err = broken "extern void g(void);\nstatic void f(void) { g(); }"
    assert.is_nil(module)
    assert.matches("undefined symbol: g", err.message)
  end)

  it("leave nothing behind", function()
    local before = libraries()
    broken "extern void g(void);\nstatic void f(void) { g(); }"
    assert.equal(before, libraries())
  end)

  it("name the compiler that is not there", function()
    local files = {}
    local built = assert(assert(require "goloader.building.build".start(support.tools(), source)):wait())
    for i, file in ipairs(built.files) do files[i] = ("%q"):format(file.file) end
    local status, out = support.lua(([[
      local host = assert(require "goloader".host())
      local module, _, err = host:load { %s }
      print(module, err.code, err.message)
    ]]):format(table.concat(files, ", ")), "CC=/no/such/cc CXX=/no/such/cxx")
    assert.equal(0, status)
    assert.matches("^nil%s+compile%s+the C parts of [^\n]* can't be linked by /no/such/cxx: [^\n]*not found\n$", out)
  end)
end)
