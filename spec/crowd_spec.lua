-- Many modules at once: what they cost each other, and what is left of them.
local support = require "spec.support"

teardown(support.clean)

local crowd, symbolize, threads

local HEAD = [[
  local goloader = require "goloader"
  local host = assert(goloader.host())
  local crowd, symbolize = %q, %q
  local function status(name) -- kilobytes
    local file = assert(io.open "/proc/self/smaps_rollup")
    local text = file:read "*a"
    file:close()
    return tonumber(text:match(name .. ":%%s*(%%d+)"))
  end
  local function shuffle(list)
    for i = #list, 2, -1 do
      local k = math.random(i)
      list[i], list[k] = list[k], list[i]
    end
  end
  math.randomseed(11)
]]

local SMALL = [[
package small

import "fmt"

type point struct{ x, y int }

func (p *point) String() string { return fmt.Sprint(p.x + p.y) }

var names = []string{"here", "there"}
var last fmt.Stringer

func Add(x, y int) int {
	last = &point{x, y}
	return x + y
}

func Name(i int) string { return names[i] }
]]

local function run(script, environment)
  return support.clean_output_of(support.lua(HEAD:format(crowd, symbolize) .. script, environment, "luajit"))
end

local function numbers(text)
  local list = {}
  for word in text:gmatch "%S+" do list[#list + 1] = assert(tonumber(word), text) end
  return list
end

describe("a thousand modules", function()
  setup(function()
    crowd = support.compile(support.read "spec/testdata/crowd/crowd.go", "crowd")
    symbolize = support.compile(support.read "spec/testdata/crowd/symbolize.go", "symbolize")
    threads = support.tmpdir() .. "/threads.so"
    assert.equal(0, (support.run { "cc", "-shared", "-fPIC", "-o", threads, "spec/testdata/crowd/threads.c" }))
  end)

  -- How long all of this takes is measured by `make bench`; what it depends on is counted here. Each frame of a stack
  -- that is walked over or grows is looked up in the runtime's list of moduledatas, and each offset in a type
  -- (runtime/symtab.go, findmoduledatap; type.go, resolveTypeOff): both go through it until one has the address.
  it("lengthen no look-up of a function or a type", function()
    local few, many, types_few, types_many = unpack(numbers(run [[
      local ffi = require "ffi"
      ffi.cdef 'extern char firstmoduledata[] __asm__("runtime.firstmoduledata");'
      local offsets = {}
      for name, offset in io.open(host.path .. ".desc"):read "*a":gmatch "\nfield\truntime%.moduledata\t(%S+)\t(%d+)" do
        offsets[name] = tonumber(offset)
      end
      local function word(address, field)
        return ffi.cast("uintptr_t *", address + assert(offsets[field], field))[0]
      end
      local first = ffi.cast("uintptr_t", ffi.cast("char *", ffi.load(host.path).firstmoduledata))
      local function steps(address, from, to)
        local n, md = 1, first
        while not (word(md, from) <= address and address < word(md, to)) do
          n, md = n + 1, word(md, "next")
          assert(md ~= 0, "no moduledata has it")
        end
        return n
      end
      local modules = {}
      local function most()
        local functions, types = 0, 0
        for _, module in ipairs(modules) do
          functions = math.max(functions, steps(module.PCs()[1], "minpc", "maxpc"))
          types = math.max(types, steps(module.Type(), "types", "etypes"))
        end
        return functions, types
      end
      modules[1] = assert(host:load(crowd))
      local few, types_few = most()
      for i = 2, 1000 do modules[i] = assert(host:load(crowd)) end
      local many, types_many = most()
      print(few, many, types_few, types_many)
    ]]))
    assert.equal(few, many)
    assert.equal(types_few, types_many)
  end)

  it("take little memory beside their own, and give it back whatever the order is", function()
    local small = support.compile(SMALL, "small")
    local each, own, left, maps = unpack(numbers(run(([[
      local probe = assert(host:load(crowd))
      local small = %q
      local function settle() for _ = 1, 3 do collectgarbage() probe.Collect() end end
      local function mappings()
        local n = 0
        for _ in io.lines "/proc/self/maps" do n = n + 1 end
        return n
      end
      local function cycle(n)
        local modules, own = {}, 0
        settle()
        local before, maps = status "Rss", mappings()
        for i = 1, n do
          modules[i] = assert(host:load(small))
        end
        assert(modules[n].Add(n, n) == 2 * n)
        settle()
        local loaded = status "Rss"
        local stats = modules[1]:stats()
        own = (stats.text + stats.rodata + stats.data + stats.bss) / 1024
        shuffle(modules)
        for i = 1, n do assert(modules[i]:unload()) end
        modules = nil
        -- what has rested is given back at an unload
        settle()
        assert(assert(host:load(small)):unload())
        settle()
        return (loaded - before) / n, own, status "Rss" - before, mappings() - maps
      end
      cycle(100)
      print(cycle(1000))
    ]]):format(small))))
    assert.is_true(each - own < 24, ("%.1f KB for a module of %.1f KB"):format(each, own))
    assert.is_true(left < 4096, ("%d KB are left of 1000 modules of %.1f KB"):format(left, each))
    assert.is_true(maps < 100, ("%d mappings are left"):format(maps))
  end)

  it("are found by address, name and type, and nothing else is", function()
    assert.equal("ok\n", run [[
      local modules, traces = {}, {}
      local lookup = assert(host:load(symbolize))
      local trace = "Trace.func1:%d+ deep:%d+ deep:%d+ deep:%d+ Trace:%d+ $"
      local pcs = {}
      for round = 1, 6 do
        for i = 1, 200 do
          if not modules[i] then
            modules[i] = assert(host:load(crowd))
            pcs[i] = modules[i].PCs()[1]
          end
        end
        local first
        for i = 1, 200 do
          local said = modules[i].Trace()
          first = first or said
          assert(said:match(trace) and said == first, said)
          assert(modules[i].Add(i, 3) == i .. " 3")
          assert(tostring(select(2, modules[i].Fail())):match "^1 2", "it does not say what it panics with")
          modules[i].Grow(1)
          local name = lookup.Name(pcs[i])
          assert(name:match "^crowd.PCs .*crowd.go:%d+ ", name)
        end
        for i = 1, 200 do
          if math.random() < 0.5 then
            assert(modules[i]:unload { wait = 5 })
            modules[i] = nil
            local name = lookup.Name(pcs[i])
            assert(name == "goloader.unloaded ?:0 goloader.unloaded false", name)
          end
        end
      end
      print "ok"
    ]])
  end)

  it("have variables and types of their own, whether they are large or small", function()
    local source = support.read "spec/testdata/crowd/types.go"
    local small = support.compile(source, "types")
    local more = "\n// Large is more than small modules have.\nvar Large [4096]*item\n"
    local large = support.compile(source .. more, "types")
    local script = ([[
      local paths = { %q, %q }
      local modules, sizes = {}, {}
      for round = 1, 4 do
        for i = 1, 150 do
          if not modules[i] then
            modules[i], sizes[i] = assert(host:load(paths[i %% 5 == 0 and 2 or 1])), math.random(20)
            modules[i].Fill(sizes[i])
          end
        end
        for i = 1, 150 do
          local n = sizes[i]
          local sum = modules[i].Sum()
          assert(sum == n * (n - 1) + n + n - 1 + n, ("%%d of %%d is %%d"):format(i, n, sum))
          assert(modules[i].Same(), "reflect makes a type that is there")
        end
        for i = 1, 150 do
          if math.random() < 0.5 or round == 4 then
            assert(modules[i]:unload { wait = 5 })
            modules[i] = nil
          end
        end
      end
      print "ok"
    ]]):format(small, large)
    assert.equal("ok\n", run(script))
    assert.equal("ok\n", run(script, "GOGC=1 GODEBUG=gccheckmark=1,clobberfree=1,invalidptr=1"))
  end)

  local function at_random(environment, rounds)
    return run(([[
      local ffi = require "ffi"
      ffi.cdef "int run_states(int n, const char *chunk);"
      local chunk = ("package.path, package.cpath = %%q, %%q\n"):format(package.path, package.cpath) .. ([=[
        local number = ...
        math.randomseed(number)
        local host = assert(require "goloader".host())
        local modules = {}
        for step = 1, %d do
          local i = math.random(30)
          local module = modules[i]
          if not module then
            modules[i] = assert(host:load(%%q))
          elseif math.random() < 0.5 then
            assert(module:unload { wait = 5 })
            modules[i] = nil
          else
            assert(module.Add(step, number) == step .. " " .. number)
            local trace = module.Trace()
            assert(trace:match "^Trace.func1:%%%%d+ deep:%%%%d+ deep:%%%%d+ deep:%%%%d+ Trace:%%%%d+ $", trace)
            module.Grow(2)
            assert(select(2, module.Fail()))
          end
        end
        for _, module in pairs(modules) do assert(module:unload { wait = 5 }) end
      ]=]):format(crowd)
      print(ffi.load(%q).run_states(3, chunk))
    ]]):format(rounds, threads), environment)
  end

  it("come and go from several threads and Lua states", function()
    assert.equal("0\n", at_random(nil, 400))
  end)

  it("come and go with the collector looking closely", function()
    assert.equal("0\n", at_random("GOGC=1 GODEBUG=gccheckmark=1,clobberfree=1,invalidptr=1", 40))
  end)

  it("are never where one was that went without proof", function()
    local source = "package large\n\nvar room [4 << 20]byte\n\nfunc Room() int { return len(room) }\n"
    local large = support.compile(source, "large")
    assert.equal("ok\n", run(("local large = %q\n"):format(large) .. [[
      local held = assert(host:build "spec/testdata/held/held.go")
      held.Format()
      assert(not held:unload())
      assert(held:unload { prove = "nothing" })
      -- until addresses are used again, and then there, if that is among them
      for _ = 1, 20 do assert(assert(host:load(large)):unload()) end
      for _ = 1, 20 do assert(assert(host:load(crowd)):unload()) end
      print "ok"
    ]]))
  end)
end)
