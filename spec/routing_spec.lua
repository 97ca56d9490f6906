-- Hosts, groups, conditions, redirects, rewrites, error pages: what routes files say of addresses.

local fakehost = require "spec.fakehost"
local routesfile = require "spec.routesfile"

local asking, load, mistakes = routesfile.asking, routesfile.load, routesfile.mistakes

describe("a routes file", function()
  local logged

  before_each(function()
    logged = {}
    routesfile.logged = logged
  end)

  teardown(routesfile.clean)

  describe("has hosts:", function()
    local app = [[
      local function says(text) return { function(req) return text .. " " .. req.path end } end
      get "/" (says "any")
      get "/all" (says "any")
      host "shop.example.com" { get "/" (says "shop") }
      host "*.example.com" { get "/" (says "wild"), get "/wild" (says "wild") }
      host "*.eu.example.com" { get "/" (says "eu") }
      host { "a.test", "b.test" } { get "/" (says "two") }
    ]]

    it("the most exact one first, then routes of every host", function()
      local at = asking(load(app))
      local function host(name) return { headers = { Host = name } } end
      assert.equal("shop /", at("/", host "shop.example.com"))
      assert.equal("shop /", at("/", host "SHOP.example.com:8080"))
      assert.equal("wild /", at("/", host "other.example.com"))
      assert.equal("wild /", at("/", host "deep.other.example.com"))
      assert.equal("wild /wild", at("/wild", host "shop.example.com"))
      assert.equal("eu /", at("/", host "fr.eu.example.com"))
      assert.equal("wild /wild", at("/wild", host "fr.eu.example.com"))
      assert.equal("any /", at("/", host "example.com"))
      assert.equal("any /all", at("/all", host "shop.example.com"))
      assert.equal("two /", at("/", host "b.test"))
      assert.equal("any /", at "/")
      assert.equal("any /", at("/", host "[::1]:80"))
    end)

    for text, message in pairs {
      ['host "a*.test" {}'] = "a wildcard stands at the beginning",
      ['host "a.test:80" {}'] = "without a port",
      ['host "a.test" { host "b.test" {} }'] = "within another one",
      ['host {} {}'] = "a host's name expected",
      ['host "a.test"'] = "what stands between braces is missing",
      ['host "a.test" { print }'] = "entry 1 is a function",
      ['host "a.test" { get "/" { print }, get "/" { print } }'] = "declares GET / already",
    } do
      it("refuses " .. text, function()
        local told = mistakes("\n" .. text)
        assert.truthy(told:find(message, 1, true), told)
        assert.truthy(told:find(":2: ", 1, true), told)
      end)
    end
  end)

  describe("has groups", function()
    it("with a prefix, filters and options of their own", function()
      local app = load [[
        local function see(name) return function(req) req.seen = (req.seen or "") .. name end end
        local function tell(req) return req.seen end
        before(see "a")
        group "/api" {
          before = { see "b" },
          type = "text/plain",
          group "/v1/:user" {
            before = { see "c" },
            get "/x" { tell, before = { see "d" } },
            get "" { function(req) return req.params.user end, type = "text/css" },
          },
          get "/y" { tell },
        }
        get "/z" { tell }
        group "/late" (function()
          get "/x" { tell }
          before(see "e")
        end)
      ]]
      local res = app:handle "/api/v1/me/x"
      assert.same({ "abcd", "text/plain" }, { res.body, res.headers["Content-Type"] })
      res = app:handle "/api/v1/you"
      assert.same({ "you", "text/css" }, { res.body, res.headers["Content-Type"] })
      local at = asking(app)
      assert.equal("ab", at "/api/y")
      assert.equal("a", at "/z")
      assert.equal("ae", at "/late/x")
    end)

    it("whose defaults a route may refuse", function()
      local app = load [[
        defaults { cache = "1m", max_body = 3 }
        get "/kept" { function() return "kept" end }
        get "/made" { function() return "made" end, cache = false }
        post "/short" { function(req) return req.body end }
        post "/long" { function(req) return req.body end, max_body = false }
      ]]
      for _, path in ipairs { "/kept", "/made" } do app:handle(path) end
      assert.is_true(app:handle("/kept").cached)
      assert.is_nil(app:handle("/made").cached)
      assert.equal(413, app:handle { method = "POST", path = "/short", body = "four" }.status)
      assert.equal("four", app:handle { method = "POST", path = "/long", body = "four" }.body)
    end)

    it("with error handlers of their own", function()
      local app = load [[
        on_error(function() return "outer", 500 end)
        local function fails() return nil, "broken" end
        group "/in" { on_error = function() return "inner", 500 end, get "/" { fails } }
        get "/" { fails }
      ]]
      assert.equal("inner", app:handle("/in/").body)
      assert.equal("outer", app:handle("/").body)
    end)
  end)

  describe("has conditions", function()
    local ROUTES = [[
      local function says(text) return function() return text end end
      get "/" { says "beta", when = { cookie = { beta = "1" } } }
      get "/" { says "mobile", when = { header = { ["X-Device"] = { "phone", "tablet" } } } }
      get "/" { says "old", when = { query = { v = "1", new = false } } }
      get "/" { says "long", when = { header = { Accept = function(value) return #value > 5 end } } }
      get "/" { says "odd", when = { function(req) return req.remote == "::1" end } }
      get "/" { says "plain" }
      get "/x" { says "given", when = { query = { v = true } } }
      get "/:any" { says "else" }
      post "/y" { says "posted", when = { query = { v = true } } }
    ]]

    it("and the first route answers whose conditions hold", function()
      local at = asking(load(ROUTES))
      assert.equal("plain", at "/")
      assert.equal("beta", at("/", { headers = { cookie = 'a=b; beta=1; c="x"' } }))
      assert.equal("plain", at("/", { headers = { Cookie = "beta=2" } }))
      assert.equal("mobile", at("/", { headers = { ["x-device"] = "tablet" } }))
      assert.equal("old", at "/?v=1")
      assert.equal("plain", at "/?v=1&new")
      assert.equal("long", at("/", { headers = { accept = "text/html" } }))
      assert.equal("odd", at("/", { remote = "::1" }))
    end)

    it("and a route whose conditions don't hold leaves the address to others", function()
      local at = asking(load(ROUTES))
      assert.equal("given", at "/x?v")
      assert.equal("else", at "/x")
      assert.equal("posted", at("/y?v", { method = "POST" }))
      assert.equal(405, at("/y", { method = "POST" }))
      assert.equal(405, at("/y?v", { method = "DELETE" }))
      assert.equal(404, at "/y/z")
    end)

    it("of groups and routes together", function()
      local at = asking(load [[
        local function both() return "ab" end
        group "" { when = { query = { a = true } }, get "/" { both, when = { query = { b = true } } } }
        get "/" { function() return "none" end }
      ]])
      assert.equal("ab", at "/?a&b")
      assert.equal("none", at "/?a")
      assert.equal("none", at "/?b")
    end)

    it("and one that fails is a failure", function()
      local app = load 'get "/" { print, when = { function() error "here" end } }'
      assert.equal(500, app:handle("/").status)
      assert.truthy(logged[1]:find("a condition fails: .*here"))
    end)

    for text, message in pairs {
      ['get "/" { print }; get "/" { print, when = { query = { a = "1" } } }'] = "it can never answer",
      ['get "/" { print, when = { query = { a = true } } }; get "/" { print, when = { query = { a = "1" } } }']
        = "it can never answer",
      ['a = "1"; get "/" { print, when = { header = { A = { "1", "2" } } } }\n'
        .. 'get "/" { print, when = { header = { a = "2", b = "" } } }']
        = "it can never answer",
      ['get "/" { print, when = { headers = { a = "1" } } }'] = "did you mean header?",
      ['get "/" { print, when = { header = "a" } }'] = "when.header: a table of names expected",
      ['get "/" { print, when = { query = { a = {} } } }'] = "a text, a list of texts, true, false or a function",
    } do
      it("and refuses " .. text, function()
        local told = mistakes(text)
        assert.truthy(told:find(message, 1, true), told)
      end)
    end

    it("which do not exclude each other may stand side by side", function()
      load [[
        get "/" { print, when = { query = { a = "1" } } }
        get "/" { print, when = { query = { b = "1" } } }
        get "/" { print, when = { query = { a = "2" } } }
        get "/" { print, when = { query = { a = true } } }
      ]]
    end)
  end)

  it("redirects", function()
    local app = load [[
      redirect "/old" "/new"
      redirect "/old/:id/*rest" { "/new/:id?rest=*rest", status = 301 }
      redirect "/away" { "https://example.com:8080/x", query = false }
    ]]
    local function to(path, method)
      local res = app:handle { method = method, path = path }
      return { res.status, res.headers.Location, res.body }
    end
    assert.same({ 302, "/new", "" }, to "/old")
    assert.same({ 302, "/new?a=1&b", "" }, to("/old?a=1&b", "POST"))
    assert.same({ 301, "/new/a%2F%0D%0Ab?rest=c/d%20e", "" }, to "/old/a%2F%0D%0Ab/c/d%20e")
    assert.same({ 302, "https://example.com:8080/x", "" }, to "/away?q")
  end)

  it("rewrites, whose target has its own filters", function()
    local app = load [[
      local seen = {}
      before(function(req) req.seen = (req.seen or "") .. "all " end)
      rewrite "/shop/:id" { "/list?id=:id", before = { function(req) req.seen = req.seen .. "old " end } }
      rewrite "/loop" "/loop"
      get "/list" { function(req) return req.seen .. req.path .. " " .. req.args.id .. " " .. (req.args.x or "") end,
        before = { function(req) req.seen = req.seen .. "new " end } }
      rewrite "/lost" "/nowhere"
    ]]
    local at = asking(app)
    assert.equal("all old new /list a b c", at "/shop/a%20b?x=c")
    -- the same where the filters of the first address have run before, as in nginx's access phase
    local req = { path = "/shop/a?x=c" }
    assert.is_nil(app:access(req))
    assert.equal("all old new /list a c", app:handle(req).body)
    assert.equal(404, at "/lost")
    assert.equal(500, at "/loop")
    assert.truthy(logged[1]:find("rewritten 10 times", 1, true))
  end)

  it("hands over to nginx's locations", function()
    local app = load [[
      get "/a/:id" { exec = "/internal/:id" }
      any "/b" { exec = "@upstream" }
      rewrite "/old/*rest" "/b"
      get "/c" { function() return response { exec = "/x", exec_args = "y=1" } end }
    ]]
    local res = app:handle "/a/7?q=1"
    assert.same({ "/internal/7", "q=1" }, { res.exec, res.exec_args })
    assert.is_nil(res.exec_path)
    assert.equal("@upstream", app:handle { method = "PUT", path = "/b" }.exec)
    res = app:handle "/old/x?q=1"
    assert.same({ "@upstream", "/b", "q=1" }, { res.exec, res.exec_path, res.exec_args })
    assert.same({ "/x", "y=1" }, { app:handle("/c").exec, app:handle("/c").exec_args })
  end)

  describe("has error pages", function()
    it("of all, of a host and of a group", function()
      local at = load [[
        error_page(404, "no such page")
        error_page({ 500, 503 }, function(req, res) return "sorry " .. res.status .. " " .. req.path end)
        get "/none" { function() return nil, 404 end }
        get "/own" { function() return "own", 404 end }
        get "/fails" { function() return nil, "broken" end }
        get "/busy" { function() return nil, 503, { ["Retry-After"] = "5" } end }
        host "a.test" { error_page(404, "not at a"), get "/" { function() return nil, 404 end } }
        group "/g" { error_page(404, "not in g"), get "/" { function() return nil, 404 end } }
      ]]
      local function got(path, host)
        local res = at:handle { path = path, headers = { host = host } }
        return { res.status, res.body }
      end
      assert.same({ 404, "no such page" }, got "/nowhere")
      assert.same({ 404, "no such page" }, got "/none")
      assert.same({ 404, "own" }, got "/own")
      assert.same({ 500, "sorry 500 /fails" }, got "/fails")
      assert.same({ 503, "sorry 503 /busy" }, got "/busy")
      assert.same({ 404, "not at a" }, got("/nowhere", "a.test"))
      assert.same({ 404, "not at a" }, got("/", "a.test"))
      assert.same({ 404, "not in g" }, got "/g/")
    end)

    it("made by Go, which is told the status", function()
      local module = fakehost.module { Page = { "status int, path string", "string", function(status, path)
        return status .. " " .. path
      end } }
      local app = load('error_page(404, module("m.go").Page)', module)
      local res = app:handle "/lost"
      assert.same({ 404, "404 /lost" }, { res.status, res.body })
    end)

    it("and one that fails leaves what there is", function()
      local app = load [[
        error_page(404, function() error "page" end)
        error_page(405, function() return nil, "no page" end)
        get "/" { print }
      ]]
      assert.equal("Not found\n", app:handle("/x").body)
      local res = app:handle { method = "PUT", path = "/" }
      assert.same({ 405, "Method not allowed\n", "GET" }, { res.status, res.body, res.headers.Allow })
      assert.truthy(logged[1]:find "error page 404: .*page")
      assert.truthy(logged[2]:find("error page 405: no page", 1, true))
    end)
  end)
end)
