-- What a call does not know of its options it says, with the name that was meant.
local goloader = require "goloader"
local support = require "spec.support"

teardown(function() support.clean() end)

-- The message without where it was raised, which must be in this file.
local function raised(f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.matches("options_spec%.lua:%d+: ", message)
  return (message:gsub("^.-options_spec%.lua:%d+: ", ""))
end

describe("options", function()
  local host, module, source

  setup(function()
    host = support.host()
    source = support.write("tiny.go", "package tiny\n\nfunc One() int { return 1 }\n")
    module = assert(host:build(source))
  end)

  it("are known by name", function()
    assert.equal("goloader.host: there is no option memory_profil; did you mean memory_profile?",
      raised(function() goloader.host { memory_profil = 1 } end))
    assert.equal("host:build: there is no option gcflag; did you mean gcflags?",
      raised(function() host:build(source, { gcflag = "-N" }) end))
    assert.equal("host:build: there is no option cover", raised(function() host:build(source, { cover = true }) end))
    assert.equal("host:load: there is no option use; did you mean uses?",
      raised(function() host:load("x.o", { use = {} }) end))
    assert.equal("host:ship: there is no option string; did you mean strings?",
      raised(function() host:ship(source, support.tmpdir() .. "/tiny.gom", { string = {} }) end))
    assert.equal("module:unload: there is no option prov; did you mean prove?",
      raised(function() module:unload { prov = "nothing" } end))
    assert.equal("goloader.stats: there is no option 1", raised(function() goloader.stats { true } end))
  end)

  it("are of a type", function()
    assert.equal("goloader.host: path: a string expected, got number",
      raised(function() goloader.host { path = 1 } end))
    assert.equal("host:build: private: a boolean expected, got string",
      raised(function() host:build(source, { private = "yes" }) end))
    assert.equal("host:build: a table of options expected, got string",
      raised(function() host:build(source, "-N") end))
    assert.equal("host:load: wait: a boolean expected, got number",
      raised(function() host:load("x.o", { wait = 1 }) end))
    assert.equal("module:unload: prove: a string expected, got boolean",
      raised(function() module:unload { prove = false } end))
    assert.is_true(module:is_loaded())
  end)

  it("of a build do for shipping, too", function()
    local options = { tags = "a,b", gcflags = "-N", private = true, imports = { deny = { "unsafe" } } }
    assert.equal(1, assert(host:build(source, options)).One())
    assert(host:ship(source, support.tmpdir() .. "/tiny.gom", options))
  end)
end)
