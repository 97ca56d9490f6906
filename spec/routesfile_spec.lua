-- Splits, limits, mounts, filters, reloads and mistakes: what routes files say of handlers, and how they are read.

local fakehost = require "spec.fakehost"
local routesfile = require "spec.routesfile"
local split = require "goloader.routes.split"
local units = require "goloader.units"

local asking, load, mistakes, new, temporary, write =
  routesfile.asking, routesfile.load, routesfile.mistakes, routesfile.new, routesfile.temporary, routesfile.write
local unpack = rawget(table, "unpack") or unpack

local page = fakehost.page

describe("a routes file", function()
  teardown(routesfile.clean)

  describe("splits visitors", function()
    local function shares(n, arms, by)
      local app = load(([[
        get "/" { split = { %s, by = %s } }
      ]]):format(arms, by))
      local count = {}
      for i = 1, n do
        local body = app:handle { path = "/?user=" .. i, headers = { ["x-user"] = "user" .. i } }.body
        count[body] = (count[body] or 0) + 1
      end
      return count
    end
    local TWO = '{ function() return "a" end, weight = 90 }, { function() return "b" end, weight = 10 }'

    it("by weight", function()
      for _, by in ipairs { '"header X-User"', '"query user"', "nil", "function(req) return req.args.user end" } do
        local count = shares(4000, TWO, by)
        assert.is_true(count.a > 3480 and count.a < 3720, by .. ": " .. count.a)
        assert.equal(4000, count.a + count.b)
      end
    end)

    it("and the same key always has the same arm", function()
      -- the numbers are the same on every Lua and every machine
      assert.equal("0.315785 0.158005 0.361209", ("%.6f %.6f %.6f"):format(split.fraction "", split.fraction "user1",
        split.fraction "user2"))
      local app = load('get "/" { split = { ' .. TWO .. ', by = "query user" } }')
      for i = 1, 100 do
        local path = "/?user=" .. i
        assert.equal(app:handle(path).body, app:handle(path).body)
      end
    end)

    it("and few change sides when weights change", function()
      local moved = 0
      for i = 1, 1000 do
        local at = split.fraction("user" .. i)
        if (at < 0.90) ~= (at < 0.95) then moved = moved + 1 end
      end
      assert.is_true(moved > 20 and moved < 90, tostring(moved))
    end)

    it("and a cookie keeps a visitor where he is", function()
      local app = load('get "/" { split = { ' .. TWO .. ', by = "cookie canary" }, cache = "1m" }')
      for _ = 1, 30 do
        local first = app:handle "/"
        local id = first.headers["Set-Cookie"]:match "^canary=(%w+); Path=/"
        for _ = 1, 3 do
          local again = app:handle { path = "/", headers = { Cookie = "canary=" .. id } }
          assert.same({ first.body }, { again.body, again.headers["Set-Cookie"] })
        end
      end
      -- an id that could do harm in a header is replaced
      assert.truthy(app:handle { path = "/", headers = { Cookie = "canary=a\r\nb" } }.headers["Set-Cookie"])
    end)

    it("between modules", function()
      local one, two = fakehost.module { F = page "one" }, fakehost.module { F = page "two" }
      local app = load([[
        get "/" { split = { { module("a.go").F, weight = 0 }, { module("b.go").F, name = "canary" } } }
      ]], one, two)
      assert.equal("two", app:handle("/").body)
    end)

    for text, message in pairs {
      ["{ print }"] = "two arms or more",
      ["{ print, { print, wieght = 1 } }"] = "did you mean weight?",
      ["{ print, { weight = 1 } }"] = "split[2]: a handler expected",
      ["{ { print, weight = 0 }, { print, weight = 0 } }"] = "all weights are 0",
      ["{ { print, weight = -1 }, print }"] = "weight must be a number from 0",
      ['{ print, print, by = "canary" }'] = 'by is "cookie NAME"',
      ['{ { print, name = "a" }, { print, name = "a" } }'] = "two arms called a",
      ["{ print, print, sticky = true }"] = "there is no option sticky",
    } do
      it("and refuses " .. text, function()
        local told = mistakes(('get "/" { split = %s }'):format(text))
        assert.truthy(told:find(message, 1, true), told)
      end)
    end
  end)

  describe("limits", function()
    it("bodies", function()
      local app = load [[
        post "/" { function(req) return #req.body .. "" end, max_body = "1k" }
        error_page(413, "too much")
      ]]
      local function post(body, headers)
        local res = app:handle { method = "POST", path = "/", body = body, headers = headers }
        return res.body
      end
      assert.equal("1024", post(("x"):rep(1024)))
      assert.equal("too much", post(("x"):rep(1025)))
      assert.equal("too much", post("x", { ["Content-Length"] = "2000" }))
    end)

    it("the time of Go functions that take a context", function()
      local contexts = {}
      local module = fakehost.module {
        F = { "ctx context.Context, n int", "string", function(ctx, n)
          contexts[#contexts + 1] = ctx or "none"
          return tostring(n)
        end },
        Late = { "ctx context.Context", "string, error", function()
          return nil, require("goloader.errors").object {
            code = "timeout", message = "context deadline exceeded", type = "context.deadlineExceededError",
          }
        end },
      }
      local app = load([[
        m = module "m.go"
        get "/a" { m.F, timeout = "250ms" }
        get "/b" { m.F }
        get "/late" { m.Late, timeout = "2s" }
        get "/else" { m.Late }
      ]], module)
      assert.equal("7", app:handle("/a?n=7").body)
      app:handle "/b"
      assert.same({ 0.25, "none" }, contexts)
      assert.equal(504, app:handle("/late").status)
      assert.equal(500, app:handle("/else").status)
    end)

    it("the time of functions that wait, which are jobs", function()
      local app = load('get "/" { module("m.go").F, waits = true, timeout = "1s" }',
        fakehost.module { F = { "n int", "string, error", function() end } })
      local waited, cancelled, finished
      app.slots[1].version.functions.F = { async = function(_, n)
        return {
          wait = function(_, seconds)
            waited = seconds
            if finished then return "job " .. n end
            return nil, require("goloader.errors").object { code = "timeout", message = "F has not finished in time" }
          end,
          done = function() return finished end,
          cancel = function() cancelled = true end,
        }
      end }
      assert.equal(504, app:handle("/?n=3").status)
      assert.same({ 1, true }, { waited, cancelled })
      finished = true
      assert.equal("job 3", app:handle("/?n=3").body)
    end)

    it("with sizes that people write", function()
      assert.same({ 1000, 1024, 1024 ^ 2, 1.5 * 1024 ^ 2, 1024 ^ 3 }, { units.size(1000), units.size "1k",
        units.size "1MB", units.size "1.5m", units.size "1g" })
      for _, wrong in ipairs { "", "m", "1x", 0, -1, 1.5, true } do
        assert.truthy(select(2, units.size(wrong)):find("is not a size", 1, true))
      end
    end)
  end)

  describe("mounts", function()
    it("a handler for all addresses below a prefix, and all methods", function()
      local app = load [[
        local function tell(req) return req.method .. " " .. req.path .. " " .. tostring(req.mount) end
        mount "/app" { tell, strip = true }
        group "/g" { mount "/whole" { function(req) return req.path .. req.params.rest end } }
      ]]
      local at = asking(app)
      assert.equal("GET / /app", at "/app")
      assert.equal("PUT /x/y /app", at("/app/x/y", { method = "PUT" }))
      assert.equal(404, at "/apple")
      assert.equal("/g/whole/xx", at "/g/whole/x")
    end)

    it("an http.Handler, where those who serve can bind it", function()
      local bound
      local options = {
        kind_of = function(_, name) return ({ Site = "handler", Guard = "middleware" })[name] or "func" end,
        bind_handler = function(module, name, how)
          bound = { module, name, how.strip, how.timeout }
          return function(req) return require("goloader.routes.response").new { body = "site " .. req.path } end
        end,
        bind_middleware = function()
          return function(req)
            if req.args.stop then
              return require("goloader.routes.response").new { status = 401, body = "who?" }
            end
          end
        end,
      }
      local handler = { "", "net/http.Handler", print }
      local module = fakehost.module { Site = handler, Guard = handler }
      local app = new(fakehost.new(module), options)
      assert(app:load(temporary [[
        m = module "m.go"
        mount "/app" { m.Site, strip = true, timeout = "1s", before = { m.Guard } }
      ]]))
      assert.equal("site /app/x", app:handle("/app/x").body)
      assert.same({ module, "Site", "/app", 1 }, bound)
      local res = app:handle "/app/x?stop"
      assert.same({ 401, "who?" }, { res.status, res.body })
    end)

    it("no http.Handler without those", function()
      local told = mistakes('mount "/app" { module("m.go").Site }',
        fakehost.module { Site = { "", "net/http.Handler", print } })
      assert.truthy(told:find("m.go.Site is an http.Handler, which needs nginx (goloader.nginx) or goloader serve", 1,
        true), told)
      told = mistakes('get "/" { print, before = { module("m.go").Guard } }',
        fakehost.module { Guard = { "next net/http.Handler", "net/http.Handler", print } })
      assert.truthy(told:find("m.go.Guard is a middleware", 1, true), told)
    end)
  end)

  describe("has Go functions as filters,", function()
    local function app_with(params, results, ...)
      local values, n = { ... }, select("#", ...)
      return load([[
        defaults { from = { token = "header X-Token" } }
        get "/:id" { function() return "handler" end, before = { module("m.go").Check }, from = { sid = "cookie sid" } }
      ]], fakehost.module { Check = { params, results, function(...)
        if n == 1 and type(values[1]) == "function" then return values[1](...) end
        return unpack(values, 1, n)
      end } })
    end

    it("whose zero status and empty body let the request go on", function()
      assert.equal("handler", app_with("", "status int, body string, err error", 0, ""):handle("/x").body)
      assert.equal("handler", app_with("", "error", true):handle("/x").body)
      assert.equal("handler", app_with("", "string, error", ""):handle("/x").body)
      assert.equal("handler", app_with("", "bool", true):handle("/x").body)
    end)

    it("which may answer", function()
      local res = app_with("", "status int, body string, headers map[string]string, err error", 401, "who?",
        { ["WWW-Authenticate"] = "Basic" }):handle "/x"
      assert.same({ 401, "who?", "Basic" }, { res.status, res.body, res.headers["WWW-Authenticate"] })
      assert.equal(403, app_with("", "bool", false):handle("/x").status)
      assert.equal(429, app_with("", "status int", 429):handle("/x").status)
      assert.equal("shown", app_with("", "string", "shown"):handle("/x").body)
    end)

    it("which may fail", function()
      local err = require("goloader.errors").object { code = "go", message = "no keys" }
      local res = app_with("", "status int, body string, err error", nil, err):handle "/x"
      assert.same({ 500, err }, { res.status, res.err })
      assert.equal(500, app_with("", "status int, body string", 1000, ""):handle("/x").status)
    end)

    it("with parameters from headers and cookies", function()
      local app = app_with("id string, token string, sid string, host string, headers map[string]string, "
        .. "cookies map[string]string", "status int, body string", function(id, token, sid, host, headers, cookies)
          return 200, table.concat({ id, token, sid, host, headers.Accept, cookies.sid }, " ")
        end)
      assert.equal("7 secret s1 a.test */* s1", app:handle { path = "/7", host = "a.test",
        headers = { ["x-token"] = "secret", Cookie = "sid=s1", Accept = "*/*" } }.body)
    end)
  end)

  it("takes a status, a body and headers from Go handlers", function()
    local app = load([[
      m = module "m.go"
      get "/a" { m.A }
      get "/b" { m.B }
      get "/c" { m.C }
      get "/d" { m.D }
    ]], fakehost.module {
      A = { "", "int, string, error", function() return 201, "made" end },
      B = { "", "string, map[string]string", function() return "b", { ["Content-Type"] = "text/plain" } end },
      C = { "", "map[string]string", function() return { a = "1" } end },
      D = { "", "status int, headers map[string]string", function() return 302, { Location = "/a" } end },
    })
    assert.same({ 201, "made" }, { app:handle("/a").status, app:handle("/a").body })
    assert.equal("text/plain", app:handle("/b").headers["Content-Type"])
    assert.equal('{"a":"1"}', app:handle("/c").body)
    local res = app:handle "/d"
    assert.same({ 302, "", "/a" }, { res.status, res.body, res.headers.Location })
  end)

  describe("filters what others answer:", function()
    local ROUTES = [[
      before(function(req) req.all = true end)
      local function guard(req) if not req.args.key then return "who?", 401 end end
      filter "/admin/*rest" { before = { guard }, max_body = 10 }
      host "a.test" { filter "/only" { before = { function() return "a", 403 end } } }
      get "/shop/:id" { function(req) return "shop " .. tostring(req.seen) end,
        before = { function(req) req.seen = (req.seen or 0) + 1; if req.args.stop then return "stop", 403 end end } }
      get "/admin/x" { function() return "x" end }
      redirect "/old" "/new"
      any "/back" { exec = "@upstream" }
    ]]

    it("nothing is to be said", function()
      local app = load(ROUTES)
      local req = { path = "/proxied" }
      assert.is_nil(app:access(req))
      assert.is_true(req.all)
      assert.is_nil(app:access "/admin/y?key")
      assert.is_nil(app:access "/only")
      assert.is_nil(app:access "/shop/7")
    end)

    it("a filter answers", function()
      local app = load(ROUTES)
      assert.same({ 401, "who?" }, { app:access("/admin/y").status, app:access("/admin/y").body })
      assert.equal(403, app:access { path = "/only", host = "a.test" }.status)
      assert.equal("stop", app:access("/shop/7?stop").body)
      assert.equal(413, app:access { path = "/admin/y?key", headers = { ["content-length"] = "11" } }.status)
      assert.equal("/new", app:access("/old").headers.Location)
      assert.equal("@upstream", app:access("/back").exec)
    end)

    it("and the router's own answers too", function()
      local app = load(ROUTES)
      assert.equal(401, app:handle("/admin/x").status)
      assert.equal("x", app:handle("/admin/x?key").body)
    end)

    it("but once", function()
      local app = load(ROUTES)
      local req = { path = "/shop/7" }
      assert.is_nil(app:access(req))
      assert.equal("shop 1", app:handle(req).body)
      assert.equal("shop 1", app:handle("/shop/7").body)
    end)
  end)

  describe("is loaded again", function()
    it("and what it does not declare any more is gone", function()
      local one, two = fakehost.module { F = page "one" }, fakehost.module { F = page "two" }
      local host = fakehost.new(one, two)
      local app = new(host)
      local file = temporary [[
        before(function() end)
        get "/a" { module("/a.go").F }
        get "/b" { module("/b.go").F }
        error_page(404, "first")
      ]]
      assert(app:load(file))
      assert(app:load(temporary 'get "/other" { function() return "other" end }'))
      write(file, 'get "/b" { module("/b.go").F }; get "/c" { function() return "c" end }')
      assert(app:load(file))
      local at = asking(app)
      assert.equal(404, at "/a")
      assert.equal("Not found\n", app:handle("/a").body)
      assert.equal("two", at "/b")
      assert.equal("c", at "/c")
      assert.equal("other", at "/other")
      assert.equal(2, #host.builds) -- b.go is the same: it is not compiled again
      assert.is_true(one.gone)
      assert.is_nil(two.gone)
      assert.equal(1, #app.slots)
    end)

    it("and with a mistake the old one goes on", function()
      local app = new()
      local file = temporary 'get "/" { function() return "old" end }'
      assert(app:load(file))
      write(file, 'get "/" { function() return "new" end }; get "/" { print }')
      assert.is_nil((app:load(file)))
      assert.equal("old", app:handle("/").body)
      write(file, 'get "/" { function() return "new" end }')
      assert(app:load(file))
      assert.equal("new", app:handle("/").body)
    end)

    it("and a module with other options is another one", function()
      local one, two = fakehost.module { F = page "one" }, fakehost.module { F = page "two" }
      local app = new(fakehost.new(one, two))
      local file = temporary 'get "/" { module("/a.go").F }'
      assert(app:load(file))
      write(file, 'get "/" { module { "/a.go", gcflags = "-N" }.F }')
      assert(app:load(file))
      assert.equal("two", app:handle("/").body)
      assert.is_true(one.gone)
    end)

    it("under requests, which end with what they began with", function()
      local one = fakehost.module { F = page "one" }
      local app = new(fakehost.new(one))
      local file = temporary [[
        m = module "/a.go"
        get "/" { function() coroutine.yield "waiting"; return m.F() end }
      ]]
      assert(app:load(file))
      local request = coroutine.create(function() return app:handle("/").body end)
      assert.same({ true, "waiting" }, { coroutine.resume(request) })
      write(file, 'get "/" { function() return "new" end }')
      assert(app:load(file))
      assert.equal("new", app:handle("/").body)
      assert.is_nil(one.gone)
      assert.same({ true, "one" }, { coroutine.resume(request) })
      app:poll()
      assert.is_true(one.gone)
    end)
  end)

  describe("tells its mistakes", function()
    it("all at once, each with its line", function()
      local told, err = mistakes [[
get "list" { print }
get "/a" { print, timeuot = "1s" }

group "/g" { typ = "x", get "/b" { print, timeout = "soon" } }
get "/c"
]]
      local lines = {}
      for line in told:gmatch "[^\n]+" do lines[#lines + 1] = line:match ":(%d+: .*)$" end
      table.sort(lines)
      assert.same({
        "1: GET list: a pattern starts with /",
        "2: GET /a: there is no option timeuot; did you mean timeout?",
        '4: GET /b: timeout: "soon" is not a duration such as "250ms", "30s", "5m" or "1h30m"',
        '4: group "/g": there is no option typ; did you mean type?',
        "5: GET /c: what stands between braces is missing",
      }, lines)
      assert.equal(5, #err.mistakes)
    end)

    for text, message in pairs {
      ['gte "/" { print }'] = "did you mean get?",
      ['redirect "/a" "/b/:id"'] = "the pattern has no :id",
      ['redirect "/a" { "/b", status = 200 }'] = "the status is 301, 302, 303, 307 or 308",
      ['redirect "/a" {}'] = "redirect: an address expected",
      ['rewrite "/a" "b"'] = "rewrite: an address that starts with / expected",
      ['get "/" { exec = "internal" }'] = "exec: a location of nginx expected",
      ['get "/" { print, exec = "/x" }'] = "one handler expected, got two",
      ['get "/" { print, print }'] = "one handler expected, got two",
      ['group "api" {}'] = "a prefix starts with /",
      ['group "/api/" {}'] = "does not end with one",
      ['group "/:a" { get "/:a" { print } }'] = "a stands there twice",
      ['group "/a" { split = {} }'] = "there is no option split here",
      ['defaults { get "/" { print } }'] = "it has options only",
      ['error_page(200, "x")'] = "a status from 400 to 599 expected",
      ['error_page(404, 7)'] = "a text, a Lua function or a function of a module expected, got number",
      ['filter "/x" { print }'] = "a filter has no handler",
      ['get "/" { print, from = { a = "head X" } }'] = 'from.a: "header NAME"',
      ['get "/" { print, max_body = "big" }'] = "max_body: \"big\" is not a size",
      ['mount "app" { print }'] = "a prefix starts with /",
      ["before(7)"] = "a Lua function or a function of a module expected",
    } do
      it(text, function()
        local told = mistakes("\n" .. text)
        assert.truthy(told:find(message, 1, true), told)
        assert.truthy(told:find(":2:", 1, true), told)
      end)
    end

    it("and names the function that was meant", function()
      local told = mistakes('m = module "m.go"; get "/" { m.F }; error_page(404, m.F)',
        fakehost.module { F = { "q chan", "string", print } })
      assert.truthy(told:find("GET /: m.go.F: a request can't fill parameter q (chan)", 1, true), told)
      assert.truthy(told:find("error_page 404: m.go.F: a request can't", 1, true), told)
    end)
  end)
end)
