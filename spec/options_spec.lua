-- What a call does not know of its options it says, with the name that was meant.
local goloader = require "goloader"
local support = require "spec.support"

teardown(function() support.clean() end)

-- The message without where it was raised, which must be in this file.
local function raised(f, ...)
  local message = support.raised(f, ...)
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

  it("that say how the host starts are refused when it runs already", function()
    assert.equal(host, goloader.host {})
    local started, message, err = goloader.host { memory_profile = 4096 }
    assert.is_nil(started)
    assert.equal("goloader.host: memory_profile: the host runs already, and was started without it", message)
    assert.equal("host", err.code)
    assert.equal(host, goloader.host { dump = "SIGUSR2" }) -- may be said later
    assert.equal(host, goloader.host { dump = "SIGUSR2" })
    started, message = goloader.host { dump = "SIGUSR1" }
    assert.is_nil(started)
    assert.equal("goloader.host: dump: the host runs already, and was started with dump = SIGUSR2", message)
    assert.equal(host, goloader.host { debug = os.getenv "GOLOADER_DEBUG" ~= nil })
  end)

  it("are known by name", function()
    assert.equal("goloader.host: there is no option memory_profil; did you mean memory_profile?",
      raised(function() goloader.host { memory_profil = 1 } end))
    assert.equal("host:build: there is no option gcflag; did you mean gcflags?",
      raised(function() host:build(source, { gcflag = "-N" }) end))
    assert.equal("host:build: there is no option covers; did you mean cover?",
      raised(function() host:build(source, { covers = true }) end))
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
    assert.equal("host:load: wait: a boolean or function expected, got number",
      raised(function() host:load("x.o", { wait = 1 }) end))
    assert.equal("module:unload: prove: a string expected, got boolean",
      raised(function() module:unload { prove = false } end))
    assert.is_true(module:is_loaded())
  end)

  it("are known where modules are watched and replaced", function()
    assert.equal("host:watch: there is no option redy; did you mean ready?",
      raised(function() host:watch(source, { redy = print }) end))
    assert.equal('host:watch: poll: "soon" is not a duration such as "250ms", "30s", "5m" or "1h30m"',
      raised(function() host:watch(source, { poll = "soon" }) end))
    assert.equal("host:watch: adopt: a function or false expected, got true",
      raised(function() host:watch(source, { adopt = true }) end))
    assert.equal("host:replace: there is no option adpot; did you mean adopt?",
      raised(function() host:replace(module, source, { adpot = print }) end))
    assert.equal("host:replace: adopt: a function or false expected, got true",
      raised(function() host:replace(module, source, { adopt = true }) end))
    assert.equal("host:replace: the new module is the old one", raised(function() host:replace(module, module) end))
  end)

  it("are rules of a policy", function()
    assert.equal("host:policy: there is no rule alow; did you mean allow?",
      raised(function() host:policy { alow = { "os" } } end))
    assert.equal("host:build: imports: there is no rule forbid: allow, deny",
      raised(function() host:build(source, { imports = { forbid = { "os" } } }) end))
  end)

  it("are known where routes are served", function()
    local serve, router = require "goloader.serve", require "goloader.router"
    assert.equal("goloader.serve.run: there is no option lisen; did you mean listen?",
      raised(function() serve.run("routes.lua", { lisen = ":80" }) end))
    assert.equal('goloader.serve.start: grace: "long" is not a duration such as "250ms", "30s", "5m" or "1h30m"',
      raised(function() serve.start("routes.lua", { grace = "long" }) end))
    assert.equal('goloader.serve.start: max_body: "much" is not a size such as 1000, "512k", "1m" or "1g"',
      raised(function() serve.start("routes.lua", { max_body = "much" }) end))
    assert.equal("goloader.serve.run: tls: the files of a certificate and of its key expected",
      raised(function() serve.run("routes.lua", { tls = { "cert.pem" } }) end))
    assert.equal("goloader.serve.run: router: there is no option on_chang; did you mean on_change?",
      raised(function() serve.run("routes.lua", { router = { on_chang = print } }) end))
    assert.equal("goloader.serve.run: the path of a routes file or a router expected, got nil",
      raised(function() serve.run() end))
    assert.equal("goloader.router.new: there is no option hst; did you mean host?",
      raised(function() router.new { hst = host } end))
    assert.equal("purge: there is no option tags; did you mean tag?",
      raised(function() router.new():purge { tags = { "x" }, all = true } end))
  end)

  it("are known where a module is declared", function()
    local router = require "goloader.router"
    local app = router.new { host = host }
    assert.equal("module: there is no option redy; did you mean ready?",
      raised(function() app:module { source, redy = print } end))
    local file = support.write("routes.lua", ('\nmodule { %q, gcflag = "-N" }\n'):format(source))
    local ok, message = app:load(file)
    assert.is_nil(ok)
    assert.matches("routes%.lua:2: module: there is no option gcflag; did you mean gcflags%?$", message)
  end)

  it("of a build do for shipping, too", function()
    local options = { tags = "a,b", gcflags = "-N", private = true, imports = { deny = { "unsafe" } } }
    assert.equal(1, assert(host:build(source, options)).One())
    assert(host:ship(source, support.tmpdir() .. "/tiny.gom", options))
  end)
end)
