--- How far a build is: what is being compiled, and how many packages are left. Told to the option `progress` of builds
--- that take more than a second.
--
-- A command before each of Go's tools notes in a file which package the compiler is run on. How many are left the go
-- command knows, but does not tell; once something is being compiled it is asked which packages are not in its cache.
-- That takes it half a second, in which the build goes on: what has begun by the time of the answer is no longer left.

local core = require "goloader.core"
local places = require "goloader.building.places"
local toolchain = require "goloader.building.toolchain"

local progress = {}

---@class goloader.Progress
---@field package string  import path of what is being compiled, the last of those that are at once
---@field done integer  packages compiled so far
---@field left integer|nil  packages still to be compiled, with the one at hand; nil: not known yet
---@field seconds number  since the build began

---@class goloader.ProgressReport
---@field package tell fun(progress: goloader.Progress)
---@field package began number
---@field package told number  when it was told last
---@field package file string|nil  where what is compiled is noted
---@field package list nil|fun(): goloader.Job|nil  asks which packages are to be compiled
---@field package listing goloader.Job|nil  under way
---@field package stale table<string, true>|nil  what was to be compiled when asked
---@field package compiled table<string, true>
---@field package last string|nil
---@field package count integer
local Report = {}
Report.__index = Report

local FIRST, EACH = 1, 0.5 -- seconds: when it is told first, and how often

--- What -toolexec gets so that each package is noted. Go's own variable has the import path.
progress.toolexec = [[
-toolexec=sh -c 'case "$1 $*" in *" -V=full"*) ;; */compile" "*) ]] .. [[
echo "$TOOLEXEC_IMPORTPATH" >>"$GOLOADER_COMPILES";; esac 2>/dev/null; exec "$@"' sh]]

-- What `go list` prints of packages that are not in its cache.
progress.stale_format = '{{if .Stale}}{{if ne .StaleReason "not installed but available in build cache"}}'
  .. "{{.ImportPath}}{{end}}{{end}}"

--- Of one package, which the compiler is run on.
---@param tell fun(progress: goloader.Progress)
---@param package string
---@return goloader.ProgressReport
function progress.of_one(tell, package)
  return setmetatable({
    tell = tell, began = core.clock(), told = 0, compiled = {}, last = package, count = 1, stale = { [package] = true },
  }, Report)
end

--- Of all that the go command compiles; nil where there is no room for a file.
---@param tell fun(progress: goloader.Progress)
---@param list fun(): goloader.Job|nil  starts a command that prints which packages are to be compiled
---@return goloader.ProgressReport|nil
function progress.of_list(tell, list)
  local file = places.new_file()
  if not file then return nil end
  return setmetatable({
    tell = tell, began = core.clock(), told = 0, compiled = {}, count = 0, file = file, list = list,
  }, Report)
end

local function read_notes(self)
  local text = toolchain.read_file(self.file) or ""
  self.compiled, self.count = {}, 0
  for package in text:gmatch "([^\n]+)\n" do
    if not self.compiled[package] then
      self.compiled[package], self.last, self.count = true, package, self.count + 1
    end
  end
end

local function read_listing(self)
  if not self.listing and self.last then self.listing = self.list() end
  if not self.listing or not self.listing:done() then return end
  local _, output = self.listing:wait()
  self.stale, self.list, self.listing = {}, nil, nil
  for package in output:gmatch "[^\n]+" do self.stale[package] = true end
end

-- With the one at hand, which has begun already.
local function count_left(self)
  if not self.stale then return nil end
  local left = self.file and self.count > 0 and 1 or 0
  for package in pairs(self.stale) do
    if not self.compiled[package] then left = left + 1 end
  end
  return left
end

--- Tells how far it is, when it is time to.
function Report:update()
  local now = core.clock()
  if now - self.began < FIRST or now - self.told < EACH then return end
  if self.file then read_notes(self) end
  if self.list then read_listing(self) end
  if not self.last then return end
  self.told = now
  self.tell { package = self.last, done = self.count - 1, left = count_left(self), seconds = now - self.began }
end

--- The build has ended.
function Report:close()
  if self.listing then self.listing:wait() end
  if self.file then os.remove(self.file) end
end

return progress
