-- One process of spec/bench/abuse.lua: calls with one seed.

local goloader = require "goloader"
local list = require "spec.bench.abuse.calls"
local values = require "spec.bench.abuse.values"

local random, pick = math.random, values.pick
local unpack = rawget(table, "unpack") or unpack
local load = rawget(_G, "loadstring") or load

local CODES = {}
for code in ([[io format mismatch missing duplicate unsupported memory host busy panic type closed timeout phase limit
trust compile toolchain policy go lua]]):gmatch "%S+" do CODES[code] = true end

local NFINALIZERS = 5

local log

local function violation(...)
  io.stdout:write("VIOLATION ", (table.concat({ ... }, " "):gsub("\n", "\\n")), "\n")
end

-- ---- what there is to call ----------------------------------------------------------------------------------------

local host
local pool = {} -- what the API has given, by class
local CLASSES = { "host", "module", "func", "generic", "job", "handle", "watched", "error", "profile", "other" }
for _, class in ipairs(CLASSES) do pool[class] = {} end

local function class_of(value)
  local kind = type(value)
  if kind == "userdata" then
    local meta = debug.getmetatable(value)
    if meta and meta.on_done then return "job" end
    if meta and meta.__name == "goloader.handle" then return "handle" end
    if meta and type(meta.__index) == "table" and meta.__index.async then return "func" end
  elseif kind == "table" then
    local meta = debug.getmetatable(value)
    local index = type(meta) == "table" and rawget(meta, "__index")
    if not meta then return nil end
    if type(index) == "table" and rawget(index, "stop") then return "profile" end
    if type(index) == "table" and rawget(index, "unwrap") then return "error" end
  end
end

local function keep(class, value)
  local of = pool[class]
  if #of < 12 then of[#of + 1] = value else of[random(12)] = value end
end

local function object(class)
  class = class or pick(CLASSES)
  return pool[class][1] and pick(pool[class])
end
values.object = object

local FUNCTIONS, VARIABLES, TYPES = {}, {}, {}

local FILES = { "abuse.gom", "abuse.go", "text.gom", "cut.gom", "empty", "bad.go", ".", "nowhere.gom", "nowhere/x.go",
  "/dev/null", "key", "abuse.gom", "made1.gom" }
local TIMEOUTS = { 0, 0.001, 0.01, "5ms", "10ms", "1 fortnight", "", {}, false, 0 / 0, print }

local makers

