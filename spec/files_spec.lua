-- Loaded code as files (debug = "files"): for perf annotate, uprobes, core files, and whatever reads /proc/PID/maps.
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

teardown(support.clean)

local source = [[
package main

import "strings"

//go:noinline
func label(s string, n int) string {
	if n == 0 {
		return strings.Repeat(s, 2)
	}
	return label(s, n-1) + "." // 10
}

func Label(s string, n int) string {
	return label(s, n) + "?"
}

func Add(a, b int) int {
	return a + b
}
]]

-- What programs see: a runtime folder of their own.
local object, runtime, environment

setup(function()
  object = support.compile(source, "main")
  runtime = toolchain.absolute(support.tmpdir()) .. "/runtime"
  os.execute("mkdir -m 700 " .. runtime)
  environment = "XDG_RUNTIME_DIR=" .. runtime
end)

local prelude = [[
  local goloader = require "goloader"
  local function lines(command)
    local pipe = io.popen(command)
    local text = pipe:read "*a"
    pipe:close()
    return text
  end
  local pid = lines "echo $PPID":match "%d+"
  local folder = os.getenv "XDG_RUNTIME_DIR" .. "/goloader"
  local function files() return lines("ls " .. folder .. "/" .. pid .. " 2>/dev/null"):gsub("\n", " ") end
  local function maps() return lines("grep " .. folder .. "/ /proc/" .. pid .. "/maps") end
  local function start() return assert(goloader.host { debug = "files" }) end
]]

local function script(text)
  return support.write("script.lua", prelude .. text:gsub("OBJECT", function() return ("%q"):format(object) end))
end

-- What a program prints, and tells on standard error.
local function run(text, extra)
  local status, out, errors = support.run({ support.interpreter, "spec/env.lua", script(text) },
    (environment .. " " .. (extra or "")))
  assert.equal(0, status, errors)
  return out, errors
end

-- The process first: it would remove its files when what it waits for ends.
local function kill(pid)
  os.execute(("c=$(pgrep -P %s); kill -9 %s $c 2>/dev/null"):format(pid, pid))
end

