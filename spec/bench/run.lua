-- What loading, calling and editing cost, each beside what it replaces: `make bench`.
--
-- A figure is a ratio of two things measured in the same run. Each pair is measured SAMPLES times, the loader and its
-- baseline in turn, so that a slow minute of the machine falls on both; the medians are printed and written to
-- build/bench.json. Every sample is a process of its own (sample.lua for the loader, plugin/main.go for Go's plugins),
-- because the first time is what counts: a second plugin.Open of the same file, for one, does nothing.

local cjson = require "cjson"
local goloader = require "goloader"

local SAMPLES = 7
local EDITS = 5 -- building a plugin takes seconds

local function quote(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

-- Runs a command and returns what it prints; the bench ends when it fails.
local function run(...)
  local words = {}
  for i, word in ipairs { ... } do words[i] = quote(word) end
  local command = table.concat(words, " ")
  local pipe = assert(io.popen(command .. "; echo \"status $?\""))
  local text = pipe:read "*a"
  pipe:close()
  local output, status = text:match "^(.*)status (%d+)\n$"
  if status ~= "0" then error(command .. ": exit " .. tostring(status) .. "\n" .. text, 0) end
  return output
end

local function numbers(text)
  local list = {}
  for word in text:gmatch "%S+" do list[#list + 1] = assert(tonumber(word), text) end
  return list
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  assert(file:close())
end

local function size(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:seek "end"
  file:close()
  return bytes
end

local function median(list)
  table.sort(list)
  local middle = (#list + 1) / 2
  return (list[math.floor(middle)] + list[math.ceil(middle)]) / 2
end

-- ---- what is measured -----------------------------------------------------------------------------------------------

-- The default host is a symbolic link that the next build may turn elsewhere; it is followed once.
local host = run("readlink", "-f", assert(goloader.host_path())):match "^[^\n]+"
local goroot = assert(read(host:match "^(.*)/" .. "/goroot"):match "^[^\n]+", "no goroot beside " .. host)
local dir = run("mktemp", "-d", "/tmp/goloader-bench-XXXXXX"):match "^[^\n]+"
local source = "examples/listpage/list.go"

-- Runs a command for which `go` is the Go of the host.
local function with_go(...)
  return run("env", "GOLOADER_HOST=" .. host, "GOROOT=" .. goroot, "GOTOOLCHAIN=local", "GOFLAGS=", "CGO_ENABLED=1",
    "PATH=" .. goroot .. "/bin:" .. os.getenv "PATH", ...)
end

local function loader(...)
  return numbers(with_go(arg[-1], "spec/env.lua", "spec/bench/sample.lua", ...))
end

local function plugin(...)
  return numbers(with_go(dir .. "/plugin", ...))
end

-- The listpage source with another number of products on a page, never the same text twice: Go's build cache would
-- have the answer to one that it has seen.
local edits = 0
local function edition(products)
  edits = edits + 1
  local line = ('var PerPage = %d\n\n// Edition tells one edit from the others.\nvar Edition = "%s.%d"')
    :format(products, dir, edits)
  local text, n = read(source):gsub("var PerPage = %d+", line)
  assert(n == 1, source .. ": no line `var PerPage = …`")
  return text
end

local function prepare()
  io.stderr:write "building the baselines\n"
  with_go("go", "build", "-C", "spec/bench", "-o", dir .. "/plugin", "./plugin")
  with_go("go", "build", "-C", "spec/bench", "-buildmode=c-shared", "-o", dir .. "/empty.so", "./empty")
  with_go("go", "build", "-buildmode=plugin", "-o", dir .. "/list.so", source)
  local importcfg = "-importcfg=" .. host:match "^(.*)/" .. "/importcfg"
  with_go("go", "tool", "compile", "-p=main", importcfg, "-o", dir .. "/list.o", source)
  with_go("go", "tool", "compile", "-p=main", importcfg, "-o", dir .. "/calc.o", "spec/bench/calc/calc.go")
  run(arg[-1], "examples/listpage/catalogue.lua", dir .. "/products.json", "200")
end

local results = {}

-- Calls `measure` for each sample; it returns values and their baselines, in the order of the names.
local function figure(names, units, samples, measure)
  io.stderr:write(table.concat(names, ", "), "\n")
  local values, baselines = {}, {}
  for k in ipairs(names) do values[k], baselines[k] = {}, {} end
  for i = 1, samples do
    local value, baseline = measure(i)
    for k in ipairs(names) do
      values[k][i], baselines[k][i] = assert(value[k]), assert(baseline[k])
    end
  end
  for k, name in ipairs(names) do
    local v, b = median(values[k]), median(baselines[k])
    results[#results + 1] = { name = name, unit = units[k], value = v, baseline = b, ratio = v / b }
  end
end

local function measure_all()
  figure({ "load.plugin", "load.bytes" }, { "ms", "bytes" }, SAMPLES, function()
    return { loader("load", dir .. "/list.o")[1], size(dir .. "/list.o") },
      { plugin("open", dir .. "/list.so")[1], size(dir .. "/list.so") }
  end)

  figure({ "unload" }, { "ms" }, SAMPLES, function()
    local times = loader("unload", dir .. "/list.o")
    return { times[1] }, { times[2] }
  end)

  figure({ "host.start", "host.rss" }, { "ms", "MB" }, SAMPLES, function()
    return loader("start", host), loader("dlopen", dir .. "/empty.so")
  end)

  figure({ "edit.plugin" }, { "ms" }, EDITS, function(i)
    local products = 10 + i
    local function edit(program)
      local file, edited = dir .. "/edit.go", dir .. "/edited.txt"
      write(file, edition(9))
      write(edited, edition(products))
      local answer = program("edit", file, edited, dir .. "/products.json")
      assert(answer[2] == products, "the answer is not the new code's")
      return { answer[1] }
    end
    return edit(loader), edit(plugin)
  end)

  figure({ "call.cgo" }, { "ns" }, SAMPLES, function()
    return loader("call", dir .. "/calc.o"), loader("cgo", dir .. "/empty.so")
  end)
end

-- ---- the report -----------------------------------------------------------------------------------------------------

local beside = {
  ["load.plugin"] = "plugin.Open and Lookup of the same source",
  ["load.bytes"] = "the plugin's file",
  ["unload"] = "loading the same",
  ["host.start"] = "dlopen of an empty c-shared host, first call",
  ["host.rss"] = "the process with the empty host",
  ["edit.plugin"] = "go build -buildmode=plugin, plugin.Open, same answer",
  ["call.cgo"] = "FFI call of a cgo //export function",
}

local function pretty(number)
  if number >= 1000 then return ("%.0f"):format(number) end
  return ("%.3g"):format(number)
end

local function report()
  print(("%-12s %10s %10s %-6s %7s  %s"):format("", "goloader", "baseline", "", "ratio", "baseline"))
  for _, r in ipairs(results) do
    print(("%-12s %10s %10s %-6s %7.3f  %s"):format(
      r.name, pretty(r.value), pretty(r.baseline), r.unit, r.ratio, beside[r.name]))
  end
  write("build/bench.json", cjson.encode(results) .. "\n")
end

local ok, err = pcall(function()
  prepare()
  measure_all()
end)
run("rm", "-rf", dir)
if not ok then
  io.stderr:write("bench: ", tostring(err), "\n")
  os.exit(1)
end
report()
