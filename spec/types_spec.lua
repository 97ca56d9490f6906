-- Definitions for editors: goloader types, and the option `types` of builds. They are read by the grammar of the
-- language server's annotations, strictly: spec/luals.lua.
local lfs = require "lfs"
local definitions = require "goloader.definitions"
local luals = require "spec.luals"
local support = require "spec.support"

teardown(support.clean)

local function describe_by_cli(path)
  local status, out, errors = support.cli("types", path)
  assert.equal(0, status, errors)
  return out
end

local function has(text, line)
  assert.is_truthy(("\n" .. text):find("\n" .. line .. "\n", 1, true), ("%s\nis not in:\n%s"):format(line, text))
end

describe("goloader types", function()
  local api = definitions.api()

  it("tells of exports, types, methods and constants, with their comments", function()
    local text = describe_by_cli "spec/testdata/types/types.go"
    luals.read { api = api, types = text }
    for _, lines in ipairs {
      "---Package types has one of each kind of thing that definitions for editors tell of.",
      "---\\@this is no annotation.\n---\\| nor is this\n---@class types: goloader.TypedModule",
      "---Limit is how many there may be.\n---@field Limit 100",
      '---@field Greeting "hello"',
      "---@field Ratio number",
      "---Red is the first.\n---@field Red 0",
      "---@alias types.Colour integer\n---| 0 # Red\n---| 1 # Green\n---| 2 # Blue",
      "---Item is plain data.\n---@class types.Item\n---what it is called\n---@field Name string",
      "---Tags are words.\n---@field Tags string[]\n---@field Made string\n---@field Next types.Item.Handle|nil\n"
        .. "---Label is what the tag says.\n---@field Label fun(self: types.Item): string",
      "---@class types.Item.Handle: types.Item, goloader.Handle",
      "---@overload fun(value?: types.Item|goloader.Handle|table): types.Item.Handle",
      "---Counter counts, and nobody sees how.\n---@class types.Counter: goloader.Handle\n---@field Step integer",
      "---Add adds a step.\n---@field Add fun(self: types.Counter): integer",
      "---Names are sorted.\n---@class types.Names\n---@field [integer] string\n---Len is how many there are.\n"
        .. "---@field Len fun(self: types.Names): integer\n\n"
        .. "---@class types.Names.Handle: types.Names, goloader.Handle",
      "---Tags is a map with a method.\n---@class types.Tags\n---@field [string] integer\n"
        .. "---@field Has fun(self: types.Tags, name: string): boolean",
      "---@field Merge goloader.Func|fun(tags: types.Tags|table<string, integer>|goloader.Handle|nil): "
        .. "types.Tags",
      "---Shape has an area.\n---@class types.Shape: goloader.Handle\n---Area is in square metres.\n"
        .. "---@field Area fun(self: types.Shape): number",
      "---Default is a variable.\n---@field Default types.Item",
      "---@field Find goloader.Func|fun(items: (types.Item|goloader.Handle|table)[]|nil, end_: string, "
        .. "function_: integer, p4: boolean): types.Item|nil, goloader.Error|nil",
      "---@field Open goloader.Func|fun(ctx: goloader.Context|goloader.Handle|number|string|nil, "
        .. "r: goloader.Handle|table|nil, timeout: number|string): true|nil, goloader.Error|nil",
      "---@field Each goloader.Func|fun(names: table<string, string|nil>|nil, "
        .. "f: (fun(name: string, data: string|nil): boolean)|nil, ...: types.Item|goloader.Handle|table|nil)",
      "---@field NewCounter goloader.Func|fun(): types.Counter",
      "---Max is generic.\n---@generic T: integer|string\n---@param a T\n---@param b T\n---@return T\n"
        .. "function module.Max(a, b) end",
      "---@generic T, U\n---@param xs T[]|nil\n---@param f (fun(p1: T): U)|nil\n---@return U[]\n"
        .. "function module.Map(xs, f) end",
      "---@field Zero goloader.Func|fun(): any",
      "---@field Events goloader.Func|fun(): goloader.Channel, { X: integer, Y: integer }",
      '---@field ["Ärger"] goloader.Func|fun(p1: integer)',
      '---@field build fun(self: goloader.Host, paths: "spec/testdata/types/types.go", '
        .. "options?: goloader.HostBuildOptions): types|nil, string|nil, goloader.Error|nil",
    } do has(text, lines) end
  end)

  if support.host():info().go_version >= "go1.27" then -- which brought them
    it("leaves out methods with type parameters of their own, which no value has at run time", function()
      support.write("crate/go.mod", "module crate\n\ngo 1.27\n")
      local file = support.write("crate/crate.go", [[
package crate

type Crate struct{ N int }

func (c Crate) Weight(n int) int           { return c.N * n }
func (c *Crate) Pack[T any](thing T) T     { return thing }

type Only struct{ N int }

func (o *Only) Pack[T any](thing T) T      { return thing }

func First() *Only { return &Only{1} }
]])
      local text = describe_by_cli(file:match "^(.*)/")
      has(text, "---@field Weight fun(self: crate.Crate, n: integer): integer")
      assert.is_nil(text:find("Pack", 1, true))
      has(text, "---@field First goloader.Func|fun(): crate.Only")
    end)
  end

  it("has no mistake in net/http, html/template, and the examples", function()
    local texts = { api = api }
    for _, path in ipairs { "net/http", "html/template", "examples/listpage/list.go", "examples/calls/stock.go",
      "examples/plugins/commands/upper.go", "examples/plugins/commands/count", "examples/embed/pages" } do
      texts[path] = describe_by_cli(path)
    end
    local classes = luals.read(texts)
    assert.is_true(classes["http.Client"].Timeout)
    assert.is_true(classes["http.Client"].Get)
    assert.is_true(classes["http.url.URL"].Path)
    assert.is_true(classes["http.url.URL"].Query)
    assert.is_true(classes.http.StatusTeapot)
    assert.is_true(classes["template.Template"].Execute)
    has(texts["net/http"], '---@field std fun(path: "net/http"): http')
    has(texts["net/http"], "---StatusText returns a text for the HTTP status code. It returns the empty\n"
      .. "---string if the code is unknown.\n---@field StatusText goloader.Func|fun(code: integer): string")
  end)

  it("takes objects and other names, and says what it can't describe", function()
    local object = support.compile("spec/testdata/shop/shop.go", "shop")
    local status, out = support.cli("types", object, "--name", "store")
    assert.equal(0, status)
    has(out, "---@field Product store.Product.Type")
    local file = support.tmpdir() .. "/deep/er/api.d.lua"
    assert.equal(0, (support.cli("types", "--api", "-o", file)))
    assert.equal(api, support.read(file))
    local errors, _
    status, out, errors = support.cli "types"
    assert.equal(2, status)
    assert.equal("", out)
    assert.matches("^goloader types: nothing to describe\nUsage: goloader types ", errors)
    status, _, errors = support.cli("types", support.write("junk.o", "junk"))
    assert.equal(1, status)
    assert.matches("^goloader: [^\n]*junk%.o: [^\n]+\n$", errors)
  end)
end)