describe("files of loaded code", function()
  it("are what code is mapped from as long as it is there, that of the pure road too", function()
    local out = run [[
      local m, s = assert(start():load(OBJECT)), 0
      for i = 1, 1000 do s = s + m.Add(i, 3) end
      print(m.Label("x", 1), s, files())
      print(maps())
      assert(m:unload())
      print("left", files(), maps())
    ]]
    assert.matches("^xx%.%?%s503500%s", out)
    assert.matches("%f[%w]main%-1%.so", out)
    assert.matches("\n%x+%-%x+ r%-xp [^\n]*/goloader/%d+/main%-1%.so\n", out)
    if support.interpreter == "luajit" then
      assert.matches("\n%x+%-%x+ r%-xp [^\n]*/goloader/%d+/pure%-1%.so\n", out)
    end
    assert.not_matches("[w]xp", out)
    assert.matches("\nleft%s+$", out)
  end)

  it("have content, symbols and addresses that ELF's tools agree with", function()
    local copy = support.tmpdir() .. "/copied.so"
    run(([[
      local m = assert(start():load(OBJECT))
      os.execute("cp " .. folder .. "/" .. pid .. "/main-1.so %s")
    ]]):format(copy))
    local status, out, errors = support.run { "readelf", "-Wa", copy }
    assert.equal(0, status)
    assert.equal("", errors)
    assert.matches("FUNC +GLOBAL +DEFAULT +1 main%.label\n", out)
    assert.matches("GNU_STACK [^\n]* RW ", out)
    assert.matches("Build ID: %x+", out)
    local _, code = support.run { "objdump", "-d", "-l", copy }
    assert.matches("<main%.label>:\n.-script%.go:%d+\n" , (code:gsub("[^\n/]*%.go", "script.go")))
  end)

  it("are there where the environment says so, and only then", function()
    local text = [[ assert(assert(goloader.host()):load(OBJECT)) print(files()) ]]
    assert.matches("main%-1%.so", (run(text, "GOLOADER_DEBUG=files")))
    assert.equal("\t0\n", (run("print(maps(), select(2, files()))", "GOLOADER_DEBUG=")))
    assert.not_matches("so", (run(text, "GOLOADER_DEBUG=1")))
    assert.not_matches("so", (run(text, "GOLOADER_DEBUG=")))
  end)

  it("go when the process ends, and not when a child of it does", function()
    if not rawget(_G, "jit") then return end
    local out = run [[
      local ffi = require "ffi"
      ffi.cdef "int fork(void); void exit(int); int waitpid(int, int *, int);"
      local m = assert(start():load(OBJECT))
      local child = ffi.C.fork()
      if child == 0 then ffi.C.exit(0) end
      ffi.C.waitpid(child, nil, 0)
      print(files())
    ]]
    assert.matches("main%-1%.so", out)
    local _, left = support.run { "ls", runtime .. "/goloader" }
    assert.equal("", left)
  end)

  it("of processes that were killed are removed by the next one, those of others not", function()
    local waits = script [[
      assert(start():load(OBJECT))
      print(pid)
      io.stdout:flush()
      os.execute "exec sleep 60 >/dev/null"
    ]]
    local function begin()
      local pipe = assert(io.popen(("%s exec %s spec/env.lua %s"):format(environment, support.interpreter, waits)))
      return pipe, pipe:read "*l"
    end
    local first, killed = begin()
    local second, alive = begin()
    kill(killed)
    first:close()
    local before = select(2, support.run { "ls", runtime .. "/goloader" })
    local out = run [[ start() print(lines("ls " .. folder)) ]]
    kill(alive)
    second:close()
    run "start()"
    assert.matches("%f[%d]" .. killed .. "\n", before)
    assert.matches("%f[%d]" .. alive .. "\n", out)
    assert.not_matches("%f[%d]" .. killed .. "\n", out)
    assert.equal("", (select(2, support.run { "ls", runtime .. "/goloader" })))
  end)

  it("lie below TMPDIR where there is no runtime folder, in a folder that is the user's alone", function()
    local temporary = toolchain.absolute(support.tmpdir()) .. "/temporary"
    os.execute("mkdir -p " .. temporary)
    local text = [[
      assert(start():load(OBJECT))
      print(lines("cd $TMPDIR && ls -ld goloader-debug-* && find goloader-debug-* -name '*.so'"))
    ]]
    local out = run(text, "XDG_RUNTIME_DIR=/nowhere TMPDIR=" .. temporary)
    assert.matches("^drwx%-%-%-%-%-%- [^\n]* goloader%-debug%-%d+\ngoloader%-debug%-%d+/%d+/main%-1%.so\n", out)
    os.execute(("chmod 755 %s/goloader-debug-*"):format(temporary))
    out = run([[ print(goloader.host { debug = "files" }) ]], "XDG_RUNTIME_DIR=/nowhere TMPDIR=" .. temporary)
    assert.matches("^nil\tloaded code can't be kept as files for debuggers: /nowhere/goloader: No such file or "
      .. "directory; [^\n]*/temporary/goloader%-debug%-%d+: not a folder of this user's alone %(mode 0700%)", out)
  end)

  it("that can't be written are told of once, and code is loaded without them", function()
    local out, errors = run [[
      local host = start()
      os.execute("mv " .. folder .. "/" .. pid .. " " .. folder .. "/away")
      local m, other = assert(host:load(OBJECT)), assert(host:load(OBJECT))
      print(m.Label("x", 1), other.Add(1, 2), maps())
      assert(m:unload())
      os.execute("mv " .. folder .. "/away " .. folder .. "/" .. pid)
      m = assert(host:load(OBJECT))
      print(files())
    ]]
    assert.matches("^xx%.%?%s3%s+\nmain%-%d%.so", out)
    assert.matches("/main%-1%.so: No such file or directory: debuggers have no file of it\n$", errors)
    assert.equal(1, select(2, errors:gsub("\n", "")))
  end)

  it("are no reason for gdb not to have code in core files, nor names twice", function()
    local core = support.tmpdir() .. "/core"
    local waits = script [[
      assert(start():load(OBJECT))
      print(pid)
      io.stdout:flush()
      os.execute "exec sleep 60 >/dev/null"
    ]]
    local pipe = assert(io.popen(("%s exec %s spec/env.lua %s"):format(environment, support.interpreter, waits)))
    local pid = pipe:read "*l"
    local _, out = support.run { "gdb", "-nx", "-q", "-batch", "-ex", "break main.label", "-ex",
      "generate-core-file " .. core, "-p", pid }
    kill(pid)
    pipe:close()
    run "start()" -- which removes the file
    assert.matches("Breakpoint 1 at 0x%x+: file [^\n]*, line 6%.\n", out)
    local address = out:match "Breakpoint 1 at (0x%x+)"
    local _, path = support.run { "sh", "-c", "command -v " .. support.interpreter }
    _, out = support.run { "gdb", "-nx", "-q", "-batch", "-ex", "x/i " .. address, "-c", core,
      (path:gsub("\n", "")) }
    os.remove(core)
    assert.matches("0x%x+ <main%.label>:%s+cmp +0x10%(%%r14%),%%rsp\n", out)
  end)
end)

