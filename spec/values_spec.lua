-- Every line of the tables in src/call/TYPES.md, by its first cell.
local goloader = require "goloader"
local support = require "spec.support"

local has_ffi, ffi = pcall(require, "ffi")
local values, handles

setup(function()
  values = assert(support.host():load(support.compile("spec/testdata/values/values.go", "values")))
  handles = assert(support.host():load(support.compile("spec/testdata/handles/handles.go", "handles")))
end)

teardown(function()
  assert(values:unload())
  assert(handles:unload())
  support.clean()
end)

local refuses = support.raises

local function is_handle(type_name, h)
  assert.equal("userdata", type(h))
  assert.equal(type_name, h:type())
  return h
end

local types = {}

types["`bool`"] = function()
  assert.is_true(values.Bool(false))
  refuses("bool expected, got nil", values.Bool, nil)
end

types["`int` … `int64`, `uint` … `uint64`, `uintptr`, `byte`, `rune`"] = function()
  assert.equal(-128, values.Int8(-128))
  assert.equal(255, values.Uint8(255))
  assert.equal(66, handles.NextRune(65))
  refuses("128 is out of range for int8", values.Int8, 128)
  refuses("int expected, got 0.5", values.Int, 0.5)
  refuses("int expected, got %-?nan", values.Int, 0 / 0)
end

types["integers beyond 2^53"] = function()
  local big = values.Int64 "9007199254740993"
  if has_ffi then
    assert.is_true(ffi.istype("int64_t", big))
  elseif _VERSION >= "Lua 5.3" then
    assert.equal("9007199254740993", ("%d"):format(big))
  else
    assert.equal("9007199254740993", big)
  end
  assert.equal("9007199254740993", (tostring(big):gsub("LL", "")))
  assert.equal(big, values.Int64(big))
end

types["`float32`, `float64`"] = function()
  assert.equal(0.25, values.Float32(0.5))
  assert.equal(0.05, values.Float64(0.1))
end

types["`complex64`, `complex128`"] = function()
  assert.same({ -3, 4 }, values.Complex128 { 1, 2 })
  assert.same({ -3, 4 }, values.Complex64 { 1, 2 })
  refuses("%[2%]: 1e%+39 is out of range for float32", values.Complex64, { 0, 1e39 })
  refuses("complex64 expected %(a table of two numbers%), got a sequence of 3", values.Complex64, { 1, 2, 3 })
  refuses("complex128 expected %(a sequence%), got a table with the key 'i'", values.Complex128, { 1, 2, i = 3 })
  refuses("%[1%]: float64 expected, got string", values.Complex128, { "1", 2 })
end

types["`string`"] = function()
  assert.equal("\0\255!", values.String "\0\255")
end

types["`[]byte`"] = function()
  assert.equal("\0\255!", values.Bytes "\0\255")
  assert.is_true(values.IsNilBytes(nil))
end

types["`[]T`"] = function()
  assert.same({ "A", "B" }, values.Upper { "a", "b" })
  assert.same({}, values.NilSlice())
  assert.is_true(values.IsNil(nil))
  local list = handles.HiddenList()
  assert.same({ "x", "y" }, { list[1].Name, list[2].Name })
  assert.is_nil(next(handles.List(2)))
end

types["`[n]T`"] = function()
  assert.same({ 3, 2, 1 }, values.Triple { 1, 2, 3 })
  assert.same({ { 1, 2 }, { 3, 4 } }, handles.Matrix())
  refuses("%[3%]int expected, got a sequence of 2", values.Triple, { 1, 2 })
end

types["slices and arrays of numbers or booleans, on LuaJIT"] = function()
  assert.same({ 1.5, 2 }, values.Floats { 1.5, 2 })
  assert.same({ true, false }, values.Bools { true, false })
  if not has_ffi then return end
  assert.same({ 1.5, 2 }, values.Floats(ffi.new("float[2]", { 1.5, 2 })))
  assert.same({ true, false }, values.Bools(ffi.new("bool[2]", { true, false })))
  assert.same({ 3, 2, 1 }, values.Triple(ffi.new("int64_t[3]", { 1, 2, 3 })))
  assert.equal("ab!", values.Bytes(ffi.new("char[2]", "ab")))
  assert.equal("ab!", values.Bytes(ffi.new("uint8_t[2]", "ab")))
  refuses("%[%]float32 expected, got an FFI array of float64", values.Floats, ffi.new "double[1]")
  refuses("%[3%]int expected, got an FFI array of 2", values.Triple, ffi.new "int64_t[2]")
end

types["`map[K]V`, K a boolean, number, string or `any`"] = function()
  assert.same({ [1] = "a", [2] = "b" }, values.Invert { a = 1, b = 2 })
  assert.same({ [true] = 1, [false] = 2 }, values.BoolKeys { [true] = 1, [false] = 2 })
  assert.same({ nan = 1, [2] = 2 }, values.FloatKeys { nan = 1, [2] = 2 })
  refuses('%["two"%]: float64 expected, got string', values.FloatKeys, { two = 2 })
  assert.same({ s = 1, [2] = 2, [true] = 3 }, values.AnyKeys())
  assert.equal("big", values.BigKeys()[has_ffi and "9223372036854775808" or "9223372036854775808"])
  assert.same({ ["nil"] = 1 }, values.NilKey())
  local nil_key = values.NilKey:keep()
  assert.equal(1, nil_key[nil])
  local pairs_of, iterator = nil_key:pairs()
  assert.same({ "nil", 1 }, { pairs_of(iterator) })
  assert.same({}, values.NilMap())
  assert.is_true(values.IsNilMap(nil))
  assert.equal("a", handles.Counters().a.Name)