describe("definitions of goloader itself", function()
  it("have all that it has, and nothing else", function()
    local goloader = require "goloader"
    local text = definitions.api()
    luals.read { api = text }
    local host = support.host()
    local module = assert(host:build "spec/testdata/shop/shop.go")
    local handle = module.Product { Name = "lamp" }
    for class, has_it in pairs {
      goloader = function(name) return type(goloader[name]) == "function" end,
      Host = function(name) return type(host[name]) == "function" end,
      TypedModule = function(name) return type(module[name]) == "function" end,
      Func = function(name) return type(module.Add[name]) == "function" end,
      Handle = function(name) return type(handle[name]) == "function" end,
    } do
      local seen = 0
      for name in text:gmatch("\nfunction " .. class .. "[.:]([%w_]+)%(") do
        seen = seen + 1
        assert.is_true(has_it(name), class .. ":" .. name)
      end
      assert.is_true(seen >= 6, class)
    end
    for name, value in pairs(goloader) do
      local is_there = text:find("\nfunction goloader." .. name .. "(", 1, true)
        or text:find("\n---@field " .. name .. " ", 1, true)
      assert.is_truthy(is_there or type(value) ~= "function", name)
    end
    for class, file in pairs { Host = "host", Module = "module" } do
      for name in support.read(("lua/goloader/%s.lua"):format(file)):gmatch("\nfunction " .. class .. ":([%w_]+)") do
        local is_there = text:find("\nfunction " .. class:gsub("Module", "TypedModule") .. ":" .. name .. "(", 1, true)
          or text:find("\n---@field " .. name .. " ", 1, true)
        assert.is_truthy(is_there, class .. ":" .. name)
      end
    end
    handle:release()
    assert(module:unload())
  end)
end)

