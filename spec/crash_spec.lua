-- What Go code does to the process: nothing ends it without a word.
local support = require "spec.support"

teardown(support.clean)

-- Runs a statement that uses `crash`, the module, in a process of its own: status, output, errors.
local function run(statement, environment)
  return support.lua(([[
    local goloader = require "goloader"
    local crash = assert(goloader.host():build "spec/testdata/crash/crash.go")
    io.stdout:setvbuf "no"
    %s
    print "went on"
  ]]):format(statement), environment)
end

describe("a panic in a goroutine that a module started", function()
  local function ends_by(statement, place, message, environment)
    local status, output, errors = run(statement, environment)
    assert.is_true(status ~= 0, errors)
    assert.equal("", output)
    assert.matches("goloader: module crash, which this process has loaded, ends it" .. place .. "\n", errors)
    assert.matches(message, errors)
    assert.equal(1, select(2, errors:gsub("goloader: module", "")))
    return errors
  end

  it("ends the process, which says what module it was, where and why", function()
    local errors = ends_by("crash.Panic 'no way'", " in crash%.panicHere %([^\n]*/crash%.go:19%)", "panic: no way")
    assert.matches("goroutine %d+ .-crash%.panicHere%(", errors)
    assert.matches("created by crash%.Panic", errors)
  end)

  it("says so of errors, and of panics in functions of others that it called", function()
    ends_by("crash.PanicError 'text'", " in crash%.PanicError%.[%w.]+ %([^\n]*/crash%.go:%d+%)", "failure: text")
    ends_by("crash.PanicDeep(-1)", " in crash%.PanicDeep%.[%w.]+ %([^\n]*/crash%.go:%d+%)",
      "panic: strings: negative Repeat count")
    ends_by("crash.PanicGeneric(5)", " in crash%.panicGeneric%[%.%.%.%] %([^\n]*/crash%.go:%d+%)", "panic: 5")
  end)

  it("says so of faults", function()
    ends_by("crash.Fault()", " in crash%.Fault%.[%w.]+ %([^\n]*/crash%.go:%d+%)", "nil pointer dereference")
  end)

  it("says so of Go's fatal errors", function()
    ends_by("crash.Writes()", "", "fatal error: concurrent map writes")
    ends_by("crash.Overflow()", "", "goroutine stack exceeds")
  end)

  it("says which functions of Lua have called it", function()
    local errors = ends_by([[
      local function unlocks() crash.Unlock() end -- 5
      local function visits() local _ = unlocks() return 1 end -- 6
      crash.Calls(visits) -- 7
    ]], "", "fatal error: sync: unlock of unlocked mutex")
    assert.matches("\ngoloader: Go was called by Lua:\n"
      .. "\t%[C%]: in function '[^\n]*'\n\t[^\n]*:4: in function 'unlocks'\n"
      .. "\t[^\n]*:5: in function <[^\n]*>\n\t[^\n]*:6: in main chunk\n", errors)
  end)

  it("says so when there is to be no traceback", function()
    ends_by("crash.Panic 'no way'", " in crash%.panicHere %([^\n]*%)", "panic: no way", "GOTRACEBACK=none")
  end)

  it("says so of a Lua function that was called there", function()
    ends_by("crash.CallBack(function() end)", " by a goroutine started in crash%.CallBack %([^\n]*%)",
      "the Lua function passed as 'f' was called from another goroutine than it was given to")
  end)

  it("says so of a job's goroutines, but a job's own panic is raised", function()
    ends_by("crash.Panic:async 'no way':wait()", " in crash%.panicHere %([^\n]*%)", "panic: no way")
    local status, output = run "assert(not pcall(function() crash.Goexit:async():wait() end))"
    assert.equal(0, status)
    assert.equal("went on\n", output)
  end)

  it("is all there is to say: what the runtime prints else is as it was", function()
    local status, _, errors = run "crash.Println 'text'"
    assert.equal(0, status)
    assert.equal("text\n", errors)
  end)
end)

describe("os.Exit", function()
  it("ends the process with its status, at once", function()
    for _, status in ipairs { 0, 3, 255 } do
      local got, output, errors = run(("io.write 'kept' crash.Exit(%d)"):format(status))
      assert.equal(status, got)
      assert.equal("kept", output)
      assert.equal("", errors)
    end
  end)
end)

describe("runtime.Goexit", function()
  it("is an error in Lua, and the process goes on", function()
    local status, output = run [[
      for _ = 1, 3 do
        local ok, err = pcall(crash.Goexit)
        assert(not ok and err:find "Goexit: the function called runtime.Goexit", err)
      end
    ]]
    assert.equal(0, status)
    assert.equal("went on\n", output)
  end)
end)
