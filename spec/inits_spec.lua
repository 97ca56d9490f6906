-- Init functions: what a load is while they run, and what stays of those that fail.
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

local quote = toolchain.quote

teardown(support.clean)

local function module(name, files)
  files["go.mod"] = files["go.mod"] or "module example.test/" .. name .. "\n\ngo 1.21\n"
  for file, text in pairs(files) do support.write(name .. "/" .. file, text) end
  return toolchain.absolute(support.tmpdir()) .. "/" .. name
end

describe("a load that begins while another's init functions run", function()
  -- A Go program runs each of these files in a Lua state and a thread of its own. The first one's module waits in its
  -- init function until the second one's is loaded; both take from the archive of a package that the host lacks.
  it("takes nothing for its own of the packages that both share", function()
    local program = toolchain.absolute(support.tmpdir()) .. "/program"
    local status, out, errors = support.run { "sh", "-c",
      ("cd spec/testdata/embedding && %s host --goroot %s -o %s --minimal --exe ."):format(
        quote(toolchain.absolute "build/bin/goloader"), quote(support.tools().goroot), quote(program)) }
    assert.equal(0, status, out .. errors)
    local first = module("first", { ["first.go"] = [[
package first

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"strings"
	"time"
)

func init() {
	os.WriteFile(os.Getenv("DIR")+"/begun", nil, 0o600)
	for i := 0; i < 5000; i++ {
		if _, err := os.Stat(os.Getenv("DIR") + "/loaded"); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	panic("nobody else was loaded meanwhile")
}

func Names(text string) string {
	r := tar.NewReader(strings.NewReader(text))
	names := ""
	for {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names
		} else if err != nil {
			return err.Error()
		}
		names += header.Name + "\n"
	}
}
]] })
    local second = module("second", { ["second.go"] = [[
package second

import (
	"archive/tar"
	"bytes"
)

func Archive(name string) string {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	if err := w.WriteHeader(&tar.Header{Name: name, Size: 5, Mode: 0o600}); err != nil {
		return err.Error()
	}
	w.Write([]byte("hello"))
	if err := w.Close(); err != nil {
		return err.Error()
	}
	return out.String()
}
]] })
    local dir = toolchain.absolute(support.tmpdir())
    local preamble = "io.stdout:setvbuf 'line'\nlocal host = assert(require 'goloader'.host())\n"
    local one = support.write("one.lua", preamble .. ([[
      local first = assert(host:build(%q))
      local file = assert(io.open(os.getenv "DIR" .. "/archive", "rb"))
      print("first", first.Names(file:read "*a"))
      assert(first:unload())
    ]]):format(first))
    local two = support.write("two.lua", preamble .. ([[
      local begun
      repeat
        begun = io.open(%q)
      until begun
      local second = assert(host:build(%q))
      local archive = second.Archive "a/b"
      print("second", #archive, archive:sub(1, 3))
      local file = assert(io.open(os.getenv "DIR" .. "/archive", "wb"))
      file:write(archive)
      file:close()
      assert(second:unload())
      io.open(%q, "w"):close()
    ]]):format(dir .. "/begun", second, dir .. "/loaded"))
    local root = toolchain.absolute "."
    status, out, errors = support.run({ program, one, two },
      ("LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;;' LUA_CPATH='%s/build/lib/?.so;;' DIR=%s GOROOT=%s"):format(root,
        root, root, quote(dir), quote(support.tools().goroot)))
    assert.equal("second\t2048\ta/b\nfirst\ta/b\n\nall files have run\n", out,
      errors)
    assert.equal(7, status)
  end)
end)


