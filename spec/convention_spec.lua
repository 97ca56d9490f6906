-- What functions that users call return when they fail: nil, a message, and the error as an object; what calls of Go
-- return: nil and the object.

local goloader = require "goloader"
local router = require "goloader.router"
local support = require "spec.support"

-- what `assert` is outside of specs
local luas_assert = _G.assert

local host, shop, object

setup(function()
  host = support.host()
  shop = assert(host:build "spec/testdata/shop/shop.go")
  object = support.compile("spec/testdata/shop/shop.go", "shop")
end)

teardown(function()
  if shop:is_loaded() then assert(shop:unload()) end
  support.clean()
end)

-- The loader's own failure: three values, of which assert makes an error that is the message.
local function assert_fails(code, try)
  local value, message, err = try()
  assert.is_nil(value)
  assert.equal("string", type(message))
  assert.is_true(message ~= "")
  assert.equal(code, err.code, message)
  assert.equal(message, err.message)
  assert.equal(message, tostring(err))
  for _, method in ipairs { "is", "as", "unwrap" } do assert.equal("function", type(err[method])) end
  assert.equal(3, select("#", try()))
  local ok, raised = pcall(function() luas_assert(try()) end)
  assert.is_false(ok)
  assert.equal("string", type(raised))
end

describe("a function of goloader fails with nil, a message and an error:", function()
  it("host", function()
    assert_fails("host", function()
      return goloader.host { path = "/another/host.so" }
    end)
  end)

  it("manifest", function()
    assert_fails("io", function() return goloader.manifest "/no/such.gom" end)
    assert_fails("format", function() return goloader.manifest(object) end)
  end)

  it("nm and disasm", function()
    assert_fails("io", function() return goloader.nm "/no/such.o" end)
    assert_fails("io", function() return goloader.nm(object, "/no/such.desc") end)
    assert_fails("io", function() return goloader.disasm "/no/such.o" end)
    assert_fails("missing", function() return goloader.disasm(object, "main.none") end)
  end)

  it("host_path, default_host and launcher_path", function()
    local status, out, errors = support.lua([[
      local goloader = require "goloader"
      package.cpath = "/nowhere/?.so"
      for _, name in ipairs { "host_path", "default_host", "launcher_path" } do
        local path, message, err = goloader[name]()
        print(path, err.code, message == err.message, (pcall(function() assert(goloader[name]()) end)))
      end
    ]], "GOLOADER_HOST=")
    assert.equal(0, status, errors)
    assert.equal(("nil\thost\ttrue\tfalse\n"):rep(3), out)
  end)
end)

describe("a host's method fails with nil, a message and an error:", function()
  it("build", function()
    assert_fails("io", function() return host:build "/no/such.go" end)
    local broken = support.write("broken/broken.go", "package broken\n\nfunc F() { undefined() }\n")
    assert_fails("compile", function() return host:build(broken) end)
    local ok, raised = pcall(function() luas_assert(host:build(broken)) end)
    assert.is_false(ok)
    assert.matches("undefined: undefined", raised)
  end)

  it("build, with a policy of the host or of its own", function()
    assert_fails("policy", function()
      return host:build("spec/testdata/shop/shop.go", { imports = { deny = { "sort" } } })
    end)
    host:policy { deny = { "sort" } }
    assert_fails("policy", function() return host:build "spec/testdata/shop/shop.go" end)
    assert_fails("policy", function() return host:load(object) end)
    host:policy(nil)
  end)

  it("load", function()
    assert_fails("io", function() return host:load "/no/such.o" end)
    assert_fails("format", function() return host:load(support.write("no.o", "no object")) end)
    local used = assert(host:load(object))
    assert(used:unload())
    assert_fails("closed", function() return host:load(object, { uses = { used } }) end)
  end)

  it("ship", function()
    assert_fails("io", function() return host:ship("spec/testdata/shop/shop.go", "/no/such/x.gom") end)
    assert_fails("io", function() return host:ship("/no/such.go", support.tmpdir() .. "/x.gom") end)
  end)

  it("add_archive and toolchain, whose failures are made here", function()
    local status, out, errors = support.lua([[
      local toolchain = require "goloader.building.toolchain"
      toolchain.find = function() return nil, { code = "host", message = "none" } end
      local host = assert(require "goloader".host())
      local tools, message, err = host:toolchain()
      print(tools, message, err.code)
      print(select(2, host:build "spec/testdata/shop/shop.go"))
      host.core = { add_archive = function() return nil, { code = "memory", message = "short" } end }
      tools, message, err = host:add_archive("example.com/none", "none.a")
      print(tools, message, err.code)
    ]])
    assert.equal(0, status, errors)
    assert.equal("nil\tnone\thost\nnone\tnone\nnil\tshort\tmemory\n", out)
  end)
end)

