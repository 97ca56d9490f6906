-- The module that swaps.lua and shared_swaps.lua swap while it is called. Each answer says its version where it begins
-- and where it ends; a pool of goroutines counts what it was asked.
local support = require "spec.support"

local shop = {}

local HEAD = [==[
package shop

import (
	"fmt"
	"sync"
)

]==]

local COMMON = [==[

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

func work(goroutines int) {
	for i := 0; i < goroutines; i++ {
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

func ask(n int) string {
	r := request{n, make(chan string)}
	requests <- r
	return <-r.answer
}

//go:noinline
func text(n int) string { return fmt.Sprintf("%%d:%%d:%%d", version, n, version) }

func Number(n int) int { return n*100 + version }

func Text(n int) string { return text(n) }

func With(n int, f func(int) int) string {
	before := version
	m := f(n)
	return fmt.Sprintf("%%d:%%d:%%d", before, m, version)
}

func List(n int) ([]string, map[string]int) {
	return []string{text(n), text(n)}, map[string]int{"version": version, "n": n}
}

func Last[T any](all ...T) string { return fmt.Sprintf("%%d:%%v:%%d", version, all[len(all)-1], version) }

func Sign[T ~int](n T) T { return n*100 + version }

func Counted() int {
	count.Lock()
	defer count.Unlock()
	return count.n
}
]==]

--- Where a version's source lies.
function shop.path(version) return ("%s/%d/shop.go"):format(support.tmpdir(), version) end

--- Writes a version.
---@param version integer
---@param own string  what a bench adds: imports, the pool's begin and end
function shop.write(version, own)
  return support.write(("%d/shop.go"):format(version), HEAD .. own .. COMMON:format(version))
end

--- Writes the versions from 1 on, and has each be compiled, with what is asked of its generic function.
function shop.prepare(host, versions, own)
  for version = 1, versions do
    local module = assert(host:build(shop.write(version, own)))
    assert(module["Last[int]"] and module["Sign[int]"])
    module.Release()
    assert(module:unload { wait = 10 })
  end
end

--- Does one of the acts after the other, in no order, for so many seconds, and swaps now and then.
---@param acts (fun(n: integer))[]  each is given another number
---@param seconds number
---@param swap_in_time fun()
function shop.work(acts, seconds, swap_in_time)
  local goloader = require "goloader"
  local clock = require "goloader.core".clock
  local stop, latest = clock() + seconds, 0
  while clock() < stop do
    for _ = 1, 20 do
      latest = latest + 1
      acts[math.random(#acts)](latest)
    end
    goloader.step(0)
    swap_in_time()
  end
end

--- Waits till the old versions that this Lua state has had are gone.
function shop.tidy(host)
  local goloader = require "goloader"
  local clock = require "goloader.core".clock
  local left = clock() + 60
  repeat
    collectgarbage()
    collectgarbage()
    goloader.step(0)
    local waiting = host:tidy()
    if waiting > 0 and clock() > left then
      for _, entry in ipairs(host:modules()) do
        if entry.leaving then error("an old version stays: " .. entry.refusal.message, 0) end
      end
    end
  until waiting == 0
end

return shop
