-- Run by faults_spec.lua, with ../refused.c preloaded. For each operation and each kind of call: the first one is
-- refused, then the second, until there is none left. A line for each operation, and for whatever goes wrong.
io.stdout:setvbuf "line"
local ffi = require "ffi"
ffi.cdef [[
  void refuse(long n, int kinds); const char *refused(void); long live_blocks(void); long mapped_bytes(void);
  int setenv(const char *, const char *, int); int unsetenv(const char *);
]]
local C = ffi.C
local lfs = require "lfs"
local goloader = require "goloader"
local support = require "spec.support"
local host = support.host()

local dir = support.tmpdir()
local source = "spec/testdata/refused/refused.go"
local shipped = dir .. "/refused.gom"
assert(host:ship(source, shipped))
local object = support.compile(support.read(source), "refused")
local other = support.compile(support.read(source):gsub('s %+ "!"', 's + "?"'), "refused")

local function fds()
  local n = 0
  for _ in lfs.dir "/proc/self/fd" do n = n + 1 end
  return n
end

local function collect() collectgarbage() collectgarbage() end

local runtime = host:std "runtime"

-- What was unloaded rests until Go's collector has forgotten it.
local function settle()
  collect()
  for _ = 1, 3 do
    runtime.GC()
    assert(assert(host:load(object)):unload())
  end
  runtime.GC()
end

