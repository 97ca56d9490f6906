-- A busted output handler for spec/run.lua: one line as each test ends, so that what ran before a crash is known. A
-- test that finds that the machine lacks what it needs says so, by `pending "why"`, and counts as skipped.
return function(options)
  local busted = require "busted"
  local handler = require "busted.outputHandlers.base"()

  local function line(format, ...)
    io.stdout:write(format:format(...), "\n")
    io.stdout:flush()
  end

  local function details(text)
    for part in (tostring(text) .. "\n"):gmatch "([^\n]*)\n" do line("    %s", part) end
  end

  local lacking -- what the test at hand has said

  function handler.testStart(element)
    lacking = nil
    line("# %s", handler.getFullName(element))
    return nil, true
  end

  function handler.testEnd(element, _, status)
    local name = handler.getFullName(element)
    if status == "success" then
      line("ok - %s", name)
    elseif status == "pending" and lacking then
      line("ok - %s # SKIP %s", name, (lacking:gsub("%s+", " ")))
    elseif status == "pending" then
      line("not ok - %s", name)
      details "pending: a test that is skipped without a reason proves nothing"
    else
      line("not ok - %s", name)
    end
    return nil, true
  end

  local function problem(element, parent, message, debug)
    -- what breaks outside of a test (loading the file, setup) is a failure of its own
    if element.descriptor ~= "it" then line("not ok - %s", element.name or parent and parent.name or "file") end
    details(message)
    if debug and debug.traceback and options.verbose then details(debug.traceback) end
    return nil, true
  end

  function handler.pending(_, _, message)
    lacking = message and tostring(message):gsub("^%S+:%d+: ", "")
    return nil, true
  end

  busted.subscribe({ "test", "start" }, handler.testStart)
  busted.subscribe({ "pending" }, handler.pending)
  busted.subscribe({ "test", "end" }, handler.testEnd)
  busted.subscribe({ "error" }, problem)
  busted.subscribe({ "failure" }, problem)
  return handler
end
