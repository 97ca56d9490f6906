-- What a module can do, told without loading it.
local goloader = require "goloader"
local support = require "spec.support"

teardown(support.clean)

local SHOP = [[
package shop

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"text/template"
	_ "unsafe"
)

//go:linkname nanotime runtime.nanotime
func nanotime() int64

var Greeting = "hello"

func Fetch(address string) (string, error) {
	answer, err := http.Get(address)
	if err != nil {
		return "", err
	}
	return answer.Status, nil
}

func Hello(who string) { greet(who) }

func greet(who string) { fmt.Println(Greeting, strings.ToUpper(who), nanotime()) }

func Parse(file string) (*template.Template, error) { return template.ParseFiles(file) }

func Twice(what string) string { return strings.Repeat(what, 2) }

func Write(w io.Writer) { w.Write([]byte("x")) }

func Add(a, b int) int

var home string

func init() { home = os.Getenv("HOME") }

func unused() { os.Remove("x") }

func Give() {
	if len(home) > 1<<20 {
		os.Exit(3)
	}
}
]]

local ASSEMBLY = [[
#include "textflag.h"

TEXT ·Add(SB), NOSPLIT, $0-24
	MOVQ a+0(FP), AX
	ADDQ b+8(FP), AX
	MOVQ AX, ret+16(FP)
	RET
]]

local PURE = [[
package pure

import "strings"

func Twice(what string) string { return strings.Repeat(what, 2) }
]]

local dir, pure

setup(function()
  support.write("shop/go.mod", "module example.test/shop\n\ngo 1.21\n")
  support.write("shop/add.s", ASSEMBLY)
  dir = support.write("shop/shop.go", SHOP):match "^(.*)/"
  pure = support.write("pure.go", PURE)
end)

local P = "example.test/shop."

local function by_name(list)
  local found = {}
  for _, each in ipairs(list) do
    found[(each.kind and each.kind .. " " or "") .. (each.symbol or each.name)] = each.by
  end
  return found
end