end

types["`map[K]V`, any other K"] = function()
  local points = is_handle("map[handles.Point]string", handles.Points())
  assert.equal("a", points[{ X = 1, Y = 2 }])
  assert.is_nil(points[{ X = 9 }])
  assert.equal("a", handles.Lookup(points))
  assert.equal("b", handles.Lookup { [{ X = 1, Y = 2 }] = "b" })
  assert.equal(1, handles.Odd { [handles.New "key"] = 1 })
end

types["struct, all fields exported"] = function()
  assert.same({ Width = 3, Height = 4 }, values.Same({ Size = { Width = 3, Height = 4 } }).Size)
  assert.equal(0, values.Same({}).Price)
  refuses("values.Product has no exported field 'Nme'", values.Same, { Nme = 1 })
  refuses("values.Product has no exported field 'Price", values.Same, { ["Price\0x"] = 1 })
  assert.is_nil(getmetatable(values.Same {}))
  local point = goloader.std "image".Pt(1, 2) -- more of methods is in spec/structs_spec.lua
  assert.same({ X = 4, Y = 6 }, point:Add { X = 3, Y = 4 })
  assert.equal("(1,2)", tostring(point))
end

types["struct with unexported fields, its own or of a struct in it"] = function()
  local counter = is_handle("handles.Counter", handles.Value "v")
  assert.equal(3, counter:Add(3))
  assert.equal("v3", handles.Copy(counter))
  assert.equal("t0", handles.Copy { Name = "t" })
  refuses("handles.Counter has no exported field 'n'", handles.Copy, { n = 1 })
  refuses("handles.Counter expected %(a handle or a table%), got nil", handles.Copy, nil)
end

types["`*T`, T without methods and copied"] = function()
  assert.equal(5, values.IntPointer(4))
  assert.is_nil(values.IntPointer(nil))
  assert.same({ Width = 1, Height = 0, Inner = { Depth = 0 } }, handles.PlainOrNil(true))
  assert.is_nil(handles.PlainOrNil(false))
  assert.equal(7, handles.Plain { Width = 7 })
end

types["`*T`, T with methods or unexported fields"] = function()
  local counter = is_handle("*handles.Counter", handles.New "c")
  assert.equal(counter, counter:Self())
  assert.not_equal(counter, handles.New "c")
  assert.is_true(handles.Same(counter, counter:Self()))
  assert.is_nil(handles.Nil())
  assert.equal("nil", handles.Describe(nil))
  assert.equal("made", handles.Describe { Name = "made" })
  is_handle("*handles.Node", handles.NewNode(1))
  assert.equal(1500, values.Milliseconds "1.5s")
  assert.equal(2, values.Milliseconds(2e6))
  assert.equal(-1, values.Milliseconds(nil))
  refuses("%*time.Duration expected %(a handle or a number%), got table", values.Milliseconds, {})
end

types["`**T`, `*chan T`, `*func()`, pointers to interfaces"] = function()
  local pointer = is_handle("**handles.Node", handles.PtrPtr())
  assert.equal(9, pointer:get().Value)
  pointer:set(handles.NewNode(4))
  assert.equal(4, pointer:get().Value)
end

types["`any`"] = function()
  local mixed = handles.Mixed()
  assert.same({ 1, "s" }, { mixed[1], mixed[2] })
  assert.is_nil(mixed[3])
  is_handle("*handles.Counter", mixed[4])
  assert.same({ 1 }, mixed[5])
  assert.same({ a = 1 }, mixed[6])
  local counter = handles.New "any"
  local back, name = handles.Any(counter)
  assert.equal(counter, back)
  assert.equal("*handles.Counter", name)
  for expected, v in pairs {
    ["int64 1"] = 1, ["float64 1.5"] = 1.5, ["string s"] = "s", ["bool true"] = true,
    ["[]interface {} [1 x]"] = { 1, "x" }, ["map[string]interface {} map[a:1]"] = { a = 1 },
  } do
    assert.equal(expected, values.Type(v))
  end
  assert.equal("*errors.errorString by zero", values.Type(handles.ErrZero))
end

types["interface with methods"] = function()
  local reader = is_handle("*strings.Reader", handles.Reader "text")
  assert.equal("text", handles.ReadAll(reader))
  assert.equal("<counter c at 0>", handles.Show(handles.New "c"))
  assert.equal("<counter v at 0>", handles.Show(handles.Value "v"))
  refuses("fmt.Stringer expected, got a handle of %*handles.Node", handles.Show, handles.NewNode(1))
  assert.is_nil(handles.NilStringer())
end

