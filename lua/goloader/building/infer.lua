-- Type arguments of generic functions, as far as what Lua gives tells them.
--
-- Lua values say less than Go's: a table may be a slice, a map or any struct. So only what has one meaning counts:
--
-- 1. true is a bool, "x" a string; an int64_t, a uint64_t, an element of an FFI array and a handle know their own type.
-- 2. A number is what the same number is in a Go program's text, an untyped constant: of a type that other arguments
--    say; else an int where all numbers for this type parameter are integers, and a float64 where one is not.
-- 3. For a parameter that is a slice, an array or a map of something, each element is asked.
-- 4. Where the constraint of a type parameter is a single term ("~[]E"), the argument is asked as one of that type.
--
-- What stays open has to be said by who calls. What the constraints have against it is the compiler's business.

local arrays = require "goloader.roads.arrays"
local core = require "goloader.core"
local instance = require "goloader.building.instance"

local has_ffi, ffi = pcall(require, "ffi")
local handles = core.handle_class()

local infer = {}

-- ---- Go types, as text and as trees ---------------------------------------------------------------------------------

---@class goloader.TypeTree
---@field kind "param"|"slice"|"array"|"map"|"ptr"|"chan"|"named"|"other"
---@field text string
---@field elem goloader.TypeTree|nil
---@field key goloader.TypeTree|nil
---@field name string|nil  of a param, or of a named type without its type arguments
---@field args goloader.TypeTree[]|nil

local parse

local function parse_named(text, params)
  local name, list = text:match "^([^%[]*)(%b[])$"
  local tree = { kind = "named", text = text, name = name or text, args = {} }
  for i, each in ipairs(list and instance.split(list:sub(2, -2)) or {}) do
    tree.args[i] = parse(each:gsub("^%s+", ""), params)
  end
  return tree
end

-- params: the names of type parameters, as keys
function parse(text, params)
  if params[text] then return { kind = "param", text = text, name = text } end
  local first, rest = text:match "^%[(%d*)%](.*)$"
  if first then
    return { kind = first == "" and "slice" or "array", text = text, size = first, elem = parse(rest, params) }
  end
  first, rest = text:match "^map(%b[])(.*)$"
  if first then
    return { kind = "map", text = text, key = parse(first:sub(2, -2), params), elem = parse(rest, params) }
  end
  rest = text:match "^%*(.*)$"
  if rest then return { kind = "ptr", text = text, elem = parse(rest, params) } end
  first, rest = text:match "^(<?%-?chan<?%-?) (.*)$"
  if first then
    return { kind = "chan", text = text, word = first, elem = parse(rest:match "^%((.*)%)$" or rest, params) }
  end
  if text:find "^func%(" or text:find "^struct {" or text:find "^interface {" then
    return { kind = "other", text = text }
  end
  return parse_named(text, params)
end

-- The text of a type once its type parameters are known; nil where one of them isn't, or can't be put there.
local function render(tree, known, params)
  if tree.kind == "param" then
    return known[tree.name] and known[tree.name].text
  elseif tree.kind == "other" then
    for name in tree.text:gmatch "[%a_\128-\255][%w_\128-\255]*" do
      if params[name] then return nil end
    end
    return tree.text
  elseif tree.kind == "named" then
    local args = {}
    for i, arg in ipairs(tree.args) do
      args[i] = render(arg, known, params)
      if not args[i] then return nil end
    end
    return args[1] and ("%s[%s]"):format(tree.name, table.concat(args, ",")) or tree.name
  end
  local elem = render(tree.elem, known, params)
  local key = tree.key and elem and render(tree.key, known, params)
  if not elem or tree.key and not key then return nil end
  if tree.kind == "map" then return ("map[%s]%s"):format(key, elem) end
  if tree.kind == "ptr" then return "*" .. elem end
  if tree.kind == "chan" then return ("%s (%s)"):format(tree.word, elem) end
  return ("[%s]%s"):format(tree.size, elem)
end

-- ---- values ---------------------------------------------------------------------------------------------------------

local function is_float(number)
  if math.type and math.type(number) == "float" then return true end -- luacheck: ignore 143
  return number % 1 ~= 0 or number >= 2 ^ 63 or number < -2 ^ 63
end

-- The Go type of a value that says it; and whether that is only what a constant would become.
local function type_of(value)
  local kind = type(value)
  if kind == "boolean" then return "bool" end
  if kind == "string" then return "string" end
  if kind == "number" then return is_float(value) and "float64" or "int", true end
  if getmetatable(value) == handles then return value:type() end
  if has_ffi and kind == "cdata" then
    if ffi.istype("int64_t", value) then return "int64" end
    if ffi.istype("uint64_t", value) then return "uint64" end
  end
end

---@class goloader.Inference
---@field params table<string, goloader.TypeTree|true>  type parameters; the tree of a constraint of a single term
---@field known table<string, { text: string, untyped: boolean|nil }>
---@field clash string|nil  what contradicts itself

local NO_NUMBERS = { bool = true, string = true }

