-- goloader run beside the real go run, on the same input: what a program can find out about how it was built and
-- started.
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

local quote = toolchain.quote

teardown(support.clean)

-- Runs a command line in a directory by the shell.
local function run_in(dir, environment, words)
  for i, word in ipairs(words) do words[i] = quote(word) end
  local shell = ("cd %s && %s %s"):format(quote(dir), environment or "", table.concat(words, " "))
  return support.run { "sh", "-c", shell }
end

local function ours(dir, arguments, environment)
  return run_in(dir, environment, { toolchain.absolute "build/bin/goloader", "run", unpack(arguments) })
end

local function natively(dir, arguments, environment)
  local tools = support.tools()
  return run_in(dir, tools.env .. " GOWORK=off " .. (environment or ""),
    { tools.goroot .. "/bin/go", "run", unpack(arguments) })
end

-- Both must print the same. `go run` adds a line that tells the status, and returns 1 for whatever it is.
local function assert_same(dir, arguments, environment)
  local status, out, errors = natively(dir, arguments, environment)
  local our_status, our_out, our_errors = ours(dir, arguments, environment)
  local told = errors:match "exit status (%d+)\n$"
  assert.equal(out, our_out, our_errors)
  assert.equal((errors:gsub("exit status %d+\n$", "")), our_errors)
  assert.equal(told and tonumber(told) or status, our_status)
  return our_out, our_status
end

local function program(name, body, go_mod)
  local dir = support.write(name .. "/main.go", "package main\n\n" .. body):match "^(.*)/"
  support.write(name .. "/go.mod", ("module example.com/%s\n\n%s"):format(name, go_mod or "go 1.21\n"))
  return dir
end

