--- A short text in a file that several processes read, and that is written often, by whoever holds a lock.
---
--- With a new file for each text, renamed over the one that is read, a thread may wait for the disk: file systems see
--- to it that the new file's bytes are there first (ext4's auto_da_alloc), and the more files have just gone, the
--- longer they look for a place for one more. An nginx worker answers nobody meanwhile. So two files take turns: the
--- one that is not read is written in place, and exchanged with the other one in one step (renameat2(2)). Whoever has
--- opened that one before, and reads it only when it is written again, may find half of one text and half of another:
--- so a text is followed by its hash. Where files can't be exchanged (without LuaJIT's FFI, or by the file system),
--- there is a new one each time.

local hash = require "goloader.core".hash
local toolchain = require "goloader.building.toolchain"

local record = {}

local READS = 100

local has_ffi, ffi = pcall(require, "ffi")
if has_ffi then
  ffi.cdef [[
    int fileno(void *file);
    int ftruncate(int fd, long length);
    int renameat2(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, unsigned int flags);
  ]]
  has_ffi = pcall(function() return ffi.C.renameat2 end) -- glibc 2.28
end

local AT_FDCWD, RENAME_EXCHANGE = -100, 2 -- <fcntl.h>, <linux/fs.h>

-- Has a file that nobody reads contain a text.
local function write_aside(path, text)
  local file = has_ffi and io.open(path, "r+b")
  if not file then
    local ok, err = toolchain.write_file(path, text)
    return ok, err and err.message
  end
  local ok, why = file:write(text)
  if ok then ok, why = file:flush() end
  if ok and ffi.C.ftruncate(ffi.C.fileno(file), #text) ~= 0 then ok, why = nil, "it can't be made shorter" end
  local closed, why_closed = file:close()
  if ok and closed then return true end
  return nil, ("%s: %s"):format(path, why or why_closed)
end

--- Writes a text.
---@param path string
---@param text string
---@return true|nil
---@return string|nil why  what was there is there still
function record.write(path, text)
  local new = path .. ".new"
  local ok, why = write_aside(new, ("%s\n%s\n"):format(text, hash(text)))
  if not ok then return nil, why end
  if has_ffi and ffi.C.renameat2(AT_FDCWD, new, AT_FDCWD, path, RENAME_EXCHANGE) == 0 then return true end
  ok, why = os.rename(new, path)
  return ok, why
end

--- Reads it.
---@param path string
---@return string|nil text  nil: there is none
function record.read(path)
  for _ = 1, READS do
    local all = toolchain.read_file(path)
    if not all then return nil end
    local text, sum = all:match "^(.*)\n(%x+)\n$"
    if text and hash(text) == sum then return text end
  end
  return nil
end

--- Takes it away.
---@param path string
function record.remove(path)
  os.remove(path)
  os.remove(path .. ".new")
end

return record
