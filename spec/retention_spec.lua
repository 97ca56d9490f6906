-- A module stays while anything refers to it, wherever that is: spec/testdata/retention/keeper has a kind of place for
-- each that Go has, and a kind of frame. Each holds a value of another module, as an interface. The unload of that
-- module is refused and the holder named; once what is held was used and let go, the module goes.
--
-- This happens in processes of their own: the collector of theirs runs all the time and overwrites what it frees.
local support = require "spec.support"

local keeper, thing = "spec/testdata/retention/keeper", "spec/testdata/retention/thing/thing.go"
local environment = "GOGC=1 GODEBUG=clobberfree=1,invalidptr=1 GOLOADER_UNLOAD="

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

local way -- where it is looked for references

local function run(script, more)
  local program = prelude:format(support.compile(thing, "thing")) .. script
  local status, output, errors = support.lua(program, (more or "") .. environment .. way)
  assert.equal(0, status, output:sub(-2000) .. errors:sub(1, 4000))
  return output
end

teardown(support.clean)

for _, place in ipairs { "stopped", "snapshot" } do
  describe("with the walk in a process that is " .. (place == "stopped" and place or "copied"), function()
    before_each(function() way = place end)

    describe("a module of which something holds a value", function()
      it("stays until it is let go, wherever that is", function()
        local output = run [[
          for i, kind in ipairs(keeper.Kinds()) do
            local module = load()
            local value = module.New:keep(i)
            keeper.Hold(kind, value)
            value:release()
            print(kind .. ": " .. (refusal(module) or "WENT"))
            local said = keeper.Release(kind)
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

      it("stays while any interface of many in a row has it", function()
        assert.equal("end\n", run [[
          for i = 0, keeper.Places() - 1 do
            local module = load()
            local value = module.New:keep(i)
            keeper.Put(i, value)
            value:release()
            local said = refusal(module) or "WENT"
            if not said:find "variable example.com/keeper.[%w]*ow of module" then print(i, said) end
            if keeper.Take(i) ~= "a T of " .. i then print "SAID" end
            goes(module)
          end
          print "end"
        ]])
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

      it("stays while a job that has not begun has it", function()
        -- with one processor the job's goroutine begins after the one that looks
        assert.matches("^[1-5] refused\n$", run([[
          local refused = 0
          for round = 1, 5 do
            local module = load()
            local value = module.New:keep(round)
            local job = keeper.Later:async(value, 300)
            value:release()
            local said = refusal(module)
            if not said and not job:done() then print "WENT" end
            if job:wait() ~= "a T of " .. round then print "SAID" end
            if said then -- else the job was over before the asking was
              refused = refused + 1
              goes(module)
            end
          end
          print(refused .. " refused")
        ]], "GOMAXPROCS=1 "))
      end)

      it("goes though goroutines that wait had it", function()
        -- what is left in their frames nobody will look at
        assert.equal("end\n", run [[
          for round = 1, 20 do
            local module = load()
            for _ = 1, 8 do
              local value = module.New:keep(round)
              keeper.Work(value)
              value:release()
            end
            goes(module)
          end
          print "end"
        ]])
      end)

      it("goes while others make types by reflection", function()
        assert.equal("end\n", run [[
          keeper.Churn(2000)
          for round = 1, 20 do
            local module = load()
            assert(module.New(round).Next)
            goes(module)
          end
          print "end"
        ]])
      end)
    end)

    -- More rounds, or others: RETENTION_ROUNDS=5000 RETENTION_SEED=7
    describe("modules that are loaded, held, released and unloaded at random", function()
      it("go when nothing holds them, and not before", function()
        local rounds, seed = os.getenv "RETENTION_ROUNDS" or "40", os.getenv "RETENTION_SEED" or tostring(os.time())
        local output = run(([[
          local rounds, seed = %s, %s
          math.randomseed(seed)
          local places, frames = {}, {}
          for _, kind in ipairs(keeper.Kinds()) do
            -- one that ends by itself can't be waited for
            if kind ~= "timer that nobody has" then
              local list = kind:find "^frame" and frames or places
              list[#list + 1] = kind
            end
          end
          local held, n, place = {}, 0, nil

          -- What a goroutine has left in a frame may look as if it were in use until the goroutine goes on.
          local stayed = {}
          local function goes(module)
            if refusal(module) then stayed[#stayed + 1] = module end
          end

          local function wrong(what) error(("seed %%d: %%s"):format(seed, what), 0) end

          local function check(module, is_held, kind)
            local said = refusal(module)
            if is_held and not said then wrong(kind .. " went") end
          end

          local function hold()
            local list = not place and math.random(2) == 1 and places or frames
            local kind = list[math.random(#list)]
            if held[kind] then return end
            n = n + 1
            local module = load()
            local value = module.New:keep(n)
            keeper.Hold(kind, value)
            value:release()
            held[kind] = { module = module, n = n }
            if not kind:find "^frame" then place = kind end
          end

          local function some()
            local kinds = {}
            for kind in pairs(held) do kinds[#kinds + 1] = kind end
            table.sort(kinds)
            local kind = #kinds > 0 and kinds[math.random(#kinds)]
            return kind, kind and held[kind]
          end

          local function release()
            local kind, h = some()
            if not kind then return end
            held[kind] = nil
            if kind == place then place = nil end
            local said = keeper.Release(kind)
            if said ~= "a T of " .. h.n then wrong(kind .. " said " .. tostring(said)) end
            goes(h.module)
          end

          local function attempt()
            local kind, h = some()
            if kind then check(h.module, true, kind) end
          end

          local act
          local function ask(depth)
            local module = load()
            local value, frame = module.New:keep(5), frames[math.random(#frames)]:match ": (.*)"
            local answer = keeper.Ask(frame, value, function()
              value:release()
              check(module, true, frame)
              if depth < 3 then act(depth + 1) end
            end)
            if answer ~= "a T of 5" then wrong(frame .. " said " .. tostring(answer)) end
            goes(module)
          end

          local function pass_by()
            local module = load()
            local value = module.New:keep(3)
            if math.random(2) == 1 then keeper.Work(value) end
            if tostring(value) == "" then wrong "no text" end
            value:release()
            goes(module)
          end

          local acts = { hold, hold, release, attempt, ask, pass_by }
          function act(depth) acts[math.random(#acts)](depth) end
          for _ = 1, rounds do act(0) end
          while next(held) do release() end
          local last = load()
          for _ = 1, 8 do
            local value = last.New:keep(1)
            keeper.Work(value)
            value:release()
          end
          for _, module in ipairs(stayed) do
            if refusal(module) then wrong("stayed: " .. refusal(module)) end
          end
          print "end"
        ]]):format(rounds, seed))
        assert.equal("end\n", output)
      end)
    end)
  end)
end
