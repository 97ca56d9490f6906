-- Many calls in one crossing: fn:map and fn:each, on every road.
local goloader = require "goloader"
local support = require "spec.support"

local has_jit = support.interpreter == "luajit"
describe("many calls", function()
  local roads

  setup(function()
    roads = assert(support.host():build "spec/testdata/roads")
  end)

  teardown(function()
    assert(roads:unload())
    support.clean()
  end)

  -- The roads that a function can take, from the best on.
  local function each_road(name, test)
    local best = roads[name]:road()
    for _, road in ipairs { "pure", "ffi", "capi" } do
      if roads[name]:road(road) == road then test(road) end
    end
    roads[name]:road "pure"
    assert.equal(best, roads[name]:road())
  end

  -- What map gives or raises, without a panic's traceback.
  local function raised(name, ...)
    local err = support.raised(roads[name].map, roads[name], ...)
    return err:match "panic: [^\n]*" or err
  end

  it("give an array of results", function()
    each_road("Add", function(road)
      assert.same({ 11, 22, 33 }, roads.Add:map({ 1, 2, 3 }, { 10, 20, 30 }), road)
    end)
    each_road("Counted", function(road)
      assert.same({ 256, 1, -5 }, roads.Counted:map({ 1, 1, -5 }, { 255, 0, 0 }), road)
    end)
    each_road("Even", function(road) assert.same({ true, false, true }, roads.Even:map { 0, -1, -2 }, road) end)
    each_road("Turn", function(road) assert.same({ "ba", "", "bacd" }, roads.Turn:map { "ab", "", "cdba" }, road) end)
    assert.same({ { "a", "b", "a", "b" }, {} }, roads.Repeat:map({ { "a", "b" }, { "c" } }, { 2, 0 }))
  end)

  it("may have arguments that are the same in all", function()
    local same = goloader.same
    each_road("Add", function(road)
      assert.same({ 11, 12, 13 }, roads.Add:map({ 1, 2, 3 }, same(10)), road)
      assert.same({ 11, 12, 13 }, roads.Add:map(same(10), { 1, 2, 3 }), road)
      assert.same({}, roads.Add:map({}, same(10)), road)
      assert.equal(3, roads.Add:each({ 1, 2, 3 }, same(10)), road)
    end)
    assert.same({ { "a", "a" }, {} }, roads.Repeat:map(same { "a" }, { 2, 0 }))
    local strings, slices = goloader.std "strings", goloader.std "slices"
    assert.same({ true, false }, strings.Contains:map({ "go(x)", "x" }, same "go("))
    assert.same({ 2, -1 }, strings.Index:map({ "xxy", "z" }, same "y"))
    assert.same({ true, false }, slices.Contains:map({ { 1, 2 }, { 3 } }, same(2)))
    local builder = strings.Builder()
    assert.equal(2, builder:each("WriteString", { "a", "b" }))
    local values = goloader.std "net/url".Values { page = { "1" } }
    values:each("Add", same "page", { "2", "3" })
    assert.equal("page=1&page=2&page=3", values:Encode())
  end)

  it("have an array that says how many there are", function()
    local refuses = support.raises
    local message = "Add: no array says how many calls to make: all arguments are the same in each"
    refuses(message, function() roads.Add:map(goloader.same(1), goloader.same(2)) end)
    refuses(message, function() roads.Add:each(goloader.same(1), goloader.same(2)) end)
    refuses("bad argument #2 to 'Add' %(parameter 'b'.-: int expected, got string%)",
      function() roads.Add:map({ 1 }, goloader.same "x") end)
    refuses("bad argument #2 to 'Add' %(parameter 'b': int expected, got userdata%)",
      function() roads.Add(1, goloader.same(1)) end)
  end)

  it("give an array for each result", function()
    each_road("Quotient", function(road)
      local quotients, rests = roads.Quotient:map({ 7, -7 }, { 2, 2 })
      assert.same({ 3, -3 }, quotients, road)
      assert.same({ 1, -1 }, rests, road)
    end)
  end)

  it("give integers beyond 2^53 as single calls do", function()
    for _, name in ipairs { "Add", "Counted" } do
      each_road(name, function(road)
        local single = roads[name](2 ^ 53, 200)
        assert.equal(tostring(single), tostring(roads[name]:map({ 2 ^ 53 }, { 200 })[1]), road)
      end)
    end
  end)

  it("of none are none", function()
    each_road("Add", function(road) assert.same({}, roads.Add:map({}, {}), road) end)
    each_road("Counted", function(road) assert.same({}, roads.Counted:map({}, {}), road) end)
    assert.equal(0, roads.Counted:each({}, {}))
    assert.same({}, (roads.Halved:map {}))
  end)

  it("enter Go once", function()
    local numbers = {}
    for i = 1, 1000 do numbers[i] = 2 * i end
    roads.Calls()
    for _, name in ipairs { "Halved", "Even" } do
      roads[name]:stats(true)
      assert.equal(1000, #roads[name]:map(numbers))
      assert.equal(1000, roads.Calls())
      local stats = roads[name]:stats()
      assert.equal(1000, stats.calls, name)
      assert.equal(1, stats.crossings, name)
    end
  end)

  it("end at the first error, which tells the element", function()
    roads.Calls()
    local halves, err = roads.Halved:map { 2, 4, 5, 6 }
    assert.is_nil(halves)
    assert.equal("5: odd", err.message)
    assert.equal(3, err.index)
    assert.equal(3, roads.Calls())
    assert.same({ 1, 2 }, (roads.Halved:map { 2, 4 }))
    local calls, why = roads.Note:each { 2, 3, 5 }
    assert.is_nil(calls)
    assert.equal("3: odd", why.message)
    assert.equal(2, why.index)
    assert.equal(2, roads.Note:map { 2, 4 })
    halves, err = roads.Halved:map { 1 }
    assert.is_nil(halves)
    assert.equal(1, err.index)
  end)

  it("end at a panic", function()
    each_road("Divide", function(road)
      roads.Calls()
      assert.equal("panic: runtime error: integer divide by zero", raised("Divide", { 1, 1, 1 }, { 1, 0, 1 }), road)
      assert.equal(2, roads.Calls())
    end)
    each_road("Quotient", function(road)
      assert.equal("panic: runtime error: integer divide by zero", raised("Quotient", { 1, 1 }, { 1, 0 }), road)
    end)
  end)

  it("without results are counted, and so are those of each", function()
    assert.equal(3, roads.Hold:map({ "a", "b", "c" }, { "1", "2", "3" }))
    assert.equal("a1,b2,c3", roads.Held())
    assert.equal(2, roads.Halved:each { 2, 4 })
  end)

  it("call Lua functions", function()
    assert.same({ 2, 9 }, roads.Apply:map({ function(n) return 2 * n end, function(n) return n * n end }, { 1, 3 }))
  end)

  it("are refused, and none is made, when an argument does not fit", function()
    for _, name in ipairs { "Add", "Counted" } do
      each_road(name, function(road)
        roads.Calls()
        local parameter = ("bad argument #2 to '%s' (parameter 'b'[3]: "):format(name)
        assert.equal(parameter .. (name == "Add" and "int" or "uint8") .. " expected, got string)",
          raised(name, { 1, 2, 3 }, { 4, 5, "x" }), road)
        assert.equal(("bad argument #2 to '%s' (parameter 'b': 1 elements, but 2 in the first array)"):format(name),
          raised(name, { 1, 2 }, { 1 }), road)
        assert.equal(("bad argument #2 to '%s' (parameter 'b': an array of %s expected, got nothing)"):format(name,
          name == "Add" and "int" or "uint8"), raised(name, { 1, 2 }), road)
        assert.equal(("bad argument #1 to '%s' (parameter 'a': an array of int expected, got number)"):format(name),
          raised(name, 1, {}), road)
        assert.matches(("^bad argument #3 to '%s' %%(too many"):format(name), raised(name, {}, {}, {}), road)
        assert.equal(0, roads.Calls())
      end)
    end
    assert.matches("Calls takes no arguments", raised "Calls")
    assert.equal("bad argument #1 to 'Ignore' (unnamed parameter: an array of int expected, got number)",
      raised("Ignore", 1))
  end)

  if has_jit then
    local ffi = require "ffi"

    it("take FFI arrays", function()
      each_road("Add", function(road)
        local a, b = ffi.new("int32_t[3]", { 1, 2, 3 }), ffi.new("double[3]", { 4, 5, 6 })
        assert.same({ 5, 7, 9 }, roads.Add:map(a, b), road)
        assert.same({ 5 }, roads.Add:map(ffi.new("uint8_t[1]", { 1 }), { 4 }), road)
      end)
      assert.equal("bad argument #1 to 'Add' (parameter 'a': an array of int expected, got cdata)",
        raised("Add", ffi.new("struct { int x; }"), {}))
    end)
  end
end)

if has_jit then
  local ffi = require "ffi"

  describe("FFI arrays", function()
    local roads

    setup(function() roads = assert(support.host():build "spec/testdata/roads") end)
    teardown(function() assert(roads:unload()) end)

    it("are slices and arrays of numbers", function()
      for _, road in ipairs { "pure", "capi" } do
        assert.equal(road, roads.Mean:road(road))
        assert.equal(2, roads.Mean(ffi.new("double[3]", { 1, 2, 3 })))
        assert.equal(2.5, roads.Mean(ffi.new("double[?]", 2, { 2, 3 })))
        assert.equal(road, roads.Any:road(road))
        local big = ffi.new("uint64_t", 2 ^ 63)
        local n, last = roads.Any(ffi.new("bool[2]", { true, true }), ffi.new("uint64_t[2]", { 1, big }))
        assert.equal(2, n)
        assert.is_true(last == big)
        assert.equal(road, roads.Sum:road(road))
        assert.equal(6, roads.Sum(ffi.new("uint8_t[3]", { 1, 2, 3 })))
        assert.equal(0, roads.Sum(ffi.new("unsigned char[?]", 0)))
        assert.equal(97, roads.Sum "a")
        assert.equal(99, roads.Sum(ffi.new("char[2]", { 97, 2 })))
      end
      assert.equal(13, roads.Norm(ffi.new("float[2]", { 2, 3 })))
      assert.equal(258, roads.Total(ffi.new("uint8_t[2]", { 255, 2 }), ffi.new("int16_t[3]", { 1, -2, 2 })))
    end)

    it("may be in a struct, or rows of another array", function()
      local page = ffi.new("struct { int n; uint8_t bytes[3]; double rows[2][3]; }", 0, { 1, 2, 3 },
        { { 1, 2, 3 }, { 4, 5, 6 } })
      for _, road in ipairs { "pure", "capi" } do
        roads.Mean:road(road)
        roads.Sum:road(road)
        for i = 1, 200 do
          assert(roads.Mean(page.rows[i % 2]) == 2 + i % 2 * 3)
          assert(roads.Sum(page.bytes) == 6)
        end
        assert.error_matches(function() roads.Mean(page.rows) end, "parameter 'values': .*, got cdata")
      end
      assert.same({ 2, 4, 6 }, roads.Add:map(page.bytes, page.rows[0]))
    end)

    it("are refused where their elements are others", function()
      for _, road in ipairs { "pure", "capi" } do
        roads.Mean:road(road)
        assert.error_matches(function() roads.Mean(ffi.new "float[2]") end,
          "parameter 'values': %[%]float64 expected, got an FFI array of float32")
        assert.error_matches(function() roads.Mean(ffi.new "struct { double x; }") end,
          "parameter 'values': %[%]float64 expected %(a table%), got cdata")
        assert.error_matches(function() roads.Mean(ffi.new("int64_t", 5)) end, "parameter 'values'")
      end
      assert.error_matches(function() roads.Total("", ffi.new "int16_t[2]") end,
        "parameter 'signed': %[3%]int16 expected, got an FFI array of 2")
      assert.error_matches(function() roads.Total(ffi.new "int16_t[2]", { 1, 2, 3 }) end,
        "parameter 'b': %[%]uint8 expected %(a string%), got cdata")
    end)

    it("are lent to pure functions, which don't copy them", function()
      roads.Mean:road "pure"
      local big = ffi.new("double[?]", 1000000)
      big[0] = 1000000
      roads.Mean:stats(true)
      assert.equal(1, roads.Mean(big))
      assert.equal(0, roads.Mean:stats().bytes_in)
      assert.equal("capi", roads.Mean:road "capi")
      assert.equal(1, roads.Mean(big))
      assert.is_true(roads.Mean:stats().bytes_in >= 8000000)
    end)
  end)
end
