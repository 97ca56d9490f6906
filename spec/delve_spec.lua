-- Delve: what examples/debugging.md says of it.
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

teardown(support.clean)

local dlv, why = support.program "github.com/go-delve/delve/cmd/dlv@v1.27.2"

-- What dlv prints at its commands, attached to a process that has said that it is ready, which ends then.
local function attached(command, directory, ...)
  local commands = support.write("commands", table.concat({ ... }, "\n") .. "\nexit\n")
  local pipe = assert(io.popen(("cd %s && %s & echo $!; wait $! 2>/dev/null"):format(
    toolchain.quote(directory), command)))
  local pid = pipe:read "*l"
  pipe:read "*l"
  local _, out, errors = support.run { dlv, "attach", pid, "--init", commands,
    "--allow-non-terminal-interactive=true" }
  os.execute("kill -9 " .. pid .. " 2>/dev/null")
  pipe:close()
  return out .. errors
end

describe("dlv attach", function()
  if not dlv then
    it("shows loaded code", function() pending(why) end)
    return
  end

  -- A program that calls code of ours for a minute, in a host that is a library.
  local function in_library(options)
    local object = support.compile("package main\n\nfunc Loaded(n int) int {\n\treturn n + 1\n}\n", "main")
    local script = support.write("waits.lua", ([[
      local host = assert(require "goloader".host { debug = %s })
      local m = assert(host:load %q)
      m.Loaded(3)
      io.stdout:write "ready\n"
      io.stdout:flush()
      local ended = os.time() + 60
      while os.time() < ended do m.Loaded(3) end
    ]]):format(options, object))
    return ("exec %s spec/env.lua %s"):format(support.interpreter, toolchain.quote(script))
  end

  it("has the threads of a host that is a library, and neither goroutines nor loaded code", function()
    local out = attached(in_library "true", ".", "threads", "goroutines", "funcs main.Loaded")
    assert.matches("Thread %d+ at 0x%x+ [^\n]* runtime%.futex", out)
    assert.matches("could not find goroutine array", out)
    assert.not_matches("\nmain%.Loaded\n", out)
  end)

  it("has loaded code in such a host where that is in files", function()
    local out = attached(in_library '"files"', ".", "funcs main.Loaded", "break main.Loaded", "continue", "stack 1")
    assert.matches("\nmain%.Loaded\n", out)
    assert.matches("Breakpoint 1 set at [^\n]*0x%x+ for main%.Loaded%(%) [^\n]*main%.go:[34]", out)
    assert.matches("> %[Breakpoint 1%] main%.Loaded%(%) [^\n]*main%.go:[34]", out)
  end)

  describe("of a program that is its own host", function()
    local program, variables

    local function attach(policy, ...)
      local root = toolchain.absolute "."
      local paths = ("LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;;' LUA_CPATH='%s/build/lib/?.so;;'")
        :format(root, root, root)
      local out = attached(("%s exec %s%s"):format(paths, toolchain.quote(program),
        policy and " -policy " .. toolchain.quote(policy) or ""), "examples/embed", ...)
      return (out:gsub("\27%[%d*m", ""))
    end

    setup(function()
      program = toolchain.absolute(support.tmpdir()) .. "/embed"
      local command = "cd examples/embed && exec %s host --exe --minimal --goroot %s -o %s ."
      local made, _, errors = support.run { "sh", "-c", command:format(
        toolchain.quote(toolchain.absolute "build/bin/goloader"), toolchain.quote(support.tools().goroot),
        toolchain.quote(program)) }
      assert.equal(0, made, errors)
      variables = support.write("variables.go", [[
package main

import "errors"

type Item struct {
	Name string
	Next *Item
}

//go:noinline
func look(item *Item, list []string, prices map[string]int, err, own error, value any) int {
	total := len(list)
	for i, name := range list {
		price := prices[name]
		total += price + i // 15
	}
	return total
}

func Look(name string) int {
	prices := map[string]int{name: 7}
	tea := &Item{"tea", &Item{Name: "mug"}}
	return look(tea, []string{name, "pot"}, prices, errors.New("no"), missing{9}, &weight) // 23
}

type missing struct{ shelf int }

func (m missing) Error() string { return "missing" }

var weight = grams(12)

type grams float32
]])
    end)

    it("has goroutines", function()
      local out = attach(nil, "goroutines", "break main.serve", "goroutine 1 stack")
      assert.matches("Goroutine 1 [^\n]* main%.serve", out)
      assert.matches("Breakpoint 1 set at 0x%x+ for main%.serve", out)
      assert.matches("in main%.main", out)
    end)

    it("has loaded code as its own, where that is in files: breakpoints, stacks, arguments, variables", function()
      local policy = support.write("policy.lua", ([[
        local host = assert(require "goloader".host { debug = "files" })
        local m = assert(host:build(%q, { gcflags = "-N -l" }))
        function reload()
          io.stdout:write "ready\n"
          io.stdout:flush()
          local ended = os.time() + 60
          while os.time() < ended do m.Look "cup" end
          os.exit(0)
        end
      ]]):format(toolchain.absolute(variables)))
      local out = attach(toolchain.absolute(policy), "break main.look", "continue", "stack", "print *item",
        "print list", "print prices", "print err", "print own", "print value", "break variables.go:15", "continue",
        "locals", "goroutines")
      assert.matches("> %[Breakpoint 1%] main%.look%(%) [^\n]*variables%.go:11", out)
      assert.matches("in main%.look\n[^\n]*variables%.go:11\n *1 +0x%x+ in main%.Look\n[^\n]*variables%.go:23\n", out)
      assert.matches("in runtime%.cgocall\n.- in main%.serve\n.- in main%.main\n", out)
      assert.matches('main%.Item {%s*Name: "tea",%s*Next: %*main%.Item {%s*Name: "mug",%s*Next: %*main%.Item nil', out)
      assert.matches('%[%]string len: 2, cap: 2, %["cup","pot"%]', out)
      assert.matches('map%[string%]int %[%s*"cup": 7,%s*%]', out)
      assert.matches('error%(%*errors%.errorString%) %*{s: "no"}', out)
      assert.matches("error%(main%.missing%) {shelf: 9}", out)
      assert.matches("interface {}%(%*main%.grams%) %*12", out)
      assert.matches("\ntotal = 2\n", out)
      assert.matches('\nname = "cup"\n', out)
      assert.matches("\nprice = 7\n", out)
      assert.matches("Goroutine 1 [^\n]* main%.look", out)
    end)
  end)
end)
