-- Shipping a module: the file, what a process makes of it that has nothing else, and what can be wrong with it.
local goloader = require "goloader"
local lfs = require "lfs"
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

local source = "spec/testdata/ship"

teardown(support.clean)

local function path_of(name) return support.tmpdir() .. "/" .. name end

local function ship(paths, name, options) return assert(support.host():ship(paths, path_of(name), options)) end

-- A host with nothing beside it that leads to a toolchain or an archive, and an environment without either.
local lone_host
local function without_toolchain()
  if not lone_host then
    local host = support.host().path
    local dir = path_of "lone"
    support.write("lone/bin/keep", "")
    lone_host = dir .. "/host.so"
    for from, to in pairs { [host] = lone_host, [host .. ".desc"] = lone_host .. ".desc" } do
      assert(os.execute(("cp %s %s"):format(toolchain.quote(from), toolchain.quote(to))))
    end
    for _, program in ipairs { "luajit", "timeout", "env" } do
      os.execute(("ln -s \"$(command -v %s)\" %s/bin/"):format(program, dir))
    end
  end
  local dir = path_of "lone"
  local words = { "env -i", "PATH=" .. dir .. "/bin" }
  for _, name in ipairs { "HOME", "GOROOT", "GOCACHE" } do words[#words + 1] = name .. "=" .. dir .. "/none" end
  for name, value in pairs { GOLOADER_HOST = lone_host, LUA_PATH = package.path, LUA_CPATH = package.cpath } do
    words[#words + 1] = name .. "=" .. toolchain.quote(value)
  end
  return table.concat(words, " ")
end

-- Runs a script in such an environment and returns what it printed.
local function alone(script, ...)
  local files = { [""] = (...), ["1"] = (...), ["2"] = (select(2, ...)) }
  local status, output, errors = support.lua((script:gsub("GOM(%d?)", files)), without_toolchain())
  assert.equal("", errors)
  assert.equal(0, status)
  return output
end

local report = [[
local host = assert(require "goloader".host())
local module = assert(host:load "GOM")
io.write(assert(module.Report()))
assert(module:unload())
]]

describe("a shipped module", function()
  local shipped, built

  setup(function()
    shipped = ship(source, "ship.gom")
    built = assert(support.host():build(source))
  end)
  teardown(function() assert(built:unload()) end)

  it("is known by its content, whatever the file is called", function()
    local dir, host = support.tmpdir(), support.host()
    assert(host:ship("spec/bench/small/small.go", dir .. "/named.gom"))
    assert(os.rename(dir .. "/named.gom", dir .. "/named.o"))
    local module = assert(host:load(dir .. "/named.o"))
    assert.equal(3, module.Add(1, 2))
    assert(module:unload())
  end)

  it("says what it is and what is in it", function()
    local info = support.host():info()
    assert.equal(info.object_header, shipped.header)
    assert.same({ id = info.id, name = "libgoloader_host.so" }, shipped.host)
    assert.matches("^%x+$", info.id)
    assert.equal(#support.read(path_of "ship.gom"), shipped.size)
    local roles = {}
    for _, package in ipairs(shipped.packages) do roles[package.path] = package.role end
    assert.equal("root", roles["example.com/ship"])
    assert.equal("own", roles["example.com/ship/inner"])
    assert.equal("own", roles["example.com/ship/fast"])
    assert.is_nil(roles.fmt)
    local in_host = {}
    for _, import in ipairs(shipped.imports) do in_host[import.path] = import.in_host end
    assert.is_true(in_host.fmt)
    assert.is_nil(in_host["example.com/ship/inner"])
    assert.same({
      { name = "Fail", package = "example.com/ship", kind = "func", signature = "func() int" },
      { name = "Log", package = "example.com/ship", kind = "var", signature = "string" },
      { name = "Report", package = "example.com/ship", kind = "func", signature = "func() (string, error)" },
    }, shipped.exports)
  end)

  it("does what the module does that was built, where there is no Go", function()
    assert.equal(assert(built.Report()), alone(report, path_of "ship.gom"))
  end)

  it("does so too when other flags have given it another build of the standard library", function()
    local words = { "-trimpath", "-gcflags=all=-l" }
    ship(source, "flags.gom", { words = words, plain = false, notice = function() end })
    assert.equal((built.Report():gsub("%S*/spec/testdata/ship", "example.com/ship")),
      (alone(report, path_of "flags.gom")))
  end)

  it("is loaded, called, looked at and unloaded like any other", function()
    local before = support.runtime_modules()
    local module = assert(support.host():load(path_of "ship.gom"))
    assert.same(built:exports(), module:exports())
    assert.equal("unset", module.Log)
    module.Log = "set"
    assert.equal("set", module.Log)
    assert.equal("unset", built.Log)
    assert.equal(shipped.size, module:stats().object_bytes)
    assert.matches("%(%*Stack%[", table.concat((function()
      local names = {}
      for i, symbol in ipairs(module:symbols()) do names[i] = symbol.name end
      return names
    end)(), "\n"))
    assert.matches("runtime%.panic", tostring(module:disassemble "Fail"))
    assert(module:unload())
    assert.equal(before, support.runtime_modules())
    assert.equal("unset", built.Log)
  end)

  it("has its functions' files and lines, of inlined ones too", function()
    local module = assert(support.host():load(path_of "ship.gom"))
    local ok, shipped_trace = pcall(module.Fail)
    local _, built_trace = pcall(built.Fail)
    assert.is_false(ok)
    assert.matches("inner%.Third.-inner/inner%.go:31.-ship%.Fail.-ship/ship%.go:%d+", tostring(shipped_trace))
    assert.equal((tostring(built_trace):gsub("goroutine %d+", "goroutine")),
      (tostring(shipped_trace):gsub("goroutine %d+", "goroutine")))
    assert(module:unload())
  end)

  it("holds nothing that nobody needs", function()
    local text = support.read(path_of "ship.gom")
    assert.truthy(text:find("embedded text", 1, true))
    assert.falsy(text:find("nobody needs this sentence", 1, true))
    local objects = 0
    local format = "{{if not .Standard}}{{.Export}}{{end}}"
    local job = assert(support.tools():go({ "list", "-export", "-deps", "-f", format }, { dir = source }))
    local ok, output, errors = job:wait()
    assert(ok, errors)
    for file in output:gmatch "%S+" do objects = objects + #support.read(file) end
    assert.is_true(shipped.size < objects, ("%d bytes of %d"):format(shipped.size, objects))
  end)

  it("is the same file whenever it is made of the same objects", function()
    assert.equal(shipped.hash, ship(source, "again.gom").hash)
    assert.equal(support.read(path_of "ship.gom"), support.read(path_of "again.gom"))
  end)

  it("can be made and loaded in a process that has loaded much else", function()
    local others = { assert(support.host():load(path_of "ship.gom")), assert(support.host():build(source)) }
    assert.equal(shipped.hash, ship(source, "third.gom").hash)
    local module = assert(support.host():load(path_of "third.gom"))
    assert.equal(built.Report(), module.Report())
    for _, other in ipairs(others) do assert(other:unload()) end
    assert(module:unload())
  end)

  it("can be made of objects", function()
    local object = support.compile("spec/testdata/shop/shop.go", "shop")
    ship(object, "shop.gom")
    local shop = assert(support.host():load(path_of "shop.gom"))
    assert.equal("cable 4.99\ncase 12.50\nphone 199.00\n", shop.Render())
    assert(shop:unload())
  end)

  it("keeps its types when only its debugging information tells them", function()
    local object = support.compile("spec/testdata/shop/shop.go", "shop", { "-linkobj", path_of "linkobj.o" })
    assert.truthy(object)
    ship(path_of "linkobj.o", "linkobj.gom")
    local shop = assert(support.host():load(path_of "linkobj.gom"))
    assert.equal(499, shop.Find "cable")
    assert(shop:unload())
  end)
end)

describe("a shipped package of the standard library", function()
  local rpc = [[
package server

import (
	"go/ast"
	"go/parser"
	"net/http/httptest"
	"net/rpc"
	"os/user"
	"strings"
)

type Expressions struct{}

func (Expressions) Name(text string, name *string) error {
	expr, err := parser.ParseExpr(text)
	if err == nil {
		*name = "you asked for " + expr.(*ast.SelectorExpr).Sel.Name
	}
	return err
}

func Serve(name string) (string, error) {
	handler := rpc.NewServer()
	handler.Register(Expressions{})
	server := httptest.NewServer(handler)
	defer server.Close()
	client, err := rpc.DialHTTPPath("tcp", strings.TrimPrefix(server.URL, "http://"), "/")
	if err != nil {
		return "", err
	}
	defer client.Close()
	var answer string
	err = client.Call("Expressions.Name", "x."+name, &answer)
	return answer, err
}

func Me() (string, error) {
	u, err := user.Current()
	if err != nil {
		return "", err
	}
	return u.Uid, nil
}
]]

  it("that the host lacks comes with it", function()
    local manifest = ship(support.write("server/server.go", rpc), "server.gom")
    local roles = {}
    for _, package in ipairs(manifest.packages) do roles[package.path] = package.role end
    assert.equal("shared", roles["net/rpc"])
    assert.equal("shared", roles["go/parser"])
    local output = alone([[
      local host = assert(require "goloader".host())
      local server = assert(host:load "GOM")
      print(assert(server.Serve "there"), assert(server.Me()))
      assert(server:unload())
      -- what it brought stays, and serves the next
      local again = assert(host:load "GOM")
      assert(again:stats().resident_bytes < 1e5, again:stats().resident_bytes)
      print(assert(again.Serve "again"))
      assert(again:unload())
    ]], path_of "server.gom")
    assert.matches("^you asked for there\t%d+\nyou asked for again\n$", output)
  end)
end)

-- Two programs with one third-party module between them, of which each needs another half.
local function write_shared(version, third)
  local dir = "mods" .. version
  local files = {
    ["go.mod"] = "module example.com/app\n\ngo 1.21\n\nrequire example.com/third v1.0." .. version .. "\n",
    ["vendor/modules.txt"] = "# example.com/third v1.0." .. version .. "\n## explicit; go 1.21\nexample.com/third\n",
    ["vendor/example.com/third/third.go"] = third,
    ["first/first.go"] = [[
package first

import "example.com/third"

func Put(name string) int { return third.Put(name) }
func Box() any            { return third.Box{Name: "first"} }
]],
    ["second/second.go"] = [[
package second

import "example.com/third"

func List() []string   { return third.List() }
func IsBox(v any) bool { _, ok := v.(third.Box); return ok }
func Own() any         { return third.Box{Name: "second"} }
]],
  }
  for name, text in pairs(files) do support.write(dir .. "/" .. name, text) end
  return path_of(dir)
end

local third = [[
package third

type Box struct{ Name string }

var names = []string{"start"}

var described = map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"}

func Put(name string) int { names = append(names, name+described["a"]); return len(names) }

func List() []string { return append([]string{}, names...) }
]]

describe("shipped modules that share a third-party package", function()
  it("agree on its types and variables, with each other and with those that were built", function()
    local dir = write_shared(0, third)
    local first = ship(dir .. "/first", "first.gom")
    ship(dir .. "/second", "second.gom")
    for _, package in ipairs(first.packages) do
      if package.path == "example.com/third" then
        assert.equal("shared", package.role)
        assert.equal("example.com/third@v1.0.0", package.version)
      end
    end
    local script = [[
      local host = assert(require "goloader".host())
      local first = assert(host:load "GOM1")
      assert(first.Put "one" == 2)
      local second = assert(%s)
      print(table.concat(second.List(), " "))
      assert(first:unload())
      first = assert(host:load "GOM1")
      assert(first.Put "two" == 3)
      print(table.concat(second.List(), " "))
    ]]
    local expected = "start one1\nstart one1 two1\n"
    assert.equal(expected, alone(script:format 'host:load "GOM2"', path_of "first.gom", path_of "second.gom"))
    local status, output, errors = support.lua(
      (script:format(('host:build %q'):format(dir .. "/second")):gsub("GOM1", path_of "first.gom")))
    assert.equal("", errors)
    assert.equal(0, status)
    assert.equal(expected, output)
  end)

  it("are refused when they have different versions of it, and both are named", function()
    local dir = write_shared(1, third .. "\nfunc More() {}\n")
    ship(dir .. "/second", "other.gom")
    local output = alone([[
      local host = assert(require "goloader".host())
      assert(assert(host:load "GOM1").Put "one")
      local _, _, err = host:load "GOM2"
      print(err.code, err)
    ]], path_of "first.gom", path_of "other.gom")
    assert.matches("^mismatch\t[^\n]*third@v1%.0%.1[^\n]*third@v1%.0%.0", output)
  end)
end)

describe("a shipped program", function()
  it("is run by goloader run, with arguments, streams, settings and exit status of its own", function()
    local status, output, errors = support.cli("build", "-o", path_of "prog.gom", source .. "/prog/main.go")
    assert.same({ 0, "", "" }, { status, output, errors })
    -- with what the Go that its go.mod names has had otherwise
    assert.matches("%f[%w]panicnil=1%f[^%w]", assert(goloader.manifest(path_of "prog.gom")).godebug)
    status, output, errors =
      support.run({ "build/bin/goloader", "run", path_of "prog.gom", "a", "b.o" }, nil, "a line\n")
    assert.equal("[a b.o] a line\nrecovered <nil>\n", output)
    assert.equal("inner\n", errors)
    assert.equal(3, status)
  end)

  it("has the values that -ldflags=-X gives, before its init functions run", function()
    local file = support.write("version.go", [[
package main

import "fmt"

var version = "none"

var banner = "version " + version

func Banner() string { return banner }

func main() { fmt.Println(banner, len(version)) }
]])
    local status, _, errors = support.cli("build", "-o", path_of "version.gom",
      "-ldflags=-X 'main.version=1.2 \195\164' -X main.nobody=x", file)
    assert.same({ 0, "" }, { status, errors })
    assert.same({ ["main.version"] = "1.2 \195\164", ["main.nobody"] = "x" },
      assert(goloader.manifest(path_of "version.gom")).strings)
    local _, output = support.cli("run", path_of "version.gom")
    assert.equal("version 1.2 \195\164 6\n", output)
    local module = assert(support.host():load(path_of "version.gom"))
    assert.equal("version 1.2 \195\164", module.Banner())
    assert(module:unload())
    file = support.write("number.go", "package main\n\nvar number any = 1\n\nfunc main() { println(number) }\n")
    status, _, errors = support.cli("build", "-o", path_of "number.gom", "-ldflags=-X main.number=2", file)
    assert.same({ 1, "goloader: main.number is no variable of type string, but interface {}\n" }, { status, errors })
  end)

  it("has its parts in C", function()
    local file = support.write("inc/inc.go", [[
package main

/*
static int total = 40;
int add(int n) { return total += n; }
*/
import "C"

import "fmt"

func Add(n int) int { return int(C.add(C.int(n))) }

func main() { fmt.Println(Add(2)) }
]])
    local manifest = ship(file, "inc.gom")
    assert.equal("own", manifest.libraries[1].role)
    assert.equal("43\n44\n42\n", alone([[
      local host = assert(require "goloader".host())
      local first = assert(host:load "GOM")
      first.Add(1)
      local second = assert(host:load "GOM") -- each has its own
      print(first.Add(2))
      assert(first:unload())
      print(second.Add(4))
      assert(second:unload())
      print(assert(host:load "GOM").Add(2))
    ]], path_of "inc.gom"))
    local status, output = support.run({ "build/bin/goloader", "run", path_of "inc.gom" }, without_toolchain())
    assert.same({ 0, "42\n" }, { status, output })
  end)

  it("can have packages that define nothing", function()
    support.write("nothing/go.mod", "module example.com/nothing\n\ngo 1.21\n")
    support.write("nothing/only/only.go", "package only\n\nconst Answer = 42\n")
    support.write("nothing/sign/sign.go", "package sign\n\nconst Sign = -1\n")
    local file = support.write("nothing/main.go", [[
package main

import (
	"example.com/nothing/only"
	"example.com/nothing/sign"
)

func main() { print(sign.Sign * only.Answer) }
]])
    ship(file:match "^(.*)/", "nothing.gom")
    local _, _, errors = support.cli("run", path_of "nothing.gom")
    assert.equal("-42", errors)
  end)

  it("can be loaded as a module too, its exports are Lua's", function()
    local page = ship("examples/listpage/list.go", "list.gom")
    assert.equal("main", page.packages[1].path)
    local list = assert(support.host():load(path_of "list.gom"))
    assert.equal("12.50", (list.Price(1250):match "%d+%.%d+"))
    assert(list:unload())
    local status, _, errors = support.cli("run", path_of "list.gom")
    assert.matches("^usage: list CATALOGUE", errors)
    assert.equal(2, status)
  end)

  it("is refused when it is none", function()
    local status, _, errors = support.cli("run", path_of "ship.gom")
    assert.equal(1, status)
    assert.matches("ship%.gom has no func main in package main: there is nothing to run\n$", errors)
  end)
end)

describe("the command line", function()
  it("names the file after the package, and lists what is in it", function()
    local dir = path_of "cli"
    support.write("cli/tool/tool.go", "package tool\n\nfunc Add(a, b int) int { return a + b }\n")
    local status, output, errors = support.run { "sh", "-c",
      ("cd %s/tool && %s/build/bin/goloader build ."):format(dir, toolchain.absolute ".") }
    assert.same({ 0, "", "" }, { status, output, errors })
    local file = dir .. "/tool/tool.gom"
    status, output = support.cli("info", file)
    assert.equal(0, status)
    assert.matches("made by  go object linux", output)
    assert.matches("\nhost     %x+ libgoloader_host%.so\n", output)
    assert.matches("\npackage  root +%d+  [%w-]+\n", output)
    assert.matches("\nexport   [%w-]+: func Add%(a int, b int%) int\n", output)
    status, output = support.cli("nm", "--exports", file)
    assert.equal(0, status)
    assert.matches("^ +%d+ T [%w-]+%.Add  func%(a int, b int%) int\n$", output)
  end)

  it("passes on the compiler's message, and refuses what it does not know", function()
    local file = support.write("broken.go", "package broken\n\nvar x int = \"s\"\n")
    local status, _, errors = support.cli("build", "-o", path_of "broken.gom", file)
    assert.equal(1, status)
    assert.matches("broken%.go:3:13: cannot use \"s\"", errors)
    assert.falsy(toolchain.exists(path_of "broken.gom"))
    status, _, errors = support.cli("build", "-x", file)
    assert.equal(2, status)
    assert.matches("^goloader build: flag %-x is not known, or lacks its value\nUsage: ", errors)
    status, _, errors = support.cli "build"
    assert.equal(2, status)
    assert.matches("^goloader build: nothing to build\nUsage: ", errors)
  end)
end)

describe("misuse", function()
  it("raises", function()
    local host = support.host()
    assert.error_matches(function() host:ship(source) end, "host:ship: the name of a file to write expected, got nil")
    assert.error_matches(function() host:ship(nil, "x.gom") end,
      "host:ship: a directory, Go files or an import path expected, got nil")
    assert.error_matches(function() host:load { "a.gom", "b.o" } end, "host:load: a%.gom: a shipped module comes alone")
  end)

  it("of places that can't be written is an error, and leaves nothing behind", function()
    local manifest, _, err = support.host():ship("spec/testdata/shop/shop.go", path_of "nowhere/x.gom")
    assert.is_nil(manifest)
    assert.equal("io", err.code)
    assert.matches("nowhere/x%.gom: No such file or directory", err.message)
  end)

  it("of places that are no files is an error, and leaves them as they are", function()
    local device = path_of "device"
    assert(lfs.link("/dev/null", device, true))
    local manifest, message, err = support.host():ship("spec/testdata/shop/shop.go", device)
    assert.is_nil(manifest)
    assert.equal("io", err.code)
    assert.equal(device .. " is there, and is not a regular file", message)
    assert.equal("char device", lfs.attributes(device, "mode"))
  end)
end)

describe("a full disk", function()
  it("is an error that says so, and leaves nothing behind", function()
    local dir = path_of "full"
    assert(lfs.mkdir(dir))
    -- No file may grow, and the signal that tells of it is ignored: as when there is no room.
    local shell = "(trap '' 25; ulimit -f 0; exec %s spec/env.lua %s) | cat"
    local status, out, errors = support.run { "sh", "-c", shell:format(support.interpreter,
      support.write("full.lua", ([[
        local host = require("spec.support").host()
        local shipped, message, err = host:ship("spec/testdata/shop/shop.go", %q)
        print(shipped, err.code, message)
        local module, message, err = host:build "spec/testdata/shop/shop.go"
        print(module, err.code, message)
      ]]):format(dir .. "/x.gom"))) }
    assert.equal(0, status)
    assert.equal("", errors)
    for line in out:gmatch "[^\n]+" do assert.matches("^nil\t%w+\t.*%S", line) end
    assert.equal(2, select(2, out:gsub("\n", "")))
    for entry in lfs.dir(dir) do assert.matches("^%.%.?$", entry) end
  end)

  it("is no fault of the source's: what failed for it is known by its code, and can be tried again", function()
    -- Files may grow to some 2 KB, which the compiler's object is larger than.
    local shell = "(trap '' 25; ulimit -f 4; exec %s spec/env.lua %s)"
    local status, out, errors = support.run { "sh", "-c", shell:format(support.interpreter,
      support.write("short.lua", [[
        local host = require("spec.support").host()
        for _, source in ipairs { "spec/testdata/shop/shop.go", "spec/testdata/cgo/counter" } do
          local built, message, err = host:build(source)
          print(built, err.code, (message:gsub("%s+", " ")))
        end
      ]])) }
    assert.equal("", errors)
    assert.equal(0, status)
    local codes = {}
    for code in out:gmatch "nil\t(%l+)\t%S" do codes[#codes + 1] = code end
    assert.same({ "limit", "limit" }, codes, out)
  end)

  it("is known by what tools say of it", function()
    for text, code in pairs {
      ["compile: writing output: write $WORK/b.a: no space left on device"] = "io",
      ["as: b.o: No space left on device\n"] = "io",
      ["go: creating work dir: mkdir /tmp/go-build1: disk quota exceeded"] = "io",
      ["# a\nfatal error: runtime: out of memory"] = "memory",
      ["fork/exec /usr/lib/go/pkg/tool/compile: resource temporarily unavailable"] = "limit",
      ["open a.go: too many open files\n"] = "limit",
      ["# a\n./a.go:3:9: undefined: b"] = "compile",
      ["# a\n./a.go:3:9: more than one package called too many open files"] = "compile",
    } do
      local err = toolchain.failure(text, "compile")
      assert.equal(code, err.code, text)
      assert.equal((text:gsub("\n$", "")), err.message)
    end
  end)
end)

-- ---- what can be wrong with a file --------------------------------------------------------------------------------

describe("a file that is not as it was written", function()
  local text, body

  -- A file whose hash is right, whatever is in it: b2sum is from the GNU core utilities.
  local function forge(name, content)
    local path = support.write(name .. ".body", content)
    local _, sum = support.run { "b2sum", "-l", "256", path }
    return support.write(name, ("goloader module 2 %d %s\n%s"):format(#content, sum:match "^%x+", content))
  end

  local function refuses(file, code, pattern)
    local module, _, err = support.host():load(file)
    assert.is_nil(module)
    assert.equal(code, err.code)
    assert.matches(pattern, err.message)
    assert.falsy(err.message:find "\n")
  end

  local function forged(from, to, code, pattern)
    local start, finish = body:find(from)
    assert.truthy(start)
    local changed = body:sub(1, start - 1) .. to .. body:sub(finish + 1)
    refuses(forge("forged.gom", changed), code, pattern)
  end

  setup(function()
    ship("spec/testdata/shop/shop.go", "shop.gom")
    text = support.read(path_of "shop.gom")
    body = text:match "^[^\n]*\n(.*)$"
  end)

  it("is told by any byte", function()
    for i = 1, #text, math.floor(#text / 60) do
      local flipped = text:sub(1, i - 1) .. string.char((text:byte(i) + 1) % 256) .. text:sub(i + 1)
      local module, _, err = support.host():load(support.write("flipped.gom", flipped))
      assert.is_nil(module)
      assert.truthy(err.code == "format" or err.code == "mismatch", err.message)
    end
  end)

  it("is told when it is truncated, or longer", function()
    refuses(support.write("short.gom", text:sub(1, -2)), "format", "short%.gom is truncated: %d+ bytes follow")
    refuses(support.write("head.gom", text:sub(1, 30)), "format", "head%.gom is corrupt: its first line has no end")
    refuses(support.write("long.gom", text .. "x"), "format", "long%.gom is corrupt: %d+ bytes follow")
    refuses(support.write("empty.gom", ""), "format", "empty%.gom is empty")
    refuses(path_of "none.gom", "io", "none%.gom: No such file or directory")
    refuses(support.tmpdir(), "io", "is not a regular file")
  end)

  it("is refused when it was forged, though its hash be right", function()
    assert(assert(support.host():load(forge("whole.gom", body))):unload())
    forged("^go object linux amd64 go[%d.]+", "go object linux amd64 go1.20", "mismatch",
      'was made by "go object linux amd64 go1%.20 [^"]*", but the host needs "go object linux')
    forged("\nhost ", "\nguest ", "format", "its manifest names no host")
    forged("package root", "package king", "format", "corrupt: line 4 of its manifest")
    forged("package root %x+ %d+", "package root 0000000000000000 99999999", "format", "its parts are longer than")
    forged("package root %x+ ", "package root 0000000000000000 ", "format", "package shop isn't what its manifest says")
    forged("\n\n", "\nnonsense\n\n", "format", "corrupt: line %d+ of its manifest")
    forged("!<arch>", "!<arck>", "format", "is no Go object")
    forged("\nexport .*$", "", "format", "its manifest has no end")
    refuses(support.write("version.gom", (text:gsub("^goloader module 2", "goloader module 4"))), "mismatch",
      "version%.gom is of version 4 of its format, this goloader reads versions 2 and 3")
  end)

  it("doesn't harm a file that is replaced while its module is loaded", function()
    local module = assert(support.host():load(path_of "shop.gom"))
    support.write("shop.gom", "gone")
    assert.equal("hello, world", module.Greet "world")
    assert(module:unload())
    support.write("shop.gom", text)
  end)

  it("is no object to the other readers", function()
    local manifest, _, err = goloader.manifest(support.compile("spec/testdata/shop/shop.go", "shop"))
    assert.is_nil(manifest)
    assert.equal("format", err.code)
    assert.matches('is no shipped module: it doesn\'t start with "goloader module "', err.message)
  end)
end)
