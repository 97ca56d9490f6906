--- Hearing of edits from the kernel (inotify(7)) instead of looking at files again and again.
--
-- Directories are watched, not files: editors write a new file and rename it, and then the old one's watch would hear
-- nothing any more. What is heard is only that something in a directory may have changed; who wants to know whether it
-- matters reads the files.
--
-- A user may have few instances (128), so a Lua state has one for all who listen: its file descriptor is what an event
-- loop polls. Where none is left, or no file descriptor, there is nothing to hear; a listener that is told what to
-- listen to asks for one again. By LuaJIT's FFI only: elsewhere `inotify.listen` returns nil.

local clock = require "goloader.core".clock

local inotify = {}

local has_ffi, ffi = pcall(require, "ffi")
local band, bor
if has_ffi then
  local bit = require "bit"
  band, bor = bit.band, bit.bor
  ffi.cdef [[
    int inotify_init1(int flags);
    int inotify_add_watch(int fd, const char *path, uint32_t mask);
    int inotify_rm_watch(int fd, int wd);
    struct goloader_inotify_event { int wd; uint32_t mask, cookie, len; char name[]; };
    long read(int fd, void *buf, size_t count);
    int close(int fd);
  ]]
end

-- <sys/inotify.h>
local IN_NONBLOCK, IN_CLOEXEC = 0x800, 0x80000
local IN_CLOSE_WRITE, IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE = 0x8, 0x40, 0x80, 0x100, 0x200
local IN_DELETE_SELF, IN_MOVE_SELF, IN_Q_OVERFLOW, IN_IGNORED, IN_ONLYDIR, IN_MASK_ADD, IN_ISDIR =
  0x400, 0x800, 0x4000, 0x8000, 0x1000000, 0x20000000, 0x40000000
-- a write is told of when the file is closed: half of a file is nothing to compile
local MASK = has_ffi
  and bor(IN_CLOSE_WRITE, IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE, IN_MOVE_SELF, IN_ONLYDIR)
local RENAMES = has_ffi and bor(IN_MOVED_TO, IN_MOVE_SELF, IN_ONLYDIR)

local SIZE = 16384

-- A file that was created counts when it is closed; a link never is, so it counts a little later.
local GRACE = 0.05

-- What a listener hears of.
---@class goloader.Inotify
---@field package dirs table<string, true>
---@field package names table<string, table<string, true>>  by directories: what alone is of interest there
---@field package mask integer  what the kernel tells of
---@field package heard boolean
---@field package created number|nil  when a file was created that has not been closed
local Listener = {}
Listener.__index = Listener

---@type table<goloader.Inotify, true>
local listeners = setmetatable({}, { __mode = "k" })
-- fd, buffer; watch descriptors by paths, and back: a directory that goes by several names has one for all of them;
-- masks by watch descriptors
local instance

local function open()
  if instance then return true end
  local fd = ffi.C.inotify_init1(IN_NONBLOCK + IN_CLOEXEC)
  if fd < 0 then return false end
  instance = { fd = fd, buffer = ffi.new("char[?]", SIZE), paths = {}, watches = {}, masks = {},
    guard = ffi.gc(ffi.new "int[1]", function() ffi.C.close(fd) end) } -- the state may end before the process
  return true
end

--- The file descriptor that can be read from when something has happened; nil where nobody listens.
---@return integer|nil
function inotify.fd()
  return instance and instance.fd or nil
end

--- A new listener, who hears nothing yet; nil where the kernel can never be asked.
---@param what nil|"renames"  nothing is of interest but files that are renamed into a directory
---@return goloader.Inotify|nil
function inotify.listen(what)
  if not has_ffi then return nil end
  local listener = setmetatable({ dirs = {}, names = {}, heard = false,
    mask = what == "renames" and RENAMES or MASK }, Listener)
  listeners[listener] = true
  return listener
end

local function add(dir, mask)
  local wd = instance.watches[dir]
  if wd and band(instance.masks[wd], mask) == mask then return true end
  wd = ffi.C.inotify_add_watch(instance.fd, dir, bor(mask, IN_MASK_ADD))
  if wd < 0 then return false end
  instance.masks[wd] = bor(instance.masks[wd] or 0, mask)
  instance.watches[dir] = wd
  instance.paths[wd] = instance.paths[wd] or {}
  instance.paths[wd][dir] = true
  return true
