--- Programs that stand in for executables: what `goloader run` and `goloader test` write where Go's linker would write
--- one.
--
-- Such a program is a copy of the command line's launcher with a few lines of Lua behind it (see src/cmd/goloader.c),
-- which know the objects, and what Go's linker was told to give to variables. It can be started by anybody, like an
-- executable: by the program itself, too, by os.Args[0], os.Executable() or /proc/self/exe.

local lfs = require "lfs"
local toolchain = require "goloader.building.toolchain"

local program = {}

---@class goloader.Linked
---@field host string  path of the host
---@field objects (string|{ file: string, dir: string|nil })[]  of the module, the program's own last
---@field builds table<string, string>|nil  of standard packages that were compiled as another build than the host's
---@field library string|nil  the module's C parts
---@field strings table<string, string>  values of variables, as the linker's -X gives them
---@field sparse "yes"|nil  of the objects but the last only what the others need is kept

--- A table of strings as Lua source.
---@param value string|table
---@return string
function program.serialize(value)
  if type(value) == "string" then return ("%q"):format(value) end
  local parts = {}
  for key, field in pairs(value) do
    key = type(key) == "number" and key or ("%q"):format(key)
    parts[#parts + 1] = ("[%s]=%s"):format(key, program.serialize(field))
  end
  return "{" .. table.concat(parts, ",\n") .. "}"
end

local function io_error(message)
  return { code = "io", message = (message:gsub("%s+$", "")) }
end

-- chmod(2) by LuaJIT, or else by the shell.
local function make_executable(path)
  local has_ffi, ffi = pcall(require, "ffi")
  if not has_ffi then return toolchain.start({ "chmod", "+x", path }, {}):wait() end
  ffi.cdef "int chmod(const char *, unsigned);"
  return ffi.C.chmod(path, 493) == 0 -- 0755
end

--- Writes a file that can be started.
---@param path string
---@param text string
---@return true|nil ok
---@return goloader.Error|nil err
function program.write_executable(path, text)
  local ok, err = toolchain.write_file(path, text)
  if not ok then return nil, err end
  if not make_executable(path) then return nil, io_error(path .. " can't be made executable") end
  return true
end

--- Writes a program that calls a function of one of our modules with a table, and with its own arguments.
---@param path string
---@param launcher string
---@param module string  "goloader.command.program"
---@param name string  the function
---@param config table  of strings, and tables of such
---@param made nil|{ version: string, modinfo: string }  what debug/buildinfo is to find in it
---@return true|nil ok
---@return goloader.Error|nil err
function program.write(path, launcher, module, name, config, made)
  local text = toolchain.read_file(launcher)
  if not text then return nil, io_error(launcher .. ": can't be read") end
  if made then text = require "goloader.command.buildinfo".add(text, made.version, made.modinfo) end
  local chunk = ("package.path, package.cpath = %q, %q\nreturn require(%q).%s(%s, ...)\n"):format(
    package.path, package.cpath, module, name, program.serialize(config))
  return program.write_executable(path, text .. chunk .. ("%016d"):format(#chunk) .. "goloader program")
end

--- Notes in a directory what a program consists of.
---@param dir string
---@param linked goloader.Linked
---@return true|nil ok
---@return goloader.Error|nil err
function program.keep(dir, linked)
  return program.write_executable(dir .. "/linked", "return " .. program.serialize(linked))
end

--- What was noted; nil where nothing was.
---@param dir string
---@return goloader.Linked|nil
function program.kept(dir)
  local chunk = loadfile(dir .. "/linked")
  return chunk and chunk()
end

--- Goes on as another program: execve(2), where this Lua has FFI. Returns only when it can't.
---@param path string
---@param words string[]  its arguments, the first being its name
function program.become(path, words)
  local has_ffi, ffi = pcall(require, "ffi")
  if not has_ffi then return end
  ffi.cdef "int execv(const char *, const char **);"
  -- filled with NULLs, of which one stays: initialised by a table, an array has anything behind that
  local argv = ffi.new("const char *[?]", #words + 1)
  for i, word in ipairs(words) do argv[i - 1] = word end
  io.stdout:flush()
  ffi.C.execv(path, argv)
end

-- The variable that has what the user said by GODEBUG, while that says what a program begins with: "=" before the
-- value, or nothing at all when there was none. src/host/run.go removes it from Go's environment.
local users_own = "GOLOADER_GODEBUG"

-- Settings that a program brings for GODEBUG are heeded by packages as they initialise. The host's do that when it
-- starts, and it has the environment that the process began with: the process begins anew, with the settings before the
-- user's own, which win. The function that this returns makes the environment the user's again, once the host has
-- started.
local function begin_with(settings, words)
  local has_ffi, ffi = pcall(require, "ffi")
  if settings == "" or not has_ffi then return function() end end
  ffi.cdef "int setenv(const char *, const char *, int); int unsetenv(const char *);"
  local has_begun, given = os.getenv(users_own), os.getenv "GODEBUG"
  if not has_begun then
    has_begun = given and "=" .. given or ""
    ffi.C.setenv(users_own, has_begun, 1)
    ffi.C.setenv("GODEBUG", (given or "") == "" and settings or settings .. "," .. given, 1)
    -- by its name, which the process bears from then on (/proc/self/comm), unless another file has that by now
    program.become(lfs.symlinkattributes("/proc/self/exe", "target") or "", words)
    program.become("/proc/self/exe", words)
  end
  return function()
    ffi.C.unsetenv(users_own)
    if has_begun == "" then ffi.C.unsetenv "GODEBUG" else ffi.C.setenv("GODEBUG", has_begun:sub(2), 1) end
  end
end

-- Loads and runs a program. Returns only when it can't: the process ends when the program does.
local function start(linked, words)
  local restore = begin_with(linked.strings["runtime.godebugDefault"] or "", words)
  local host, message, err = require "goloader".host { path = linked.host, program = true }
  restore()
  if not host then return err or message end
  local module
  module, message, err = host:load(linked.objects, { run_init = false, ndeps = linked.sparse and #linked.objects - 1,
    twice = linked.sparse and "other", library = linked.library, builds = linked.builds })
  if not module then return err or message end
  for variable, value in pairs(linked.strings) do
    local ok
    ok, message, err = module:set_string(variable, value)
    -- as to the linker, a variable that nobody uses is none
    if not ok and (err or message).code ~= "missing" then return err or message end
  end
  message, err = select(2, module:run_main(words))
  return err or message
end

--- Loads and runs a program. Returns only when it can't, and has said why: the process ends when the program does.
---@param linked goloader.Linked
---@param words string[]  os.Args
---@return integer status
function program.start(linked, words)
  local err = start(linked, words)
  if err.code == "library" then -- what the dynamic linker says of an executable, and its status
    io.stderr:write(words[1], ": ", err.message, "\n")
    return 127
  end
  io.stderr:write("goloader: ", err.message, "\n")
  return 1
end

return program
