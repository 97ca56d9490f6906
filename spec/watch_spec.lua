local lfs = require "lfs"
local core = require "goloader.core"
local inotify = require "goloader.reload.inotify"
local support = require "spec.support"
local watch = require "goloader.reload.watch"

describe("a watch", function()
  local folder
  local watches

  -- Each ends with its test: the kernel would tell it of what later ones do.
  local function new_watch(path)
    watches[#watches + 1] = watch.new(path)
    return watches[#watches]
  end

  local function write(name, text, age)
    local path = support.write_file(folder .. "/" .. name, text)
    if age then lfs.touch(path, os.time() - age) end
    return path
  end

  local function remove(path)
    for entry in lfs.dir(path) do
      if entry ~= "." and entry ~= ".." then
        local inner = path .. "/" .. entry
        if lfs.attributes(inner, "mode") == "directory" then remove(inner) else os.remove(inner) end
      end
    end
    lfs.rmdir(path)
  end

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(lfs.mkdir(folder))
    watches = {}
  end)
  after_each(function()
    for _, w in ipairs(watches) do w:close() end
    remove(folder)
  end)

  it("sees an edit once", function()
    local w = new_watch(write("a.go", "one"))
    assert.is_false(w:changed())
    write("a.go", "three")
    assert.is_true(w:changed())
    assert.is_false(w:changed())
  end)

  it("sees an edit of the same length within the same second", function()
    local path = write("a.go", "one")
    local time = lfs.attributes(path, "modification")
    local w = new_watch(path)
    write("a.go", "two")
    lfs.touch(path, time)
    assert.is_true(w:changed())
  end)

  it("sees an edit of an old file", function()
    local w = new_watch(write("a.go", "one", 100))
    assert.is_false(w:changed())
    write("a.go", "two", 50)
    assert.is_true(w:changed())
  end)

  it("sees another file of the same length and time take its place", function()
    local path, other = write("a.go", "one"), write("_b.go", "two")
    local time = os.time() - 100
    lfs.touch(path, time)
    lfs.touch(other, time)
    local w = new_watch(path)
    support.eventually(function() return select(2, core.stamp(path)) end, 10)
    w:look() -- the stamp has settled
    assert(os.rename(other, path))
    assert.is_true(w:changed())
  end)

  it("is not fooled by a touch", function()
    local path = write("a.go", "one", 100)
    local w = new_watch(path)
    lfs.touch(path)
    assert.is_false(w:changed())
    lfs.touch(path, os.time() - 50)
    assert.is_false(w:changed())
  end)

  it("sees a file vanish and come back", function()
    local path = write("a.go", "one")
    local w = new_watch(path)
    os.remove(path)
    assert.is_true(w:changed())
    assert.is_false(w:changed())
    write("a.go", "one")
    assert.is_true(w:changed())
  end)

  it("sees files of a folder edited, added and removed", function()
    local path = write("a.go", "one")
    assert(lfs.mkdir(folder .. "/sub"))
    local w = new_watch(folder)
    assert.is_false(w:changed())
    write("a.go", "three")
    assert.is_true(w:changed())
    write("sub/b.txt", "embedded")
    assert.is_true(w:changed())
    write("sub/b.txt", "embedded twice")
    assert.is_true(w:changed())
    os.remove(path)
    assert.is_true(w:changed())
    assert.is_false(w:changed())
  end)

  it("leaves hidden files alone, as Go does", function()
    write("a.go", "one")
    local w = new_watch(folder)
    write(".a.go.swp", "x")
    write("_old.go", "x")
    assert.is_false(w:changed())
  end)

  if rawget(_G, "jit") then -- the kernel is asked by FFI
    it("looks at nothing as long as the kernel tells of nothing", function()
      local path = write("a.go", "one", 100)
      local w = new_watch(path)
      local looked, attributes = 0, lfs.attributes
      lfs.attributes = function(...) -- luacheck: ignore
        looked = looked + 1
        return attributes(...)
      end
      local changed = w:changed()
      lfs.attributes = attributes -- luacheck: ignore
      assert.is_false(changed)
      assert.equal(0, looked)
      write("a.go", "two", 50)
      assert.is_true(w:changed())
    end)
  end

  if inotify.listen() then
    it("hears of nothing but the file where it is a file of its own", function()
      local path = write("a.gom", "one", 100)
      local w, is_looked_at = new_watch(path), nil
      w.look = function(...)
        is_looked_at = true
        return getmetatable(w).__index.look(...)
      end
      write("b.gom", "another")
      assert.is_false(w:changed())
      assert.is_nil(is_looked_at)
      write("a.gom", "two", 50)
      assert.is_true(w:changed())
    end)

    it("hears of what a link leads to", function()
      assert(lfs.mkdir(folder .. "/v1") and lfs.mkdir(folder .. "/v2"))
      write("v1/a.gom", "one", 100)
      write("v2/a.gom", "two", 100)
      assert(lfs.link("v1", folder .. "/now", true) and lfs.link("now/a.gom", folder .. "/a.gom", true))
      local w = new_watch(folder .. "/a.gom")
      assert(lfs.link("v2", folder .. "/next", true) and os.rename(folder .. "/next", folder .. "/now"))
      assert.is_true(w:changed())
    end)

    it("says when it is to be asked, where another one has read what the kernel told both", function()
      local path = write("a.go", "one", 100)
      local first, second = new_watch(path), new_watch(path)
      assert.is_nil(inotify.next_timeout())
      write("a.go", "two")
      assert.is_true(first:changed())
      assert.is_number(inotify.next_timeout())
      assert.is_true(second:changed())
      assert.is_nil(inotify.next_timeout())
    end)
  end

  it("hears of an edit by an editor that writes a new file and renames it, again and again", function()
    local path = write("a.go", "one")
    local w = new_watch(path)
    for i = 1, 3 do
      os.rename(write("a.go~", "edit " .. i), path)
      assert.is_true(w:changed())
      assert.is_false(w:changed())
    end
  end)

  if rawget(_G, "jit") then -- the kernel is asked by FFI
    it("does not take a file for whole that is still being written", function()
      local path = write("a.go", "one")
      local w = new_watch(path)
      os.remove(path)
      assert.is_true(w:changed())
      local file = assert(io.open(path, "wb"))
      assert.is_false(w:changed())
      file:write "two"
      file:close()
      assert.is_true(w:changed())
    end)
  end

  it("hears of what appears in a folder that was not there", function()
    local w = new_watch(folder .. "/sub/a.go")
    assert.is_false(w:changed())
    assert(lfs.mkdir(folder .. "/sub"))
    w:changed()
    write("sub/a.go", "one")
    assert.is_true(w:changed())
  end)

  it("has one fingerprint for the same bytes", function()
    local path = write("a.go", "one")
    local w = new_watch(path)
    local first = w:fingerprint()
    write("a.go", "two")
    assert.is_true(w:changed())
    assert.not_equal(first, w:fingerprint())
    write("a.go", "one")
    assert.is_true(w:changed())
    assert.equal(first, w:fingerprint())
    assert.equal(first, new_watch(path):fingerprint())
  end)

  it("looks at what a build has read", function()
    local path, beside = write("a.go", "one"), write("b.go", "one")
    assert(lfs.mkdir(folder .. "/static"))
    local w = new_watch(path)
    w:set_sources { files = { path }, dirs = {}, trees = { folder .. "/static" } }
    assert.is_false(w:changed())
    write("b.go", "two")
    assert.is_false(w:changed())
    write("static/page.html", "embedded")
    assert.is_true(w:changed())
    w:set_sources { files = {}, dirs = { folder }, trees = {} }
    write("b_test.go", "test")
    assert.is_false(w:changed())
    os.remove(beside)
    assert.is_true(w:changed())
  end)

  it("sees an edit that it could not read for want of file descriptors, when there are some again", function()
    local path = write("list.go", "package list // one", 10)
    local script = support.write_file(folder .. "/script.lua", ([[
      local watch = require "goloader.reload.watch"
      local path = %q
      local watched = watch.new(path)
      local other = assert(io.open(path, "r+"))
      other:write "package list // two"
      other:close()
      require("lfs").touch(path, os.time() - 5)
      local all = {}
      repeat all[#all + 1] = io.open "/dev/null" until not io.open "/dev/null"
      io.write(tostring(watched:changed()), " ")
      for _, file in ipairs(all) do file:close() end
      collectgarbage()
      local clock = require("goloader.core").clock
      local began = clock()
      while not watched:changed() and clock() - began < 5 do end
      io.write(tostring(clock() - began < 5), " ", tostring(watched:changed()))
    ]]):format(path))
    local pipe = io.popen("ulimit -n 64; luajit spec/env.lua " .. script .. " 2>&1")
    assert.equal("false true false", pipe:read "*a")
    pipe:close()
  end)

  it("asks the kernel again when that had no instance for it", function()
    local library, path = folder .. "/refused.so", write("a.go", "one", 100)
    assert.equal(0, (support.run { "cc", "-shared", "-fPIC", "-O1", "-o", library, "spec/testdata/refused.c" }))
    local status, out, errors = support.lua(([[
      local ffi = require "ffi"
      ffi.cdef "void refuse(long n, int kinds); const char *refused(void);"
      local FILES = 4
      local path = %q
      local inotify, watch = require "goloader.reload.inotify", require "goloader.reload.watch"
      ffi.C.refuse(1, FILES)
      local w = watch.new(path)
      print(ffi.string(ffi.C.refused()), inotify.fd(), w:next_timeout(7))
      ffi.C.refuse(0, 0)
      print(w:changed(), inotify.fd() ~= nil, w:next_timeout(7))
      require("spec.support").write_file(path, "two")
      print(w:changed(), w:changed())
      os.remove(path)
      print(w:changed())
    ]]):format(path), "LD_PRELOAD=" .. library, "luajit")
    assert.equal("inotify_init1\tnil\t7\nfalse\ttrue\tnil\ntrue\tfalse\ntrue\n", out, errors)
    assert.equal(0, status)
  end)
end)

describe("an edit that can't be loaded for want of something of the machine's", function()
  it("is tried again, and told of once", function()
    local one = support.compile("package main\n\nfunc Say() string { return \"one\" }\n", "main")
    local two = support.compile("package main\n\nfunc Say() string { return \"two\" }\n", "main")
    assert.equal("one\tone\tkept: io\n.two\tswapped\n", support.clean_output_of(support.lua(([[
      local goloader = require "goloader"
      local host = require "spec.support".host()
      local class, said = debug.getregistry()["goloader.host"], {}
      local w = assert(host:watch(%q, { on_change = function(change)
        said[#said + 1] = change.what .. (change.err and ": " .. change.err.code or "")
      end }))
      local before, load, refused = w.Say(), class.load, 0
      said = {}
      function class.load(...)
        if refused == 2 then return load(...) end
        refused = refused + 1
        return nil, { code = "io", message = "too many open files" }
      end
      assert(os.rename(%q, %q))
      local function wait_for(count)
        local stop = os.time() + 10
        while #said < count and os.time() < stop do goloader.step(0.05) end
      end
      wait_for(1)
      print(before, w.Say(), said[1])
      wait_for(2)
      print("." .. w.Say(), said[2])
    ]]):format(one, two, one))))
  end)
end)

describe("where there is no thread to wait for the kernel", function()
  it("an edit is loaded all the same", function()
    local one = support.compile("package main\n\nfunc Say() string { return \"one\" }\n", "main")
    local two = support.compile("package main\n\nfunc Say() string { return \"two\" }\n", "main")
    assert.equal("one\ttwo\t1\n", support.clean_output_of(support.lua(([[
      local goloader = require "goloader"
      local host = require "spec.support".host()
      local class, refused = debug.getregistry()["goloader.host"], 0
      local poll = class.jobs_poll
      function class.jobs_poll(...)
        if refused > 0 then return poll(...) end
        refused = refused + 1
        return nil, { code = "io", message = "no thread for poll" }
      end
      local w = assert(host:watch(%q))
      local before = w.Say()
      assert(os.rename(%q, %q))
      local stop = os.time() + 10
      while w.Say() == "one" and os.time() < stop do goloader.step(0.05) end
      print(before, w.Say(), refused)
      w:close()
    ]]):format(one, two, one), nil, "luajit")))
  end)
end)
