--- goloader bundle: a folder with all that shipped modules need on a machine without Go, and nothing else. The library,
--- the host and what both link to, for LuaJIT and each Lua that is asked for; the Lua files, but for the command line.
---
---     DIR/shop.gom
---     DIR/lua/goloader/…              the Lua files; LUA_PATH or nginx's lua_package_path has to name this folder
---     DIR/lua/goloader/core.lua       loads, by full names, what lies in lib
---     DIR/lib/goloader/core.so        the library for LuaJIT and Lua 5.1, and beside it the host
---     DIR/lib/goloader/5.4/core.so    for another Lua
---     DIR/lib/libelf.so.1, lfs.so, …  what those link to or load, beyond the C library

local goloader = require "goloader"
local installed = require "goloader.installed"
local places = require "goloader.building.places"
local toolchain = require "goloader.building.toolchain"

local quote, exists = toolchain.quote, toolchain.exists

local bundle = {}

-- A step that fails ends all, with what it says.
local function stop(format, ...) error({ message = format:format(...) }, 0) end

local function run(...)
  local job, err = toolchain.start({ ... }, { merge = true })
  if not job then stop("%s", err.message) end
  local ok, output = job:wait()
  if not ok then stop("%s", (output:gsub("%s+$", ""))) end
  return output
end

local function copy(from, to)
  run("mkdir", "-p", "--", (to:match "^(.*)/"))
  run("cp", "--", from, to)
end

-- Debugging information is a fifth of the host, and most of the library.
local function copy_stripped(from, to)
  copy(from, to)
  run("sh", "-c", ("chmod u+w %s; ! command -v strip >/dev/null || strip -g %s"):format(quote(to), quote(to)))
end

local function write(path, text)
  run("mkdir", "-p", "--", (path:match "^(.*)/"))
  local ok, err = toolchain.write_file(path, text)
  if not ok then stop("%s", err.message) end
end

-- ---- what belongs in it -------------------------------------------------------------------------------------------

-- Where require would find it. This runs on LuaJIT, which can say so.
local function search(templates, name)
  local path = package.searchpath(name, templates)
  return path and toolchain.absolute(path)
end

-- Modules in C that goloader's Lua files require: LuaFileSystem everywhere, the other in nginx.
local MODULES = { "lfs", "cjson" }

-- The parts of one Lua: the library and those modules.
local function parts_of(version)
  local core, modules = installed.core(), {}
  if version ~= "5.1" then
    local dir = core:match "^(.*)/[^/]+/[^/]+/[^/]+$" -- less "lib/goloader/core.so" of a checkout, or "5.1/…"
    core = ("%s/lua%s/goloader/core.so"):format(dir, version)
    core = exists(core) and core or ("%s/%s/goloader/core.so"):format(dir, version)
  end
  if not exists(core) then
    stop("there is no goloader for Lua %s here: make it with LUA_INCDIR=<where its lua.h is>", version)
  end
  for _, name in ipairs(MODULES) do
    local file = search(package.cpath, name)
    file = file and file:gsub("/5%.1/", "/" .. version .. "/")
    if file and exists(file) then modules[name] = file end
  end
  if not modules.lfs then stop("there is no LuaFileSystem for Lua %s here", version) end
  return core, modules
end

-- Libraries that go with the C library, in whose version they come.
local OF_SYSTEM = {}
for name in ("linux-vdso ld-linux-x86-64 libc libm libpthread libdl librt"):gmatch "%S+" do OF_SYSTEM[name] = true end

