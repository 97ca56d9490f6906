-- Packages by their import paths: host:build and goloader build look them up as the go command does. Modules come from
-- a module proxy that is a folder.
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

local quote = toolchain.quote

local site, proxy, environment

-- A version of a module, as the go command finds it in a proxy (https://go.dev/ref/mod#goproxy-protocol).
local PUBLISH = [[
package main

import (
	"archive/zip"
	"os"
	"path/filepath"
)

func Publish(proxy, module, version string, files map[string]string) error {
	dir := filepath.Join(proxy, module, "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, version+".zip"))
	if err != nil {
		return err
	}
	defer f.Close()
	archive := zip.NewWriter(f)
	for name, text := range files {
		w, err := archive.Create(module + "@" + version + "/" + name)
		if err != nil {
			return err
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	for name, text := range map[string]string{".mod": files["go.mod"], ".info": `{"Version":"` + version + `"}`} {
		if err := os.WriteFile(filepath.Join(dir, version+name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	list, err := os.OpenFile(filepath.Join(dir, "list"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer list.Close()
	_, err = list.WriteString(version + "\n")
	return err
}
]]

local GREET = [[
package greet

import (
	"example.test/greet/words"
	"example.test/money"
)

const Version = "%s"

type Greeting struct{ Text string }

func Hello(name string) string { return words.Hello + ", " + name + "! " + Version + " " + money.Name }
func New(text string) *Greeting { return &Greeting{text} }
]]

setup(function()
  local publisher = assert(support.host():build(support.write("publish.go", PUBLISH)))
  proxy = support.tmpdir() .. "/proxy"
  assert(publisher.Publish(proxy, "example.test/money", "v0.1.0", {
    ["go.mod"] = "module example.test/money\n\ngo 1.21\n",
    ["money.go"] = 'package money\n\nvar Name = "euro"\n',
  }))
  for _, version in ipairs { "v1.0.0", "v1.1.0" } do
    assert(publisher.Publish(proxy, "example.test/greet", version, {
      ["go.mod"] = "module example.test/greet\n\ngo 1.21\n\nrequire example.test/money v0.1.0\n",
      ["greet.go"] = GREET:format(version),
      ["words/words.go"] = 'package words\n\nvar (\n\tHello = "Hello"\n\tCount int\n)\n',
    }))
  end
  assert(publisher.Publish(proxy, "example.test/rootless", "v1.0.0", {
    ["go.mod"] = "module example.test/rootless\n\ngo 1.21\n",
    ["a/a.go"] = "package a\n",
    ["internal/b/b.go"] = "package b\n",
    ["c/c.go"] = "package c\n",
    ["tested/a_test.go"] = "package tested\n",
  }))
  site = support.tmpdir() .. "/site"
  for name, text in pairs {
    ["go.mod"] = "module example.test/site\n\ngo 1.21\n\nrequire example.test/greet v1.0.0\n\n"
      .. "require example.test/money v0.1.0\n",
    ["shop/shop.go"] = 'package shop\n\nimport "example.test/greet"\n\n'
      .. 'func Page() string { return greet.Hello("shop") }\n',
    ["page/page.go"] = 'package page\n\nfunc Page() string { return "one" }\n',
    ["one/only/only.go"] = 'package only\n\nfunc Name() string { return "only" }\n',
  } do support.write("site/" .. name, text) end
  environment = ("GOPROXY=file://%s GOSUMDB=off GOFLAGS=-modcacherw GOMODCACHE=%s XDG_CACHE_HOME=%s"):format(
    quote(toolchain.absolute(proxy)), quote(toolchain.absolute(support.tmpdir()) .. "/modcache"),
    quote(toolchain.absolute(support.tmpdir()) .. "/cache"))
  local _, go_cache = support.run { support.tools().goroot .. "/bin/go", "env", "GOCACHE" }
  environment = environment .. " GOCACHE=" .. quote((go_cache:gsub("%s+$", "")))
  local tidy = ("cd %s && %s %s/bin/go mod tidy"):format(quote(site), environment, quote(support.tools().goroot))
  local status, _, errors = support.run { "sh", "-c", tidy }
  assert.equal(0, status, errors)
end)

teardown(support.clean)

-- What a Lua program prints that stands in this directory; `host` is there.
local function prints(dir, script)
  local head = 'local host = assert(require "goloader".host())\n'
  local file = toolchain.absolute(support.write("script.lua", head .. script))
  local command = ("root=$PWD; cd %s && %s exec %s \"$root/spec/env.lua\" %s"):format(quote(dir), environment,
    support.interpreter, quote(file))
  local status, out, errors = support.run { "sh", "-c", command }
  assert.equal(0, status, errors)
  return out
end

-- What host:build says of a path that it can't build: its message and its code.
local function refusal(dir, path)
  return prints(dir, ([[
    local module, message, err = host:build(%q)
    print(module, err and err.code, message)
  ]]):format(path))
end

describe("a package by its import path", function()
  it("is one of the main module", function()
    assert.equal("Hello, shop! v1.0.0 euro\ntrue\n", prints(site, [[
      local shop = assert(host:build "example.test/site/shop")
      print(shop.Page())
      print(shop:unload())
    ]]))
  end)

  it("is compiled anew when it was edited", function()
    assert.equal("one\ntwo\n", prints(site, [[
      local one = assert(host:build "example.test/site/page")
      print(one.Page())
      local file = io.open("page/page.go", "w")
      file:write 'package page\n\nfunc Page() string { return "two" }\n'
      file:close()
      print(assert(host:build "example.test/site/page").Page())
    ]]))
  end)

  it("is what go.mod requires, in that version; all of its Go module goes with it", function()
    assert.equal("Hello, Ann! v1.0.0 euro\nhi\ntrue\nown\texample.test/greet/words\nroot\texample.test/greet\n"
      .. "shared\texample.test/money\ntrue\n", prints(site, [[
      local greet = assert(host:build "example.test/greet")
      print(greet.Hello "Ann")
      local greeting = greet.New "hi"
      print(greeting.Text)
      greeting = nil
      collectgarbage()
      collectgarbage()
      print(greet:unload())
      local manifest = assert(host:ship("example.test/greet", "1.gom"))
      for _, package in ipairs(manifest.packages) do print(package.role, package.path) end
      local shipped = assert(host:load "1.gom")
      print(shipped.Hello "Ben" == "Hello, Ben! v1.0.0 euro")
      os.remove "1.gom"
    ]]))
  end)

  it("is another version where one is named, without a go.mod", function()
    local bare = support.tmpdir() .. "/bare"
    support.write("bare/README", "")
    local script = [[
      local one = assert(host:build "example.test/greet@v1.0.0")
      print(one.Hello "Ann")
      local latest = assert(host:build "example.test/greet@latest")
      print(latest.Hello "Ann")
      local words = assert(host:build "example.test/greet/words@v1.1.0")
      print(words.Count)
    ]]
    local expected = "Hello, Ann! v1.0.0 euro\nHello, Ann! v1.1.0 euro\n0\n"
    assert.equal(expected, prints(bare, script))
    assert.equal(expected, prints(bare, script)) -- from what the first one has left
  end)

  it("is one of the standard library: a copy of the module's own", function()
    assert.equal("a+b%26c\nABC\ntrue\n", prints(site, [[
      local url = assert(host:build "net/url")
      print(url.QueryEscape "a b&c")
      print(assert(host:build "strings").ToUpper "abc")
      print(url:unload())
    ]]))
  end)

  it("may be meant by a pattern, if that means one", function()
    assert.equal("only\n", prints(site, [[print(assert(host:build "./one/...").Name())]]))
    assert.equal("nil\tmissing\t./...: a module is one package, with what that imports; this means 3: "
      .. "example.test/site/one/only, example.test/site/page, example.test/site/shop\n", refusal(site, "./..."))
  end)

  it("is refused with what was understood", function()
    local missing = "nil\tmissing\t%s: there is no such file, and no such package: "
    assert.matches("^" .. missing:format "nosuch" .. "package nosuch is not in std", refusal(site, "nosuch"))
    assert.equal(missing:format "example.test/other" .. "no required module provides package example.test/other, "
      .. "and no version is named: example.test/other@latest\n", refusal(site, "example.test/other"))
    assert.matches("^nil\tmissing\texample.test/greet@v2.0.0: ", refusal(site, "example.test/greet@v2.0.0"))
    assert.equal("nil\tunsupported\tsync: Go's runtime works with the host's copy, and can't with a second one\n",
      refusal(site, "sync"))
    assert.equal("nil\tio\tno path: there is no such file, and it is no import path\n", refusal(site, "no path"))
    assert.equal("nil\tio\t./nosuch: No such file or directory\n", refusal(site, "./nosuch"))
    assert.equal("nil\tio\tnosuch.go: No such file or directory\n", refusal(site, "nosuch.go"))
    support.write("apart/notes/read.me", "no Go\n")
    local apart = support.write("apart/odd.lua", "return 1\n"):match "^(.*)/" -- no go.mod is around it
    assert.equal("nil\tmissing\tno Go files in ./notes\n", refusal(apart, "./notes"))
    assert.equal("nil\tio\tnamed files must be .go files: odd.lua\n", refusal(apart, "odd.lua"))
  end)

  it("is refused by what is in it, where that is no package to build", function()
    assert.equal("nil\tmissing\texample.test/rootless@v1.0.0: there is no package of that name, but within it: "
      .. "example.test/rootless/a, example.test/rootless/c, example.test/rootless/tested\n",
      refusal(site, "example.test/rootless@v1.0.0"))
    assert.matches("^nil\tmissing\texample.test/rootless/tested: no non%-test Go files in /.*/tested\n$",
      refusal(site, "example.test/rootless/tested@v1.0.0"))
    support.write("tested/go.mod", "module example.test/tested\n")
    local dir = support.write("tested/a_test.go", "package tested\n"):match "^(.*)/"
    assert.matches("^nil\tmissing\texample.test/tested: no non%-test Go files in /", refusal(dir, "."))
  end)

  it("is built by the command line, and named after it", function()
    local command = ("root=$PWD; cd %s && %s \"$root/build/bin/goloader\" build example.test/greet@v1.1.0"):format(
      quote(site), environment)
    local status, out, errors = support.run { "sh", "-c", command }
    assert.equal(0, status, errors)
    assert.equal("", out .. errors)
    local greet = assert(support.host():load(site .. "/greet.gom"))
    assert.equal("Hello, Eve! v1.1.0 euro", greet.Hello "Eve")
    assert(greet:unload())
  end)
end)
