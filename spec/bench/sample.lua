-- One measured process of the bench (run.lua): does one thing with the loader, or a baseline that needs LuaJIT only,
-- and prints how long it took.
--
--     load FILE.o                    milliseconds from the object to a callable function, the host being started
--     warm FILE.o FUNCTION           the same of a function when the object has been loaded before: median
--     scale WARM.o FILE.o…           milliseconds to load the files as one module, when another has been loaded before
--     images FILE.o…                 bytes that gdb is told, and bytes of code that they are about
--     unload FILE.o                  milliseconds to unload and to load, medians of repeated pairs
--     heap FILE.o MEGABYTES GOROUTINES   with so many megabytes of small objects alive and so many goroutines, the
--                                    milliseconds that a goroutine did not run in an unload, that the unload took, and
--                                    runtime.GC(): medians
--     modules FILE.o COUNT           with so many of them loaded: milliseconds to load another, nanoseconds of a
--                                    traceback, a collection and type assertions in one, ms to unload; medians
--     memory FILE.o COUNT            bytes that each of so many takes, beside what it has itself
--     start HOST.so                  milliseconds from `require` to the first Go call; resident megabytes then
--     dlopen LIBRARY.so              the same for an empty Go library
--     edit FILE.go NEW.go CATALOGUE  milliseconds from the edit to the first answer of the new code; what it answered
--     programs FILE.o…               names of the programs in package native, one a line
--     native PROGRAM TIMES FILE.o…   nanoseconds of the fastest run of such a program; what it computed

local ffi = require "ffi"
local now = require "spec.bench.clock"
local tools = require "spec.bench.tools"

local median, read = tools.median, tools.read

ffi.cdef [[
void Nothing(void);
]]

local function start()
  return assert(require("goloader").host())
end

local samples = {}

function samples.load(object)
  local host = start()
  local begin = now()
  local list = assert(host:load(object))
  local render = list.Render
  local took = now() - begin
  assert(render)
  return took
end

function samples.warm(object, name)
  local host = start()
  local times = {}
  for i = 0, 31 do
    local begin = now()
    local module = assert(host:load(object))
    local fn = module[name]
    times[i] = now() - begin -- the first is not counted
    assert(fn)
    assert(module:unload())
  end
  return median(times)
end

function samples.scale(warm, ...)
  local host = start()
  assert(host:load(warm))
  local begin = now()
  assert(host:load { ... })
  return now() - begin
end

-- The files in memory that gdb's JIT interface lists (src/debug/gdb.c): their first section, .text, is as large as the
-- code.
function samples.images(...)
  ffi.cdef [[
    struct jit_entry { struct jit_entry *next, *prev; const uint8_t *file; uint64_t size; };
    struct jit_list { uint32_t version, action; struct jit_entry *relevant, *first; };
    extern struct jit_list __jit_debug_descriptor;
  ]]
  local SECTIONS, SECTION, SIZE = 40, 64, 32 -- e_shoff of Elf64_Ehdr, the size of Elf64_Shdr, its sh_size
  assert(start():load { ... })
  local images, code = 0, 0
  local entry = ffi.load(package.searchpath("goloader.core", package.cpath)).__jit_debug_descriptor.first
  while entry ~= nil do
    local sections = ffi.cast("uint64_t *", entry.file + SECTIONS)[0]
    images = images + tonumber(entry.size)
    code = code + tonumber(ffi.cast("uint64_t *", entry.file + sections + SECTION + SIZE)[0])
    entry = entry.next
  end
  return images, code
end

function samples.unload(object)
  local host = start()
  local loads, unloads = {}, {}
  for i = 1, 21 do
    local begin = now()
    local list = assert(host:load(object))
    local loaded = now()
    assert(list:unload())
    loads[i], unloads[i] = loaded - begin, now() - loaded
  end
  return median(unloads), median(loads)
end

function samples.heap(object, megabytes, goroutines)
  local host = start()
  local heap = assert(host:build "spec/bench/heap/heap.go")
  heap.Fill(tonumber(megabytes))
  heap.Start(tonumber(goroutines))
  heap.Collect()
  local gaps, unloads, collections = {}, {}, {}
  for i = 1, 7 do
    local module = assert(host:load(object))
    collections[i] = heap.Collect()
    heap.Watch()
    local begin = now()
    assert(module:unload())
    unloads[i] = now() - begin
    gaps[i] = heap.Gap()
  end
  return median(gaps), median(unloads), median(collections)
end

local function load_many(host, object, count)
  local modules = {}
  for i = 1, tonumber(count) do modules[i] = assert(host:load(object)) end
  return modules
end

function samples.modules(object, count)
  local host = start()
  local modules = load_many(host, object, count)
  local crowd = assert(host:build "spec/bench/crowd/crowd.go") -- the last of all
  local loads, unloads = {}, {}
  for i = 1, 31 do
    local begin = now()
    local module = assert(host:load(object))
    local loaded = now()
    assert(module:unload())
    loads[i], unloads[i] = loaded - begin, now() - loaded
  end
  local traceback, collection, assertion = crowd.Traceback(), crowd.Collect(), crowd.Assert()
  assert(#modules == tonumber(count))
  return median(loads), traceback, collection, assertion, median(unloads)
end

function samples.memory(object, count)
  local host = start()
  local crowd = assert(host:build "spec/bench/crowd/crowd.go")
  local function settle() for _ = 1, 3 do collectgarbage() crowd.Free() end end
  load_many(host, object, 10)
  settle()
  local before = tools.resident()
  local modules = load_many(host, object, count)
  settle()
  local stats = modules[1]:stats()
  return (tools.resident() - before) / #modules, stats.text + stats.rodata + stats.data + stats.bss
end

function samples.start(path)
  local begin = now()
  local host = assert(require("goloader").host { path = path })
  host:stats() -- answered by Go
  local took = now() - begin
  return took, tools.resident() / 2 ^ 20
end

function samples.dlopen(path)
  local begin = now()
  local library = ffi.load(path)
  library.Nothing()
  local took = now() - begin
  return took, tools.resident() / 2 ^ 20
end

function samples.edit(source, edited, products)
  local host = start()
  local function build_and_ask()
    local list = assert(host:build(source))
    assert(list.Open(products))
    local _, count = assert(list.Render("phones", "")):gsub('<li id="p', "")
    return count
  end
  build_and_ask()
  local text = read(edited)
  local file = assert(io.open(source, "wb"))
  file:write(text)
  assert(file:close())
  local begin = now()
  local count = build_and_ask()
  return now() - begin, count
end

function samples.programs(...)
  return table.concat(assert(start():load { ... }).Names(), "\n")
end

function samples.native(program, times, ...)
  return assert(assert(start():load { ... }).Run(program, tonumber(times)))
end

local what = table.remove(arg, 1)
local sample = samples[what] or error("no sample " .. tostring(what))
io.write(table.concat({ sample(unpack(arg)) }, " "), "\n")
-- A Go runtime has threads that outlive what Lua closes at its end.
os.exit(0, false)
