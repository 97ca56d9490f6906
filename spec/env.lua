-- Runs a Lua program of this tree with the tree's own goloader before any installed one:
--     luajit spec/env.lua PROGRAM.lua [ARGS…]
-- or by lua5.1, lua5.3, lua5.4, once `make plain-luas` has built the module for them.
-- The paths are handed down to programs it starts (LUA_PATH, LUA_CPATH by spec/run.lua).
local root = arg[0]:match "^(.*)/spec/env%.lua$" or "."
local built = rawget(_G, "jit") and "lib" or "lua" .. _VERSION:match "%S+$"
package.path = root .. "/lua/?.lua;" .. root .. "/lua/?/init.lua;" .. root .. "/?.lua;" .. package.path
package.cpath = root .. "/build/" .. built .. "/?.so;" .. package.cpath

local program = table.remove(arg, 1) or error "usage: luajit spec/env.lua PROGRAM.lua [ARGS…]"
arg[0] = program
local unpack = rawget(table, "unpack") or unpack
return assert(loadfile(program))(unpack(arg))
