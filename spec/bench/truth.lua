-- The proof of unloads against the truth: `make soak-unload` for 100,000 of them.
--
--     luajit spec/env.lua spec/bench/truth.lua [UNLOADS [SEED [THREADS]]]
--
-- Several Lua states, each in a thread of its own, load modules and make random graphs of their values: in objects of
-- all shapes, variables, frames, channels, maps, timers, finalizers, contexts, handles, jobs, callbacks, each of which
-- may hold values of several modules. In the middle of that they ask for unloads, and then use all that is alive. What
-- must be held is known here: a module goes only if nothing that lives has a value of it, and where it is refused the
-- reason must be one that is there.

local unloads, seed, threads = tonumber(arg[1] or 300), tonumber(arg[2] or os.time()), tonumber(arg[3] or 3)

local STATE = [==[
local unloads, seed, object = %d, %d, %q
package.path, package.cpath = %q, %q
math.randomseed(seed + THREAD)
local goloader = require "goloader"
local host = assert(goloader.host())
local keeper = assert(host:build "spec/testdata/retention/keeper")
local random = math.random
local log = {} -- what was done last

local function wrong(format, ...)
  error(("seed %%d, thread %%d: %%s\n%%s"):format(seed, THREAD, format:format(...),
    table.concat(log, "\n", math.max(1, #log - 30))), 0)
end

local function note(format, ...) log[#log + 1] = format:format(...) end

-- ---- what there is ---------------------------------------------------------------------------------------------

local modules = {} -- { module =, number = }, those that are loaded
local nodes = {} -- { handle =, text =, of = { [module] = true } }, which Lua has
local places = {} -- the same by kinds of places of the keeper's, which has them
local jobs = {} -- { job =, text =, of = }
local kinds, frames, place = {}, {}, nil -- one value has been put into the variable at a time
local made, done, refused, kept = 0, 0, 0, {}

for _, kind in ipairs(keeper.Kinds()) do
  -- one ends by itself, the other waits for the end of what others here have, too
  if kind ~= "timer that nobody has" and kind ~= "finalizer: its object's type" then
    local list = kind:find "^frame" and frames or kinds
    list[#list + 1] = kind
  end
end

local function some(list) return list[random(#list)] end

local function some_place()
  local names = {}
  for name in pairs(places) do names[#names + 1] = name end
  table.sort(names)
  return some(names)
end

local function holders_of(module)
  local by = {}
  for _, node in ipairs(nodes) do
    if node.of[module] then by.handle = true end
  end
  for kind, held in pairs(places) do
    if held.of[module] then by.place = kind end
  end
  for _, job in ipairs(jobs) do
    if job.of[module] then by.job = true end -- perhaps: it may be done
  end
  return by
end

-- ---- unloads ---------------------------------------------------------------------------------------------------

-- A reason that can't be there when nothing holds a value of the module. Stacks may still have what somebody has left,
-- goroutines may be under way.
local IMPOSSIBLE = { handle = true, variable = true, timer = true, finalizer = true, finalized = true, library = true,
  module = true, unknown = true, ["code at run time"] = true }

local function forget(entry)
  for i, each in ipairs(modules) do
    if each == entry then table.remove(modules, i) break end
  end
end

local function unload(entry, beneath)
  local by = holders_of(entry)
  local ok, message, err = entry.module:unload()
  done = done + 1
  note("unload %%d: %%s", entry.number, ok and "gone" or message:match "^[^\n]*")
  if ok then
    if by.handle or by.place or beneath then
      wrong("module %%d went, held by %%s", entry.number, by.handle and "a handle" or by.place or beneath)
    end
    return forget(entry)
  end
  refused = refused + 1
  if err.code ~= "busy" then wrong("%%s: %%s", err.code, message) end
  local kind = err.path[1].kind
  kept[kind] = (kept[kind] or 0) + 1
  if kind ~= "handle" and kind ~= "goroutine" and err.path[#err.path].kind ~= "reference" then
    wrong("a way without an end: %%s", message)
  end
  if kind == "handle" and not by.handle then wrong("no handle is there: %%s", message) end
  if next(by) == nil and not beneath and IMPOSSIBLE[kind] then wrong("nothing of that is there: %%s", message) end
end

-- ---- what is done ----------------------------------------------------------------------------------------------

local function add(handle, text, of)
  nodes[#nodes + 1] = { handle = handle, text = text, of = of }
  return nodes[#nodes]
end

local function use(node)
  local said = node.handle:String()
  if said ~= node.text then wrong("said %%s, not %%s", said, node.text) end
end

local function drop(i)
  local node = table.remove(nodes, i)
  use(node)
  node.handle:release()
end

local acts = {}

function acts.load()
  if #modules > 6 then return end
  made = made + 1
  local entry = { module = assert(host:load(object)), number = made }
  modules[#modules + 1] = entry
  note("load %%d", made)
  add(entry.module.New:keep(made), "a T of " .. made, { [entry] = true })
end

function acts.value()
  local entry = some(modules)
  if entry and #nodes < 30 then
    add(entry.module.New:keep(entry.number), "a T of " .. entry.number, { [entry] = true })
  end
end

function acts.join()
  if #nodes == 0 or #nodes > 30 then return end
  local a, b = some(nodes), some(nodes)
  if #a.text + #b.text > 2000 then return end
  local of = {}
  for entry in pairs(a.of) do of[entry] = true end
  for entry in pairs(b.of) do of[entry] = true end
  local shape = random(tonumber(keeper.Shapes()))
  note("join by shape %%d", shape)
  add(keeper.Join:keep(shape, a.handle, b.handle), ("(%%s,%%s)"):format(a.text, b.text), of)
end
acts.join_again = acts.join

-- What was made of a node's type says that one's name, and a frame that needs a type alone needs nothing of its values.
local function fits(node, kind)
  return not node.text:find "^%%(" or not kind:find "^reflect" and not kind:find "used for its type alone"
end

function acts.hold()
  local node = some(nodes)
  local kind = some(random(2) == 1 and not place and kinds or frames)
  if not node or places[kind] then return end
  if not fits(node, kind) then return end
  note("hold: %%s", kind)
  keeper.Hold(kind, node.handle)
  places[kind] = node
  if not kind:find "^frame" then place = kind end
end

function acts.release()
  local kind = some_place()
  if not kind then return end
  local node = places[kind]
  note("release: %%s", kind)
  places[kind] = nil
  if kind == place then place = nil end
  local said = keeper.Release(kind)
  if said ~= node.text then wrong("%%s said %%s, not %%s", kind, said, node.text) end
end

function acts.drop() if #nodes > 0 then drop(random(#nodes)) end end
acts.drop_again, acts.drop_once_more, acts.release_again = acts.drop, acts.drop, acts.release

function acts.use() if #nodes > 0 then use(some(nodes)) end end

function acts.pool()
  local node = some(nodes)
  if node then keeper.Pool(node.handle) end
end

function acts.pooled()
  local said = keeper.Pooled()
  if said ~= "" and not said:find "a T of %%d" then wrong("from the pool: %%s", said) end
end

function acts.trouble() if #nodes > 0 then keeper.Trouble(some(nodes).handle) end end

function acts.job()
  local node = some(nodes)
  if not node or #jobs > 3 then return end
  jobs[#jobs + 1] = { job = keeper.Later:async(node.handle, random(0, 4)), text = node.text, of = node.of }
end

function acts.wait()
  if #jobs == 0 then return end
  local job = table.remove(jobs, random(#jobs))
  local said = job.job:wait()
  if said ~= job.text then wrong("a job said %%s, not %%s", said, job.text) end
end

function acts.unload() if #modules > 0 then unload(some(modules)) end end
acts.unload_another, acts.unload_once_more = acts.unload, acts.unload

-- Beneath a call that has the value in a frame, with acts within.
local depth = 0
local function act_within() end
function acts.ask()
  local node = some(nodes)
  if not node or depth > 1 then return end
  local entry, frame = next(node.of), some(frames):match ": (.*)"
  if not fits(node, frame) then return end
  note("ask: %%s", frame)
  depth = depth + 1
  local said = keeper.Ask(frame, node.handle, function()
    note "within"
    if random(2) == 1 then act_within() end
    -- another act may have let it go by now, but for the frame
    if entry.module:is_loaded() then unload(entry, frame) end
  end)
  depth = depth - 1
  if said ~= node.text then wrong("%%s said %%s, not %%s", frame, said, node.text) end
end

local names = {}
for name in pairs(acts) do names[#names + 1] = name end
table.sort(names)
function act_within() acts[some(names)]() end

-- What only stays because a goroutine has not gone on yet must go in the end.
local function finish()
  while some_place() do acts.release() end
  while jobs[1] do acts.wait() end
  while nodes[1] do drop(1) end
  for round = 1, 100 do
    for i = #modules, 1, -1 do unload(modules[i]) end
    if not modules[1] then return end
    keeper.Scrub()
    keeper.Pooled()
    -- those who work on values forget the last ones by others
    local last = assert(host:load(object))
    for _ = 1, 8 do
      local value = last.New:keep(0)
      keeper.Work(value)
      value:release()
    end
    modules[#modules + 1] = { module = last, number = 0 }
    if round == 100 then wrong("%%d modules stay", #modules) end
  end
end

keeper.Churn(200)
while done < unloads do
  for _ = 1, 40 do act_within() end
  for _, node in ipairs(nodes) do use(node) end
  if random(20) == 1 then finish() end
  if #log > 1000 then log = {} end
end
finish()
local reasons = {}
for kind, n in pairs(kept) do reasons[#reasons + 1] = n .. " " .. kind end
table.sort(reasons)
io.write(("thread %%d: %%d unloads of %%d modules, %%d refused: %%s\n"):format(THREAD, done, made, refused,
  table.concat(reasons, ", ")))
]==]

local support = require "spec.support"
local ffi = require "ffi"

local library = support.tmpdir() .. "/threads.so"
assert(support.run { "sh", "-c", "cc -O1 -shared -fPIC -pthread $(pkg-config --cflags luajit) -o " .. library
  .. " spec/testdata/threads.c" } == 0, "the compiler")
ffi.cdef "int run_states(const char *, int);"
local object = support.compile("spec/testdata/retention/thing/thing.go", "thing")
assert(require "goloader".host())
io.stdout:setvbuf "no"
local failed = ffi.load(library).run_states(
  STATE:format(math.ceil(unloads / threads), seed, object, package.path, package.cpath), threads)
support.clean()
os.exit(failed == 0 and 0 or 1)
