-- A module stays while anything refers to it, wherever that is: spec/testdata/retention/keeper has a kind of place for
-- each that Go has, and a kind of frame. Each holds a value of another module, as an interface. The unload of that module is
-- refused and the holder named; once what is held was used and let go, the module goes.
--
-- This happens in processes of their own: the collector of theirs runs all the time and overwrites what it frees.
local support = require "spec.support"

local keeper, thing = "spec/testdata/retention/keeper", "spec/testdata/retention/thing/thing.go"
local environment = "GOGC=1 GODEBUG=clobberfree=1,invalidptr=1"

local prelude = ([[
  io.stdout:setvbuf "no"
  local host = assert(require "goloader".host())
  local keeper = assert(host:build %q)

  local function load() return assert(host:load(%%q)) end

  -- What a refusal says, on one line; false when there was none.
  local function refusal(module)
    local ok, message = module:unload()
    return not ok and (tostring(message):gsub("\n.*", ""))
  end

  local function goes(module)
    for _ = 1, 50 do
      if not refusal(module) then return true end
      keeper.Scrub()
    end
    print("STAYS: " .. refusal(module))
  end
]]):format(keeper)

local function run(script)
  local status, output, errors = support.lua(prelude:format(support.compile(thing, "thing")) .. script, environment)
  assert.equal(0, status, output:sub(-2000) .. errors:sub(1, 4000))
  return output
end

teardown(support.clean)

describe("a module of which something holds a value", function()
  it("stays until it is let go, wherever that is", function()
    local output = run [[
      for i, kind in ipairs(keeper.Kinds()) do
        local module = load()
        local value = module.New:keep(i)
        keeper.Hold(kind, value)
        value:release()
        print(kind .. ": " .. (refusal(module) or "WENT"))
        local said = keeper.Release()
        if said ~= "a T of " .. i then print("SAID: " .. tostring(said)) end
        goes(module)
      end
      print "end"
    ]]
    local kinds = 0
    for line in output:gmatch "[^\n]+" do
      kinds = kinds + 1
      if line ~= "end" then
        assert.matches("module thing can't be unloaded: ", line, 1, true)
        -- who, and what of the module
        assert.matches(" refers to [%w.:*() ]*thing%.", line)
        if line:find "^frame" then
          assert.matches("a variable of goroutine %d+, in [%w./()*%-%[%]]+ %([%w._]+:%d+%), refers to", line)
        end
      end
    end
    assert.matches("\nend\n$", output)
    assert.is_true(kinds >= 80, kinds .. " kinds")
  end)

  it("stays while a frame beneath the one that asks has it", function()
    local output = run [[
      for _, kind in ipairs(keeper.Kinds()) do
        local frame = kind:match "^frame: (.*)$"
        if frame then
          local module = load()
          local value, said = module.New:keep(7), nil
          local answer = keeper.Ask(frame, value, function()
            value:release()
            said = refusal(module)
          end)
          print(frame .. ": " .. (said or "WENT"))
          if answer ~= "a T of 7" then print("SAID: " .. tostring(answer)) end
          goes(module)
        end
      end
      print "end"
    ]]
    for line in output:gmatch "[^\n]+" do
      if line ~= "end" then
        assert.matches("a variable of goroutine %d+, in [%w./()*%-%[%]]+ %([%w._]+:%d+%), refers to", line)
      end
    end
    assert.matches("\nend\n$", output)
  end)
end)
