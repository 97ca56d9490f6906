-- Every kind of package: each fixture in spec/testdata/any is one kind, and does what only that kind can.
local support = require "spec.support"

local any = "spec/testdata/any"

teardown(support.clean)

local function build(name, options)
  return assert(support.host():build(any .. "/" .. name, options))
end

describe("a shared package, brought bit by bit,", function()
  it("keeps variables that only its init functions and other variables know", function()
    local early = build "statics/early"
    assert.equal("v1.0.0 of registry", early.Version())
    local late = build "statics/late"
    assert.equal(8, late.Get "built in")
    late.Put("lamp", 3)
    assert.equal(3, late.Get "lamp")
    assert.same({ 1, 4 }, late.Lengths "four")
    assert(late:unload())
    assert(early:unload())
    late = build "statics/late"
    assert.equal(3, late.Get "lamp")
    assert(late:unload())
  end)
end)

describe("a package", function()
  it("may pull from others by linkname, push to them, and have assembly that calls Go", function()
    local linkname = build "linkname"
    assert.is_true(linkname.Later())
    assert.equal("runtime error: integer overflow", linkname.Overflow())
    assert.same({ "a", "é", "b" }, linkname.Explode "aéb")
    assert.equal("given word", linkname.Given "word")
    assert.equal(1006, linkname.Sum { 1, 2, 3 })
    assert.same({ 3, 3 }, { linkname.Count() })
    assert(linkname:unload())
  end)

  it("may declare a variable where others define code, data, or a larger variable", function()
    local linkname = build "linkname"
    assert.same({ 1, 2, 3 }, linkname.Table())
    assert.same({ 5, 0, 0, 6 }, linkname.Zeros())
    assert.same({ 11, 12 }, linkname.Words())
    assert.same({ 7, 8 }, { linkname.Called() })
    assert(linkname:unload())
  end)

  it("has the files that build tags and file names choose", function()
    assert.same({ "plain", "linux", "amd64" }, build "tags".Say())
    assert.same({ "fancy", "linux", "amd64" }, build("tags", { tags = "fancy" }).Say())
    assert.same({ "plain", "linux", "amd64" }, build("tags", { tags = "other" }).Say())
  end)

  it("may be internal to its module, or of a workspace", function()
    assert.equal("secret", build "internals".Tell())
    assert.equal("lib of a workspace", build "workspace/app".Tell())
  end)

  it("may have shapes too long to be named, and variables of types that it does not import", function()
    for _, private in ipairs { false, true } do
      local shapes = build("shapes", { private = private })
      assert.equal("chair/chairchair lamp/lamplamp sofa/sofasofa *shapes.product *shapes.product *shapes.product",
        shapes.Sorted { "lamp", "sofa", "chair" })
      assert.equal("last one8first5", shapes.Chain())
      assert(shapes:unload())
    end
  end)
end)

describe("the network", function()
  local network

  before_each(function() network = build "network" end)
  after_each(function() assert(network:unload()) end)

  it("is there without cgo: sockets, names, users", function()
    assert.same({ "ONE", "TWO" }, network.Echo { "one", "two" })
    local addresses = network.Lookup "localhost"
    assert.is_true(addresses[1] == "127.0.0.1" or addresses[1] == "::1")
    local _, name = support.run { "id", "-un" }
    assert.equal(name:gsub("%s", ""), (network.User()))
  end)

  it("has HTTP, TLS and HTTP/2, with pprof and expvar behind them", function()
    assert.same({
      "hello over HTTP/1.1, tls false", "hello over HTTP/1.1, tls true", "hello over HTTP/2.0, tls true",
    }, network.Serve "/hello")
    assert.matches("certificate signed by unknown authority", network.Refused(), 1, true)
    assert.matches("heap", network.Serve "/pprof/"[2], 1, true)
    assert.matches('"memstats": {', network.Serve "/vars"[3], 1, true)
    assert.is_true(network.MemStats())
  end)
end)

