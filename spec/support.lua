-- What the specs share: the host, temporary files, the compiler, child processes.

local lfs = require "lfs"
local goloader = require "goloader"
local toolchain = require "goloader.building.toolchain"

local support = {}

--- What runs Lua here: the specs of calls run on others than LuaJIT too.
support.interpreter = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match "%S+$"

--- The process's host.
function support.host()
  return assert(goloader.host())
end

function support.tools()
  return assert(support.host():toolchain())
end

local temporary

--- A directory for this process's files; support.clean removes it.
function support.tmpdir()
  if not temporary then
    temporary = os.tmpname()
    os.remove(temporary)
    assert(lfs.mkdir(temporary))
  end
  return temporary
end

function support.clean()
  if temporary then os.execute("rm -rf " .. toolchain.quote(temporary)) end
  temporary = nil
end

--- Writes a file, whose folder is there, and returns its path.
function support.write_file(path, text)
  local f = assert(io.open(path, "wb"))
  f:write(text)
  assert(f:close())
  return path
end

--- Writes a file below the temporary directory and returns its path.
function support.write(name, text)
  local path = support.tmpdir() .. "/" .. name
  os.execute("mkdir -p " .. toolchain.quote(path:match "^(.*)/"))
  return support.write_file(path, text)
end

support.read = toolchain.read_file

--- The list of the standard library's archives, for the compiler.
function support.importcfg(tools)
  return support.write("importcfg", toolchain.importcfg(assert((tools or support.tools()):std_archives {})))
end

