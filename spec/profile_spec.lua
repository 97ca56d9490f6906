-- Go's memory profile: off where nobody reads it, as in a program that Go's linker has made: it costs memory for ever.
local goloader = require "goloader"
local support = require "spec.support"

teardown(support.clean)

local RATE = "package rate\n\nimport \"runtime\"\n\nfunc Get() int { return runtime.MemProfileRate }\n"

local reader = [[
package reader

import (
	"bytes"
	"runtime/pprof"
)

var kept []byte

func Profile() string {
	kept = make([]byte, 64<<20)
	var b bytes.Buffer
	pprof.Lookup("allocs").WriteTo(&b, 1)
	kept = nil
	return b.String()
}
]]

describe("Go's memory profile", function()
  -- Each in a process of its own: other specs' modules, and goloader.profile's Go half, have a use for it too.
  local function run(script, ...)
    local objects = {}
    for i, source in ipairs { ... } do
      objects[i] = ("%q"):format(support.compile(source, (source:match "package (%a+)")))
    end
    local head = ([[
      local host = assert(require "goloader".host())
      local rate = assert(host:load(%q))
      local objects = { %s }
    ]]):format(support.compile(RATE, "rate"), table.concat(objects, ", "))
    local status, out, errors = support.lua(head .. script)
    assert.equal("", errors)
    assert.equal(0, status)
    return out
  end

  it("is off", function() assert.equal("0", run "io.write(rate.Get())") end)

  it("is on while a module has a use for it", function()
    local all = 'package all\n\nimport "runtime/pprof"\n\nfunc All() int { return len(pprof.Profiles()) }\n'
    local rates, profile = run([[
      local first, second = assert(host:load(objects[1])), assert(host:load(objects[2]))
      io.write(rate.Get())
      local profile = first.Profile()
      assert(first:unload())
      io.write(" ", rate.Get())
      assert(second:unload())
      io.write(" ", rate.Get(), "\n", profile)
    ]], reader, all):match "^([^\n]*)\n(.*)"
    assert.equal("524288 524288 0", rates)
    assert.matches("heap profile: %d+: %d+ %[[1-9]%d*: [1-9]%d*%]", profile)
  end)

  it("is off where a module only profiles something else", function()
    assert.equal("0", run("local cpu = assert(host:load(objects[1])) io.write(rate.Get()) assert(cpu:unload())", [[
package cpu

import (
	"os"
	"runtime/pprof"
)

func Start() { pprof.StartCPUProfile(os.Stderr) }
]]))
  end)

  it("is on when goloader.profile is asked for the heap, and not before", function()
    assert.equal("0 0 0 524288", run([[
      local goloader = require "goloader"
      local rates = {}
      local function note() rates[#rates + 1] = rate.Get() end
      local profile = assert(goloader.profile "cpu")
      note()
      assert(profile:stop())
      note()
      assert(goloader.profile "goroutine")
      note()
      assert(goloader.profile "heap")
      note()
      io.write(table.concat(rates, " "))
    ]]))
  end)

  it("is as the host was told", function()
    for bytes, expected in pairs { [0] = "0 0", [4096] = "4096 4096" } do
      local status, out, errors = support.lua(([[
        local host = assert(require "goloader".host { memory_profile = %d })
        local rate = assert(host:load %q)
        local before = rate.Get()
        local reader = assert(host:load %q)
        io.write(before, " ", rate.Get())
      ]]):format(bytes, support.compile(RATE, "rate"),
        support.compile(reader, "reader")))
      assert.equal("", errors)
      assert.equal(expected, out)
      assert.equal(0, status)
    end
    for _, wrong in ipairs { -1, 0.5, "1", 0 / 0 } do
      assert.error_matches(function() goloader.host { memory_profile = wrong } end,
        "memory_profile: a number of bytes expected")
    end
  end)

  it("is in a program what it would be natively", function()
    local program = 'package main\n\nimport (\n\t"fmt"\n\t"os"\n\t"runtime"\n\t"runtime/pprof"\n)\n\nfunc main() {\n' ..
      "\tfmt.Print(runtime.MemProfileRate)\n\tif len(os.Args) > 100 {\n\t\t%s\n\t}\n}\n"
    for call, expected in pairs {
      ["pprof.WriteHeapProfile(os.Stdout)"] = "524288", ['pprof.Lookup("heap")'] = "524288",
      ["pprof.StopCPUProfile()"] = "0", ["pprof.StopCPUProfile(); _ = http.Handler(nil)"] = "524288",
    } do
      local text = program:format(call)
      if call:find "http" then text = text:gsub('"os"', '"net/http"\n\t_ "net/http/pprof"\n\t%0') end
      local status, out = support.cli("run", support.write("main.go", text))
      assert.equal(expected, out)
      assert.equal(0, status)
    end
  end)
end)
