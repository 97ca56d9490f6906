-- What loading, calling, editing and running cost, each beside what it replaces: `make bench`.
--
-- A figure is a ratio of two things measured in the same run. Each pair is measured SAMPLES times, the loader and its
-- baseline in turn, so that a slow minute of the machine falls on both; the medians are printed and written to
-- build/bench.json. Every sample is a process of its own (sample.lua for the loader, plugin/main.go for Go's plugins,
-- native/alone for code that Go linked), because the first time is what counts: a second plugin.Open of the same file,
-- for one, does nothing. The figures of calls have files of their own: calls.lua, calls_sample.lua.
--
-- Arguments choose figures by the beginning of their names: `make bench FIGURES="load code"`.

local cjson = require "cjson"
local goloader = require "goloader"
local now = require "spec.bench.clock"
local calls = require "spec.bench.calls"
local sprawl = require "spec.bench.sprawl"
local toolchain = require "goloader.building.toolchain"
local tools = require "spec.bench.tools"

local lines, median, numbers, read, run, size, write =
  tools.lines, tools.median, tools.numbers, tools.read, tools.run, tools.size, tools.write

local SAMPLES = 7
local EDITS = 5 -- building a plugin takes seconds
local HEAPS = 3 -- some take a gigabyte
local TIMES = 4 -- a program of code.native in one sample, the fastest of which counts

-- ---- what is measured -----------------------------------------------------------------------------------------------

-- The default host is a symbolic link that the next build may turn elsewhere; it is followed once.
local host = run("readlink", "-f", assert(goloader.host_path())):match "^[^\n]+"
local goroot = assert(read(host .. ".goroot"):match "^[^\n]+", "no goroot beside " .. host)
local dir = run("mktemp", "-d", "/tmp/goloader-bench-XXXXXX"):match "^[^\n]+"
local source = "examples/listpage/list.go"
local gorun = "spec/bench/report/main.go"

-- Runs a command for which `go` is the Go of the host.
local function with_go(...)
  return run("env", "GOLOADER_HOST=" .. host, "GOROOT=" .. goroot, "GOTOOLCHAIN=local", "GOFLAGS=", "CGO_ENABLED=1",
    "PATH=" .. goroot .. "/bin:" .. os.getenv "PATH", ...)
end

local function sample(...)
  return with_go(arg[-1], "spec/env.lua", "spec/bench/sample.lua", ...)
end

local function loader(...)
  return numbers(sample(...))
end

local function plugin(...)
  return numbers(with_go(dir .. "/plugin", ...))
end

-- A name never given before: Go's build cache would have the answer to a text that it has seen.
local edits = 0
local function edition()
  edits = edits + 1
  return ("%s.%d"):format(dir, edits)
end

-- Replaces the only place of a file's text that is like pattern.
local function edited(path, pattern, with)
  local text, n = read(path):gsub(pattern, (with:gsub("%%", "%%%%")))
  assert(n == 1, ("%s: %d places like %s"):format(path, n, pattern))
  return text
end

-- The listpage source with another number of products on a page.
local function listpage(products)
  local replacement = "var PerPage = %d\n\n// Edition tells one edit from the others.\nvar Edition = %q"
  return edited(source, "var PerPage = %d+", replacement:format(products, edition()))
end

-- The objects of a package and of what it imports beyond the standard library, and their size in megabytes. Without
-- debugging information, where dwarf is false: it is never linked, and would only make the megabytes larger.
local function objects_of(module, package, dwarf)
  local files = lines(with_go("go", "list", "-C", module, "-export", "-deps", "-gcflags=-dwarf=" .. tostring(dwarf),
    "-f", "{{if not .Standard}}{{.Export}}{{end}}", package))
  local bytes = 0
  for _, file in ipairs(files) do bytes = bytes + size(file) end
  return { files = files, megabytes = bytes / 1e6 }
end

local wanted = { unpack(arg) }

