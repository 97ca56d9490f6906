--- The options of declarations: what there is, what it must be, and what holds where several levels say something.

local conditions = require "goloader.routes.conditions"
local handler = require "goloader.routes.handler"
local nearest = require "goloader.nearest"
local units = require "goloader.units"

local options = {}

local function of_type(kind)
  return function(value, name)
    if type(value) ~= kind then return nil, ("%s must be a %s, got %s"):format(name, kind, type(value)) end
    return value
  end
end

local function of_units(read)
  return function(value, name)
    if value == false then return false end
    local number, err = read(value)
    if not number then return nil, name .. ": " .. err end
    return number
  end
end

local function anything(value) return value end

-- What a route and everything around it may say. Readers return the option as it is kept, or nil and what is wrong.
local SHARED = {
  cache = anything, -- read where the route is known
  before = of_type "table",
  on_error = of_type "function",
  type = of_type "string",
  timeout = of_units(units.duration),
  max_body = of_units(units.size),
  waits = of_type "boolean",
  etag = of_type "boolean",
  from = function(value)
    local err = handler.check_from(value)
    if err then return nil, err end
    return value
  end,
  when = function(value)
    local list = {}
    local err = conditions.read(value, list)
    if err then return nil, err end
    return list
  end,
}

-- What only a single route may say.
local OWN = {
  split = of_type "table",
  redirect = of_type "string",
  rewrite = of_type "string",
  exec = of_type "string",
  status = of_type "number",
  query = of_type "boolean",
  strip = of_type "boolean",
  name = of_type "string",
}

local ALL = {}
for name, read in pairs(SHARED) do ALL[name] = read end
for name, read in pairs(OWN) do ALL[name] = read end

---Reads the named options of a declaration.
---@param spec table
---@param own boolean it is a route's, not a group's
---@param wrong fun(text: string) told of each mistake
---@return table read
function options.read(spec, own, wrong)
  local known, read, names = own and ALL or SHARED, {}, {}
  for name in pairs(spec) do
    if type(name) ~= "number" then names[#names + 1] = name end
  end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for _, name in ipairs(names) do
    if not known[name] then
      local near = nearest(name, known)
      wrong(("there is no option %s%s"):format(tostring(name), near and ("; did you mean %s?"):format(near)
        or OWN[name] and " here: it is for a single route" or ""))
    else
      local value, err = known[name](spec[name], name)
      if err then wrong(err) end
      read[name] = value
    end
  end
  return read
end

---What holds for a route: its own options before those of what stands around it, the nearest first; conditions and
---places of parameters come together.
---@param levels table[] options as `read` returns them, the outermost first
---@return table
function options.merge(levels)
  local merged, when, from = {}, {}, nil
  for _, level in ipairs(levels) do
    for name, value in pairs(level) do
      if name == "when" then
        for _, condition in ipairs(value) do when[#when + 1] = condition end
      elseif name == "from" then
        local both = {}
        for key, text in pairs(from or {}) do both[key] = text end
        for key, text in pairs(value) do both[key] = text end
        from = both
      elseif name ~= "before" then
        merged[name] = value
      end
    end
  end
  merged.when, merged.from = when, from
  return merged
end

return options
