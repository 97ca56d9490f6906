-- Who refers to a module that is to go is looked for in a copy of the process, while the process goes on. The specs are
-- processes of their own, and have it done so for small heaps, too (GOLOADER_UNLOAD).
local support = require "spec.support"

local prelude = ([[
  io.stdout:setvbuf "no"
  local host = assert(require "goloader".host())
  local function load() return assert(host:load(%q)) end
  local function stats() return require "goloader".stats().unloads end
]]):format(support.compile("spec/testdata/retention/thing/thing.go", "thing"))

local function run(script, environment)
  return support.output_of(support.lua(prelude .. script, environment or "GOLOADER_UNLOAD=snapshot"))
end

teardown(support.clean)

local busy = [[
  local churn = assert(host:build "spec/testdata/churn/churn.go")
  churn.Fill(%d)
  churn.Start()
  for round = 1, %d do
    local module = load()
    local value = module.New:keep(round)
    churn.Hand(value)
    value:release()
    for _ = 1, 3 do
      local ok, message = module:unload()
      if ok then error "it went while others hand on a value of it" end
      if not message:find "module thing can't be unloaded: .- refers to " then error(message) end
    end
    local said = churn.Take()
    if said ~= "a T of " .. round then error(said) end
    local ok, message
    for _ = 1, 50 do
      ok, message = module:unload()
      if ok then break end
    end
    if not ok then error(message) end
    churn.Check()
  end
  assert(stats().snapshots > 0 and stats().failed_snapshots == 0)
  print "end"
]]

describe("an unload beside goroutines that allocate", function()
  it("never takes what they hand on, and what lives stays as it is", function()
    assert.equal("end\n", run(busy:format(8, 20)))
  end)

  it("does so with the collector looking closely", function()
    assert.equal("end\n", run(busy:format(1, 6),
      "GOLOADER_UNLOAD=snapshot GOGC=1 GODEBUG=gccheckmark=1,clobberfree=1,invalidptr=1"))
  end)
end)

describe("the copy of the process", function()
  it("is for heaps that would stop the world for long", function()
    assert.equal("0 1\n1 1\n", run([[
      assert(load():unload())
      print(stats().snapshots, stats().stops)
      local churn = assert(host:build "spec/testdata/churn/churn.go")
      churn.Fill(8)
      assert(load():unload())
      print(stats().snapshots, stats().stops)
    ]], " "):gsub("\t", " "))
  end)

  it("is not made where the environment says so", function()
    assert.equal("0", run([[
      assert(host:build "spec/testdata/churn/churn.go").Fill(8)
      assert(load():unload())
      io.write(stats().snapshots)
    ]], "GOLOADER_UNLOAD=stopped"))
  end)

  it("is no child that anybody sees, and leaves nothing", function()
    assert.equal("end\n", run [[
      local ffi = require "ffi"
      ffi.cdef "int waitpid(int, int *, int); int sigpending(uint64_t *); int sigprocmask(int, uint64_t *, uint64_t *);"
      local chld, pending = ffi.new("uint64_t[16]", 2 ^ 16), ffi.new "uint64_t[16]"
      ffi.C.sigprocmask(0, chld, nil)
      for _ = 1, 5 do assert(load():unload()) end
      ffi.C.sigpending(pending)
      assert(pending[0] == 0)
      local ALL = 0x40000000
      assert(ffi.C.waitpid(-1, nil, ALL + 1) == -1)
      assert(stats().snapshots == 5)
      print "end"
    ]])
  end)

  it("is done without where there is none to be had", function()
    -- a filter for system calls: clone(2) as it is called for copies is not permitted
    assert.equal("end\n", run [[
      local ffi = require "ffi"
      ffi.cdef [=[
        struct filter { uint16_t code; uint8_t jt, jf; uint32_t k; };
        struct program { unsigned short len; struct filter *filter; };
        int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long);
        long syscall(long, ...);
      ]=]
      local LOAD, EQUAL, RETURN, CLONE, SECCOMP = 0x20, 0x15, 0x06, 56, 317
      local filter = ffi.new("struct filter[6]", {
        { LOAD, 0, 0, 0 }, { EQUAL, 0, 3, CLONE }, { LOAD, 0, 0, 16 }, { EQUAL, 0, 1, 0x600 },
        { RETURN, 0, 0, 0x50001 }, { RETURN, 0, 0, 0x7fff0000 } })
      local program = ffi.new("struct program", 6, filter)
      assert(ffi.C.prctl(38, 1, 0, 0, 0) == 0)
      local SET_FILTER, ALL_THREADS = ffi.new("int", 1), ffi.new("int", 1)
      assert(ffi.C.syscall(SECCOMP, SET_FILTER, ALL_THREADS, program) == 0)
      assert(load():unload())
      assert(stats().failed_snapshots == 1 and stats().stops == 1 and stats().snapshots == 0)
      print "end"
    ]])
  end)

  it("stops the world for as long as its making takes", function()
    assert.is_true(tonumber(run [[
      assert(load():unload())
      io.write(stats().pause_ms)
    ]]) > 0)
  end)
