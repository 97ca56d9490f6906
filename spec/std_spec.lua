-- Packages of the process itself: the host's own, and of Go's library what all modules share.
local goloader = require "goloader"
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

local host = support.host()
local has_jit = rawget(_G, "jit") and rawget(_G, "jit").status()

local raises = support.raises

local function field(module, name)
  return function() return module[name] end
end

teardown(support.clean)

describe("a package of the process", function()
  local std

  setup(function() std = assert(host:build "spec/testdata/std/std.go") end)
  teardown(function() assert(std:unload()) end)

  it("is the one that Go code here has, not a copy", function()
    local io = goloader.std "io"
    local _, err = std.Last()
    assert.is_true(err:is(io.EOF))
    assert.is_false(err:is(io.ErrUnexpectedEOF))
    assert.is_true(std.IsEOF(io.EOF))
    assert.is_false(std.IsEOF(io.ErrUnexpectedEOF))
    assert.is_true(goloader.std "errors".Is(err, io.EOF))
  end)

  it("has the variables that Go code here has", function()
    local os = goloader.std "os"
    local before = os.Args
    os.Args = { "lua", "a b" }
    assert.same({ "lua", "a b" }, std.Args())
    os.Args = before
    assert.same(before, std.Args())
  end)

  it("is the same however it is asked for", function()
    assert.equal(goloader.std "io", assert(host:std "io"))
  end)

  it("has functions, constants and types", function()
    local strings, time = goloader.std "strings", goloader.std "time"
    assert.same({ "a", "b", "c" }, strings.Split("a,b,c", ","))
    assert.equal(1e6, time.Millisecond)
    assert.equal("1h30m0s", tostring(time.Duration(90 * 60 * 1e9)))
    local builder = strings.Builder()
    builder:WriteString "lamp"
    assert.equal("lamp", builder:String())
    assert.equal("a 5 b", goloader.std "fmt".Sprintf("%s %d b", "a", 5))
  end)

  it("has functions that another package provides for it, and those of assembly", function()
    local time, atomic = goloader.std "time", goloader.std "sync/atomic"
    local before = time.Now()
    time.Sleep(time.Millisecond)
    assert.is_true(time.Now() > before)
    local n = atomic.Int64()
    assert.equal(5, n:Add(5))
    assert.equal(5, n:Load())
    assert.equal(2, goloader.std "math".Sqrt(4))
    assert.equal(3, goloader.std "math".Floor(3.7))
  end)

  it("has generic functions", function()
    local slices = goloader.std "slices"
    assert.equal(9, slices.Max { 3, 9, 2 })
    assert.equal("b", slices.Max { "a", "b" })
    assert.equal(2.5, assert(slices:instantiate "Max[[]float64]") { 1, 2.5 })
    assert.same({ 1, true }, { slices["BinarySearch[[]string]"]({ "a", "b" }, "b") })
    raises("Max%[main%.Item%]: no package main", field(slices, "Max[main.Item]"))
  end)

  it("has calls with the roads and explanations of any module's", function()
    local math, strings = goloader.std "math", goloader.std "strings"
    assert.equal(has_jit and "pure" or "capi", math.Floor:road())
    assert.equal(has_jit and "ffi" or "capi", strings.ToUpper:road())
    assert.equal("capi", strings.Split:road())
    assert.matches("^math.Floor takes ", tostring(math.Floor:explain()))
    local why = strings.Split:explain()
    assert.equal("strings.Split", why.name)
    assert.same({ "a result has type []string" }, why.ffi)
    assert.matches("morestack", tostring(assert(strings:disassemble "Split")))
    assert.equal(0, math.Floor:stats().panics)
  end)

  it("says of a name that is not there which is", function()
    raises("std_spec.lua:%d+: io exports no EOf; did you mean EOF%?", field(goloader.std "io", "EOf"))
    raises("std_spec.lua:%d+: io has no exported variable EOf; did you mean EOF%?", function()
      goloader.std "io".EOf = nil
    end)
  end)

  it("stays", function()
    local ok, message, err = goloader.std "io":unload()
    assert.is_nil(ok)
    assert.equal("io is the process's own package: it stays", message)
    assert.equal("unsupported", err.code)
    assert.equal("EOF", tostring(goloader.std "io".EOF))
  end)

  it("may be one that the host lacks: all modules share it", function()
    local expvar = goloader.std "expvar"
    std.Publish("from_go", 42)
    assert.equal("42", expvar.Get "from_go":String())
    expvar.NewInt "from_lua":Set(43)
    assert.equal("43", std.Published "from_lua")
  end)

  it("is whole, though the host's linker has dropped what nobody there calls", function()
    local archives = toolchain.read_archives(goloader.host_path())
    for _, path in ipairs { "bufio", "go/token", "net/http", "os", "reflect", "runtime", "syscall", "text/template" } do
      local have, wanted = {}, {}
      for _, export in ipairs(assert(host:std(path)):exports()) do have[export.name] = true end
      for _, symbol in ipairs(assert(goloader.nm(archives[path]))) do
        local name = symbol.export and symbol.name:match "[^./]*$"
        if name and not have[name] then wanted[#wanted + 1] = name end
      end
      assert.same({}, wanted)
    end
  end)
end)

describe("a package that is not to be had", function()
  it("is named, with the nearest that is", function()
    local none, message, err = host:std "net/htpp"
    assert.is_nil(none)
    assert.equal("net/htpp: neither this host nor Go's library has such a package; did you mean net/http?", message)
    assert.equal("missing", err.code)
    raises("std_spec.lua:%d+: goloader.std: net/htpp: neither this host", function() goloader.std "net/htpp" end)
    raises("example.com/shop: neither this host .*; host:build takes import paths$", goloader.std, "example.com/shop")
  end)

  it("may be internal", function()
    raises("internal/abi: nobody but Go's own library may import it", goloader.std, "internal/abi")
    raises("vendor/golang.org/x/net/idna: nobody but", goloader.std, "vendor/golang.org/x/net/idna")
  end)

  it("is no path", function()
    raises("std_spec.lua:%d+: goloader.std: an import path expected, got number", function() goloader.std(5) end)
    raises("std_spec.lua:%d+: host:std: an import path expected, got nil", function() host:std() end)
    raises("host:std", function() host.std "io" end)
  end)

  it("may be one of a host without archives", function()
    local bare = support.tmpdir() .. "/bare.so"
    for _, suffix in ipairs { "", ".desc" } do
      os.execute(("ln -sf %s%s %s%s"):format(toolchain.quote(toolchain.absolute(goloader.host_path())), suffix, bare,
        suffix))
    end
    local status, output = support.lua([[
      local none, message, err = assert(require "goloader".host()):std "io"
      print(none, message, err.code)
    ]], "GOLOADER_HOST=" .. bare)
    assert.equal(0, status)
    assert.equal(("nil\tio: what it exports is read from archives, and their list, %s.importcfg, is not there"
      .. "\tmissing\n"):format(bare), output)
  end)
end)

describe("goloader.std", function()
  it("starts the host where none is running", function()
    local status, output, errors = support.lua [[print(require "goloader".std "io".EOF)]]
    assert.equal("", errors)
    assert.equal(0, status)
    assert.equal("EOF\n", output)
  end)
end)
