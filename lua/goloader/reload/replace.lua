--- `host:replace(old, new)`: what a program has as one module becomes another one, in one step.
---
---   1. Where other Lua states of the process have the module, too (host:share), none of them replaces it meanwhile.
---   2. The new one is built or loaded, if it is not there already.
---   3. It is made ready by the program, which may refuse it.
---   4. The state of the old one is handed over (handover.lua). Calls that other Lua states begin from here on wait.
---   5. All that the program has of the old one stands for the new one: the module itself, and functions that were
---      taken from it. Nothing of Lua's runs in between, so nobody sees half of it. For other Lua states it is one
---      moment, too: a number is stored that all their calls look at (src/binding/share.c).
---   6. Calls under way end in the old code. It is unloaded when it is proven free (dismissed.lua).
---
--- Where one of the first four fails, the old one goes on, and the new one is unloaded.

local check_options = require "goloader.options"
local core = require "goloader.core"
local dismissed = require "goloader.reload.dismissed"
local errors = require "goloader.errors"
local handover = require "goloader.reload.handover"
local modules = require "goloader.module"
local protect = require "goloader.reload.protect"
local sharing = require "goloader.modules.sharing"
local swap = require "goloader.reload.swap"

local misuse = errors.misuse

local replace = {}

---@class goloader.ReplaceOptions: goloader.HostBuildOptions  the build's, where the new module is built
---@field ready nil|fun(new: goloader.Module, old: goloader.Module): any, any  prepares the new one before it takes
---  over; raises, or returns nil and an error, to refuse it
---@field adopt nil|false|fun(new: goloader.Module, old: goloader.Module): any, any  hands over what the old one has
---  in memory, in the place of its Release and the new one's Adopt; may refuse likewise. false: nobody does
---@field unload table|nil  options of module:unload for the old one: { handles = "drop" }

local OPTIONS = { ready = "function", adopt = "function boolean", unload = "table" }

local function kinds_of(module)
  local kinds = {}
  for _, export in ipairs(module:exports()) do kinds[export.name] = kinds[export.name] or export.kind end
  return kinds
end

-- May the new one take the old one's place?
local function accept(old, new, ready)
  if ready then
    local ok, err = handover.attempt(ready, new, old)
    if not ok then return nil, err end
  end
  for _, each in ipairs { old, new } do
    local _, its = modules.core_of(each)
    if not each:is_loaded() then return nil, { code = "closed", message = its .. " was unloaded" } end
  end
  return true
end

local function read_options(options, build_options)
  local known = {}
  for key, types in pairs(build_options) do known[key] = types end
  for key, types in pairs(OPTIONS) do known[key] = types end
  local own, build = {}, {}
  for key, value in pairs(check_options("host:replace", options, known, 3)) do
    if OPTIONS[key] then own[key] = value else build[key] = value end
  end
  if own.adopt == true then misuse(4, "host:replace: adopt: a function or false expected, got true") end
  return own, build
end

local function is_compiled(paths)
  return type(paths) == "string" and (paths:find "%.[oa]$" or paths:find "%.gom$") ~= nil
end

-- The new module, of which there may be no more than what it is made of.
local function make(host, new, build)
  if modules.core_of(new) then return new end
  if is_compiled(new) then
    return host:load(new, next(build) and { imports = build.imports, uses = build.uses } or nil)
  end
  return host:build(new, build)
end

---@param host goloader.Host
---@param old goloader.Module
---@param new goloader.Module|string|string[]  a module, or what `host:build` or `host:load` makes one of
---@param options goloader.ReplaceOptions|nil
---@param build_options table<string, string|true>  that `host:build` takes
---@return true|nil
---@return goloader.Error|nil err
function replace.run(host, old, new, options, build_options)
  local own, build = read_options(options, build_options)
  local old_core, name = modules.core_of(old)
  if not old_core then misuse(3, "host:replace: the old module expected, got %s", type(old)) end
  local new_core = modules.core_of(new)
  if new_core and new_core == old_core then misuse(3, "host:replace: the new module is the old one") end
  if new_core and sharing.share_of(old) and sharing.share_of(new) then
    misuse(3, "host:replace: the new module is shared already, as %s", sharing.share_of(new))
  end
  if new_core and next(build) then misuse(3, "host:replace: %s: the new module is built already", next(build)) end
  local claim, err = sharing.begin_replacing(old)
  if not claim then return nil, err end
  local raised, before
  local made
  made, err = swap.run {
    clock = core.clock, claim = claim,
    make = function()
      local called, module, _, why = protect.run(make, host, new, build)
      if called then return module, why end
      raised = module
    end,
    accept = function(module) return accept(old, module, own.ready) end,
    hand_over = function(module)
      return handover.run(old, module, {
        adopt = own.adopt, kinds = { kinds_of(old), kinds_of(module) }, title = name,
        hold = function() sharing.hold_calls(old) end,
      })
    end,
    commit = function(module)
      local why
      before, why = sharing.replace(old, module)
      return before and true, why
    end,
    dismiss = function(module)
      sharing.give_up(old) -- nobody waits any more while that is looked for
      if module:is_loaded() then dismissed.add(module) end
    end,
  }
  if not made then sharing.give_up(old) end
  if raised then error(raised.raised, 0) end
  if not made then return nil, err end
  dismissed.add(before, own.unload)
  return true
end

return replace
