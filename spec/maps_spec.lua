-- Memory is never writable and executable at once: not after a load, and at no moment of one.
local support = require "spec.support"

local function writable_and_executable(pid)
  local maps = support.read(("/proc/%s/maps"):format(pid)) or ""
  for line in maps:gmatch "[^\n]+" do
    if line:find "^%S+ .wx" then return line end
  end
end

-- LuaJIT protects its own code; its machine code areas are made writable while they are written, never both.
describe("the process's memory", function()
  it("has no line rwx while modules are loaded, called and unloaded", function()
    local host = support.host()
    local object = support.compile("spec/testdata/shop/shop.go", "shop")
    assert.is_nil(writable_and_executable "self")
    local shop = assert(host:load(object))
    assert.is_nil(writable_and_executable "self")
    shop.Render()
    assert.is_nil(writable_and_executable "self")
    local text
    for _, symbol in ipairs(shop:symbols()) do
      if symbol.name == "shop.Render" then text = tonumber((symbol.addr:gsub("^0x", "")), 16) end
    end
    local function permissions(address)
      for from, to, flags in support.read "/proc/self/maps":gmatch "(%x+)%-(%x+) (%S+)" do
        if tonumber(from, 16) <= address and address < tonumber(to, 16) then return flags end
      end
    end
    assert.equal("r-xp", permissions(text))
    assert(shop:unload())
    assert.is_nil((permissions(text) or "----"):match "x")
    support.clean()
  end)

  it("has read-only data that can't be written", function()
    local host = support.host()
    local object = support.compile("spec/testdata/shop/shop.go", "shop")
    local shop = assert(host:load(object))
    local seen = 0
    for _, symbol in ipairs(shop:symbols()) do
      if symbol.kind:lower() == "r" and symbol.size > 0 then
        local address = tonumber((symbol.addr:gsub("^0x", "")), 16)
        for from, to, flags in support.read "/proc/self/maps":gmatch "(%x+)%-(%x+) (%S+)" do
          if tonumber(from, 16) <= address and address < tonumber(to, 16) then
            assert.equal("r--p", flags, symbol.name)
            seen = seen + 1
          end
        end
      end
      if seen > 50 then break end
    end
    assert.is_true(seen > 0)
    assert(shop:unload())
    support.clean()
  end)

  it("is never rwx, sampled from outside through a thousand loads", function()
    local object = support.compile("spec/testdata/shop/shop.go", "shop")
    local ready, done = support.tmpdir() .. "/ready", support.tmpdir() .. "/done"
    local script = support.write("loads.lua", ([[
      local host = assert(require "goloader".host())
      local function write(name, text) local f = io.open(name, "w"); f:write(text); f:close() end
      write(%q, io.open "/proc/self/stat":read "*n")
      for _ = 1, 1000 do
        local shop = assert(host:load(%q))
        assert(shop.Add(1, 2) == 3)
        assert(shop:unload())
      end
      write(%q, "ok")
    ]]):format(ready, object, done))
    os.execute(("%s spec/env.lua %s &"):format(support.interpreter, script))
    assert.is_true(support.eventually(function() return (support.read(ready) or "") ~= "" end))
    local pid, samples = support.read(ready), 0
    while not support.read(done) and support.read("/proc/" .. pid .. "/stat") do
      local line = writable_and_executable(pid)
      assert.is_nil(line)
      samples = samples + 1
    end
    assert.is_true(support.eventually(function() return support.read(done) == "ok" end), "the loads did not end well")
    assert.is_true(samples > 20, samples .. " samples")
    support.clean()
  end)
end)
