local goloader = require "goloader"
local slots = require "goloader.reload.slot"
local support = require "spec.support"

local SOURCE = [[
package held

type Thing struct{ Name string }

func New(name string) *Thing { return &Thing{name} }

func (t *Thing) Say() string { return t.Name }

func Say() string { return "said" }
]]

local HOLDER = [[
package holder

var kept any

func Hold(v any) { kept = v }

func Drop() { kept = nil }
]]

-- A heap that it takes a while to walk over, so that nothing here is over before it was looked at.
local HEAP = [[
package heap

type node struct{ next *node }

var first *node

func init() {
	for i := 0; i < 1000000; i++ {
		first = &node{first}
	}
}

func Length() (n int) {
	for at := first; at != nil; at = at.next {
		n++
	}
	return n
}
]]

describe("an unload by another thread", function()
  local function build(name, source)
    return assert(support.host():load(support.compile(support.write(name .. ".go", source), name)))
  end

  local function load() return build("held", SOURCE) end

  local heap
  setup(function() heap = build("heap", HEAP) end)
  teardown(function()
    assert(heap:unload())
    support.clean()
  end)

  local function unload_aside(module, options)
    local all = { beside = true }
    for name, value in pairs(options or {}) do all[name] = value end
    local result = {}
    goloader.spawn(function() result.ok, result.message, result.err = module:unload(all) end)
    return result
  end

  local function finish(result)
    assert.is_true(support.eventually(function()
      goloader.step(0.01)
      return result.ok ~= nil or result.err ~= nil
    end))
  end

  it("lets others go on meanwhile, for whom the module is one that is being unloaded", function()
    local module = load()
    local say = module.Say
    assert.equal("said", say())
    local result = unload_aside(module)
    assert.is_nil(result.ok)
    assert.is_false(module:is_loaded())
    assert.has_error(function() say() end, "module held is being unloaded")
    local ok, message, err = module:unload()
    assert.is_nil(ok)
    assert.matches("it is being unloaded", message)
    assert.equal("busy", err.code)
    finish(result)
    assert.is_true(result.ok)
    assert.is_false(module:is_loaded())
    assert.equal("closed", select(3, module:unload()).code)
  end)

  it("is done at once where nobody can be suspended", function()
    local module = load()
    assert(module:unload { beside = true })
    assert.is_false(module:is_loaded())
  end)

  it("is refused as by this one, and then all is as it was", function()
    local module, holder = load(), build("holder", HOLDER)
    holder.Hold(module.New "it")
    collectgarbage()
    local result = unload_aside(module)
    finish(result)
    assert.is_nil(result.ok)
    assert.equal("busy", result.err.code)
    assert.matches("variable holder.kept of module holder refers to", result.message)
    assert.equal("variable", result.err.path[1].kind)
    assert.is_true(module:is_loaded())
    assert.equal("said", module.Say())
    holder.Drop()
    result = unload_aside(module)
    finish(result)
    assert.is_true(result.ok)
    assert(holder:unload())
  end)

  it("goes on when Lua had no use for a handle any more", function()
    local module = load()
    module.New "it"
    local result = unload_aside(module)
    finish(result)
    assert.is_true(result.ok, result.message)
  end)

  it("drops handles", function()
    local module = load()
    local thing = module.New "it"
    local result = unload_aside(module, { handles = "drop" })
    finish(result)
    assert.is_true(result.ok, result.message)
    assert.has_error(function() thing:Say() end)
  end)

  it("is ended by the next one where its coroutine is no more", function()
    local module = load()
    coroutine.wrap(function()
      goloader.spawn(function() module:unload { beside = true } end)
    end)()
    local ok, message, err -- and nobody steps
    support.eventually(function()
      ok, message, err = module:unload()
      return ok
    end, 20)
    assert.is_true(ok, message)
    assert.is_nil(err)
    goloader.step(0.01)
    assert.is_false(module:is_loaded())
  end)

  it("is what a slot has done with old versions where its owner can wait", function()
    local told = {}
    local slot = assert(slots.new {
      name = "held", beside = true, load = function() return load() end,
      on_change = function(change) told[#told + 1] = change.what end,
    })
    goloader.spawn(function() slot:reload(function() end) end)
    assert.same({ "loaded", "swapped" }, told)
    assert.equal("said", slot.Say())
    assert.is_true(support.eventually(function()
      goloader.step(0.01)
      return told[3]
    end))
    assert.same({ "loaded", "swapped", "unloaded" }, told)
    assert.is_true(slot:close())
  end)

  it("is not in the way of a Lua state that is closed", function()
    local path = support.write("held/held.go", SOURCE)
    local script = support.write("close.lua", ([[
      local goloader = require "goloader"
      local host = goloader.host()
      for i = 1, 3 do
        local module = assert(host:build %q)
        goloader.spawn(function() module:unload { beside = true } end)
      end
      print "closing"
    ]]):format(path))
    for _ = 1, 3 do
      local status, out, errors = support.run { "luajit", "spec/env.lua", script }
      assert.equal(0, status, errors)
      assert.equal("closing\n", out)
    end
  end)
end)

describe("files that another thread reads", function()
  local watch = require "goloader.reload.watch"

  local function threads()
    local n = 0
    for entry in require("lfs").dir "/proc/self/task" do n = n + (tonumber(entry) and 1 or 0) end
    return n
  end

  local function look_aside(watched)
    local result = {}
    goloader.spawn(function() result.changed, result.is_over = watched:look(true), true end)
    return result
  end

  local function finish(result)
    local deadline = os.time() + 30
    while not result.is_over and os.time() < deadline do goloader.step(0.1) end
    assert.is_true(result.is_over)
  end

  setup(function() support.host() end)
  teardown(support.clean)

  it("are seen to have changed", function()
    local path = support.write("watched.go", "one")
    local watched = watch.new(path)
    support.write("watched.go", "two")
    local result = look_aside(watched)
    finish(result)
    assert.is_true(result.changed)
    local sum = watched:fingerprint()
    watched:look()
    assert.equal(sum, watched:fingerprint())
  end)

  it("count as they are seen by who looks meanwhile", function()
    local path = support.write("raced.go", "one")
    local watched = watch.new(path)
    support.write("raced.go", "two")
    local result = look_aside(watched)
    support.write("raced.go", "three")
    watched:look()
    local sum = watched:fingerprint()
    finish(result)
    assert.equal(sum, watched:fingerprint())
  end)

  it("are read by the thread that has read others before", function()
    local path = support.write("again.go", "one")
    local watched, before = watch.new(path), nil
    for i = 1, 20 do
      support.write("again.go", "text " .. i)
      finish(look_aside(watched))
      before = before or threads()
    end
    assert.is_true(threads() <= before + 1)
  end)
end)
