-- The figures of calls: what each road costs beside the ways that there are without goloader. Every sample is a process
-- of its own (calls_sample.lua), the loader's and its baseline's in turn, so that neither's traces, garbage or threads
-- are the other's, and two Go runtimes never meet in a process.

local calls = {}

-- Name, unit, what calls_sample measures, what it measures for the baseline, and what that is.
calls.figures = {
  { "call.cgo", "ns", "auto", "cgo", "FFI call of a cgo //export function" },
  { "call.pure.c", "ns", "pure", "c", "FFI call of a C function" },
  { "call.pure.cgo", "ns", "pure", "cgo", "FFI call of a cgo //export function" },
  { "call.ffi.cgo", "ns", "ffi", "cgo", "FFI call of a cgo //export function" },
  { "call.capi.cgo", "ns", "capi", "cgo", "FFI call of a cgo //export function" },
  { "call.method.cgo", "ns", "method", "cgo", "FFI call of a cgo //export function" },
  { "call.string", "ns", "string", "string-cgo", "cgo with C.GoStringN, C.CString, ffi.string and free" },
  { "call.struct", "ns", "struct", "struct-cgo", "JSON by lua-cjson and encoding/json, through cgo" },
  { "call.slice", "ns", "slice", "slice-cgo", "JSON by lua-cjson and encoding/json, through cgo" },
  { "call.map", "ns", "map", "c", "FFI call of a C function" },
  { "call.async", "ms", "async", "async-cgo", "goroutines and a channel in Go" },
}

--- Compiles what is measured into bench.dir.
local function prepare(bench)
  local dir = bench.dir
  bench.with_go("go", "tool", "compile", "-p=goloader.dev/spec/bench/calls",
    "-importcfg=" .. dir .. "/importcfg", "-o", dir .. "/calls.o", "spec/bench/calls/calls.go")
  bench.with_go("go", "build", "-C", "spec/bench", "-buildmode=c-shared", "-o", dir .. "/cgo.so", "./cgo")
  bench.run("gcc", "-O2", "-shared", "-fPIC", "-o", dir .. "/add.so", "spec/bench/add.c")
end

function calls.measure(bench)
  local prepared
  local function sample(what)
    local library = what == "c" and "/add.so" or what:find "cgo" and "/cgo.so" or "/calls.o"
    return bench.numbers(bench.with_go(arg[-1], "spec/env.lua", "spec/bench/calls_sample.lua", what,
      bench.dir .. library))
  end
  for _, f in ipairs(calls.figures) do
    local name, unit, value, baseline = unpack(f)
    bench.figure({ name }, { unit }, bench.samples, function()
      if not prepared then prepare(bench) end
      prepared = true
      return sample(value), sample(baseline)
    end)
  end
end

return calls
