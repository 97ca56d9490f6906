-- goloader doctor and goloader help, as a user types them, on machines that have everything and on those that lack
-- something.
local lfs = require "lfs"
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

teardown(support.clean)

local function doctor(environment)
  return support.run({ "build/bin/goloader", "doctor" }, environment)
end

-- The lines of a report as a table: "ok" or "not ok" by what they are about, and the texts.
local function read(out)
  local words, texts, last = {}, {}, nil
  for line in out:gmatch "[^\n]+" do
    local word, what, text = line:match "^(n?o?t? ?ok) +(%S.-)  +(.*)$"
    if word then
      words[what], texts[what], last = word, text, what
    elseif last and line:find "^ " then
      texts[last] = texts[last] .. "\n" .. line:match "^ *(.*)$"
    end
  end
  return words, texts
end

-- A host like this process's, but for the Go that is noted beside it.
local function host_of_another_go(folder, note)
  local from = support.host().path
  local dir, name = from:match "^(.*)/([^/]*)$"
  support.write(folder .. "/" .. name .. ".goroot", note)
  local to = support.tmpdir() .. "/" .. folder .. "/"
  for entry in lfs.dir(dir) do
    if entry:sub(1, #name) == name and entry ~= name .. ".goroot" then
      assert(lfs.link(dir .. "/" .. entry, to .. entry, true))
    end
  end
  return to .. name
end

-- A folder for PATH that has what the shell needs, the C compiler that Go would start, which distributions call by
-- longer names, and no Go.
local function path_without_go()
  local dir = support.tmpdir() .. "/programs"
  if lfs.mkdir(dir) then
    local _, cc = support.run { support.tools().goroot .. "/bin/go", "env", "CC" }
    for _, name in ipairs { "sh", "mktemp", "rm", "cp", "xargs", cc:match "%S+", "as", "ld", "cat", "chmod" } do
      local pipe = io.popen("command -v " .. name)
      local file = pipe:read "*l"
      pipe:close()
      if file then assert(lfs.link(file, dir .. "/" .. name, true)) end
    end
  end
  return "PATH=" .. toolchain.quote(dir)
end

local function doctor_with_path(assignments)
  -- support.run starts timeout by PATH, so PATH is set behind it
  return support.run { "env", "sh", "-c", assignments .. " exec build/bin/goloader doctor" }
end

local everything = { "Lua", "library", "temporary", "cache", "host", "Go", "Go's cache", "C compiler", "build, load",
  "call", "unload", "ship", "load .gom", ".gom: call", ".gom: unload" }

describe("goloader doctor", function()
  it("tells of each part that it is there, and works", function()
    local status, out, errors = doctor()
    assert.equal("", errors)
    assert.equal(0, status, out)
    local words, texts = read(out)
    for _, what in ipairs(everything) do assert.equal("ok", words[what], what .. " in:\n" .. out) end
    assert.matches("LuaJIT 2%.1", texts.Lua)
    assert.matches("/core%.so, version ", texts.library)
    assert.is_truthy(texts.host:find(support.host().path .. ", " .. support.tools().version, 1, true), texts.host)
    assert.is_truthy(texts.Go:find(support.tools().goroot, 1, true), texts.Go)
  end)

  it("leaves no files", function()
    local dir = support.tmpdir() .. "/empty"
    assert(lfs.mkdir(dir))
    local status, out = doctor("TMPDIR=" .. dir)
    assert.equal(0, status, out)
    assert.equal(dir, select(2, read(out)).temporary)
    for entry in lfs.dir(dir) do assert.is_truthy(entry == "." or entry == "..", entry) end
  end)

  it("tells that GOLOADER_HOST names a file that isn't there", function()
    local status, out, errors = doctor "GOLOADER_HOST=/nowhere/host.so"
    assert.equal("", errors)
    assert.equal(1, status, out)
    local words, texts = read(out)
    assert.equal("not ok", words.host)
    assert.matches("/nowhere/host%.so", texts.host)
    assert.matches("\nGOLOADER_HOST names it", texts.host)
    assert.is_nil(words["build, load"])
  end)

  it("finds the host's own Go when PATH has none", function()
    local status, out = doctor_with_path(path_without_go())
    assert.equal(0, status, out)
    local words = read(out)
    for _, what in ipairs(everything) do assert.equal("ok", words[what], what .. " in:\n" .. out) end
  end)

  it("loads what was shipped where there is no Go", function()
    local host = host_of_another_go("withoutgo", "/nowhere\n" .. support.tools().version .. "\n")
    local status, out, errors = doctor_with_path(("%s GOROOT= GOLOADER_HOST=%s"):format(path_without_go(), host))
    assert.equal("", errors)
    assert.equal(0, status, out)
    local words, texts = read(out)
    assert.equal("not ok", words.Go)
    assert.matches("only compiling needs it", texts.Go)
    assert.is_truthy(texts.Go:find("Install " .. support.tools().version, 1, true), texts.Go)
    assert.is_nil(words["build, load"])
    assert.equal("ok", words["load .gom"])
    assert.equal("ok", words[".gom: unload"])
    assert.matches("Go can't be compiled%.\n$", out)
  end)

  it("fails where there is no Go and what was shipped can't be loaded either", function()
    local host = host_of_another_go("lacking", "/nowhere\n" .. support.tools().version .. "\n")
    local shipped = host .. ".bridge.gom"
    os.remove(shipped)
    local status, out = doctor_with_path(("%s GOROOT= GOLOADER_HOST=%s"):format(path_without_go(), host))
    assert.equal(1, status, out)
    local words, texts = read(out)
    assert.equal("not ok", words["load .gom"])
    assert.is_truthy(texts["load .gom"]:find(shipped, 1, true), texts["load .gom"])
  end)

  it("tells that a cache can't be written to, and what is used instead", function()
    local status, out = doctor "XDG_CACHE_HOME=/dev/null/cache"
    assert.equal(0, status, out)
    local words, texts = read(out)
    assert.equal("not ok", words.cache)
    assert.matches("^/dev/null/cache/goloader can't be written to; it is /", texts.cache)
    assert.matches("\nset XDG_CACHE_HOME", texts.cache)
    assert.equal("ok", words["build, load"])
  end)

  it("tells that Go's cache can't be written to", function()
    local status, out = doctor "GOCACHE=/dev/null/cache"
    assert.equal(1, status, out)
    local words, texts = read(out)
    assert.equal("not ok", words["Go's cache"])
    assert.matches("^/dev/null/cache can't be written to\nset GOCACHE", texts["Go's cache"])
  end)

  it("tells that there is no room for temporary files", function()
    local status, out = doctor "TMPDIR=/dev/null"
    assert.equal(1, status, out)
    local words, texts = read(out)
    assert.equal("not ok", words.temporary)
    assert.matches("\nset TMPDIR", texts.temporary)
    assert.matches("can't be run: no temporary file", texts["C compiler"])
    assert.matches("\nset TMPDIR", texts.build)
  end)

  it("tells that the C compiler is missing, which plain Go does without", function()
    local status, out = doctor "CC=no-such-compiler"
    assert.equal(0, status, out)
    local words, texts = read(out)
    assert.equal("not ok", words["C compiler"])
    assert.matches("^no%-such%-compiler can't be run\n", texts["C compiler"])
    assert.equal("ok", words["build, load"])
  end)
end)

describe("goloader help", function()
  it("lists the commands, each of which it can tell about", function()
    local status, out, errors = support.cli "help"
    assert.equal(0, status, errors)
    local seen = 0
    for command in out:match "\nCommands:\n(.*)$":gmatch "   (%l+) " do
      seen = seen + 1
      local text
      status, text, errors = support.cli("help", command)
      assert.equal(0, status, command .. errors)
      assert.matches("^[Uu]sage: goloader ", text .. errors)
      if command ~= "help" then assert.matches("^[Uu]sage: goloader " .. command, text .. errors) end
    end
    assert.is_true(seen >= 16, out)
  end)

  it("does not know what isn't there", function()
    local status, _, errors = support.cli("help", "nosuch")
    assert.equal(1, status)
    assert.matches("^goloader: there is no command nosuch\n$", errors)
  end)

  it("--version is version", function()
    local status, out = support.cli "--version"
    assert.equal(0, status)
    assert.equal(select(2, support.cli "version"), out)
  end)
end)