describe("the standard library", function()
  local std

  before_each(function() std = build "std" end)
  after_each(function() assert(std:unload()) end)

  it("works where it is assembly", function()
    assert.same({
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "ddaf35a193617aba", "364b3fb7",
    }, std.Sums "abc")
    assert.equal("4f9932d2c83452b75e0512332a18f5935d23623c", std.Seal(("k"):rep(16), ("n"):rep(12), "text"))
    assert.equal("265252859812191058636308480000000", std.Factorial(30))
    assert.equal("402551423", std.PowMod("0x123456789abcdef", "65537", "1000000007"))
  end)

  it("is completed where the host has but half of it", function()
    assert.same({ "I'm a teapot", "text/html; charset=utf-8", "∳é½", "greek", "<<=", "UTC", "" }, std.Tables())
    assert.equal("25.00 CHF 12.50 EUR AB",
      std.Render "{{.Price.Double}} {{call .Format `EUR`}} {{range .Items}}{{upper .}}{{end}}")
    assert.equal("png (0,0)-(16,9) 010203", std.Picture())
    assert.same({ "A", "B" }, std.Functions "package x\nfunc A() {}\nfunc (T) B() {}")
  end)
end)

describe("a module that registers something of its own with the process", function()
  local function stays(name, registry)
    local module = build("registries/" .. name)
    local unloaded, _, err = module:unload()
    assert.is_nil(unloaded)
    assert.equal("busy", err.code)
    local because = "module example.com/registries/%s can't be unloaded: variable %s"
    assert.matches(because:format(name, registry), err.message, 1, true)
    return module
  end

  it("stays, and works on: a driver, an image format, a handler, a hash", function()
    local drivers = stays("drivers", "database/sql.drivers refers to ")
    local pinged, err = drivers.Ping "here"
    assert.is_nil(pinged)
    assert.equal("nowhere: here", tostring(err))
    assert.equal("dot", stays("formats", "image.").Format "DOT")
    assert.equal("by the module", stays("handlers", "net/http.").Get "/registered")
    assert.equal(16, stays("hashes", "crypto.hashes refers to ").Size())
  end)

  it("goes when that was a variable of the package expvar, with a name that stays", function()
    local variables = build "registries/variables"
    assert.equal("1", variables.Visit())
    assert(variables:unload())
  end)

  it("goes when that was types for gob, and may come again", function()
    for _ = 1, 3 do
      local types = build "registries/types"
      assert.equal("lamp", types.Travel "lamp")
      assert(types:unload())
    end
  end)

  it("goes when no object with one of its finalizers is left", function()
    local finalizers = build "registries/finalizers"
    finalizers.Waste(50)
    finalizers.Keep()
    local unloaded, _, err = finalizers:unload()
    assert.is_nil(unloaded)
    local reason = "the finalizer of a *finalizers.big refers to example.com/registries/finalizers.made"
    assert.matches(reason, err.message, 1, true)
    finalizers.Drop()
    assert(finalizers:unload())
  end)
end)

describe("a shared package that remembers types for ever", function()
  it("never takes another module's type for one that has gone", function()
    local source = support.read(any .. "/cache/cache.go")
    local dir = support.tmpdir() .. "/cache"
    assert.equal(0, (support.run { "cp", "-r", any .. "/cache", dir }))
    local asked = 0
    for i = 1, 12 do
      local field = ("B%d [%d]string"):format(i, i)
      support.write("cache/cache.go", (source:gsub("A int", field)))
      local module = assert(support.host():build(dir))
      assert.equal(field, module.Fields())
      asked = asked + 1
      assert.equal(asked, module.Asked())
      assert.equal(i, module.All()) -- looks at the types of all that have gone
      local unloaded, _, err = module:unload()
      assert.is_nil(unloaded)
      assert.matches("variable example.com/names.known refers to type:", err.message, 1, true)
      assert.is_true(module:is_loaded()) -- whoever has a type can make values of it and call its methods
    end
  end)
end)
