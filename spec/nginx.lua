-- A real nginx with its Lua module for the specs: in a folder of its own, in the foreground, on a free loopback port.

local lfs = require "lfs"
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

local quote, read = toolchain.quote, toolchain.read_file

local nginx = {}

---@class nginx.Options
---@field main string|nil  lines of the configuration's outermost level
---@field events string|nil
---@field http string|nil
---@field server string|nil  locations
---@field workers integer|nil  1
---@field user string|nil  of the workers, where the specs run as root; nil: the specs' own
---@field files table<string, string>|nil  by name below the prefix
---@field no_wait boolean|nil  it is meant not to come up
---@field program string|nil  another nginx
---@field module string|nil  another Lua module for it
---@field environment string|nil  variables for it, "NAME=value …"

---@class nginx.Server
---@field port integer
---@field prefix string  its folder
---@field package output string|nil  where it logs to, if not there
---@field pid integer  of the master
local Server = {}
Server.__index = Server

local STARTS = 60 -- seconds: what the workers begin with may have to be compiled

local started = {}
local number = 0

local function first_line(command)
  local pipe = assert(io.popen(command))
  local line = pipe:read "*l"
  pipe:close()
  return line
end

local root = first_line "pwd"
local is_root = first_line "id -u" == "0"

-- Can this user read this tree, and run the toolchain of its host? What lies in root's home, say, is root's alone, and
-- then the workers have to be, too.
local function can_work(user)
  local host = os.getenv "GOLOADER_HOST" or "build/host/default/libgoloader_host.so"
  local goroot = (read(host .. ".goroot") or ""):match "^[^\n]+"
  return goroot ~= nil and os.execute(("runuser -u %s -- test -x %s -a -r %s"):format(user, quote(goroot .. "/bin/go"),
    quote(root .. "/lua/goloader/init.lua"))) == 0
end

-- A port that nobody listens on now: the kernel's choice.
local function free_port()
  local luv = require "luv"
  local socket = luv.new_tcp()
  assert(socket:bind("127.0.0.1", 0))
  local port = socket:getsockname().port
  socket:close()
  luv.run()
  return port
end

-- The Lua module, as Debian and as others install it.
local function module_file()
  for _, dir in ipairs { "/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules" } do
    local ndk, lua = dir .. "/ndk_http_module.so", dir .. "/ngx_http_lua_module.so"
    if lfs.attributes(lua) then return lua, lfs.attributes(ndk) and ndk end
  end
  error "nginx's Lua module is not installed (libnginx-mod-http-lua)"
end

nginx.free_port, nginx.module_file = free_port, module_file

local TEMPLATE = [[
daemon off;
worker_processes %d;
%s
pid nginx.pid;
error_log error.log info;
env PATH;
env HOME;
env GOCACHE;
env GOFLAGS;
env GOPROXY;
env GOMODCACHE;
env GOLOADER_HOST;
%s
events { worker_connections 4096; %s }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  lua_package_path "%s/lua/?.lua;%s/lua/?/init.lua;;";
  lua_package_cpath "%s/build/lib/?.so;;";
  %s
  server {
    listen 127.0.0.1:%d reuseport;
    %s
  }
}
]]

local function write(path, text)
  os.execute("mkdir -p " .. quote(path:match "^(.*)/"))
  support.write_file(path, text)
end

