-- The command line as `make install` and LuaRocks install it: behind the launcher (src/cmd/goloader.c), which runs this
-- on LuaJIT, whatever Lua goloader was made for. A checkout has its own program in build/bin.
--
-- LuaRocks moves what it installs: so all is looked for beside this program first, and then where it was put.

local argv = ...
local ffi = require "ffi"

ffi.cdef "long readlink(const char *path, char *buffer, size_t size);"
local buffer = ffi.new "char[4096]"
local length = tonumber(ffi.C.readlink("/proc/self/exe", buffer, 4096))
local prefix = length > 0 and ffi.string(buffer, length):match "^(.*)/[^/]+/[^/]+$" or "/usr/local"

local version, lua, lib = "@VERSION@", { "@LUADIR@" }, { "@LIBDIR@" }
table.insert(lib, 1, prefix .. (lib[1]:match "/lib.*$" or "/lib")) -- /usr/lib/x86_64-linux-gnu/lua/5.1, say
for _, each in ipairs { "5.1", version } do -- of the first are also rocks for LuaJIT itself
  table.insert(lua, 1, ("%s/share/lua/%s"):format(prefix, each))
  table.insert(lib, 1, ("%s/lib/lua/%s"):format(prefix, each))
  table.insert(lib, 1, ("%s/lib64/lua/%s"):format(prefix, each))
end

for i = #lua, 1, -1 do package.path = ("%s/?.lua;%s/?/init.lua;%s"):format(lua[i], lua[i], package.path) end
for i = #lib, 1, -1 do
  -- LuaJIT takes what was made for Lua 5.1
  local own = lib[i]:find "5%.1$" and lib[i] or version ~= "5.1" and lib[i] .. "/goloader/luajit" or lib[i]
  package.cpath = ("%s/?.so;%s"):format(own, package.cpath)
end

return require("goloader.cli").main(argv)
