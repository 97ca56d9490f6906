-- goloader run beside the real go run, on the same input: what a program can find out about how it was built and started.
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
end)