end

local function drop_unused()
  for wd, names in pairs(instance.paths) do
    for dir in pairs(names) do
      local used = false
      for listener in pairs(listeners) do used = used or listener.dirs[dir] end
      if not used then names[dir], instance.watches[dir] = nil, nil end
    end
    if not next(names) then
      instance.paths[wd], instance.masks[wd] = nil, nil
      ffi.C.inotify_rm_watch(instance.fd, wd)
    end
  end
end

--- Listens to these directories, and no others any more.
---@param dirs string[]
---@param names nil|table<string, table<string, true>>  by directories: what alone is of interest there; nil: all
---@return boolean all  false: one can't be watched, since it is not there, there are too many, or the kernel can't be
---  asked now
function Listener:watch(dirs, names)
  if not open() then return false end
  local before, all = self.dirs, true
  self.dirs, self.names = {}, names or {}
  for _, dir in ipairs(dirs) do
    if not self.dirs[dir] then
      if add(dir, self.mask) then self.dirs[dir] = true else all = false end
    end
  end
  for dir in pairs(before) do
    if not self.dirs[dir] then
      drop_unused()
      break
    end
  end
  return all
end

-- Is it of interest? Without a name something has happened to the directory itself.
local function concerns(listener, dir, name)
  if not dir then return next(listener.dirs) ~= nil end
  local names = listener.names[dir]
  return listener.dirs[dir] and (not names or not name or names[name])
end

local function tell(dir, created, name)
  for listener in pairs(listeners) do
    if concerns(listener, dir, name) then
      if created then listener.created = listener.created or clock() else listener.heard = true end
    end
  end
end

local on_read = function() end

--- Has a function called when something was read: what others wait for may not be readable any more.
---@param fn fun()
function inotify.on_read(fn) on_read = fn end

-- Reads what has happened, for all listeners.
local function read_events()
  local has_read = false
  while instance do
    local n = tonumber(ffi.C.read(instance.fd, instance.buffer, SIZE))
    if n <= 0 then break end
    has_read = true
    local at = 0
    while at < n do
      local event = ffi.cast("struct goloader_inotify_event *", instance.buffer + at)
      local mask, names = event.mask, instance.paths[event.wd]
      if band(mask, IN_Q_OVERFLOW) ~= 0 then
        tell(nil)
      elseif names then
        local has_gone = band(mask, IN_IGNORED + IN_MOVE_SELF) ~= 0 -- the next `watch` finds another
        if has_gone then instance.paths[event.wd], instance.masks[event.wd] = nil, nil end
        local name = event.len > 0 and ffi.string(event.name) or nil
        for dir in pairs(names) do
          tell(dir, band(mask, IN_CREATE) ~= 0 and band(mask, IN_ISDIR) == 0, name)
          if has_gone then
            instance.watches[dir] = nil
            for listener in pairs(listeners) do listener.dirs[dir] = nil end
          end
        end
      end
      at = at + 16 + event.len
    end
  end
  if has_read then on_read() end
end

--- Has something happened since the last call?
---@return boolean
function Listener:happened()
  read_events()
  local heard = self.heard
  if self.created and (heard or clock() - self.created >= GRACE) then heard, self.created = true, nil end
  self.heard = false
  return heard
end

--- Has something happen in a moment: what was looked at could not be seen.
function Listener:look_again() self.created = self.created or clock() end

--- Seconds till `happened` is to be called though the file descriptor can't be read from; nil: never. One listener's
--- call reads what has happened for all of them, so that the others would otherwise not hear of it till something else
--- happens.
---@return number|nil
function Listener:next_timeout() return (self.created or self.heard) and GRACE or nil end

--- The same of all listeners.
---@return number|nil
function inotify.next_timeout()
  for listener in pairs(listeners) do
    local seconds = listener:next_timeout()
    if seconds then return seconds end
  end
end

--- Has the file descriptor be readable though nothing has happened.
function inotify.wake()
  if not instance then return end
  local C = ffi.C
  -- a watch that ends is told of
  C.inotify_rm_watch(instance.fd, C.inotify_add_watch(instance.fd, "/proc/self/fd", IN_DELETE_SELF))
end

--- Ends it.
function Listener:close()
  listeners[self] = nil
  if instance and next(self.dirs) then drop_unused() end
end

return inotify