types["`error`"] = function()
  local ok, err = handles.Fail "wrapped"
  assert.is_nil(ok)
  assert.same({ "wrapped: by zero", "go", "*fmt.wrapError" }, { err.message, err.code, err.type })
  assert.is_true(handles.IsZero(err))
  assert.is_false(handles.IsZero "by zero")
  assert.is_false(handles.IsZero(nil))
  local _, back = handles.Back(err)
  assert.is_true(handles.IsZero(back))
end

types["`time.Time`"] = function()
  assert.equal("2024-01-01T00:00:01.5Z", values.Later("2024-01-01T00:00:00Z", 1.5e9))
  assert.equal("1970-01-01T00:00:02.5Z", values.Later(1.5, 1e9))
  refuses("time.Time expected %(a string, or seconds since 1970%), got boolean", values.Later, true, 1)
  refuses("%(parameter 't': nan seconds are out of range for time.Time%)", values.Later, -(0 / 0), 1)
  refuses("%(parameter 't': nan seconds are out of range for time.Time%)", values.Later, 0 / 0, 1)
end

types["`time.Duration`"] = function()
  assert.equal("1970-01-01T01:00:00Z", values.Later(0, 3600e9))
  assert.equal("1970-01-01T01:30:00Z", values.Later(0, "1h30m"))
  assert.equal("1970-01-01T00:00:00.25Z", values.Later(0, "250ms"))
  refuses('parameter \'d\': "5x" is not a duration such as', values.Later, 0, "5x")
  refuses("3000000h is out of range for time.Duration", values.Later, 0, "3000000h")
end

types["`func(…) …`"] = function()
  local add = is_handle("func(int) int", handles.Adder(3))
  assert.equal(7, add(4))
  assert.equal(8, handles.Apply(add, 5))
  assert.is_nil(handles.NilFunc())
  local join = handles.Joiner()
  assert.equal("a-b", join("-", "a", "b"))
  local none, err = join "-"
  assert.is_nil(none)
  assert.is_true(err:is(handles.ErrZero))
  refuses("bad argument #1 to 'func%(int%) int' %(int expected, got string%)", add, "x")
  assert.equal(15, handles.Apply(function(n) return 3 * n end, 5))
  refuses("parameter 'f': func%(int%) int expected %(a function%), got number", handles.Apply, 3, 5)
  refuses("^panic: the Lua function passed as 'f' was called after the call that it was given to had ended",
    handles.Apply, handles.SameFunc(function(n) return n end), 5)
end

types["`func(yield func(K, V) bool)`, as `iter.Seq`"] = function()
  local up_to = is_handle("func(func(int) bool)", handles.UpTo(3))
  local sum = 0
  for i, value in up_to:pairs() do sum = sum + 10 * i + value end
  assert.equal(63, sum)
  up_to(function(value)
    sum = sum - value
    return true
  end)
  assert.equal(60, sum)
end

types["`context.Context`"] = function()
  local ctx = is_handle("*context.valueCtx", handles.With(nil, "key", 5))
  assert.equal(5, ctx:Value "key")
  assert.equal(5, handles.ContextValue(ctx, "key"))
  assert.equal(6, handles.ContextValue({ timeout = 1, values = { key = 6 } }, "key"))
  assert.is_nil(handles.ContextValue(1, "key"))
  assert.is_nil(handles.ContextValue("1s", "key"))
  assert.is_nil(handles.NilContext())
  refuses("context.Context expected, got a handle of func%(int%) int", handles.ContextValue, handles.Adder(1), "key")
  refuses('"1" is not a duration such as "250ms"', handles.ContextValue, "1", "key")
end

types["`chan T`, `<-chan T`, `chan<- T`"] = function()
  local channel = is_handle("chan string", handles.Channel(2))
  assert.equal(0, handles.TakesOut(channel))
  handles.Later(channel, 1, "late")
  assert.equal("late", channel:recv(5))
  is_handle("<-chan int", handles.OnlyOut(1))
  assert.is_nil(values.Channel())
end

types["`unsafe.Pointer`"] = function()
  local address = is_handle("unsafe.Pointer", handles.Address())
  assert.is_true(handles.IsAddress(address))
  assert.is_false(handles.IsAddress(nil))
end

types["named types"] = function()
  assert.equal("k", values.Same({ Kind = "k" }).Kind)
  assert.equal("k", values.Any "string")
end

types["instantiated generic types"] = function()
  assert.same({ Key = "a", Value = 1 }, handles.Pairs)
  local pair = is_handle("*handles.Pair[string,int]", handles.MakePair("k", 3))
  assert.same({ "k", 3 }, { pair:Swap("z", 1) })
  assert.same({ Key = "z", Value = 1 }, pair:copy())
end

types["generic functions"] = function()
  assert.equal(4, handles.MaxInt(3, 4))
  local shop = assert(support.host():build "spec/testdata/generics/generics.go")
  assert.equal(4, shop["Max[int]"](3, 4))
  assert.same({ a = 1 }, shop:instantiate "Map[string, int]"({ "a" }, 1))
  assert.same({ N = 7 }, shop["Hide[int]"](1))
  assert.equal(4, shop.Max(3, 4))
  assert.matches("not exported", (select(2, shop:instantiate "Unhide[int]")))
  assert(shop:unload())
  local no, _, err = handles:instantiate "Max[int]"
  assert.is_nil(no)
  assert.matches("not built from source", err.message)
