-- Keys, signatures of shipped modules, and a process that loads nothing else.
local goloader = require "goloader"
local lfs = require "lfs"
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

local SOURCE = [[
package shop

import "strings"

func Render(what string) string { return strings.ToUpper(what) }
]]

-- Of minisign's manual, made by it.
local MINISIGN = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"

-- `minisign -G -W`: for this spec only.
local MINISIGN_SECRET = "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAYM+K2mZreSsFPYqeB2"
  .. "07dWM88y4herS48ISmblTla7H0qahpu+JzDOgxIv1eWRLzG6RggCr7lrjOiqTzMcsX2+IXyvoC+/2sAAAAAAAAAAAA"
  .. "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

local function path_of(name) return support.tmpdir() .. "/" .. name end

local mine, other, signed, unsigned

setup(function()
  support.write("keep", "")
  mine = assert(goloader.keygen(path_of "mine.key", path_of "mine.pub"))
  other = assert(goloader.keygen(path_of "other.key", path_of "other.pub"))
  local source = support.write("shop.go", SOURCE)
  signed, unsigned = path_of "signed.gom", path_of "unsigned.gom"
  assert(support.host():ship(source, signed, { key = path_of "mine.key" }))
  assert(support.host():ship(source, unsigned))
end)

teardown(support.clean)

local function refused(code, pattern, ...)
  local value, message, err = ...
  assert.is_nil(value)
  assert.equal(code, err.code, message)
  assert.matches(pattern, message)
  assert.equal(message, tostring(err))
end

describe("a key", function()
  it("is two files, of which only the owner can read the secret one", function()
    assert.equal("rw-------", lfs.attributes(path_of "mine.key", "permissions"))
    assert.matches("^%x+$", mine.id)
    assert.equal("untrusted comment: goloader public key " .. mine.id .. "\n" .. mine.public .. "\n",
      support.read(path_of "mine.pub"))
    assert.are_not.equal(mine.id, other.id)
  end)

  it("never replaces another one", function()
    local before = support.read(path_of "mine.key")
    refused("io", "mine.key: it is there already", goloader.keygen(path_of "mine.key", path_of "new.pub"))
    assert.is_nil(lfs.attributes(path_of "new.pub"))
    refused("io", "mine.pub: it is there already", goloader.keygen(path_of "new.key", path_of "mine.pub"))
    assert.is_nil(lfs.attributes(path_of "new.key"))
    assert.equal(before, support.read(path_of "mine.key"))
  end)

  it("is refused when others can read its secret", function()
    local file = support.write("open.key", support.read(path_of "mine.key"))
    os.execute("chmod 640 " .. toolchain.quote(file))
    refused("trust", "open.key is a secret key, and others may read it.*mode 0640.*chmod 600",
      goloader.sign(unsigned, file, path_of "out.gom"))
    refused("trust", "others may read it", support.host():ship(path_of "shop.go", path_of "out.gom", { key = file }))
    assert.is_nil(lfs.attributes(path_of "out.gom"))
    os.execute("chmod 600 " .. toolchain.quote(file))
    assert.equal(mine.id, goloader.sign(unsigned, file, path_of "out.gom"))
  end)

  it("that is none, or damaged, is told from one", function()
    local secret = support.read(path_of "mine.key")
    local comment, line = secret:match "^([^\n]*\n)([^\n]*)\n"
    local function sign_with(text)
      local file = support.write("bad.key", text)
      os.execute("chmod 600 " .. toolchain.quote(file))
      return goloader.sign(unsigned, file, path_of "never.gom")
    end
    -- a letter of the base64 is another; of the salt and the limits of a password, where there is none, nothing is read
    for i = 1, #line, 3 do
      local byte = math.floor((i - 1) * 6 / 8)
      local letter = line:sub(i, i) == "Q" and "R" or "Q"
      if byte < 4 or byte > 54 then
        local value, message, err = sign_with(comment .. line:sub(1, i - 1) .. letter .. line:sub(i + 1) .. "\n")
        assert.is_nil(value, i)
        assert.is_truthy(err.code == "format" or err.code == "unsupported", message)
      end
    end
    for _, text in ipairs { "", "\n", comment, line:sub(1, -5), "x" .. line, line .. "\n" .. line, ("x"):rep(5000),
      line:sub(1, 20) .. "\0" .. line:sub(21) } do
      refused("format", "bad.key is no ", sign_with(text))
    end
    assert.equal(mine.id, (sign_with(line)))
    assert.equal("2B796B66DA8ACF60", (sign_with(MINISIGN_SECRET)))
    refused("io", "nowhere.key", goloader.sign(unsigned, path_of "nowhere.key", path_of "never2.gom"))
    for _, text in ipairs { "", "RWQ", mine.public .. "A", secret, mine.public:lower() } do
      refused("format", "bad.pub is no public key", goloader.verify(signed, support.write("bad.pub", text)))
    end
    refused("io", "nowhere.pub", goloader.verify(signed, path_of "nowhere.pub"))
  end)
end)