-- Options: right ones, wrong ones, and names that there are not.
local function options(known)
  local names = {}
  for name in pairs(known) do names[#names + 1] = name end
  table.sort(names) -- the same seed is to do the same
  return function()
    local made = {}
    for _, name in ipairs(names) do
      local kind = known[name]
      if random() < 0.25 then
        local is_exact = kind:sub(-1) == "!"
        local make = makers[is_exact and kind:sub(1, -2) or kind]
        if is_exact or random() < 0.7 then made[name] = make() else made[name] = values.any() end
      end
    end
    if random() < 0.05 then made[pick { "nosuch", 1, true, "path", "wait " }] = 1 end
    return random() < 0.1 and values.any() or made
  end
end

local function constant(...)
  local list_of = { ... }
  return function() return pick(list_of) end
end

makers = {
  any = values.any,
  symbol = function() return pick(pick { FUNCTIONS, VARIABLES, { "abuse.Add", "nosuch", "fmt.Println" } }) end,
  string = values.string, number = values.number, callback = values.callback,
  file = function() return pick(FILES) end, newfile = constant("made1.gom", "made2", "nowhere/x", "/dev/full", ""),
  copy = constant("made1.gom", "empty", "text.gom"), secret = constant("key", "key.pub", "empty", "nowhere"),
  key = function() return pick { "key.pub", "key", { "key.pub" }, {}, { 1 }, "nowhere" } end,
  desc = function() return nil end, path = constant("io", "strings", "nosuch/path", "internal/abi", "", "net/http"),
  profile = constant("cpu", "block", "mutex", "heap", "allocs", "goroutine", "threadcreate", "nosuch"),
  timeout = function() return pick(TIMEOUTS) end, boolean = function() return random() < 0.5 end,
  variable = function() return pick(VARIABLES) end, type = function() return pick(TYPES) end,
  instance = constant("Max[int]", "Max[string]", "Keys[string,int]", "Max[", "Max[nosuch]", "Add[int]", "Max"),
  road = constant("pure", "ffi", "capi", "nosuch"), errortype = constant("*errors.errorString", "*fs.PathError", ""),
  method = constant("Sum", "Move", "Fail", "Panic", "Label", "Each", "nosuch", "Area"),
  key_of = values.any, error = function() return object "error" end, module = function() return object "module" end,
  newmodule = function() return pick { object "module" or false, "abuse.gom", "nowhere" } end,
  maker = function() return function() return host:load "abuse.gom" end end,
  array = function()
    local made = {}
    for i = 1, random(0, 5) do made[i] = random() < 0.9 and i or values.any() end
    return random() < 0.1 and goloader.same(1) or made
  end,
  rules = function()
    return pick { { deny = { "net/..." } }, { allow = { "..." } }, { deny = { 1 } }, { nosuch = {} }, {} }
  end,
  once = constant("refuse", "other", "always", "nosuch"), proof = constant("all", "nothing", "some"),
  list = function() return pick { {}, { object "module" }, { 1 }, { "a" } } end,
  unload = function() return { prove = "all" } end,
  mode = constant("set", "count", "atomic", true, false, "nosuch"),
}
makers.hostoptions = options { path = "file", desc = "file", memory_profile = "number", debug = "boolean",
  perf = "any", dump = "string" }
makers.statsoptions = options { reset = "boolean" }
makers.loadoptions = options { package = "string", run_init = "boolean", ndeps = "number", twice = "once",
  library = "file", uses = "list", imports = "rules", wait = "boolean", builds = "list" }
makers.buildoptions = options { gcflags = "string", lang = "string", tags = "string", words = "list", plain = "boolean",
  private = "boolean", notice = "callback", run_init = "boolean", imports = "rules", uses = "list", pause = "callback",
  on_sources = "callback", progress = "callback", types = "newfile", cover = "mode" }
makers.shipoptions = options { strings = "list", godebug = "boolean", key = "secret", imports = "rules" }
makers.watchoptions = options { ready = "callback", adopt = "callback", on_change = "callback", release = "callback",
  unload = "unload", poll = "timeout", run_init = "boolean" }
makers.replaceoptions = options { ready = "callback", adopt = "callback", release = "callback", unload = "unload" }
makers.unloadoptions = options { prove = "proof", handles = "string", background = "boolean", wait = "timeout!" }

-- How often a call is made among others: what compiles takes its time.
local RARE = { build = 0.02, ship = 0.02, watch = 0.05, instantiate = 0.05, audit = 0.05, replace = 0.2, load = 0.3,
  host = 0.3, profile = 0.2, dump = 0.2, disasm = 0.05, nm = 0.1, disassemble = 0.3, explain = 0.3, symbols = 0.2,
  add_archive = 0.1, unload = 0.3, toolchain = 0.2, reload = 0.2, shared = 0.2, keygen = 0.2 }

-- ---- calling ------------------------------------------------------------------------------------------------------

-- Who calls: by a name, so that messages can have it; a method as one writes it.
local invokers = {}
local function invoker(name, is_method)
  local key = name .. (is_method and ":" or "")
  if not invokers[key] then
    invokers[key] = assert(load(("local %s, pack, unpack, a, n = ...\nlocal r = pack(%s)\nreturn r"):format(
      is_method and "f" or name, is_method and ("a[1]:%s(unpack(a, 2, n))"):format(name)
      or ("%s(unpack(a, 1, n))"):format(name)), "=caller"))
  end
  return invokers[key]
end

local function pack(...) return { n = select("#", ...), ... } end

-- What one does to a value other than call its methods.
local OPERATORS = {}
for line in ([[
  index return a[b]
  newindex a[b] = c
  length return #a
  call return a(b, c)
  call0 return a()
  concat return a .. b
  add return a + b
  less return a < b
  equal return a == b
  minus return -a
  text return tostring(a)
  pairs for k, v in pairs(a) do break end
  ipairs for i, v in ipairs(a) do break end
  each for k, v in a:pairs() do break end
  export return a[b](c)
]]):gmatch "[^\n]+" do
  local name, text = line:match "(%w+) (.*)"
  OPERATORS[#OPERATORS + 1] = { name = name, fn = assert(load("local a, b, c = ... " .. text, "=caller")) }
end

-- What a message must not have: places in the loader's own files, and words for its own variables.
local INNER = { "goloader/[%w_/]+%.lua:%d", "'%?'", "%[C%]", "a nil value", "upvalue '", "stack traceback" }

local function shown(value)
  local ok, text = pcall(function()
    return type(value) == "string" and ("%q"):format(value:sub(1, 40)) or type(value)
  end)
  return ok and text:gsub("[^\32-\126]", "?") or "?"
end

local function describe(name, args, n)
  local texts = {}
  for i = 1, math.min(n, 6) do texts[i] = shown(args[i]) end
  return name .. "(" .. table.concat(texts, ", ") .. ")"
end

local function has_mark(text) return text:find(values.MARK, 1, true) end

local is_hooked = false

-- Is what was raised as it should be?
local function check_raised(what, err, call)
  if values.is_raised[err] ~= nil or err == nil or is_hooked then return end
  if type(err) == "table" then
    if rawget(err, "message") == nil then return end -- somebody's own
    if not CODES[err.code] then violation(what, "raised the code", tostring(err.code)) end
    return
  end
  if type(err) ~= "string" or call.name == "spawn" or has_mark(err) or err:find "^panic: " then return end
  local where, text = err:match "^(caller:%d+: )(.*)$"
  for _, theirs in ipairs { "cannot convert", "is not callable", "stack overflow", "not enough memory",
    "attempt to yield" } do
    if err:find(theirs) then return end
  end
  if call.lua and err:find "attempt to" then return end
  if not where then
    violation(what, "raised elsewhere:", err:sub(1, 300))
    return
  end
  for _, pattern in ipairs(INNER) do
    if text:find(pattern) then
      violation(what, "raised:", err:sub(1, 300))
      return
    end
  end
  local named = text:match "^bad argument #%d+ to '([^']*)' %("
  if named and named ~= call.name and not named:find "^%u" and not call.lua then
    violation(what, "raised:", err:sub(1, 300))
  end
end

local function check_returned(what, r)
  if r[1] ~= nil or r.n < 2 then return end
  if type(r[2]) ~= "string" then
    violation(what, "returned nil and a", type(r[2]))
  elseif type(r[3]) ~= "table" or not CODES[r[3].code] then
    if not has_mark(r[2]) then
      violation(what, "returned no error that is known:", r[2]:sub(1, 200),
        tostring(type(r[3]) == "table" and r[3].code))
    end
  end
  for _, pattern in ipairs(INNER) do
    if r[2]:find(pattern) and not has_mark(r[2]) then
      violation(what, "returned:", r[2]:sub(1, 300))
      return
    end
  end
end

local function keep_results(r)
  for i = 1, math.min(r.n, 3) do
    local class = class_of(r[i])
    if class then keep(class, r[i]) end
    if type(r[i]) == "function" then keep("other", r[i]) end -- an iterator
  end
end

local function record(what)
  log:write(what, "\n")
  log:flush()
end

local function run(what, fn, args, n, call)
  record(what)
  local name = call.name or "fn"
  local invoke = invoker(name, call.class and not call.is_odd)
  local began = os.time()
  local ok, r
  local how = random()
  if how < 0.1 then
    local co = coroutine.create(invoke)
    ok, r = coroutine.resume(co, fn, pack, unpack, args, n)
    if ok and coroutine.status(co) == "suspended" then
      pcall(coroutine.resume, co, values.any())
      return
    end
  elseif how < 0.15 and host then
    pcall(goloader.spawn, function()
      local fine, result = pcall(invoke, fn, pack, unpack, args, n)
      if not fine then check_raised(what, result, call) end
    end)
    return
  else
    ok, r = pcall(invoke, fn, pack, unpack, args, n)
  end
  if os.time() - began > 20 then violation(what, "took", os.time() - began, "seconds") end
  if not ok then
    check_raised(what, r, call)
  else
    if call.refuses then check_returned(what, r) end
    keep_results(r)
    if call.name == "load" or call.name == "build" or call.name == "shared" and r[1] then
      if r[1] then keep("module", r[1]) end
    elseif call.name == "watch" and r[1] then
      keep("watched", r[1])
    end
  end
end

local function argument(kind)
  local exact = kind:sub(-1) == "!"
  local make = makers[exact and kind:sub(1, -2) or kind] or error(kind)
  if exact or random() < 0.7 then return make() end
  return values.any()
end

local function call_listed(call)
  local args, n = {}, #call.args
  for i, kind in ipairs(call.args) do args[i] = argument(kind) end
  local is_exact = call.args[n] and call.args[n]:sub(-1) == "!"
  if not is_exact and random() < 0.2 then
    n = random(0, n + 2)
    for i = #call.args + 1, n do args[i] = values.any() end
  end
  if not call.class then
    return run(describe("goloader." .. call.name, args, n), goloader[call.name], args, n, call)
  end
  local self = object(call.class)
  if self == nil then return end
  if call.class == "watched" and (call.name == "close" or call.name == "fd") and not self then return end
  local ok, fn = pcall(function() return self[call.name] end)
  if not ok or type(fn) ~= "function" then return end
  if random() < 0.15 and not is_exact then
    self = values.any()
    call = setmetatable({ is_odd = true }, { __index = call })
  end
  table.insert(args, 1, self)
  return run(describe(call.class .. ":" .. call.name, args, n + 1), fn, args, n + 1, call)
end

local function call_export()
  local module = object "module"
  if not module then return end
  local name = pick(FUNCTIONS)
  if name == "Panic" and random() < 0.5 then name = "Add" end
  local ok, fn = pcall(function() return module[name] end)
  if not ok then return end
  if random() < 0.3 and type(fn) == "userdata" then keep("func", fn) end
  local args, n = {}, random(0, 4)
  for i = 1, n do args[i] = values.any() end
  if random() < 0.3 then n, args[1], args[2] = 2, random(-3, 9), random() < 0.5 and random(9) or values.callback() end
  run(describe("module." .. name, args, n), fn, args, n, {})
end

local function operate()
  local operator = pick(OPERATORS)
  local args = { object() }
  if args[1] == nil then return end
  args[2] = random() < 0.6 and pick(pick { FUNCTIONS, VARIABLES, { "X", "Tags", "Near", "Sum", 1, 2, "get", "Any" } })
    or values.any()
  args[3] = values.any()
  if random() < 0.2 then args[1], args[2] = args[2], args[1] end
  -- a channel without an end is ranged over for ever
  if (operator.name == "each" or operator.name == "pairs") and pcall(function() return args[1].recv end)
    then return end
  if operator.name == "export" and (args[2] == "Wait" or args[2] == "recv" or args[2] == "send") then return end
  run(describe(operator.name, args, 3), operator.fn, args, 3, { lua = true })
end

-- Whatever is in the metatable of what the API returns, called by hand.
local function call_metamethod()
  local value = object()
  local meta = value ~= nil and debug.getmetatable(value)
  if type(meta) ~= "table" then return end
  local names = {}
  for name, fn in pairs(meta) do
    if type(fn) == "function" and type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names)
  if not names[1] then return end
  local name, args = pick(names), { value, values.any(), values.any() }
  if name == "recv" or name == "send" or name == "__pairs" or name == "wait" or name == "results" then return end
  if random() < 0.5 then args[1] = values.any() end
  record("metamethod " .. describe(name, args, 3))
  pcall(meta[name], unpack(args, 1, random(0, 3)))
end

local function disturb()
  local what = random(8)
  record("disturbance " .. what)
  if what == 1 then collectgarbage()
  elseif what == 2 then collectgarbage "step"
  elseif what == 3 then
    local class = pick(CLASSES)
    if class ~= "host" and pool[class][1] then table.remove(pool[class], random(#pool[class])) end
  elseif what == 4 then
    is_hooked = true
    local hook = pick { function() end, function() collectgarbage "step" end, function() error(values.MARK) end }
    pcall(function()
      debug.sethook(hook, "", random(1000, 3000))
      values.step()
    end)
    repeat until pcall(debug.sethook)
    is_hooked = false
    return
  elseif what == 5 then
    pcall(values.step)
    debug.sethook()
  elseif what == 6 then
    pcall(goloader.step, 0.001)
  elseif what == 7 and rawget(_G, "jit") then
    if random() < 0.1 then jit.flush() end
  elseif what == 8 and #pool.module < 3 then
    local ok, module = pcall(host.load, host, "abuse.gom") -- a policy may raise
    if ok and module then keep("module", module) end
  end
end

local step
function values.step() return step() end

local weights, total = {}, 0
for i, call in ipairs(list) do
  total = total + (RARE[call.name] or 1)
  weights[i] = total
end

local function listed()
  local at = random() * total
  for i, weight in ipairs(weights) do
    if at <= weight then return list[i] end
  end
end

function step()
  local how = random()
  if how < 0.45 then call_listed(listed())
  elseif how < 0.7 then call_export()
  elseif how < 0.85 then operate()
  elseif how < 0.9 then call_metamethod()
  else disturb() end
end

-- ---- a life -------------------------------------------------------------------------------------------------------

-- Values that somebody finalizes, then and when the Lua state is closed, by calling things.
local function finalize()
  local function call()
    -- LuaJIT of 2022 stays in a loop over pairs for ever where a finalizer is the one who makes it hot
    if rawget(_G, "jit") and jit.status() then return end
    for _ = 1, 3 do pcall(step) end
  end
  for _ = 1, NFINALIZERS do
    if rawget(_G, "newproxy") then
      getmetatable(rawget(_G, "newproxy")(true)).__gc = call
    else
      setmetatable({}, { __gc = call })
    end
  end
end

local function unload_all()
  for _, watched in ipairs(pool.watched) do pcall(watched.close, watched) end
  for _, class in ipairs(CLASSES) do pool[class] = {} end
  local left
  for _ = 1, 30 do
    collectgarbage()
    collectgarbage()
    pcall(goloader.step, 0.01)
    host:tidy()
    left = {}
    for _, each in ipairs(host:modules()) do
      if each.module and not each.name:find "^goloader%.dev/host/" then
        local ok, message = each.module:unload { handles = "drop", wait = 0.1 }
        if not ok then left[#left + 1] = each.name .. ": " .. message end
      end
    end
    if not left[1] then break end
  end
  for _, message in ipairs(left) do violation("a module is left:", message) end
  collectgarbage()
  collectgarbage()
  local stats = host:stats()
  if stats.handles > 0 then violation("handles are left:", stats.handles) end
end

return function(seed, ncalls)
  log = assert(io.open("log", "w"))
  math.randomseed(seed)
  for _ = 1, 30 do -- what there is without a host
    local call = listed()
    if not call.class and call.name ~= "host" then call_listed(call) end
  end
  host = assert(goloader.host { dump = "SIGQUIT" }) -- who waits too long asks what it is at
  keep("host", host)
  local module = assert(host:load "abuse.gom")
  for _, export in ipairs(module:exports()) do
    local names = export.kind == "func" and FUNCTIONS or export.kind == "var" and VARIABLES or TYPES
    if export.kind ~= "const" then names[#names + 1] = export.name end
  end
  keep("module", module)
  module = nil -- luacheck: ignore
  for i = 1, ncalls do
    if i % (ncalls / 5) == 0 then finalize() end
    step()
    debug.sethook()
  end
  record "the end"
  host:policy(nil)
  NFINALIZERS = 0
  collectgarbage()
  collectgarbage()
  step = function() end
  unload_all()
  host = assert(goloader.host())
  io.stdout:write "done\n"
end
