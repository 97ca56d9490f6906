-- Values of random Go types, given to Go and taken from it in every way there is: `make soak-types` for hours of it,
-- spec/random_types_spec.lua for seconds.
--
--     luajit spec/env.lua spec/bench/types.lua [SECONDS] [SEED]
--
-- Each seed is a process with a Go package of random types (types/random.lua), of values of them, and of functions that
-- take and return them in random order (types/package.lua). Go compares what it is given with its own values, text
-- against text; Lua compares what it gets with what src/call/TYPES.md says that it gets (types/child.lua). A difference
-- is printed with its seed and function; the status is 0 where there is none. KEEP=FOLDER leaves the packages there.

if arg[1] == "child" then return require "spec.bench.types.child" (tonumber(arg[2]), arg[3]) end

local root = arg[0]:match "^(.*)/?spec/bench/types%.lua$"
root = root == "" and "." or root
local seconds, seed = tonumber(arg[1] or 60), tonumber(arg[2] or os.time())
local interpreter = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match "%S+$"
local keep = os.getenv "KEEP"

local function quoted(word) return "'" .. word:gsub("'", [['\'']]) .. "'" end

local dir = keep or os.tmpname()
if not keep then os.remove(dir) end
os.execute("mkdir -p " .. quoted(dir))

local runs, calls, faults = 0, 0, 0
local deadline = os.time() + seconds
repeat
  local file = ("%s/seed%d.go"):format(dir, seed)
  local pipe = assert(io.popen(("timeout -s QUIT -k 5 120 %s %s/spec/env.lua %s/spec/bench/types.lua child %d %s 2>&1; "
    .. "echo status $?"):format(interpreter, quoted(root), quoted(root), seed, quoted(file))))
  local out = pipe:read "*a"
  pipe:close()
  local status = tonumber(out:match "status (%d+)\n$")
  local done = out:match "(%d+) calls\n"
  calls = calls + (tonumber(done) or 0)
  if status ~= 0 or not done then
    faults = faults + 1
    io.write(("seed %d: %s\n"):format(seed, #out > 6000 and out:sub(1, 3000) .. "\n[…]\n" .. out:sub(-3000) or out))
    io.flush()
  end
  if not keep then os.remove(file) end
  runs, seed = runs + 1, seed + 1
until os.time() >= deadline
if not keep then os.execute("rm -rf " .. quoted(dir)) end
io.write(("%d packages, %d calls: %d with differences\n"):format(runs, calls, faults))
os.exit(faults == 0 and 0 or 1)
