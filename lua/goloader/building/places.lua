--- Where files are put that are not the user's: temporary ones, and caches. A worker of a web server may have no HOME,
-- or one that it can't write to.

local lfs = require "lfs"

local has_ffi, ffi = pcall(require, "ffi")
if has_ffi then
  pcall(ffi.cdef, [[
    int mkstemp(char *); int close(int); int access(const char *, int); int getpid(void);
    int mkdir(const char *, unsigned); int chmod(const char *, unsigned);
  ]])
end

local places = {}

local function value(name)
  local text = os.getenv(name)
  return text ~= "" and text or nil
end

local function is_dir(path)
  return lfs.attributes(path, "mode") == "directory"
end

--- The directory for temporary files.
---@return string
function places.temporary()
  return value "TMPDIR" or "/tmp"
end

-- ---- temporary files ----------------------------------------------------------------------------------------------
--
-- Who makes one takes it away again. A process that is killed can't; so their names say whose they are, by the numbers
-- of the process and of the namespace that its number is of, and the next process of the user's takes away what those
-- have left that are no more.

local NAME = "^goloader%.(%d+)%-(%d+)%." -- what stands for the X of a template, and whatever belongs to that file

local function own_number()
  if has_ffi then return ffi.C.getpid() end
  local file = io.open("/proc/self/stat", "rb")
  local number = file and file:read "*n"
  if file then file:close() end
  return number
end

-- What temporary files of this process are called, up to a point; without /proc nobody can tell whose they are.
local function own_name()
  local namespace, number = lfs.attributes("/proc/self/ns/pid", "ino"), own_number()
  if not namespace or not number then return "goloader." end
  return ("goloader.%.0f-%.0f."):format(namespace, number)
end

-- Takes away a file, or a directory with files.
local function remove(path)
  if lfs.symlinkattributes(path, "mode") == "directory" then
    for entry in lfs.dir(path) do
      if entry ~= "." and entry ~= ".." then os.remove(path .. "/" .. entry) end
    end
    lfs.rmdir(path)
  else
    os.remove(path)
  end
end

-- Takes away what processes of this user's have left that were killed.
local function clear(dir)
  local namespace, user = lfs.attributes("/proc/self/ns/pid", "ino"), lfs.attributes("/proc/self", "uid")
  if not namespace then return end
  for entry in lfs.dir(dir) do
    local its, number = entry:match(NAME)
    if its == ("%.0f"):format(namespace) and not lfs.attributes("/proc/" .. number, "mode") then
      local path = dir .. "/" .. entry
      if lfs.symlinkattributes(path, "uid") == user then remove(path) end
    end
  end
end

local cleared = {} -- by directory

--- What a new temporary file, or directory, is to be called, with X for what tells it from others.
---@return string
function places.template()
  local dir = places.temporary()
  if not cleared[dir] then
    cleared[dir] = true
    pcall(clear, dir) -- one that can't be read is told of by who writes to it
  end
  return dir .. "/" .. own_name() .. "XXXXXX"
end

--- Makes a new file that nobody else reads.
---@return string|nil path
---@return goloader.Error|nil err
function places.new_file()
  local template = places.template()
  local path
  if has_ffi then
    local buffer = ffi.new("char[?]", #template + 1, template)
    local fd = ffi.C.mkstemp(buffer)
    if fd >= 0 then
      ffi.C.close(fd)
      path = ffi.string(buffer)
    end
  else
    local pipe = io.popen("mktemp '" .. template:gsub("'", "'\\''") .. "' 2>/dev/null")
    path = pipe and pipe:read "*l"
    if pipe then pipe:close() end
  end
  if path then return path end
  return nil, { code = "io", message = ("no temporary file can be made in %s (TMPDIR says where else)"):format(
    places.temporary()) }
end

local OWNER_ONLY = 448 -- 0700

--- Makes a directory that nobody else enters, whatever the umask is (nginx's is 0): what is in it is loaded.
---@param dir string
---@return true|nil
---@return string|nil why
function places.make_private(dir)
  if has_ffi then
    if ffi.C.mkdir(dir, OWNER_ONLY) == 0 then return true end
    local _, why = lfs.mkdir(dir) -- in the same words as elsewhere
    return nil, why
  end
  local ok, why = lfs.mkdir(dir)
  if not ok then return nil, why end
  os.execute("chmod 700 '" .. dir:gsub("'", "'\\''") .. "'")
  return true
end

--- Has nobody else enter a directory of this user's that is there already.
---@param dir string
function places.close_to_others(dir)
  local found = lfs.attributes(dir)
  if has_ffi and found and found.permissions:sub(4) ~= "------" then ffi.C.chmod(dir, OWNER_ONLY) end
end

--- Can this user make files in the directory? It is made where it is not there.
---@param dir string
---@return boolean
function places.is_writable(dir)
  if not is_dir(dir) then
    local parent = dir:match "^(.+)/[^/]+$"
    if not parent or not is_dir(parent) and not places.is_writable(parent) then return false end
    if not places.make_private(dir) and not is_dir(dir) then return false end
  end
  if has_ffi then return ffi.C.access(dir, 3) == 0 end -- W_OK | X_OK
  local probe = dir .. "/.goloader-" .. tostring({}):match "%w+$"
  local f = io.open(probe, "wb")
  if not f then return false end
  f:close()
  os.remove(probe)
  return true
end

-- Where the user's programs keep caches; nil where there is no such place.
local function user_caches()
  local dir = value "XDG_CACHE_HOME"
  if dir and dir:sub(1, 1) == "/" then return dir end
  dir = value "HOME"
  return dir and dir .. "/.cache"
end

-- A directory of this user's below the one for temporary files, where anybody may have made one of that name before.
local function own_temporary()
  local uid = lfs.attributes("/proc/self", "uid")
  if not uid then return nil end
  local dir = ("%s/goloader-%d"):format(places.temporary(), uid)
  places.make_private(dir)
  local found = lfs.symlinkattributes(dir)
  local is_own = found and found.mode == "directory" and found.uid == uid and not found.permissions:find("w", 4, true)
  return is_own and dir or nil
end

--- Where things are kept from one process to the next; nil where there is no place for them.
---@return string|nil dir
function places.cache()
  local dir = user_caches()
  if dir and places.is_writable(dir .. "/goloader") then return dir .. "/goloader" end
  return own_temporary()
end

--- Go's build cache.
---@param named string  what GOCACHE says; "" for the usual one
---@return string|nil dir  nil where there is no place for it
---@return boolean|nil usual  the go command finds it by itself
function places.go_cache(named)
  if named ~= "" then return named, true end
  local dir = user_caches()
  if dir and places.is_writable(dir .. "/go-build") then return dir .. "/go-build", true end
  dir = places.cache()
  return dir and places.is_writable(dir .. "/go-build") and dir .. "/go-build" or nil, false
end

return places