--- Compiles one Go file as `go tool compile` does and returns the object's path. `flags` go before the file.
function support.compile(source, name, flags, tools)
  tools = tools or support.tools()
  local file = source:find "\n" and support.write((name or "main") .. ".go", source) or source
  local object = os.tmpname()
  os.remove(object)
  object = support.tmpdir() .. "/" .. object:match "[^/]*$" .. ".o"
  local args = { "-o", object, "-p", name or "main", "-importcfg", support.importcfg(tools) }
  for _, flag in ipairs(flags or {}) do args[#args + 1] = flag end
  args[#args + 1] = file
  local ok, output = assert(tools:start_tool("compile", args)):wait()
  assert(ok, output)
  return object
end

--- Runs a command to its end: status (128 + signal when killed), standard output, standard error.
function support.run(argv, environment, input)
  local words = {}
  for i, word in ipairs(argv) do words[i] = toolchain.quote(word) end
  local out, err = os.tmpname(), os.tmpname()
  local command = ("%s timeout -k 5 300 %s <%s >%s 2>%s; echo $?"):format(environment or "", table.concat(words, " "),
    input and toolchain.quote(support.write("input", input)) or "/dev/null", out, err)
  local pipe = assert(io.popen(command))
  local status = tonumber(pipe:read "*a")
  pipe:close()
  local output, errors = support.read(out), support.read(err)
  os.remove(out)
  os.remove(err)
  return status, output, errors
end

--- Sees to it that what a go.mod requires lies in the module cache. Third-party modules are fetched in this one place:
--- without them what needs them can't be tested, and that is a failure which says why.
function support.fetch_modules(dir)
  local ok, _, errors = assert(support.tools():go({ "mod", "download" }, { dir = dir })):wait()
  if not ok then error(dir .. ": modules can't be fetched: " .. errors, 0) end
end

--- A Go program that a spec needs: the one that the machine has, or else one that is built for the specs, if what it
--- is made of can be had from the module proxy; nil and why not.
---@param package string with its version: "github.com/go-delve/delve/cmd/dlv@v1.27.2"
---@return string? path, string? why
function support.program(package)
  local name, version = package:match "([^/]+)@(.+)$"
  local missing, found = support.run { "sh", "-c", "command -v " .. name }
  if missing == 0 then return (found:gsub("\n", "")) end
  local folder = toolchain.absolute("build/spec/" .. name .. "-" .. version)
  local path = folder .. "/" .. name
  if lfs.attributes(path, "mode") == "file" then return path end
  local tools = support.tools()
  local status, _, errors = support.run({ tools.goroot .. "/bin/go", "install", package },
    tools.env .. "GOFLAGS= GOWORK=off GOBIN=" .. toolchain.quote(folder))
  if status == 0 then return path end
  return nil, ("there is no %s, and it can't be made: %s"):format(name, errors:match "([^\n]*)\n*$")
end

--- Why perf can't look at processes here; nil: it can.
function support.no_perf()
  local data = support.tmpdir() .. "/try.data"
  local status, out, errors = support.run { "perf", "record", "-q", "-e", "cpu-clock:u", "-o", data, "true" }
  os.remove(data)
  if status ~= 0 then return "perf can't look here: " .. (errors .. out):match "[^\n]*" end
end

--- Why perf can't set probes here; nil: it can.
function support.no_perf_probes()
  local f
  for _, folder in ipairs { "/sys/kernel/tracing/", "/sys/kernel/debug/tracing/" } do
    f = f or io.open(folder .. "uprobe_events", "r+")
  end
  if not f then return "perf probe needs tracefs, and the right to it" end
  f:close()
  return support.no_perf()
end

--- Why bpftrace can't look at processes here; nil: it can.
function support.no_bpftrace()
  local status, out, errors = support.run { "bpftrace", "-e", "BEGIN { exit(); }" }
  if status ~= 0 then return "bpftrace can't look here: " .. (errors .. out):match "[^\n]*" end
  -- the kernel tells it the numbers that processes have outside, and it looks for their names in /proc
  local namespace = lfs.symlinkattributes("/proc/self/ns/pid", "target")
  if namespace ~= "pid:[4026531836]" then return "bpftrace finds no names from within a PID namespace" end
end

--- Why strace can't show stacks here; nil: it can.
function support.no_strace()
  local status, out, errors = support.run { "strace", "-k", "-e", "trace=exit_group", "true" }
  if status == 0 and errors:find "\n > " then return end
  return "strace -k can't look here: " .. (errors .. out):match "[^\n]*"
end

--- What calling f raises.
function support.raised(f, ...)
  local ok, err = pcall(f, ...)
  if ok then error("nothing was raised", 2) end
  return err
end

--- Calling f raises an error whose text is like the pattern; returns it.
function support.raises(pattern, f, ...)
  local ok, err = pcall(f, ...)
  if ok then error("nothing was raised", 2) end
  if not tostring(err):find(pattern) then error(("%q is not like %q"):format(tostring(err), pattern), 2) end
  return err
end

--- Runs build/bin/goloader.
function support.cli(...)
  return support.run { "build/bin/goloader", ... }
end

--- Compiles what spec/luastates.lua runs Lua states in threads by; returns the library's path.
function support.threads_library()
  local library = support.tmpdir() .. "/threads.so"
  support.output_of(support.run { "sh", "-c", "cc -O1 -shared -fPIC -pthread $(pkg-config --cflags luajit) -o "
    .. library .. " spec/testdata/threads.c" })
  return library
end

--- What a command has printed that succeeds: given all that `run`, `cli` or `lua` returns.
function support.output_of(status, out, errors)
  if status ~= 0 then error(("status %s\n%s%s"):format(status, out, errors), 2) end
  return out
end

--- The same of a command that prints no errors either.
function support.clean_output_of(status, out, errors)
  if status ~= 0 or errors ~= "" then error(("status %s\n%s%s"):format(status, out, errors), 2) end
  return out
end

--- What goes before a command for nobody to run it, where that can be; anybody else is somebody all the same.
support.as_nobody = lfs.attributes("/proc/self", "uid") == 0
  and "setpriv --reuid=65534 --regid=65534 --clear-groups " or ""

--- Runs a Lua script in a process of its own, with this tree's goloader; on the Lua of this process when none is named.
function support.lua(script, environment, interpreter)
  return support.run({ interpreter or support.interpreter, "spec/env.lua", support.write("script.lua", script) },
    environment)
end

-- What differs from one Lua to the next ----------------------------------------------------------------------------

local has_ffi, ffi = pcall(require, "ffi")
local load = rawget(_G, "loadstring") or load
local math_type = rawget(math, "type") or type
local INT64_MAX = "9223372036854775807"

--- The integer of these digits as calls carry it on this Lua: a number, or beyond 2^53 int64_t or uint64_t cdata, an
--- integer of Lua 5.3 and later up to 2^63, the digits themselves where nothing else is left.
function support.integer(digits)
  local number = tonumber(digits)
  if math.abs(number) < 2 ^ 53 then return number end
  if has_ffi then
    local is_unsigned = #digits == 20 and number > 0 or #digits == 19 and digits > INT64_MAX
    return load("return " .. digits .. (is_unsigned and "ULL" or "LL"))()
  end
  return math_type(number) == "integer" and number or digits
end

--- Is it the integer of these digits, in the form that results have?
function support.is_integer(value, digits, is_unsigned)
  local expected = support.integer(digits)
  if type(expected) == "cdata" then
    return ffi.istype(is_unsigned and "uint64_t" or "int64_t", value) and value == expected
  end
  return value == expected and math_type(value) == math_type(expected)
end

--- A small integer in the form of a big one: on Lua 5.1 there is none, on later ones a float is another form.
function support.wide(number)
  if has_ffi then return ffi.new("int64_t", number) end
  return number + 0.0
end

--- Calls `finalizer` when the collector finds a value that nobody holds.
function support.finalized(finalizer)
  if rawget(_G, "newproxy") then
    getmetatable(newproxy(true)).__gc = finalizer
  else
    setmetatable({}, { __gc = finalizer })
  end
end

local counter

--- How many modules the Go runtime knows: the host, those loaded (large ones twice), and the one that counts them.
function support.runtime_modules()
  counter = counter or assert(support.host():load(support.compile("spec/testdata/modules.go", "modules")))
  return counter.Count()
end

--- Mappings of this process.
function support.mappings()
  local _, n = support.read "/proc/self/maps":gsub("\n", "")
  return n
end

--- Resident memory of this process in bytes.
function support.rss()
  local pages = support.read "/proc/self/statm":match "^%d+ (%d+)"
  return tonumber(pages) * 4096
end

--- By how many bytes resident memory grows while `round` is run a number of times, after two rounds to settle.
function support.growth(rounds, round)
  local function collected()
    round()
    collectgarbage()
    collectgarbage()
  end
  collected()
  collected()
  local before = support.rss()
  for _ = 1, rounds do collected() end
  return support.rss() - before
end

--- Waits until `test` holds; false when it never does, for ten seconds or so many.
function support.eventually(test, seconds)
  for _ = 1, (seconds or 10) * 100 do
    if test() then return true end
    os.execute "sleep 0.01"
  end
  return false
end

return support