describe("a package that modules share and that panics in an init function", function()
  local host = support.host()
  local config = support.read(support.importcfg())

  -- Compiles a package against those compiled before, and tells the host of it.
  local function share(path, text)
    local file = support.compile(text, path, { "-importcfg", support.write("importcfg.shared", config) })
    config = ("%s\npackagefile %s=%s\n"):format(config, path, file)
    assert(host:add_archive(path, file))
  end

  local function load(text)
    return host:load(support.compile(text, "main", { "-importcfg", support.write("importcfg.shared", config) }))
  end

  local broken, message, err

  setup(function()
    share("example.test/broken", [[
package broken

var Values = make([]int, 3)

func init() {
	n := 7
	Values[n%8]++
}
]])
    share("example.test/needs", [[
package needs

import "example.test/broken"

func Value() int { return broken.Values[0] }
]])
    share("example.test/other", [[
package other

var Text = "not initialised"

func init() { Text = "initialised" }
]])
    broken, message, err = load [[
package main

import (
	"example.test/needs"
	"example.test/other"
)

func Value() int   { return needs.Value() }
func Text() string { return other.Text }
]]
  end)

  it("fails the load with its panic", function()
    assert.is_nil(broken)
    assert.equal("panic", err.code)
    assert.matches("index out of range %[7%] with length 3", message)
  end)

  it("fails later loads that use it, with the same panic", function()
    local again
    again, message, err = load [[
package main

import "example.test/broken"

func Value() int { return broken.Values[0] }
]]
    assert.is_nil(again)
    assert.equal("panic", err.code)
    assert.matches("package example.test/broken, which modules share, can't be used in this process any more", message)
    assert.matches("index out of range %[7%] with length 3", message)
  end)

  it("fails those that use it by way of others", function()
    local again
    again, message, err = load [[
package main

import "example.test/needs"

func Value() int { return needs.Value() }
]]
    assert.is_nil(again)
    assert.equal("panic", err.code)
    assert.matches("package example.test/%a+, which modules share, can't be used in this process any more", message)
    assert.matches("index out of range %[7%] with length 3", message)
  end)

  it("keeps nobody from using packages that have nothing to do with it", function()
    local other = assert(load [[
package main

import "example.test/other"

func Text() string { return other.Text }
]])
    assert.equal("initialised", other.Text())
    assert(other:unload())
  end)
end)

describe("a shipped module that is loaded by another thread", function()
  local goloader = require "goloader"

  local function ship(name, text)
    local dir = module(name, { ["main.go"] = text })
    local file = dir .. "/" .. name .. ".gom"
    assert(support.host():ship(dir, file, { godebug = false }))
    return file
  end

  it("lets others go on while its init functions run", function()
    local file = ship("sleeps", [[
package main

import "time"

var n int

func init() {
	time.Sleep(200 * time.Millisecond)
	n = 7
}

func N() int { return n }
]])
    local loaded
    goloader.spawn(function() loaded = assert(support.host():load(file, { wait = true })) end)
    local steps = 0
    while not loaded and steps < 1000 do
      goloader.step(0.01)
      steps = steps + 1
    end
    assert.is_true(steps > 5, steps)
    assert.equal(7, loaded.N())
    assert(loaded:unload())
  end)

  it("fails as one that is loaded by this thread", function()
    local file = ship("panics", "package main\n\nfunc init() { panic(\"in init\") }\n\nfunc N() int { return 1 }\n")
    for _, wait in ipairs { false, true } do
      local loaded, message, err = support.host():load(file, { wait = wait })
      assert.is_nil(loaded)
      assert.truthy(message:find("panic: in init", 1, true))
      assert.equal("panic", err.code)
    end
    local broken = support.write("broken.gom", "no module at all")
    local _, message = support.host():load(broken)
    assert.equal(message, (select(2, support.host():load(broken, { wait = true }))))
  end)

  it("leaves nothing where it is loaded and unloaded again and again", function()
    local file = ship("again", "package main\n\nfunc N() int { return 1 }\n")
    for _ = 1, 100 do
      local loaded = assert(support.host():load(file, { wait = true }))
      assert.equal(1, loaded.N())
      assert(loaded:unload())
    end
  end)
end)