local function bind(state, name, text, untyped)
  local have = state.known[name]
  if not have then
    state.known[name] = { text = text, untyped = untyped }
  elseif have.untyped and untyped then
    have.text = text == "float64" and text or have.text
  elseif have.untyped and not NO_NUMBERS[text] then
    have.text, have.untyped = text, nil
  elseif have.text ~= text and (not untyped or NO_NUMBERS[have.text]) then
    state.clash = state.clash or ("%s would be %s and %s"):format(name, have.text, text)
  end
end

-- "example.com/shop.Item" and "shop.Item", as Go's reflection calls it, are the same.
local function short(name)
  return name:match "[^/]*$"
end

-- Has a type whose type parameters are open be another one, which is known.
local function unify(state, open, known)
  if open.kind == "param" then
    bind(state, open.name, known.text)
    local term = state.params[open.name]
    if term ~= true and term.kind == known.kind then unify(state, term, known) end
  elseif open.kind == "ptr" and known.kind ~= "ptr" then
    unify(state, open.elem, known) -- a handle of a value goes where a pointer to it is wanted
  elseif known.kind == "ptr" and open.kind ~= "ptr" then
    unify(state, open, known.elem) -- and the other way round
  elseif open.kind == "named" and known.kind == "named" and short(open.name) == short(known.name) then
    for i, arg in ipairs(open.args) do
      if known.args[i] then unify(state, arg, known.args[i]) end
    end
  elseif open.kind == known.kind and open.elem and known.elem then
    if open.key then unify(state, open.key, known.key) end
    unify(state, open.elem, known.elem)
  end
end

local function is_plain_table(value)
  return type(value) == "table" and getmetatable(value) == nil
end

local ask

local function ask_elements(state, tree, value)
  if tree.kind == "map" then
    for key, elem in pairs(value) do
      ask(state, tree.key, key)
      ask(state, tree.elem, elem)
    end
  elseif tree.kind == "slice" or tree.kind == "array" then
    for _, elem in ipairs(value) do ask(state, tree.elem, elem) end
  end
end

-- Notes what a value says of the type parameters in the type of the parameter that it is for.
function ask(state, tree, value)
  if getmetatable(value) == handles then
    unify(state, tree, parse(value:type(), {}))
  elseif tree.kind == "param" and state.params[tree.name] ~= true then
    ask(state, state.params[tree.name], value)
  elseif tree.kind == "param" then
    local text, untyped = type_of(value)
    if text then bind(state, tree.name, text, untyped) end
  elseif is_plain_table(value) then
    ask_elements(state, tree, value)
  elseif tree.kind == "slice" and tree.elem.kind == "param" then
    local elem = type(value) == "string" and "uint8" or arrays.go_type(value)
    if elem then bind(state, tree.elem.name, elem) end
  end
end

-- ---- a function -----------------------------------------------------------------------------------------------------

--- What there is to infer of a generic function.
---@param export goloader.Export
---@return table
function infer.prepare(export)
  local names, params, places = {}, {}, {}
  for _, each in ipairs(export.type_params) do names[each.name] = true end
  for _, each in ipairs(export.type_params) do
    local term = parse(each.constraint:gsub("^~", ""), names)
    -- any other constraint says what a type can do, or which types there are to choose from
    local is_single = term.kind ~= "named" and term.kind ~= "other" and not each.constraint:find " | "
    params[each.name] = is_single and term or true
  end
  for i, param in ipairs(export.params) do places[i] = parse(param.type, names) end
  return { list = export.type_params, params = params, places = places, variadic = export.variadic }
end

local function place_of(prepared, i)
  local n = #prepared.places
  if prepared.variadic and i >= n then return prepared.places[n].elem end
  return prepared.places[i]
end

--- The type arguments that a call's arguments tell, in order.
---@param prepared table  of `infer.prepare`
---@param many boolean  each argument is an array of what one of many calls takes
---@param n integer  arguments
---@param ... any
---@return string[]|nil arguments
---@return string|nil why  not
---@return string[]|nil known  the arguments as far as they are known, and the type parameters' names
function infer.arguments(prepared, many, n, ...)
  local state = { params = prepared.params, known = {} }
  for i = 1, n do
    local value, place = select(i, ...), place_of(prepared, i)
    if place and many then
      ask(state, { kind = "slice", elem = place }, value)
    elseif place and i == n and prepared.variadic and i == #prepared.places and getmetatable(value) == handles then
      -- one handle may be the whole slice
      local whole = parse(value:type(), {})
      unify(state, whole.kind == "slice" and prepared.places[i] or place, whole)
    elseif place then
      ask(state, place, value)
    end
  end
  local arguments, missing = {}, nil
  for i, each in ipairs(prepared.list) do
    local term = prepared.params[each.name]
    arguments[i] = state.known[each.name] and state.known[each.name].text
      or term ~= true and render(term, state.known, prepared.params)
    if not arguments[i] then
      missing = missing or each.name
      arguments[i] = each.name
    end
  end
  if state.clash then return nil, state.clash, arguments end
  if missing then return nil, ("the arguments don't tell what %s is"):format(missing), arguments end
  return arguments
end

return infer
