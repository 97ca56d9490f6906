-- What a process is at: goloader.dump, and a signal that has it written.
local goloader = require "goloader"
local support = require "spec.support"

teardown(support.clean)

local source = [[
package waits

import "time"

func Calls(f func() int) int { return f() }

func Sleep(ms int, s []string) int { time.Sleep(time.Duration(ms) * time.Millisecond); return len(s) }

func Start() { go waiting() }

func waiting() { time.Sleep(time.Hour) }
]]

-- Runs a script that is sent a signal after a second; what it writes to standard error, and how it ends.
local function signalled(signal, option, script)
  local file = support.write("waits.go", source)
  return support.lua(([[
    local host = assert(require "goloader".host { dump = %s })
    local waits = assert(host:build %q)
    local pid = io.open "/proc/self/stat":read "*n"
    local function send() os.execute("(sleep 0.5; kill -%s " .. pid .. ") &") end
    %s
    print "went on"
  ]]):format(option, file, signal, script))
end

describe("a signal that goloader.host was told of", function()
  it("has what Lua and goroutines are at written, where Lua waits for Go", function()
    for _, signal in ipairs { "QUIT", "USR2" } do
      local status, out, errors = signalled(signal, '"SIG' .. signal .. '"', [[
        waits.Start()
        local function sleeps() return waits.Sleep(1500, { "a" }) end -- 6
        local function visits() local n = sleeps() return n end -- 7
        send()
        waits.Calls(visits) -- 9
      ]])
      assert.equal(0, status, errors)
      assert.equal("went on\n", out)
      assert.matches("goloader: Go was called by Lua:\n.*:7: in function <[^\n]*>\n\t[^\n]*:9: in main chunk\n", errors)
      assert.matches("goloader: goroutines:\n\ngoroutine %d+ .*waits%.Sleep%(.*waits%.Calls%(", errors)
      assert.matches("waits%.waiting%(", errors)
    end
  end)

  it("has it written where Lua runs", function()
    local status, out, errors = signalled("USR1", '"SIGUSR1"', [[
      if jit then jit.off() end
      local function runs() -- 6
        local from = os.time()
        while os.time() - from < 2 do end -- 8
      end
      send()
      runs() -- 11
    ]])
    assert.equal(0, status, errors)
    assert.equal("went on\n", out)
    assert.matches("goloader: Lua is at:\n.*:8: in function 'runs'\n\t[^\n]*:11: in main chunk\n", errors)
    assert.matches("goloader: goroutines:\n\ngoroutine ", errors)
  end)

  it("has it written once where it was asked for twice", function()
    local status, out, errors = signalled("USR1", '"SIGUSR1"', [[
      require "goloader.core".dump_on(10)
      send()
      waits.Sleep(1500, { "a" })
    ]])
    assert.equal(0, status, errors)
    assert.equal("went on\n", out)
    assert.equal(2, select(2, errors:gsub("goloader: Go was called by Lua:", "%0")) +
      select(2, errors:gsub("goloader: goroutines:", "%0")))
  end)

  it("does what it does without Go where nobody has asked", function()
    local status = signalled("QUIT", "nil", "send() local f = os.time() while os.time() - f < 3 do end")
    assert.is_true(status == 131 or status == 3, status)
    assert.error_matches(function() goloader.host { dump = "SIGKILL" } end,
      'goloader.host: dump: "SIGQUIT", "SIGUSR1" or "SIGUSR2" expected, got "SIGKILL"$')
  end)
end)

describe("goloader.dump", function()
  it("returns the same as a text", function()
    support.host()
    local function asks() return (assert(goloader.dump())) end
    local text = asks()
    assert.matches("^goloader: Lua is at:\nstack traceback:\n[^\n]*dump_spec%.lua:%d+: in ", text)
    assert.matches("\n\ngoloader: goroutines:\n\ngoroutine %d+ %[running", text)
  end)
end)
