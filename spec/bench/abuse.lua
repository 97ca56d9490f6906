-- Everything that Lua can call, called in every wrong way: `make soak-abuse` for hours of it, spec/abuse_spec.lua for
-- seconds.
--
--     luajit spec/env.lua spec/bench/abuse.lua [SECONDS] [SEED]
--
-- Each seed is a process of its own, which calls what spec/bench/abuse/calls.lua lists with right and with random
-- arguments (values.lua), in a random order, within callbacks, coroutines and finalizers too. No process may crash or
-- hang, or leave modules or handles behind. Whatever is refused is nil, a message and an error with a code that is
-- documented, or is raised at the caller's line, by a message that names what was called and nothing of the loader's
-- own. What is not so is printed, each kind once, with its seed; the status is 0 where there is nothing.

local root = arg[0]:match "^(.*)/?spec/bench/abuse%.lua$"
root = root == "" and "." or root
local lfs = require "lfs"

local function read(path)
  local f = io.open(path, "rb")
  if not f then return "" end
  local text = f:read "*a"
  f:close()
  return text
end

local function write(path, text)
  local f = assert(io.open(path, "wb"))
  f:write(text)
  assert(f:close())
end

if arg[1] == "child" then return require "spec.bench.abuse.child" (tonumber(arg[2]), tonumber(arg[3])) end

-- ---- who starts them ----------------------------------------------------------------------------------------------

local goloader = require "goloader"

local seconds, seed = tonumber(arg[1] or 60), tonumber(arg[2] or os.time())
local calls = tonumber(os.getenv "CALLS" or 3000)
local interpreter = os.getenv "ABUSE_LUA" or (rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match "%S+$")
local here = assert(lfs.currentdir())
if root:sub(1, 1) ~= "/" then root = here .. "/" .. root end

local dir = os.tmpname()
os.remove(dir)
assert(lfs.mkdir(dir))

local function quoted(text) return "'" .. text:gsub("'", [['\'']]) .. "'" end

write(dir .. "/abuse.go", read(root .. "/spec/testdata/abuse/abuse.go"))
local host = assert(goloader.host())
assert(host:ship(dir .. "/abuse.go", dir .. "/abuse.gom"))
assert(goloader.keygen(dir .. "/key", dir .. "/key.pub"))
write(dir .. "/empty", "")
write(dir .. "/text.gom", "no module")
write(dir .. "/cut.gom", read(dir .. "/abuse.gom"):sub(1, 5000))
write(dir .. "/bad.go", "package bad\nfunc F( {\n")

local kinds, nkinds, runs = {}, 0, 0
local function report(number, text)
  local kind = text:gsub("%d+", "N"):gsub("%b()", "", 1):gsub("^module%.%u%w*", "module.*"):gsub("'%u%w*' %(.*", "")
  if kinds[kind] then return end
  kinds[kind], nkinds = true, nkinds + 1
  io.write(("seed %d: %s\n"):format(number, text))
  io.flush()
end

local deadline = os.time() + seconds
repeat
  local work = dir .. "/" .. seed
  assert(lfs.mkdir(work))
  for _, name in ipairs { "abuse.go", "abuse.gom", "key", "key.pub", "empty", "text.gom", "cut.gom", "bad.go" } do
    write(work .. "/" .. name, read(dir .. "/" .. name))
  end
  local command = ("cd %s && timeout -s QUIT -k 5 60 %s %s/spec/env.lua %s/spec/bench/abuse.lua child %d %d "
    .. ">out 2>err; echo $?"):format(quoted(work),
    interpreter == "luajit" and seed % 2 == 1 and "luajit -joff" or interpreter, quoted(root), quoted(root), seed,
    calls)
  local pipe = assert(io.popen(command))
  local status = tonumber(pipe:read "*a")
  pipe:close()
  for line in read(work .. "/out"):gmatch "VIOLATION ([^\n]*)" do report(seed, line) end
  if status == 124 or status == 137 then
    report(seed, "hangs: " .. read(work .. "/err"):sub(1, 3000) .. "\n  after: " .. read(work .. "/log"):sub(-600))
  elseif status ~= 0 then
    local log, errors = read(work .. "/log"), read(work .. "/err")
    report(seed, ("status %s: %s\n  after: %s"):format(status, errors:sub(1, 3000), log:sub(-600)))
  end
  os.execute("rm -rf " .. quoted(work))
  runs, seed = runs + 1, seed + 1
until os.time() >= deadline
os.execute("rm -rf " .. quoted(dir))
io.write(("%d runs of %d calls: %d kinds of violations\n"):format(runs, calls, nkinds))
os.exit(nkinds == 0 and 0 or 1)