describe("perf", function()
  local data = support.tmpdir() .. "/perf.data"
  local function perf(...) return support.run({ "perf", "--buildid-dir", support.tmpdir() .. "/buildids", ... },
    environment) end
  local busy = [[
    local m, t, s = assert(start():load(OBJECT)), os.clock(), 0
    print(folder .. "/" .. pid .. "/main-1.so")
    io.stdout:flush()
    while os.clock() - t < %g do s = s + #m.Label("x", 20) end
  ]]

  it("shows names and lines of a program that has ended, where files stay for it", function()
    local lacking = support.no_perf()
    if lacking then pending(lacking) end
    local status, _, errors = support.run({ "perf", "record", "-q", "-e", "cpu-clock:u", "-o", data,
      support.interpreter, "spec/env.lua", script(busy:format(0.5)) }, environment .. " GOLOADER_PERF=1")
    assert.equal(0, status, errors)
    local _, out = perf("script", "-i", data, "-F", "pid,ip,sym,dso")
    os.remove(("/tmp/perf-%s.map"):format(out:match "%d+"))
    assert.matches("main%.label %([^\n]*/goloader/%d+/main%-1%.so%)\n", out)
    _, out = perf("annotate", "-i", data, "--stdio", "-s", "main.label")
    assert.matches('return label%(s, n%-1%) %+ "%."', out)
    run "start()"
    assert.equal("", (select(2, support.run { "ls", runtime .. "/goloader" })))
  end)

  it("sets probes in a running program by name, with arguments", function()
    local pipe = assert(io.popen(("%s exec %s spec/env.lua %s"):format(environment, support.interpreter,
      script(busy:format(3)))))
    local file = pipe:read "*l"
    finally(function()
      perf("probe", "-q", "-d", "probe_goloader:*")
      pipe:close()
    end)
    local lacking = support.no_perf_probes()
    if lacking then pending(lacking) end
    local set, _, why = perf("probe", "-q", "-x", file, "--add", "probe_goloader:label=main.label n")
    assert.equal(0, set, why)
    local pid = file:match "/(%d+)/main"
    local status, _, errors = perf("record", "-q", "-e", "probe_goloader:label", "-o", data, "-p", pid, "sleep", "0.1")
    assert.equal(0, status, errors)
    local _, out = perf("script", "-i", data)
    assert.matches("probe_goloader:label: %(%x+%) n=%d+\n", out)
  end)
end)

describe("bpftrace", function()
  it("has functions of a running program as probes, by name, and stacks with names through the host", function()
    local lacking = support.no_bpftrace()
    if lacking then pending(lacking) end
    local pipe = assert(io.popen(("%s exec %s spec/env.lua %s"):format(environment, support.interpreter, script [[
      local m = assert(start():load(OBJECT))
      print(folder .. "/" .. pid .. "/main-1.so")
      io.stdout:flush()
      local ended = os.time() + 60
      while os.time() < ended do m.Label("x", 3) end
    ]])))
    local file = pipe:read "*l"
    local pid = file:match "/(%d+)/main"
    local status, out, errors = support.run { "bpftrace", "-p", pid, "-e", ([[
      uprobe:%s:"main.label" { @stack[ustack(6)] = count(); @n[reg("cx")] = count(); }
      interval:s:1 { exit(); }
    ]]):format(file) }
    kill(pid)
    pipe:close()
    run "start()" -- which removes the file
    assert.equal(0, status, errors)
    -- at its first instruction a function has no frame yet, so that the one that called it is not in the stack
    assert.matches("\n%s+main%.label%+0\n%s+main%.label%+%d+\n%s+main%.Label%+%d+\n%s+%S*goloader%.dev/host/%S+%+%d+\n",
      out)
    for n = 0, 3 do assert.matches("@n%[" .. n .. "%]: %d+\n", out) end
  end)
end)

-- libunwind, which it uses, has names of the first mapping of a file's code only: of the host's there must be one, as
-- there is from Linux 5.13 on (src/process/replace.c).
describe("strace -k", function()
  it("has names for loaded code, and for the host's that it has called", function()
    local lacking = support.no_strace()
    if lacking then pending(lacking) end
    local major, minor = support.output_of(support.run { "uname", "-r" }):match "^(%d+)%.(%d+)"
    if tonumber(major) * 1000 + minor < 5013 then pending "the host's code is several mappings before Linux 5.13" end
    local compiled = support.compile([[
package main

import "os"

//go:noinline
func find(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func Find(name string) bool { return find(name) }
]], "main")
    local status, _, errors = support.run({ "strace", "-k", "-f", "-e", "trace=newfstatat", support.interpreter,
      "spec/env.lua", support.write("finds.lua", ([[
        local m = assert(assert(require "goloader".host { debug = "files" }):load %q)
        assert(not m.Find "/nowhere/at/all")
      ]]):format(compiled)) }, environment)
    assert.equal(0, status, errors)
    local stack = errors:match "/nowhere/at/all.-\n( > .-)\n[^ ]"
    assert.matches("Syscall6%+[^\n]*\n.-%(syscall%.[^\n]*\n.-%(os%.Stat%+[^\n]*\n"
      .. " > %S*/main%-1%.so%(main%.find%+[^\n]*\n > %S*/main%-1%.so%(main%.Find%+[^\n]*\n"
      .. ".-%(goloader%.dev/host%.crossed%+", stack)
  end)
end)
