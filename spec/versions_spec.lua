local lfs = require "lfs"
local record = require "goloader.reload.record"
local support = require "spec.support"
local versions = require "goloader.reload.versions"

describe("a text that several processes read", function()
  local path

  before_each(function()
    path = os.tmpname()
    os.remove(path)
  end)
  after_each(function()
    os.remove(path)
    os.remove(path .. ".new")
  end)

  it("is read as it was written, also when it became shorter", function()
    assert.is_nil(record.read(path))
    for _, text in ipairs { "one", ("long\n"):rep(3000), "", "two\n", "three" } do
      assert(record.write(path, text))
      assert.equal(text, record.read(path))
    end
  end)

  it("is written to the same two files in turn", function()
    if not rawget(_G, "jit") then return end
    local inodes, n = {}, 0
    for i = 1, 10 do
      assert(record.write(path, "text " .. i))
      local inode = lfs.attributes(path, "ino")
      if not inodes[inode] then n = n + 1 end
      inodes[inode] = true
    end
    assert.equal(2, n)
  end)

  it("is not taken for one where it is half of another", function()
    assert(record.write(path, ("a"):rep(100)))
    local whole = support.read(path)
    support.write_file(path, whole:sub(1, 50) .. ("b"):rep(50) .. whole:sub(101))
    assert.is_nil(record.read(path))
  end)
end)

describe("versions on disk", function()
  local folder, source, store

  local function ship(text)
    local file = support.write("page/page.go", ("package page\n\nfunc Page() string { return %q }\n"):format(text))
    local new = source .. ".edit"
    assert(support.host():ship(file, new))
    assert(os.rename(new, source))
  end

  local function open() return assert(store:place("page.gom", { source }, {})) end

  -- What a slot does when something is due.
  local function make(place)
    local module, number, err = place:load()
    place:finish(module ~= nil, not module and (err or number) or nil)
    return module, number
  end

  before_each(function()
    folder = support.tmpdir() .. "/versions" .. tostring({}):match "%w+$"
    source = folder .. ".gom"
    store = assert(versions.open { folder = folder, host = support.host() })
    ship "one"
  end)

  it("are made of an edit without another file for what is said of them, which is no news here", function()
    local place = open()
    local module = assert(make(place))
    assert.equal("one", module.Page())
    local function inodes()
      local list = {}
      for i, name in ipairs { "state", "state.new" } do list[i] = lfs.attributes(place.folder .. "/" .. name, "ino") end
      table.sort(list)
      return table.concat(list, " ")
    end
    local before
    for i = 1, 4 do
      ship("edit " .. i)
      assert.is_true(support.eventually(function() return place:due() end))
      local new = assert(make(place))
      assert.equal("edit " .. i, new.Page())
      assert(module:unload())
      module = new
      if i == 2 then before = inodes() end
      assert.is_false(place:state_changed())
      assert.is_false(place:due())
    end
    if rawget(_G, "jit") then assert.equal(before, inodes()) end
    assert(module:unload())
    place:close()
  end)

  it("are heard of by another process", function()
    local place, other = open(), open()
    local first, second = assert(make(place)), assert(make(other))
    ship "two"
    assert.is_true(support.eventually(function() return place:due() end))
    local new, number = make(place)
    assert.is_true(support.eventually(function() return other:due() end))
    local theirs, same = make(other)
    assert.equal("two", theirs.Page())
    assert.equal(number, same)
    for _, module in ipairs { first, second, new, theirs } do assert(module:unload()) end
    place:close()
    other:close()
  end)

  it("are given up where two processes have ended at them, and their numbers are not used again", function()
    local place = open()
    assert(assert(make(place)):unload())
    place:close()
    ship "two"
    local numbers = {}
    for i = 1, 2 do -- each of these ends in the middle
      place = open()
      local module, number = place:load()
      numbers[i] = number
      assert(module:unload())
      place:close()
    end
    assert.same({ 2, 3 }, numbers)

    place = open()
    local served, number = assert(make(place))
    assert.equal(1, number)
    assert.matches("2 processes have ended while they compiled or loaded it", place:failure())
    ship "three"
    assert.is_true(support.eventually(function() return place:due() end))
    local new
    new, number = assert(make(place))
    assert.equal("three", new.Page())
    assert.equal(4, number)
    for _, module in ipairs { served, new } do assert(module:unload()) end
    place:close()
  end)

  it("are served at a start where what is there can't be loaded", function()
    local place = open()
    assert(assert(make(place)):unload())
    place:close()
    support.write_file(source, "nothing of the kind")
    place = open()
    local module, number = assert(make(place))
    assert.equal("one", module.Page())
    assert.equal(1, number)
    assert.truthy(place:failure())
    assert(module:unload())
    place:close()
  end)
end)