describe("a signed module", function()
  it("is verified by the key's file, by its line, and among others", function()
    for _, keys in ipairs { path_of "mine.pub", mine.public, { path_of "other.pub", MINISIGN, mine.public } } do
      assert.equal(mine.id, goloader.verify(signed, keys))
    end
    assert.equal(mine.id, goloader.manifest(signed).key)
    assert.is_nil(goloader.manifest(unsigned).key)
    assert.equal(goloader.manifest(unsigned).hash, goloader.manifest(signed).hash)
  end)

  it("is loaded like any other where nobody asks for signatures", function()
    local shop = assert(support.host():load(signed))
    assert.equal("TEA", shop.Render "tea")
    assert(shop:unload())
  end)

  it("by another key, or by nobody, is told as that", function()
    refused("trust", "signed.gom is signed by key " .. mine.id .. ", which is not trusted",
      goloader.verify(signed, { path_of "other.pub", MINISIGN }))
    refused("trust", "unsigned.gom is not signed", goloader.verify(unsigned, path_of "mine.pub"))
  end)

  it("can be signed anew, by another key", function()
    local again = path_of "again.gom"
    assert.equal(other.id, goloader.sign(signed, path_of "other.key", again))
    assert.equal(other.id, goloader.verify(again, path_of "other.pub"))
    refused("trust", "not trusted", goloader.verify(again, path_of "mine.pub"))
    assert.equal(mine.id, goloader.sign(again, path_of "mine.key"))
    assert.equal(support.read(signed), support.read(again))
  end)

  it("is not the same any more when one byte of it is another, is missing, or is added", function()
    local whole = support.read(signed)
    local first = whole:find "\n"
    local function check(text, what)
      local value, message, err = goloader.verify(support.write("changed.gom", text), path_of "mine.pub")
      assert.is_nil(value, what)
      assert.is_truthy(err.code == "trust" or err.code == "format" or err.code == "mismatch", what .. ": " .. message)
    end
    local function flip(i, bit)
      local byte = whole:byte(i)
      local flipped = math.floor(byte / bit) % 2 == 0 and byte + bit or byte - bit
      check(whole:sub(1, i - 1) .. string.char(flipped) .. whole:sub(i + 1), ("byte %d, bit %d"):format(i, bit))
    end
    for i = 1, first + 40 do
      for _, bit in ipairs { 1, 2, 4, 8, 16, 32, 64, 128 } do flip(i, bit) end
    end
    for i = first + 40, #whole, 97 do flip(i, 1) end
    for _, n in ipairs { 0, 1, 15, first - 1, first, first + 1, math.floor(#whole / 2), #whole - 1 } do
      check(whole:sub(1, n), "cut at " .. n)
    end
    check(whole .. "\0", "one more")
    check(whole .. whole, "twice")
    check(whole:sub(1, first) .. "\n" .. whole:sub(first + 1), "one in the middle")
  end)

  it("does not lend its signature to another file", function()
    local their = path_of "their.gom"
    assert(support.host():ship(support.write("their.go", SOURCE:gsub("ToUpper", "ToLower")), their))
    local content, content2 = support.read(signed), support.read(their)
    local line, line2 = content:match "^[^\n]*", content2:match "^[^\n]*"
    local key, signature = line:match " (%x+) (%S+)$"
    local borrowed = line2:gsub("module 2", "module 3") .. " " .. key .. " " .. signature .. content2:sub(#line2 + 1)
    refused("trust", "signature that is not of key " .. mine.id .. ", or not of this file",
      goloader.verify(support.write("borrowed.gom", borrowed), path_of "mine.pub"))
  end)

  it("does not lend its key's number to another key", function()
    local forged = path_of "forged.gom"
    assert(goloader.sign(unsigned, path_of "other.key", forged))
    local text = support.read(forged):gsub(other.id, mine.id, 1)
    refused("trust", "signature that is not of key " .. mine.id,
      goloader.verify(support.write("forged.gom", text), { path_of "mine.pub", path_of "other.pub" }))
  end)

  it("in another format is refused as such", function()
    local newer = support.read(signed):gsub("module 3", "module 4", 1)
    refused("mismatch", "is of version 4 of its format, this goloader reads versions 2 and 3",
      goloader.verify(support.write("newer.gom", newer), path_of "mine.pub"))
  end)

  it("wants keys, and names", function()
    assert.has_error(function() goloader.verify(signed) end,
      "goloader.verify: keys: a public key or a list of them expected, got nil")
    assert.has_error(function() goloader.verify(signed, {}) end,
      "goloader.verify: keys: a public key or a list of them expected, got an empty list")
    assert.has_error(function() goloader.verify(nil, "x") end,
      "goloader.verify: argument #1: a file's name expected, got nil")
  end)
end)

-- In a process of its own: whom it trusts it trusts for good.
local function strict(script)
  local values = { MINE = path_of "mine.pub", OTHER = path_of "other.pub", SIGNED = signed, UNSIGNED = unsigned,
    SOURCE = path_of "shop.go", OBJECT = support.compile(SOURCE, "shop"), DIR = support.tmpdir() }
  local status, out, errors = support.lua((([[
    local goloader = require "goloader"
    local host = assert(goloader.host { trust = "MINE" })
    local function refused(value, message, err)
      assert(value == nil, "it was not refused")
      print(err.code, (message:gsub("DIR/", "")))
    end
  ]] .. script):gsub("%u%u%u+", values)))
  assert.equal(0, status, errors)
  return out
end

describe("a process that trusts a key", function()
  it("loads what is signed by it, and runs it", function()
    assert.equal("TEA\nTEA\n", strict [[
      local shop = assert(host:load "SIGNED")
      print(shop.Render "tea")
      assert(shop:unload())
      shop = assert(host:load("SIGNED", { wait = true }))
      print(shop.Render "tea")
    ]])
  end)

  it("loads nothing else", function()
    local only = "this process loads only "
    assert.equal(table.concat({
      "trust\tunsigned.gom is not signed: " .. only .. "what is signed by a key that it trusts",
      "trust\tunsigned.gom is not signed: " .. only .. "what is signed by a key that it trusts",
      "trust\tshop.go: " .. only .. "shipped modules that are signed by a key that it trusts, and nobody signs what is "
        .. "compiled here: ship it with key = …, and load the file",
      "trust\tshop.go: " .. only .. "shipped modules that are signed by a key that it trusts, and nobody signs what is "
        .. "compiled here: ship it with key = …, and load the file",
      "", }, "\n"), strict [[
      refused(host:load "UNSIGNED")
      refused(host:load("UNSIGNED", { wait = true }))
      refused(host:build "SOURCE")
      refused(host:watch "SOURCE")
      assert(#host:modules() == 0)
    ]])
    for _, line in ipairs { 'host:load "OBJECT"', 'host:load { "OBJECT", "OBJECT" }', 'host:std "strings"' } do
      assert.matches("^trust\t%S+ is no shipped module: this process loads only those, signed by a key that it trusts",
        strict("refused(" .. line .. ")"))
    end
  end)

  it("replaces a module by a signed one only", function()
    assert.equal("trust\nTEA\nTEA\n", strict [[
      local shop = assert(host:load "SIGNED")
      local ok, message, err = host:replace(shop, "UNSIGNED")
      print(err.code)
      print(shop.Render "tea")
      assert(host:replace(shop, "SIGNED"))
      print(shop.Render "tea")
    ]])
  end)

  it("does so in its other Lua states, and in those that don't ask", function()
    assert.equal("trust\tthis process trusts other keys already\ntrue\ntrust\tunsigned\n", strict [[
      refused(goloader.host { trust = "OTHER" })
      print(goloader.host { trust = { "MINE" } } == host)
      local state = require "spec.luastates".new()
      state:run [=[
        local _, message, err = assert(require "goloader".host()):load "UNSIGNED"
        print(err.code, message:match "(%w+)%.gom is not signed")
      ]=]
      state:close()
    ]])
  end)

  it("has goloader's own Go halves, which lie beside the host", function()
    assert.equal("goroutines\n", strict [[
      print(assert(goloader.dump()):match "goroutines")
      assert(#assert(goloader.profile "goroutine") > 0)
      assert(require("goloader.halves").get "serve")
      assert(require("goloader.halves").get "bridge")
    ]])
  end)

  it("may ship, and load what it has signed", function()
    assert.equal("trust\ntea\n", strict [[
      local out = "DIR/lower.gom"
      local file = assert(io.open("DIR/lower.go", "w"))
      file:write "package shop\n\nfunc Render(what string) string { return what }\n"
      file:close()
      assert(host:ship("DIR/lower.go", out))
      print(select(3, host:load(out)).code)
      assert(host:ship("DIR/lower.go", out, { key = "DIR/mine.key" }))
      print(assert(host:load(out)).Render "tea")
    ]])
  end)

  it("does not start where a key can't be read", function()
    local status, out = support.lua([[
      local goloader = require "goloader"
      for _, key in ipairs { "/nowhere.pub", "RWQ", "/dev/null" } do
        local host, message, err = goloader.host { trust = key }
        print(host, err.code, message)
      end
      print(io.open "/proc/self/maps":read "*a":find("libgoloader_host", 1, true))
      print(pcall(goloader.host, { trust = {} }))
    ]])
    assert.equal(0, status)
    assert.matches("^nil\tio\t/nowhere.pub: No such file or directory\nnil\tio\tRWQ: No such file or directory\n"
      .. "nil\tio\t/dev/null is not a regular file\nnil\nfalse\t[^\n]*goloader.host: trust: a public key", out)
  end)
end)

describe("the command line", function()
  local function cli(...) return support.cli(...) end

  it("makes keys, signs and verifies", function()
    local name, file = path_of "cli", path_of "cli.gom"
    local status, out = cli("keygen", "-o", name)
    assert.equal(0, status)
    local id = out:match "^key (%x+)\n"
    assert.equal("rw-------", lfs.attributes(name .. ".key", "permissions"))
    assert.equal(0, (cli("build", "-key", name .. ".key", "-o", file, path_of "shop.go")))
    assert.same({ 0, ("%s: signed by key %s\n"):format(file, id), "" }, { cli("verify", "-k", name .. ".pub", file) })
    assert.matches("signed   it says by key " .. id, select(2, cli("info", file)))
    local errors
    status, out, errors = cli("verify", "-k", name .. ".pub", "-k", path_of "other.pub", file, signed, unsigned)
    assert.equal(1, status)
    assert.equal(("%s: signed by key %s\n"):format(file, id), out)
    assert.equal(("goloader: %s is signed by key %s, which is not trusted\ngoloader: %s is not signed\n"):format(signed,
      mine.id, unsigned), errors)
    assert.same({ 0, ("%s: signed by key %s\n"):format(file, mine.id), "" },
      { cli("sign", "-k", path_of "mine.key", "-o", file, unsigned) })
    assert.equal(support.read(signed), support.read(file))
    assert.equal(1, (cli("keygen", "-o", name)))
    assert.equal(2, (cli("verify", file)))
    assert.equal(2, (cli("sign", file)))
  end)
end)
