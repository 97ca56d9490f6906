-- The whole path, from an object file to calls and back to nothing.
local goloader = require "goloader"
local lfs = require "lfs"
local support = require "spec.support"

local source = "spec/testdata/shop/shop.go"

describe("the host", function()
  it("is one for the process", function()
    assert.equal(support.host(), goloader.host())
    assert.equal(support.host(), goloader.host { path = support.host().path })
  end)

  it("tells what it is", function()
    local info = support.host():info()
    assert.matches("^go1%.%d+", info.go_version)
    assert.equal("amd64", info.goarch)
    assert.matches("^v[1-4]$", info.goamd64)
    assert.equal("string", type(info.goexperiment))
    assert.equal("c-shared", info.buildmode)
    assert.matches("^go object linux amd64 " .. info.go_version:gsub("%p", "%%%0"), info.object_header)
  end)

  it("is not joined by another one", function()
    local other = support.write("other.so", "")
    local host, _, err = goloader.host { path = other }
    assert.is_nil(host)
    assert.equal("host", err.code)
    assert.matches("has a host already, [^\n]*libgoloader_host%.so", err.message)
  end)

  it("refuses misuse loudly", function()
    local host = support.host()
    assert.error_matches(function() host:load() end, "host:load: a file name or a list of them expected, got nil")
    assert.error_matches(function() host:load {} end, "got an empty list")
    assert.error_matches(function() host:build(7) end,
      "host:build: a directory, Go files or an import path expected, got number")
  end)
end)

for title, flags in pairs {
  ["go tool compile writes it"] = {},
  ["go tool compile -pack writes it"] = { "-pack" },
  ["the compiler writes it without optimisation"] = { "-N", "-l" },
  ["the compiler writes it for a shared library"] = { "-shared" },
} do
  describe("an object as " .. title, function()
    it("is loaded, called and unloaded", function()
      local shop = assert(support.host():load(support.compile(source, "shop", flags)))
      assert.equal(5, shop.Add(2, 3))
      assert.equal("cable 4.99\ncase 12.50\nphone 199.00\n", shop.Render())
      assert(shop:unload())
      support.clean()
    end)
  end)
end

describe("an object as go list -export writes it", function()
  it("is loaded by its file alone", function()
    local job = assert(support.tools():go { "list", "-export", "-f", "{{.Export}}", "./" .. source })
    local ok, file, errors = job:wait()
    assert(ok, errors)
    local shop = assert(support.host():load((file:gsub("%s+$", ""))))
    assert.equal(5, shop.Add(2, 3))
    assert(shop:unload())
  end)
end)

