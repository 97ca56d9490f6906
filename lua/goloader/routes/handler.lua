--- Go functions as handlers: how a request fills their parameters.
--
-- Parameters are filled by their names: Render(category, query string) gets the :category of the address and the whole
-- query string; a parameter `page int` gets the query string's page=…, and a visitor who sends page=two gets status
-- 400. That this works out is checked when a route is declared, and again for each new version of its module.

local huge = math.huge
local unpack = rawget(table, "unpack") or unpack

local handler = {}

local INTEGERS = {
  int8 = { -128, 127 }, int16 = { -32768, 32767 }, int32 = { -2 ^ 31, 2 ^ 31 - 1 },
  int64 = { -2 ^ 53, 2 ^ 53 }, int = { -2 ^ 53, 2 ^ 53 },
  uint8 = { 0, 255 }, uint16 = { 0, 65535 }, uint32 = { 0, 2 ^ 32 - 1 },
  uint64 = { 0, 2 ^ 53 }, uint = { 0, 2 ^ 53 },
}

local BOOLEANS = {
  ["true"] = true, ["1"] = true, on = true, yes = true,
  ["false"] = false, ["0"] = false, off = false, no = false,
}

---From a text to a value of a Go type, or nil and what was wanted.
---@type table<string, fun(text: string): any, string?>
local convert = {
  string = function(text) return text end,
  bool = function(text)
    local value = BOOLEANS[text:lower()]
    if value == nil then return nil, "true or false" end
    return value
  end,
  float64 = function(text)
    local value = text:find("^[-+]?%.?%d[%d.]*[eE]?[-+]?%d*$") and tonumber(text)
    if not value or value >= huge or value <= -huge then return nil, "a number" end
    return value
  end,
}
convert.float32 = convert.float64
for name, range in pairs(INTEGERS) do
  convert[name] = function(text)
    local value = text:find("^[-+]?%d+$") and tonumber((text:gsub("^%+", "")))
    if not value then return nil, "a whole number" end
    if value < range[1] or value > range[2] then
      return nil, ("a whole number from %.0f to %.0f"):format(range[1], range[2])
    end
    return value
  end
end

local ABSENT = { string = "", bool = false }

local WHOLE = { query = true, path = true, method = true, body = true }

---Makes the function that finds one parameter's value in a request.
---@return (fun(req: goloader.Request): any, string?)? getter
local function getter(route, param)
  local name, kind = param.name, param.type
  if name == "" or name == "_" then return nil end
  if kind == "[]string" then
    return function(req)
      local value = req.args[name]
      return type(value) == "table" and value or { value }
    end
  elseif kind == "[]uint8" or kind == "[]byte" then
    if name ~= "body" then return nil end
    kind = "string"
  end
  local to = convert[kind]
  if not to then return nil end

  local source
  for _, declared in ipairs(route.names) do
    if declared == name then source = function(req) return req.params[name] end end
  end
  if not source and WHOLE[name] and kind == "string" then source = function(req) return req[name] end end
  if not source then
    source = function(req)
      local value = req.args[name]
      return type(value) == "table" and value[1] or value
    end
  end

  local absent = ABSENT[kind]
  if absent == nil then absent = 0 end
  return function(req)
    local text = source(req)
    if text == nil or text == "" then return absent end -- an empty field of a form is one left out
    local value, wanted = to(text)
    if value == nil then return nil, ("%s must be %s"):format(name, wanted) end
    return value
  end
end

---Says how a version's function is called for this route.
---@return goloader.router.Plan? plan
---@return string? err
function handler.plan(route, version)
  local export
  for _, e in ipairs(version.module:exports()) do
    if e.name == route.func and e.kind == "func" then
      export = e
      break
    end
  end
  local what = ("%s %s: %s.%s"):format(route.method, route.pattern, route.slot.name, route.func)
  if not export then return nil, what .. " does not exist" end
  if export.typed == false then return nil, what .. " has no known signature" end
  local getters = {}
  for i, param in ipairs(export.params) do
    getters[i] = getter(route, param)
    if not getters[i] then
      return nil, ("%s: a request can't fill parameter %s (%s); write the handler in Lua and call %s from it"):format(
        what, param.name ~= "" and param.name or "#" .. i, param.type, route.func)
    end
  end
  local results = export.results
  local n = #results
  local fails = n > 0 and results[n].type == "error"
  if n - (fails and 1 or 0) > 1 then
    return nil, ("%s: an answer is one value, and it returns %d; write the handler in Lua"):format(what, n)
  end
  return {
    n = #getters,
    getters = getters,
    list = n > 0 and results[1].type:sub(1, 1) == "[" and results[1].type ~= "[]uint8",
    silent = fails and n == 1,
  }
end

-- What a visitor did wrong is shown to the visitor; whatever else fails is told to the log alone.
local Bad = {}
Bad.__index = Bad
function Bad.__tostring(err) return err.message end

---Is it the visitor's mistake?
---@param err any
---@return boolean
function handler.is_bad_request(err) return getmetatable(err) == Bad end

---Fills the parameters of a Go handler and calls it.
---@return any value
---@return any err
---@return boolean? list the value is a slice
function handler.call(route, req)
  local slot = route.slot
  local version = slot:settle()
  local plan = route.plans[version]
  local args = {}
  for i = 1, plan.n do
    local value, wrong = plan.getters[i](req)
    if value == nil then return nil, setmetatable({ status = 400, code = "request", message = wrong }, Bad) end
    args[i] = value
  end
  local value, err = version:func(route.func)(unpack(args, 1, plan.n))
  if plan.silent and value == true then value = nil end -- nothing but "no error": there is nothing to say
  return value, err, plan.list
end

return handler