local function is_wanted(names)
  for _, name in ipairs(names) do
    for _, prefix in ipairs(wanted) do
      if name:sub(1, #prefix) == prefix then return true end
    end
  end
  return #wanted == 0
end

-- Calls build their baselines themselves, in no time; routes have none to build.
local function is_more_wanted()
  for _, prefix in ipairs(wanted) do
    if prefix:sub(1, 4) ~= "call" and prefix:sub(1, 6) ~= "routes" then return true end
  end
  return #wanted == 0
end

local small, large, native -- objects for load.scale and code.native
local described -- those of load.scale with debugging information

-- For the compiler: the archives of the standard library beside the host.
local function write_importcfg()
  local f = assert(io.open(dir .. "/importcfg", "wb"))
  f:write(toolchain.importcfg(toolchain.read_importcfg(host)))
  f:close()
end

local function prepare()
  io.stderr:write "building the baselines\n"
  with_go("go", "build", "-C", "spec/bench", "-o", dir .. "/plugin", "./plugin")
  with_go("go", "build", "-C", "spec/bench", "-buildmode=c-shared", "-o", dir .. "/empty.so", "./empty")
  with_go("go", "build", "-buildmode=plugin", "-o", dir .. "/list.so", source)
  local importcfg = "-importcfg=" .. dir .. "/importcfg"
  with_go("go", "tool", "compile", "-p=main", importcfg, "-o", dir .. "/list.o", source)
  with_go("go", "tool", "compile", "-p=main", importcfg, "-o", dir .. "/calc.o", "spec/bench/calc/calc.go")
  with_go("go", "tool", "compile", "-p=main", importcfg, "-o", dir .. "/small.o", "spec/bench/small/small.go")
  with_go("go", "build", "-buildmode=plugin", "-o", dir .. "/small.so", "spec/bench/small/small.go")
  run(arg[-1], "examples/listpage/catalogue.lua", dir .. "/products.json", "200")
  with_go("go", "build", "-C", "spec/bench", "-o", dir .. "/alone", "./native/alone")
  native = objects_of("spec/bench", "./native", false)
  sprawl.generate(dir .. "/small", 1, 1)
  sprawl.generate(dir .. "/large", 22, 7)
  small = objects_of(dir .. "/small", "./...", false)
  large = objects_of(dir .. "/large", "./...", false)
  described = objects_of(dir .. "/large", "./...", true)
end

local results = {}

local function report_figure(name, unit, value, baseline)
  results[#results + 1] = { name = name, unit = unit, value = value, baseline = baseline, ratio = value / baseline }
  return results[#results]
end

-- A figure that can't be had does not take the others along, and fails the bench at its end.
local failed
local function missing(names, err)
  failed = true
  io.stderr:write(table.concat(names, ", "), ": ", tostring(err), "\n")
end

-- Calls `measure` for each sample; it returns values and their baselines, in the order of the names.
local function figure(names, units, samples, measure)
  if not is_wanted(names) then return end
  io.stderr:write(table.concat(names, ", "), "\n")
  local values, baselines = {}, {}
  for k in ipairs(names) do values[k], baselines[k] = {}, {} end
  for i = 1, samples do
    local ok, value, baseline = pcall(measure, i)
    if not ok then return missing(names, value) end
    for k in ipairs(names) do
      values[k][i], baselines[k][i] = assert(value[k]), assert(baseline[k])
    end
  end
  for k, name in ipairs(names) do
    report_figure(name, units[k], median(values[k]), median(baselines[k]))
  end
end

-- Each program inside a module and linked natively; the figure is the geometric mean of the programs' own.
local function code_native()
  if not is_wanted { "code.native" } then return end
  local value, baseline, parts = 1, 1, {}
  local programs = lines(sample("programs", unpack(native.files)))
  for _, program in ipairs(programs) do
    local times, alone = {}, {}
    for i = 1, SAMPLES do
      local here, sum = sample("native", program, tostring(TIMES), unpack(native.files)):match "(%S+) (%S+)"
      local there, same = with_go(dir .. "/alone", program, tostring(TIMES)):match "(%S+) (%S+)"
      assert(sum == same, program .. " computes something else in a module")
      times[i], alone[i] = assert(tonumber(here)) / 1e6, assert(tonumber(there)) / 1e6
    end
    local v, b = median(times), median(alone)
    parts[program] = v / b
    value, baseline = value * v ^ (1 / #programs), baseline * b ^ (1 / #programs)
    io.stderr:write(("code.native %s: %.3f\n"):format(program, v / b))
  end
  report_figure("code.native", "ms", value, baseline).parts = parts
end

local function measure_all()
  figure({ "load.plugin", "load.bytes" }, { "ms", "bytes" }, SAMPLES, function()
    return { loader("load", dir .. "/list.o")[1], size(dir .. "/list.o") },
      { plugin("open", dir .. "/list.so")[1], size(dir .. "/list.so") }
  end)

  figure({ "load.small" }, { "ms" }, SAMPLES, function()
    return loader("warm", dir .. "/small.o", "Add"), plugin("open", dir .. "/small.so", "Add")
  end)

  figure({ "load.warm" }, { "ms" }, SAMPLES, function()
    return loader("warm", dir .. "/list.o", "Render"), plugin("open", dir .. "/list.so")
  end)

  figure({ "load.scale" }, { "ms/MB" }, SAMPLES, function()
    local warm = dir .. "/calc.o"
    return { loader("scale", warm, unpack(large.files))[1] / large.megabytes },
      { loader("scale", warm, unpack(small.files))[1] / small.megabytes }
  end)

  for _, suffix in ipairs { "", ".dwarf" } do
    local objects = suffix == "" and large or described
    local function debugged(debug, ...)
      return numbers(with_go("env", "GOLOADER_DEBUG=" .. debug, arg[-1], "spec/env.lua", "spec/bench/sample.lua", ...))
    end
    figure({ "load.debug" .. suffix }, { "ms" }, SAMPLES, function()
      local function scale(debug) return debugged(debug, "scale", dir .. "/calc.o", unpack(objects.files)) end
      return scale "1", scale ""
    end)
    figure({ "debug.bytes" .. suffix }, { "bytes" }, 1, function()
      local sizes = debugged("1", "images", unpack(objects.files))
      return { sizes[1] }, { sizes[2] }
    end)
  end

  figure({ "unload" }, { "ms" }, SAMPLES, function()
    local times = loader("unload", dir .. "/list.o")
    return { times[1] }, { times[2] }
  end)

  figure({ "unload.small" }, { "ms" }, SAMPLES, function()
    return { loader("unload", dir .. "/list.o")[1] }, { plugin("open", dir .. "/list.so")[1] }
  end)

  -- `where` the walk over the heap is made; "": where it is best
  local function heap(where, megabytes, goroutines)
    return numbers(with_go("env", "GOLOADER_UNLOAD=" .. where, arg[-1], "spec/env.lua", "spec/bench/sample.lua",
      "heap", dir .. "/calc.o", megabytes, goroutines))
  end
  figure({ "unload.pause.10m" }, { "ms" }, HEAPS, function()
    return { heap("", "10", "0")[1] }, { heap("stopped", "10", "0")[1] }
  end)
  figure({ "unload.pause.g" }, { "ms" }, HEAPS, function()
    return { heap("", "1", "10000")[1] }, { heap("stopped", "1", "10000")[1] }
  end)
  figure({ "unload.pause.1g", "unload.heap" }, { "ms", "ms" }, HEAPS, function()
    local gap, unload, collection = unpack(heap("", "1000", "0"))
    return { gap, unload }, { heap("stopped", "1000", "0")[1], collection }
  end)

  local modules = { "modules.load", "modules.traceback", "modules.gc", "modules.assert", "modules.unload" }
  figure(modules, { "ms", "ns", "ns", "ns", "ms" }, SAMPLES, function()
    return loader("modules", dir .. "/small.o", "1000"), loader("modules", dir .. "/small.o", "1")
  end)
  figure({ "modules.memory" }, { "bytes" }, HEAPS, function()
    local each, own = unpack(loader("memory", dir .. "/small.o", "1000"))
    return { each - own }, { own }
  end)

  figure({ "host.start", "host.rss" }, { "ms", "MB" }, SAMPLES, function()
    return loader("start", host), loader("dlopen", dir .. "/empty.so")
  end)

  figure({ "edit.plugin" }, { "ms" }, EDITS, function(i)
    local products = 10 + i
    local function edit(program)
      local file, new = dir .. "/edit.go", dir .. "/edited.txt"
      write(file, listpage(9))
      write(new, listpage(products))
      local answer = program("edit", file, new, dir .. "/products.json")
      assert(answer[2] == products, "the answer is not the new code's")
      return { answer[1] }
    end
    return edit(loader), edit(plugin)
  end)

  figure({ "run.gorun" }, { "ms" }, EDITS, function()
    local file = dir .. "/main.go"
    local function run_edition(...)
      local name = edition()
      write(file, edited(gorun, 'Edition = "first"', ("Edition = %q"):format(name)))
      local begin = now()
      local answer = with_go(...)
      local took = now() - begin
      assert(answer:sub(1, #name + 1) == name .. ":", "the answer is not the new program's: " .. answer)
      return { took }
    end
    return run_edition("build/bin/goloader", "run", file), run_edition("go", "run", file)
  end)

  figure({ "routes.scale", "routes.garbage" }, { "ns", "bytes" }, SAMPLES, function()
    local many, few, garbage, empty = unpack(numbers(run(arg[-1], "spec/env.lua", "spec/bench/routes_sample.lua")))
    return { many, garbage }, { few, empty }
  end)

  code_native()
  calls.measure { dir = dir, host = host, samples = SAMPLES, run = run, with_go = with_go, numbers = numbers,
    figure = figure }
end

-- ---- the report -----------------------------------------------------------------------------------------------------

local beside = {
  ["load.plugin"] = "plugin.Open and Lookup of the same source",
  ["load.bytes"] = "the plugin's file",
  ["load.small"] = "plugin.Open and Lookup of the same source, a process's first; ours has loaded it before",
  ["load.warm"] = "the same of the list page",
  ["load.scale"] = "0.1 MB of object code, instead of 10",
  ["load.debug"] = "the same 10 MB, without telling gdb of them",
  ["load.debug.dwarf"] = "the same of objects with DWARF: variables are told of, too",
  ["debug.bytes"] = "the code that gdb is told of",
  ["debug.bytes.dwarf"] = "the same with variables",
  ["unload"] = "loading the same",
  ["unload.small"] = "plugin.Open and Lookup of the same source",
  ["unload.pause.10m"] = "the largest gap of a goroutine with the world stopped, 10 MB live",
  ["unload.pause.g"] = "the same with 10,000 goroutines",
  ["unload.pause.1g"] = "the same with 1 GB live",
  ["unload.heap"] = "runtime.GC() of that heap",
  ["modules.load"] = "loading one beside one, instead of 1000",
  ["modules.traceback"] = "50 frames in the last of 2 modules, instead of 1001",
  ["modules.gc"] = "a collection with 2 modules, instead of 1001",
  ["modules.assert"] = "assertions in the last of 2 modules, instead of 1001",
  ["modules.unload"] = "unloading one of 3, instead of 1002",
  ["modules.memory"] = "what a small module has itself",
  ["host.start"] = "dlopen of an empty c-shared host, first call",
  ["host.rss"] = "the process with the empty host",
  ["edit.plugin"] = "go build -buildmode=plugin, plugin.Open, same answer",
  ["run.gorun"] = "go run of the same program, just edited",
  ["routes.scale"] = "a match among 10 routes, instead of 10,000",
  ["routes.garbage"] = "an empty table, instead of a match among 10,000 routes",
  ["code.native"] = "the same programs linked natively, geometric mean",
}

for _, f in ipairs(calls.figures) do beside[f[1]] = f[5] end

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
  write_importcfg()
  if is_more_wanted() then prepare() end
  measure_all()
end)
run("rm", "-rf", dir)
if not ok then
  io.stderr:write("bench: ", tostring(err), "\n")
  os.exit(1)
end
report()
os.exit(failed and 1 or 0)
