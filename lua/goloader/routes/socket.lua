--- A Unix socket that only this user can reach, for talking to a process that serves: by LuaJIT's FFI.

local ffi = require "ffi"

local C = ffi.C

local socket = {}

ffi.cdef [[
  struct goloader_sockaddr_un { unsigned short family; char path[108]; };
  struct goloader_ucred { int pid; unsigned uid, gid; };
  struct goloader_pollfd { int fd; short events, revents; };
  int socket(int domain, int type, int protocol);
  int bind(int fd, const struct goloader_sockaddr_un *addr, unsigned len);
  int connect(int fd, const struct goloader_sockaddr_un *addr, unsigned len);
  int listen(int fd, int backlog);
  int accept4(int fd, void *addr, unsigned *len, int flags);
  int getsockopt(int fd, int level, int name, void *value, unsigned *len);
  int fchmod(int fd, unsigned mode);
  int open(const char *path, int flags, ...);
  unsigned geteuid(void);
  long send(int fd, const void *buf, size_t len, int flags);
  int poll(struct goloader_pollfd *fds, unsigned long n, int milliseconds);
  char *strerror(int errnum);
  long read(int fd, void *buf, size_t count);
  int close(int fd);
]]

local AF_UNIX, SOCK_STREAM, SOCK_NONBLOCK, SOCK_CLOEXEC = 1, 1, 0x800, 0x80000
local SOL_SOCKET, SO_PEERCRED, MSG_NOSIGNAL, POLLIN, EAGAIN = 1, 17, 0x4000, 1, 11
local O_PATH, O_CLOEXEC = 0x200000, 0x80000
local OWNER_ONLY = 384 -- 0600

local function why(what) return ("%s: %s"):format(what, ffi.string(C.strerror(ffi.errno()))) end

-- An address holds 107 bytes; a longer path is named by way of its opened folder, which is the caller's to close.
local function address(path)
  local addr = ffi.new "struct goloader_sockaddr_un"
  addr.family = AF_UNIX
  local dir_fd
  if #path > 107 then
    local dir, name = path:match "^(.*)/([^/]*)$"
    dir_fd = C.open(dir or ".", O_PATH + O_CLOEXEC)
    path = ("/proc/self/fd/%d/%s"):format(dir_fd, name or path)
  end
  ffi.copy(addr.path, path, math.min(#path, 107))
  return addr, dir_fd
end

local function with_address(path, f)
  local addr, dir_fd = address(path)
  local result = f(addr, ffi.sizeof(addr))
  local errno = ffi.errno()
  if dir_fd then C.close(dir_fd) end
  ffi.errno(errno)
  return result
end

--- Listens at a path, where nobody else does; what lies there is replaced.
---@param path string
---@return integer|nil fd  that never blocks
---@return string|nil err
function socket.listen(path)
  local fd = C.socket(AF_UNIX, SOCK_STREAM + SOCK_NONBLOCK + SOCK_CLOEXEC, 0)
  if fd < 0 then return nil, why "socket" end
  os.remove(path)
  C.fchmod(fd, OWNER_ONLY) -- the file gets this mode
  if with_address(path, function(addr, len) return C.bind(fd, addr, len) end) ~= 0 or C.listen(fd, 16) ~= 0 then
    local err = why(path)
    C.close(fd)
    return nil, err
  end
  return fd
end

--- The next who has connected, if he is this user or root; others are turned away.
---@param fd integer
---@return integer|nil connection
function socket.accept(fd)
  while true do
    local connection = C.accept4(fd, nil, nil, SOCK_NONBLOCK + SOCK_CLOEXEC)
    if connection < 0 then return nil end
    local peer, len = ffi.new "struct goloader_ucred", ffi.new("unsigned[1]", 12)
    if C.getsockopt(connection, SOL_SOCKET, SO_PEERCRED, peer, len) == 0
      and (peer.uid == 0 or peer.uid == C.geteuid()) then
      return connection
    end
    C.close(connection)
  end
end

--- Connects to who listens at a path.
---@param path string
---@return integer|nil fd
---@return string|nil err
function socket.connect(path)
  local fd = C.socket(AF_UNIX, SOCK_STREAM + SOCK_CLOEXEC, 0)
  if fd < 0 then return nil, why "socket" end
  if with_address(path, function(addr, len) return C.connect(fd, addr, len) end) ~= 0 then
    local err = why(path)
    C.close(fd)
    return nil, err
  end
  return fd
end

local SIZE = 65536
local buffer = ffi.new("char[?]", SIZE)

--- Reads what is there.
---@return string|nil text  "" at the end; nil: nothing yet, or it failed
---@return boolean|nil again
function socket.receive(fd)
  local n = tonumber(C.read(fd, buffer, SIZE))
  if n >= 0 then return ffi.string(buffer, n) end
  return nil, ffi.errno() == EAGAIN
end

--- Writes as much as goes.
---@return integer|nil sent
---@return boolean|nil again
function socket.send(fd, text)
  local n = tonumber(C.send(fd, text, #text, MSG_NOSIGNAL))
  if n >= 0 then return n end
  return nil, ffi.errno() == EAGAIN
end

--- Waits till there is something to be read.
---@param seconds number
---@return boolean
function socket.wait(fd, seconds)
  local p = ffi.new "struct goloader_pollfd"
  p.fd, p.events = fd, POLLIN
  return C.poll(p, 1, math.floor(seconds * 1000)) > 0
end

--- Does nothing for a while.
---@param seconds number
function socket.sleep(seconds) C.poll(nil, 0, math.floor(seconds * 1000)) end

---@param fd integer
function socket.close(fd) C.close(fd) end

--- Is the process there?
---@param pid integer
---@return boolean
function socket.is_alive(pid)
  local file = io.open(("/proc/%d/stat"):format(pid), "rb")
  if file then file:close() end
  return file ~= nil
end

return socket
