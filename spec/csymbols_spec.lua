-- C symbols of every kind that Go refers to, and how large what a module brings may be.
local support = require "spec.support"

local host

setup(function() host = support.host() end)
teardown(support.clean)

describe("Go refers to C's", function()
  local c

  setup(function() c = assert(host:build "spec/testdata/csymbols") end)

  it("variables: hidden, common, weak, C++'s", function() assert.same({ 6, 2, 7, 12 }, { c.Variables() }) end)
  it("functions: hidden, by a variable, inline", function() assert.same({ 7, 8, 6 }, { c.Functions() }) end)
  it("large constants", function() assert.equal(42, c.Constant(1000000)) end)
  it("thread-local variables, by a function", function() assert.is_true(c.NextLocal() > 8) end)
  it("variables that a constructor has set", function() assert.equal(9, c.Constructed()) end)
  it("C++: its own globals, inline functions, thread-local objects", function()
    assert.same({ 10, 11, 6 }, { c.CXX() })
  end)

  it("functions that another package imports", function() assert.same({ true, true }, { c.Pids() }) end)

  it("variables that another package imports", function()
    local here, there = c.Shared()
    assert.equal(here, there)
    assert.is_true(here > 20)
  end)

  it("symbols of another package, when it was shipped", function()
    local file = support.tmpdir() .. "/csymbols.gom"
    assert(host:ship("spec/testdata/csymbols", file))
    local status, out = support.lua(([[
      local c = assert(assert(require "goloader".host()):load %q)
      print(c.Pids())
      print(c.Shared())
      print(c.Variables())
    ]]):format(file), "CC=/no/such/cc")
    assert.equal("true\ttrue\n21\t21\n6\t2\t7\t12\n", out)
    assert.equal(0, status)
  end)

  it("variables that nothing but a static library has", function()
    local source = support.write("static/counter.c", "int static_counter = 30;\n")
    local dir = source:match "^(.*)/"
    assert.equal(0, (support.run { "cc", "-c", "-fPIC", source, "-o", dir .. "/counter.o" }))
    assert.equal(0, (support.run { "ar", "rcs", dir .. "/libcounter.a", dir .. "/counter.o" }))
    os.remove(source)
    support.write("static/go.mod", "module example.com/static\n\ngo 1.21\n")
    support.write("static/static.go", [[
package static

// #cgo LDFLAGS: -L${SRCDIR} -lcounter
// extern int static_counter;
import "C"

func Count() int {
	C.static_counter++
	return int(C.static_counter)
}
]])
    local module = assert(host:build(dir))
    assert.equal(31, module.Count())
    assert(module:unload())
  end)
end)

describe("a module's variables", function()
  local function with_variable(name, size)
    return support.write(name .. ".go", ([[
package %s

var Data [%d]byte

// A pointer to the end, so that the collector knows of it.
var last = &Data[len(Data)-1]

func Set(i int) int {
	Data[i] = 1
	*last = 2
	return int(Data[i]) + int(Data[len(Data)-1])
}
]]):format(name, size))
  end

  it("may have more than 1 GiB", function()
    local big = assert(host:build(with_variable("big", 1100 * 2 ^ 20)))
    assert.equal(3, big.Set(5))
    assert.equal(3, big.Set(1100 * 2 ^ 20 - 2))
    assert(big:unload())
  end)

  it("that are too large for any place are named", function()
    local module, message, err = host:build(with_variable("larger", 1900 * 2 ^ 20))
    assert.is_nil(module)
    assert.equal("memory", err.code)
    assert.matches("larger%.Data alone has 1992294400", message)
    assert.matches("in reach of the host", message)
  end)
end)
