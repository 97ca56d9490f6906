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
package shop

import (
	"fmt"
	"sync"
)

const version = %d

type Item struct{ Version int }

func (i *Item) Note() string { return fmt.Sprintf("%%d:item:%%d", i.Version, version) }

type request struct {
	n      int
	answer chan string
}

var (
	requests = make(chan request)
	workers  sync.WaitGroup
	count    struct {
		sync.Mutex
		n int
	}
)

func init() {
	for i := 0; i < 4; i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for r := range requests {
				count.Lock()
				count.n++
				count.Unlock()
				r.answer <- text(r.n)
			}
		}()
	}
}

//go:noinline
func text(n int) string { return fmt.Sprintf("%%d:%%d:%%d", version, n, version) }

func Number(n int) int { return n*100 + version }

func Text(n int) string { return text(n) }

func Pool(n int) string {
	r := request{n, make(chan string)}
	requests <- r
	return <-r.answer
}

func With(n int, f func(int) int) string {
	before := version
	m := f(n)
	return fmt.Sprintf("%%d:%%d:%%d", before, m, version)
}

func List(n int) ([]string, map[string]int) {
	return []string{text(n), text(n)}, map[string]int{"version": version, "n": n}
}

func Last[T any](all ...T) string { return fmt.Sprintf("%%d:%%v:%%d", version, all[len(all)-1], version) }

func Release() int {
	close(requests)
	workers.Wait()
	return count.n
}

func Adopt(n int) { count.n += n }

func Counted() int {
	count.Lock()
	defer count.Unlock()
	return count.n
}
]==]

local STATE = [==[
local seconds, pause, folder, versions = %d, %g, %q, %d
package.path, package.cpath = %q, %q
math.randomseed(THREAD)
local goloader = require "goloader"
local clock = require "goloader.core".clock
local host = assert(goloader.host())

local function file(version) return ("%%s/%%d/shop.go"):format(folder, version) end

local version = 1
local shop = assert(host:build(file(version)))
local add, text = shop.Number, shop.Text -- taken once: they stand for the new ones, too
local calls, swaps, asked, pooled, deep, latest = 0, 0, 0, 0, 0, 0
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

local stop = clock() + seconds
while clock() < stop do
  for _ = 1, 20 do
    latest = latest + 1
    acts[math.random(#acts)](latest)
  end
  goloader.step(0)
  swap_in_time()
end
for _, each in ipairs(jobs) do check("a job", each.job:wait(), each.answer) end
jobs = nil
check("what the pools have counted", tonumber(shop.Counted()), pooled)
check("what nobody has lost", tonumber(shop.Counted()), pooled)
local left = clock() + 60
repeat
  collectgarbage()
  collectgarbage()
  local waiting = host:tidy()
  if waiting > 0 and clock() > left then
    for _, entry in ipairs(host:modules()) do
      if entry.leaving then wrong("an old version", entry.refusal.message, "gone") end
    end
  end
until waiting == 0
shop.Release()
assert(shop:unload { wait = 10 })
io.write(("thread %%d: %%d calls, %%d swaps\n"):format(THREAD, calls, swaps))
]==]

local support = require "spec.support"
local ffi = require "ffi"

local THREADS, VERSIONS = 3, 4
local library = support.tmpdir() .. "/threads.so"
assert(support.run { "sh", "-c", "cc -O1 -shared -fPIC -pthread $(pkg-config --cflags luajit) -o " .. library
  .. " spec/testdata/threads.c" } == 0, "the compiler")
ffi.cdef "int run_states(const char *, int);"
local host = assert(require "goloader".host())
for version = 1, VERSIONS do
  local shop = assert(host:build(support.write(("%d/shop.go"):format(version), SOURCE:format(version))))
  assert(shop["Last[int]"]) -- compiled once
  shop.Release()
  assert(shop:unload { wait = 10 })
end
local before = #host:modules()
io.stdout:setvbuf "no"
local failed = ffi.load(library).run_states(
  STATE:format(seconds, THREADS / rate, support.tmpdir(), VERSIONS, package.path, package.cpath), THREADS)
local after = #host:modules()
if after ~= before then io.stderr:write(("%d modules stay\n"):format(after - before)) end
support.clean()
os.exit(failed == 0 and after == before and 0 or 1)
