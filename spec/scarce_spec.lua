-- Memory of Lua's that runs short at any allocation: an error, and nothing is lost by it.
local support = require "spec.support"

local PATHS = [[
  package.path = "lua/?.lua;lua/?/init.lua;" .. package.path
  package.cpath = "build/%s/?.so;" .. package.cpath
]]

local OTHER = [[
  local goloader = require "goloader"
  local host = assert(goloader.host())
  assert(not host:load "/nowhere.o")
]]

-- Does something again and again, each time with one more allocation that succeeds, till all do.
--
-- LuaJIT before March 2024 jumps astray itself when memory is short as a trace ends at a call of a C function, to be
-- stitched to another (its recff_stitch, LuaJIT/LuaJIT#1166): traces are not stitched here.
local SCRIPT = [[
  if rawget(_G, "jit") then jit.opt.start "minstitch=30000" end
  local goloader = require "goloader"
  local host = assert(goloader.host())
  local m = assert(host:build "spec/testdata/scarce/scarce.go")
  local collect = function() collectgarbage() collectgarbage() end
  local whole = m.New()
  local _, failure = m.Fail "x"
  local scenarios = {
    { "a string", function() return m.Text "abc" end },
    { "a list with handles", function() return m.List(3) end },
    { "results that stay", function() return m.List:keep(3) end },
    { "a returned error", function() return m.Fail "abc" end },
    { "a panic", function() return m.Panic "abc" end },
    { "many calls", function() return m.List:map { 1, 2, 3 } end },
    { "many calls with errors", function() return m.Fail:map { "a", "b" } end },
    { "a Lua function", function() return m.Apply("abc", function(s) return s .. s end) end },
    { "a variable", function() return m.Shown end },
    { "a variable's handle", function() return m:ref "Shown" end },
    { "a new value", function() return m:new("Whole", { Name = "new" }) end },
    { "fields", function() return whole.Name, whole.Parts, whole.More, whole.Done end },
    { "a method", function() return whole:Text "abc" end },
    { "elements", function() return whole.Parts[1], whole.More.c end },
    { "pairs", function() for _ in whole.More:pairs() do end end },
    { "a copy", function() return whole:copy() end },
    { "what an error wraps", function() return failure:unwrap(), failure:as "*scarce.Failure" end },
    { "a job", function() return m.Later:async(3):wait() end },
    { "a failed load", function() return host:load "/nowhere.o" end },
  }
  for _, scenario in ipairs(scenarios) do
    local name, run = scenario[1], scenario[2]
    pcall(run)
    collect()
    local before, n, was_short = host:stats().handles, 0
    repeat
      n = n + 1
      scarce(n)
      pcall(run)
      was_short = scarce(0)
    until not was_short
    -- what an error has ended goes when another call has been made
    pcall(run)
    m.List(1)
    collect()
    -- jobs that nobody waits for any more end when they do
    for _ = 1, 1000 do
      if host:stats().handles == before then break end
      m.Later:async(0):wait()
      collect()
    end
    print(name, n > 1, host:stats().handles - before)
  end
  print("others", others_can_enter())
]]

-- Memory runs short in the middle of a call of a module that other Lua states have, too: another one replaces it, and
-- unloads the old one, though this one does nothing any more.
local SHARED = [[
  if rawget(_G, "jit") then jit.opt.start "minstitch=30000" end
  local goloader = require "goloader"
  local host = assert(goloader.host())
  local file, name_file = %q, %q
  local part = { Name = "a" }
  local scenarios = {
    { "a struct and a Lua function", function(m) m.Take({ part }, function() return "b" end) end },
    { "a variable", function(m) m.Taken = { part } end },
    { "many calls", function(m) m.Take:map({ { part } }, { function() return "b" end }) end },
    { "a job", function(m) m.List:async(3) end },
    { "a string", function(m) m.Text "abc" end },
    { "an error", function(m) m.Fail "abc" end },
    { "a number", function(m) m.Double(1) end }, -- a box of LuaJIT's, before it is compiled; elsewhere it takes none
    { "many numbers", function(m) m.Double:map { 1, 2, 3 } end },
  }
  local number = 0
  for _, scenario in ipairs(scenarios) do
    local name, run = scenario[1], scenario[2]
    local n, was_short = 0
    repeat
      n = n + 1
      number = number + 1
      local shared = "s" .. number
      local m = assert(host:shared(shared, function() return host:load(file) end))
      local names = assert(io.open(name_file, "w"))
      names:write(shared)
      names:close()
      pcall(function() return m.Take, m.List, m.Take.map, m.List.async, m.Text, m.Fail, m.Double, m.Double.map end)
      scarce(n)
      pcall(run, m)
      was_short = scarce(0)
      if not was_short then collectgarbage() collectgarbage() end -- a job that nobody waits for has handles
      others_can_enter()
    until not was_short or n > 60
    print(name, n > 1 or name == "a number")
  end
]]

local SHARED_OTHER = [[
  local goloader = require "goloader"
  local host = assert(goloader.host())
  local name = assert(io.open(%q)):read "*a"
  local m = assert(host:shared(name))
  assert(host:replace(m, %q))
  local stop = os.time() + 5
  while host:tidy() > 0 and os.time() < stop do os.execute "sleep 0.01" end
  for _, module in ipairs(host:modules()) do
    if not module.shared and module.refusal then error(name .. ": " .. tostring(module.refusal)) end
  end
  assert(host:tidy() == 0, name .. " is kept")
]]

-- Memory of Lua's runs short while it is told why a module stays: what C knows of that is given back.
local REFUSED = [[
  if rawget(_G, "jit") then jit.off() end
  local goloader = require "goloader"
  local host = assert(goloader.host())
  local m = assert(host:build "spec/testdata/scarce/scarce.go")
  local function refuse() return m:unload() end
  local short, before = 0
  m.Apply("called", function(text)
    local _, _, err = refuse()
    assert(err.path[1].kind == "call")
    for round = 0, 200 do
      local n, was_short = 0
      repeat
        n = n + 1
        scarce(n)
        pcall(refuse)
        was_short = scarce(0)
        short = short + (was_short and 1 or 0)
      until not was_short
      if round == 20 or round == 200 then
        collectgarbage()
        collectgarbage()
        before = before and used() - before or used()
      end
    end
    return text
  end)
  print(short > 1000, before < 32768 and "nothing" or before)
]]

local function program(lua)
  local file = support.tmpdir() .. "/scarce-" .. lua
  local command = ("cc -o %s spec/testdata/scarce/scarce.c $(pkg-config --cflags --libs %s)"
    .. " -rdynamic -lpthread -ldl -lm"):format(file, lua)
  local ok = os.execute(command)
  assert(ok == 0 or ok == true, command)
  return file
end

teardown(support.clean)

for package, build in pairs { luajit = "lib", ["lua5.1"] = "lua5.1", ["lua5.4"] = "lua5.4" } do
  describe("memory that runs short in " .. package, function()
    it("loses no handle and leaves no lock", function()
      local paths = PATHS:format(build)
      local status, out, errors = support.run {
        program(package), support.write("scarce.lua", paths .. SCRIPT), support.write("other.lua", paths .. OTHER),
      }
      assert.equal(0, status, errors .. out)
      for line in out:gmatch "[^\n]+" do
        assert.matches("\ttrue", line)
        assert.is_nil(line:match "\ttrue\t[^0]", line)
      end
      assert.matches("others\ttrue\n$", out)
    end)

    it("loses nothing of what tells why a module stays", function()
      local status, out, errors = support.run {
        program(package), support.write("refused.lua", PATHS:format(build) .. REFUSED), "unused",
      }
      assert.equal("", errors)
      assert.equal("true\tnothing\n", out)
      assert.equal(0, status)
    end)

    it("leaves no call that has begun for ever", function()
      local paths, host = PATHS:format(build), support.host()
      local one, two = support.tmpdir() .. "/one.gom", support.tmpdir() .. "/two.gom"
      assert(host:ship("spec/testdata/scarce/scarce.go", one))
      assert(host:ship(support.write("two/scarce.go", support.read "spec/testdata/scarce/scarce.go"), two))
      local names = support.tmpdir() .. "/name"
      local status, out, errors = support.run {
        program(package), support.write("shared.lua", paths .. SHARED:format(one, names)),
        support.write("shared_other.lua", paths .. SHARED_OTHER:format(names, two)),
      }
      assert.equal("", errors)
      assert.equal(0, status, out)
      assert.equal(8, select(2, out:gsub("\ttrue\n", "")), out)
    end)
  end)
end
