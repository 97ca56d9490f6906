-- Where in nginx's life Go may start: it does not survive a fork, and the master process forks the workers.
local phase = {}

local WHERE = "init_worker_by_lua_block { require(\"goloader\").host() }"

-- How nginx runs, as its core says (ngx_core_conf_t begins with two flags: daemon, master; ngx_process.h numbers the
-- kinds of process). nil where this nginx shows none of it.
local function ask_core()
  local ok, ffi = pcall(require, "ffi")
  if not ok then return nil end
  pcall(ffi.cdef, [[
    typedef struct { intptr_t daemon, master; } goloader_ngx_core_conf;
    typedef struct { uintptr_t ctx_index, index; } goloader_ngx_module;
    typedef struct { void ***conf_ctx; } goloader_ngx_cycle;
  ]])
  -- declared under names of our own: resty.core declares some of nginx's, with other types
  pcall(ffi.cdef, [[
    extern goloader_ngx_cycle *goloader_ngx_cycle_now __asm__("ngx_cycle");
    extern goloader_ngx_module goloader_ngx_core __asm__("ngx_core_module");
    extern uintptr_t goloader_ngx_process __asm__("ngx_process");
  ]])
  local told, daemon, master, process = pcall(function()
    local C = ffi.C
    local conf = ffi.cast("goloader_ngx_core_conf *",
      ffi.cast("void ***", C.goloader_ngx_cycle_now.conf_ctx)[tonumber(C.goloader_ngx_core.index)])
    return tonumber(conf.daemon), tonumber(conf.master), tonumber(C.goloader_ngx_process)
  end)
  if not told then return nil end
  return { daemon = daemon ~= 0, master = master ~= 0, process = process } -- unset is on
end

--- Refuses to start Go where nginx is still to fork.
---@param ngx table|nil  nginx's own API; nil outside of it
---@return true|nil
---@return { code: string, message: string }|nil err  code "phase"
function phase.check(ngx)
  if type(ngx) ~= "table" or type(ngx.get_phase) ~= "function" then return true end
  local ok, name = pcall(ngx.get_phase)
  local core = ask_core()
  local MASTER = 1 -- NGX_PROCESS_MASTER
  local in_init = ok and name == "init"
  if not in_init and not (core and core.process == MASTER) then return true end
  -- one process that serves by itself, in the foreground: nothing forks
  if core and core.process ~= MASTER and not core.master and not core.daemon then return true end
  local where = in_init and "nginx's init phase (init_by_lua), before it forks its workers" or "nginx's master process"
  return nil, {
    code = "phase",
    message = ("Go can't be started in %s: a Go runtime does not survive fork. Start it in each worker: %s"):format(
      where, WHERE),
  }
end

return phase
