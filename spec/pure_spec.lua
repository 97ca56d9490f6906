-- The pure path: functions that get it give what the C API road gives, whatever the arguments; those that need the
-- runtime are refused, with the reason.
local ffi = require "ffi"
local support = require "spec.support"

ffi.cdef [[
struct pure_spec_cell {
  uint64_t status;
  uint32_t busy;
  uint64_t ints[9];
  union { double f64; float f32; } floats[15];
};
]]

local NIL, DEEP, CLOSED = 3, 5, 6

-- ---- calls ---------------------------------------------------------------------------------------------------------

local function number_type(kind, bits)
  if kind == "bool" then return "bool" end
  if kind == "float" then return bits == 32 and "float" or "double" end
  return (kind == "uint" and "u" or "") .. "int" .. bits .. "_t"
end

-- A narrow value of the whole register.
local function narrowed(place, word)
  if place.kind == "bool" then return word % 256 ~= 0 end
  return ffi.cast(number_type(place.kind, place.bits), word)
end

-- What func:pure() describes as a Lua function: status, then the results.
local function caller_of(pure)
  local types, results = {}, pure.results
  for _, param in ipairs(pure.params) do
    local lent = param.kind == "string" or param.kind == "bytes" or param.kind == "slice"
    types[#types + 1] = lent and "const void *, int64_t" or number_type(param.kind, param.bits)
    if lent and param.kind ~= "string" then types[#types + 1] = "int64_t" end
  end
  local result = results[1] and number_type(results[1].kind, results[1].bits) or "void"
  local entry = ffi.cast(result .. "(*)(" .. table.concat(types, ", ") .. ")", pure.entry)
  local cell = ffi.cast("struct pure_spec_cell *", pure.cell)
  local function from_cell(place)
    if place.kind ~= "float" then return narrowed(place, cell.ints[place.reg]) end
    return place.bits == 32 and cell.floats[place.reg].f32 or cell.floats[place.reg].f64
  end
  return function(...)
    local words = {}
    for i, param in ipairs(pure.params) do
      local value = select(i, ...)
      if param.kind == "slice" then
        local n = #value
        words[#words + 1] = ffi.new(number_type(param.elem, param.bits) .. "[?]", n, value)
        words[#words + 1], words[#words + 2] = n, n
      elseif param.kind == "string" or param.kind == "bytes" then
        words[#words + 1], words[#words + 2] = ffi.cast("const char *", value), #value
        if param.kind == "bytes" then words[#words + 1] = #value end
      else
        words[#words + 1] = value
      end
    end
    cell.status = 0
    local first = entry(unpack(words))
    local status = tonumber(cell.status)
    if status ~= 0 or #results == 0 then return status end
    if #results == 1 then return status, first end
    local all = {}
    for i, place in ipairs(results) do all[i] = from_cell(place) end
    return status, unpack(all, 1, #results)
  end
end

-- ---- arguments -----------------------------------------------------------------------------------------------------

local random = math.random

local function random_int(kind, bits)
  local word = ffi.cast("uint64_t", random(0, 2 ^ 32 - 1)) * 4294967296ULL + random(0, 2 ^ 32 - 1)
  local choice = random(6)
  if choice <= 2 then
    word = ffi.cast("int64_t", random(-3, 12))
  elseif choice == 3 then
    word = ffi.cast("uint64_t", 2) ^ random(0, 63) - random(0, 1)
  end
  if bits == 64 then return ffi.cast("int64_t", word) end
  word = ffi.cast("int64_t", ffi.cast("uint64_t", word) % 2ULL ^ bits)
  return kind == "int" and word >= 2LL ^ (bits - 1) and word - 2LL ^ bits or word
end

local function random_float(bits)
  local choices = {
    0, -0.0, 1, -1, 0.5, 1e300, -1e-300, 1 / 0, -1 / 0, 0 / 0, random(), random() * 100, random(-1000, 1000),
  }
  local x = choices[random(#choices)]
  return bits == 32 and tonumber(ffi.cast("float", x)) or x
end

local pieces = {
  "a", "b", " ", "one", "seven", "é", "世", "\240\159\152\128", "\255", "\237\160\128", "\n", "abcabc", "/",
  "*", "1", "-",
}

local function random_string()
  local parts = {}
  for i = 1, random(0, ({ 3, 10, 60, 300 })[random(4)]) do parts[i] = pieces[random(#pieces)] end
  return table.concat(parts)
end

-- A number for Go's roads: cdata where Lua's numbers have not the range.
local function random_argument(param)
  if param.kind == "bool" then return random(2) == 1 end
  if param.kind == "float" then return random_float(param.bits) end
  if param.kind == "string" or param.kind == "bytes" then return random_string() end
  if param.kind == "slice" then
    local list = {}
    for i = 1, random(0, 40) do list[i] = random_argument { kind = param.elem, bits = param.bits } end
    return list
  end
  local value = random_int(param.kind, param.bits)
  return param.kind == "uint" and ffi.cast("uint64_t", value) or value
end

-- A value by its kind and bits, as text that tells any two apart.
local function text_of(place, value)
  if place.kind == "bool" then return tostring(value) end
  if place.kind == "float" then return value ~= value and "nan" or ("%.17g"):format(value) end
  return tostring(ffi.cast(place.kind == "uint" and "uint64_t" or "int64_t", value))
end

local function texts_of(places, ...)
  local texts = {}
  for i, place in ipairs(places) do texts[i] = text_of(place, (select(i, ...))) end
  return table.concat(texts, " ")
end

local function show(...)
  local texts = {}
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    texts[i] = type(value) == "string" and ("%q"):format(value) or
      type(value) == "table" and "{" .. show(unpack(value)) .. "}" or tostring(value)
  end
  return table.concat(texts, ", ")
end

-- Calls both ways with random arguments.
local function compare(module, name, times, bound)
  local pure = assert(module[name]:pure())
  local call = caller_of(pure)
  for _ = 1, times do
    local arguments = {}
    for i, param in ipairs(pure.params) do arguments[i] = random_argument(param) end
    if bound then arguments = { bound(unpack(arguments)) } end
    local expected = { pcall(module[name], unpack(arguments, 1, #pure.params)) }
    local got = { call(unpack(arguments, 1, #pure.params)) }
    local what = ("%s(%s)"):format(name, show(unpack(arguments, 1, #pure.params)))
    if expected[1] then
      assert(got[1] == 0, what .. " fails on the pure path: " .. tostring(got[1]))
      assert.equal(what .. " = " .. texts_of(pure.results, unpack(expected, 2, 1 + #pure.results)),
        what .. " = " .. texts_of(pure.results, unpack(got, 2, 1 + #pure.results)))
    else
      assert(got[1] ~= 0, what .. " does not fail on the pure path: " .. tostring(expected[2]))
    end
  end
end

describe("the pure path", function()
  local pure, std

  setup(function()
    local host = support.host()
    pure = assert(host:build "spec/testdata/pure")
    std = assert(host:build "spec/testdata/purestd")
  end)

  teardown(function()
    assert(pure:unload())
    assert(std:unload())
    support.clean()
  end)

  -- What would take for ever, or end the process on the other road.
  local function below(limit, n) return (n % limit + limit) % limit end
  local bounds = {
    Fib = function(n) return below(20, n) end,
    Ackermann = function(m, n) return below(3, m), below(6, n) end,
    Even = function(n) return below(10000, n) end,
    Deep = function(n, x) return below(1000, n), x end,
    Search = function(n) return below(7, n) end,
    Levenshtein = function(a, b) return a:sub(1, 60), b:sub(1, 80) end,
  }

  describe("gives what the C API road gives:", function()
    for _, name in ipairs {
      "Add", "Narrow", "NarrowResult", "Wide", "Nine", "Divide", "Modulo", "Shift", "Not", "Both", "Three", "Nothing",
      "NothingButPanics", "Collatz", "Switch", "SwitchWord", "Lerp", "Single", "Mixed", "Round", "Trig", "Clamp",
      "Distance", "Polynomial", "Hash", "Murmur", "Wider", "LastRune", "Words", "Common", "Levenshtein", "At", "Slice",
      "Equal", "Less", "Has", "Find", "FindByte", "Holds", "Sum", "Largest", "Prime", "Fib", "Ackermann", "Even",
      "Deep", "Search", "Points", "Nil", "Panic", "Clean", "FollowsLent",
    } do
      it(name, function() compare(pure, name, 300, bounds[name]) end)
    end
  end)

  describe("gives what the C API road gives for the standard library:", function()
    for _, name in ipairs {
      "Contains", "Count", "Index", "LastIndex", "IndexByte", "LastIndexByte", "HasPrefix", "HasSuffix", "Compare",
      "TrimPrefixLen", "CutLen", "BytesEqual", "BytesIndex", "BytesCompare", "ValidString", "RuneCount", "RuneLen",
      "DecodeRune", "DecodeLastRune", "Sqrt", "Sin", "Cos", "Tan", "Atan2", "Exp", "Log", "Log2", "Pow", "Floor",
      "Ceil", "Round", "Mod", "Modf", "Frexp", "Hypot", "Gamma", "Lgamma", "Erf", "Cbrt", "Max", "FMA", "BuiltinMin",
      "Float32bits", "J0", "OnesCount", "LeadingZeros", "TrailingZeros", "Reverse", "RotateLeft", "Mul64", "Add64",
      "Div64", "Adler", "PathMatch", "IsAbs", "BaseLen", "SliceIndex", "SliceMax", "BinarySearch", "IsSorted", "Cmp",
      "Sum",
    } do
      it(name, function() compare(std, name, 200) end)
    end
  end)

  describe("gives it for code that is not optimised:", function()
    local plain

    setup(function() plain = assert(support.host():build("spec/testdata/pure", { gcflags = "-N -l" })) end)

    teardown(function() assert(plain:unload()) end)

    for _, name in ipairs {
      "Add", "Nine", "Mixed", "Three", "SwitchWord", "Murmur", "Levenshtein", "Common", "Fib", "Deep", "Search",
      "Points",
    } do
      it(name, function() compare(plain, name, 200, bounds[name]) end)
    end
  end)

  describe("is refused to what", function()
    for name, reason in pairs {
      Stores = "stores to memory that is not the frame: pure.Counter",
      Allocates = "which allocates",
      Appends = "calls runtime.growslice, which allocates",
      Looks = "which works on a map",
      Sends = "calls runtime.chansend1, which works on a channel",
      Starts = "calls runtime.newproc, which starts a goroutine",
      Follows = "follows a pointer that was itself read from memory, or made up",
      CallsFunction = "calls by a pointer",
      CallsMethod = "calls by a pointer",
      Asserts = "which looks into an interface",
      Recovers = "which recovers from panics",
      Writes = "stores to memory that it is only lent",
      Keeps = "stores to memory that is not the frame: pure.kept",
      Adds = "changes memory for other threads to see",
      Unsafe = "follows a pointer that was itself read from memory, or made up",
      Formats = "which allocates",
      Joins = "calls runtime.concatstring2, which allocates",
      Text = "a result has type string",
      Any = "parameter a has type interface {}",
      Variadic = "it is variadic",
      ReadsName = "follows a pointer",
      Indirect = "follows a pointer",
    } do
      it(("%s (%s)"):format(name, reason), function()
        local made, reasons = pure[name]:pure()
        assert.is_nil(made)
        assert.is_string(reasons[1])
        local explanation = assert(pure[name]:explain())
        local all = { unpack(explanation.pure) }
        for _, fn in ipairs(explanation.functions) do
          for _, at in ipairs(fn.instructions) do all[#all + 1] = at.remark end
        end
        assert.truthy(table.concat(all, "\n"):find(reason, 1, true), table.concat(all, "\n"))
      end)
    end
  end)

  it("tells a nil dereference", function()
    assert.equal(NIL, (caller_of(assert(pure.Nil:pure()))(0)))
  end)

  it("goes as deep as 256 MB, gives the memory back, and tells of more", function()
    local deep, endless = caller_of(assert(pure.Deep:pure())), caller_of(assert(pure.Endless:pure()))
    local before = support.rss()
    for _ = 1, 3 do
      local status, x, n = deep(2000000, 0.5)
      assert.same({ 0, 2000000.5, 2000001 }, { status, x, tonumber(n) })
      assert.equal(DEEP, (endless(1)))
      assert.equal(0, (deep(10, 0)))
    end
    assert.is_true(support.rss() - before < 16 * 2 ^ 20)
  end)

  it("runs on threads that have never been in Go, and fails there as anywhere", function()
    ffi.cdef [[
    int pthread_create(unsigned long *thread, const void *attr, void *(*start)(void *), void *arg);
    int pthread_join(unsigned long thread, void **result);
    ]]
    local pthreads = ffi.load "libpthread.so.0"
    -- The thread's function is the entry itself.
    local function on_thread(name, n)
      local made = assert(pure[name]:pure())
      local cell = ffi.cast("struct pure_spec_cell *", made.cell)
      local thread, result = ffi.new "unsigned long[1]", ffi.new "void *[1]"
      cell.status = 0
      assert.equal(0, pthreads.pthread_create(thread, nil, ffi.cast("void *(*)(void *)", made.entry),
        ffi.cast("void *", n)))
      assert.equal(0, pthreads.pthread_join(thread[0], result))
      return tonumber(cell.status), tonumber(ffi.cast("intptr_t", result[0]))
    end
    assert.same({ 0, 6765 }, { on_thread("Fib", 20) })
    assert.equal(NIL, (on_thread("Nil", 0)))
    assert.equal(DEEP, (on_thread("Endless", 1)))
    assert.equal(4, (on_thread("Panic", -1)))
    assert.same({ 0, 6765 }, { on_thread("Fib", 20) })
  end)

  it("is not disturbed by the signals that Go sends and gets", function()
    local module = assert(support.host():load(support.compile([[
package profile

import (
	"bytes"
	"runtime"
	"runtime/pprof"
)

var profile bytes.Buffer

func Start() error { return pprof.StartCPUProfile(&profile) }
func Stop() int    { pprof.StopCPUProfile(); return profile.Len() }
func Collect()     { runtime.GC() }
]], "profile")))
    local fib, null = caller_of(assert(pure.Fib:pure())), caller_of(assert(pure.Nil:pure()))
    local pid = support.read "/proc/self/stat":match "^%d+"
    os.execute(("(for i in $(seq 300); do kill -URG %s || exit; sleep 0.001; done) >/dev/null 2>&1 &"):format(pid))
    assert.is_true(module.Start())
    local ends = os.clock() + 0.5
    while os.clock() < ends do
      assert.equal(75025, tonumber(select(2, fib(25))))
      assert.equal(NIL, (null(0)))
    end
    module.Collect()
    assert.is_true(module.Stop() > 0)
    assert(module:unload { prove = "nothing" })
  end)

  it("counts its calls", function()
    local made = assert(pure.Add:pure())
    local calls, call = ffi.cast("uint64_t *", made.calls), caller_of(made)
    local before = calls[0]
    for i = 1, 10 do call(i, i) end
    assert.is_true(calls[0] == before + 10)
  end)

  it("is compiled into traces", function()
    local entry = ffi.cast("int64_t (*)(int64_t, int64_t)", assert(pure.Add:pure()).entry)
    local sum = 0LL
    for i = 1, 1e6 do sum = entry(sum, i) end
    assert.is_true(sum == 500000500000LL)
  end)

  it("ends when its module goes, and says so to who kept the entry", function()
    local module = assert(support.host():build "spec/testdata/pure")
    local call, other = caller_of(assert(module.Fib:pure())), caller_of(assert(pure.Fib:pure()))
    assert.same({ 0, 55 }, { (call(10)), tonumber(select(2, call(10))) })
    assert(module:unload())
    assert.equal(CLOSED, (call(10)))
    assert.equal(55, tonumber(select(2, other(10))))
  end)

  it("is found again after an unload that was refused", function()
    local module = assert(support.host():build "spec/testdata/pure")
    assert.equal(3, module.Add(1, 2))
    module.Hold()
    assert.is_nil((module:unload()))
    assert.equal(7, module.Add(3, 4))
    local calls = ffi.cast("uint64_t *", assert(module.Add:pure()).calls)
    for i = 1, 10 do assert.equal(i + 1, module.Add(i, 1)) end
    assert.is_true(calls[0] == 10)
    module.Release()
    assert.is_true(support.eventually(function() return module:unload() end))
    assert.has_error(function() module.Add(1, 2) end)
  end)

  it("never runs another module's function in place of one that went", function()
    local module = assert(support.host():build "spec/testdata/pure")
    local call, add = caller_of(assert(module.Fib:pure())), module.Add
    local kept = module.Fib
    assert(module:unload())
    local others = {}
    for i = 1, 5 do
      others[i] = assert(support.host():build "spec/testdata/pure")
      assert(others[i].Points:pure())
      assert(others[i].Fib:pure())
    end
    assert.equal(CLOSED, (call(10)))
    assert.has_error(function() add(1, 2) end)
    assert.has_error(function() kept(10) end)
    for _, other in ipairs(others) do assert(other:unload()) end
  end)

  it("needs no more of LuaJIT's 65,536 C types when a module is loaded again", function()
    assert.equal("pure\t0\n", support.clean_output_of(support.lua(([[
      local ffi = require "ffi"
      local host = require "spec.support".host()
      local function next_type() return tonumber(ffi.typeof "struct { int number; }") end
      local function use()
        local module = assert(host:load(%q))
        assert(module.Add(1, 2) == 3 and module.Add:map({ 1 }, { 2 })[1] == 3)
        local road = module.Add:road()
        assert(module:unload())
        return road
      end
      local road = use()
      local first = next_type()
      local own = next_type() - first
      for _ = 1, 3 do use() end
      print(road, next_type() - first - 2 * own)
    ]]):format(support.compile("spec/testdata/pure/pure.go", "pure")), nil, "luajit")))
  end)

  it("is given back with the module, however often that is swapped", function()
    local host, source = support.host(), support.compile("spec/testdata/pure/pure.go", "pure")
    local mappings, rss
    for i = 1, 150 do
      local module = assert(host:load(source))
      assert(module.Fib:pure())
      assert(module.Trig:pure())
      assert(module:unload())
      if i == 100 then mappings, rss = support.mappings(), support.rss() end
    end
    collectgarbage()
    -- those of modules that rest until the collector is done with them come and go
    assert.truthy(support.mappings() - mappings < 100, support.mappings() - mappings .. " more mappings")
    assert.truthy(support.rss() - rss < 8 * 2 ^ 20, support.rss() - rss .. " more bytes")
  end)
end)

describe("an explanation", function()
  local pure

  setup(function() pure = assert(support.host():build "spec/testdata/pure") end)

  teardown(function()
    assert(pure:unload())
    support.clean()
  end)

  local function remarks(explanation)
    local found = {}
    for _, fn in ipairs(explanation.functions) do
      for _, at in ipairs(fn.instructions) do
        if at.remark then found[#found + 1] = ("%s: %s: %s"):format(fn.name, at.mnemonic, at.remark) end
      end
    end
    return found
  end

  it("of a function on the pure path has no remarks", function()
    local explanation = assert(pure.Add:explain())
    assert.equal("pure", explanation.road)
    assert.same({}, remarks(explanation))
    assert.truthy(tostring(explanation):find "^pure.Add takes the pure path\n")
  end)

  it("marks each instruction that forbids it", function()
    assert.same({ "pure.Stores: mov: stores to memory that is not the frame: pure.Counter" },
      remarks(assert(pure.Stores:explain())))
  end)

  it("names what is called, and what that does", function()
    local text = tostring(assert(pure:explain "Allocates"))
    assert.truthy(text:find "%^ calls runtime%.[%w]+, which allocates")
    assert.truthy(text:find("^ calls pure.escape, which forbids it", 1, true))
    assert.truthy(text:find("\npure.escape, which is called:\n", 1, true))
  end)

  it("tells what types forbid", function()
    local explanation = assert(pure.Any:explain())
    assert.equal("capi", explanation.road)
    assert.same({ "parameter a has type interface {}" }, explanation.ffi)
    assert.same({ "parameter a has type interface {}" }, explanation.pure)
  end)

  it("can be had of what is no export", function()
    local explanation = assert(pure:explain "pure.(*point).scale")
    assert.is_nil(explanation.road)
    assert.equal(4, #remarks(explanation))
    assert.is_true(assert(pure:explain "pure.odd").holds)
  end)

  it("is refused of what is not there", function()
    local explanation, _, err = pure:explain "Nobody"
    assert.is_nil(explanation)
    assert.equal("the module has no function Nobody", err.message)
  end)

  it("is printed by goloader explain", function()
    local status, output = support.cli("explain", "spec/testdata/pure/pure.go", "Stores")
    assert.equal(0, status)
    assert.truthy(output:find("\n!", 1, true))
    assert.truthy(output:find("^ stores to memory that is not the frame: pure.Counter", 1, true))
  end)
end)