--- Starts one and waits till it answers; it is stopped by stop, at the latest by nginx.clean.
---@param options nginx.Options
---@return nginx.Server
function nginx.start(options)
  number = number + 1
  local prefix = ("%s/nginx%d"):format(support.tmpdir(), number)
  os.execute("mkdir -p " .. quote(prefix))
  local server = setmetatable({ prefix = prefix, port = free_port() }, Server)
  for name, text in pairs(options.files or {}) do write(prefix .. "/" .. name, text) end
  local worker_user = is_root and options.user and can_work(options.user) and options.user or nil
  if worker_user then
    -- the folder above is one of os.tmpname's, which only its owner may enter
    os.execute(("chmod 755 %s && chown -R %s %s"):format(quote(support.tmpdir()), worker_user, quote(prefix)))
  end
  local user = is_root and ("user %s;"):format(worker_user or "root") or ""
  local lua, ndk = module_file()
  local main = ("%sload_module %s;\n%s"):format(ndk and ("load_module %s;\n"):format(ndk) or "",
    options.module or lua, options.main or "")
  server:configure(TEMPLATE:format(options.workers or 1, user, main, options.events or "", root, root, root,
    options.http or "", server.port, options.server or ""))
  local command = ("cd %s && %s %s -p %s -c nginx.conf -e error.log >output 2>&1 </dev/null & echo $!"):format(
    quote(prefix), options.environment or "", options.program or "nginx", quote(prefix .. "/"))
  server.pid = tonumber(first_line(command))
  started[#started + 1] = server
  if options.no_wait then return server end
  local up = support.eventually(function()
    return #server:workers() >= (options.workers or 1) and server:is_listening()
  end, STARTS)
  if not up then
    local log, output = server:log(), read(prefix .. "/output")
    server:stop()
    error("nginx did not start:\n" .. (output or "") .. log, 2)
  end
  return server
end

--- Watches over an nginx that a command starts, which becomes its master; it is stopped as others are.
---@param output string  the file that it logs to
---@param command fun(output: string, port: integer, other_port: integer): string
---@return nginx.Server
function nginx.adopt(output, command)
  local server = setmetatable({ port = free_port(), output = output }, Server)
  server.pid = tonumber(first_line(("%s & echo $!"):format(command(output, server.port, free_port()))))
  started[#started + 1] = server
  local up = support.eventually(function() return server:is_listening() and #server:workers() > 0 end, STARTS)
  if not up then
    local log = server:log()
    server:stop()
    error("nginx did not start:\n" .. log, 2)
  end
  return server
end

--- Writes its configuration anew, for a reload.
---@param text string
function Server:configure(text)
  self.configuration = text
  write(self.prefix .. "/nginx.conf", text)
end

--- Is its port open?
function Server:is_listening()
  return os.execute(("bash -c '</dev/tcp/127.0.0.1/%d' 2>/dev/null"):format(self.port)) == 0
end

--- Its workers' process numbers; those that are shutting down too.
---@return integer[]
function Server:workers()
  local list = {}
  local children = read(("/proc/%d/task/%d/children"):format(self.pid, self.pid)) or ""
  for pid in children:gmatch "%d+" do
    local title = read(("/proc/%s/cmdline"):format(pid)) or ""
    if title:find "worker process" then list[#list + 1] = tonumber(pid) end
  end
  return list
end

--- The text of its error log.
function Server:log()
  return read(self.output or self.prefix .. "/error.log") or ""
end

--- Sends a signal to the master, or to another process.
---@param name string "HUP"
---@param pid integer|nil
function Server:signal(name, pid)
  os.execute(("kill -%s %d 2>/dev/null"):format(name, pid or self.pid))
end

--- Makes one request with curl.
---@param path string
---@param options { method: string|nil, headers: table<string, string>|nil, body: string|nil, args: string[]|nil }|nil
---@return integer status  0 where there was no answer
---@return string body
---@return table<string, string> headers  by names in lower case
function Server:get(path, options)
  options = options or {}
  local words = { "curl", "-s", "-S", "--path-as-is", "-m", "20", "-D", support.tmpdir() .. "/headers" }
  local function add(...)
    for _, word in ipairs { ... } do words[#words + 1] = word end
  end
  if options.method == "HEAD" then add "-I" elseif options.method then add("-X", options.method) end
  for name, value in pairs(options.headers or {}) do add("-H", name .. ": " .. value) end
  if options.body then add("--data-binary", "@" .. support.write("body", options.body)) end
  for _, word in ipairs(options.args or {}) do add(word) end
  add(path:find "^%a+://" and path or ("http://127.0.0.1:%d%s"):format(self.port, path))
  os.remove(support.tmpdir() .. "/headers")
  local _, body = support.run(words)
  local status, headers = 0, {}
  for line in (read(support.tmpdir() .. "/headers") or ""):gmatch "[^\r\n]+" do
    local code = line:match "^HTTP/%S+ (%d+)"
    if code then status, headers = tonumber(code), {} end
    local name, value = line:match "^([^:]+):%s*(.-)$"
    if name then headers[name:lower()] = value end
  end
  return status, body, headers
end

local function is_alive(pid)
  local stat = read(("/proc/%d/stat"):format(pid))
  return stat ~= nil and not stat:find "^%d+ %b() Z"
end

--- Stops it, gracefully or at once, and waits for its end.
---@param name string|nil  a signal's: "QUIT"; nil: "TERM"
---@return boolean in_time
function Server:stop(name)
  if not self.pid then return true end
  local pids = self:workers()
  pids[#pids + 1] = self.pid
  self:signal(name or "TERM")
  local function all_gone()
    for _, pid in ipairs(pids) do
      if is_alive(pid) then return false end
    end
    return true
  end
  local gone = support.eventually(all_gone)
  if not gone then
    for _, pid in ipairs(pids) do self:signal("KILL", pid) end
    support.eventually(all_gone)
  end
  self.pid = nil
  return gone
end

--- Stops all that were started, and removes this process's files: for teardown.
function nginx.clean()
  for _, server in ipairs(started) do server:stop() end
  started = {}
  support.clean()
end

return nginx
