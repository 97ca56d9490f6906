-- Go's types across the loader: one function of spec/testdata/types for each thing that can go wrong.
local support = require "spec.support"

local expected = {
  Print = "(1;2) {A:3 B:[x] C:map[k:true]} (4;5) types.plain map[types.point][]types.plain",
  Switch = "nil,integer,integer,string s,square,*rect,error EOF,stringer (7;8),ints 2,map 1,func 21,other",
  Shapes = 20,
  Failed = "interface conversion: types.square is not fmt.Stringer: missing method String",
  Errors = "truelamptrue trueopenfalse true",
  Generics = "6 3.5 [(2;2) (1;1)]1s*types.list[types.point]",
  Maps = "700 498805 7 (3;4) 5runtime error: hash of unhashable type []int",
  Channels = "ABC",
  Select = "timeout,context canceled,default",
  Atomics = "100 (1;1) (9;9)",
  Defer = "8 6 trouble 3|true runtime error: index out of range [8] with length 0"
    .. "|runtime error: invalid memory address or nil pointer dereference|second first",
  Methods = "11promotedbaseinner0",
  JSON = '[{"name":"a","tags":["x"],"extra":{"p":"(1;2)"}}][{a [x]}]',
  Reflect = "types.Item 4typesname(6;7) [(0;0)] true true",
  Identity = "true true true true true",
  Closures = "[6765 0 1 3]",
  Variables = "3.14159 81 2.5 18446744073709551615 16045690984503098046 39 AND ÜNÏCÖDÉ",
  Collect = "5096 1259 true",
}
local names = {}
for name in pairs(expected) do names[#names + 1] = name end
table.sort(names)

describe("a package that does what Go does with types", function()
  local types

  setup(function() types = assert(support.host():build "spec/testdata/types/types.go") end)

  for _, name in ipairs(names) do
    it("works: " .. name, function() assert.equal(expected[name], types[name]()) end)
  end

  it("exports nothing that is not listed here", function()
    local found = {}
    for _, export in ipairs(types:exports()) do
      if export.kind == "func" then found[#found + 1] = export.name end
    end
    table.sort(found)
    assert.same(names, found)
  end)

  it("is unloaded, and works the same when loaded again", function()
    assert(types:unload())
    local again = assert(support.host():build "spec/testdata/types/types.go")
    for _, name in ipairs(names) do assert.equal(expected[name], again[name](), name) end
    assert(again:unload())
  end)
end)

describe("several packages as one module", function()
  it("are initialised in the order of their imports", function()
    local order = assert(support.host():build "spec/testdata/order")
    assert.equal("first.var,first.init,second.var,second.init,order.b,order.a after order.b,order.init1,order.init2",
      order.Log())
    assert.is_true(order.Same())
    assert(order:unload())
  end)

  it("can be given as objects in any order", function()
    local tools = support.tools()
    local build = require "goloader.building.build"
    local objects = assert(assert(build.start(tools, "spec/testdata/order")):wait())
    assert.equal(3, #objects.files)
    local reversed = {}
    for i, file in ipairs(objects.files) do reversed[#objects.files + 1 - i] = file end
    local order = assert(support.host():load(reversed))
    objects:remove()
    assert.is_true(order.Same())
    assert(order:unload())
  end)

  it("are refused when one path comes twice", function()
    local a = support.compile("package twice\nfunc A() int { return 1 }\n", "twice")
    local b = support.compile("package twice\nfunc B() int { return 2 }\n", "twice")
    local module, _, err = support.host():load { a, b }
    assert.is_nil(module)
    assert.equal("duplicate", err.code)
    assert.matches("twice", err.message)
    support.clean()
  end)
end)

describe("a package with embedded files", function()
  it("carries them", function()
    local embedded = assert(support.host():build "spec/testdata/embedded")
    assert.equal("hello from a file", embedded.Hello())
    assert.equal("[assets/hello.txt:18 assets/two.bin:2] 2", embedded.Files())
    assert(embedded:unload())
  end)
end)
