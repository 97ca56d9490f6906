-- The command line, as a user types it.
local lfs = require "lfs"
local support = require "spec.support"

teardown(support.clean)

local function program(name, body)
  return support.write(name .. ".go", "package main\n\n" .. body)
end

describe("goloader run", function()
  it("runs a Go file", function()
    local status, out, errors = support.cli("run", program("hello", [[
import "fmt"

func main() { fmt.Println("hello, world") }
]]))
    assert.equal("hello, world\n", out)
    assert.equal("", errors)
    assert.equal(0, status)
  end)

  it("passes arguments untouched", function()
    local file = program("args", [[
import ("fmt"; "os"; "path/filepath")

func main() { fmt.Printf("%s %q\n", filepath.Base(os.Args[0]), os.Args[1:]) }
]])
    local status, out = support.cli("run", file, "a b", "-x", "--help", "", "$HOME", "it's", "last.txt")
    assert.equal('args ["a b" "-x" "--help" "" "$HOME" "it\'s" "last.txt"]\n', out)
    assert.equal(0, status)
  end)

  it("passes the streams through", function()
    local file = program("streams", [[
import ("fmt"; "io"; "os"; "strings")

func main() {
	data, err := io.ReadAll(os.Stdin)
	fmt.Fprint(os.Stdout, strings.ToUpper(string(data)), err)
	fmt.Fprintln(os.Stderr, "to stderr")
}
]])
    local status, out, errors = support.run({ "build/bin/goloader", "run", file }, nil, "standard input\n")
    assert.equal("STANDARD INPUT\n<nil>", out)
    assert.equal("to stderr\n", errors)
    assert.equal(0, status)
  end)

  it("passes the exit status through", function()
    local file = program("exit", [[
import ("os"; "strconv")

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	os.Exit(n)
}
]])
    for _, status in ipairs { 0, 1, 7, 42, 255 } do
      assert.equal(status, (support.cli("run", file, tostring(status))))
    end
  end)

  it("ends like a Go program at a panic", function()
    local status, out, errors = support.cli("run", program("panics", [[
func main() { println("before"); inner(nil) }

//go:noinline
func inner(m map[string]int) { m["x"] = 1 }
]]))
    assert.equal(2, status)
    assert.equal("", out)
    assert.matches("^before\npanic: assignment to entry in nil map\n", errors)
    assert.matches("main%.inner", errors)
    assert.matches("panics%.go:6", errors)
  end)

  it("handles signals as a Go program does", function()
    local status, _, errors = support.cli("run", program("quits", [[
import ("os"; "syscall"; "time")

func main() {
	syscall.Kill(os.Getpid(), syscall.SIGPROF) // no profile is being taken: ignored
	time.Sleep(10 * time.Millisecond)
	syscall.Kill(os.Getpid(), syscall.SIGQUIT)
	time.Sleep(time.Minute)
}
]]))
    assert.equal(2, status)
    assert.matches("^SIGQUIT: quit\n", errors)
    assert.matches("main%.main%(%)", errors)
  end)

  it("leaves no goroutine that waits for the program, as who looks for forgotten ones would find it", function()
    local status, out = support.cli("run", program("goroutines", [[
import ("fmt"; "runtime")

func main() {
	buffer := make([]byte, 1<<16)
	fmt.Printf("%s", buffer[:runtime.Stack(buffer, true)])
}
]]))
    assert.equal(0, status)
    assert.matches("main%.main%(%)", out)
    assert.matches("^goroutine 1 %[running%]:\n", out)
    assert.is_nil(out:find("goloader_run_main", 1, true), out)
    assert.is_nil(out:find("locked to thread", 1, true), out)
  end)

  it("ends like a Go program when all goroutines are asleep", function()
    for name, wait in pairs { select = "select {}", receive = "<-make(chan int)", lock = "new(lock).twice()" } do
      local status, out, errors = support.cli("run", program("asleep" .. name, [[
import ("sync"; "time")

type lock struct{ sync.Mutex }

func (l *lock) twice() { l.Lock(); l.Lock() }

func main() {
	go func() { select {} }()
	time.Sleep(time.Millisecond)
	]] .. wait .. "\n}\n"))
      assert.equal(2, status, errors)
      assert.equal("", out)
      assert.matches("^fatal error: all goroutines are asleep %- deadlock!\n", errors)
      assert.matches("\nmain%.main%(%)\n", errors)
    end
  end)

  it("does not take waiting for a deadlock", function()
    local status, out, errors = support.cli("run", program("waits", [[
import ("fmt"; "io"; "net"; "os"; "os/signal"; "syscall"; "time")

func main() {
	done := make(chan string)
	time.AfterFunc(50*time.Millisecond, func() { done <- "timer" })
	fmt.Println(<-done)
	listener, _ := net.Listen("tcp", "127.0.0.1:0")
	go func() {
		time.Sleep(50 * time.Millisecond)
		c, _ := net.Dial("tcp", listener.Addr().String())
		c.Write([]byte("network"))
		c.Close()
	}()
	c, _ := listener.Accept()
	text, _ := io.ReadAll(c)
	fmt.Println(string(text))
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	self := os.Getpid()
	script := fmt.Sprint("sleep 0.1; kill -USR1 ", self)
	child, _ := os.StartProcess("/bin/sh", []string{"sh", "-c", script}, &os.ProcAttr{})
	fmt.Println(<-signals)
	child.Wait()
	r, w, _ := os.Pipe()
	go func() { time.Sleep(50 * time.Millisecond); w.Close() }()
	io.ReadAll(r)
	fmt.Println("pipe")
}
]]))
    assert.equal("timer\nnetwork\nuser defined signal 1\npipe\n", out, errors)
    assert.equal(0, status)
  end)


  it("ends when main does, whatever its goroutines do", function()
    local status, out = support.cli("run", program("ends", [[
import ("fmt"; "time")

func main() {
	go func() { for { time.Sleep(time.Hour) } }()
	go func() { for {} }()
	fmt.Println("done")
}
]]))
    assert.equal("done\n", out)
    assert.equal(0, status)
  end)

  it("runs init functions on the main goroutine, before main", function()
    local status, out = support.cli("run", program("inits", [[
import "fmt"

var v = func() int { fmt.Println("variable"); return 1 }()

func init() { fmt.Println("init", v) }
func main() { fmt.Println("main") }
]]))
    assert.equal("variable\ninit 1\nmain\n", out)
    assert.equal(0, status)
  end)

  it("runs an object", function()
    local object = support.compile('package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("from an object") }\n')
    local status, out, errors = support.cli("run", object)
    assert.equal("from an object\n", out, errors)
    assert.equal(0, status)
  end)

  it("runs several objects, the last of which is the program", function()
    local types = support.compile("package types\n\ntype Point struct{ X, Y int }\n", "test/types")
    local std = support.read(support.importcfg())
    local importcfg = support.write("importcfg_types", std .. "\npackagefile test/types=" .. types .. "\n")
    local main = support.compile([[
package main

import ("fmt"; "os"; "test/types")

var p types.Point

func main() { fmt.Printf("%+v %T %q\n", p, &p, os.Args[1:]) }
]], "main", { "-importcfg", importcfg })
    local status, out, errors = support.cli("run", types, main, "one", "two.o")
    assert.equal('{X:0 Y:0} *types.Point ["one" "two.o"]\n', out, errors)
    assert.equal(0, status)
  end)

  it("takes a variable's value from the package's assembly", function()
    support.write("asm/go.mod", "module example.test/asm\n\ngo 1.21\n")
    support.write("asm/main.go", "package main\n\nvar answer int\n\nfunc main() { println(answer) }\n")
    support.write("asm/answer.s", "DATA ·answer(SB)/8, $42\nGLOBL ·answer(SB),16,$8\n")
    local status, _, errors = support.cli("run", support.tmpdir() .. "/asm")
    assert.equal("42\n", errors)
    assert.equal(0, status)
  end)

  it("runs a directory with packages of its own", function()
    support.write("dir/go.mod", "module example.test/dir\n\ngo 1.21\n")
    support.write("dir/main.go", [[
package main

import ("fmt"; "example.test/dir/sub")

func main() { fmt.Println(sub.X, other()) }
]])
    support.write("dir/other.go", "package main\n\nfunc other() int { return 2 }\n")
    support.write("dir/other_test.go", "package main\n\nvar broken int = \"\"\n")
    support.write("dir/sub/sub.go", 'package sub\n\nvar X = "sub"\n')
    local status, out, errors = support.cli("run", support.tmpdir() .. "/dir")
    assert.equal("sub 2\n", out, errors)
    assert.equal(0, status)
  end)

  it("runs several files", function()
    local one = program("one", "func main() { println(two()) }\n")
    local two = program("two", "func two() int { return 22 }\n")
    local status, _, errors = support.cli("run", one, two)
    assert.equal("22\n", errors)
    assert.equal(0, status)
  end)

  it("honours -gcflags", function()
    local file = program("flags", "func main() { println(f()) }\n\nfunc f() int { return 5 }\n")
    local status, _, errors = support.cli("run", "-gcflags=-N -l", file)
    assert.equal("5\n", errors)
    assert.equal(0, status)
  end)

  it("lets a program start itself again", function()
    local file = program("again", [[
import ("fmt"; "os"; "os/exec")

func main() {
	if len(os.Args) > 2 {
		fmt.Printf("%q\n", os.Args[1:])
		os.Exit(7)
	}
	os.Chdir("/")
	out, err := exec.Command(os.Args[0], "a b", "it's").Output()
	fmt.Print(string(out), err, "\n")
}
]])
    for _, target in ipairs { file, support.compile(support.read(file)) } do
      local status, out, errors = support.cli("run", target, "once")
      assert.equal('["a b" "it\'s"]\nexit status 7\n', out, errors)
      assert.equal(0, status)
    end
  end)

  it("sets variables as the linker does", function()
    local file = program("version", [[
import "fmt"

var version, name = "none", "nobody"

func main() { fmt.Printf("%q %q\n", version, name) }
]])
    local status, out, errors = support.cli("run",
      "-ldflags=-s -w -X main.version=1.2 -X 'main.name=two words' -X=main.no=x",
      file)
    assert.equal('"1.2" "two words"\n', out, errors)
    assert.equal(0, status)
    local object = support.compile(support.read(file))
    assert.equal('"3" "nobody"\n', (select(2, support.cli("run", "-ldflags", "-X=main.version=3", object))))
    status, out, errors = support.cli("run", "-ldflags=-X main.version", file)
    assert.equal(2, status)
    assert.matches("^goloader run: flag %-ldflags: %-X wants importpath.name=value, not \"main.version\"\n", errors)
    assert.equal("", out)
    object = support.compile("package main\n\nvar number any\n\nfunc main() { println(number != nil) }\n")
    status, out, errors = support.cli("run", "-ldflags=-X main.number=3", object)
    assert.same({ 1, "", "goloader: main.number: cannot set with -X: not a var of type string (type:interface {})\n" },
      { status, out, errors })
  end)

  it("passes build flags on", function()
    support.write("tagged/go.mod", "module example.test/tagged\n\ngo 1.21\n")
    support.write("tagged/main.go", [[
package main

import ("fmt"; "runtime")

func main() {
	_, file, _, _ := runtime.Caller(0)
	fmt.Println(word, file)
}
]])
    support.write("tagged/on.go", '//go:build on\n\npackage main\n\nconst word = "on"\n')
    support.write("tagged/off.go", '//go:build !on\n\npackage main\n\nconst word = "off"\n')
    support.write("over.go", 'package main\n\nconst word = "overlaid"\n')
    local dir = support.tmpdir() .. "/tagged"
    local overlay = support.write("overlay.json", ('{"Replace": {%q: %q}}'):format(dir .. "/off.go",
      support.tmpdir() .. "/over.go"))
    for _, c in ipairs {
      { {}, "off " .. dir .. "/main.go\n" },
      { { "-tags", "on" }, "on " .. dir .. "/main.go\n" },
      { { "-tags=on", "-trimpath" }, "on example.test/tagged/main.go\n" },
      { { "-gcflags=example.test/...=-N", "-gcflags=fmt=-l", "-mod=mod" }, "off " .. dir .. "/main.go\n" },
      { { "-overlay", overlay }, "overlaid " .. dir .. "/main.go\n" },
    } do
      local words = { "run" }
      for _, word in ipairs(c[1]) do words[#words + 1] = word end
      words[#words + 1] = dir
      local status, out, errors = support.cli(unpack(words))
      assert.equal(c[2], out, errors)
      assert.equal(0, status)
    end
  end)

  it("counts what -cover counts", function()
    local file = program("covered", [[
import ("os"; "strconv")

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	if n > 0 {
		os.Exit(n)
	}
	println("zero")
}
]])
    local tools = support.tools()
    for _, status in ipairs { 0, 3 } do
      local dir = support.tmpdir() .. "/coverage" .. status
      assert(lfs.mkdir(dir))
      local got, _, errors = support.run({ "build/bin/goloader", "run", "-cover", file, tostring(status) },
        "GOCOVERDIR=" .. dir)
      assert.equal(status, got, errors)
      local ok, text = assert(tools:go { "tool", "covdata", "textfmt", "-i=" .. dir, "-o=" .. dir .. "/text" }):wait()
      assert.is_true(ok, text)
      local covered, counts = support.read(dir .. "/text"), {}
      for count in covered:gmatch "covered.go:[%d.,]+ %d+ (%d+)" do counts[#counts + 1] = count end
      assert.equal(status == 0 and "1 0 1" or "1 1 0", table.concat(counts, " "), covered)
    end
  end)

  it("runs code for better processors than the host was made for", function()
    local level = support.host():info().goamd64
    local file = program("level", 'func main() { println("ran") }\n')
    for _, other in ipairs { "v1", "v2" } do
      if other ~= level then
        local object = support.compile(support.read(file), "main", { "-importcfg", "/dev/null" },
          setmetatable({ env = support.tools().env .. "GOAMD64=" .. other .. " " }, { __index = support.tools() }))
        local status, _, errors = support.cli("run", object)
        assert.equal("ran\n", errors)
        assert.equal(0, status)
      end
    end
  end)

  it("says which flags make no sense", function()
    local file = program("sense", "func main() {}\n")
    for flags, why in pairs {
      ["-race"] = "flag -race: the race detector has a runtime of its own: goloader host --exe -race makes programs "
        .. "that have it",
      ["-o=x"] = "flag -o: no executable is written",
      ["-nonsense"] = "flag -nonsense is not known, or lacks its value",
      ["-ldflags=-Z"] = "flag -ldflags: the linker knows no -Z",
      ["-ldflags=-v"] = "flag -ldflags: -v: it tells of what Go's linker does, which does not run here",
      ["-ldflags=-s -cpuprofile x"] = "flag -ldflags: -cpuprofile: it has Go's linker write files, which does not run "
        .. "here",
      ["-ldflags=-H=windowsgui"] = "flag -ldflags: -H: a program is loaded into this process, whatever the format of "
        .. "its file were",
      ["-ldflags=-X version=1"] = "flag -ldflags: -X wants importpath.name=value, not \"version=1\"",
      ["-ldflags='"] = "flag -ldflags: ': the quote ' is not closed",
    } do
      local status, out, errors = support.cli("run", flags, file)
      assert.equal("goloader run: " .. why, errors:match "^[^\n]*")
      assert.equal(2, status)
      assert.equal("", out)
    end
    local object = support.compile(support.read(file))
    local status, _, errors = support.cli("run", "-trimpath", object)
    assert.equal("goloader run: " .. object .. " is compiled already, with whatever flags", errors:match "^[^\n]*")
    assert.equal(2, status)
  end)

  it("honours //go:debug", function()
    local file = support.write("debug.go", [[
//go:debug panicnil=1
package main

func main() {
	defer func() { println(recover() == nil) }()
	panic(nil)
}
]])
    local status, _, errors = support.cli("run", file)
    assert.equal("true\n", errors)
    assert.equal(0, status)
  end)

  it("prints a compiler's message as the go command does", function()
    local file = program("wrong", "func main() { undefined() }\n")
    local status, out, errors = support.cli("run", file)
    assert.equal(1, status)
    assert.equal("", out)
    -- the go command writes paths as it finds them shorter, from here or from the root
    assert.matches("^# command%-line%-arguments\n%S*/" .. file:match "[^/]+/[^/]+$":gsub("%p", "%%%0")
      .. ":3:15: undefined: undefined\n$", errors)
  end)

  it("complains in one line about what can't be run", function()
    for _, case in ipairs {
      { { "run", support.write("lib.go", "package lib\n") },
        "package command-line-arguments is not a main package\n" },
    } do
      local status, out, errors = support.cli(unpack(case[1]))
      assert.equal(1, status)
      assert.equal("", out)
      assert.equal(case[2], errors)
    end
    local status, _, errors = support.cli("run", support.write("junk.o", "junk"))
    assert.equal(1, status)
    assert.matches("^goloader: [^\n]*junk%.o[^\n]*\n$", errors)
    status, _, errors = support.cli "run"
    assert.equal(2, status)
    assert.matches("nothing to run", errors)
  end)

  it("dies of a signal as natively", function()
    local status = support.cli("run", program("killed", [[
import ("os"; "syscall"; "time")

func main() {
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	time.Sleep(time.Minute)
}
]]))
    assert.equal(128 + 9, status)
  end)

  -- Names in an order that is not the imports', so that both count: of what is ready, the first by name comes first.
  it("initialises packages in Go's order", function()
    local main = { "package main\n" }
    for k = 1, 30 do
      local name, imports = ("q%02d"):format(k * 17 % 31), {}
      for _, other in ipairs { k - 1, math.floor(k / 2), k - 7 } do
        if other > 0 and k % 3 > 0 then imports[("import _ \"order.test/q%02d\"\n"):format(other * 17 % 31)] = true end
      end
      local lines = { "package ", name, "\n" }
      for line in pairs(imports) do lines[#lines + 1] = line end
      lines[#lines + 1] = ("func init() { println(%q) }\n"):format(name)
      support.write(("order/%s/a.go"):format(name), table.concat(lines))
      main[#main + 1] = ("import _ \"order.test/%s\"\n"):format(name)
    end
    local dir = support.write("order/main.go", table.concat(main) .. "func main() {}\n"):match "^(.*)/"
    support.write("order/go.mod", "module order.test\n\ngo 1.21\n")
    local ok, _, expected = assert(support.tools():go({ "run", "." }, { dir = dir })):wait()
    assert.is_true(ok, expected)
    assert.equal(30, select(2, expected:gsub("\n", "")))
    local status, _, errors = support.cli("run", dir)
    assert.equal(expected, errors)
    assert.equal(0, status)
    support.clean()
  end)
end)

describe("goloader nm", function()
  it("lists symbols, kinds and sizes, and exports with Go signatures", function()
    local object = support.compile("spec/testdata/shop/shop.go", "shop")
    local status, out, errors = support.cli("nm", object)
    assert.equal(0, status, errors)
    assert.matches("\n *%d+ T shop%.Find  func%(name string%) %([^\n]*int, [^\n]*error%)\n", "\n" .. out)
    assert.matches("\n *%d+ [tT] shop%.deeper\n", "\n" .. out)
    assert.matches(" U fmt%.Fprintf\n", out)
    assert.matches(" [dDbB] shop%.Greeting  string\n", out)
  end)

  it("takes source, and lists only what Lua can see", function()
    local status, out, errors = support.cli("nm", "--exports", "spec/testdata/shop/shop.go")
    assert.equal(0, status, errors)
    assert.matches("shop%.Render  func%(%) string", (out:gsub("~r0 ", ""):gsub("%(string%)", "string")))
    assert.is_nil(out:find("deeper", 1, true))
  end)

  it("refuses what is no object in one line", function()
    local status, out, errors = support.cli("nm", support.write("junk.o", "junk"))
    assert.equal(1, status)
    assert.equal("", out)
    assert.matches("^goloader: [^\n]*junk%.o[^\n]*\n$", errors)
  end)
end)

describe("goloader disasm", function()
  it("lists a function of an object with names for calls and data", function()
    local object = support.compile("spec/testdata/shop/shop.go", "shop")
    local status, out, errors = support.cli("disasm", object, "shop.Render")
    assert.equal(0, status, errors)
    assert.matches("^shop%.Render:\n", out)
    assert.matches("call[^\n]*fmt%.Fprintf", out)
    assert.matches("shop%.Products", out)
    assert.is_nil(out:find("\nshop.Find:", 1, true))
  end)

  it("lists it as relinked with --loaded", function()
    local object = support.compile("spec/testdata/shop/shop.go", "shop")
    local status, out, errors = support.cli("disasm", "--loaded", object, "Render")
    assert.equal(0, status, errors)
    assert.matches("call[^\n]*fmt%.Fprintf", out)
  end)

  it("names a symbol that is not there", function()
    local object = support.compile("spec/testdata/shop/shop.go", "shop")
    local status, _, errors = support.cli("disasm", object, "shop.Nothing")
    assert.equal(1, status)
    assert.matches("^goloader: [^\n]*shop%.Nothing[^\n]*\n$", errors)
  end)
end)

describe("goloader", function()
  it("info tells what the host is", function()
    local status, out, errors = support.cli "info"
    assert.equal(0, status, errors)
    assert.matches("\ngo_version +go1%.%d+[%.%d]*\n", out)
    assert.matches("\nobject_header +go object linux ", out)
  end)

  it("version tells the versions", function()
    local status, out, errors = support.cli "version"
    assert.equal(0, status, errors)
    assert.matches("^goloader %S+, host go1%.%d+[%.%d]*, LuaJIT 2%.1", out)
  end)

  it("describe writes what stands beside the host", function()
    local path = support.host().path
    local status, out, errors = support.cli("describe", "--goroot", support.tools().goroot, path)
    assert.equal(0, status, errors)
    assert.equal(support.read(path .. ".desc"), out)
  end)
end)