end)

describe("a handle that is dropped, and used by another thread while the copy is looked through", function()
  it("voids what the copy says: it is looked again, and the handle can't be used meanwhile", function()
    -- No two Lua states have one handle. Here the second one's is made to be that of the first.
    local library = support.threads_library()
    local source = support.write("fields/fields.go", "package fields\n\ntype T struct{ N int }\n")
    assert.equal("end\n", run(([==[
      assert(host:build "spec/testdata/churn/churn.go").Fill(8)
      local ffi = require "ffi"
      local shared = ffi.new "volatile uint64_t[5]" -- the handle's number and class; is it used, gone, and known to be?
      local failed = require "spec.luastates".threads(%q).run(([=[
        local ffi = require "ffi"
        ffi.cdef "int sched_yield(void);"
        local goloader = require "goloader"
        local shared = ffi.cast("volatile uint64_t *", %%d)
        local function await(i) while shared[i] == 0 do ffi.C.sched_yield() end end
        local fields = assert(assert(goloader.host()):build(%q))
        local value = fields:new("T", { N = THREAD })
        local handle = ffi.cast("struct gl_handle *", value)
        if THREAD == 1 then
          shared[1], shared[0] = handle.class, handle.id
          await(2)
          assert(fields:unload { handles = "drop" })
          shared[3] = 1
          await(4) -- as long as it stands for nothing: it is released when this state is closed
          local stats = goloader.stats().unloads
          assert(stats.voided > 0 and stats.failed_snapshots == 0, stats.voided)
        else
          await(0)
          local own, class = handle.id, handle.class
          handle.id, handle.class = shared[0], shared[1]
          local message
          repeat
            local ok, n = pcall(function() return value.N end)
            if ok then assert(n == 1, n) else message = n end
            shared[2] = 1
          until message
          handle.id, handle.class = own, class
          await(3)
          shared[4] = 1
          assert(message:find "fields.T: its module was unloaded", message)
          value:release()
          assert(fields:unload())
        end
      ]=]):format(tonumber(ffi.cast("uintptr_t", shared))), 2)
      assert(failed == 0)
      print "end"
    ]==]):format(library, source)))
  end)
end)

describe("an object that weak pointers alone lead to", function()
  local version = support.host():info().go_version:match "^go(%d+%.%d+)"
  if tonumber(version) < 1.24 then return end

  for _, way in ipairs { "snapshot", "stopped" } do
    it("is gone for them when what it refers to has gone: " .. way, function()
      local path = support.write("weakly.go", [[
package weakly

import (
	"fmt"
	"weak"
)

type holder struct{ value any }

var pointer weak.Pointer[holder]

func Keep(value any) { pointer = weak.Make(&holder{value}) }

func Value() string {
	if h := pointer.Value(); h != nil {
		return h.value.(fmt.Stringer).String()
	}
	return "gone"
}
]])
      local output = run(([[
        local weakly = assert(host:build %q)
        local module = load()
        local value = module.New:keep(1)
        weakly.Keep(value)
        value:release()
        print(weakly.Value())
        assert(module:unload())
        print(weakly.Value())
      ]]):format(path), "GOGC=off GOLOADER_UNLOAD=" .. way)
      assert.equal("a T of 1\ngone\n", output)
    end)
  end
end)