describe("a module's method fails with nil, a message and an error:", function()
  it("disassemble and explain", function()
    assert_fails("missing", function() return shop:disassemble "Nobody" end)
    assert_fails("missing", function() return shop:explain "Nobody" end)
  end)

  it("instantiate", function()
    assert_fails("compile", function() return shop:instantiate "Nothing[int]" end)
    assert_fails("compile", function() return shop:instantiate "no name" end)
    local loaded = assert(host:load(object))
    assert_fails("unsupported", function() return loaded:instantiate "Max[int]" end)
    assert(loaded:unload())
  end)

  it("set_string", function()
    assert_fails("missing", function() return shop:set_string("main.nothing", "x") end)
  end)

  it("run_main", function()
    assert_fails("missing", function() return shop:run_main {} end)
  end)

  it("unload", function()
    local gone = assert(host:load(object))
    assert(gone:unload())
    assert_fails("closed", function() return gone:unload() end)
  end)
end)

describe("the router's functions fail with nil, a message and an error:", function()
  it("load", function()
    local app = router.new { host = host }
    assert_fails("lua", function() return app:load "/no/such/routes.lua" end)
    assert_fails("lua", function() return app:load(support.write("routes.lua", "oops(")) end)
    assert_fails("io", function() return app:load(support.write("lost.lua", 'module "lost.go"')) end)
  end)

  it("module, and a slot's reload", function()
    local app = router.new { host = host, root = support.tmpdir() }
    assert_fails("io", function() return app:module "lost.go" end)
    local file = support.write("page/page.go", "package page\n\nfunc F() int { return 1 }\n")
    local slot = assert(app:module "page/page.go")
    support.write("page/page.go", "package page\n\nfunc F() int { return none }\n")
    assert_fails("compile", function() return slot:reload() end)
    os.remove(file)
    assert.is_true(app:close())
  end)

  it("and a handler may hand on such a failure", function()
    local logged
    local app = router.new { host = host, log = function(line) logged = line end }
    app:route("GET", "/", function() return host:build "/no/such.go" end)
    local res = app:handle "/"
    assert.equal(500, res.status)
    assert.equal("io", res.err.code)
    assert.matches("^GET /: /no/such.go: No such file", logged)
  end)
end)

describe("in the place of a Go function's results", function()
  it("stand nil and the error itself", function()
    local value, err, more = shop.Find "nothing"
    assert.is_nil(value)
    assert.equal("go", err.code)
    assert.equal(err.message, tostring(err))
    assert.equal("function", type(err.is))
    assert.is_nil(more)
  end)

  it("so they do when a job is waited for", function()
    local jobs = assert(host:build "spec/testdata/jobs/jobs.go")
    local value, err, more = jobs.Repeat:async({}, -1):wait()
    assert.is_nil(value)
    assert.equal("go", err.code)
    assert.is_nil(more)
    local job = jobs.Block:async(1)
    value, err, more = job:wait(0)
    assert.is_nil(value)
    assert.equal("timeout", err.code)
    assert.is_nil(more)
    assert_fails("unsupported", function() return job:cancel() end)
    assert.is_true(support.eventually(function() return jobs.Blocked() == 1 end))
    jobs.Release()
    job:wait()
    assert.is_true(support.eventually(function() return jobs:unload() end))
  end)
end)

describe("nothing in goloader", function()
  it("branches on the text of a message", function()
    local _, names = support.run { "find", "lua/goloader", "-name", "*.lua" }
    for name in names:gmatch "[^\n]+" do
      local at = 0
      for line in (support.read(name) .. "\n"):gmatch "([^\n]*)\n" do
        at = at + 1
        local branches = (line:find "^%s*if " or line:find " and " or line:find " or ")
          and (line:find "message:find" or line:find "message:match" or line:find "message ==")
        assert.falsy(branches, ("%s:%d: %s"):format(name, at, line))
      end
    end
  end)
end)
