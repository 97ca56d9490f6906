-- goloader bundle: what a machine without Go needs, and nothing else. Proven below a root of its own, in which there is
-- the C library, LuaJIT, nginx with its Lua module, and the bundle.
local unpack = rawget(table, "unpack") or unpack
local lfs = require "lfs"
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

local quote = toolchain.quote
local root = toolchain.absolute(support.tmpdir()) .. "/root"

local function sh(command, ...)
  return support.output_of(support.run({ "sh", "-c", command, ... }))
end

-- Puts a file below the new root, under its own name, and all that it links to.
local function install(file)
  sh([[
    for file in "$1" $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*'); do
      mkdir -p "$0$(dirname "$file")" && cp -L "$file" "$0$file" || exit
    done
  ]], root, file)
end

-- Runs a command below the new root. Without /proc no Go program knows itself; /dev/null is nginx's.
local function inside(command, variables)
  local unshare = lfs.attributes("/proc/self", "uid") == 0 and "unshare -m" or "unshare -rm"
  return ("%s sh -c %s"):format(unshare, quote(([[
    cd %s && mount --rbind /proc proc && mount --bind /dev/null dev/null &&
    exec env -i PATH=/usr/sbin:/usr/bin %s chroot . %s
  ]]):format(quote(root), variables or "", command)))
end

