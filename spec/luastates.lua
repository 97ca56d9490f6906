-- Lua states beside the one that asks, for scripts that LuaJIT runs: in its thread, or in threads of their own
-- (spec/testdata/threads.c). Each has this one's paths.
local ffi = require "ffi"

ffi.cdef [[
typedef struct lua_State lua_State;
lua_State *luaL_newstate(void);
void luaL_openlibs(lua_State *);
int luaL_loadstring(lua_State *, const char *);
int lua_pcall(lua_State *, int, int, int);
void lua_settop(lua_State *, int);
const char *lua_tolstring(lua_State *, int, size_t *);
void lua_close(lua_State *);

int run_states(const char *, int);
void start_states(const char *, int);
int join_states(void);
]]

local C = ffi.C

local luastates = {}

local State = {}
State.__index = State

local PATHS = ("package.path, package.cpath = %q, %q\n"):format(package.path, package.cpath)

--- A Lua state in this thread.
function luastates.new()
  local self = setmetatable({ L = C.luaL_newstate() }, State)
  C.luaL_openlibs(self.L)
  self:run(PATHS)
  return self
end

--- Raises what the chunk does; else returns the first thing that it does, as text.
function State:run(chunk)
  local failed = C.luaL_loadstring(self.L, chunk) ~= 0 or C.lua_pcall(self.L, 0, 1, 0) ~= 0
  local text = C.lua_tolstring(self.L, -1, nil)
  text = text ~= nil and ffi.string(text) or nil
  C.lua_settop(self.L, 0)
  if failed then error(text, 2) end
  return text
end

function State:close() C.lua_close(self.L) end

--- Lua states in threads of their own, which all run a chunk: `run(chunk, n)` waits for them, `start(chunk, n)` does
--- not, `join()` does that then. Both say how many have failed; each knows its number as the global THREAD, from 1 on.
---@param library string  what support.threads_library returns
function luastates.threads(library)
  local lib = ffi.load(library)
  return {
    run = function(chunk, n) return lib.run_states(PATHS .. chunk, n) end,
    start = function(chunk, n) lib.start_states(PATHS .. chunk, n) end,
    join = function() return lib.join_states() end,
  }
end

return luastates
