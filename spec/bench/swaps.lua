-- Modules are swapped while they are called: `make soak-swaps SECONDS=3600` for an hour.
--
--     luajit spec/env.lua spec/bench/swaps.lua [SECONDS [SWAPS A SECOND]]
--
-- Three Lua states, each in a thread of its own, have a module each, which they call without a pause: by every road,
-- with callbacks, as jobs, by instances of generic functions, by methods of what it has given, by goroutines of a pool
-- that each version has. Ten times a second one of them has its module replaced, at any time: between two calls, in a
-- callback that a call waits for, with jobs under way. Each answer says its version where it begins and where it ends.
-- A call that begins answers by the version that stands; one that has begun before, by the old one; none fails, and
-- none has parts of both. What the pool has counted goes from version to version, and nothing of the old ones stays.

local seconds, rate = tonumber(arg[1] or 60), tonumber(arg[2] or 10)

local SOURCE = [==[
func init() { work(4) }

func Pool(n int) string { return ask(n) }

func Release() int {
	close(requests)
	workers.Wait()
	return count.n
}

func Adopt(n int) { count.n += n }
]==]

local STATE = [==[
local seconds, pause, folder, versions = %d, %g, %q, %d
math.randomseed(THREAD)
local goloader = require "goloader"
local clock = require "goloader.core".clock
local host = assert(goloader.host())

local function file(version) return ("%%s/%%d/shop.go"):format(folder, version) end

local version = 1
local shop = assert(host:build(file(version)))
local add, text = shop.Number, shop.Text -- taken once: they stand for the new ones, too
local calls, swaps, asked, pooled, deep = 0, 0, 0, 0, 0
local next_swap = clock() + pause * THREAD / 3

local function wrong(what, got, wanted)
  error(("%%s in version %%d: %%s, not %%s"):format(what, version, tostring(got), tostring(wanted)), 0)
end

local function check(what, got, wanted)
  calls = calls + 1
  if got ~= wanted then wrong(what, got, wanted) end
end

local function answer(n, of) return ("%%d:%%s:%%d"):format(of or version, tostring(n), of or version) end

local jobs = {} -- under way, each with the answer that it must have

local function swap()
  -- the pool ends with its version: what it has been asked for is to be answered before
  for i = #jobs, 1, -1 do
    if jobs[i].pool then
      check("a job of the pool", jobs[i].job:wait(), jobs[i].answer)
      table.remove(jobs, i)
    end
  end
  local to = version %% versions + 1
  assert(host:replace(shop, file(to)))
  version, swaps = to, swaps + 1
end

local function swap_in_time()
  local now = clock()
  if now < next_swap then return end
  next_swap = math.max(next_swap + pause, now)
  swap()
end

local acts = {
  function(n) check("a call on the pure road", add(n), n * 100 + version) end,
  function(n) check("a call", text(n), answer(n)) end,
  function(n) check("a call by the module", shop.Text(n), answer(n)) end,
  function(n)
    check("a goroutine of the pool", shop.Pool(n), answer(n))
    pooled = pooled + 1
  end,
  function(n)
    local list, map = shop.List(n)
    check("the first of a list", list[1], answer(n))
    check("the last of a list", list[2], answer(n))
    check("a map", map.version, version)
  end,
  function(n)
    -- each is a load of its own, which few versions are worth
    if asked < swaps and math.random(200) > 1 then return end
    asked = swaps
    check("an instance of a generic function", shop["Last[int]"](1, n), answer(n))
  end,
  function()
    local of, item = version, shop:new("Item", { Version = version })
    if math.random(2) == 1 then swap_in_time() end
    check("a method of what an old version may have given", item:Note(), answer("item", of))
    item:release()
  end,
  function(n)
    local of = version
    deep = deep + 1
    local said = shop.With(n, function(m)
      if deep < 3 then swap_in_time() end
      check("a call within a callback", text(m), answer(m))
      return m + 1
    end)
    deep = deep - 1
    check("a call with a callback", said, answer(n + 1, of))
  end,
  function(n)
    if #jobs < 10 then jobs[#jobs + 1] = { job = text:async(n), answer = answer(n) } end
  end,
  function(n)
    if #jobs < 10 then
      jobs[#jobs + 1] = { job = shop.Pool:async(n), answer = answer(n), pool = true }
      pooled = pooled + 1
    end
  end,
  function()
    local i = math.random(#jobs + 1)
    if jobs[i] then
      check("a job", jobs[i].job:wait(), jobs[i].answer)
      table.remove(jobs, i)
    end
  end,
}

require "spec.bench.shop".work(acts, seconds, swap_in_time)
for _, each in ipairs(jobs) do check("a job", each.job:wait(), each.answer) end
jobs = nil
check("what the pools have counted", tonumber(shop.Counted()), pooled)
require "spec.bench.shop".tidy(host)
shop.Release()
assert(shop:unload { wait = 10 })
io.write(("thread %%d: %%d calls, %%d swaps\n"):format(THREAD, calls, swaps))
]==]

local shop = require "spec.bench.shop"
local support = require "spec.support"

local THREADS, VERSIONS = 3, 4
local threads = require "spec.luastates".threads(support.threads_library())
local host = assert(require "goloader".host())
shop.prepare(host, VERSIONS, SOURCE)
local before = #host:modules()
io.stdout:setvbuf "no"
local failed = threads.run(STATE:format(seconds, THREADS / rate, support.tmpdir(), VERSIONS), THREADS)
local after = #host:modules()
if after ~= before then io.stderr:write(("%d modules stay\n"):format(after - before)) end
support.clean()
os.exit(failed == 0 and after == before and 0 or 1)
