-- Everything that a Go package exports is there: functions, variables, constants, types, generic functions.
local router = require "goloader.router"
local support = require "spec.support"

local source = "spec/testdata/exports/exports.go"
local host = support.host()
local has_ffi, ffi = pcall(require, "ffi")

-- What an integer beyond 2^53 is here, as for all that comes from Go.
local function big(signed, unsigned)
  if has_ffi then return signed and ffi.cast("int64_t", signed) or ffi.cast("uint64_t", unsigned) end
end

local raises = support.raises

local function read(module, name)
  return function() return module[name] end
end

teardown(support.clean)

-- However a module came to be here, its constants, types and names are the same.
local function has_all(module)
  assert.is_true(module.Ready)
  assert.equal("lamp\0shop é", module.Name)
  assert.equal(42, module.Most)
  assert.equal(-7, module.Least)
  assert.equal(2 ^ 53, module.Exact)
  assert.equal(955, module.Letter)
  assert.equal(0.19, module.Rate)
  assert.equal(1 / 3, module.Third)
  assert.equal(0.5, module.Half)
  assert.equal(0.100000001490116119384765625, module.Single)
  assert.equal(2, module.Whole)
  assert.equal(1e300, module.Large)
  assert.equal(5e-324, module.Small)
  assert.equal(2 ^ 70, module.Power)
  assert.same({ 0.5, -2 }, module.Turn)
  assert.equal(90e9, module.Wait)
  assert.equal(1, module.Green)
  assert.equal("green", module.TakeColour(module.Green))
  assert.equal("stock.Point struct { X int; Y int }", tostring(module.Point))
end

describe("a module's constants", function()
  local stock

  setup(function() stock = assert(host:build(source)) end)
  teardown(function() assert(stock:unload()) end)

  it("are fields", function() has_all(stock) end)

  it("keep their value beyond 2^53, as all integers do", function()
    if has_ffi then
      assert.is_true(stock.Beyond == big(2 ^ 53) + 1)
      assert.is_true(stock.Lowest == big(-2 ^ 63))
      assert.is_true(stock.Mask == big(nil, 2 ^ 63) * 2 - 1)
      assert.is_true(ffi.istype("uint64_t", stock.Mask))
    else
      local digits = math.type and function(v) return ("%d"):format(v) end or tostring -- luacheck: ignore 143
      assert.equal("9007199254740993", digits(stock.Beyond))
      assert.equal("-9223372036854775808", digits(stock.Lowest))
      assert.equal("18446744073709551615", stock.Mask)
    end
  end)

  it("are integers or floats by their types, where Lua tells these apart", function()
    if not math.type then return end -- luacheck: ignore 143
    assert.equal("integer", math.type(stock.Most)) -- luacheck: ignore 143
    assert.equal("integer", math.type(stock.Letter)) -- luacheck: ignore 143
    assert.equal("float", math.type(stock.Whole)) -- luacheck: ignore 143
  end)

  it("raise when they are read, where no number holds them", function()
    raises("^[^\n]*exports_spec.lua:%d+: spec/testdata/exports/exports.go: the constant Odd is 1180591620717411303425, "
      .. "which no number here can hold$", read(stock, "Odd"))
    raises("the constant Googol is 1e%+400", read(stock, "Googol"))
  end)

  it("can't be set", function()
    raises("exports_spec.lua:%d+: .*: Most is no variable, but a constant", function() stock.Most = 1 end)
    raises("Add is no variable, but a func", function() stock.Add = 1 end)
    raises("Item is no variable, but a type", function() stock.Item = 1 end)
    raises("no exported variable Conut; did you mean Count%?", function() stock.Conut = 1 end)
    assert.equal(42, stock.Most)
  end)

  it("of complex numbers are the reader's own", function()
    stock.Turn[1] = 7
    assert.same({ 0.5, -2 }, stock.Turn)
  end)
end)

