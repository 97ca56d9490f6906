-- A host made of Lua: what a module exports and what its functions do is said by each test.

local fakehost = {}

---A module as host:build returns it, from { Name = { "a string, b int", "string, error", function } }.
function fakehost.module(exports, unload)
  local list, module, calls = {}, { unloads = 0 }, {}
  local function parse(text)
    local params = {}
    for part in text:gmatch("[^,]+") do
      local name, kind = part:match("^%s*(%S+)%s+(%S+)%s*$")
      params[#params + 1] = { name = kind and name or "", type = kind or part:match("%S+") }
    end
    return params
  end
  for name, export in pairs(exports) do
    if type(export) == "table" then
      list[#list + 1] = { name = name, kind = "func", params = parse(export[1]), results = parse(export[2]),
        typed = export.typed, signature = ("func(%s) %s"):format(export[1], export[2]) }
      module[name] = function(...)
        calls[#calls + 1] = { name, n = select("#", ...), ... }
        return export[3](...)
      end
    else
      list[#list + 1] = { name = name, kind = "var", params = {}, results = {}, signature = type(export) }
      module[name] = export
    end
  end
  function module.exports() return list end
  function module:unload()
    self.unloads = self.unloads + 1
    if unload then
      local ok, err = unload()
      if not ok then return nil, err.message, err end
    end
    self.gone = true
    return true
  end
  module.calls = calls
  return module
end

---An export that is a function without parameters, which gives a text.
function fakehost.page(text) return { "", "string", function() return text end } end

---A host that builds the modules it is given, one after the other; a text among them is an error.
function fakehost.new(...)
  local host = { builds = {}, next = { ... } }
  function host:build(path, options)
    self.builds[#self.builds + 1] = { path = path, options = options }
    if options.pause then options.pause() end
    local made = table.remove(self.next, 1)
    if type(made) == "string" then return nil, made, { code = "compile", message = made } end
    return made
  end
  function host:load(path)
    self.loaded = path
    return table.remove(self.next, 1)
  end
  return host
end

return fakehost
