--- Modules: what a load brings into the process, seen from Lua.
--
-- A module's fields that start with an upper-case letter are Go's exports; the loader's own methods start with a
-- lower-case one, so that no names can clash.

local check_options = require "goloader.options"
local chunks = require "goloader.roads.chunks"
local core = require "goloader.core"
local coverage = require "goloader.coverage"
local errors = require "goloader.errors"
local note = require "goloader.note"
local explain = require "goloader.roads.explain"
local generic = require "goloader.generic"
local instance = require "goloader.building.instance"
local jobs = require "goloader.jobs"
local nearest = require "goloader.nearest"
local objects = require "goloader.objects"
local road = require "goloader.roads.road"
local toolchain = require "goloader.building.toolchain"
local types = require "goloader.types"

local misuse, fail, returned = errors.misuse, errors.fail, errors.returned

---@class goloader.ModuleState  what is known of a module, kept off the module itself
---@field core userdata
---@field name string  for messages
---@field instances table<string, { core: userdata, fn: goloader.Func }>  of its generic functions, by their names
---@field load_instance nil|fun(name: string): userdata|nil, goloader.Error|nil  compiles and loads one of those
---@field is_shared boolean|nil  the process's own package, of `host:std`
---@field kinds table<string, "func"|"var"|"const"|"type"|"generic">  of what it exports
---@field object_bytes integer
---@field forget fun()  lets go of its functions
---@field functions table<string, any>  those that were taken from it
---@field refusal { err: goloader.Error, times: integer, at: number }|nil  how unloads of it have ended
---@field unloading { job: goloader.Job, pending: userdata, along: userdata[] }|nil  a thread unloads it
---@field is_given_up true|nil  it is to go as soon as it can, and no call is let in any more
---@field share string|nil  the name by which other Lua states find it
---@field is_old true|nil  of those: this Lua state has a later version
---@field successor goloader.ModuleState|nil  of the version that has replaced it. It names no goloader.Module: those
---  are the weak keys of the table below, which a value that refers to one keeps for a collection more
---@field generics table<string, goloader.GenericState>  generic functions that were taken from it
---@field recipe goloader.Recipe|nil  what another Lua state needs to make instances of its generic functions

---@type table<goloader.Module, goloader.ModuleState>
local states = setmetatable({}, { __mode = "k" })
-- What a program calls a module that is known by more than one table since it was replaced.
local faces = setmetatable({}, { __mode = "kv" })
-- The cores of all modules: the C library's userdata (src/binding/module.c), of which a goloader.Module is the face. A
-- function keeps its module's core alive when the face is forgotten, and its calls are still counted.
local cores = setmetatable({}, { __mode = "k" })

-- By the core of a module that several Lua states have: the face of the version that stands now, and which instance of
-- a generic function it is, if it is one.
---@type table<userdata, { face: goloader.Module, instance: string|nil }>
local shared = setmetatable({}, { __mode = "k" })
---@type table<string, goloader.Module>  by their names
local shared_faces = {}

---@class goloader.Module
---@field [string] any  what the Go packages export
local Module = {}

local follow, unshare ---@type fun(state: goloader.ModuleState): goloader.Module, fun(state: goloader.ModuleState)

-- What is known of a module, which is the version of the moment now where several Lua states have it.
local function current(self)
  local state = states[self]
  if state and state.share and not state.is_old and not state.core:is_current() then return states[follow(state)] end
  return state
end

local function is_export(name)
  return type(name) == "string" and not name:find "^[%l_]"
end

local function state_of(self, method)
  local state = current(self)
  if not state then
    misuse(3, "%s: no module to call it on (write module:%s, not module.%s)", method, method, method)
  end
  return state
end

local function unloaded_already(state)
  return { code = "closed", message = state.name .. " was unloaded already" }
end

-- Has Lua find out what it has no use for any more. A finalizer is called in one collection, what it was the last to
-- refer to is found in another. Lua 5.3 may collect for ever when a finalizer starts a collection and another finalizer
-- starts one within it (its runafewfinalizers doubles a number that the inner collection has set to 0); its collector
-- says that it is not running while a finalizer is.
local function collect_twice()
  if _VERSION == "Lua 5.3" and not collectgarbage "isrunning" then return false end
  collectgarbage()
  collectgarbage()
  return true
end

