-- A refusal tells the whole way from who keeps a module to what of it he refers to: err.path. What the loader finds is
-- compared with what spec/testdata/paths knows of itself: addresses of its objects.
local support = require "spec.support"

describe("the path of a refusal", function()
  local host, paths, object, thing, value
  local bystander -- the first handle of all, with which nothing here has to do

  setup(function()
    host = support.host()
    paths = assert(host:build "spec/testdata/paths/paths.go")
    bystander = paths:new "Entry"
    object = support.compile("spec/testdata/retention/thing/thing.go", "thing")
  end)

  before_each(function()
    thing = assert(host:load(object))
    value = thing.New:keep(1)
  end)

  after_each(function()
    paths.Reset()
    assert.is_true(support.eventually(function() return thing:unload() end))
  end)

  teardown(function()
    bystander:release()
    assert(paths:unload())
    support.clean()
  end)

  -- Has the value held, and only there; returns the steps and the message, after a look at what every path has.
  local function refused(hold, ...)
    local addresses = paths[hold](value, ...)
    value:release()
    local ok, message, err = thing:unload()
    assert.is_nil(ok)
    assert.equal("busy", err.code)
    assert.equal(message, err.message)
    local path = err.path
    assert.equal("reference", path[#path].kind)
    assert.matches("thing%.T", path[#path].name)
    for i = 2, #path - 1 do
      assert.equal("object", path[i].kind)
      assert.is_true(path[i].size > 0)
    end
    -- the objects are those that it has made, in that order; "" is one of the runtime's, of which it knows no address
    if type(addresses) == "table" then
      local found = {}
      for i = 2, #path - 1 do found[#found + 1] = addresses[i - 1] == "" and "" or path[i].address end
      assert.same(addresses, found)
    end
    return path, message
  end

  -- What is said of each step: kinds, types and fields.
  local function told(path)
    local list = {}
    for i, step in ipairs(path) do
      list[i] = step.kind == "object" and (step.type or step.size .. " bytes") .. (step.field or "") or step.kind
    end
    return table.concat(list, " > ", 1, #list - 1)
  end

  for _, place in ipairs { "stopped", "snapshot" } do
    describe("found in a process that is " .. (place == "stopped" and place or "copied") .. ":", function()
      local ffi = require "ffi"
      setup(function()
        ffi.cdef "int setenv(const char *, const char *, int); int unsetenv(const char *);"
        ffi.C.setenv("GOLOADER_UNLOAD", place, 1)
      end)
      teardown(function() ffi.C.unsetenv "GOLOADER_UNLOAD" end)

      it("fields of objects and elements of slices", function()
        local path, message = refused "List"
        assert.equal("variable > paths.Registry.list > []*paths.Entry[3] > paths.Entry.value", told(path))
        assert.equal("paths.Shop", path[1].name)
        assert.equal("*paths.Registry", path[1].type)
        assert.matches("variable paths.Shop .-refers to type:%*thing%.T, by way of 3 objects: paths.Registry.list, "
          .. "%[%]%*paths.Entry%[3%], paths.Entry.value", message)
        assert.equal(16, path[4].offset)
      end)

      it("arrays of structs in large objects", function()
        assert.equal("variable > paths.Registry.rows[42].b > paths.Entry.value", told((refused "Rows")))
      end)

      it("closures", function()
        assert.equal("variable > paths.Registry.call > closure of paths.Closure.func1", told((refused "Closure")))
      end)

      it("what interfaces hold", function()
        local path = refused "Boxed"
        assert.equal("variable > paths.Registry.last > paths.Entry.value", told(path))
        assert.equal("paths.By", path[1].name)
        assert.equal("interface {}", path[1].type)
      end)

      it("maps, of which the objects within are the runtime's", function()
        local path = refused "Mapped"
        assert.matches("^variable > paths.Registry.byKey > memory of a map%[string%]%*paths.Entry > %d+ bytes",
          told(path))
      end)

      it("of variables that are not exported their names", function()
        local path = refused "Hidden"
        assert.equal("paths.hidden", path[1].name)
        assert.equal("variable", path[1].kind)
        assert.is_nil(path[1].type)
        assert.equal(16, path[2].offset)
      end)

      it("long lists, of which the middle is left out", function()
        local path, message = refused("Long", 3000)
        assert.equal(3000, #path - 2 + path[1 + 256 + 1].omitted)
        assert.equal("paths.Entry", path[2].type)
        assert.equal(".next", path[2].field)
        assert.matches("by way of 3000 objects: paths.Entry.next, paths.Entry.next, paths.Entry.next, …, ", message)
        assert.is_true(#message:match "[^\n]*" < 400)
      end)

      it("frames: goroutine, function and line", function()
        local path = refused "Waits"
        assert.equal("stack", path[1].kind)
        assert.equal("paths.wait", path[1].func)
        assert.matches("paths%.go$", path[1].file)
        local n = 0
        for line in support.read "spec/testdata/paths/paths.go":gmatch "([^\n]*)\n" do
          n = n + 1
          if line:find "^\t<%-done" then assert.equal(n, path[1].line) end
        end
        assert.is_true(path[1].goroutine > 0)
      end)

      it("the shortest, where objects lead back to each other", function()
        assert.equal("variable > paths.Entry.next > paths.Entry.value", told((refused "Parents")))
      end)

      it("objects that their finalizer is to be called with", function()
        local path = refused "Finalized"
        assert.equal("finalized", path[1].kind)
        assert.equal("*paths.Entry", path[1].type)
      end)
    end)
  end

  it("is one step where there is no way: a handle, a job, a goroutine, a call, a module that uses it", function()
    local function only_step(module)
      local ok, _, err = module:unload()
      assert.is_nil(ok)
      assert.equal(1, #err.path)
      return err.path[1]
    end
    local step = only_step(thing)
    assert.equal("handle", step.kind)
    assert.equal("*thing.T", step.type)

    local shop = assert(host:build "spec/testdata/shop/shop.go")
    shop.Block()
    step = only_step(shop)
    assert.equal("goroutine", step.kind)
    assert.is_true(step.goroutine > 0)
    assert.matches("^shop%.", step.func)
    assert.matches("shop%.go$", step.file)
    assert.is_true(step.line > 1)
    shop.Release()
    assert.is_true(support.eventually(function() return shop:unload() end))
    value:release()
  end)
end)
