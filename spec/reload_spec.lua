-- host:watch: modules are edited, added and removed on disk, and the program goes on with what is there.
local lfs = require "lfs"
local goloader = require "goloader"
local clock = require "goloader.core".clock
local support = require "spec.support"

local has_kernel = rawget(_G, "jit") ~= nil -- which is asked by FFI

local SHOP = [[
package shop

import "fmt"

var Count int

func Title() string { Count++; return fmt.Sprint("%s ", Count) }
]]
local STATE = SHOP .. [[

func Release() int { return Count }
func Adopt(count int) error {
	if count > 90 { return fmt.Errorf("%%d is too many", count) }
	Count = count
	return nil
}
]]

-- A count that nothing else has: what was compiled before comes from Go's build cache, and from memory here.
local edits = os.time() % 100000 * 1000
local function unlike_others()
  edits = edits + 1
  return ("\nconst edit = %d\n"):format(edits)
end

local function shop(title, text) return (text or SHOP):format(title) .. unlike_others() end

local function remove(path) os.execute("rm -rf '" .. path .. "'") end

describe("host:watch", function()
  local host, watched, changes, n

  setup(function()
    host = support.host()
    n = 0
  end)
  before_each(function()
    changes = {}
    n = n + 1
  end)
  after_each(function()
    if watched then
      watched:close()
      assert.is_true(support.eventually(function()
        watched:poll()
        return watched:is_over()
      end), "something of it can't be unloaded")
    end
    watched = nil
  end)
  teardown(support.clean)

  -- A name that no other test uses.
  local function own(name) return ("t%d/%s"):format(n, name) end
  local function write(name, text) return support.write(own(name), text) end

  local function heard(change) changes[#changes + 1] = change end

  local function watch(path, options)
    options = options or {}
    options.on_change = options.on_change or heard
    if options.poll == nil then options.poll = false end
    watched = assert(host:watch(path, options))
    return watched
  end

  -- What was heard, as text: "swapped 2".
  local function said()
    local list = {}
    for i, change in ipairs(changes) do
      list[i] = ("%s %s"):format(change.what, change.version or "-")
    end
    return table.concat(list, ", ")
  end

  local function poll_until(test)
    return assert(support.eventually(function()
      watched:poll()
      return test()
    end), said())
  end

  local function step_until(test)
    local ends = clock() + 20
    while not test() do
      assert(clock() < ends, said())
      goloader.step(0.05)
    end
  end

  describe("of a module", function()
    it("stands for the version of the moment", function()
      local path = write("shop.go", shop "lamp")
      local w = watch(path)
      local title = w.Title
      assert.equal("lamp 1", w.Title())
      assert.equal(1, w.Count)
      assert.equal(0, (w:poll()))
      write("shop.go", shop "chair")
      assert.equal(1, (w:poll()))
      assert.equal("chair 1", w.Title())
      assert.equal("chair 2", title())
      w.Count = 7
      assert.equal("chair 8", w.Title())
      assert.equal(0, (w:poll()))
      assert.equal("loaded 1, swapped 2, unloaded 1", said())
      assert.equal(path, changes[1].name)
      assert.matches("shop%.go: version 2, %d+ ms$", tostring(changes[2]))
    end)

    it("has constants, types and instances of generic functions as its version has them", function()
      local more = "\nconst Limit = %d\n\ntype Item struct{ Name string }\n\n"
        .. "func Show(i Item) string { return i.Name }\n"
        .. "func Max[T int | string](a, b T) T { if a > b { return a }; return b }\n"
      local w = watch(write("shop.go", shop "lamp" .. more:format(5)))
      local max = w["Max[int]"]
      assert.equal(5, w.Limit)
      assert.equal("desk", w.Show(w.Item { Name = "desk" }))
      assert.equal(3, max(3, 2))
      write("shop.go", shop "chair" .. more:format(6))
      assert.equal(1, (w:poll()))
      assert.equal(6, w.Limit)
      assert.equal("floor", w.Show(w.Item { Name = "floor" }))
      assert.equal(4, max(3, 4))
    end)

    it("tells what is wrong with an edit, and goes on with the old version", function()
      local w = watch(write("shop.go", shop "lamp"))
      local modules = support.runtime_modules()
      write("shop.go", "package shop\n\nfunc Title() string { return 1 }\n")
      local swapped, err = w:poll()
      assert.equal(0, swapped)
      assert.equal("compile", err.code)
      assert.equal(err, w.err)
      assert.equal("lamp 1", w.Title())
      assert.equal("loaded 1, kept 1", said())
      assert.equal(err, changes[2].err)
      assert.matches("shop%.go: version 1 stays: .*shop%.go:3", tostring(changes[2]))
      assert.same({ 0 }, { w:poll() })
      assert.equal(modules, support.runtime_modules())
      write("shop.go", shop "chair")
      assert.equal(1, (w:poll()))
      assert.is_nil(w.err)
      assert.equal("chair 1", w.Title())
    end)

    it("fails as a build does when there is nothing that could be served yet", function()
      local w, message, err = host:watch(write("shop.go", "package shop\nfunc"), { on_change = heard })
      assert.is_nil(w)
      assert.equal("compile", err.code)
      assert.equal(message, err.message)
      assert.is_nil(goloader.next_timeout())
    end)

    it("hands the state over from Release to Adopt", function()
      local w = watch(write("shop.go", shop("lamp", STATE)))
      for _ = 1, 5 do w.Title() end
      write("shop.go", shop("chair", STATE))
      assert.equal(1, (w:poll()))
      assert.equal("chair 6", w.Title())
      w.Count = 95
      write("shop.go", shop("sofa", STATE))
      local _, err = w:poll()
      assert.equal("Adopt of what version 2 has released: 95 is too many", err.message)
      assert.equal("chair 96", w.Title())
      w.Count = 9
      assert.is_true(w:reload())
      assert.equal("sofa 10", w.Title())
    end)

    it("hands over what the program says", function()
      local w = watch(write("shop.go", shop("lamp", STATE)), {
        adopt = function(new, old)
          if old.Count == 13 then return nil, "not at thirteen" end
          new.Count = old.Count * 10
        end,
      })
      w.Title()
      write("shop.go", shop("chair", STATE))
      assert.equal(1, (w:poll()))
      assert.equal("chair 11", w.Title())
      w.Count = 13
      write("shop.go", shop("sofa", STATE))
      local _, err = w:poll()
      assert.equal("not at thirteen", err.message)
      assert.equal("chair 14", w.Title())
    end)

    it("hands nothing over where the program says so", function()
      local w = watch(write("shop.go", shop("lamp", STATE)), { adopt = false })
      w.Title()
      write("shop.go", shop("chair", STATE))
      w:poll()
      assert.equal("chair 1", w.Title())
    end)

    it("has each version made ready, which may refuse it", function()
      local w = watch(write("shop.go", shop "lamp"), {
        ready = function(module, name)
          assert.matches("shop%.go$", name)
          if module.Title():find "^sofa" then return nil, "no sofas here" end
          module.Count = 100
        end,
      })
      assert.equal("lamp 101", w.Title())
      local modules = support.runtime_modules()
      write("shop.go", shop "sofa")
      local _, err = w:poll()
      assert.equal("no sofas here", err.message)
      assert.equal("lamp 102", w.Title())
      assert.equal(modules, support.runtime_modules())
    end)

    it("unloads an old version as soon as that can be", function()
      local slow = shop "lamp" .. "\nvar gate = make(chan int)\nfunc Wait() int { return <-gate }\n"
        .. "func Open() { close(gate) }\n"
      local w = watch(write("shop.go", slow))
      local old = w.version.module
      local job = w.Wait:async()
      write("shop.go", shop "chair")
      w:poll()
      assert.equal("chair 1", w.Title())
      assert.equal("loaded 1, swapped 2, busy 1", said())
      assert.equal("busy", changes[3].err.code)
      assert.is_number(w:next_timeout())
      w:poll()
      assert.equal("loaded 1, swapped 2, busy 1", said())
      assert.is_true(old:is_loaded())
      old.Open()
      assert.equal(0, job:wait())
      job = nil -- luacheck: ignore
      poll_until(function() return #changes == 4 end)
      assert.equal("loaded 1, swapped 2, busy 1, unloaded 1", said())
      assert.is_false(old:is_loaded())
      assert.same({ 0, 0 }, { w:waiting() })
    end)

    it("asks the program to let go of an old version first", function()
      local holder = shop "lamp" .. "\ntype Item struct{ n int }\nfunc (i *Item) N() int { return i.n }\n"
        .. "func New() *Item { return &Item{5} }\n"
      local item, may_go = nil, false
      local w = watch(write("shop.go", holder), {
        release = function(module, name)
          assert.is_string(name)
          if not may_go then return false end
          if module:is_loaded() and item then item:release() end
          item = nil
        end,
      })
      item = w.New()
      write("shop.go", shop "chair")
      w:poll()
      assert.equal("loaded 1, swapped 2", said())
      assert.equal(5, item:N())
      may_go = true
      w:poll()
      assert.equal("loaded 1, swapped 2, unloaded 1", said())
      assert.is_nil(item)
    end)

    it("drops handles where that is said", function()
      local holder = shop "lamp" .. "\ntype Item struct{ n int }\nfunc (i *Item) N() int { return i.n }\n"
        .. "func New() *Item { return &Item{5} }\n"
      local w = watch(write("shop.go", holder), { unload = { handles = "drop" } })
      local item = w.New()
      write("shop.go", shop "chair")
      w:poll()
      assert.equal("loaded 1, swapped 2, unloaded 1", said())
      assert.is_false((pcall(function() return item:N() end)))
    end)

    it("takes a list of files, and builds with what host:build takes", function()
      local files = {
        write("a.go", "package two\n\nfunc A() string { return B }\n"),
        write("b.go", "//go:build special\n\npackage two\n\nconst B = `one`\n"),
      }
      local w = watch(files, { tags = "special" })
      assert.equal("one", w.A())
      write("b.go", "package two\n\nconst B = `two`\n")
      assert.equal(1, (w:poll()))
      assert.equal("two", w.A())
    end)

    it("takes a package's folder, with what is embedded", function()
      write("go.mod", "module example.com/pages\n\ngo 1.21\n")
      write("pages/pages.go", 'package pages\n\nimport (\n\t_ "embed"\n\t"example.com/pages/words"\n)\n\n'
        .. '//go:embed text/hello.txt\nvar text string\n\nfunc Page() string { return text + words.End }\n')
      write("pages/text/hello.txt", "hello")
      write("words/words.go", "package words\n\nconst End = `!`\n")
      local w = watch(support.tmpdir() .. "/" .. own "pages")
      assert.equal("hello!", w.Page())
      write("pages/text/hello.txt", "good evening")
      assert.equal(1, (w:poll()))
      assert.equal("good evening!", w.Page())
      write("words/words.go", "package words\n\nconst End = `?`\n")
      assert.equal(1, (w:poll()))
      assert.equal("good evening?", w.Page())
    end)

    it("takes objects and shipped modules", function()
      local gom = support.tmpdir() .. "/" .. own "shop.gom"
      assert(host:ship(write("shop.go", shop "lamp"), gom))
      local w = watch(gom)
      assert.equal("lamp 1", w.Title())
      assert(host:ship(write("shop.go", shop "chair"), gom))
      poll_until(function() return w.version.number == 2 end)
      assert.equal("chair 1", w.Title())
      w:close()

      local object = support.tmpdir() .. "/" .. own "plain.o"
      os.rename(support.compile("package plain\n\nfunc N() int { return 1 }\n", "plain"), object)
      w = watch(object)
      assert.equal(1, w.N())
      os.rename(support.compile("package plain\n\nfunc N() int { return 2 }\n", "plain"), object)
      poll_until(function() return w.version.number == 2 end)
      assert.equal(2, w.N())
    end)

    it("loads an edit that comes while another one is compiled", function()
      local w = watch(write("shop.go", shop "lamp"))
      write("shop.go", shop "chair")
      local edited = false
      w:poll(function()
        if not edited then write("shop.go", shop "sofa") end
        edited = true
      end)
      assert.is_true(edited)
      poll_until(function() return w.Title():find "^sofa" end)
      assert.is_nil(w.err)
    end)

    it("raises where it is used after it was closed", function()
      local w = watch(write("shop.go", shop "lamp"))
      local title = w.Title
      assert.is_true(w:close())
      assert.has_error(function() title() end)
      assert.equal("loaded 1, unloaded 1", said())
      write("shop.go", shop "chair")
      assert.equal(0, (w:poll()))
    end)
  end)

  describe("of a folder", function()
    local function folder(glob) return support.tmpdir() .. "/" .. own("plugins/" .. (glob or "*")) end

    local function titles()
      local list = {}
      for name, plugin in pairs(watched.modules) do list[#list + 1] = name .. "=" .. plugin.Title():match "^%S+" end
      table.sort(list)
      return table.concat(list, " ")
    end

    it("has a module for each file and each folder with Go files", function()
      write("plugins/lamp.go", shop "lamp")
      write("plugins/lamp_test.go", "package shop\n")
      write("plugins/chair/chair.go", shop "chair")
      write("plugins/chair/more.go", "package shop\n\nconst more = 1\n")
      write("plugins/notes.txt", "no module")
      write("plugins/pages/page.html", "no module")
      write("plugins/.hidden.go", "package hidden\n")
      watch(folder())
      assert.equal("chair=chair lamp=lamp", titles())
      assert.same({}, watched:failures())
      assert.matches("plugins %(chair, lamp%)$", tostring(watched))
    end)

    it("sees modules appear, change and go", function()
      write("plugins/lamp.go", shop "lamp")
      local w = watch(folder())
      write("plugins/chair.go", shop "chair")
      assert.equal(1, (w:poll()))
      assert.equal("chair=chair lamp=lamp", titles())
      write("plugins/lamp.go", shop "floorlamp")
      assert.equal(1, (w:poll()))
      assert.equal("chair=chair lamp=floorlamp", titles())
      local chair = w.modules.chair
      os.remove(support.tmpdir() .. "/" .. own "plugins/chair.go")
      poll_until(function() return not w.modules.chair end)
      assert.equal("lamp=floorlamp", titles())
      assert.has_error(function() chair.Title() end)
      assert.equal("loaded 1, loaded 1, swapped 2, unloaded 1, gone 1, unloaded 1", said())
      assert.equal("chair", changes[#changes].name)
      write("plugins/chair.go", shop "armchair")
      poll_until(function() return w.modules.chair end)
      assert.equal("chair=armchair lamp=floorlamp", titles())
    end)

    it("sees a folder become a module when it gets Go files, and go with the last of them", function()
      write("plugins/lamp.go", shop "lamp")
      local w = watch(folder())
      local path = support.tmpdir() .. "/" .. own "plugins/sofa"
      assert(lfs.mkdir(path))
      assert.equal(0, (w:poll()))
      write("plugins/sofa/readme.txt", "soon")
      assert.equal(0, (w:poll()))
      write("plugins/sofa/sofa.go", shop "sofa")
      poll_until(function() return w.modules.sofa end)
      assert.equal("lamp=lamp sofa=sofa", titles())
      os.remove(path .. "/sofa.go")
      poll_until(function() return not w.modules.sofa end)
      assert.equal("loaded 1, loaded 1, gone 1, unloaded 1", said())
    end)

    it("does not take a module away whose file is written anew", function()
      write("plugins/lamp.go", shop("lamp", STATE))
      local w = watch(folder())
      w.modules.lamp.Title()
      local path = support.tmpdir() .. "/" .. own "plugins/lamp.go"
      os.remove(path)
      assert.equal(0, (w:poll()))
      assert.equal("lamp 2", w.modules.lamp.Title())
      write("plugins/lamp.go", shop("chair", STATE))
      poll_until(function() return w.modules.lamp.version.number == 2 end)
      assert.equal("chair 3", w.modules.lamp.Title())
      assert.equal("loaded 1, swapped 2, unloaded 1", said())
    end)

    it("hands over to a folder what was a file", function()
      write("plugins/lamp.go", shop("lamp", STATE))
      local w = watch(folder())
      w.modules.lamp.Title()
      write("plugins/lamp/lamp.go", shop("chair", STATE))
      w:poll()
      assert.equal("lamp 2", w.modules.lamp.Title())
      assert.equal("loaded 1, kept 1", said())
      assert.equal("duplicate", changes[2].err.code)
      w:poll()
      assert.equal(2, #changes)
      os.remove(support.tmpdir() .. "/" .. own "plugins/lamp.go")
      poll_until(function() return w.modules.lamp.version.number == 2 end)
      assert.equal("chair 3", w.modules.lamp.Title())
    end)

    it("goes on without a module that can't be loaded, until it is mended", function()
      write("plugins/lamp.go", shop "lamp")
      write("plugins/sofa.go", "package sofa\nfunc")
      local w = watch(folder(), {
        ready = function(module, name)
          if name == "chair" and module.Title():find "^broken" then error("it wobbles", 0) end
        end,
      })
      assert.equal("lamp=lamp", titles())
      assert.equal("compile", w:failures().sofa.code)
      assert.matches("^sofa: .*sofa%.go:2", tostring(changes[2]))
      assert.equal("loaded 1, kept -", said())
      write("plugins/chair.go", shop "broken")
      local _, failed = w:poll()
      assert.equal("it wobbles", failed.chair.message)
      assert.is_nil(failed.sofa)
      assert.equal("lamp=lamp", titles())
      write("plugins/sofa.go", shop "sofa")
      write("plugins/chair.go", shop "chair")
      poll_until(function() return w.modules.sofa and w.modules.chair end)
      assert.equal("chair=chair lamp=lamp sofa=sofa", titles())
      assert.same({}, w:failures())
    end)

    it("has only what fits its pattern", function()
      write("plugins/lamp.go", shop "lamp")
      write("plugins/led_lamp.go", shop "led")
      write("plugins/led_bulb/bulb.go", shop "bulb")
      watch(folder "led_*")
      assert.equal("led_bulb=bulb led_lamp=led", titles())
      watched:close()
      watch(folder "led*.go")
      assert.equal("led_lamp=led", titles())
    end)

    it("may be a folder that is not there yet", function()
      local w = watch(folder())
      assert.equal("", titles())
      write("plugins/lamp.go", shop "lamp")
      poll_until(function() return w.modules.lamp end)
      assert.equal("lamp=lamp", titles())
      remove(support.tmpdir() .. "/" .. own "plugins")
      poll_until(function() return not w.modules.lamp end)
      write("plugins/lamp.go", shop "chair")
      poll_until(function() return w.modules.lamp end)
      assert.equal("lamp=chair", titles())
    end)
  end)

  describe("in an event loop", function()
    it("loads edits by itself where goloader.step is called", function()
      local w = watch(write("shop.go", shop "lamp"), { poll = 0.05 })
      write("shop.go", shop "chair")
      step_until(function() return w.Title():find "^chair" end)
      write("shop.go", "package shop\nfunc")
      step_until(function() return w.err end)
      write("shop.go", shop "sofa")
      step_until(function() return w.Title():find "^sofa" end)
      step_until(function() return #changes == 6 end)
      assert.equal("loaded 1, swapped 2, unloaded 1, kept 2, swapped 3, unloaded 2", said())
    end)

    it("lets others go on while the compiler works", function()
      local w = watch(write("shop.go", shop "lamp"), { poll = 0.05 })
      local steps, during = 0, 0
      write("shop.go", shop "chair")
      step_until(function()
        steps = steps + 1
        if rawget(w, "loading") then during = during + 1 end
        return w.Title():find "^chair"
      end)
      assert.is_true(during > 1, during .. " of " .. steps)
    end)

    it("does so for folders, and leaves nothing behind when all is closed", function()
      write("plugins/lamp.go", shop "lamp")
      local w = watch(support.tmpdir() .. "/" .. own "plugins/*", { poll = "50ms" })
      write("plugins/chair.go", shop "chair")
      step_until(function() return w.modules.chair end)
      os.remove(support.tmpdir() .. "/" .. own "plugins/lamp.go")
      step_until(function() return not w.modules.lamp end)
      assert.is_true(w:close())
      goloader.step(0.05)
      assert.is_nil(goloader.next_timeout())
    end)

    it("asks again for what can't be unloaded yet", function()
      local slow = shop "lamp" .. "\nvar gate = make(chan int)\nfunc Wait() int { return <-gate }\n"
        .. "func Open() { close(gate) }\n"
      local w = watch(write("shop.go", slow), { poll = 0.05 })
      local old = w.version.module
      local job = w.Wait:async()
      write("shop.go", shop "chair")
      step_until(function() return w.version.number == 2 end)
      step_until(function() return changes[#changes].what == "busy" end)
      old.Open()
      job:wait()
      job = nil -- luacheck: ignore
      step_until(function() return changes[#changes].what == "unloaded" end)
      assert.is_false(old:is_loaded())
    end)

    it("raises what on_change raises from the step, and goes on", function()
      local w = watch(write("shop.go", shop "lamp"), {
        poll = 0.05, on_change = function(change)
          if change.what == "swapped" and change.version == 2 then error("oh", 0) end
        end,
      })
      write("shop.go", shop "chair")
      local ok, raised
      repeat ok, raised = pcall(goloader.step, 0.05) until not ok
      assert.equal("oh", raised)
      assert.equal("chair 1", w.Title())
      write("shop.go", shop "sofa")
      step_until(function() return w.Title():find "^sofa" end)
    end)

    if has_kernel then
      it("has a file descriptor for a loop of one's own", function()
        local ffi = require "ffi"
        ffi.cdef [[
          struct reload_spec_pollfd { int fd; short events, revents; };
          int poll(struct reload_spec_pollfd *fds, unsigned long n, int timeout);
        ]]
        local w = watch(write("shop.go", shop "lamp"))
        local fds = ffi.new("struct reload_spec_pollfd[1]", { { w:fd(), 1, 0 } })
        assert.is_true(support.eventually(function() -- what other tests have watched is told of, too
          w:poll()
          return ffi.C.poll(fds, 1, 0) == 0
        end))
        assert.is_nil(w:next_timeout())
        write("shop.go", shop "chair")
        assert.equal(1, ffi.C.poll(fds, 1, 1000))
        local swapped = w:poll()
        assert.equal(1, swapped)
        assert.equal("chair 1", w.Title())
      end)
    else
      it("says how often to look where the kernel can't be asked", function()
        local w = watch(write("shop.go", shop "lamp"))
        assert.is_nil(w:fd())
        assert.equal(0.1, w:next_timeout())
      end)
    end
  end)

  it("tells standard error what is wrong when nobody else is told", function()
    local path = write("shop.go", shop "lamp")
    local status, out, errors = support.lua(([[
      local host = assert(require("goloader").host())
      local w = assert(host:watch(%q, { poll = false }))
      local file = io.open(%q, "wb")
      file:write "package shop\nfunc"
      file:close()
      w:poll()
      print(w.Title())
    ]]):format(path, path))
    assert.equal(0, status)
    assert.equal("lamp 1\n", out)
    assert.matches("shop%.go: version 1 stays: .*shop%.go:2", errors)
  end)

  it("checks its options", function()
    local function raised(options)
      local message = support.raised(host.watch, host, "shop.go", options)
      return (message:gsub("^.-reload_spec%.lua:%d+: ", ""))
    end
    assert.equal("host:watch: there is no option redy; did you mean ready?", raised { redy = print })
    assert.equal("host:watch: there is no option on_sources", raised { on_sources = print })
    assert.equal("host:watch: ready: a function expected, got string", raised { ready = "x" })
    assert.equal("host:watch: adopt: a function or false expected, got true", raised { adopt = true })
    assert.equal('host:watch: poll: "soon" is not a duration such as "250ms", "30s", "5m" or "1h30m"',
      raised { poll = "soon" })
    local _, message = pcall(function() host:watch() end)
    assert.matches("reload_spec%.lua:%d+: host:watch: a directory, Go files or an import path expected, got nil$",
      message)
  end)
end)