end

types["`...T`"] = function()
  assert.equal("a,b", values.Join(",", "a", "b"))
  assert.same({ 0, true }, { values.Count() })
  local counter = handles.New "c"
  counter:Add(2)
  assert.equal(4, handles.Total(counter, nil, counter))
  assert.equal(6, counter:Sum(1, 2, 3))
end

types["`...byte`"] = function()
  assert.same({ "\0\255", false }, { values.Octets(0, 255) })
  assert.same({ "a", false }, { values.Octets(97) })
  assert.same({ "abc", false }, { values.Octets "abc" })
  assert.same({ "", true }, { values.Octets() })
  refuses("bad argument #2 to 'Octets' %(parameter 'octets': 256 is out of range for uint8", values.Octets, 1, 256)
  refuses("bad argument #1 to 'Octets' %(parameter 'octets': uint8 expected, got string", values.Octets, "a", "b")
  assert.equal("1\1\2\3", values.OctetsOf(function(...) return select("#", ...) .. ... end))
end

types["several results"] = function()
  assert.same({ "r1", "r2", "r3", "r4", "r5", "r6", { "r7" } }, { values.ManyResults "r" })
end

types["results that end in an error"] = function()
  assert.same({ 3 }, { values.Div(6, 2) })
  assert.is_true(values.Fail "")
  local none, err = values.Open "missing"
  assert.is_nil(none)
  assert.equal("*fs.PathError", err.type)
end

types["exported variables"] = function()
  values.Title = "new"
  assert.equal("new", values.Title)
  local limit = is_handle("*int8", handles:ref "Limit")
  limit:set(5)
  assert.equal(5, handles.Limit)
  handles.Limit = 6
  assert.equal(6, limit:get())
  is_handle("*handles.Counter", handles:ref "Current"):Add(2)
  assert.equal(2, handles.Current:Get())
  local names = handles:ref "Names"
  names[1] = "changed"
  assert.same({ "changed", "y" }, handles.Names)
  refuses("has no exported variable Nope", function() handles:ref "Nope" end)
end

-- More of them: spec/exports_spec.lua
types["constants"] = function()
  local stock = assert(support.host():build "spec/testdata/exports/exports.go")
  assert.equal(42, stock.Most)
  assert.equal(2 ^ 70, stock.Power)
  refuses("which no number here can hold", function() return stock.Odd end)
  refuses("which no number here can hold", function() return stock.Googol end)
  assert(stock:unload())
end

types["exported types"] = function()
  local counter = is_handle("*handles.Counter", handles:new("Counter", { Name = "new", Step = 2 }))
  assert.equal("new", counter.Name)
  assert.equal(1, counter:Add(1))
  assert.equal(0, handles:new("Point").X)
  refuses("has no exported type Nope; did you mean Node%?", function() handles:new "Nope" end)
  refuses("handles has no exported type Nowhere", function() handles:new "Nowhere" end)
  refuses("has no exported type Conuter; did you mean Counter%?", function() handles:new "Conuter" end)
  assert.equal("new", is_handle("*handles.Counter", handles.Counter { Name = "new" }).Name)
  assert.matches("^handles%.Point struct { X int; Y int", tostring(handles.Point))
  assert.equal("struct", handles.Point.kind)
  refuses("has no exported field 'Nme'", function() handles:new("Counter", { Nme = 1 }) end)
end

local uses = {}

