-- A module that Lua states share is swapped while all of them call it: `make soak-swaps SECONDS=3600` for an hour.
--
--     luajit spec/env.lua spec/bench/shared_swaps.lua [SECONDS [SWAPS A SECOND]]
--
-- Three Lua states, each in a thread of its own, call one module without a pause: by every road, many calls at once,
-- with callbacks, as jobs, by instances of generic functions, by a goroutine pool, by its variables; a fourth one takes
-- it and is closed again and again. They unload it, and take it again; they keep handles of its values, and load
-- modules that use it. Ten times a second one of them replaces it, for all. Some versions are refused: by the program,
-- by their init function, by Adopt.
--
-- Each swap has a number, and what stands is written down in memory that all threads see: the number of the last one
-- that may stand, before it can, and of the last one that has returned. A call must be answered by a version that may
-- have stood between its begin and its end: none that was replaced by a host:replace that had returned in any state,
-- and none that was refused. No call fails, none has parts of two versions, what the pools have counted is lost in no
-- swap, and nothing of the old versions stays.

local seconds, rate = tonumber(arg[1] or 60), tonumber(arg[2] or 10)

local SOURCE = [==[
import "errors"

const Version = version

var Current = version

// A call that has begun before the state was released, and comes too late to use it, is told so.
var (
	state    sync.RWMutex
	released bool
)

func init() {
	if version == 9 {
		panic("version 9 does not start")
	}
	work(2)
}

var sink []byte

func Word(n int) int {
	sink = make([]byte, n%8)
	return version
}

func Pool(n int) (string, bool) {
	state.RLock()
	defer state.RUnlock()
	if released {
		return text(n), false
	}
	return ask(n), true
}

func Release() int {
	state.Lock()
	released = true
	state.Unlock()
	close(requests)
	workers.Wait()
	return count.n
}

func Adopt(n int) error {
	state.Lock()
	defer state.Unlock()
	if version == 8 {
		close(requests)
		return errors.New("version 8 adopts nothing")
	}
	if released { // it was refused, and has its state back
		released, requests = false, make(chan request)
		work(2)
	} else {
		count.Lock()
		count.n = n
		count.Unlock()
	}
	return nil
}
]==]

local HEAD = [==[
local seconds, pause, folder, versions, address = %d, %g, %q, %d, %d
local ffi = require "ffi"
local goloader = require "goloader"
local clock = require "goloader.core".clock
local host = assert(goloader.host())
local seen = ffi.cast("volatile struct { int32_t started, stood[16], pooled[16], version_of[10000000]; } *",
  ffi.cast("uintptr_t", address))
local function file(version) return ("%%s/%%d/shop.go"):format(folder, version) end
local function stood()
  local latest = 0
  for i = 0, 15 do latest = math.max(latest, seen.stood[i]) end
  return latest
end
local shop = assert(host:shared("shop", function() return host:build(file(1)) end))
]==]