local function state()
  settle()
  local unused, slabs = host.core:unused()
  return { fds = fds(), blocks = tonumber(C.live_blocks()) - slabs, mapped = tonumber(C.mapped_bytes()),
    modules = #host:modules(), handles = host:stats().handles, unused = unused }
end

local function same(a, b)
  local differences = {}
  for name, value in pairs(a) do
    if b[name] ~= value then differences[#differences + 1] = ("%s %d, then %d"):format(name, value, b[name]) end
  end
  return #differences == 0 or table.concat(differences, "; ")
end

-- An operation returns true, or nil, message, err, or raises. before() and after() are not refused anything.
local function calls(name, call)
  local module
  return { name,
    before = function() module = assert(host:load(object)) end,
    run = function()
      local ok, result = pcall(call, module)
      if ok then return true end
      return nil, tostring(result), type(result) == "table" and result or { code = "raised" }
    end,
    after = function()
      collect()
      local unloaded, why = module:unload()
      if not unloaded then module:unload { wait = 2 } end
      assert(unloaded or not module:is_loaded(), why)
      module = nil
    end }
end

local loaded
local REFUSED = { memory = true, io = true }

local function loads(name, file, options)
  return { name, codes = REFUSED, any_thread = options ~= nil,
    run = function()
      local message, err
      loaded, message, err = host:load(file, options)
      return loaded and true, message, err
    end,
    after = function()
      if loaded then
        assert(loaded.Text "a" == "a!")
        assert(loaded:unload())
      end
      loaded = nil
    end }
end

local operations = {
  loads("load", object),
  loads("load of a shipped module", shipped),
  loads("load beside Lua", shipped, { wait = true }),
  { "ship", codes = REFUSED, run = function()
      local made, message, err = host:ship(object, dir .. "/out.gom")
      return made and true, message, err
    end,
    after = function()
      local entries = {}
      for entry in lfs.dir(dir) do
        if entry:find "^out%.gom" then entries[#entries + 1] = entry end
      end
      assert(#entries <= 1, table.concat(entries, " "))
      os.remove(dir .. "/out.gom")
    end },
  { "unload", before = function() loaded = assert(host:load(object)) loaded.Text "a" end,
    run = function() return loaded:unload() end,
    after = function()
      if loaded:is_loaded() then assert(loaded:unload()) end
      loaded = nil
    end },
  { "replace", codes = REFUSED, before = function() loaded = assert(host:load(object)) end,
    run = function() return host:replace(loaded, other) end,
    after = function(ok)
      assert(loaded.Text "a" == (ok and "a?" or "a!"))
      host:tidy()
      assert(loaded:unload())
      for _ = 1, 20 do if #host:modules() == 0 or host:tidy() == 0 then break end end
      loaded = nil
    end },
  { "unload in a copy of the process", any_thread = true,
    before = function()
      loaded = assert(host:load(object))
      C.setenv("GOLOADER_UNLOAD", "snapshot", 1)
    end,
    run = function() return loaded:unload() end,
    after = function()
      C.unsetenv "GOLOADER_UNLOAD"
      if loaded:is_loaded() then assert(loaded:unload()) end
      loaded = nil
    end },
  { "waiting by a file descriptor", before = function() loaded = assert(host:load(object)) end,
    run = function()
      local fd, err = goloader.fd()
      if not fd then return nil, err.message, err end
      local done = false
      local ok, why = pcall(goloader.spawn, function()
        loaded.Text:async("a"):wait(5)
        done = true
      end)
      if not ok then return nil, tostring(why), { code = "raised" } end
      while not done do goloader.step(0.1) end
      return true
    end,
    after = function()
      collect()
      assert(loaded:unload())
      loaded = nil
    end },
  calls("a pure call", function(m) assert(m.Add(1, 2) == 3) end),
  calls("a pure call with floats", function(m) assert(m.Halve(3) == 1.5) end),
  calls("an ffi call", function(m)
    local text = m.Text
    for _ = 1, 3 do assert(text "a" == "a!") end
  end),
  calls("many calls", function(m) assert(#m.Add:map({ 1, 2, 3 }, { 1, 2, 3 }) == 3) end),
  calls("a list of handles", function(m) assert(m.List(3)[3]:Sum() == 4) end),
  calls("a handle's fields and methods", function(m)
    local pair = m.New()
    assert(pair.A == 3 and pair:Sum() == 7 and pair:String() == "3 4")
    pair.A = 5
  end),
  calls("a variable", function(m)
    assert(m.Table.b == 2)
    m.Table = { c = 3 }
    assert(m.Shown.A == 1)
  end),
  calls("an error", function(m)
    local _, err = m.Fail "x"
    assert(err.message == "failed: x", err.message)
  end),
  calls("a Lua function", function(m) assert(m.Apply(3, function(n) return n + 1 end) == 4) end),
  calls("an any", function(m) assert(m.Any { a = { 1, 2 } }) end),
  calls("a job", function(m) assert(m.Text:async("a"):wait() == "a!") end),
  calls("a new value", function(m) assert(m:new("Pair", { A = 1 }).A == 1) end),
  calls("exports", function(m) assert(#m:exports() > 0) end),
  calls("an explanation", function(m) assert(m.Add:explain()) end),
  calls("a listing", function(m) assert(m:disassemble "Add") end),
}

local KINDS = { memory = 1, mappings = 2, files = 4, threads = 8, ["short reads"] = 32 }
local bad = {} -- what was told already
local function complain(...)
  local text = table.concat({ ... }, "\t")
  if not bad[text] then print(text) end
  bad[text] = true
end

for _, op in ipairs(operations) do
  local function round(n, kind)
    if op.before then op.before() end
    C.refuse(n, kind)
    local ok, value, message, err = pcall(op.run)
    C.refuse(0, 0)
    local what = ffi.string(C.refused())
    if not ok then
      complain(op[1], what, "raised", tostring(value))
    elseif not value and (type(message) ~= "string" or type(err) ~= "table" or not err.code) then
      complain(op[1], what, "no error", tostring(message), tostring(err))
    elseif not value and op.codes and not op.codes[err.code] and what ~= "short read" then
      complain(op[1], what, "is told as", err.code, message)
    elseif not value and n == 0 then
      complain(op[1], "not refused", message)
    end
    local went, why = true, nil
    if op.after then went, why = pcall(op.after, ok and value) end
    if not went then complain(op[1], what, "afterwards", tostring(why)) end
    return what, value, message
  end
  for _ = 1, 4 do round(0, 0) end
  local total = 0
  for kind_name, kind in pairs(KINDS) do
    local n
    if op.any_thread then kind = kind + 16 end
    local function sweep()
      n = 0
      repeat
        n = n + 1
        local what = round(n, kind)
      until what == ""
    end
    -- what is kept once for all is made in the first
    local difference
    for _ = 1, 3 do
      local before = state()
      sweep()
      difference = same(before, state())
      if difference == true then break end
    end
    if difference ~= true then complain(op[1], kind_name, "lost", difference) end
    total = total + n - 1
  end
  print("done", op[1], total)
end
print "end"
support.clean()
