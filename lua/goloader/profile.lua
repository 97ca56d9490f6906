--- Profiles of Go's, from Lua: files that `go tool pprof` reads.
--
--     local profile = goloader.profile "cpu"
--     …
--     profile:stop "cpu.prof"
--
-- Go's runtime/pprof takes them (src/host/profile). What that has no names for, since the code was unloaded or is
-- called without Go's runtime, is named here from what the C library knows (src/debug/names.c). Each sample has a label
-- `module`: the innermost loaded module on its stack, and, as `shop@3`, which of the process's loads that was.

local core = require "goloader.core"
local errors = require "goloader.errors"
local module = require "goloader.module"
local toolchain = require "goloader.building.toolchain"

local profiles = {}

local KINDS = { cpu = true, block = true, mutex = true, heap = false, allocs = false, goroutine = false,
  threadcreate = false } -- is it of a time that begins and ends?

---@class goloader.Profile
---@field package kind string
---@field package half goloader.Module
---@field package done boolean|nil
local Profile = {}
Profile.__index = Profile

-- What Go has taken, with names for all of it.
local function named(profile, err)
  if not profile then return errors.fail(err) end
  local unknown = profile:Addresses()
  for i = 1, #unknown do
    local text = unknown[i] ~= 0 and core.find_code(unknown[i])
    if text then profile:Name(i - 1, text) end
  end
  local bytes
  bytes, err = profile:Bytes()
  if not bytes then return errors.fail(err) end
  return bytes
end

local function finish(file, ...)
  local bytes, message, err = named(...)
  if not bytes then return nil, message, err end
  if not file then return bytes end
  return errors.returned(toolchain.write_file(file, bytes))
end

--- Ends it, and writes the file or returns its bytes.
---@param file string|nil
---@return string|true|nil bytes
---@return string|nil message
---@return goloader.Error|nil err
function Profile:stop(file)
  if self.done then return errors.fail { code = "closed", message = "the profile has ended" } end
  self.done = true
  if self.kind == "cpu" then return finish(file, self.half.StopCPU()) end
  local bytes, message, err = finish(file, self.half.Take(self.kind))
  self.half.SetRate(self.kind, false)
  return bytes, message, err
end

local reads_memory = false -- the half does

--- goloader.profile, given the Go half.
---@param half goloader.Module
---@param kind string
---@param file string|nil
function profiles.take(half, kind, file)
  core.keep_names()
  -- It refers to the memory profile as to any other. That costs memory for ever, so it is on from when it is asked for.
  if not reads_memory then
    reads_memory = kind == "heap" or kind == "allocs"
    module.core_of(half):read_memory_profile(reads_memory)
  end
  if not KINDS[kind] then return finish(file, half.Take(kind)) end
  if kind == "cpu" then
    local ok, err = half.StartCPU()
    if not ok then return errors.fail(err) end
  else
    half.SetRate(kind, true)
  end
  return setmetatable({ kind = kind, half = half }, Profile)
end

--- Is there such a profile? Which begin and end?
profiles.kinds = KINDS

return profiles