local STATE = HEAD .. [==[
math.randomseed(THREAD)
local add, text, word, Item, Last -- taken once: they stand for the new ones, too
local function take()
  shop = assert(host:shared "shop")
  add, text, word, Item, Last = shop.Number, shop.Text, shop.Word, shop.Item, shop.Last
end
take()
local calls, swaps, refused, pooled, deep, late, away = 0, 0, 0, 0, 0, 0, 0
local next_swap = clock() + pause * THREAD / 3

local function wrong(what, got, low, high)
  local wanted = {}
  for serial = low, high do wanted[#wanted + 1] = tostring(seen.version_of[serial]) end
  error(("%%s of swap %%d to %%d: %%s, not by version %%s"):format(what, low, high, tostring(got),
    table.concat(wanted, " or ")), 0)
end

-- Was it answered by a version that stood at some time from the swap low to the swap high?
local function check(what, got, low, high, answer)
  calls = calls + 1
  for serial = low, high do
    if got == answer(seen.version_of[serial]) then return end
  end
  wrong(what, got, low, high)
end

local function said(n)
  return function(version) return ("%%d:%%s:%%d"):format(version, tostring(n), version) end
end

local function same(version) return version end

-- Calls, and checks the first result; returns the second one.
local function call(what, answer, fn, ...)
  local low = stood()
  local got, second = fn(...)
  check(what, got, low, seen.started, answer)
  return second, low
end

local jobs = {} -- under way, each with what it may be answered by

local function finish(i)
  local each = table.remove(jobs, i)
  local got, counted = each.job:wait()
  check("a job", got, each.low, each.high, each.answer)
  if counted then pooled = pooled + 1 elseif counted == false then late = late + 1 end
end

local function swap()
  local kind = math.random(6)
  local to = kind == 1 and 8 or kind == 2 and 9 or math.random(versions)
  local serial
  -- most are shipped ones, which are loaded at once
  local path = math.random(10) == 1 and file(to) or file(to):gsub("go$", "gom")
  local ok, message, err = host:replace(shop, path, {
    ready = function(new)
      if kind == 3 then
        new.Release()
        return nil, "not today"
      end
      -- nobody else replaces it now
      serial = seen.started + 1
      seen.version_of[serial] = to == 8 and 0 or to
      seen.started = serial
    end,
  })
  if ok then
    if to > versions then error("version " .. to .. " was taken", 0) end
    seen.stood[THREAD] = serial
    swaps = swaps + 1
  elseif kind <= 3 or err.code == "busy" then
    refused = refused + 1
  else
    error("a swap: " .. message, 0)
  end
end

local function swap_in_time()
  local now = clock()
  if now < next_swap then return end
  next_swap = math.max(next_swap + pause, now)
  swap()
end

local asked, used, items = -1, -1, {}
local acts = {
  function(n) call("a call on the pure road", function(version) return n * 100 + version end, add, n) end,
  function()
    -- a loop that LuaJIT compiles: a swap in another thread falls into it
    for i = 1, 3000 do
      local low = stood()
      local got = add(i)
      local high = seen.started
      if got ~= i * 100 + seen.version_of[low] then
        check("a call of many on the pure road", got, low, high, function(version) return i * 100 + version end)
      end
    end
    calls = calls + 3000
  end,
  function()
    for i = 1, 300 do
      local low = stood()
      local got = word(i)
      local high = seen.started
      if got ~= seen.version_of[low] then check("a call of many on the FFI road", got, low, high, same) end
    end
    calls = calls + 300
  end,
  function(n) call("a call", said(n), text, n) end,
  function(n) call("a call by the module", said(n), shop.Text, n) end,
  function(n)
    local low, got = stood(), add:map { n, n, n }
    check("many calls on the pure road", got[1], low, seen.started, function(version) return n * 100 + version end)
    if got[1] ~= got[2] or got[1] ~= got[3] then error("many calls: parts of two versions", 0) end
  end,
  function(n)
    local low, got = stood(), text:map { n, n }
    check("many calls", got[1], low, seen.started, said(n))
    if got[1] ~= got[2] then error("many calls: parts of two versions", 0) end
  end,
  function(n)
    if call("a goroutine of the pool", said(n), shop.Pool, n) then pooled = pooled + 1 else late = late + 1 end
  end,
  function(n)
    local low = stood()
    local list, map = shop.List(n)
    check("the first of a list", list[1], low, seen.started, said(n))
    if list[1] ~= list[2] or map.version ~= tonumber(list[1]:match "^%%d+") then
      error("a call: parts of two versions", 0)
    end
  end,
  function() call("a variable", same, function() return shop.Current end) end,
  function() call("a constant", same, function() return shop.Version end) end,
  function(n)
    -- each is a load of its own, which few versions are worth
    if asked == seen.started or math.random(100) > 1 then return end
    asked = seen.started
    local low = stood()
    local ways = {
      function() return shop["Last[int]"](1, n), said(n) end,
      function() return Last(1, n), said(n) end,
      function()
        local got = shop["Sign[int]"]:map { n, n, n }
        if got[1] ~= got[2] or got[1] ~= got[3] then error("many calls of an instance: parts of two versions", 0) end
        return got[1], function(version) return n * 100 + version end
      end,
    }
    local made, got, answer = pcall(ways[math.random(#ways)])
    if made then
      check("an instance of a generic function", got, low, seen.started, answer)
    elseif not got:find("no instances of what was not built", 1, true) then
      error(got, 0)
    end
  end,
  function(n)
    local item = shop.Item { Version = n }
    if math.random(2) == 1 then swap_in_time() end
    local a, version = item:Note():match "^(%%d+):item:(%%d+)$"
    if tonumber(a) ~= n or tonumber(version) > versions then error("a method: " .. item:Note(), 0) end
    item:release()
  end,
  function(n)
    -- handles are kept over swaps, with the version that they are of
    if #items > 3 then
      local i = math.random(#items)
      local a, version = items[i].item:Note():match "^(%%d+):item:(%%d+)$"
      if tonumber(a) ~= items[i].n or tonumber(version) > versions then error("a handle: " .. a, 0) end
      items[i].item:release()
      table.remove(items, i)
    elseif math.random(20) == 1 then
      items[#items + 1] = { item = Item { Version = n }, n = n }
    end
  end,
  function()
    -- another module uses it; which of its versions, is not to be seen
    if used == seen.started or math.random(200) > 1 then return end
    used = seen.started
    local user, message, err = host:build(folder .. "/user/user.go", { uses = { shop } })
    if user then
      if user.Double(4) ~= 8 then error("a module that uses it", 0) end
      assert(user:unload { wait = 10 })
    elseif err.code ~= "closed" then
      error("a module that uses it: " .. message, 0)
    end
  end,
  function()
    -- goes, and comes back; others have it meanwhile
    if deep > 0 or math.random(30) > 1 then return end
    while jobs[1] do finish(1) end
    local ways = { nil, { wait = 5 }, { background = true }, { handles = "keep" } }
    assert(shop:unload(ways[math.random(4)]))
    if pcall(text, 1) or shop:is_loaded() then error("it is called though it was unloaded", 0) end
    take()
    away = away + 1
  end,
  function(n)
    coroutine.wrap(function() call("a call in a coroutine", said(n), text, n) end)()
  end,
  function() host:modules() end,
  function(n)
    deep = deep + 1
    call("a call with a callback", said(n + 1), shop.With, n, function(m)
      if deep < 3 then swap_in_time() end
      call("a call within a callback", said(m), text, m)
      return m + 1
    end)
    deep = deep - 1
  end,
  function(n)
    if #jobs > 10 then return end
    local low = stood()
    jobs[#jobs + 1] = { job = text:async(n), low = low, high = seen.started, answer = said(n) }
  end,
  function(n)
    if #jobs > 10 then return end
    local low = stood()
    jobs[#jobs + 1] = { job = shop.Pool:async(n), low = low, high = seen.started, answer = said(n) }
  end,
  function()
    local i = math.random(#jobs + 1)
    if jobs[i] then finish(i) end
  end,
}

require "spec.bench.shop".work(acts, seconds, swap_in_time)
while jobs[1] do finish(1) end
for _, each in ipairs(items) do each.item:release() end
jobs, items = nil, nil
seen.pooled[THREAD] = pooled
require "spec.bench.shop".tidy(host)
io.write(("thread %%d: %%d calls, %%d swaps, %%d refused, %%d too late for the pool, %%d times away\n"):format(THREAD,
  calls, swaps, refused, late, away))
]==]

-- Comes and goes: the main thread's states.
local GUEST = HEAD .. [==[
math.randomseed(os.clock() * 1e6)
local function visit()
  local low = stood()
  local got = tonumber(shop.Text(1):match "^%%d+")
  local high, is_right = seen.started, false
  for serial = low, high do is_right = is_right or got == seen.version_of[serial] end
  if not is_right then error(("a guest, of swap %%d to %%d: version %%d"):format(low, high, got), 0) end
  local item = shop.Item { Version = 1 }
  assert(item.Version == 1)
  if math.random(2) == 1 then item:release() end
end
visit()
if math.random(2) == 1 then -- goes, and comes back
  assert(shop:unload { wait = 5 })
  shop = assert(host:shared "shop")
  visit()
end
if math.random(2) == 1 then
  -- a job that runs on when the state is closed, or is too late for it
  if math.random(2) == 1 then shop.Text:async(1) end
elseif math.random(2) == 1 then
  assert(shop:unload())
end
]==]

local goloader = require "goloader"
local source = require "spec.bench.shop"
local support = require "spec.support"
local clock = require "goloader.core".clock
local ffi = require "ffi"

local THREADS, VERSIONS = 3, 4
local threads = require "spec.luastates".threads(support.threads_library())
local host = assert(goloader.host())
source.prepare(host, VERSIONS, SOURCE)
support.write("user/user.go", "package user\n\nfunc Double(n int) int { return 2 * n }\n")
source.write(8, SOURCE)
source.write(9, SOURCE)
for _, version in ipairs { 1, 2, 3, 4, 8, 9 } do
  local path = source.path(version)
  assert(host:ship(path, path .. "m"))
end
local before = #host:modules()
-- the last of the states' pools ends here
local seen = ffi.new "struct { int32_t started, stood[16], pooled[16], version_of[10000000]; }"
seen.version_of[0] = 1
local shop = assert(host:shared("shop", function() return host:build(source.path(1)) end))
local function chunk(text)
  local address = tonumber(ffi.cast("uintptr_t", ffi.cast("void *", seen)))
  return text:format(seconds, THREADS / rate, support.tmpdir(), VERSIONS, address)
end
io.stdout:setvbuf "no"
threads.start(chunk(STATE), THREADS)
local guests, failed = 0, 0
local stop = clock() + seconds
while clock() < stop and failed == 0 do
  failed = threads.run(chunk(GUEST), 1)
  guests = guests + 1
  goloader.step(0.05)
end
failed = failed + threads.join()
local pooled = 0
for i = 0, 15 do pooled = pooled + seen.pooled[i] end
if failed == 0 and tonumber(shop.Counted()) ~= pooled then
  io.stderr:write(("the pools have counted %d of %d\n"):format(tonumber(shop.Counted()), pooled))
  failed = 1
end
print(("%d guests, %d swaps may have stood"):format(guests, seen.started))
shop.Release()
local unloaded, message = shop:unload { wait = 30 }
if not unloaded then
  io.stderr:write(message, "\n")
  failed = failed + 1
end
-- what states have left that were closed goes by and by, when something is loaded
local left, after = clock() + 60 ---@type number, integer
repeat
  collectgarbage()
  collectgarbage()
  host:tidy()
  local other = assert(host:build(source.path(1)))
  other.Release()
  assert(other:unload { wait = 10 })
  after = #host:modules()
until after == before or clock() > left
if after ~= before then io.stderr:write(("%d modules stay\n"):format(after - before)) end
support.clean()
os.exit(failed == 0 and after == before and 0 or 1)