describe("an object that is written while it is loaded", function()
  it("is loaded, or refused: a file that shrinks does not end the process", function()
    local text = ("x"):rep(4000000)
    local good = support.compile(('package main\n\nfunc Text() string { return "%s" }\n'):format(text), "main")
    local file = support.tmpdir() .. "/written.o"
    local status, out, errors = support.run({ "sh", "-c", ([[
      %s spec/env.lua %s & reader=$!
      while kill -0 $reader 2>/dev/null; do cp %s %s; : >%s; done
      wait $reader]]):format(support.interpreter, support.write("loads.lua", ([[
        local host = require("spec.support").host()
        local loaded, refused = 0, 0
        for _ = 1, 300 do
          local module, message, err = host:load(%q)
          if module then
            assert(#module.Text() == 4000000)
            assert(module:unload())
            loaded = loaded + 1
          else
            assert(err.code == "format" or err.code == "io", message)
            refused = refused + 1
          end
        end
        print(loaded + refused)
      ]]):format(file)), good, file, file) })
    assert.equal("300\n", out, errors)
    assert.equal(0, status)
  end)
end)

describe("Go's runtime", function()
  it("is not loaded a second time", function()
    local archives = assert(support.tools():std_archives { "runtime" })
    local module, message, err = support.host():load(archives.runtime)
    assert.is_nil(module)
    assert.equal(archives.runtime .. " is Go's runtime, of which a process has one: the host's", message)
    assert.equal("unsupported", err.code)
  end)
end)

describe("a loaded module", function()
  local shop

  before_each(function() shop = assert(support.host():build(source)) end)
  after_each(function() if shop:is_loaded() then assert(shop:unload()) end end)

  it("ran its variables' initialisers, then its init functions, once", function()
    assert.equal("Opened init", shop.Counted())
    assert.equal(1, shop.Opened)
  end)

  it("has string variables that can be set by name before a program runs", function()
    local program = support.compile([[
package main

var version, count = "none", 7

func main() { println(version, count) }
]], "main")
    local main = assert(support.host():load(program, { run_init = false }))
    assert.is_true(main:set_string("main.version", "1.2"))
    local ok, _, err = main:set_string("main.count", "8")
    assert.is_nil(ok)
    assert.equal("type", err.code)
    assert.equal("main.count is no variable of type string", err.message)
    ok, _, err = main:set_string("main.none", "x")
    assert.is_nil(ok)
    assert.equal("missing", err.code)
    assert.matches("main%.none: no such variable in module main or the host", err.message)
    assert(main:unload())
  end)

  it("has its functions as fields", function()
    assert.equal("hello, world", shop.Greet "world")
    assert.error_matches(function() return shop.NoSuchThing end, "exports no NoSuchThing")
    assert.error_matches(function() return shop.add end, "a module has no method add; did you mean Add%?")
  end)

  it("gives (T, error) as value and error", function()
    assert.equal(499, shop.Find "cable")
    local price, err = shop.Find "lamp"
    assert.is_nil(price)
    assert.equal('find "lamp": shop: unknown product', tostring(err))
  end)

  it("has its variables as fields", function()
    assert.equal("hello", shop.Greeting)
    shop.Greeting = "good evening"
    assert.equal("good evening, you", shop.Greet "you")
    assert.same({ Name = "phone", Price = 19900 }, shop.Products[1])
    assert.error_matches(function() shop.Nothing = 1 end, "has no exported variable Nothing")
  end)

  it("lists its exports with Go signatures", function()
    local signatures = {}
    for _, export in ipairs(shop:exports()) do signatures[export.name] = export.signature end
    assert.equal("func(a int, b int) int", signatures.Add)
    assert.equal("func(name string) (int, error)", (signatures.Find:gsub("~r%d ", "")))
    assert.equal("string", signatures.Greeting)
    assert.equal("[]shop.Product", signatures.Products)
    assert.is_nil(signatures.deeper)
  end)

  it("lists its symbols by address", function()
    local symbols, found = shop:symbols(), nil
    for i, symbol in ipairs(symbols) do
      if symbol.name == "shop.Render" then found = symbol end
      if i > 1 then assert.is_true(symbols[i - 1].addr <= symbol.addr) end
    end
    assert.matches("^[tT]$", found.kind)
    assert.is_true(found.size > 100)
  end)

  it("disassembles a function, with names for what it calls", function()
    local listing = assert(shop:disassemble "Render")
    assert.matches("fmt%.Fprintf", tostring(listing))
    assert.matches("call", tostring(listing))
    assert.matches("shop%.Products", tostring(listing))
    local none, _, err = shop:disassemble "NoSuchThing"
    assert.is_nil(none)
    assert.matches("NoSuchThing", err.message)
  end)

  it("tells its size and the time that loading took", function()
    local stats = shop:stats()
    assert.is_true(stats.text > 1000)
    assert.is_true(stats.bytes >= stats.text + stats.rodata)
    assert.is_true(stats.link_ms > 0)
  end)

  it("lets stacks grow and move under it, and garbage be collected", function()
    assert.equal(3000 * 3001 / 2, shop.Grow(3000))
    for _ = 1, 20 do assert.equal(200 * 201 / 2, shop.Grow(200)) end
  end)

  it("prints as what it was loaded from", function()
    assert.equal("goloader.module: " .. source, tostring(shop))
    assert(shop:unload())
    assert.equal("goloader.module: " .. source .. " (unloaded)", tostring(shop))
  end)
end)

describe("two versions of one package", function()
  local function version(n)
    return ([[package ver
type T struct { A%d int }
var Count int
func Version() int { Count++; return %d }
func Get() any { return T{%d} }
func Mine(v any) bool { _, ok := v.(T); return ok }
func Own() bool { return Mine(Get()) }
]]):format(n, n, n)
  end

  it("live side by side, each with its own types and variables", function()
    local host = support.host()
    local one = assert(host:load(support.compile(version(1), "ver")))
    local two = assert(host:load(support.compile(version(2), "ver")))
    assert.equal(1, one.Version())
    assert.equal(2, two.Version())
    assert.equal(1, one.Version())
    assert.equal(2, one.Count)
    assert.equal(1, two.Count)
    assert.is_true(one.Own())
    assert.is_true(two.Own())
    assert(one:unload())
    assert.equal(2, two.Version())
    assert.is_true(two.Own())
    assert(two:unload())
    support.clean()
  end)
end)

describe("host:build", function()
  it("gives the compiler's own message", function()
    local file = support.write("broken.go", "package broken\n\nfunc F() int { return x }\n")
    local module, _, err = support.host():build(file)
    assert.is_nil(module)
    assert.equal("compile", err.code)
    assert.equal("./broken.go:3:23: undefined: x", err.message)
    support.clean()
  end)

  it("says which file is not there", function()
    local module, _, err = support.host():build "no/such/file.go"
    assert.is_nil(module)
    assert.equal("no/such/file.go: No such file or directory", tostring(err))
  end)

  it("builds what changed", function()
    local host = support.host()
    local file = support.write("edit/edit.go", 'package edit\n\nfunc Say() string { return "before" }\n')
    local old = assert(host:build(file))
    support.write("edit/edit.go", 'package edit\n\nfunc Say() string { return "after" }\n')
    local new = assert(host:build(file))
    assert.equal("before", old.Say())
    assert.equal("after", new.Say())
    assert(old:unload())
    assert.equal("after", new.Say())
    assert(new:unload())
    support.clean()
  end)

  it("notices a change in a package that the built one needs", function()
    local host = support.host()
    support.write("mod/go.mod", "module example.test/mod\n\ngo 1.21\n")
    support.write("mod/part/part.go", "package part\n\nfunc N() int { return 1 }\n")
    support.write("mod/mod.go", 'package mod\n\nimport "example.test/mod/part"\n\nfunc N() int { return part.N() }\n')
    local dir = support.tmpdir() .. "/mod"
    for round = 1, 3 do
      support.write("mod/part/part.go", ("package part\n\nfunc N() int { return %d }\n"):format(round * 11))
      local module = assert(host:build(dir))
      assert.equal(round * 11, module.N())
      assert(module:unload())
    end
    support.clean()
  end)

  it("honours build constraints and file names", function()
    support.write("tags/a.go", "package tags\n\nfunc Which() string { return which }\n")
    support.write("tags/b_windows.go", 'package tags\n\nconst which = "windows"\n')
    support.write("tags/c.go", '//go:build linux && !special\n\npackage tags\n\nconst which = "linux"\n')
    support.write("tags/d.go", '//go:build special\n\npackage tags\n\nconst which = "special"\n')
    support.write("tags/go.mod", "module example.test/tags\n\ngo 1.21\n")
    local host, dir = support.host(), support.tmpdir() .. "/tags"
    local module = assert(host:build(dir))
    assert.equal("linux", module.Which())
    assert(module:unload())
    module = assert(host:build(dir, { tags = "special" }))
    assert.equal("special", module.Which())
    assert(module:unload())
    support.clean()
  end)

  it("takes assembly", function()
    support.write("asm/go.mod", "module example.test/asm\n\ngo 1.21\n")
    support.write("asm/asm.go", [[
package asm

func triple(n int) int

func Triple(n int) int { return triple(n) }
]])
    support.write("asm/asm_amd64.s", [[
#include "textflag.h"

// func triple(n int) int
TEXT ·triple(SB), NOSPLIT, $0-16
	MOVQ n+0(FP), AX
	LEAQ (AX)(AX*2), AX
	MOVQ AX, ret+8(FP)
	RET
]])
    local module = assert(support.host():build(support.tmpdir() .. "/asm"))
    assert.equal(21, module.Triple(7))
    assert(module:unload())
    support.clean()
  end)

  it("leaves no file behind", function()
    support.write("temporary/keep", "")
    local dir = support.tmpdir() .. "/temporary"
    support.write("fails.go", "package fails\n\nvar X int = \"text\"\n")
    local _, out, errors = support.lua(([[
local host = assert(require "goloader".host())
for _ = 1, 2 do assert(assert(host:build(%q)):unload()) end
assert(not host:build(%q))
print "built"]]):format(source, support.tmpdir() .. "/fails.go"), "TMPDIR=" .. dir)
    assert.equal("", errors)
    assert.equal("built\n", out)
    local names = {}
    for entry in lfs.dir(dir) do names[#names + 1] = entry end
    table.sort(names)
    assert.same({ ".", "..", "keep" }, names)
    support.clean()
  end)

  it("takes away what a process has left that was killed", function()
    support.write("temporary/keep", "")
    local dir = support.tmpdir() .. "/temporary"
    local function build(pause)
      return support.lua(([[
local host = assert(require "goloader".host())
local function pause() %s end
print(assert(host:build(%q, { pause = pause })):unload())]]):format(pause, source), "TMPDIR=" .. dir)
    end
    local function left()
      local names = {}
      for entry in lfs.dir(dir) do
        if not entry:find "^%.%.?$" then names[#names + 1] = entry end
      end
      table.sort(names)
      return names
    end
    local kept = { ("goloader.%.0f-1.abc"):format(lfs.attributes("/proc/self/ns/pid", "ino")), "goloader.1-999999.abc",
      "keep" }
    for _, name in ipairs(kept) do support.write("temporary/" .. name, "") end
    table.sort(kept)
    build [[os.execute "kill -9 $PPID"]]
    assert.is_true(#left() > #kept)
    -- the compiler that the killed one had started may write its object yet
    support.eventually(function()
      local _, out = build ""
      assert.equal("true\n", out)
      return #left() == #kept
    end, 1)
    assert.same(kept, left())
    support.clean()
  end)
end)