describe("an audit", function()
  local result, reaches

  setup(function()
    result = assert(goloader.audit(dir))
    reaches = by_name(result.reaches)
  end)

  it("tells what is reached, and by way of whom", function()
    assert.same({ P .. "greet", P .. "Hello" }, reaches["files os.Stdout"])
    assert.same({ P .. "greet", P .. "Hello" }, reaches["linkname runtime.nanotime"])
    assert.same({ P .. "Add" }, reaches["assembly " .. P .. "Add"])
    assert.same({ P .. "Give" }, reaches["exit os.Exit"])
    assert.same({ "example.test/shop" }, reaches["unsafe import of unsafe"])
    local getenv = reaches["environment os.Getenv"]
    assert.equal(P .. "init.0", getenv[1])
    assert.equal(P .. "init", getenv[#getenv])
    local network = 0
    for _, each in ipairs(result.reaches) do
      if each.kind == "network" then
        network = network + 1
        assert.equal(P .. "Fetch", each.by[#each.by], each.symbol)
      end
    end
    assert.is_true(network > 0)
  end)

  it("follows the host's code", function()
    local way = reaches["files os.ReadFile"] or reaches["files os.Open"]
    assert.matches("^text/template", way[1])
    assert.equal(P .. "Parse", way[#way])
  end)

  it("tells nothing of what nobody can call", function()
    for name in pairs(reaches) do assert.is_nil(name:find "Remove") end
  end)

  it("tells packages, functions and variables of the host", function()
    assert.same({ path = "example.test/shop", role = "root" }, result.packages[1])
    local roles = {}
    for _, package in ipairs(result.packages) do roles[package.path] = package.role end
    assert.equal("host", roles["net/http"])
    assert.equal("host", roles.os)
    assert.same({ P .. "Twice" }, by_name(result.functions)["strings.Repeat"])
    assert.same({ P .. "greet", P .. "Hello" }, by_name(result.variables)["os.Stdout"])
    assert.is_nil(by_name(result.functions)["runtime.newobject"])
  end)

  it("is the same of a shipped module, but for what objects don't tell", function()
    local file = support.tmpdir() .. "/shop.gom"
    assert(support.host():ship(dir, file))
    local shipped = assert(goloader.audit(file))
    local expected = by_name(result.reaches)
    expected["unsafe import of unsafe"] = nil
    assert.same(expected, by_name(shipped.reaches))
    assert.same(result.functions, shipped.functions)
    assert.same(result.variables, shipped.variables)
    assert.is_number(shipped.packages[1].size)
  end)

  it("of code that only computes tells nothing", function()
    local computes = assert(goloader.audit(pure))
    assert.same({}, computes.reaches)
    assert.same({ { name = "strings.Repeat", by = { "pure.Twice" } } }, computes.functions)
    assert.same({}, computes.variables)
    local object = support.compile(PURE, "pure")
    assert.same({}, assert(goloader.audit(object)).reaches)
  end)

  it("loads nothing, and runs nothing: neither init functions nor constructors in C", function()
    local script = [[
      local goloader = require "goloader"
      local result = assert(goloader.audit(%q))
      local kinds = {}
      for _, each in ipairs(result.reaches) do kinds[each.kind] = true end
      print(kinds.C, #goloader.host():modules())
    ]]
    support.write("loud/go.mod", "module example.test/loud\n\ngo 1.21\n")
    local loud = support.write("loud/loud.go", [[
package loud

// #include <stdlib.h>
// __attribute__((constructor)) static void begin(void) { if (getenv("LOUD") != NULL) exit(5); }
// static int one(void) { return 1; }
import "C"

func One() int { return int(C.one()) }

func init() { println("initialised") }
]]):match "^(.*)/"
    local file = support.tmpdir() .. "/loud.gom"
    local status, _, errors = support.cli("build", "-o", file, loud)
    assert.equal(0, status, errors)
    for _, path in ipairs { loud, file } do
      local out
      status, out, errors = support.lua(script:format(path), "LOUD=1")
      assert.equal(0, status, errors)
      assert.equal("true\t0\n", out)
      assert.is_nil(errors:find "initialised")
    end
  end)

  it("fails as a load does", function()
    local value, message, err = goloader.audit "/nowhere.gom"
    assert.is_nil(value)
    assert.equal("io", err.code, message)
    value, message, err = goloader.audit(support.write("broken.go", "package broken\n\nfunc F( {\n"))
    assert.is_nil(value)
    assert.equal("compile", err.code, message)
    assert.has_error(function() goloader.audit(nil) end, "goloader.audit: a file or a package expected, got nil")
  end)

  it("is there on the command line, as text and as JSON", function()
    local status, out, errors = support.cli("audit", dir)
    assert.equal(0, status, errors)
    assert.matches("\nfiles         os%.Stdout  by example%.test/shop%.greet by example%.test/shop%.Hello\n", out)
    assert.matches("^package       root    example%.test/shop\n", out)
    status, out = support.cli("audit", "--json", dir)
    assert.equal(0, status)
    local ok, cjson = pcall(require, "cjson")
    if ok then
      local read = cjson.decode(out)
      assert.same(result.reaches, read.reaches)
      assert.equal(dir, read.file)
    end
    status, out, errors = support.cli("audit", "/nowhere.gom")
    assert.same({ 1, "", "goloader: /nowhere.gom: No such file or directory\n" }, { status, out, errors })
  end)
end)

describe("a process that trusts a key", function()
  it("audits what it would not load", function()
    assert(goloader.keygen(support.tmpdir() .. "/a.key", support.tmpdir() .. "/a.pub"))
    local file = support.tmpdir() .. "/pure.gom"
    assert(support.host():ship(pure, file))
    local status, out, errors = support.lua(([[
      local goloader = require "goloader"
      local host = assert(goloader.host { trust = %q })
      print(#assert(goloader.audit(%q)).reaches, select(3, host:load(%q)).code)
    ]]):format(support.tmpdir() .. "/a.pub", file, file))
    assert.equal(0, status, errors)
    assert.equal("0\ttrust\n", out)
  end)
end)
