-- Runs a Lua program of this tree with the tree's own goloader before any installed one:
--     luajit spec/env.lua PROGRAM.lua [ARGS…]
-- The paths are handed down to programs it starts (LUA_PATH, LUA_CPATH by spec/run.lua).
local root = arg[0]:match "^(.*)/spec/env%.lua$" or "."
package.path = root .. "/lua/?.lua;" .. root .. "/lua/?/init.lua;" .. root .. "/?.lua;" .. package.path
package.cpath = root .. "/build/lib/?.so;" .. package.cpath

local program = table.remove(arg, 1) or error "usage: luajit spec/env.lua PROGRAM.lua [ARGS…]"
arg[0] = program
return assert(loadfile(program))(unpack(arg))