local function files_below(dir, pattern)
  local list = {}
  for name in sh("cd \"$0\" && find . -type f -printf '%P\\n'", dir):gmatch "[^\n]+" do
    if name:find(pattern or "") then list[#list + 1] = name end
  end
  table.sort(list)
  return list
end

local bundled = root .. "/opt/shop"
local said

setup(function()
  sh("mkdir -p \"$0\"/proc \"$0\"/dev \"$0\"/tmp \"$0\"/etc && touch \"$0\"/dev/null", root)
  local gom = support.tmpdir() .. "/shop.gom"
  for dir, name in pairs { ["spec/testdata/ship"] = "ship.gom", ["spec/testdata/cgo"] = "parts.gom" } do
    assert(support.host():ship(dir, support.tmpdir() .. "/" .. name))
  end
  assert(support.host():ship("spec/testdata/shop/shop.go", gom))
  local status, errors
  status, said, errors = support.cli("bundle", "-o", bundled, gom, support.tmpdir() .. "/ship.gom",
    support.tmpdir() .. "/parts.gom")
  assert.equal(0, status, errors)
  install(sh("readlink -f \"$(command -v luajit)\""):match "%S+")
end)

teardown(support.clean)

describe("a bundle", function()
  it("has the modules, the library, the host and Lua files; no Go, no tools, no command line", function()
    assert.same({ "parts.gom", "ship.gom", "shop.gom" }, files_below(bundled, "^[^/]*$"))
    local host = "lib/goloader/host/libgoloader_host.so"
    assert.same({ "lib/goloader/core.so", host, host .. ".bridge.gom", host .. ".desc", host .. ".dump.gom",
      host .. ".profile.gom", host .. ".serve.gom" },
      files_below(bundled, "^lib/goloader/"))
    assert.same({}, files_below(bundled, "^lua/goloader/command/"))
    assert.same({}, files_below(bundled, "%.go$"))
    local size = tonumber(said:match ": ([%d.]+) MB; ")
    assert.is_true(size < 35, said)
  end)

  it("runs under LuaJIT where there is nothing but that and the C library", function()
    local file = io.open(root .. "/shop.lua", "w")
    file:write([[
      local goloader = require "goloader"
      local host = assert(goloader.host())
      local shop, ship = assert(host:load "/opt/shop/shop.gom"), assert(host:load "/opt/shop/ship.gom")
      print(shop.Greet "world", #assert(ship.Report()) > 0)
      print((shop:disassemble "Greet" ~= nil))
      local parts = assert(host:load "/opt/shop/parts.gom")
      print(parts.Applied(20))
      print(shop:unload(), ship:unload())
      print(assert(goloader.dump()):match "goroutine %d" ~= nil)
      print(assert(goloader.profile("heap", "/heap.pb.gz")))
      print(select(3, host:build "/shop.go").code)
    ]])
    file:close()
    local luajit = sh("readlink -f \"$(command -v luajit)\""):match "%S+"
    local status, out, errors = support.run { "sh", "-c",
      inside(luajit .. " /shop.lua", "LUA_PATH='/opt/shop/lua/?.lua;/opt/shop/lua/?/init.lua;;'") }
    assert.equal("", errors)
    assert.equal(0, status)
    assert.equal(("hello, world\ttrue\ntrue\n%d\ntrue\ttrue\ntrue\ntrue\ntoolchain\n"):format(
      assert(support.host():load(support.tmpdir() .. "/parts.gom")).Applied(20)), out)
  end)

  it("runs in nginx where there is nothing but that and the C library", function()
    local nginx = require "spec.nginx"
    local lua_module, ndk = nginx.module_file()
    for _, file in ipairs { lua_module, ndk or lua_module, "/usr/sbin/nginx" } do install(file) end
    for _, name in ipairs { "resty.core", "resty.lrucache", "ngx.semaphore" } do -- the Lua module's own files
      local path = assert(package.searchpath(name, package.path .. ";/usr/share/lua/5.1/?.lua")):match "^(.*)/"
      sh("mkdir -p \"$0$1\" && cp -r \"$1\"/. \"$0$1\"", root, path)
    end
    local port = nginx.free_port()
    local function write(name, text)
      local f = assert(io.open(root .. name, "w"))
      f:write(text)
      f:close()
    end
    write("/etc/passwd", "root:x:0:0::/:/\n")
    write("/etc/group", "root:x:0:\n")
    write("/routes.lua", 'local shop = module "/opt/shop/shop.gom"\nget "/:name" { shop.Greet }\n')
    write("/nginx.conf", ([[
      daemon off; user root; pid /tmp/nginx.pid; error_log stderr;
      %sload_module %s;
      events {}
      http {
        access_log off;
        client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u;
        scgi_temp_path /tmp/s;
        lua_package_path "/opt/shop/lua/?.lua;/opt/shop/lua/?/init.lua;;";
        init_worker_by_lua_block { require("goloader.nginx").start "/routes.lua" }
        server {
          listen 127.0.0.1:%d;
          location / { content_by_lua_block { require("goloader.nginx").content() } }
        }
      }
    ]]):format(ndk and "load_module " .. ndk .. "; " or "", lua_module, port))
    local log = support.tmpdir() .. "/nginx.log"
    local pid = sh(inside "/usr/sbin/nginx -e stderr -p /tmp -c /nginx.conf" .. " >" .. log
      .. " 2>&1 </dev/null & echo $!"):match "%d+"
    local text
    support.eventually(function()
      local _, out = support.run { "curl", "-s", ("http://127.0.0.1:%d/world"):format(port) }
      text = out
      return text:find "hello"
    end, 3)
    os.execute("kill -TERM " .. pid)
    support.eventually(function() return os.execute("kill -0 " .. pid .. " 2>/dev/null") ~= 0 end)
    assert.equal("hello, world", text, support.read(log))
  end)

  it("has another Lua's library, too, where that is asked for", function()
    local dir = support.tmpdir() .. "/luas"
    local status, _, errors = support.cli("bundle", "-o", dir, "--lua", "5.4", support.tmpdir() .. "/shop.gom")
    assert.equal(0, status, errors)
    assert.same({ "lib/goloader/5.4/core.so", "lib/goloader/core.so" }, files_below(dir, "core%.so$"))
    for _, lua in ipairs { "lua5.4", "lua5.1" } do
      local out
      local path = ("LUA_PATH=%s/lua/?.lua;%s/lua/?/init.lua"):format(dir, dir)
      status, out, errors = support.run { "env", "-i", "LUA_CPATH=;", path, "/usr/bin/" .. lua, "-e",
        ("print(require 'goloader'.host():load('%s/shop.gom').Greet 'world')"):format(dir) }
      assert.equal("hello, world\n", out, errors)
      assert.equal(0, status)
    end
    local path = ("LUA_PATH=%s/lua/?.lua;%s/lua/?/init.lua"):format(dir, dir)
    status, _, errors = support.run { "env", "-i", "LUA_CPATH=;", path, "/usr/bin/lua5.3", "-e", "require 'goloader'" }
    assert.equal(1, status)
    assert.matches("this bundle is not for Lua 5.3: goloader bundle --lua 5.3 makes one that is\n", errors, 1, true)
  end)
end)

describe("goloader bundle", function()
  it("names what it can't make a bundle of", function()
    for pattern, arguments in pairs {
      ["none%.gom"] = { "-o", support.tmpdir() .. "/new", "none.gom" },
      ["is there, and not empty"] = { "-o", bundled, support.tmpdir() .. "/shop.gom" },
      ["there is no goloader for Lua 5%.9 here"] = { "-o", support.tmpdir() .. "/new", "--lua", "5.9",
        support.tmpdir() .. "/shop.gom" },
    } do
      local status, out, errors = support.cli("bundle", unpack(arguments))
      assert.equal(1, status)
      assert.equal("", out)
      assert.matches("^goloader: [^\n]*" .. pattern, errors)
    end
  end)
end)