describe("functions in the definitions", function()
  -- Of each function that a file declares: its parameters, and the types of those and of what it returns.
  local function declared(text)
    local found, comments = {}, {}
    local function type_of(words)
      words = words:gsub("  .*$", ""):gsub("goloader%.TypedModule", "goloader.Module")
      return (words:gsub("goloader%.Toolchain", "table"))
    end
    for line in (text .. "\n"):gmatch "([^\n]*)\n" do
      local name, params = line:match "^function ([%w_]+[.:][%w_]+)%(([^)]*)%)"
      if name then
        local list = { params }
        for _, comment in ipairs(comments) do
          local param, optional, words = comment:match "^@param ([%w_.]-)(%??) (.*)"
          if param then
            words = type_of(words)
            local is_optional = optional ~= "" and words ~= "any"
            list[#list + 1] = ("%s: %s%s"):format(param, words, is_optional and "|nil" or ""):gsub("any|nil$", "any")
          end
          local result = comment:match "^@return (.*)"
          if result then list[#list + 1] = "returns " .. type_of(result):gsub(" [%w_]+$", "") end
        end
        found[name] = table.concat(list, "\n")
      end
      local comment = line:match "^%-%-%-%s*(@.*)"
      comments = line:find "^%-%-" and comments or {}
      comments[#comments + 1] = comment
    end
    return found
  end

  it("have the parameters and results that the sources tell of", function()
    local api, seen = declared(definitions.api()), 0
    for class, place in pairs {
      goloader = "init goloader", Host = "host Host", TypedModule = "module Module", Job = "jobs Job",
      Watched = "reload Watched",
    } do
      local file, name_there = place:match "^(%l+) (%a+)$"
      for name, told in pairs(declared(support.read(("lua/goloader/%s.lua"):format(file)))) do
        local of, mark, method = name:match "^(%a+)([.:])(.*)$"
        local here = of == name_there and api[class .. mark .. method]
        if here then
          seen = seen + 1
          assert.equal(here, told, name)
        end
      end
    end
    assert.is_true(seen > 30, seen)
  end)
end)

describe("options in the definitions", function()
  it("are those that are read", function()
    local classes = luals.read { api = definitions.api() }
    for place, class in pairs {
      ["init HOST_OPTIONS"] = "HostOptions", ["host LOAD_OPTIONS"] = "LoadOptions",
      ["host BUILD_OPTIONS"] = "HostBuildOptions", ["host SHIP_OPTIONS"] = "ShipOptions",
      ["reload OPTIONS"] = "WatchOptions", ["module UNLOAD_OPTIONS"] = "UnloadOptions",
    } do
      local file, name = place:match "^(%l+) (.*)$"
      local body = support.read(("lua/goloader/%s.lua"):format(file)):match("\nlocal " .. name .. " = (%b{})")
      local seen = 0
      for option in body:gmatch "([%w_]+) = " do
        seen = seen + 1
        local fields = classes["goloader." .. class]
        assert.is_truthy(fields[option] or fields[('["%s"]'):format(option)], class .. ": " .. option)
      end
      assert.is_true(seen > 0, place)
    end
  end)
end)

describe("the option types", function()
  it("of host:build writes definitions, into a folder too", function()
    local file = support.write("price.go", "package price\n\n// Of tells.\nfunc Of(name string) int { return 1 }\n")
    local dir = support.tmpdir() .. "/types/"
    local module = assert(support.host():build(file, { types = dir }))
    local text = support.read(dir .. "price.d.lua")
    luals.read { api = definitions.api(), price = text }
    has(text, "---Of tells.\n---@field Of goloader.Func|fun(name: string): integer")
    assert(module:unload())
    local err = select(3, support.host():build(file, { types = "/dev/null/x.lua" }))
    assert.equal("io", err.code)
  end)

  it("of host:watch keeps them up to date", function()
    local file = support.write("kept.go", "package kept\n\nfunc One() int { return 1 }\n")
    local types = support.tmpdir() .. "/kept.d.lua"
    local watched = assert(support.host():watch(file, { types = types, poll = false }))
    has(support.read(types), "---@field One goloader.Func|fun(): integer")
    local written = lfs.attributes(types, "ino")
    support.write("kept.go", "package kept\n\n// Two is new.\nfunc Two() int { return 2 }\n")
    assert.is_true(support.eventually(function() return watched:poll() > 0 end))
    has(support.read(types), "---Two is new.\n---@field Two goloader.Func|fun(): integer")
    assert.are_not.equal(written, lfs.attributes(types, "ino"))
    watched:close()
  end)
end)
