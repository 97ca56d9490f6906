--- Stores: where the entries of caches lie.
--
--     cache = "30s"                                   in this process, the route's own
--     cache = { ttl = "30s", store = "shared:pages" } in nginx's lua_shared_dict pages, for all workers
--     cache = { ttl = "30s", store = mine }           in a store that somebody else has made
--
-- A store is a table with five methods. It keeps texts, unless it says by `tables = true` that it keeps any values.

local cache = require "goloader.routes.cache"

local stores = {}

---@class goloader.Store
---@field tables? true it keeps tables, and tags of any kind; others keep strings, under strings
---@field get fun(self, key: any): any nil when there is nothing, or it is too old, or a tag of it was purged
---@field set fun(self, key: any, value: any, detail: goloader.StoreDetail): boolean
---@field delete fun(self, key: any): boolean
---@field purge fun(self, tag: any): integer drops all that carry the tag; how many, if it can tell
---@field stats fun(self): table<string, integer>
---@field clear? fun(self): integer? drops everything
---@field epoch? fun(self): any changes with each purge: what was begun before one must not be kept after it
---@field claim? fun(self, key: string, seconds: number): boolean one process at a time may make the page
---@field release? fun(self, key: string)

---@class goloader.StoreDetail
---@field ttl number seconds
---@field tags any[]
---@field cost integer bytes of the body
---@field epoch? any

local METHODS = { "get", "set", "delete", "purge", "stats" }

---Finds the store that an option means.
---@param value any the option `store`
---@param limits { size?: integer, bytes?: integer }
---@param hooks goloader.router.Options
---@return goloader.Store? store
---@return string? err
function stores.open(value, limits, hooks)
  if value == nil or value == "memory" then
    local ok, made = pcall(cache.new, { size = limits.size, bytes = limits.bytes, clock = hooks.clock })
    if not ok then return nil, (made:gsub("^.-cache: ", "")) end
    return made
  end
  if limits.size or limits.bytes then
    return nil, ("cache: %s is a matter of the store; it is for store = \"memory\""):format(
      limits.size and "size" or "bytes")
  end
  if type(value) == "table" then
    for _, method in ipairs(METHODS) do
      if type(value[method]) ~= "function" then
        return nil, ("cache: a store has the methods %s; this one lacks %s"):format(table.concat(METHODS, ", "), method)
      end
    end
    return value
  end
  local kind, name = tostring(value):match "^(%a+):([%w_.-]+)$"
  if not kind then
    return nil, ('cache: store is "memory", "shared:NAME" or a table, got %s'):format(
      type(value) == "string" and ("%q"):format(value) or type(value))
  end
  local open = hooks.stores and hooks.stores[kind]
  if not open then
    if kind == "shared" then
      return nil, ('cache: store "%s" needs nginx, and lua_shared_dict %s 10m; there'):format(value, name)
    end
    return nil, ('cache: there is no kind of store called %s; there are "memory" and "shared:NAME"'):format(kind)
  end
  local store, err = open(name)
  if not store then return nil, "cache: " .. tostring(err) end
  return store
end

return stores
