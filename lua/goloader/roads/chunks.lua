--- What is written for calls of functions (source.lua), and shared by versions of a module that take each other's
--- place: chunks by their texts.
---
--- A version whose function has another signature has another text. So a chunk goes with the second version that has no
--- use for it.

local chunks = {}

---@alias goloader.Chunks table<string, function>  by their texts

---@type table<table, table<string, goloader.Chunks>>  by module and name of a function
local all = setmetatable({}, { __mode = "k" })

--- Those of a function.
---@param module table
---@param name string
---@return goloader.Chunks|nil  nil: the module has nobody to share them with
function chunks.of(module, name)
  local its = all[module]
  if not its then return nil end
  its[name] = its[name] or {}
  return its[name]
end

--- Has a module share those of the one whose place it is to take.
---@param from table|nil  nil: it is the first
---@param to table
function chunks.hand_on(from, to)
  local its = {}
  for name, had in pairs(from and all[from] or {}) do
    setmetatable(had, nil) -- what it has of the version before it, and had no use for
    if next(had) then its[name] = setmetatable({}, { __index = had }) end
  end
  all[to] = its
end

--- Has another table stand for a module.
---@param face table
---@param module table
function chunks.follow(face, module) all[face] = all[module] end

return chunks