uses["`h.Field`"] = function()
  local counter = handles.New "c"
  assert.same({ "c", 1 }, { counter.Name, counter.Step })
  assert.equal(2, #counter.Tags)
  is_handle("handles.Box", counter.Box)
  assert.is_nil(counter.Next)
  local embedding = handles.Embed "e"
  assert.same({ "e", 7, "e" }, { embedding.Name, embedding.Extra, embedding.Counter.Name })
end

uses["`h.Field = v`"] = function()
  local counter = handles.New "c"
  counter.Name, counter.Tags, counter.Next, counter.Hook = "d", { "x" }, { Name = "next" }, handles.Adder(1)
  assert.same({ "d", "x", "next", 3 }, { counter.Name, counter.Tags[1], counter.Next.Name, counter.Hook(2) })
  local box = counter.Box
  counter.Box.Inner.Depth = 3
  counter.Box.Width = 4
  assert.same({ Width = 4, Height = 0, Inner = { Depth = 3 } }, box:copy())
  assert.same(box:copy(), counter:Box2())
  counter.Next = nil
  assert.is_nil(counter.Next)
end

-- More of both: spec/methods_spec.lua
uses['`h:map("Method", array, …)`, `h:each("Method", array, …)`'] = function()
  local counter = handles.New "c"
  assert.same({ 1, 3 }, counter:map("Add", { 1, 2 }))
  assert.equal(2, counter:each("Add", { 1, 2 }))
end

uses['`h:async("Method", …)`'] = function()
  local counter = handles.New "c"
  assert.equal(3, counter:async("Add", 3):wait())
end

uses['`h:explain("Method")`'] = function()
  assert.same({}, handles.New("c"):explain("Add").ffi)
  refuses("has no method 'Fly'", function() handles.New("c"):explain "Fly" end)
end

uses['`h:keep("Method", …)`'] = function()
  local counter = handles.New "c"
  local box = is_handle("handles.Box", counter:keep "Box2")
  box.Width = 3
  assert.same({ 3, 0 }, { box.Width, counter.Box.Width })
  assert.equal(5, counter:keep("Add", 5))
  refuses("%*handles.Counter has no method 'Name'", function() counter:keep "Name" end)
  refuses("too many: func", function() counter:keep("Get", 1) end)
  counter:release()
  refuses("it was released", function() counter:keep "Get" end)
end

uses["`h:Method(…)`"] = function()
  local counter = handles.New "c"
  assert.equal(5, counter:Add(5))
  assert.equal(2, counter:Div(2))
  local none, err = counter:Div(0)
  assert.is_nil(none)
  assert.is_true(err:is(handles.ErrZero))
  assert.same({ "c[1 2] map[x:true] [1 2 3] 4 5 6", 1.5 },
    { counter:Many("", { 1, 2 }, 1.5, { x = true }, { 1, 2, 3 }, 4, 5, 6) })
  assert.equal(5, handles.Embed("e"):Add(5))
  local node = handles.NewNode(4)
  node:Set(6)
  assert.equal(12, node:Double())
end

uses["`h[i]`, `h[i] = v`"] = function()
  local numbers = is_handle("[]int", handles.Numbers:keep(1000))
  assert.same({ 0, 1, 998001 }, { numbers[1], numbers[2], numbers[1000] })
  numbers[2] = 7
  assert.equal(7, numbers[2])
  local points = handles.BigStruct:keep(3)
  points[2].X = 5
  assert.same({ X = 5, Y = 0 }, points:copy()[2])
  points[3] = { Y = 1 }
  assert.equal(1, points[3].Y)
end

uses["`h[key]`, `h[key] = v`"] = function()
  local words = is_handle("map[string]int", handles.Words:keep())
  assert.same({ 1, 3 }, { words.one, words.Three })
  assert.is_nil(words.none)
  words.four, words.one = 4, nil
  assert.same({ Three = 3, four = 4, get = 2 }, words:copy())
  local points = handles.Points()
  points[{ X = 5 }] = "c"
  assert.equal("c", points[handles:new("Point", { X = 5 })])
end

uses["`h:get(key)`, `h:set(key, v)`"] = function()
  local words = handles.Words:keep()
  assert.equal(2, words:get "get")
  words:set("copy", 9)
  assert.equal(9, words:get "copy")
  assert.equal("function", type(words.copy))
end

uses["`h:get()`, `h:set(v)`"] = function()
  local limit = handles:ref "Limit"
  limit:set(3)
  assert.equal(3, limit:get())
  local counters = handles:ref "Table"
  counters:set { a = 1 }
  counters.b = 2
  assert.same({ a = 1, b = 2 }, handles.Table)
end

uses["`#h`"] = function()
  local channel = handles.Channel(2)
  channel:send "x"
  assert.same({ 1000, 3, 1, 5 },
    { #handles.Numbers:keep(1000), #handles.Words:keep(), #channel, #handles.Bytes:keep() })
  refuses("it has no length", function() return #handles.New "c" end)
end

uses["`h:pairs()`"] = function()
  local function collect(h)
    local t = {}
    for k, v in h:pairs() do t[k] = v end
    return t
  end
  assert.same({ 0, 1, 4 }, collect(handles.Numbers:keep(3)))
  assert.same({ one = 1, get = 2, Three = 3 }, collect(handles.Words:keep()))
  assert.same({ X = 1, Y = 2 }, collect(handles:new("Point", { X = 1, Y = 2 })))
  local many = {}
  for i = 1, 1000 do many["k" .. i] = i end
  handles.Table = many
  assert.same(many, collect(handles:ref "Table"))
  local keys = {}
  for point, word in handles.Points():pairs() do keys[word] = point.X end
  assert.same({ a = 1, b = 3 }, keys)
  local channel = handles.Channel(2)
  channel:send "x"
  channel:send "y"
  channel:close()
  assert.same({ "x", "y" }, collect(channel))
  if _VERSION ~= "Lua 5.1" then
    local sum = 0
    for _, v in pairs(handles.Words:keep()) do sum = sum + v end
    assert.equal(6, sum)
  end
end

uses["`h(…)`"] = function()
  assert.equal(7, handles.Adder(3)(4))
  refuses("a handle of %*handles.Node can't be called", function() handles.NewNode(1)() end)
end

uses["`h:send(v[, timeout])`"] = function()
  local channel = handles.Channel(1)
  assert.is_true(channel:send "x")
  local sent, why = channel:send("y", 0.01)
  assert.is_nil(sent)
  assert.equal("timeout", why)
  assert.equal("timeout", select(2, channel:send("y", 0)))
  assert.equal("timeout", select(3, channel:send("y", "1ms")).code)
  refuses("bad argument #2.*seconds, or a text such as \"30s\", expected, got table", function()
    channel:send("y", {})
  end)
  channel:recv()
  channel:close()
  assert.equal("closed", select(2, channel:send "z"))
  refuses("string expected, got number", function() channel:send(1) end)
end

uses["`h:recv([timeout])`"] = function()
  local channel = handles.Channel(1)
  assert.equal("timeout", select(2, channel:recv(0.01)))
  assert.equal("timeout", select(3, channel:recv "10ms").code)
  assert.equal("timeout", select(2, channel:recv(0)))
  channel:send "x"
  assert.equal("x", channel:recv())
  assert.equal("closed", select(2, handles.Closed():recv()))
  assert.equal("closed", select(3, handles.Closed():recv()).code)
end

uses["`h:close()`"] = function()
  local channel = handles.Channel(1)
  assert.is_true(channel:close())
  assert.equal("closed", select(2, channel:close()))
end

uses["`tostring(h)`"] = function()
  assert.equal("counter c at 0", tostring(handles.New "c"))
  assert.equal("handles.Box: {Width:0 Height:0 Inner:{Depth:0}}", tostring(handles.New "c".Box))
  assert.equal("[]int: [0 1 4]", tostring(handles.Numbers:keep(3)))
  assert.is_true(#tostring(handles.Numbers:keep(100000)) < 300)
  assert.matches("^%[%]interface {}: %[%[%[", tostring(handles.Cyclic:keep()))
end

uses["`h1 == h2`"] = function()
  local counter = handles.New "c"
  assert.is_true(counter == counter:Self())
  assert.is_false(counter == handles.New "c")
  assert.is_true(handles:new("Point") ~= handles:new("Point"))
  local points = handles.BigStruct:keep(2)
  assert.is_true(points[1] == points[2])
  points[1].X = 1
  assert.is_false(points[1] == points[2])
  assert.is_true(handles.PairOf:keep(1) == handles.PairOf:keep(1))
  assert.is_false(handles.PairOf:keep { 1 } == handles.PairOf:keep { 1 })
  local channel = handles.Channel(1)
  assert.is_true(channel == (handles.Any(channel)))
  assert.is_false(counter == channel)
end

uses["`h:type()`"] = function()
  is_handle("*bytes.Buffer", handles.Buffer "x")
end

uses["`h:copy()`"] = function()
  local counter = handles.New "c"
  counter.Next, counter.Hook, counter.Made = { Name = "n" }, handles.Adder(1), 0
  local copy = counter:copy()
  assert.same({ "c", { "a", "b" }, "n", 3, "1970-01-01T00:00:00Z" },
    { copy.Name, copy.Tags, copy.Next.Name, copy.Hook(2), copy.Made })
  assert.equal("bytes", handles.Bytes:keep():copy())
end

uses["`h:release()`"] = function()
  local counter = handles.New "c"
  counter:release()
  counter:release()
  refuses("released", function() return counter.Name end)
end

uses["an argument"] = function()
  local counter = handles.New "c"
  counter:Add(2)
  assert.equal(counter, counter:Self())
  assert.equal("c2", handles.Copy(counter))
  assert.equal(2, handles.Total(counter))
  assert.equal("v", handles.Describe(handles.Value "v"))
  assert.equal("text", handles.ReadAll(handles.Buffer "text"))
  assert.equal(5, values.Sum(handles.Numbers:keep(3)))
  local limit = handles:ref "Limit"
  limit:set(4)
  assert.equal(4, values.Int8(limit))
  -- by each road
  local bytes, text = values.Bytes:keep "ab", values.String:keep "ab"
  assert.equal("ab!!", values.Bytes(bytes))
  assert.equal("ab!!", values.String(text))
  assert.equal("ab!!", values.String:async(text):wait())
  assert.same({ "ab!!", "c!" }, values.String:map { text, "c" })
  assert.is_nil(values.FillBytes(bytes))
  assert.equal("...", bytes:get())
end

uses["`err:is(target)`"] = function()
  local _, err = handles.Fail "wrapped"
  assert.is_true(err:is(handles.ErrZero))
  assert.is_false(err:is(handles.ErrOther))
  assert.is_true(err:is(err))
  assert.is_false(err:is { message = "by zero" })
end

uses['`err:as "*fs.PathError"`'] = function()
  local _, err = handles.Fail "path"
  local path = is_handle("*fs.PathError", err:as "*fs.PathError")
  assert.same({ "open", "x", "file does not exist" }, { path.Op, path.Path, path.Err.message })
  assert.is_nil(err:as "*handles.Problem")
  _, err = handles.Fail "joined"
  assert.equal(5, err:as "*handles.Problem".Code)
end

uses["`err:unwrap()`"] = function()
  local _, err = handles.Fail "wrapped"
  assert.equal("by zero", err:unwrap().message)
  assert.is_nil(err:unwrap():unwrap())
end

local bad = {}

bad["an argument of the wrong type"] = function()
  local counter = handles.New "c"
  refuses("values_spec.lua:%d+: bad argument #1 to 'Add' %(int expected, got string%)$",
    function() local n = counter:Add "x" return n end)
  refuses("bad argument #2 to 'Many' %(%[2%]: int expected, got string%)", counter.Many, counter, "", { 1, "x" }, 1, {},
    { 1, 2, 3 }, 1, 2, 3)
end

bad["too few or too many arguments to a method"] = function()
  local counter = handles.New "c"
  refuses("bad argument #1 to 'Add' %(missing: int%)", function() counter:Add() end)
  refuses("bad argument #2 to 'Add' %(too many: func%(int%) int%)", function() counter:Add(1, 2) end)
end

bad["an integer out of range, NaN, a fraction"] = function()
  local counter = handles.New "c"
  refuses("bad value for 'Step' %(300 is out of range for int8%)", function() counter.Step = 300 end)
  refuses("bad argument #2 to 'Sum' %(128 is out of range for int8%)", function() counter:Sum(1, 128) end)
  refuses("int expected, got %-?nan", function() counter:Add(0 / 0) end)
  refuses("int expected, got 0.5", function() counter:Add(0.5) end)
end

bad["a handle of another type"] = function()
  refuses("bad argument #1 to 'Describe' %(parameter 'c': %*handles.Counter expected, got a handle of %*handles.Node%)",
    handles.Describe, handles.NewNode(1))
  refuses("func%(int%) int expected, got a handle of func%(string, %.%.%.string%) %(string, error%)",
    handles.Apply, handles.Joiner(), 1)
  refuses("a method: it is called with a colon, on a handle of %*handles.Counter",
    handles.New("c").Add, handles.NewNode(1), 1)
end

bad["a handle that was released"] = function()
  local counter = handles.New "c"
  local add = counter.Add
  counter:release()
  refuses("handle of %*handles.Counter: it was released", function() return counter.Name end)
  refuses("handle of %*handles.Counter: it was released", add, counter, 1)
  refuses("'cs': %*handles.Counter expected, got a handle that was released", handles.Total, counter)
  refuses("handle of %*handles.Counter: it was released", function() return counter.Nope end)
  assert.equal("a handle that was released", tostring(counter))
  local unused = handles.Buffer "never looked into"
  unused:release()
  refuses("released", function() return unused.Name end)
end

bad["a handle of a module that was unloaded"] = function()
  local other = assert(support.host():load(support.compile("spec/testdata/handles/handles.go", "handles")))
  local counter, channel, limit = other.New "c", other.Channel(1), other:ref "Limit"
  local add, box, points = counter.Add, counter.Box, other.Points()
  assert(other:unload { handles = "drop" })
  refuses("values_spec.lua:%d+: handle of %*handles.Counter: its module was unloaded$",
    function() local name = counter.Name return name end)
  refuses("handle of %*handles.Counter: its module was unloaded", add, counter, 1)
  assert.matches("handle of %*handles.Counter: its module was unloaded", tostring(counter))
  refuses("handle of %*handles.Counter: its module was unloaded", handles.Describe, counter)
  refuses("handle of handles.Box: its module was unloaded", function() box.Width = 1 end)
  refuses("handle of map%[handles.Point%]string: its module was unloaded", function() return #points end)
  refuses("handle of %*int8: its module was unloaded", limit.get, limit)
  local unused = assert(support.host():load(support.compile("spec/testdata/handles/handles.go", "handles")))
  local node = unused.NewNode(1)
  assert(unused:unload { handles = "drop" })
  refuses("values_spec.lua:%d+: handle of %*handles.Node: its module was unloaded$",
    function() local value = node.Value return value end)
  refuses("values_spec.lua:%d+: handle of %*handles.Node: its module was unloaded$", function() node.Value = 1 end)
  node:release()
  assert.is_true(channel:send "x") -- nothing of the module's is in it
end

bad["a function of a module that was unloaded by force, called by Go that still has it, or as a method of a handle"] =
  function() -- spec/force_spec.lua has more of it
    local other = assert(support.host():load(support.compile("spec/testdata/handles/handles.go", "handles")))
    local adder, counter = other.Adder(3), other.New "c"
    assert(other:unload { force = true })
    local message = "panic: call of a function of module handles, which was unloaded by force"
    refuses("^" .. message, handles.Apply, adder, 5)
    refuses("^" .. message, counter.Add, counter, 1)
  end

bad["a field or method that is not there"] = function()
  local counter = handles.New "c"
  refuses("%*handles.Counter has no field or method 'Nope'", function() return counter.Nope end)
  refuses("%*handles.Counter has no field or method 'nope'", function() counter.nope = 1 end)
  refuses("%*handles.Counter has no field or method 'n'", function() return counter.n end)
  refuses("%*handles.Counter has no elements", function() return counter[1] end)
  refuses("%*handles.Counter has no field or element by a key of type boolean", function() return counter[true] end)
end

bad["a method called with a dot"] = function()
  local err = select(2, handles.Fail "wrapped")
  assert.is_false(err:is(nil))
  refuses("write err:is, not err%.is", err.is, handles.ErrZero)
  refuses("write err:as, not err%.as", err.as, "*fs.PathError")
  refuses("write err:unwrap, not err%.unwrap", err.unwrap)
  local counter = handles.New "c"
  refuses("Add is a method: it is called with a colon, on a handle of %*handles.Counter", counter.Add, 1)
  refuses("its methods are called with a colon", counter.copy)
end

bad["a field by way of an embedded pointer that is nil"] = function()
  refuses("no Name: the struct that has it is embedded by a pointer, which is nil",
    function() return handles.EmbedNil().Name end)
  local names = {}
  for name in handles.EmbedNil():pairs() do names[#names + 1] = name end
  assert.same({ "Counter", "Extra" }, names)
  refuses("^panic: runtime error: invalid memory address", function() handles.EmbedNil():Add(1) end)
end

bad["an index out of range"] = function()
  local numbers = handles.Numbers:keep(3)
  refuses("%[%]int: index 4 is out of range: it has 3 elements", function() return numbers[4] end)
  refuses("%[%]int: index 4 is out of range: it has 3 elements", function() numbers[4] = 1 end)
  refuses("%[%]int has no element 0", function() return numbers[0] end)
  refuses("%[%]int has no element 1.5", function() return numbers[1.5] end)
end

bad["a key set in a nil map"] = function()
  local words = handles.NilMap:keep()
  assert.equal(0, #words)
  assert.is_nil(words.x)
  words.x = nil
  refuses("map%[string%]int: it is nil", function() words.x = 1 end)
end

bad["a key that Go can't compare, a slice in an interface"] = function()
  refuses("bad argument #1 to 'Seen' %(parameter 'm': %[%]interface {} is no key", handles.Seen, { [{ 1 }] = 1 })
  refuses("bad argument #1 to 'Seen' %(parameter 'm': %[%]int is no key", handles.Seen, { [handles.Ints:keep()] = 1 })
  local seen = handles.SeenPairs()
  refuses("map%[%[2%]interface {}%]int: %[2%]interface {} is no key", function() return seen[{ 1, { 2 } }] end)
  refuses("map%[%[2%]interface {}%]int: %[2%]interface {} is no key", function() seen[{ 1, { 2 } }] = 1 end)
  assert.equal(3, seen[{ 1, 2 }])
end

bad["a cyclic table"] = function()
  local counter, list = handles.New "c", {}
  list.Next = list
  refuses("tables nest deeper than 1000 levels", function() counter.Next = list end)
end

bad["a cyclic Go value, copied out"] = function()
  local ring = handles.Ring()
  assert.equal(ring, ring.Next)
  refuses("%*handles.Node: a result nests deeper than 1000 levels: is it cyclic%?", ring.copy, ring)
end

bad["a closed channel"] = function()
  local channel = handles.Closed()
  assert.same({ "closed", "closed", "closed" },
    { select(2, channel:recv()), select(2, channel:send(1)), (select(2, channel:close())) })
end

bad["a channel used against its direction"] = function()
  local channel = handles.OnlyOut(1)
  refuses("<%-chan int: the channel goes the other way", channel.send, channel, 1)
  refuses("<%-chan int: the channel goes the other way", channel.close, channel)
  assert.equal(5, channel:recv())
end

bad["a variable's channel that is nil"] = function()
  local silent = handles:ref "Silent"
  for _, method in ipairs { "send", "recv", "close" } do
    refuses("%*chan int: the channel is nil", silent[method], silent, method == "send" and 1 or nil)
  end
  refuses("%*chan int: the channel is nil", silent.pairs, silent)
  assert.equal(0, #silent)
  silent:set(handles.Closed())
  assert.equal("closed", select(2, silent:recv()))
  silent:set(nil)
end

bad["a panic in a method"] = function()
  local counter = handles.New "c"
  refuses("^panic: oh no\n\ngoroutine %d+ .-\nhandles%.%(%*Counter%)%.Panic%(", counter.Panic, counter, "oh no")
  assert.equal(1, counter:Add(1))
end

bad["`runtime.Goexit` in a method"] = function()
  refuses("the function called runtime.Goexit", handles.Goexit, handles.New "c")
end

-- The first cells of a section's table, in order.
local function lines(section)
  local text = support.read("src/call/TYPES.md"):match("\n## " .. section .. "\n(.-)\n\n[^|\n][^\n]*\n") or
    support.read("src/call/TYPES.md"):match("\n## " .. section .. "\n(.*)")
  local cells = {}
  for line in text:gmatch "[^\n]+" do
    local cell = line:match "^| (.-) |"
    if cell and not cell:find "^%-%-%-" then cells[#cells + 1] = cell end
  end
  table.remove(cells, 1)
  return cells
end

for section, tests in pairs { Types = types, Handles = uses, ["Bad input"] = bad } do
  describe(section .. ":", function()
    local listed = {}
    for _, cell in ipairs(lines(section)) do
      listed[cell] = true
      it(cell, tests[cell] or function() error("no test of this line: " .. cell) end)
    end
    it("all lines are in the table", function()
      for cell in pairs(tests) do assert.is_true(listed[cell], "src/call/TYPES.md has no line " .. cell) end
    end)
  end)
end