describe("a module's exports", function()
  local stock, by_name

  setup(function()
    stock = assert(host:build(source))
    by_name = {}
    for _, export in ipairs(stock:exports()) do by_name[export.name] = export end
  end)
  teardown(function() assert(stock:unload()) end)

  it("are of four kinds, with their Go types", function()
    local function is(name, kind, signature, value)
      local export = by_name[name]
      assert.same({ kind, signature, value }, { export.kind, export.signature, export.value })
      assert.equal("command-line-arguments", export.package)
    end
    local path = by_name.Add.package
    if path ~= "command-line-arguments" then
      function is(name, kind, signature, value)
        local export = by_name[name]
        assert.same({ kind, signature:gsub("stock%.", (path:gsub("%%", "%%%%")) .. "."), value },
          { export.kind, export.signature, export.value })
      end
    end
    is("Add", "func", "func(a int, b int) int")
    is("Count", "var", "int")
    is("Most", "const", "untyped int", "42")
    is("Mask", "const", "uint64", "18446744073709551615")
    is("Name", "const", "untyped string", '"lamp\\x00shop é"')
    is("Green", "const", "stock.Colour", "1")
    is("Wait", "const", "time.Duration", "90000000000")
    is("Turn", "const", "untyped complex", "(0.5 + -2i)")
    is("Odd", "const", "untyped int", "1180591620717411303425")
    is("Point", "type", "struct { X int; Y int }")
    is("ID", "type", "= int")
    is("Number", "type", "interface { ~int | ~int64 | ~float64 }")
    is("Pair", "type", "[K comparable, V any] struct { Key K; Value V }")
    is("Max", "func", "func[T stock.Number](a T, b T) T")
    is("Keys", "func", "func[M ~map[K]V, K interface { ~int | ~string }, V any](m M) []K")
  end)

  it("say what is generic", function()
    assert.same({ { name = "K", constraint = "comparable" }, { name = "V", constraint = "any" } },
      by_name.MakePair.type_params)
    assert.same({ { name = "key", type = "K" }, { name = "value", type = "V" } }, by_name.MakePair.params)
    assert.same({ { name = "K", constraint = "comparable" }, { name = "V", constraint = "any" } },
      by_name.Pair.type_params)
    assert.is_nil(by_name.Add.type_params)
  end)

  it("are listed by goloader nm, too", function()
    local status, out, errors = support.cli("nm", "--exports", source)
    assert.equal(0, status, errors)
    out = ("\n" .. out):gsub("[%w.%%_/-]*%.(%u)", "%1")
    assert.matches("\n *%d+ T Add  func%(a int, b int%) int\n", out)
    assert.matches("\n *%d+ [DB] Count  int\n", out)
    assert.matches("\n *0 %- Most  untyped int = 42\n", out)
    assert.matches("\n *0 %- Green  Colour = 1\n", out)
    assert.matches("\n *0 %- Point  struct { X int; Y int }\n", out)
    assert.matches("\n *0 %- Max  func%[T Number%]%(a T, b T%) T\n", out)
    status, out = support.cli("nm", source)
    assert.equal(0, status)
    assert.is_nil(out:find " %- ")
  end)
end)

describe("a name that is not there", function()
  local stock

  setup(function() stock = assert(host:build(source)) end)
  teardown(function() assert(stock:unload()) end)

  it("raises, with the nearest that is", function()
    raises("^[^\n]*exports_spec.lua:%d+: spec/testdata/exports/exports.go exports no Mots; did you mean Most%?$",
      read(stock, "Mots"))
    raises("exports no Zzzzzz$", read(stock, "Zzzzzz"))
    raises("a module has no method unlaod; did you mean unload%?", read(stock, "unlaod"))
    raises("a module has no method add; did you mean Add%?", read(stock, "add"))
    raises("a module has no method 1", read(stock, 1))
  end)
end)

