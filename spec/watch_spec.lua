local lfs = require "lfs"
local watch = require "goloader.routes.watch"

describe("a watch", function()
  local folder

  local function write(name, text, age)
    local path = folder .. "/" .. name
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
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
  end)
  after_each(function() remove(folder) end)

  it("sees an edit once", function()
    local w = watch.new(write("a.go", "one"))
    assert.is_false(w:changed())
    write("a.go", "three")
    assert.is_true(w:changed())
    assert.is_false(w:changed())
  end)

  it("sees an edit of the same length within the same second", function()
    local path = write("a.go", "one")
    local time = lfs.attributes(path, "modification")
    local w = watch.new(path)
    write("a.go", "two")
    lfs.touch(path, time)
    assert.is_true(w:changed())
  end)

  it("sees an edit of an old file", function()
    local w = watch.new(write("a.go", "one", 100))
    assert.is_false(w:changed())
    write("a.go", "two", 50)
    assert.is_true(w:changed())
  end)

  it("is not fooled by a touch", function()
    local path = write("a.go", "one", 100)
    local w = watch.new(path)
    lfs.touch(path)
    assert.is_false(w:changed())
    lfs.touch(path, os.time() - 50)
    assert.is_false(w:changed())
  end)

  it("sees a file vanish and come back", function()
    local path = write("a.go", "one")
    local w = watch.new(path)
    os.remove(path)
    assert.is_true(w:changed())
    assert.is_false(w:changed())
    write("a.go", "one")
    assert.is_true(w:changed())
  end)

  it("sees files of a folder edited, added and removed", function()
    local path = write("a.go", "one")
    assert(lfs.mkdir(folder .. "/sub"))
    local w = watch.new(folder)
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
    local w = watch.new(folder)
    write(".a.go.swp", "x")
    write("_old.go", "x")
    assert.is_false(w:changed())
  end)
end)