-- The instances of its generic functions, which go with it.
local function instances_of(state)
  local along = {}
  for _, made in pairs(state.instances) do along[#along + 1] = made.core end
  return along
end

-- What came of an unload by a thread that has ended.
local function finish_unload(state)
  local unloading = state.unloading
  state.unloading = nil
  return state.core:unload_finish(unloading.pending, unloading.along)
end

-- Has a thread unload it, and waits for that: whoever can be suspended lets others go on. Nothing where this thread is
-- to do it.
local function unload_beside(state, options, along)
  local job, pending = state.core:unload_start(options.handles == "drop", along)
  if not job then return nil end
  local unloading = { job = job, pending = pending, along = along }
  state.unloading = unloading
  job:wait()
  if state.unloading ~= unloading then return true, nil, unloaded_already(state) end -- somebody else has asked
  return true, finish_unload(state)
end

local function try_to_unload(state, options)
  local along = instances_of(state)
  local function unload()
    if options.beside and options.prove ~= "nothing" then
      local is_done, ok, err, is_held_by_handle = unload_beside(state, options, along)
      if is_done then return ok, err, is_held_by_handle end
    end
    return state.core:unload(options.prove, options.handles == "drop", along)
  end
  local ok, err, is_held_by_handle = unload()
  if is_held_by_handle and collect_twice() then -- perhaps nobody in Lua uses that handle any more
    if not state.core:is_loaded() then return nil, unloaded_already(state) end -- by a finalizer
    ok, err = unload()
  end
  return ok, err
end

local SHORTEST, LONGEST = 0.001, 0.1 -- seconds between one attempt and the next

-- Tries until the time is over. Another Lua state may replace the module meanwhile, or take part in it.
local function unload_within(self, options, wait)
  local deadline = core.clock() + wait
  local delay = SHORTEST
  local closed
  while true do
    local state = current(self)
    if not state.core:is_loaded() then return nil, unloaded_already(state) end -- by somebody else
    if wait > 0 and closed ~= state and not state.is_given_up then
      state.core:close(deadline, instances_of(state))
      closed = state
    end
    local began = core.clock()
    local ok, err = try_to_unload(state, options)
    local now = core.clock()
    if ok then
      state.forget()
      if state.share and not state.is_old then unshare(state) end
      return true
    end
    if err.code == "busy" then
      local times = state.refusal and state.refusal.times or 0
      state.refusal = { err = errors.object(err), times = times + 1, at = os.time() }
    end
    local is_replaced = err.code == "closed" and state.share and current(self) ~= state
    if not is_replaced and (err.code ~= "busy" or now >= deadline) then
      state.core:close(state.is_given_up and math.huge or 0, instances_of(state))
      return nil, err
    end
    if not is_replaced then
      -- an attempt may be work, and there should be more time without it than with it
      jobs.pause(math.min(math.max(delay, now - began), deadline - now))
      delay = math.min(2 * delay, LONGEST)
    end
  end
end

---@class goloader.UnloadOptions
---@field prove nil|"all"|"nothing"
---@field handles nil|"keep"|"drop"
---@field wait number|string|nil  seconds, or "5s"
---@field background boolean|nil
---@field force boolean|nil
---@field beside boolean|nil

local UNLOAD_OPTIONS = {
  prove = "string", handles = "string", wait = "duration", background = "boolean", force = "boolean",
  beside = "boolean",
}

-- Has a module's functions panic, and its memory given back when that can be.
local function force(state)
  local module_core, along = state.core, instances_of(state)
  local ok, err = module_core:force(along)
  if not ok then return nil, err end
  state.forget()
  if state.share and not state.is_old then unshare(state) end
  require("goloader.reload.dismissed").add {
    unload = function() return returned(module_core:unload("all", false, along)) end,
  }
  return true
end

--- Takes the module out of the process. Refused, with the reasons, while something still runs in it or refers to it. To
--- find that out takes a walk over Go's live heap. The caller waits for it, goroutines don't: where it would take more
--- than a millisecond or so it is made in a copy of the process, and Go stops only for the time that the kernel takes
--- to make the copy (`goloader.stats().unloads`). With `prove = "nothing"` there is no walk, for those who know.
---
--- A package that the module shares with others may remember its types for ever (JSON packages do, other than the
--- standard library's). Then it stays: whoever has a type can make values of it and call its methods.
---
--- Handles of its values hold it, too, unless Lua has no use for them any more. With `handles = "drop"` they do not,
--- and every use of one raises an error from then on.
---
--- With `wait`, seconds or "5s", it is tried again until then: calls and goroutines may end meanwhile, and new calls of
--- its functions, uses of its variables and new values of its types raise "module shop is being unloaded". Methods of
--- handles can still be called: who has begun something may end it. A coroutine of `goloader.spawn`, or a request of
--- nginx's, is suspended between attempts. Where it is refused in the end, all is as it was.
--- With `background = true` a module that can't go yet goes later: it is asked again within `goloader.step`, by nginx's
--- workers, and by `host:tidy()`, and no call of it is let in any more. What keeps it `host:modules()` tells.
---
--- With `beside = true` another thread does it, unless several Lua states have the module; this call waits for that as
--- `job:wait` does, which may suspend its coroutine. Meanwhile the module is as one that was unloaded.
---
--- With `force = true` a module that something refers to is unloaded all the same, as far as that is safe. For Lua it
--- is gone. For Go, each of its functions panics from then on when somebody calls it, "call of a function of module
--- shop, which was unloaded by force": what is held (a closure, a value in an interface, a timer's function, a
--- finalizer) is no way in any more, and who calls it without recovering ends the process with that message. What had
--- begun goes on until it calls one of those functions. Its types and variables stay as they are, and its memory stays,
--- until it is proven that nothing refers to it: that is asked in the background.
---@param options goloader.UnloadOptions|nil
---@return true|nil
---@return string|nil message
---@return goloader.Error|nil err  code "busy": its path tells the whole way from who keeps it
function Module:unload(options)
  local state = state_of(self, "unload")
  if state.unloading then
    if not state.unloading.job:done() then
      return fail { code = "busy", message = ("module %s can't be unloaded: it is being unloaded"):format(state.name) }
    end
    if finish_unload(state) then -- whoever has begun it is no more
      state.forget()
      return true
    end
  end
  if not state.core:is_loaded() then return fail(unloaded_already(state)) end
  if state.is_shared then
    return fail { code = "unsupported", message = ("%s is the process's own package: it stays"):format(state.name) }
  end
  options = check_options("module:unload", options, UNLOAD_OPTIONS)
  if options.prove and options.prove ~= "all" and options.prove ~= "nothing" then
    misuse(2, "module:unload: prove is \"all\" or \"nothing\", not %s", tostring(options.prove))
  end
  if options.handles and options.handles ~= "keep" and options.handles ~= "drop" then
    misuse(2, "module:unload: handles is \"keep\" or \"drop\", not %s", tostring(options.handles))
  end
  local wait = options.wait or 0
  local ok, err = unload_within(self, options, wait)
  if ok then return true end
  state = current(self)
  if options.force and err.code == "busy" then
    ok, err = force(state)
    if ok then return true end
  elseif options.background and err.code == "busy" and not state.is_given_up then
    state.is_given_up = true
    local later = { prove = options.prove, handles = options.handles }
    ok, err = require("goloader.reload.dismissed").add(self, later)
    if ok then return true end
  end
  local package = err.path and err.path[1].shared
  if package then
    err.message = ("%s (with private = true the module gets its own %s)"):format(err.message, package)
  end
  return fail(err)
end

---@return boolean
function Module:is_loaded()
  return state_of(self, "is_loaded").core:is_loaded()
end

-- What is said of a name that is not there: the nearest that is.
local function suggest(name, names)
  local near = nearest(name, names)
  return near and ("; did you mean %s?"):format(near) or ""
end

local function of_kind(state, kind)
  local names = {}
  for name, is in pairs(state.kinds) do names[name] = is == kind or nil end
  return names
end

--- A handle of an exported variable itself: what is set through it, is set for Go.
---@param name string
---@return goloader.Handle handle
function Module:ref(name)
  if type(name) ~= "string" then misuse(2, "module:ref: a variable's name expected, got %s", type(name)) end
  local state = state_of(self, "ref")
  if state.core:is_loaded() and state.kinds[name] ~= "var" then
    misuse(2, "%s has no exported variable %s%s", state.name, name, suggest(name, of_kind(state, "var")))
  end
  return state.core:ref(name)
end

--- A handle of a new variable of an exported type: `shop:new("Item", { Name = "lamp" })` is `&shop.Item{Name: "lamp"}`,
--- and so is `shop.Item { Name = "lamp" }`.
---@param type_name string
---@param value any|nil  what it is set to; nil: the type's zero value
---@return goloader.Handle handle
function Module:new(type_name, value)
  local state = state_of(self, "new")
  if type(type_name) ~= "string" then misuse(2, "module:new: a type's name expected, got %s", type(type_name)) end
  if not is_export(type_name) then misuse(2, "module:new: %s is no exported type's name", type_name) end
  local near = not state.kinds[type_name] and suggest(type_name, of_kind(state, "type"))
  if near and near ~= "" and state.core:is_loaded() then
    misuse(2, "%s has no exported type %s%s", state.name, type_name, near)
  end
  return state.core:new(type_name, value)
end

-- The instance of a generic function that was asked for by this name, loaded at the first time.
local function instance_of(state, name)
  local normal = instance.normalize(name)
  if not normal then
    return nil, { code = "compile", message = ("%s: an exported generic function with its type arguments expected, "
      .. "\"Max[int]\""):format(name) }
  end
  if not state.core:is_loaded() then return nil, { code = "closed", message = state.name .. " was unloaded" } end
  local made = state.instances[normal]
  if made then return made.fn end
  if state.core:is_closed() then return nil, { code = "busy", message = state.name .. " is being unloaded" } end
  if not state.load_instance then
    return nil, { code = "unsupported", message = ("%s: no instances of what was not built from source by host:build")
      :format(state.name) }
  end
  local loaded, err = state.load_instance(normal)
  if not loaded then return nil, err end
  cores[loaded] = true
  local fn = loaded:func(normal:match "^[^%[]*")
  if state.share then -- from here on another Lua state may take it, with a module that was replaced
    loaded:join(state.core)
    shared[loaded] = { face = shared[state.core].face, instance = normal }
  end
  made = { core = loaded, fn = road.equip(fn) }
  state.instances[normal] = made
  return made.fn
end

-- Another Lua state may replace the module while the compiler is at work: then it is an instance of the new one.
local function instantiate(state, name)
  while true do
    local fn, err = instance_of(state, name)
    if fn or err.code ~= "closed" or not state.share then return fn, err end
    local is_there, face = pcall(follow, state)
    if not is_there or states[face] == state then return nil, err end
    state = states[face]
  end
end

-- What finds what a generic function of a module is now, whichever version of that stands.
local function generic_finder(state, name)
  return function()
    local now = state
    while now.successor do now = now.successor end
    if now.share and not now.core:is_current() then now = states[follow(now)] end
    local found = now.generics[name]
    if not found then
      found = { export = now.core:generic(name), instantiate = function(wanted) return instantiate(now, wanted) end }
      now.generics[name] = found
    end
    return found
  end
end

--- An instance of a generic function, which is compiled and loaded at the first call that asks for it: `"Max[int]"`,
--- `"Map[string, shop.Item]"`. It is the module's, and goes with it. `module["Max[int]"]` is the same, but raises what
--- is returned here as an error.
---@param name string  with type arguments: types of Go, of the module, of packages that it imports, of Go's library
---@return goloader.Func|nil
---@return string|nil message
---@return goloader.Error|nil err  code "compile": what the compiler has against it
function Module:instantiate(name)
  local state = state_of(self, "instantiate")
  if type(name) ~= "string" then misuse(2, "module:instantiate: a function's name expected, got %s", type(name)) end
  return returned(instantiate(state, name))
end

---@class goloader.Parameter
---@field name string
---@field type string  Go type: "map[string]main.P"

---@class goloader.TypeParameter
---@field name string  "K"
---@field constraint string  "comparable", "~int | ~string", "any"

---@class goloader.Export
---@field name string
---@field package string  import path
---@field kind "func"|"var"|"const"|"type"
---@field signature string  "func(cat string) (string, error)"; the type of a variable or a constant ("untyped int");
---  what a type is ("struct { Name string }")
---@field value string|nil  a constant's, as Go writes it; Lua's is module[name]
---@field type_params goloader.TypeParameter[]|nil  of a generic function or type
---@field params goloader.Parameter[]  of a generic function their types mention its type parameters
---@field results goloader.Parameter[]
---@field variadic boolean
---@field typed boolean  false: the object was compiled without the information (-dwarf=false)

--- What the module exports. Of objects without export data (`compile -linkobj`) only functions and variables are known.
---@return goloader.Export[]
function Module:exports()
  local state = state_of(self, "exports")
  local exports = state.core:exports()
  for i = state.covered and #exports or 0, 1, -1 do
    if coverage.is_counter(exports[i].name) then table.remove(exports, i) end
  end
  return exports
end

---@class goloader.Symbol
---@field name string
---@field addr string  hexadecimal
---@field size integer  bytes
---@field kind string  as nm(1) prints it: t text, r read-only data, d data, b zeroed data; upper case: exported

--- Every symbol placed in memory for this module, by address.
---@return goloader.Symbol[]
function Module:symbols()
  return state_of(self, "symbols").core:symbols()
end

--- The machine code of a function as it lies in memory, with names for what it calls and refers to.
---@param name string  "Render", or a symbol's full name: "main.(*page).write"
---@return goloader.Instruction[]|nil listing  prints as text
---@return string|nil message
---@return goloader.Error|nil err
function Module:disassemble(name)
  if type(name) ~= "string" then misuse(2, "module:disassemble: a function's name expected, got %s", type(name)) end
  local listing, err = state_of(self, "disassemble").core:disassemble(name)
  if not listing then return fail(err) end
  return objects.listing(listing)
end

--- Which road a function's calls take and, instruction by instruction, why not a faster one.
---@param name string  "Render", or a symbol's full name: "main.(*page).write"
---@return goloader.Explanation|nil explanation  prints as text
---@return string|nil message
---@return goloader.Error|nil err
function Module:explain(name)
  if type(name) ~= "string" then misuse(2, "module:explain: a function's name expected, got %s", type(name)) end
  local found, err = state_of(self, "explain").core:explain(name)
  if not found then return fail(err) end
  local fn = found.export and self[found.export]
  return explain.new(found, fn and fn:road())
end

local Func = core.func_class()
local explain_func = Func.explain

--- The same, of a function at hand: `shop.Render:explain()`.
---@return goloader.Explanation|nil explanation
---@return string|nil message
---@return goloader.Error|nil err
function Func:explain()
  road.check(self, "explain")
  local found, err = explain_func(self)
  if not found then return fail(err) end
  return explain.new(found, self:road())
end

--- What of the package was executed until now, where it was built with `cover`: a profile as `go test -coverprofile`
--- writes it, for `go tool cover`.
---@param file string|nil  nil: the text is returned
---@return string|true|nil
---@return string|nil message
---@return goloader.Error|nil err
function Module:coverage(file)
  local state = state_of(self, "coverage")
  if file ~= nil and type(file) ~= "string" then
    misuse(2, "module:coverage: a file's name expected, got %s", type(file))
  end
  if not state.covered then misuse(2, "module:coverage: %s was not built with cover = \"set\"", state.name) end
  local text = coverage.profile(state.covered, function(name) return state.core:get(name) end)
  if not file then return text end
  return returned(toolchain.write_file(file, text))
end

--- Bytes of each section, bytes of the objects it was loaded from, and milliseconds of each step of the load.
---@return table<string, number>
function Module:stats()
  local state = state_of(self, "stats")
  local stats = state.core:stats()
  stats.object_bytes = state.object_bytes
  return stats
end

--- Gives a string variable of the module or the host another value, as the linker's -X does. Meant for a program that
--- was loaded with `run_init = false`: its init functions find the new value.
---@param name string  "example.com/app.Version"
---@param value string
---@return true|nil
---@return string|nil message
---@return goloader.Error|nil err
function Module:set_string(name, value)
  local state = state_of(self, "set_string")
  if type(name) ~= "string" then misuse(2, "module:set_string: a variable's name expected, got %s", type(name)) end
  if type(value) ~= "string" then misuse(2, "module:set_string: %s: a string expected, got %s", name, type(value)) end
  return returned(state.core:set_string(name, value))
end

--- Runs the program's init functions and main.main, on this thread as on a process's main thread; `args` becomes
--- os.Args. Returns only when it fails: the process ends when main.main does, and by os.Exit and uncaught panics, as
--- natively.
---@param args string[]
---@return nil
---@return string message
---@return goloader.Error err
function Module:run_main(args)
  local state = state_of(self, "run_main")
  if args ~= nil and type(args) ~= "table" then
    misuse(2, "module:run_main: a list of strings expected, got %s", type(args))
  end
  for i, each in ipairs(args or {}) do
    if type(each) ~= "string" then
      misuse(2, "module:run_main: argument #%d: a string expected, got %s", i, type(each))
    end
  end
  local _, err = state.core:run_main(args)
  return fail(err)
end

-- ---- making one ----------------------------------------------------------------------------------------------------

local function set_field(self, name, value)
  local state = current(self)
  local kind = state.kinds[name]
  if kind and kind ~= "var" then
    misuse(2, "%s: %s is no variable, but a %s", state.name, name, kind == "const" and "constant" or kind)
  elseif not kind then
    misuse(2, "%s has no exported variable %s%s", state.name, errors.shown(name), suggest(name, of_kind(state, "var")))
  end
  return state.core:set(name, value)
end

-- Raises that there is no such field; at the caller's caller.
local function raise_missing(state, field)
  if is_export(field) then
    state.core:func(field) -- which raises where the module was unloaded
    misuse(3, "%s exports no %s%s", state.name, errors.shown(field), suggest(field, state.kinds))
  end
  local names = {}
  for name in pairs(state.kinds) do names[name] = true end
  for name in pairs(Module) do names[name] = true end
  misuse(3, "a module has no method %s%s", errors.shown(field), suggest(field, names))
end

-- Integers beyond 64 bits, and numbers beyond all float64s, are only constants to Go, too.
local function read_constant(state, name)
  local value = state.core:constant(name)
  if value == nil then
    for _, export in ipairs(state.core:exports()) do
      if export.name == name and export.value then
        misuse(3, "%s: the constant %s is %s, which no number here can hold", state.name, name, export.value)
      end
    end
  end
  return value
end

local function describe(self)
  local state = states[self]
  return ("goloader.module: %s%s"):format(state.name, state.core:is_loaded() and "" or " (unloaded)")
end

local module = {}

--- The module that Lua sees of one that was loaded.
---@param loaded userdata
---@param name string  for messages
---@param object_bytes integer  what it was loaded from
---@param load_instance nil|fun(name: string): userdata|nil, goloader.Error|nil  for what was built from source
---@param is_shared boolean|nil  it is the process's own, and stays
---@param covered { files: string[], mode: string }|nil  it was built to count what is executed (goloader.coverage)
---@param recipe goloader.Recipe|nil  as load_instance has it
---@return goloader.Module
function module.new(loaded, name, object_bytes, load_instance, is_shared, covered, recipe)
  -- where packages of one module export the same name, the one that was built or given last has it: the first listed
  local kinds = loaded:kinds()
  cores[loaded] = true
  -- A table of functions, and no function, finds them: that compiles to nothing in a trace.
  local state
  local functions = setmetatable({}, {
    __index = function(functions, field)
      if state.share and not state.is_old and not loaded:is_current() then return follow(state)[field] end
      if type(field) == "string" and field:find("[", 1, true) then
        local fn, err = instantiate(state, field)
        if not fn then misuse(2, "%s", err.message) end
        functions[field] = fn
        return fn
      end
      local kind = kinds[field]
      if not kind then
        local method = Module[field]
        if method == nil then raise_missing(state, field) end
        return method
      end
      if kind == "var" then return loaded:get(field) end
      local value
      if kind == "func" then
        local was_old, fn = state.is_old, loaded:func(field)
        local its = chunks.of(faces[state], field)
        -- A version's functions choose their roads at once: what LuaJIT has compiled for calls of the last version
        -- would have one more way out for a first call.
        value = fn and (its and road.equip(fn, nil, its) or road.defer(fn))
        -- Another Lua state may have replaced it meanwhile, and it may be gone: then this is the new one's, or nothing.
        if state.share and not was_old and not loaded:is_current() then return shared[loaded].face[field] end
      elseif kind == "const" then
        value = read_constant(state, field)
        if type(value) == "table" then return value end -- a complex number, which its owner may change
      elseif kind == "type" then
        value = types.new(loaded, field)
      else
        local find = generic_finder(state, field)
        find() -- raises where the module was unloaded
        value = generic.new(find)
      end
      if state.share and kind ~= "func" then return value end -- another version may have another one
      functions[field] = value
      return value
    end,
  })
  local self = setmetatable({}, { __index = functions, __newindex = set_field, __tostring = describe })
  state = {
    core = loaded, name = name, functions = functions, instances = {}, generics = {}, load_instance = load_instance,
    kinds = kinds, object_bytes = object_bytes, is_shared = is_shared, covered = covered, recipe = recipe,
    forget = function()
      for field in pairs(functions) do functions[field] = nil end
      state.instances, state.generics = {}, {}
    end,
  }
  states[self], faces[state] = state, self
  return self
end

--- Is it the process's own package, of `host:std`?
---@param self goloader.Module
---@return boolean
function module.is_process_own(self) return states[self].is_shared or false end

--- The core of a module, and its name; nil of anything else.
---@param value any
---@return userdata|nil core
---@return string|nil name
function module.core_of(value)
  local state = current(value)
  if state then return state.core, state.name end
end

-- ---- what is there ------------------------------------------------------------------------------------------------

--- Calls a function with each module that this Lua state has loaded and still knows: its core, what Lua sees of
--- it, and what is known of it.
---@param visit fun(core: userdata, module: goloader.Module, state: goloader.ModuleState)
function module.each(visit)
  for _, state in pairs(states) do
    if faces[state] and state.core:is_loaded() then visit(state.core, faces[state], state) end
  end
end

-- ---- replacing -----------------------------------------------------------------------------------------------------

-- Finds the function that a name means now.
local function finder(self, name)
  return function()
    local fn = self[name]
    if type(fn) ~= "userdata" then misuse(3, "%s exports no function %s any more", states[self].name, name) end
    return fn
  end
end

-- The Lua half of a replacement.
local function swap_faces(self, other)
  local meta, state = getmetatable(self), states[self]
  chunks.hand_on(self, other)
  for face, its in pairs(states) do -- one that was replaced itself has several
    if its == state then
      states[face] = states[other]
      setmetatable(face, getmetatable(other))
    end
  end
  local functions = meta.__index
  for name, fn in pairs(functions) do
    if road.forward(fn, finder(self, name)) then functions[name] = nil end
  end
  for name, made in pairs(state.instances) do road.forward(made.fn, finder(self, name)) end
  local before = setmetatable({}, meta)
  states[before], faces[state], faces[states[self]] = state, before, self
  chunks.follow(before, self)
  chunks.follow(self, other)
  state.successor = states[self]
  return before
end

-- ---- several Lua states --------------------------------------------------------------------------------------------
--
-- A module that other Lua states of the process have, too (src/binding/share.c). Its versions are theirs as well: calls
-- and uses of its variables see to that in C and in compiled traces, all else here asks `is_current` first.

---@class goloader.Recipe  how instances of a module's generic functions are made
---@field interface goloader.Interface
---@field twice string
---@field imports goloader.Policy|nil

local load_instances ---@type fun(loaded: userdata, recipe: goloader.Recipe): fun(name: string): userdata|nil

--- Who makes what loads instances by a recipe.
---@param make fun(loaded: userdata, recipe: goloader.Recipe): fun(name: string): userdata|nil, goloader.Error|nil
function module.set_instance_loader(make) load_instances = make end

-- What other Lua states are told of it. Instances of its generic functions are made by the rules that hold for it:
-- where those are a function, nobody else can make any.
local function describe_for_all(state)
  return note.write {
    name = state.name, bytes = state.object_bytes, recipe = note.can_write(state.recipe) and state.recipe or nil,
    covered = state.covered and { files = state.covered.files, mode = state.covered.mode },
  }
end

-- Has what Lua knows of a module look which version stands, from now on.
local function take_part(state, name, face)
  state.share = name
  shared[state.core], shared_faces[name] = { face = face }, face
  for field, value in pairs(state.functions) do
    if road.of(value) then road.equip(value) else state.functions[field] = nil end
  end
  for normal, made in pairs(state.instances) do
    made.core:join(state.core)
    shared[made.core] = { face = face, instance = normal }
    road.equip(made.fn)
  end
end

function unshare(state)
  if shared_faces[state.share] and states[shared_faces[state.share]] == state then shared_faces[state.share] = nil end
  shared[state.core], state.share = nil, nil
end

--- Lets other Lua states of the process have it, by a name.
---@param self goloader.Module
---@param name string
---@return true|nil
---@return goloader.Error|nil err
function module.share(self, name)
  local state = current(self)
  if state.share == name then return true end
  local ok, err = state.core:share(name, describe_for_all(state))
  if not ok then return nil, err end
  take_part(state, name, faces[state])
  state.core:settle()
  return true
end

--- What Lua sees of a module that another Lua state has shared.
---@param loaded userdata
---@return goloader.Module
local function take(loaded)
  local of = note.read(loaded:note())
  local load_instance = of.recipe and load_instances(loaded, of.recipe)
  return module.new(loaded, of.name, of.bytes, load_instance, nil, of.covered, of.recipe)
end

--- The same, of one that was found by its name.
---@param loaded userdata
---@return goloader.Module
function module.take(loaded)
  local face = take(loaded)
  take_part(states[face], (loaded:cell()), face)
  loaded:settle()
  return face
end

--- The one that this Lua state has by that name already.
---@param name string
---@return goloader.Module|nil
function module.find_shared(name)
  local face = shared_faces[name]
  local state = face and current(face)
  -- one that waits for its end is called no more
  return state and state.core:is_loaded() and not state.core:is_closed() and face or nil
end

-- Lets go of a version that is not the one that stands: the last Lua state that has it unloads it.
local function let_go(state)
  local function leave() return returned(state.core:leave(instances_of(state))) end
  local ok, _, err = leave()
  if ok or err.code == "closed" then return end
  require("goloader.reload.dismissed").add { unload = leave }
end

--- Has what Lua calls the module, and its functions, stand for the version of the moment.
---@param state goloader.ModuleState
---@return goloader.Module
function follow(state)
  local face = shared[state.core].face
  state = states[face]
  if not state.core:is_current() then
    local loaded = state.core:follow()
    if loaded then
      local new = take(loaded)
      take_part(states[new], state.share, face)
      loaded:settle()
      if state.is_given_up then
        states[new].is_given_up = true
        loaded:close(math.huge)
      end
      state.is_old = true
      swap_faces(face, new)
      let_go(state)
    end
  end
  return face
end

core.set_follower(function(loaded, name)
  local known = shared[loaded]
  local state = known and states[known.face]
  if not state or not state.share then return nil end
  local face = follow(state)
  if not name then return states[face].core end
  return finder(face, known.instance or name)()
end)

--- The name by which other Lua states have it; nil: they don't.
---@param self goloader.Module
---@return string|nil
function module.share_of(self) return states[self].share end

--- Takes notice of what other Lua states have replaced.
function module.catch_up()
  for _, face in pairs(shared_faces) do current(face) end
end

--- Begins to replace a module; nobody else replaces it till `module.replace`, or `module.give_up`. Of one that no other
--- Lua state has, nothing happens.
---@param self goloader.Module
---@return userdata|true|nil claim  to be kept till then: when it is collected, that ends, too
---@return goloader.Error|nil err
function module.begin_replacing(self)
  while true do
    local state = current(self)
    if not state.share then return true end
    local ok, err = state.core:begin_replacing()
    if ok or current(self) == state then return ok, err end -- or another Lua state has replaced it just now
  end
end

--- Calls that begin from now on wait for the end of that.
---@param self goloader.Module
function module.hold_calls(self)
  if states[self].share then states[self].core:hold_calls() end
end

---@param self goloader.Module  which goes on as it is
function module.give_up(self)
  if states[self].share then states[self].core:end_replacing() end
end

--- Has a module, and the functions that were taken from it before, stand for what another one is from now on. Functions
--- that the other lacks raise that when they are called. Where other Lua states have the module, it is so for all.
---@param self goloader.Module
---@param other goloader.Module  both are the same module then
---@return goloader.Module|nil before  what the first has stood for
---@return goloader.Error|nil err
function module.replace(self, other)
  local state = states[self]
  if state.share and not state.is_old then
    local new = states[other]
    local ok, err = state.core:end_replacing(new.core, describe_for_all(new))
    if not ok then return nil, err end
    take_part(new, state.share, self)
    new.core:settle()
  end
  state.is_old = state.share and true
  return swap_faces(self, other)
end

-- ---- what was called -----------------------------------------------------------------------------------------------

---@class goloader.Counters
---@field calls integer
---@field crossings integer  into Go and back
---@field panics integer
---@field bytes_in integer  copied, of arguments
---@field bytes_out integer  and of results

---@class goloader.ExportCounters: goloader.Counters
---@field module string
---@field name string

---@class goloader.Stats: goloader.Counters  of all modules that are loaded
---@field exports goloader.ExportCounters[]  those that were used
---@field unloads goloader.UnloadStats|nil  of this process; nil without a host

---@class goloader.UnloadStats  how it was found out whether modules may go, which nothing resets
---@field snapshots integer  in a copy of the process, while the process went on
---@field failed_snapshots integer  there was no copy to be had: then it was done as for small heaps
---@field stops integer  with Go stopped
---@field voided integer  what a copy had said was void: a handle or type that would have gone was used meanwhile
---@field pause_ms number  for how long the last unload, or attempt at one, stopped Go at once, at most

--- What was called and copied in all modules that are loaded.
---@param reset boolean  counting starts anew
---@return goloader.Stats
function module.call_stats(reset)
  local exports = {}
  for loaded in pairs(cores) do
    if loaded:is_loaded() then
      for _, export in ipairs(loaded:call_stats(reset)) do exports[#exports + 1] = export end
    end
  end
  table.sort(exports, function(a, b)
    if a.module ~= b.module then return a.module < b.module end
    return a.name < b.name
  end)
  local stats = { calls = 0, crossings = 0, panics = 0, bytes_in = 0, bytes_out = 0 }
  for _, export in ipairs(exports) do
    for name, sum in pairs(stats) do stats[name] = sum + export[name] end
  end
  stats.exports = exports
  return stats
end

return module
