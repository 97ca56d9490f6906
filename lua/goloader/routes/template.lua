--- Addresses with parts of another one in them: where redirects and rewrites lead, "/new/:id?from=old".

local template = {}

local function escape(text, keep)
  return (text:gsub("[^%w%-._~" .. keep .. "]", function(c) return ("%%%02X"):format(c:byte()) end))
end

---@param target any
---@param names string[] of the pattern
---@return (fun(req: goloader.Request): string)? fill
---@return string? err
function template.compile(target, names)
  if type(target) ~= "string" or target == "" then
    return nil, "an address expected, got " .. (target == "" and "an empty text" or type(target))
  end
  if target:find "[%c%s]" then return nil, ("%q: an address has no spaces"):format(target) end
  local known = {}
  for _, name in ipairs(names) do known[name] = true end
  local parts, from = {}, 1
  while true do
    -- a name stands behind a character that can't be part of a word, so host:8080 and a::b are as they are
    local at, to, before, mark, name = target:find("([/=&?,;.-])([:*])([%a_][%w_]*)", from)
    if not at then break end
    if not known[name] then
      return nil, ("%s: the pattern has no %s%s"):format(target, mark, name)
    end
    parts[#parts + 1] = target:sub(from, at - 1) .. before
    parts[#parts + 1] = { name = name, keep = mark == "*" and "/" or "" }
    from = to + 1
  end
  parts[#parts + 1] = target:sub(from)
  if #parts == 1 then return function() return target end end
  return function(req)
    local texts = {}
    for i, part in ipairs(parts) do
      texts[i] = type(part) == "string" and part or escape(req.params[part.name], part.keep)
    end
    return table.concat(texts)
  end
end

return template
