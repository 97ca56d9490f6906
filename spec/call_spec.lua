-- Calls: every line of the table of what Lua sees of Go's types (src/call/call.h), and every error. On any Lua: what is
-- another value there, an integer beyond 2^53 for one, comes from spec/support.lua.
local support = require "spec.support"

local integer, is_integer = support.integer, support.is_integer
local unpack = rawget(table, "unpack") or unpack

local source = "spec/testdata/values/values.go"

describe("a call", function()
  local values

  setup(function()
    values = assert(support.host():load(support.compile(source, "values")))
  end)

  teardown(function()
    assert(values:unload())
    support.clean()
  end)

  -- Calls export `name`, which must raise, and returns the message.
  local function message(name, ...)
    local ok, err = pcall(values[name], ...)
    assert.is_false(ok)
    assert.equal("string", type(err))
    return err
  end

  local function refuses(expected, name, ...)
    assert.equal(expected, message(name, ...))
  end

  describe("carries", function()
    it("bool as a boolean", function()
      assert.is_false(values.Bool(true))
      assert.is_true(values.Bool(false))
    end)

    for name, limits in pairs {
      Int8 = { -128, 127 }, Int16 = { -32768, 32767 }, Int32 = { -2147483648, 2147483647 },
      Uint8 = { 0, 255 }, Uint16 = { 0, 65535 }, Uint32 = { 0, 4294967295 },
      Int = { -2 ^ 53, 2 ^ 53 }, Int64 = { -2 ^ 53, 2 ^ 53 },
      Uint = { 0, 2 ^ 53 }, Uint64 = { 0, 2 ^ 53 }, Uintptr = { 0, 2 ^ 53 },
    } do
      it(name:lower() .. " as a number", function()
        for _, v in ipairs { limits[1], 0, 1, limits[2] } do
          local result = values[name](v)
          assert.equal("number", type(result))
          assert.equal(v, result)
        end
      end)
    end

    it("integers beyond 2^53 without loss", function()
      local int64 = { "9007199254740993", "9223372036854775807", "-9223372036854775808", "-9007199254740993" }
      for _, digits in ipairs(int64) do
        assert.is_true(is_integer(values.Int64(integer(digits)), digits), digits)
        assert.is_true(is_integer(values.Int(integer(digits)), digits), digits)
      end
      local uint64 = { "9007199254740993", "9223372036854775807", "9223372036854775808", "18446744073709551615" }
      for _, digits in ipairs(uint64) do
        assert.is_true(is_integer(values.Uint64(integer(digits)), digits, true), digits)
        assert.is_true(is_integer(values.Uint(integer(digits)), digits, true), digits)
      end
    end)

    it("small integers in the form of big ones, where there is one", function()
      local five = support.wide(5)
      assert.equal(5, values.Int8(five))
      assert.equal(5, values.Uint64(five))
      assert.equal(5, values.Int64(five))
      assert.equal(15, values.Sum { five, support.wide(10) })
    end)

    it("the digits of a big integer", function()
      assert.is_true(is_integer(values.Int64 "9223372036854775807", "9223372036854775807"))
      assert.is_true(is_integer(values.Int64 "-9223372036854775808", "-9223372036854775808"))
      assert.is_true(is_integer(values.Uint64 "18446744073709551615", "18446744073709551615", true))
    end)

    it("small results of registers that hold anything above them", function()
      assert.same({ -1, 255, -1, 65535, -1, 4294967295, true }, { values.Narrow(2 ^ 48 + 0xffffffff) })
      assert.same({ 0, 0, 256, 256, 256, 256, false }, { values.Narrow(256) })
    end)

    it("floats as numbers", function()
      assert.equal(0.75, values.Float32(1.5))
      assert.equal(0.1 / 2, values.Float64(0.1))
      assert.equal(math.huge, values.Float64(math.huge))
      assert.equal(-math.huge, values.Float32(-math.huge))
      local nan = values.Float64(0 / 0)
      assert.is_true(nan ~= nan)
    end)

    it("complex numbers as pairs", function()
      assert.same({ -3, 4 }, values.Complex128 { 1, 2 })
      assert.same({ -3, 4 }, values.Complex64 { 1, 2 })
    end)

    it("strings of any bytes", function()
      for _, s in ipairs { "", "abc", "\0\255\n", ("x"):rep(100000) } do
        assert.equal(s .. "!", values.String(s))
        assert.equal(s .. "!", values.Bytes(s))
      end
    end)

    it("nil as a nil []byte, slice and map, and an empty one as empty", function()
      assert.is_true(values.IsNilBytes(nil))
      assert.is_false(values.IsNilBytes "")
      assert.is_true(values.IsNil(nil))
      assert.is_false(values.IsNil {})
      assert.is_true(values.IsNilMap(nil))
      assert.is_false(values.IsNilMap {})
    end)

    it("nil slices and maps as empty tables", function()
      assert.same({}, values.NilSlice())
      assert.same({}, values.NilMap())
    end)

    it("slices and arrays as sequences", function()
      assert.equal(6, values.Sum { 1, 2, 3 })
      assert.equal(0, values.Sum {})
      assert.same({ "A", "B" }, values.Upper { "a", "b" })
      assert.same({ 1.5, 2 }, values.Floats { 1.5, 2 })
      assert.same({ true, false }, values.Bools { true, false })
      assert.same({ 3, 2, 1 }, values.Triple { 1, 2, 3 })
      assert.same({ "one" }, values.One { "one" })
      assert.same({ { 1, -2 }, {}, { 3 } }, values.Grid { { 1, -2 }, {}, { 3 } })
    end)

    it("maps as tables", function()
      assert.same({ [1] = "a", [2] = "b" }, values.Invert { a = 1, b = 2 })
      assert.equal(2, values.Len { a = 1, b = 2 })
      assert.same({ "x=1,2", "y=" }, values.Keys { x = { "1", "2" }, y = {} })
      assert.same({ [true] = 1, [false] = 2 }, values.BoolKeys { [true] = 1, [false] = 2 })
      assert.same({ [1.5] = 1, [2] = 2 }, values.FloatKeys { [1.5] = 1, [2] = 2 })
      assert.same({ s = 1, [2] = 2, [true] = 3 }, values.AnyKeys())
    end)

    it("keys beyond 2^53 as their digits", function()
      assert.same({ [1] = "small", ["9223372036854775808"] = "big" }, values.BigKeys())
      assert.equal("got", values.Big { ["9223372036854775808"] = "got" })
    end)

    it("structs as tables of their exported fields", function()
      local product = {
        Name = "n", Kind = "k", Price = 1.5, Stock = 3, Tags = { "a", "b" }, Size = { Width = 1, Height = -2 },
        Attrs = { color = "red" },
      }
      assert.same(product, values.Same(product))
      assert.equal("{Name:n Kind: Price:0 Stock:0 Tags:[] Size:{Width:0 Height:0} Parent:<nil> Attrs:map[]}",
        values.Describe { Name = "n" })
      assert.equal("3x", values.Options { A = 3, B = "x" })
      local cheapest, found = values.Cheapest { { Name = "a", Price = 2 }, { Name = "b", Price = 1 } }
      assert.equal("b", cheapest.Name)
      assert.is_true(found)
    end)

    it("nothing in what has no size", function()
      assert.same({ {}, 7 }, { values.Nothing({}, 7, {}) })
    end)

    it("pointers as nil or what they point to", function()
      assert.is_nil(values.IntPointer(nil))
      assert.equal(5, values.IntPointer(4))
      assert.is_nil(values.Rename(nil, "x"))
      assert.equal("new", values.Rename({ Name = "old" }, "new").Name)
      assert.equal("p", values.Same { Parent = { Parent = { Name = "p" } } }.Parent.Parent.Name)
      assert.equal(2, values.ByName { { Name = "q", Price = 2 } }.q.Price)
      assert.equal(900, values.Length(values.Chain(900)))
    end)

    it("what does not fit into registers", function()
      assert.same({ 55, "s?", 1.5 }, { values.Many(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, "s", 1.5) })
      assert.same({ 385, "s?", 1.5 }, { values.Many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, "s", 1.5) })
      assert.same({ "r1", "r2", "r3", "r4", "r5", "r6", { "r7" } }, { values.ManyResults "r" })
      assert.same({ "e", "b", "c", "d", "a" }, values.Strings5 { "a", "b", "c", "d", "e" })
      assert.same({ { 2, 2, 3, 4, 5, 6, 7, 8 }, "xy" }, { values.Eight({ 1, 2, 3, 4, 5, 6, 7, 8 }, { "x", "y" }) })
      assert.same({ "a", "b", "c", "d" }, (values.Deep(2000, { "a", "b", "c", "d" })))
    end)

    it("any by what it holds", function()
      for what, expected in pairs {
        int = 42, uint8 = 200, float = 1.5, string = "k", bytes = "bytes", bool = true,
        list = { 1, "two", { 3 } }, map = { a = 1, b = { "x" } }, struct = { Width = 1, Height = 2 },
        pointer = { Width = 3, Height = 4 }, time = "2024-02-29T01:02:03.000000004Z", complex = { 1, 2 },
        array = { true, false },
      } do
        assert.same(expected, values.Any(what))
      end
      assert.is_nil(values.Any "nil")
      assert.is_true(is_integer(values.Any "big", "9223372036854775808", true))
      assert.equal("problem 5", values.Any("error").message)
    end)

    it("Lua values as any", function()
      for expected, v in pairs {
        ["int64 1"] = 1, ["float64 1.5"] = 1.5, ["string s"] = "s", ["bool true"] = true,
        ["map[string]interface {} map[]"] = {}, ["[]interface {} [1 x]"] = { 1, "x" },
        ["map[string]interface {} map[a:[1]]"] = { a = { 1 } }, ["float64 +Inf"] = math.huge,
        ["int64 9007199254740991"] = 9007199254740991,
      } do
        assert.equal(expected, values.Type(v))
      end
      local digits = "18446744073709551615"
      local big = integer(digits)
      assert.equal((type(big) == "string" and "string " or "uint64 ") .. digits, values.Type(big))
      assert.equal("<nil> <nil>", values.Type(nil))
    end)

    it("variadic arguments", function()
      assert.equal("", values.Join ",")
      assert.equal("a,b,c", values.Join(",", "a", "b", "c"))
      assert.same({ 0, true }, { values.Count() })
      assert.same({ 2, false }, { values.Count(1, 2) })
      assert.equal("1 <nil>x", values.Print(1, nil, "x"))
    end)

    it("times as text and durations as nanoseconds", function()
      assert.equal("2024-01-01T00:00:01.5Z", values.Later("2024-01-01T00:00:00Z", 1.5e9))
      assert.equal("2024-01-01T00:00:00+02:00", values.Later("2023-12-31T23:00:00+02:00", 3600e9))
    end)
  end)

  describe("leaves errors", function()
    it("as nil and a table", function()
      local value, err = values.Div(1, 0)
      assert.is_nil(value)
      assert.equal("division by zero", tostring(err))
      assert.equal("division by zero", err.message)
      assert.equal("go", err.code)
      assert.equal("*errors.errorString", err.type)
    end)

    it("out where there are none", function()
      assert.equal(1, select("#", values.Div(6, 2)))
      assert.equal(3, values.Div(6, 2))
      assert.same({ "abc", 3 }, { values.Open "abc" })
      assert.same({ { 1 } }, { values.Own(0) })
    end)

    it("alone after nil, whatever other results there are", function()
      assert.equal(2, select("#", values.Open "missing"))
      local value, err = values.Open "missing"
      assert.is_nil(value)
      assert.equal("open missing: file does not exist", err.message)
      assert.equal("*fs.PathError", err.type)
      value, err = values.Own(4)
      assert.is_nil(value)
      assert.equal("*values.Problem", err.type)
    end)

    it("that are the only result as true, or nil and the error", function()
      assert.is_true(values.Fail "")
      local value, err = values.Fail "why"
      assert.is_nil(value)
      assert.equal("why", err.message)
    end)

    it("that come first or in lists as values", function()
      local err, n = values.Swapped()
      assert.equal("first", err.message)
      assert.equal(2, n)
      local list = values.Errors()
      assert.same({ "a", nil, "problem 3" }, { list[1].message, list[2], list[3].message })
    end)

    it("to be given too", function()
      assert.equal("none", values.Message(nil))
      assert.equal("text", values.Message "text")
      assert.equal("why", values.Message(select(2, values.Fail "why")))
    end)
  end)

  describe("raises", function()
    it("for a missing or surplus argument", function()
      refuses("bad argument #2 to 'Add' (missing: b int)", "Add", 1)
      refuses("bad argument #1 to 'Join' (missing: sep string)", "Join")
      refuses("bad argument #3 to 'Add' (too many: func(a int, b int) int)", "Add", 1, 2, 3)
    end)

    it("with the caller's line", function()
      local ok, err = pcall(function() values.Add(1, "2") end)
      assert.is_false(ok)
      assert.matches("^.*call_spec%.lua:%d+: bad argument #2 to 'Add' %(parameter 'b': int expected, got string%)$",
        err)
    end)

    for expected, call in pairs {
      ["#1 to 'Add' (parameter 'a': int expected, got string)"] = { "Add", "1", 2 },
      ["#2 to 'Add' (parameter 'b': int expected, got nil)"] = { "Add", 1, nil, n = 3 },
      ["#1 to 'Add' (parameter 'a': int expected, got 1.5)"] = { "Add", 1.5, 2 },
      ["#1 to 'Add' (parameter 'a': int expected, got nan)"] = { "Add", 0 / 0, 2 },
      ["#1 to 'Add' (parameter 'a': int expected, got inf)"] = { "Add", math.huge, 2 },
      ["#1 to 'Add' (parameter 'a': 1e+300 is out of range for int)"] = { "Add", 1e300, 2 },
      ["#1 to 'Int8' (parameter 'v': 128 is out of range for int8)"] = { "Int8", 128 },
      ["#1 to 'Int8' (parameter 'v': -129 is out of range for int8)"] = { "Int8", support.wide(-129) },
      ["#1 to 'Uint8' (parameter 'v': -1 is out of range for uint8)"] = { "Uint8", -1 },
      ["#1 to 'Uint32' (parameter 'v': 4294967296 is out of range for uint32)"] = { "Uint32", 4294967296 },
      ["#1 to 'Uint64' (parameter 'v': -1 is out of range for uint64)"] = { "Uint64", -1 },
      ["#1 to 'Int64' (parameter 'v': 9223372036854775808 is out of range for int64)"] = { "Int64", 2 ^ 63 },
      ["#1 to 'Int' (parameter 'v': 18446744073709551615 is out of range for int)"] =
        { "Int", integer "18446744073709551615" },
      ["#1 to 'Int64' (parameter 'v': int64 expected, got string)"] = { "Int64", "5" },
      ["#1 to 'Int64' (parameter 'v': int64 expected, got userdata)"] = { "Int64", io.stdout },
      ["#1 to 'Float32' (parameter 'v': 1e+300 is out of range for float32)"] = { "Float32", 1e300 },
      ["#1 to 'Float64' (parameter 'v': float64 expected, got string)"] = { "Float64", "1" },
      ["#1 to 'Bool' (parameter 'v': bool expected, got number)"] = { "Bool", 1 },
      ["#1 to 'String' (parameter 'v': string expected, got number)"] = { "String", 1 },
      ["#1 to 'Bytes' (parameter 'v': []uint8 expected (a string), got table)"] = { "Bytes", {} },
      ["#1 to 'Complex128' (parameter 'v': complex128 expected (a table of two numbers), got number)"] =
        { "Complex128", 1 },
      ["#1 to 'Sum' (parameter 'v': []int expected (a table), got number)"] = { "Sum", 1 },
      ["#1 to 'Sum' (parameter 'v'[3]: int expected, got string)"] = { "Sum", { 1, 2, "x" } },
      ["#1 to 'Sum' (parameter 'v': []int expected (a sequence), got a table with the key 'x')"] =
        { "Sum", { 1, x = 2 } },
      ["#1 to 'Triple' (parameter 'v': [3]int expected, got a sequence of 2)"] = { "Triple", { 1, 2 } },
      ["#1 to 'Len' (parameter 'm'[1]: string expected, got number)"] = { "Len", { 1 } },
      ["#1 to 'Len' (parameter 'm'[\"a\"]: int expected, got string)"] = { "Len", { a = "b" } },
      ["#1 to 'Keys' (parameter 'm'[\"a\"][2]: string expected, got number)"] = { "Keys", { a = { "x", 2 } } },
      ["#1 to 'Describe' (parameter 'p': values.Product expected (a table), got number)"] = { "Describe", 5 },
      ["#1 to 'Describe' (parameter 'p': values.Product has no exported field 'Nme')"] = { "Describe", { Nme = 1 } },
      ["#1 to 'Describe' (parameter 'p': values.Product has no exported field 'secret')"] =
        { "Describe", { secret = 1 } },
      ["#1 to 'Describe' (parameter 'p': values.Product has only named fields, " ..
        "got a table with a key of type number)"] =
        { "Describe", { 1 } },
      ["#1 to 'Describe' (parameter 'p'.Parent.Parent.Price: float64 expected, got string)"] =
        { "Describe", { Parent = { Parent = { Price = "x" } } } },
      ["#1 to 'Describe' (parameter 'p'.Attrs[\"a\"]: string expected, got number)"] =
        { "Describe", { Attrs = { a = 1 } } },
      ["#3 to 'Join' (parameter 'parts': string expected, got number)"] = { "Join", ",", "a", 3 },
      ["#1 to 'Message' (parameter 'err': error expected (nil, a string or a table with a message), got number)"] =
        { "Message", 3 },
      ["#1 to 'Type' (parameter 'v': interface {} expected, got function)"] = { "Type", print },
      ["#1 to 'Type' (parameter 'v': interface {} can hold a sequence or a table with string keys, " ..
        "got a key of type boolean)"] = { "Type", { [true] = 1 } },
    } do
      it("bad argument " .. expected, function()
        refuses("bad argument " .. expected, unpack(call, 1, call.n or #call))
      end)
    end

    it("for tables that contain themselves", function()
      local product, list = {}, {}
      product.Parent, list[1] = product, list
      refuses("bad argument #1 to 'Describe' (parameter 'p'.Parent: tables nest deeper than 1000 levels: " ..
        "is one of them in itself?)", "Describe", product)
      assert.matches("tables nest deeper than", message("Type", list))
    end)

    it("for results that contain themselves", function()
      assert.matches("Ring: a result nests deeper than 1000 levels: is it cyclic%?", message "Ring")
      assert.matches("Any: a result nests deeper than 1000 levels", message("Any", "ring"))
    end)

    it("for text that is no time", function()
      assert.matches("bad argument #1 to 'Later' %(parameter 't': \"monday\" is no time like \"2006%-",
        message("Later", "monday", 1))
      local ok, err = pcall(values.Later.async, values.Later, "monday", 1)
      assert.is_false(ok)
      assert.matches("bad argument #1 to 'Later' %(parameter 't': \"monday\" is no time", err)
    end)

    it("for what is no handle, where only a handle will do", function()
      refuses("bad argument #1 to 'Write' (parameter 'w': io.Writer expected (a handle), got number)", "Write", 5, 1)
      refuses("bad argument #1 to 'Nested' (parameter 'list'[1].Func: func(string) expected (a function), got string)",
        "Nested", { { Func = "x" } })
      refuses("bad argument #1 to 'StructKeys' (parameter 'm': map[values.Size]int expected (a handle or a table), " ..
        "got number)", "StructKeys", 1)
      refuses("bad argument #1 to 'StructKeys' (parameter 'm'[\"a\"]: values.Size expected (a table), got string)",
        "StructKeys", { a = 1 })
    end)

    it("a panic, with message and traceback, and goes on", function()
      local err = message("Panic", "boom")
      assert.matches("^panic: boom\n\ngoroutine %d+ %[running.-%]:\nvalues%.Panic%(.-values%.go:%d+", err)
      assert.not_matches("goloader%.dev", err)
      assert.matches("^panic: problem 9\n", message "PanicError")
      assert.matches("^panic: values%.Size%({Width:1 Height:2}%)\n", message "PanicValue")
      assert.matches('^panic: values%.Kind%("k"%)\n', message "PanicKind")
      assert.matches("^panic: again: once\n", message "Repanic")
      assert.equal(3, values.Add(1, 2))
    end)

    it("the runtime's own panics", function()
      assert.matches("^panic: runtime error: index out of range %[5%] with length 1\n\n.*\nvalues%.Index%(",
        message("Index", { 1 }, 5))

      assert.matches("^panic: runtime error: invalid memory address or nil pointer " ..
        "dereference\n\n.*\nvalues%.NilPointer%(",
        message("NilPointer", nil))
      local deep = message("PanicDeep", 50)
      assert.matches("\nvalues%.deeper%(", deep)
      assert.matches("\nvalues%.PanicDeep%(", deep)
      assert.equal("recovered own", values.Recovered())
    end)

    it("an error when the function leaves by runtime.Goexit", function()
      local before = values.Cleaned()
      refuses("Goexit: the function called runtime.Goexit", "Goexit", "")
      refuses("Goexit: the function called runtime.Goexit", "Goexit", "deep")
      refuses("GoexitIn: the function called runtime.Goexit", "GoexitIn", { "a" })
      refuses("GoexitDeferred: the function called runtime.Goexit", "GoexitDeferred")
      assert.equal(before + 2, values.Cleaned())
      assert.equal("recovered own", values.Recovered())
      assert.matches("^panic: boom\n", message("Panic", "boom"))
    end)
  end)

  describe("of one and the same function by registers and by a stream", function()
    it("gives the same", function()
      local fast = {
        { "Add", 1, 2 }, { "Int8", -5 }, { "Uint64", integer "18446744073709551615" }, { "Float32", 3 },
        { "Float64", 0.1 }, { "Bool", true },
        { "String", "s" }, { "Bytes", "b" }, { "Narrow", 511 }, { "Div", 1, 0 }, { "Div", 4, 2 }, { "Fail", "" },
        { "Open", "missing" }, { "Open", "x" }, { "Grow", 10 }, { "IsNilBytes" },
      }
      local other = assert(support.host():load(support.compile(source, "values")))
      for _, call in ipairs(fast) do
        values[call[1]]:road "capi"
        other[call[1]]:road "capi"
        other[call[1]]:use_general_road()
        local a = { pcall(values[call[1]], unpack(call, 2, 3)) }
        local b = { pcall(other[call[1]], unpack(call, 2, 3)) }
        assert.same(a, b)
        values[call[1]]:road "pure" -- or the best that it can take
      end
      assert(other:unload())
    end)
  end)

  describe("of an object without DWARF", function()
    it("carries types that no descriptor describes, by their parts", function()
      local other = assert(support.host():load(support.compile(source, "values", { "-dwarf=false" })))
      assert.same({ "A", "B" }, other.Upper { "a", "b" })
      assert.same({ { 1, -2 }, {}, { 3 } }, other.Grid { { 1, -2 }, {}, { 3 } })
      assert.same({ 3, 2, 1 }, other.Triple { 1, 2, 3 })
      assert.equal("b", other.Cheapest({ { Name = "a", Price = 2 }, { Name = "b", Price = 1 } }).Name)
      assert.equal("new", other.Rename({ Name = "old" }, "new").Name)
      assert.equal(2, other.ByName({ { Name = "q", Price = 2 } }).q.Price)
      assert.equal(900, other.Length(other.Chain(900)))
      assert.equal(5, other.IntPointer(4))
      assert.equal(2, other.Len { a = 1, b = 2 })
      other.Nested { { Name = "a" } }
      assert.error_matches(function() other.Hidden {} end, "^Hidden: parameter 'list' has type %[%]values%.hidden " ..
        "%(its element has type values%.hidden %(which nothing in this process describes%)%), " ..
        "which Lua can't carry yet$")
      assert(other:unload())
    end)
  end)

  describe("survives", function()
    it("a stack that grows and shrinks", function()
      assert.equal(100000, values.Grow(100000))
      assert.equal("abab", values.GrowString("ab", 20000))
    end)

    it("garbage collection on both sides", function()
      for _ = 1, 20 do
        local list = values.Garbage(500)
        assert.equal(500, #list)
        assert.same({ ("x"):rep(49), "499" }, list[500])
        assert.same(list, values.Lists(list))
      end
    end)

    it("a finalizer that calls in the middle of another call", function()
      local calls = 0
      for i = 1, 2000 do
        support.finalized(function()
          calls = calls + 1
          assert(values.Upper({ "x" })[1] == "X")
        end)
        local list = values.Upper { "a" .. i, "b" .. i }
        assert(list[1] == "A" .. i and list[2] == "B" .. i)
      end
      collectgarbage()
      assert.is_true(calls > 0)
    end)
  end)

  describe("after unload", function()
    it("raises, and names the module", function()
      local other = assert(support.host():load(support.compile(source, "values")))
      local add = other.Add
      assert.equal(3, add(1, 2))
      assert(other:unload())
      assert.error_matches(function() add(1, 2) end, "module values was unloaded$")
      assert.error_matches(function() return other.Title end, "module values was unloaded$")
    end)
  end)

  describe("is not needed for", function()
    it("reading and writing exported variables", function()
      assert.equal("first", values.Title)
      values.Title, values.Limit, values.Sizes = "second", 7, { { Width = 1, Height = 2 } }
      values.Current, values.Last = { Name = "c" }, "failed"
      assert.equal("second7 [{1 2}] true failed", values.State())
      assert.same({ { Width = 1, Height = 2 } }, values.Sizes)
      assert.equal("c", values.Current.Name)
      assert.equal("failed", values.Last.message)
      assert.is_true(is_integer(values.Wide, "9223372036854775808", true))
      values.Current, values.Last, values.Sizes = nil, nil, nil
      assert.equal("second7 [] false <nil>", values.State())
      values.Title, values.Limit = "first", 0
    end)

    it("refusing what does not fit a variable", function()
      assert.error_matches(function() values.Limit = 300 end, "bad value for 'Limit' %(300 is out of range for int8%)$")
      if rawget(_G, "jit") then -- others know no better than where C was called
        local _, err = pcall(function() values.Limit = 300 end)
        assert.matches("^spec/call_spec.lua:%d+: bad value for 'Limit'", err)
      end
      assert.error_matches(function() values.Title = 3 end, "bad value for 'Title' %(string expected, got number%)$")
      assert.error_matches(function() values.Sizes = { { Width = "x" } } end,
        "bad value for 'Sizes' %(%[1%]%.Width: int32 expected, got string%)$")
      assert.error_matches(function() values.Hook = "x" end,
        "bad value for 'Hook' %(func%(%) expected %(a handle%), got string%)$")
    end)
  end)
end)
