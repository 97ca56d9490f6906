-- The router's own behaviour, with a host made of Lua: what a module exports and what its functions do is said by each
-- test. That the real host fits is shown by the example and by the specs of the whole path.

local fakehost = require "spec.fakehost"
local router = require "goloader.router"
local routesfile = require "spec.routesfile"
local visits = require "goloader.reload.visits"

local fake_host, fake_module, page = fakehost.new, fakehost.module, fakehost.page
local temporary, write = routesfile.temporary, routesfile.write
local unpack = rawget(table, "unpack") or unpack

describe("a router", function()
  local now, logged, changes

  local function new(host, options)
    options = options or {}
    options.host = host
    options.clock = function() return now end
    options.log = function(line) logged[#logged + 1] = line end
    options.on_change = function(change) changes[#changes + 1] = change end
    return router.new(options)
  end

  local function load(app, text)
    return app:load(temporary(text))
  end

  before_each(function()
    now, logged, changes = 0, {}, {}
  end)

  teardown(routesfile.clean)

  describe("finds a route", function()
    local function routes(...)
      local app = new()
      for _, pattern in ipairs { ... } do
        app:route("GET", pattern, function(req)
          local parts = { pattern }
          for _, name in ipairs(req.route.names) do parts[#parts + 1] = name .. "=" .. req.params[name] end
          return table.concat(parts, " ")
        end)
      end
      return function(path)
        local res = app:handle(path)
        return res.status == 200 and res.body or res.status
      end
    end

    it("by its literal segments", function()
      local at = routes("/", "/list", "/list/", "/list/all")
      assert.equal("/", at "/")
      assert.equal("/list", at "/list")
      assert.equal("/list/", at "/list/")
      assert.equal("/list/all", at "/list/all")
      assert.equal(404, at "/lis")
      assert.equal(404, at "/list/all/more")
      assert.equal(404, at "")
      assert.equal(404, at "list")
    end)

    it("with parameters, decoded", function()
      local at = routes("/list/:category", "/list/:category/:id/edit")
      assert.equal("/list/:category category=phones", at "/list/phones")
      assert.equal("/list/:category category=a b/c+d", at "/list/a%20b%2Fc+d")
      assert.equal("/list/:category category=50%", at "/list/50%")
      assert.equal("/list/:category/:id/edit category=x id=7", at "/list/x/7/edit")
      assert.equal(404, at "/list/")
      assert.equal(404, at "/list/x/7")
    end)

    it("with the rest of the path", function()
      local at = routes("/static/*path", "/:a/:b")
      assert.equal("/static/*path path=css/page.css", at "/static/css/page.css")
      assert.equal("/static/*path path=", at "/static/")
      assert.equal("/:a/:b a=x b=y", at "/x/y")
    end)

    it("the most literal one first, turning back where that leads nowhere", function()
      local at = routes("/:a/new", "/list/:b", "/list/:b/x", "/*rest", "/list/all/y")
      assert.equal("/list/:b b=new", at "/list/new")
      assert.equal("/:a/new a=shop", at "/shop/new")
      assert.equal("/list/:b/x b=all", at "/list/all/x")
      assert.equal("/list/all/y", at "/list/all/y")
      assert.equal("/*rest rest=list/all/z", at "/list/all/z")
    end)

    it("of the request's method", function()
      local app = new()
      app:route("GET", "/a", function() return "got" end)
      app:route("POST", "/:any", function(req) return "posted " .. req.params.any end)
      assert.equal("got", app:handle("/a").body)
      assert.equal("posted a", app:handle { method = "POST", path = "/a" }.body)
      local res = app:handle { method = "DELETE", path = "/a" }
      assert.equal(405, res.status)
      assert.equal("GET, POST", res.headers.Allow)
      assert.equal(404, app:handle { method = "DELETE", path = "/a/b" }.status)
    end)

    it("and answers HEAD as GET without the body", function()
      local app = new()
      app:route("GET", "/a", function() return "got", 200, { ["X-A"] = "1" } end)
      local res = app:handle { method = "HEAD", path = "/a" }
      assert.same({ 200, "", "1" }, { res.status, res.body, res.headers["X-A"] })
    end)
  end)

  describe("takes what a Lua handler returns:", function()
    local function answer(...)
      local values, n, app = { ... }, select("#", ...), new()
      app:route("GET", "/", function() return unpack(values, 1, n) end)
      return app:handle "/"
    end

    it("a text is a page", function()
      local res = answer "<p>"
      assert.same({ 200, "<p>", "text/html; charset=utf-8" }, { res.status, res.body, res.headers["Content-Type"] })
    end)

    it("a text, a status, headers", function()
      local res = answer("no", 404, { ["Content-Type"] = "text/plain" })
      assert.same({ 404, "no", "text/plain" }, { res.status, res.body, res.headers["Content-Type"] })
    end)

    it("a status alone", function()
      local res = answer(nil, 304)
      assert.same({ 304, "" }, { res.status, res.body })
    end)

    it("nothing", function()
      assert.equal(204, answer().status)
    end)

    it("a table is JSON", function()
      local res = answer { 1, 2 }
      assert.same({ "[1,2]", "application/json" }, { res.body, res.headers["Content-Type"] })
      assert.equal("false", answer(false).body)
    end)

    it("nil and an error is a failure, whose text stays inside", function()
      local res = answer(nil, "disk full")
      assert.same({ 500, "disk full" }, { res.status, res.err })
      assert.is_nil(res.body:find("disk", 1, true))
      assert.truthy(logged[1]:find("GET /: disk full", 1, true))
    end)
  end)

  it("answers 500 when a handler raises, and logs where", function()
    local app = new()
    app:route("GET", "/", function() error("broken here") end)
    local res = app:handle "/"
    assert.equal(500, res.status)
    assert.is_nil(res.body:find("broken", 1, true))
    assert.truthy(logged[1]:find("broken here", 1, true))
    assert.truthy(logged[1]:find("stack traceback", 1, true))
  end)

  it("asks the route's on_error, then the one of all routes, then answers itself", function()
    local app = new()
    assert(load(app, [[
      on_error(function(err) if err == "known" then return "all", 503 end end)
      get "/own" { function() return nil, "mine" end, on_error = function(err, req) return err .. req.path, 404 end }
      get "/all" { function() return nil, "known" end, on_error = function() end }
      get "/raised" { function() error("known", 0) end }
      get "/none" { function() return nil, "unknown" end }
      get "/bad" { function() return nil, "mine" end, on_error = function() error("handler of errors") end }
    ]]))
    local function got(path)
      local res = app:handle(path)
      return { res.status, res.body }
    end
    assert.same({ 404, "mine/own" }, got "/own")
    assert.same({ 503, "all" }, got "/all")
    assert.same({ 503, "all" }, got "/raised")
    assert.equal(500, got("/none")[1])
    assert.equal(500, got("/bad")[1])
    assert.truthy(logged[2]:find("handler of errors", 1, true))
  end)

  it("decodes the query string when asked", function()
    local app, args = new(), nil
    app:route("GET", "/", function(req)
      args = req.args
      return req.query
    end)
    assert.equal("a=1&b=x+y%26z&a=2&flag&=odd", app:handle("/?a=1&b=x+y%26z&a=2&flag&=odd").body)
    assert.same({ a = { "1", "2" }, b = "x y&z", flag = "", odd = "" }, args)
  end)

  it("runs filters in order, those of all routes first, until one answers", function()
    local app = new()
    assert(load(app, [[
      before(function(req) req.seen = "all" end)
      get "/a" {
        function(req) return req.seen end,
        before = {
          function(req) req.seen = req.seen .. ",1" end,
          function(req) if req.args.stop then return "stopped", 403 end end,
          function(req) req.seen = req.seen .. ",3" end,
        },
        cache = "1m",
      }
    ]]))
    assert.equal("all,1,3", app:handle("/a").body)
    local res = app:handle "/a?stop"
    assert.same({ 403, "stopped" }, { res.status, res.body })
    assert.is_nil(res.cached)
    assert.is_nil(app:handle("/a?stop").cached)
    assert.is_true(app:handle("/a").cached)
  end)

  describe("fills a Go function's parameters by name:", function()
    local function bound(params, pattern)
      local module = fake_module { F = { params, "string", function() return "ok" end } }
      local app = new(fake_host(module))
      local ok, err = load(app, ('local m = module "m.go"; get %q { m.F }; post %q { m.F }'):format(pattern, pattern))
      return function(address, body)
        local before = #module.calls
        local res = app:handle { method = body and "POST" or "GET", path = address, body = body }
        local call = #module.calls > before and module.calls[#module.calls]
        if not call then return res.status, res.body end
        return unpack(call, 2, call.n + 1)
      end, ok, err
    end

    it("from the address, the query string and the request", function()
      local call = bound("category string, query string, path string, method string", "/list/:category")
      assert.same({ "a b", "x=1&y=2", "/list/a%20b", "GET" }, { call "/list/a%20b?x=1&y=2" })
      call = bound("body []uint8, n int", "/:n")
      assert.same({ "bytes", 7 }, { call("/7", "bytes") })
    end)

    it("a capture goes before the request's own", function()
      local call = bound("query string", "/find/:query")
      assert.equal("phones", (call "/find/phones?x=1"))
    end)

    it("numbers, booleans and lists from the query string", function()
      local call = bound("n int, f float64, b bool, l []string, s string, u uint8", "/")
      assert.same({ -5, 1.5, true, { "a", "b" }, "x y", 255 }, { call "/?n=-5&f=1.5&b=on&l=a&l=b&s=x+y&u=255" })
      assert.same({ 0, 0, false, {}, "", 0 }, { call "/" })
      assert.same({ 0, 0, false, { "" }, "", 0 }, { call "/?n=&f=&b=&l=&s=&u=" })
      assert.same({ 5, 1e3, false, { "a" }, "1", 7 }, { call "/?n=%2B5&f=1e3&b=false&l=a&s=1&s=2&u=7&u=8" })
    end)

    for query, message in pairs {
      ["n=two"] = "n must be a whole number",
      ["n=1.5"] = "n must be a whole number",
      ["n=0x10"] = "n must be a whole number",
      ["n=9007199254740993000"] = "n must be a whole number from -9007199254740992 to 9007199254740992",
      ["u=256"] = "u must be a whole number from 0 to 255",
      ["u=-1"] = "u must be a whole number from 0 to 255",
      ["f=nan"] = "f must be a number",
      ["f=1e999"] = "f must be a number",
      ["f=0x1p4"] = "f must be a number",
      ["b=maybe"] = "b must be true or false",
    } do
      it("a visitor who sends " .. query .. " gets status 400", function()
        local call = bound("n int, u uint8, f float64, b bool", "/")
        assert.same({ 400, message .. "\n" }, { call("/?" .. query) })
        assert.equal(0, #logged)
      end)
    end

    for params, message in pairs {
      ["q main.Query"] = "can't fill parameter q (main.Query)",
      ["w io.Writer"] = "can't fill parameter w (io.Writer)",
      ["_ string"] = "can't fill parameter _ (string)",
      ["data []uint8"] = "can't fill parameter data ([]uint8)",
    } do
      it("a declaration with " .. params .. " is refused", function()
        local _, ok, err = bound(params, "/")
        assert.is_nil(ok)
        assert.truthy(err:find(message, 1, true), err)
      end)
    end

    it("a function without a known signature is refused", function()
      local module = fake_module { F = { "", "", function() end, typed = false } }
      local ok, err = load(new(fake_host(module)), 'get "/" { module("m.go").F }')
      assert.is_nil(ok)
      assert.truthy(err:find("m.go.F has no known signature", 1, true))
      assert.is_true(module.gone)
    end)
  end)

  describe("takes what a Go function returns:", function()
    local function answer(results, ...)
      local values, n = { ... }, select("#", ...)
      local app = new(fake_host(fake_module { F = { "", results, function() return unpack(values, 1, n) end } }))
      local ok, err = load(app, 'get "/" { module("m.go").F }')
      if not ok then return err end
      return app:handle "/"
    end

    it("a value, or an error", function()
      assert.equal("page", answer("string, error", "page").body)
      assert.equal(500, answer("string, error", nil, { message = "no" }).status)
    end)

    it("an error alone", function()
      assert.equal(204, answer("error", true).status)
      assert.equal(500, answer("error", nil, { message = "no" }).status)
    end)

    it("slices, maps and numbers as JSON", function()
      assert.equal('["a"]', answer("[]string", { "a" }).body)
      assert.equal("[]", answer("[]string", {}).body)
      assert.equal("{}", answer("map[string]int", {}).body)
      assert.equal("42", answer("int", 42).body)
      assert.equal("true", answer("bool", true).body)
    end)

    it("two values are too many", function()
      assert.truthy(answer("string, int, error"):find("an answer is one value", 1, true))
    end)
  end)

  describe("keeps answers", function()
    it("until they are old, by path and query", function()
      local count, app = 0, new()
      app:route("GET", "/:x", { function(req)
        count = count + 1
        return req.params.x .. req.query .. count
      end, cache = "30s" })
      assert.equal("a1", app:handle("/a").body)
      local again = app:handle "/a"
      assert.same({ "a1", true }, { again.body, again.cached })
      assert.equal("aq2", app:handle("/a?q").body)
      assert.equal("b3", app:handle("/b").body)
      now = 30
      assert.equal("a4", app:handle("/a").body)
      assert.equal(1, app:cache_stats()["GET /:x"].hits)
    end)

    it("but no failures, redirects or answers of filters", function()
      local app = new()
      local statuses = { ["/302"] = 302, ["/404"] = 404 }
      app:route("GET", "/:x", { function(req)
        if req.path == "/fail" then return nil, "no" end
        return "x", statuses[req.path]
      end, cache = "30s" })
      for _, path in ipairs { "/302", "/404", "/fail" } do
        app:handle(path)
        assert.is_nil(app:handle(path).cached)
      end
    end)

    it("under a key of the route's own, or not at all", function()
      local app = new()
      app:route("GET", "/", { function(req) return req.query end, cache = { ttl = "30s", key = function(req)
        return req.args.user
      end } })
      assert.equal("user=a&n=1", app:handle("/?user=a&n=1").body)
      assert.equal("user=a&n=1", app:handle("/?user=a&n=2").body)
      app:handle("/?n=3")
      assert.is_nil(app:handle("/?n=3").cached)
    end)

    it("no more than the route has room for", function()
      local app = new()
      app:route("GET", "/:x", { function() return "x" end, cache = { ttl = "30s", size = 2 } })
      for i = 1, 5 do app:handle("/" .. i) end
      assert.equal(2, app:cache_stats()["GET /:x"].entries)
    end)
  end)

  describe("swaps a module", function()
    local function setup(routes, ...)
      local source = temporary "package main\n"
      local host = fake_host(...)
      local app = new(host)
      assert(load(app, (routes:gsub("SOURCE", source))))
      local edits = 0
      return app, function(pause)
        edits = edits + 1
        write(source, "package main\n" .. ("// edited\n"):rep(edits))
        return app:poll(pause)
      end, host
    end

    local ONE = 'm = module "SOURCE"; get "/" { m.F, cache = "1h" }'

    it("when its file changes, not before", function()
      local old, new_module = fake_module { F = page "one" }, fake_module { F = page "two" }
      local app, edit = setup(ONE, old, new_module)
      assert.equal("one", app:handle("/").body)
      assert.equal(0, (app:poll()))
      assert.equal("one", app:handle("/").body)
      assert.equal(1, (edit()))
      assert.equal("two", app:handle("/").body)
      assert.is_true(old.gone)
      assert.is_nil(new_module.gone)
      assert.equal(0, (app:poll()))
    end)

    it("and tells of each step", function()
      local app, edit = setup(ONE, fake_module { F = page "one" }, fake_module { F = page "two" })
      edit()
      app:close()
      local told = {}
      for i, change in ipairs(changes) do told[i] = change.what .. " " .. change.version end
      assert.same({ "loaded 1", "swapped 2", "unloaded 1", "unloaded 2" }, told)
    end)

    it("and drops the pages it made, but no others", function()
      local app, edit = setup(ONE .. '; get "/own" { function() return "own" end, cache = "1h" }',
        fake_module { F = page "one" }, fake_module { F = page "two" })
      app:handle "/"
      app:handle "/own"
      assert.is_true(app:handle("/").cached)
      edit()
      local res = app:handle "/"
      assert.same({ "two" }, { res.body, res.cached })
      assert.is_true(app:handle("/own").cached)
    end)

    it("and drops the pages of Lua handlers that called it", function()
      local app, edit = setup('m = module "SOURCE"; get "/" { function() return "lua " .. m.F() end, cache = "1h" }',
        fake_module { F = page "one" }, fake_module { F = page "two" })
      assert.equal("lua one", app:handle("/").body)
      assert.is_true(app:handle("/").cached)
      edit()
      assert.equal("lua two", app:handle("/").body)
    end)

    local SLOW = [[
      m = module "SOURCE"
      get "/slow" { function() local a = m.F(); coroutine.yield("waiting"); return a .. " " .. m.F() end, cache = "1h" }
      get "/fast" { m.F }
      get "/late" { function() coroutine.yield("waiting"); return m.F() end }
    ]]

    local function start(app, path)
      local request = coroutine.create(function() return app:handle(path) end)
      assert.same({ true, "waiting" }, { coroutine.resume(request) })
      return function()
        local ok, res = coroutine.resume(request)
        assert.is_true(ok)
        return res.body
      end
    end

    it("under requests in flight, which end on the version they began with", function()
      local old = fake_module { F = page "one" }
      local app, edit = setup(SLOW, old, fake_module { F = page "two" })
      local finish_a, finish_b, finish_late = start(app, "/slow"), start(app, "/slow?b"), start(app, "/late")
      edit()
      assert.equal("two", app:handle("/fast").body)
      assert.is_nil(old.gone)
      assert.equal("one one", finish_a())
      assert.is_nil(old.gone)
      assert.equal("one one", finish_b())
      assert.is_true(old.gone)
      -- it had not used the module yet when that was swapped
      assert.equal("two", finish_late())
    end)

    it("and does not keep the page of a request that began before", function()
      local app, edit = setup(SLOW, fake_module { F = page "one" }, fake_module { F = page "two" })
      local finish = start(app, "/slow")
      edit()
      assert.equal("one one", finish())
      assert.equal("two two", start(app, "/slow")())
    end)

    it("and frees the old version when a request is dropped in the middle", function()
      local old = fake_module { F = page "one" }
      local app, edit = setup(SLOW, old, fake_module { F = page "two" })
      do start(app, "/slow") end
      edit()
      collectgarbage()
      collectgarbage()
      app:poll()
      assert.is_true(old.gone)
    end)

    it("while a request fails half way through, without holding the old version", function()
      local old = fake_module { F = page "one" }
      local app, edit = setup([[
        m = module "SOURCE"
        get "/" { function() m.F(); coroutine.yield("waiting"); error("half way") end }
      ]], old, fake_module { F = page "two" })
      local finish = start(app, "/")
      edit()
      finish()
      assert.is_true(old.gone)
      assert.truthy(logged[1]:find("half way", 1, true))
    end)

    it("while requests go on during the build", function()
      local app, edit = setup(ONE, fake_module { F = page "one" }, fake_module { F = page "two" })
      local seen = {}
      edit(function() seen[#seen + 1] = app:handle("/").body end)
      assert.same({ "one" }, seen)
      assert.equal("two", app:handle("/").body)
    end)

    it("once, however often it is asked meanwhile", function()
      local app, edit, host = setup(ONE, fake_module { F = page "one" }, fake_module { F = page "two" })
      local inner
      edit(function() inner = { app.slots[1]:reload() } end)
      assert.is_nil(inner[1])
      assert.truthy(inner[2]:find("is being loaded already", 1, true))
      assert.equal(2, #host.builds)
    end)

    it("unless the new one does not compile", function()
      local old = fake_module { F = page "one" }
      local app, edit, host = setup(ONE, old, "list.go:7: undefined: x", fake_module { F = page "three" })
      local swapped, failed = edit()
      assert.equal(0, swapped)
      assert.equal("list.go:7: undefined: x", failed[app.slots[1]].message)
      assert.equal("one", app:handle("/").body)
      assert.equal("kept", changes[2].what)
      app:poll()
      assert.equal(2, #host.builds) -- it is not tried again until it changes again
      edit()
      assert.equal("three", app:handle("/").body)
      assert.is_true(old.gone)
    end)

    it("unless the new one is not ready", function()
      for _, ready in ipairs {
        'function(m) if m.Bad then return nil, "no catalogue" end end',
        'function(m) if m.Bad then error("no catalogue", 0) end return 20000 end',
      } do
        local old, bad = fake_module { F = page "one" }, fake_module { F = page "two", Bad = 1 }
        local app, edit = setup(('m = module { "SOURCE", ready = %s }; get "/" { m.F }'):format(ready), old, bad)
        local _, failed = edit()
        assert.equal("no catalogue", tostring(failed[app.slots[1]]))
        assert.equal("one", app:handle("/").body)
        assert.is_true(bad.gone)
        assert.is_nil(old.gone)
      end
    end)

    it("unless a route could not call the new one", function()
      for _, exports in ipairs {
        { G = page "two" },
        { F = { "q main.Query", "string", function() end } },
        { F = "now a variable" },
      } do
        local old, bad = fake_module { F = page "one" }, fake_module(exports)
        local app, edit = setup(ONE, old, bad)
        local swapped = edit()
        assert.equal(0, swapped)
        assert.equal("kept", changes[2].what)
        assert.truthy(changes[2].err.message:find("GET /: ", 1, true), changes[2].err.message)
        assert.equal("one", app:handle("/").body)
        assert.is_true(bad.gone)
      end
    end)

    it("with other parameters when a route can fill them too", function()
      local app, edit = setup('m = module "SOURCE"; get "/:id" { m.F }',
        fake_module { F = { "id string", "string", function(id) return "text " .. id end } },
        fake_module { F = { "n int, id int", "int", function(n, id) return n + id end } })
      assert.equal("text 7", app:handle("/7").body)
      edit()
      assert.equal("10", app:handle("/7?n=3").body)
    end)

    it("and asks again for the unloading of a busy one", function()
      local busy = true
      local old = fake_module({ F = page "one" }, function()
        return not busy, { message = "goroutine 7 is in main.F" }
      end)
      local app, edit = setup(ONE, old, fake_module { F = page "two" })
      edit()
      assert.is_nil(old.gone)
      app:poll()
      app:poll()
      local told = {}
      for i, change in ipairs(changes) do told[i] = change.what end
      assert.same({ "loaded", "swapped", "busy" }, told)
      assert.equal("goroutine 7 is in main.F", changes[3].err.message)
      busy = false
      app:poll()
      assert.is_true(old.gone)
      assert.same({ 0, 0 }, { app.slots[1]:waiting() })
    end)

    it("many times, holding nothing back", function()
      local modules = {}
      for i = 1, 200 do modules[i] = fake_module { F = page("page " .. i) } end
      local app, _, host = setup(SLOW, unpack(modules))
      for i = 2, 200 do
        local finish = start(app, "/slow")
        assert.is_true(app.slots[1]:reload())
        assert.equal(("page %d page %d"):format(i - 1, i - 1), finish())
        assert.is_true(modules[i - 1].gone)
        assert.equal(1, modules[i - 1].unloads)
      end
      assert.equal(200, #host.builds)
    end)
  end)

  describe("has modules whose", function()
    it("variables are read and written", function()
      local module = fake_module { F = page "x", PerPage = 24 }
      local app = new(fake_host(module))
      assert(load(app, 'm = module "m.go"; get "/" { function() m.PerPage = m.PerPage + 1; return m.PerPage end }'))
      assert.equal("25", app:handle("/").body)
      assert.equal(25, module.PerPage)
    end)

    it("missing exports are named", function()
      local ok, err = load(new(fake_host(fake_module { F = page "x" })), 'module("m.go").Rendr()')
      assert.is_nil(ok)
      assert.truthy(err:find("m.go exports no Rendr", 1, true), err)
    end)

    it("functions have methods", function()
      local app = new(fake_host(fake_module { F = page "x" }))
      local slot = assert(app:module "m.go")
      local callable = setmetatable({ map = function(_, ids) return #ids end }, {
        __call = function() return "called" end,
      })
      slot.version.functions.F = callable
      assert.equal(3, slot.F:map { 1, 2, 3 })
      assert.equal("called", slot.F())
      assert.equal("m.go: F", tostring(slot.F))
    end)

    it("paths start at the routes file's folder, or at the root", function()
      local host = fake_host(fake_module {}, fake_module {}, fake_module {}, fake_module {})
      local file = temporary [[
        module "list.go"; module "/abs/shop"; module { "sub/x.go", gcflags = "-N" }; module "list.go"
      ]]
      assert(new(host):load(file))
      local folder = file:match "^(.*)/"
      assert.equal(folder .. "/list.go", host.builds[1].path)
      assert.equal("/abs/shop", host.builds[2].path)
      assert.equal(folder .. "/sub/x.go", host.builds[3].path)
      assert.equal("-N", host.builds[3].options.gcflags)
      assert.equal(3, #host.builds)
      assert(new(host, { root = "build" }):load(temporary 'module "list.o"'))
      assert.equal("build/list.o", host.loaded)
      local app = new(nil, { root = "build" })
      assert(load(app, 'local at = root; get "/" { function() return at end }'))
      assert.equal("build", app:handle("/").body)
    end)

    it("calls after close raise", function()
      local module = fake_module { F = page "x" }
      local app = new(fake_host(module))
      assert(load(app, 'm = module "m.go"; get "/" { m.F }'))
      assert.is_true(app:close())
      assert.is_true(module.gone)
      assert.equal(500, app:handle("/").status)
      assert.truthy(logged[1]:find("m.go: the module is closed", 1, true))
    end)
  end)

  it("leaves nothing of a routes file that fails", function()
    local one, two = fake_module { F = page "one" }, fake_module { F = page "two" }
    local app = new(fake_host(one, two))
    assert(load(app, 'get "/kept" { module("/a.go").F }'))
    local ok, err = load(app, 'get "/lost" { module("/b.go").F }; before(function() return "no" end); oops()')
    assert.is_nil(ok)
    assert.truthy(err:find("oops", 1, true))
    assert.equal("one", app:handle("/kept").body)
    assert.equal(404, app:handle("/lost").status)
    assert.is_true(two.gone)
    assert.is_nil(one.gone)
  end)

  it("swaps modules of earlier routes files too", function()
    local source = temporary "package main"
    local app = new(fake_host(fake_module { F = page "one" }, fake_module {}, fake_module { F = page "three" }))
    assert(load(app, ('get "/a" { module(%q).F, cache = "1h" }'):format(source)))
    assert(load(app, 'module "/b.go"; get "/b" { function() return "b" end }'))
    assert.equal("one", app:handle("/a").body)
    write(source, "package main // edited")
    assert.equal(1, (app:poll()))
    assert.equal("three", app:handle("/a").body)
  end)

  describe("refuses a declaration that makes no sense:", function()
    for text, message in pairs {
      ['get "list" { print }'] = "a pattern starts with /",
      ['get "/" {}'] = "a handler expected, got nil",
      ['get "/" { "text" }'] = "a handler expected, got string",
      ['get "/" { print, cahce = "30s" }'] = "there is no option cahce",
      ['get "/" { print, cache = "soon" }'] = '"soon" is not a duration',
      ['get "/" { print, cache = { size = 0 } }'] = "size must be a whole number",
      ['post "/" { print, cache = "30s" }'] = "only the answers of GET can be kept",
      ['get "/" { print, before = print }'] = "before must be a table",
      ['get "/" { print, before = { "auth" } }'] = "before[1] must be a Lua function",
      ['get "/:a/:a" { print }'] = "a stands there twice",
      ['get "/*rest/x" { print }'] = "*rest must stand at the end",
      ['get "/:" { print }'] = 'what ":" stands for has no name: ":id", say',
      ['get "/a/*" { print }'] = 'what "*" stands for has no name: "*rest", say',
      ['get "/:a-b" { print }'] = '":a-b" is not a name',
      ['get "/a" { print }; get "/a" { print }'] = "declares GET /a already",
      ['module "list.go"'] = "made without a host",
      ['get "/"'] = nil,
    } do
      it(text, function()
        local ok, err = load(new(), "\n" .. text)
        assert.is_nil(ok)
        assert.truthy(err:find(message, 1, true), err)
        assert.truthy(err:find(":2:", 1, true) or message == "made without a host", err)
      end)
    end

    it("and tells of a routes file that is not there, or is no Lua", function()
      assert.truthy(select(2, new():load "/nowhere/routes.lua"):find("/nowhere/routes.lua", 1, true))
      assert.is_nil((load(new(), "get get")))
    end)
  end)

  it("keeps what a routes file defines to itself", function()
    assert(load(new(), "leaked = 1"))
    assert.is_nil(rawget(_G, "leaked"))
  end)
end)

describe("a visit", function()
  it("within another one is another one", function()
    local outer, key = visits.enter()
    local inner, inner_key = visits.enter()
    assert.not_equal(outer, inner)
    visits.leave(inner, inner_key)
    visits.leave(outer, key)
  end)
end)