describe("a module's types", function()
  local stock

  setup(function() stock = assert(host:build(source)) end)
  teardown(function()
    collectgarbage()
    assert(stock:unload { handles = "drop" })
  end)

  it("make values, as module:new does", function()
    local lamp = stock.Item { Name = "lamp", Price = 2 }
    assert.equal("*stock.Item", lamp:type())
    assert.equal("lamp", lamp:Label())
    lamp:Rename "desk"
    assert.equal("desk", lamp.Name)
    assert.equal(0, stock.Item().Price)
    assert.equal("green", tostring(stock.Colour(1)))
    assert.equal(7, stock.ID(7):get())
    assert.equal(3, stock.IntPair({ Key = "a", Value = 3 }).Value)
    assert.equal(2.5, stock.Prices({ lamp = 2.5 }).lamp)
    raises("Cost", stock.Item, { Cost = 1 })
    raises("one value expected", stock.Item, {}, {})
  end)

  it("tell what they are", function()
    assert.same({ "Item", "struct" }, { stock.Item.name, stock.Item.kind })
    assert.matches('^stock%.Item struct { Name string "json:\\"name\\""; Price float64; .*Place; .*notes %[%]string }$',
      tostring(stock.Item))
    local fields = {}
    for i, field in ipairs(stock.Item.fields) do fields[i] = field.name end
    assert.same({ "Name", "Price", "Place" }, fields)
    assert.same({ name = "Name", type = "string", tag = 'json:"name"', embedded = false }, stock.Item.fields[1])
    assert.is_true(stock.Item.fields[3].embedded)
    local function method(name, signature, by_pointer, promoted)
      return { name = name, signature = signature, by_pointer = by_pointer or false, promoted = promoted or false }
    end
    assert.same({ method("Rename", "func(string)", true), method("Label", "func() string"),
      method("Where", "func() int", false, true) }, stock.Item.methods)
    assert.same({ method("Close", "func() error"), method("Label", "func() string") }, stock.Labelled.methods)
    assert.equal("Read", stock.Reader.methods[1].name)
    assert.equal("= io.Reader", stock.Reader.signature)
    assert.same({ "Key", "Value" }, { stock.IntPair.fields[1].name, stock.IntPair.fields[2].name })
    assert.equal("int", stock.IntPair.fields[2].type)
    for name, kind in pairs {
      Colour = "uint8", Labelled = "interface", Prices = "map", Names = "slice", Grid = "array", Handler = "func",
      Queue = "chan", ID = "int", IntPair = "struct", Reader = "interface",
    } do
      assert.equal(kind, stock[name].kind)
    end
  end)

  it("are the same whenever they are read, and take nothing", function()
    assert.equal(stock.Item, stock.Item)
    raises("a type has no field 'feilds'; did you mean fields%?", read(stock.Item, "feilds"))
    raises("can't be set", function() stock.Item.name = "x" end)
  end)

  it("that are generic say so", function()
    assert.equal("stock.Pair [K comparable, V any] struct { Key K; Value V }", tostring(stock.Pair))
    assert.equal("K", stock.Pair.type_params[1].name)
    raises("^[^\n]*Pair is generic %(%[K comparable, V any%]%)", stock.Pair, {})
  end)
end)

describe("a generic function", function()
  local stock

  setup(function() stock = assert(host:build(source)) end)
  teardown(function()
    collectgarbage()
    assert(stock:unload { handles = "drop" })
  end)

  it("is called where the arguments tell its type arguments", function()
    assert.equal(2, stock.Max(1, 2))
    assert.equal(2.5, stock.Max(1, 2.5))
    assert.same({ Key = "a", Value = 1 }, stock.MakePair("a", 1))
    assert.same({ Key = true, Value = "x" }, stock.MakePair(true, "x"))
    assert.same({ "a", "b" }, stock.Keys { a = 1, b = 2 })
    assert.same({ 3, 7 }, stock.Keys { [3] = "x", [7] = "y" })
    assert.equal("abc", stock.Sum("a", "b", "c"))
    assert.equal(6.5, stock.Total { 1, 2.5, 3 })
    assert.equal("a", stock.First { "a" })
    local none, err = stock.First { stock.Count } -- which is what it is now
    assert.same({ 3, nil }, { none, err })
  end)

  it("takes numbers for what Go takes them for in a program's text", function()
    assert.equal(2, stock.Div(5, 2))
    assert.equal(2.5, stock.Div(5, 2.0) + (math.type and 0 or 0.5)) -- luacheck: ignore 143
    assert.equal(2.5, stock.Div(6.25, 2.5))
    assert.equal(2.5, stock["Div[float64]"](5, 2))
  end)

  it("knows the types of handles, and of what FFI has", function()
    local box = stock.MakeBox("held")
    assert.equal("*stock.Box[string]", box:type())
    assert.equal("held", stock.Unbox(box))
    local lamp = stock.Item { Name = "lamp" }
    assert.equal("*stock.Box[*stock.Item]", (stock.MakeBox(lamp):type():gsub("[%w/-]*/", "")))
    if has_ffi then
      assert.is_true(stock.Max(ffi.cast("int64_t", 2) ^ 62, 1) == ffi.cast("int64_t", 2) ^ 62)
      assert.equal(6, stock.Total(ffi.new("double[3]", 1, 2, 3)))
    end
  end)

  it("has the methods that functions have", function()
    assert.same({ 3, 2.5 }, stock.Max:map({ 3, 1 }, { 2, 2.5 }))
    assert.equal(2, stock.Max:each({ 3, 1 }, { 2, 2 }))
    assert.equal(7, stock.Max:async(7, 3):wait())
    local pair = stock.MakePair:keep("a", 1)
    assert.equal("stock.Pair[string,int]", pair:type())
    raises("Max is generic, .* ask an instance, module%[\"Max%[T%]\"%]:explain%(%)", function() stock.Max:explain() end)
    raises("a function has no method mpa; did you mean map%?", function() stock.Max:mpa() end)
    raises("a function of a module expected, got nil", function() stock.Max.map() end)
  end)

  it("says how to instantiate it, where they don't", function()
    raises("^[^\n]*exports_spec.lua:%d+: Zero is generic, func%[T any%]%(%) %(zero T%), and the arguments don't tell "
      .. 'what T is: name it, module%["Zero%[T%]"%]$', function() stock.Zero() end)
    raises('what V is: name it, module%["MakePair%[string, V%]"%]', function() stock.MakePair("a", {}) end)
    raises('what U is: name it, module%["Apply%[int, U%]"%]', function() stock.Apply({ 1 }, tostring) end)
    raises("K would be", function() stock.Keys { a = 1, [true] = 2 } end)
    raises("what M is", function() stock.Keys {} end)
    assert.same({ "1", "2" }, stock["Apply[int, string]"]({ 1, 2 }, function(n) return ("%d"):format(n) end))
  end)

  it("passes on what the compiler has against it, and what does not fit", function()
    raises("^[^\n]*exports_spec.lua:%d+: Max%[string%]: string does not satisfy [^\n]*Number",
      function() stock.Max("a", "b") end)
    raises("T would be int and string", function() stock.Max(1, "b") end)
    raises("bad argument #2 to 'Max'.*int64 expected", function() stock["Max[int64]"](1, "b") end)
  end)

  it("prints as what it is", function()
    assert.matches("^stock%.Max func%[T .*Number%]%(a T, b T%) T$", tostring(stock.Max))
    assert.equal(stock.Max, stock.Max)
  end)
end)

