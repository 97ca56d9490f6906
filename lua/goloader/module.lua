--- Modules: what a load brings into the process, seen from Lua.
--
-- A module's fields that start with an upper-case letter are Go's exports; the loader's own methods start with a
-- lower-case one, so that no names can clash.

local check_options = require "goloader.options"
local chunks = require "goloader.roads.chunks"
local core = require "goloader.core"
local coverage = require "goloader.coverage"
local errors = require "goloader.errors"
local explain = require "goloader.roads.explain"
local generic = require "goloader.generic"
local instances = require "goloader.modules.instances"
local known = require "goloader.modules.known"
local nearest = require "goloader.nearest"
local objects = require "goloader.objects"
local road = require "goloader.roads.road"
local sharing = require "goloader.modules.sharing"
local toolchain = require "goloader.building.toolchain"
local types = require "goloader.types"
local unloading = require "goloader.modules.unloading"

local misuse, fail, returned = errors.misuse, errors.fail, errors.returned

local states, faces, cores = known.states, known.faces, known.cores
local current = sharing.current

---@class goloader.Module
---@field [string] any  what the Go packages export
local Module = {}

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
    if unloading.finish(state) then -- whoever has begun it is no more
      state.forget()
      return true
    end
  end
  if not state.core:is_loaded() then return fail(unloading.done_already(state)) end
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
  local ok, err = unloading.within(self, options, wait)
  if ok then return true end
  state = current(self)
  if options.force and err.code == "busy" then
    ok, err = unloading.force(state)
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
  return returned(instances.get(state, name))
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
      if state.share and not state.is_old and not loaded:is_current() then return sharing.follow(state)[field] end
      if type(field) == "string" and field:find("[", 1, true) then
        local fn, err = instances.get(state, field)
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
        if state.share and not was_old and not loaded:is_current() then return sharing.face_of(loaded)[field] end
      elseif kind == "const" then
        value = read_constant(state, field)
        if type(value) == "table" then return value end -- a complex number, which its owner may change
      elseif kind == "type" then
        value = types.new(loaded, field)
      else
        local find = instances.finder(state, field)
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

return module