-- What a file links to, those first that others need.
local function libraries_of(file, found)
  local list = {}
  for name, path in run("ldd", file):gmatch "(%S+) => (/%S+)" do
    if not OF_SYSTEM[name:match "^(.-)%.so"] then list[#list + 1] = { name = name, path = path } end
  end
  for i = #list, 1, -1 do
    local library = list[i]
    if not found[library.name] then
      found[library.name] = true
      found[#found + 1] = library
    end
  end
end

-- The library loads capstone when it reads machine code, by the name that it was compiled for.
local function add_capstone(core, found)
  local name = toolchain.read_file(core):match "libcapstone%.so%.%d+"
  if not name or not package.loadlib(name, "*") then return end
  local path = toolchain.read_file "/proc/self/maps":match("(/%S*/" .. name:gsub("%p", "%%%0") .. "%S*)")
  if not path then return end
  libraries_of(path, found)
  found[#found + 1] = { name = name, path = path }
end

-- A module's parts in C are whole libraries at the end of its file, in the order of its manifest.
local function add_c_parts(file, manifest, found)
  local text, at = nil, manifest.size
  for i = #manifest.libraries, 1, -1 do
    text = text or toolchain.read_file(file)
    at = at - manifest.libraries[i].size
    local path, why = places.new_file()
    if not path then stop("%s", why.message) end
    local ok, err = pcall(function()
      write(path, text:sub(at + 1, at + manifest.libraries[i].size))
      libraries_of(path, found)
    end)
    os.remove(path)
    if not ok then error(err, 0) end
  end
end

local PREAMBLE = [[
-- What of this bundle is no Lua lies in lib, and is loaded by full names: nothing has to be installed.
local lib = debug.getinfo(1, "S").source:match "^@(.*)/lua/%s$" .. "/lib/"
local version = _VERSION:match "%%S+$"
local own = version == "5.1" and "" or version .. "/"
]]

local CORE = [[
for _, name in ipairs { %s } do
  package.loadlib(lib .. name, "*") -- what links to it by this name finds it from here on
end
local file = lib .. "goloader/" .. own .. "core.so"
local open, why = package.loadlib(file, "luaopen_goloader_core")
if not open and not io.open(file) then
  why = "this bundle is not for Lua " .. version .. ": goloader bundle --lua " .. version .. " makes one that is"
end
return assert(open, why)()
]]

local MODULE = [[
return assert(package.loadlib(lib .. own .. "%s.so", "luaopen_%s"))()
]]

-- ---- the command --------------------------------------------------------------------------------------------------

local function check_module(file, header, found)
  local manifest, message = goloader.manifest(file)
  if not manifest then stop("%s", message) end
  if manifest.header ~= header then
    stop('%s was made by "%s", but the host needs "%s"', file, manifest.header, header)
  end
  add_c_parts(file, manifest, found)
end

local function copy_lua_files(dir)
  local from = search(package.path, "goloader/init") or search(package.path, "goloader")
  from = from:match "^(.*)/[^/]*$"
  for path in run("find", from, "-name", "*.lua", "-printf", "%P\n"):gmatch "[^\n]+" do
    if path ~= "cli.lua" and not path:find "^command/" then
      copy(from .. "/" .. path, ("%s/lua/goloader/%s"):format(dir, path))
    end
  end
end

local function copy_host(host, dir)
  local to = dir .. "/lib/goloader/host/libgoloader_host.so"
  copy_stripped(host.path, to)
  copy(host.desc, to .. ".desc")
  for _, name in ipairs(installed.halves) do
    local half = installed.shipped_half(name, host.path)[1]
    if half then copy(half, ("%s.%s.gom"):format(to, name)) end
  end
end

local function make(dir, files, versions)
  if exists(dir) and run("find", dir, "-mindepth", "1", "-print", "-quit") ~= "" then
    stop("%s is there, and not empty", dir)
  end
  local host, message = goloader.host()
  if not host then stop("%s", message) end
  local parts, found = {}, {}
  for _, version in ipairs(versions) do
    local core, modules = parts_of(version)
    parts[#parts + 1] = { version = version == "5.1" and "" or version .. "/", core = core, modules = modules }
    libraries_of(core, found)
    for _, file in pairs(modules) do libraries_of(file, found) end
  end
  add_capstone(parts[1].core, found)
  for _, file in ipairs(files) do check_module(file, host:info().object_header, found) end

  for _, file in ipairs(files) do copy(file, ("%s/%s"):format(dir, file:match "[^/]*$")) end
  copy_lua_files(dir)
  copy_host(host, dir)
  for _, part in ipairs(parts) do
    copy_stripped(part.core, ("%s/lib/goloader/%score.so"):format(dir, part.version))
    for name, file in pairs(part.modules) do
      copy(file, ("%s/lib/%s%s.so"):format(dir, part.version, name))
      write(("%s/lua/%s.lua"):format(dir, name), PREAMBLE:format(name .. "%.lua") .. MODULE:format(name, name))
    end
  end
  local names = {}
  for i, library in ipairs(found) do
    copy(library.path, ("%s/lib/%s"):format(dir, library.name))
    names[i] = ("%q"):format(library.name)
  end
  write(dir .. "/lua/goloader/core.lua",
    PREAMBLE:format "goloader/core%.lua" .. CORE:format(table.concat(names, ", ")))
  run("chmod", "-R", "a+rX", dir)
end

--- Runs `goloader bundle`.
---@param arguments { output: string|nil, files: string[], lua: string[]|nil }
---@return integer status
function bundle.main(arguments)
  if not arguments.output then return require "goloader.command.terminal".complain "bundle: -o DIR is missing" end
  local versions = { "5.1" }
  for _, version in ipairs(arguments.lua or {}) do versions[#versions + 1] = version ~= "5.1" and version or nil end
  local dir = toolchain.absolute(arguments.output)
  local ok, err = pcall(make, dir, arguments.files, versions)
  if not ok then return require "goloader.command.terminal".complain(err) end
  local kilobytes = tonumber(run("du", "-sk", "--apparent-size", "--", dir):match "^%d+")
  io.write(("%s: %.1f MB; where it is used: LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;;'\n"):format(arguments.output,
    kilobytes / 1024, dir, dir))
  return 0
end

return bundle
