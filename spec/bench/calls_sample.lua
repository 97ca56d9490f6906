-- One measured process of the bench of calls (calls.lua): one function by one road, or what the road is compared with.
-- Prints nanoseconds for a call, and for jobs milliseconds for all of them.
--
--     ROAD FILE.o        Add on that road: pure, ffi, capi; or auto, the road that the loader has chosen
--     method FILE.o      the same as a handle's method
--     c LIBRARY.so       the same in C, by FFI
--     cgo LIBRARY.so     the same of a cgo //export function, by FFI
--     string FILE.o      Turn, 32 bytes;              string-cgo LIBRARY.so   as //export
--     struct FILE.o      Touch, a struct of 20 fields; struct-cgo LIBRARY.so  carried as JSON
--     slice FILE.o       TouchAll, 100 of them;       slice-cgo LIBRARY.so    carried as JSON
--     map FILE.o         Double:map, 10,000 integers: for each, beyond what Double takes when Go calls it
--     async FILE.o       Spin:async, 100,000 jobs;    async-cgo LIBRARY.so    goroutines and a channel

local ffi = require "ffi"
local cjson = require "cjson"
local goloader = require "goloader"
local now = require "spec.bench.clock"
local median = require "spec.bench.tools".median

ffi.cdef [[
ptrdiff_t add(ptrdiff_t a, ptrdiff_t b);
ptrdiff_t Add(ptrdiff_t a, ptrdiff_t b);
char *Turn(const char *s, int n);
char *Touch(const char *s, int n);
char *TouchAll(const char *s, int n);
double Spins(ptrdiff_t n);
void free(void *p);
]]

local C = ffi.C
local ROUNDS = 9
local NUMBERS, JOBS = 10000, 100000

-- Nanoseconds for each of the `times` calls that loop(times) makes: a call ends on the thread that it begins on, and so
-- the thread's own time is the call's. The first rounds are for the JIT compiler.
local function nanoseconds(times, loop)
  local took = {}
  loop(times)
  loop(times)
  for i = 1, ROUNDS do
    local begin = now "thread"
    loop(times)
    took[i] = (now "thread" - begin) * 1e6 / times
  end
  return median(took)
end

local function load(object)
  return assert(assert(goloader.host()):load(object))
end

local function time_add(add)
  return nanoseconds(1000000, function(times)
    local sum = 0
    for k = 1, times do sum = sum + tonumber(add(k, 1)) end
    assert(sum == times * (times + 1) / 2 + times)
  end)
end

local strings = {}
for i = 1, 16 do strings[i] = ("%02d"):format(i):rep(8) .. ("ab"):rep(8) end

local function time_turn(turn)
  return nanoseconds(200000, function(times)
    local sum = 0
    for k = 1, times do sum = sum + #turn(strings[k % 16 + 1]) end
    assert(sum == 32 * times and turn(strings[1]) == ("ab"):rep(8) .. ("01"):rep(8))
  end)
end

local function record(i)
  return {
    ID = i, Parent = 17, Stock = 1200, Sold = 31, Width = 640, Height = 480,
    Price = 24.5, Discount = 0.25, Weight = 1.75, Rating = 4.5, Tax = 0.19,
    Name = "desk lamp, brushed steel", Brand = "Lumen & Sons", Category = "lighting", Colour = "silver",
    Text = "A lamp for the desk, with a switch in the cord and a shade that turns.",
    Active = true, Visible = true, Digital = false, Returnable = true,
  }
end

local function time_touch(touch)
  return nanoseconds(5000, function(times)
    local value = record(0)
    for _ = 1, times do value = touch(value) end
    assert(value.ID == times and value.Text == record(0).Text)
  end)
end

local function time_touch_all(touch_all)
  return nanoseconds(50, function(times)
    local values = {}
    for i = 1, 100 do values[i] = record(i) end
    for _ = 1, times do values = touch_all(values) end
    assert(#values == 100 and values[100].ID == 100 + times)
  end)
end

-- What the hand-written way takes: text in, text out that has to be freed.
local function textual(call)
  return function(text)
    local p = call(text, #text)
    local result = ffi.string(p)
    C.free(p)
    return result
  end
end

local function as_json(call)
  local carry, encode, decode = textual(call), cjson.encode, cjson.decode
  return function(value) return decode(carry(encode(value))) end
end

local samples = {}

for _, road in ipairs { "pure", "ffi", "capi" } do
  samples[road] = function(object)
    local add = load(object).Add
    assert(add:road(road) == road, "it can't take the road " .. road)
    return time_add(add)
  end
end

samples.auto = function(object) return time_add(load(object).Add) end

function samples.method(object)
  local adder = load(object).NewAdder()
  return time_add(function(a, b) return adder:Add(a, b) end)
end

samples.c = function(library) return time_add(ffi.load(library).add) end
samples.cgo = function(library) return time_add(ffi.load(library).Add) end

samples.string = function(object) return time_turn(load(object).Turn) end
samples["string-cgo"] = function(library) return time_turn(textual(ffi.load(library).Turn)) end

samples.struct = function(object) return time_touch(load(object).Touch) end
samples["struct-cgo"] = function(library) return time_touch(as_json(ffi.load(library).Touch)) end

samples.slice = function(object) return time_touch_all(load(object).TouchAll) end
samples["slice-cgo"] = function(library) return time_touch_all(as_json(ffi.load(library).TouchAll)) end

function samples.map(object)
  local calls = load(object)
  local double, numbers = calls.Double, {}
  for i = 1, NUMBERS do numbers[i] = i end
  local took = nanoseconds(20, function(times)
    for _ = 1, times do
      local doubled = double:map(numbers)
      assert(#doubled == NUMBERS and doubled[NUMBERS] == 2 * NUMBERS)
    end
  end) / NUMBERS
  local own = {}
  for i = 1, ROUNDS do own[i] = calls.Doubled(1000000) end
  return took - median(own)
end

function samples.async(object)
  local spin = load(object).Spin
  local function run()
    local jobs, sum = {}, 0
    local begin = now()
    for i = 1, JOBS do jobs[i] = spin:async(i) end
    for i = 1, JOBS do sum = sum + jobs[i]:wait() end
    assert(sum == JOBS * (JOBS + 1) / 2)
    return now() - begin
  end
  run()
  return median { run(), run(), run() }
end

samples["async-cgo"] = function(library)
  local spins = ffi.load(library).Spins
  spins(JOBS)
  return median { spins(JOBS), spins(JOBS), spins(JOBS) }
end

local what = table.remove(arg, 1)
local sample = samples[what] or error("no sample " .. tostring(what))
io.write(sample(unpack(arg)), "\n")
-- A Go runtime has threads that outlive what Lua closes at its end.
os.exit(0, false)