describe("goloader run, as go run", function()
  it("runs init functions on the process's main thread, and main too where one has locked it", function()
    local dir = program("thread", [[
import ("fmt"; "os"; "runtime"; "syscall")

func onMain() bool { return syscall.Gettid() == os.Getpid() }

func init() {
	if len(os.Args) > 1 {
		runtime.LockOSThread()
	}
	other := make(chan bool)
	go func() { other <- onMain() }()
	fmt.Println("init", onMain(), <-other)
}

func main() {
	if len(os.Args) == 1 {
		return
	}
	stayed := true
	for i := 0; i < 1000; i++ {
		done := make(chan bool)
		go func() { runtime.Gosched(); close(done) }()
		<-done
		stayed = stayed && onMain()
	}
	fmt.Println("main", stayed, runtime.NumGoroutine())
}
]])
    assert.equal("init true false\n", (assert_same(dir, { "." })))
    assert.equal("init true false\nmain true 1\n", (assert_same(dir, { ".", "lock" })))
  end)

  -- As mockey does it, which replaces functions for tests.
  it("has all functions where runtime.findfunc leads to, its own and the runtime's", function()
    local dir = program("findfunc", [[
import ("fmt"; "reflect"; "runtime"; "unsafe")

//go:linkname findfunc runtime.findfunc
func findfunc(pc uintptr) (fn, moduledata unsafe.Pointer)

//go:noinline
func mine(x int) int { return x + 1 }

func main() {
	// runtime.moduledata: a pointer and five slices, then ftab, and after three words text
	_, moduledata := findfunc(reflect.ValueOf(mine).Pointer())
	ftab := *(*[]struct{ entry, fn uint32 })(unsafe.Add(moduledata, 16*8))
	text := *(*uintptr)(unsafe.Add(moduledata, 22*8))
	entries := map[string]uintptr{}
	for _, f := range ftab {
		if fn := runtime.FuncForPC(text + uintptr(f.entry)); fn != nil {
			entries[fn.Name()] = text + uintptr(f.entry)
		}
	}
	fmt.Println(entries["main.mine"] == reflect.ValueOf(mine).Pointer(), entries["main.main"] != 0)
	fmt.Println(entries["runtime.GC"] == reflect.ValueOf(runtime.GC).Pointer(), entries["runtime.usleep"] != 0)
	entry := entries["main.mine"]
	pointer := &entry
	fmt.Println((*(*func(int) int)(unsafe.Pointer(&pointer)))(mine(1)))
}
]])
    support.write("findfunc/stub.s", "")
    assert.equal("true true\ntrue true\n3\n", (assert_same(dir, { "." })))
  end)

  it("has a stack that ends as natively, for those who print it themselves", function()
    local dir = program("callers", [[
import ("fmt"; "runtime")

func main() {
	var pcs [10]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		fmt.Println(f.Function, f.File, f.Line)
	}
}
]])
    assert.matches("\nruntime%.main %S+/src/runtime/proc%.go %d+\nruntime%.goexit ", (assert_same(dir, { "." })))
  end)

  it("shows the frames that it has natively when an init function panics", function()
    local dir = program("initpanic", [[
import ("fmt"; "os"; "runtime/debug")

var tenth = 10 / len(os.Args[1:])

func init() {
	fmt.Printf("%s", debug.Stack())
	panic("init")
}

func main() {}
]])
    assert.equal(2, select(2, assert_same(dir, { "." })))
    assert.equal(2, select(2, assert_same(dir, { ".", "one" })))
  end)

  it("has no goroutines but its own in a profile of those that leak", function()
    local dir = program("leaks", [[
import ("fmt"; "runtime"; "runtime/pprof"; "strings")

func main() {
	profile := pprof.Lookup("goroutineleak") // since Go 1.27
	if profile == nil {
		return
	}
	for leaks := 0; leaks < 2; leaks++ {
		var text strings.Builder
		profile.WriteTo(&text, 1)
		fmt.Println(strings.SplitN(text.String(), "\n", 2)[0])
		go func() { select {} }()
		stacks := make([]byte, 1<<16)
		for !strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "[select (no cases)") {
			runtime.Gosched()
		}
	}
}
]])
    assert_same(dir, { "." })
  end)

  it("goes on when main ends its goroutine, locked or not", function()
    local dir = program("goexit", [[
import ("os"; "runtime"; "time")

func main() {
	if len(os.Args) > 1 {
		runtime.LockOSThread()
	}
	go func() {
		time.Sleep(20 * time.Millisecond)
		println("done")
		os.Exit(3)
	}()
	runtime.Goexit()
}
]])
    assert.equal(3, select(2, assert_same(dir, { "." })))
    assert.equal(3, select(2, assert_same(dir, { ".", "lock" })))
  end)

  it("runs nothing more on the main thread once a goroutine ended that had locked it", function()
    local dir = program("wedged", [[
import ("fmt"; "os"; "runtime"; "sync"; "syscall")

func init() { runtime.LockOSThread() }

func main() {
	fmt.Println(syscall.Gettid() == os.Getpid())
	defer runtime.Goexit() // the thread may be in whatever state main has given it
	go func() {
		var met sync.Map
		for i := 0; i < 20; i++ {
			var all sync.WaitGroup
			for j := 0; j < 50; j++ {
				all.Add(1)
				go func() {
					defer all.Done()
					runtime.LockOSThread() // each needs a thread of its own
					met.Store(syscall.Gettid() == os.Getpid(), true)
					runtime.Gosched()
				}()
			}
			all.Wait()
		}
		_, main := met.Load(true)
		fmt.Println(main)
		os.Exit(0)
	}()
}
]])
    assert.equal("true\nfalse\n", (assert_same(dir, { "." })))
  end)

  it("dies of signals, or tells of them, as the program natively does", function()
    local dir = program("signals", [[
import ("os"; "strconv"; "syscall"; "time")

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	syscall.Kill(os.Getpid(), syscall.Signal(n))
	time.Sleep(20 * time.Millisecond)
}
]])
    assert(support.tools():go({ "build", "-o", "natively" }, { dir = dir })):wait()
    for _, signal in ipairs { 1, 2, 3, 4, 6, 8, 9, 10, 11, 13, 14, 15, 17, 24, 27, 34, 64 } do
      local status, _, errors = run_in(dir, nil, { "./natively", tostring(signal) })
      local our_status, _, our_errors = ours(dir, { ".", tostring(signal) })
      assert.equal(status, our_status)
      assert.equal(errors:match "^[^\n]*", our_errors:match "^[^\n]*")
    end
  end)

  it("gets signals on whatever thread they are sent to", function()
    local dir = program("raise", [[
// #include <signal.h>
import "C"
import ("fmt"; "os"; "os/signal"; "syscall"; "time")

func main() {
	told := make(chan os.Signal, 1)
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGPIPE, 40} {
		signal.Notify(told, s)
		raised := make(chan C.int)
		go func() { raised <- C.raise(C.int(s)) }()
		<-raised
		select {
		case got := <-told:
			fmt.Println(got)
		case <-time.After(10 * time.Second):
			fmt.Println("no", s)
		}
	}
}
]])
    assert_same(dir, { "." })
  end)

  it("has the signals blocked and ignored that a program has, whoever started it", function()
    local dir = program("masks", [[
import ("fmt"; "os"; "os/exec"; "path/filepath"; "regexp"; "runtime"; "strings"; "time")

func main() {
	for i := 0; i < 4; i++ {
		go func() { runtime.LockOSThread(); time.Sleep(time.Second) }()
	}
	time.Sleep(50 * time.Millisecond)
	files, _ := filepath.Glob("/proc/self/task/*/status")
	seen := map[string]bool{}
	for _, file := range files {
		status, _ := os.ReadFile(file)
		for _, line := range regexp.MustCompile("Sig[BIC].*").FindAllString(string(status), -1) {
			// a thread that is being made blocks all of them
			if !seen[line] && !strings.Contains(line, "SigBlk:\tfffffff") {
				fmt.Println(line)
			}
			seen[line] = true
		}
	}
	out, err := exec.Command("grep", "^Sig[BIC]", "/proc/self/status").Output()
	fmt.Println(string(out), err)
}
]])
    assert(support.tools():go({ "build", "-o", "natively" }, { dir = dir })):wait()
    local goloader = toolchain.absolute "build/bin/goloader"
    for _, inherited in ipairs { "--default-signal", "--ignore-signal=PIPE,HUP,QUIT,USR1", "--ignore-signal=CHLD",
      "--block-signal=CHLD,TERM,INT,USR1,QUIT,SYS" } do
      local out = select(2, run_in(dir, nil, { "env", inherited, "./natively" }))
      assert.equal(out, support.output_of(run_in(dir, nil, { "env", inherited, goloader, "run", "." })))
    end
  end)

  it("ends as an executable does that lacks a shared library", function()
    local dir = program("lacks", [[
// #cgo LDFLAGS: -L${SRCDIR} -lgoloader_gone
// int gone(void);
import "C"

func main() { println(C.gone()) }
]])
    local source = support.write("lacks/library/gone.c", "int gone(void) { return 3; }\n")
    support.output_of(support.run { "cc", "-shared", "-fPIC", "-o", dir .. "/libgoloader_gone.so", source })
    assert(support.tools():go({ "build", "-o", "natively" }, { dir = dir })):wait()
    local status, out, errors = run_in(dir, nil, { "./natively" })
    local our_status, our_out, our_errors = ours(dir, { "." })
    assert.same({ 127, "" }, { status, out })
    assert.same({ status, out, errors:match ": .*" }, { our_status, our_out, our_errors:match ": .*" })
    status, out, errors = ours(dir, { "." }, "LD_LIBRARY_PATH=.")
    assert.same({ 0, "", "3\n" }, { status, out, errors })
  end)

  it("has how it was built in its file, too", function()
    local body = [[
import ("debug/buildinfo"; "fmt"; "os"; "os/exec")

func main() {
	self, _ := os.Executable()
	for _, file := range []string{self, "/proc/self/exe"} {
		info, err := buildinfo.ReadFile(file)
		fmt.Println(info, err)
	}
	if len(os.Args) == 1 {
		out, err := exec.Command(self, "again").CombinedOutput()
		fmt.Printf("%s%v\n", out, err)
	}
}
]]
    assert_same(program("built", body), { "." })
    assert_same(program("builtnow", body, ("go %s\n"):format(support.tools().version:match "%d+%.%d+")),
      { "-trimpath", "-tags=one", "." })
    local dir = program("builttest", "func main() {}\n")
    support.write("builttest/main_test.go", [[
package main

import ("debug/buildinfo"; "os"; "testing")

func TestInfo(t *testing.T) {
	info, err := buildinfo.ReadFile(os.Args[0])
	if err != nil || info.Main.Path != "example.com/builttest" {
		t.Fatal(info, err)
	}
}
]])
    support.output_of(run_in(dir, nil, { toolchain.absolute "build/bin/goloader", "test", "." }))
  end)

  it("bears its name, and the one that it is started by", function()
    local dir = program("names", [[
import ("fmt"; "os"; "os/exec"; "syscall")

func main() {
	comm, _ := os.ReadFile("/proc/self/comm")
	fmt.Printf("%s%q\n", comm, os.Args[1:])
	self, _ := os.Executable()
	switch len(os.Args) {
	case 1:
		again := exec.Command(self)
		again.Args = []string{"another", "once"}
		out, err := again.CombinedOutput()
		fmt.Printf("%s%v\n", out, err)
		fmt.Println(syscall.Exec(self, []string{"renamed", "and", "again"}, os.Environ()))
	default:
		fmt.Println(os.Args[0])
	}
}
]])
    assert_same(dir, { "." })
    assert_same(program("names", support.read(dir .. "/main.go"):gsub("^package main", ""),
      ("go %s\n"):format(support.tools().version:match "%d+%.%d+")), { "." })
  end)

  it("gives the linker's flags to whom they are for", function()
    local dir = program("linkflags", [[
import "fmt"; import "example.com/linkflags/sub.v2"

type name string

var named name

func main() { fmt.Println(named, sub.Value, fmt.Sprint(sub.Any)) }
]])
    support.write("linkflags/sub.v2/sub.go", "package sub\n\nvar Value = \"none\"\n\nvar Any any\n")
    for _, flags in ipairs { "-X example.com/linkflags/sub.v2.Value=given", "-linkmode=external -extldflags=-lm",
      "-strictdups 0 -debugtramp=0", "-H linux -X main.nobody=1 -r /opt -extldflags=-lgoloader_not_there" } do
      assert_same(dir, { "-ldflags=" .. flags, "." })
    end
    for flags, why in pairs {
      ["-X main.named=1"] = "main.named: cannot set with -X: not a var of type string (type:main.name)",
      ["-X io.EOF=1"] = "io.EOF: cannot set with -X: not a var of type string (type:error)",
      ["-linkmode=odd"] = 'invalid value "odd" for flag -linkmode: invalid linkmode: "odd"',
      ["-linkmode=external -extldflags=-lgoloader_not_there"] = "cannot find -lgoloader_not_there",
    } do
      for _, run in ipairs { natively, ours } do
        local status, out, errors = run(dir, { "-ldflags=" .. flags, "." })
        assert.same({ 1, "" }, { status, out })
        assert.truthy(errors:find(why, 1, true), errors)
      end
    end
  end)

  it("has a runtime with cgo, and names linked that Go's linker has to be told to link", function()
    local dir = program("different", [[
import ("fmt"; "syscall"; _ "unsafe")

//go:linkname isFinite runtime.isFinite
func isFinite(float64) bool

func main() {
	_, _, errno := syscall.AllThreadsSyscall(syscall.SYS_GETPID, 0, 0, 0)
	fmt.Println(isFinite(1), errno == syscall.ENOTSUP, syscall.Setgid(syscall.Getgid()))
}
]])
    support.write("different/empty.s", "")
    local checks = tonumber(support.host():info().go_version:match "go1%.(%d+)") >= 23
    for _, flags in ipairs { "", checks and "-checklinkname=0" or nil } do
      local _, out, errors = ours(dir, { "-ldflags=" .. flags, "." })
      assert.equal("true true <nil>\n", out, errors)
    end
  end)

  it("says what C compilers and linkers say", function()
    local body = [[
/*
#cgo CFLAGS: -Wunused-variable
#include <stdio.h>
static int warned(void) { int %s; char name[L_tmpnam]; return tmpnam(name) != NULL; }
int nowhere(void);
*/
import "C"

func main() { println(%s) }
]]
    local function words(name, called, command)
      local dir = program(name, body:format(name, called)) -- each a new one, which no cache knows
      local _, _, native = natively(dir, { "." })
      dir = program(name .. "s", body:format(name .. "s", called))
      local status, _, errors = run_in(dir, nil, { toolchain.absolute "build/bin/goloader", command or "run", "." })
      return status, errors, native
    end
    local tag = tostring(os.time())
    local status, errors, native = words("used" .. tag, "C.warned()")
    for _, text in ipairs { native, errors } do
      assert.matches("unused variable", text)
      assert.matches("the use of `tmpnam' is dangerous", text)
      assert.matches("1\n$", text)
    end
    assert.equal(0, status)
    status, errors = words("built" .. tag, "C.warned()", "build")
    assert.matches("unused variable", errors)
    assert.equal(0, status)
    status, errors, native = words("undefined" .. tag, "C.nowhere()")
    assert.matches("undefined reference to `nowhere'", native)
    assert.matches("the C parts of example.com/undefined%d+s can't be linked by .*undefined reference to `nowhere'",
      errors)
    assert.equal(1, status)
  end)

  it("exits by a panic as a program, whatever tracebacks it has asked for", function()
    local dir = program("tracebacks", [[
import ("os"; "runtime/debug")

func main() {
	debug.SetTraceback(os.Args[1])
	panic("told")
}
]])
    for _, level in ipairs { "none", "all" } do assert.equal(2, select(2, assert_same(dir, { ".", level }))) end
  end)

  it("has streams where they were closed, before any file gets their numbers", function()
    local dir = program("streams", [[
import "os"

func main() {
	file, err := os.Create(os.Args[1])
	if err != nil || file.Fd() < 3 {
		panic(err)
	}
	os.Stdout.WriteString("not into the file")
	os.Stderr.WriteString("nor this")
	if _, err := os.Stdin.Read(make([]byte, 1)); err == nil {
		panic("something was read")
	}
}
]])
    local shell = ("exec %s run %s %s/file <&- >&- 2>&-"):format(toolchain.absolute "build/bin/goloader",
      quote(dir .. "/main.go"), quote(dir))
    assert.equal(0, (support.run { "sh", "-c", shell }))
    assert.equal("", toolchain.read_file(dir .. "/file"))
  end)

  it("heeds the settings of //go:debug lines, of go.mod's godebug block and of the Go that go.mod names", function()
    -- what a setting changes at run time, as a package reads it, and when the runtime starts
    local body = [[
import ("fmt"; _ "math/rand"; "os"; "runtime/metrics"; "time") // of which rand brings what counts uses of settings

func main() {
	func() {
		defer func() { fmt.Println(recover()) }()
		panic(nil)
	}()
	samples := []metrics.Sample{{Name: "/godebug/non-default-behavior/panicnil:events"}}
	metrics.Read(samples)
	fmt.Println(samples[0].Value.Uint64())
	fmt.Println(cap(time.NewTimer(time.Hour).C))
	_, isSet := os.LookupEnv("GODEBUG")
	fmt.Println(isSet, os.Getenv("GODEBUG"), len(os.Environ()) > 0)
}
]]
    local version = support.host():info().go_version:match "go(%d+%.%d+)"
    for _, c in ipairs {
      { "directive", "//go:debug panicnil=1\n//go:debug multipathtcp=0\n", "go " .. version .. "\n" },
      { "version", "", "go 1.20\n" },
      { "default", "//go:debug default=go1.20\n", "go " .. version .. "\n" },
      { "none", "", "go " .. version .. "\n" },
      { "block", "", "go " .. version .. "\n\ngodebug panicnil=1\n" },
    } do
      -- go.mod has had godebug lines since Go 1.23
      if c[1] ~= "block" or version >= "1.23" then
        local dir = program("settings" .. c[1], body, c[3])
        support.write("settings" .. c[1] .. "/main.go", c[2] .. "package main\n\n" .. body)
        assert_same(dir, { "." })
        assert_same(dir, { "main.go" })
        assert_same(dir, { "." }, "GODEBUG=panicnil=0")
      end
    end
  end)

  it("starts a host whose own packages heed them when they initialise", function()
    if support.host():info().go_version < "go1.24" then return end
    local dir = program("fips", [[
import ("crypto/fips140"; "fmt"; "os")

func main() { fmt.Println(fips140.Enabled(), os.Getenv("GODEBUG")) }
]], "go 1.24\n")
    assert.equal("false \n", (assert_same(dir, { "." })))
    assert.equal("true \n", (assert_same(dir, { "." }, "GOFIPS140=latest")))
  end)

  it("tells a program how it was built", function()
    local dir = program("built", [[
import ("fmt"; "runtime/debug"; "example.com/other")

func main() {
	fmt.Println(other.Name)
	info, ok := debug.ReadBuildInfo()
	fmt.Print(info, ok)
}
]], "go 1.21\n\nrequire example.com/other v1.2.3\n\nreplace example.com/other => ./other\n")
    support.write("built/other/go.mod", "module example.com/other\n\ngo 1.21\n")
    support.write("built/other/other.go", 'package other\n\nconst Name = "other"\n')
    assert.matches("dep\texample.com/other\tv1.2.3\n=>\t./other", (assert_same(dir, { "." })))
    assert.matches("build\t%-trimpath=true", (assert_same(dir, { "-trimpath", "." })))
    assert.matches("build\tCGO_ENABLED=0", (assert_same(dir, { "." }, "CGO_ENABLED=0")))
    assert_same(dir, { "-tags=one,two", "-ldflags=-X main.version=1", "." })
  end)

  it("is the program to whoever starts it again, in any environment and from any directory", function()
    local dir = program("again", [[
import ("fmt"; "os"; "os/exec"; "path/filepath")

func main() {
	if len(os.Args) > 1 {
		fmt.Printf("%q %v\n", os.Args[1:], os.Getenv("HOME"))
		os.Exit(7)
	}
	executable, err := os.Executable()
	fmt.Println(filepath.Base(executable), err, filepath.Base(os.Args[0]))
	for _, path := range []string{executable, os.Args[0], "/proc/self/exe"} {
		again := exec.Command(path, "a b", "it's")
		again.Dir, again.Env = "/", []string{"HOME=nowhere"}
		out, err := again.CombinedOutput()
		fmt.Print(string(out), err, "\n")
	}
}
]], "go " .. support.host():info().go_version:match "go(%d+%.%d+)" .. "\n")
    assert_same(dir, { "." })
    assert_same(dir, { "main.go" })
    assert_same(dir, { "-trimpath", "." })
    local object = support.compile(support.read(dir .. "/main.go"))
    assert.matches('"a b" "it\'s"%] nowhere\nexit status 7\n', (select(2, ours(dir, { object }))))
  end)

  it("leaves nothing of runs that are over", function()
    local dir = program("killed", [[
import ("fmt"; "os"; "syscall")

func main() {
	fmt.Println(os.Args[0])
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
}
]])
    local _, out = ours(dir, { "." })
    local left = out:match "^(.*)/[^/]*\n$"
    local lfs = require "lfs"
    assert.equal("directory", lfs.attributes(left, "mode"))
    assert(lfs.touch(left, os.time() - 120))
    ours(dir, { "." })
    assert.is_nil(lfs.attributes(left, "mode"))
  end)

  it("runs packages by their paths, and in another directory", function()
    local dir = program("paths", "func main() { println(\"root\") }\n", "go 1.21\n")
    support.write("paths/cmd/sub/main.go", 'package main\n\nimport "os"\n\nfunc main() { println(os.Getwd()) }\n')
    assert_same(dir, { "example.com/paths" })
    assert_same(dir, { "./cmd/sub" })
    assert_same(dir, { "-C", "cmd/sub", "." })
    assert_same(dir, { "-C=cmd", "./sub" })
    assert_same(dir, { "example.com/paths/cmd/none" })
    assert_same(dir, { "./none" })
    assert_same(dir, { "none.go" })
  end)

  it("takes the go command's flags, which print what they print there", function()
    local dir = program("flags", "import \"os\"\n\nfunc main() { println(len(os.Args)); os.Exit(len(os.Args)) }\n")
    support.write("flags/other.mod", "module example.com/flags\n\ngo 1.22\n")
    assert_same(dir, { "." })
    for _, flag in ipairs { "-v", "-p=1", "-mod=mod", "-modfile=other.mod", "-pgo=off", "-gcflags=-m", "-asmflags=-D=X",
      "-ldflags=-s -w", "-buildvcs=false", "-buildmode=exe", "-buildmode=pie", "-overlay=none.json" } do
      assert_same(dir, { flag, ".", "argument" })
    end
    local status, out, errors = ours(dir, { "-n", ".", "argument" })
    assert.equal(0, status)
    assert.equal("", out)
    assert.matches("/link [^\n]*%-buildmode=exe ", errors)
    assert.matches("%$WORK/b001/exe/flags argument\n$", errors)
    status, out, errors = ours(dir, { "-x", "-work", ".", "argument" })
    assert.equal(2, status)
    assert.equal("", out)
    assert.matches("^WORK=/[^\n]*\n", errors)
    assert.matches("\n2\n$", errors)
  end)

  it("runs position-independent code, which has g from its thread after calls of assembly and C", function()
    local dir = program("independent", [[
// static int twice(int n) { return 2 * n; }
import "C"

import "example.com/independent/plus"

//go:noinline
func grow(n int) int {
	var pad [512]byte
	if n == 0 {
		return int(pad[7]) + plus.Sum(1, 2)
	}
	return grow(n-1) + plus.Sum(n, int(C.twice(1)))
}

func main() { println(grow(100)) }
]])
    support.write("independent/plus/plus.go", "package plus\n\nfunc Sum(a, b int) int\n")
    support.write("independent/plus/plus_amd64.s",
      "TEXT ·Sum(SB), 4, $0-24\n\tMOVQ a+0(FP), AX\n\tADDQ b+8(FP), AX\n\tMOVQ AX, ret+16(FP)\n\tRET\n")
    for _, flag in ipairs { "-buildmode=pie", "-buildmode=exe" } do assert_same(dir, { flag, "." }) end
  end)

  it("hands the program to what -exec names, and returns what go run returns then", function()
    local dir = program("exec", "import \"os\"\n\nfunc main() { println(len(os.Args)); os.Exit(len(os.Args)) }\n")
    local status, out, errors = ours(dir, { "-exec=env A=b", ".", "argument" })
    assert.equal(1, status)
    assert.equal("", out)
    assert.equal("2\nexit status 2\n", errors)
  end)
end)