describe("what a module exports", function()
  it("is there in one that was shipped", function()
    local file = support.tmpdir() .. "/stock.gom"
    local manifest = assert(host:ship(source, file))
    local kinds = {}
    for _, export in ipairs(manifest.exports) do
      kinds[export.name] = { export.kind, (export.signature:gsub("[%w-]*%.(%u)", "%1")), export.value }
    end
    assert.same({ "const", "untyped int", "42" }, kinds.Most)
    assert.same({ "const", "Colour", "1" }, kinds.Green)
    assert.same({ "const", "untyped string", '"lamp\\x00shop é"' }, kinds.Name)
    assert.same({ "type", "struct { X int; Y int }" }, kinds.Point)
    assert.same({ "func", "func[T Number](a T, b T) T" }, kinds.Max)
    local stock = assert(host:load(file))
    has_all(stock)
    assert.equal(5, stock.Point({ X = 5 }).X)
    raises("no instances of what was not built from source", function() stock.Max(1, 2) end)
    collectgarbage()
    assert(stock:unload { handles = "drop" })
    local status, out = support.cli("info", file)
    assert.equal(0, status)
    assert.matches("\nexport +[^\n]*: const Most untyped int = 42\n", out)
    assert.matches("\nexport +[^\n]*: type Point struct { X int; Y int }\n", out)
    assert.matches("\nexport +[^\n]*: func Max%[T [^\n]*\n", out)
  end)

  it("is there in objects as the compiler wrote them", function()
    local object = support.compile(source, "stock")
    local stock = assert(host:load(object))
    has_all(stock)
    assert(stock:unload())
    os.remove(object)
  end)

  it("is raised for when the module was unloaded", function()
    local stock = assert(host:build(source))
    local item, max = stock.Item, stock.Max
    assert.equal(42, stock.Most)
    assert(stock:unload())
    for _, name in ipairs { "Most", "Item", "Max", "Add", "Count", "Nothing" } do
      raises("was unloaded", read(stock, name))
    end
    raises("was unloaded", item, {})
    raises("was unloaded", max, 1, 2)
    assert.equal("stock.Max", tostring(max):match "^[^ ]*")
  end)

  it("is two packages' in one module: the last one has a name", function()
    local first = support.compile("package a\n\nconst Only = 1\n\nconst Both = 1\n", "a")
    local second = support.compile("package b\n\nfunc Both() int { return 2 }\n", "b")
    local both = assert(host:load { first, second })
    assert.equal(1, both.Only)
    assert.equal(2, both.Both())
    assert(both:unload())
    os.remove(first)
    os.remove(second)
  end)

  it("can be read through a routes file's module", function()
    local app = router.new { host = host, root = "spec/testdata/exports" }
    local slot = assert(app:module "exports.go")
    assert.equal(42, slot.Most)
    assert.equal("struct", slot.Point.kind)
    assert.equal(3, slot.Max(3, 2))
    raises("exports no Mots", read(slot, "Mots"))
    app:close()
  end)
end)
