--- Modules of a routes file: what `module "…"` may name, and how a version of it is made.
--
--     module "list.go"                      a Go file, alone
--     module { "list.go", "facets.go" }     several of one folder
--     module "shop"                         a folder with a package
--     module "./shop"                       the same
--     module "example.com/site/shop"        a package of the go.mod that governs the routes file's folder
--     module "list.o", module "list.a"      an object as Go's compiler wrote it
--     module "list.gom"                     a shipped module
--
-- Where the router was given a folder for versions (reload/versions.lua), each edit is compiled there, by one process
-- for all. Otherwise the router does so itself.

local check_options = require "goloader.options"
local errors = require "goloader.errors"
local handler = require "goloader.routes.handler"
local hosts = require "goloader.host"
local identity = require "goloader.routes.identity"
local slots = require "goloader.reload.slot"
local source_of = require("goloader.reload.source").new
local sources = require "goloader.building.sources"
local toolchain = require "goloader.building.toolchain"

local modules = {}

---@class goloader.ModuleSpec: goloader.BuildOptions
---@field [integer] string a Go file or several of one folder; a folder, a package; an object, a shipped module
---@field ready? fun(module: goloader.Module): any, any prepares each new version before it takes over
---@field imports? goloader.Policy what it may import

-- ---- what is meant -------------------------------------------------------------------------------------------------

-- The folder of a package by its import path, from where the routes file is; nil and why.
local function package_dir(host, name, root)
  local at = sources.clean(root or ".")
  repeat -- a package of the main module is found without asking Go
    local text = toolchain.read_file(at .. "/go.mod")
    local module_path = text and ("\n" .. text):match '\n%s*module%s+"?([^%s"]+)'
    if module_path then
      if name == module_path then return at end
      if name:sub(1, #module_path + 1) == module_path .. "/" then
        local dir = at .. name:sub(#module_path + 1)
        if toolchain.exists(dir) then return dir end
      end
      break
    end
    at = at:match "^(.*)/[^/]*$"
  until not at
  local tools, _, err = host:toolchain()
  if not tools then return nil, err end
  local job
  job, err = tools:go({ "list", "-find", "-f", "{{.Dir}}", "--", name }, { dir = root })
  if not job then return nil, err end
  local ok, output, complaint = job:wait()
  if ok and output:find "%S" then return (output:gsub("%s+$", "")) end
  local format = "module: there is no file, folder or package %s: %s"
  return nil, { code = "missing", message = format:format(name, (complaint:gsub("%s+$", ""))) }
end

---@param router goloader.Router
---@param spec goloader.ModuleSpec
---@return string[]|nil paths
---@return goloader.Error|nil err
local function paths_of(router, spec)
  local root, paths = router.root, {}
  for i, name in ipairs(spec) do
    local path = name
    if path:sub(1, 1) ~= "/" and root then path = root .. "/" .. path end
    local is_package = #spec == 1 and not name:find "^%.?%.?/" and name:find "/" and not name:find "%.[%w]+$"
    if is_package and not toolchain.exists(path) and router.options.host.toolchain then
      local dir, err = package_dir(router.options.host, name, root)
      if not dir then return nil, err end
      path = dir
    end
    paths[i] = path
  end
  return paths
end

local OPTIONS = { ready = "function" }
for name, types in pairs(hosts.build_options) do OPTIONS[name] = types end

-- What of a declaration is no path.
local function named(spec)
  local options = {}
  for key, value in pairs(spec) do
    if type(key) ~= "number" then options[key] = value end
  end
  return options
end

-- What the module is built with: all of its declaration that is not for us.
local function build_options(spec)
  local options = {}
  for key, value in pairs(spec) do
    if type(key) == "string" and key ~= "ready" then options[key] = value end
  end
  return options
end

-- ---- declaring -----------------------------------------------------------------------------------------------------

--- Declares a module; raises when the declaration makes no sense.
---@param router goloader.Router  or a draft of it, whose `owner` is the router
---@param spec string|goloader.ModuleSpec
---@return goloader.Slot|nil slot
---@return goloader.Error|nil err
function modules.declare(router, spec)
  if type(spec) == "string" then spec = { spec } end
  local is_list = type(spec) == "table" and type(spec[1]) == "string"
  for _, name in ipairs(is_list and spec or {}) do is_list = is_list and type(name) == "string" end
  if not is_list then error("module: the name of a Go file, a folder or a package expected", 3) end
  check_options("module", named(spec), OPTIONS, router.made and 3 or 2) -- a routes file has one more caller above
  local options = router.options
  local host, name = options.host, table.concat(spec, " ")
  if not host then error("module: the router was made without a host", 3) end
  local paths, err = paths_of(router, spec)
  if not paths then return nil, err end
  local path = table.concat(paths, " ")
  for _, slot in ipairs(router.slots) do
    if slot.path == path then return slot end
  end

  local owner = router.owner or router
  local source
  if options.versions then
    source, err = options.versions:place(name, paths, build_options(spec))
    if not source then return nil, err end
  else
    source = source_of(host, paths, build_options(spec))
  end
  local slot
  slot, err = slots.new {
    name = name,
    clock = options.stopwatch or options.clock,
    ready = spec.ready,
    view = options.view,
    beside = options.pausing ~= nil,
    on_change = options.on_change,
    load = identity.noting(source, function(pause)
      return source:load(pause or options.pausing and options.pausing())
    end),
    due = function(pause) return source:due(pause) end,
    again = function() source:again() end,
    close = function() source:close() end,
    release = options.release,
    finish = source.finish and function(ok, why) source:finish(ok, why) end,
    check = function(changed, version) return owner:fits(changed, version) end,
    refers = function(module, export) return handler.kind_of(owner.options, module, export) ~= nil end,
    on_swap = function(changed) owner:swapped(changed) end,
  }
  if not slot then
    source:close()
    return nil, errors.object(err)
  end
  slot.path, slot.source = path, source
  table.insert(router.slots, slot)
  return slot
end

return modules
