-- The caches of routes: what is kept, for how long, for whom, and what is shown while a page is made anew.

local entry = require "goloader.routes.entry"
local fakehost = require "spec.fakehost"
local router = require "goloader.router"
local routesfile = require "spec.routesfile"

local temporary, write = routesfile.temporary, routesfile.write

---A store that keeps texts, as one outside of the process would.
local function text_store()
  local store = { texts = {}, tags = {}, sets = 0 }
  function store:get(key) return self.texts[key] end
  function store:set(key, value, detail)
    assert(type(key) == "string" and type(value) == "string")
    self.texts[key], self.tags[key], self.ttl, self.sets = value, detail.tags, detail.ttl, self.sets + 1
    return true
  end
  function store:delete(key)
    local was = self.texts[key] ~= nil
    self.texts[key] = nil
    return was
  end
  function store:purge(tag)
    local n = 0
    for key, tags in pairs(self.tags) do
      for _, one in ipairs(tags) do
        if one == tag and self.texts[key] then
          self.texts[key] = nil
          n = n + 1
        end
      end
    end
    return n
  end
  function store:clear() self.texts = {} end
  function store:stats() return { sets = self.sets } end
  return store
end

describe("a route's cache", function()
  local now, logged, app, made, answer, later

  before_each(function() now, logged, made, later = 0, {}, 0, {} end)

  teardown(routesfile.clean)

  ---A route at /:id whose answers are counted.
  local function route(cache, options)
    options = options or {}
    options.clock = function() return now end
    options.log = function(line) logged[#logged + 1] = line end
    app = router.new(options)
    answer = function(req) return ("%s %d"):format(req.params.id, made) end
    app:route("GET", "/:id", { function(req)
      made = made + 1
      return answer(req)
    end, cache = cache })
  end

  local function get(path, headers, method)
    return app:handle { method = method, path = path, headers = headers }
  end

  local function body(...) return get(...).body end

  local function background(run)
    later[#later + 1] = run
    return true
  end

  describe("shows what is stale", function()
    it("while a new one is made", function()
      route({ ttl = "10s", stale_while_revalidate = "5s" }, { background = background })
      assert.equal("a 1", body "/a")
      now = 12
      assert.equal("a 1", body "/a")
      assert.equal("a 1", body "/a")
      assert.equal(1, #later)
      later[1]()
      assert.equal("a 2", body "/a")
      assert.equal(2, made)
      now = 12 + 15
      assert.equal("a 3", body "/a")
      assert.equal(2, app:cache_stats()["GET /:id"].stale)
    end)

    it("to all but the one who makes it, where nothing runs in the background", function()
      route { ttl = "10s", stale_while_revalidate = "5s" }
      body "/a"
      now = 12
      local seen
      answer = function() seen = body "/a" return "new" end
      assert.equal("new", body "/a")
      assert.equal("a 1", seen)
    end)

    it("when making a new one fails", function()
      route { ttl = "10s", stale_if_error = "1m" }
      assert.equal("a 1", body "/a")
      answer = function() return nil, "broken" end
      now = 69
      local res = get "/a"
      assert.same({ 200, "a 1", 1 }, { res.status, res.body, #logged })
      now = 71
      assert.equal(500, get("/a").status)
      answer = function() error "here" end
      assert.equal(500, get("/a").status)
      assert.equal(1, app:cache_stats()["GET /:id"].failed)
    end)

    it("and a refresh that fails leaves it", function()
      route({ ttl = "10s", stale_while_revalidate = "50s", stale_if_error = "50s" }, { background = background })
      body "/a"
      answer = function() error "here" end
      now = 20
      assert.equal("a 1", body "/a")
      later[1]()
      assert.equal("a 1", body "/a")
      assert.truthy(logged[1]:find("here", 1, true))
    end)
  end)

  describe("has one request make a page", function()
    local function start(path)
      local res
      local thread = coroutine.create(function() res = app:handle(path) end)
      local function go_on()
        local ok, err = coroutine.resume(thread)
        assert(ok, err)
        return res and res.body
      end
      return go_on, function() return coroutine.status(thread) == "dead" and res.body end
    end

    local function slow()
      answer = function(req)
        local n = made
        coroutine.yield()
        return ("%s %d"):format(req.params.id, n)
      end
    end

    it("while the others wait for it", function()
      route "10s"
      slow()
      local first, second, other = start "/a", start "/a", start "/b"
      first()
      second()
      other()
      assert.is_nil(second())
      assert.equal(2, made)
      assert.equal("a 1", first())
      assert.equal("a 1", second())
      assert.equal("b 2", other())
      assert.equal(2, made)
      assert.equal(1, app:cache_stats()["GET /:id"].waited)
    end)

    it("and when that is none to be kept, each makes its own", function()
      route "10s"
      answer = function()
        local n = made
        coroutine.yield()
        return n .. "", 200, { ["Cache-Control"] = "private" }
      end
      local first, second, third = start "/a", start "/a", start "/a"
      first()
      second()
      third()
      assert.equal("1", first())
      second()
      third()
      assert.equal(3, made)
      assert.equal("2", second())
      assert.equal("3", third())
    end)

    it("and when it fails, each tries itself", function()
      route "10s"
      answer = function()
        local n = made
        coroutine.yield()
        if n == 1 then error "first" end
        return n .. ""
      end
      local first, second = start "/a", start "/a"
      first()
      second()
      assert.equal("Internal server error\n", first())
      second()
      assert.equal("2", second())
    end)

    it("and when it is dropped, another one does", function()
      route "10s"
      slow()
      do start "/a"() end
      collectgarbage()
      collectgarbage()
      local second = start "/a"
      second()
      assert.equal("a 2", second())
    end)

    it("for so long only", function()
      route { ttl = "10s", wait = "2s" }
      slow()
      local first, second = start "/a", start "/a"
      first()
      second()
      now = 3
      second()
      assert.equal(2, made)
      assert.equal("a 2", second())
      assert.equal("a 1", first())
    end)

    it("and who can't wait makes his own", function()
      route "10s"
      slow()
      local first = start "/a"
      first()
      answer = function() return "own" end
      assert.equal("own", body "/a")
      assert.equal("a 1", first())
    end)
  end)

  describe("tells answers apart", function()
    it("by headers, cookies and the host", function()
      route { ttl = "10s", vary = { header = "Accept-Language", cookie = { "currency" }, host = true } }
      assert.equal("a 1", body("/a", { ["accept-language"] = "de" }))
      assert.equal("a 2", body("/a", { ["accept-language"] = "fr" }))
      assert.equal("a 3", body("/a", { ["accept-language"] = "de", cookie = "currency=CHF" }))
      assert.equal("a 4", body("/a", { ["accept-language"] = "de", host = "b.test" }))
      assert.equal("a 1", body("/a", { ["Accept-Language"] = "de", cookie = "other=1" }))
      assert.equal("accept-language, cookie", get("/a", { ["accept-language"] = "de" }).headers.Vary)
    end)

    it("by those arguments that matter", function()
      route { ttl = "10s", vary = { query = { "page", "sort" } } }
      assert.equal("a 1", body "/a?page=1&utm=x")
      assert.equal("a 1", body "/a?utm=y&page=1")
      assert.equal("a 2", body "/a?page=2")
      assert.equal("a 3", body "/a?sort=1")
    end)

    it("by arms of a split", function()
      app = router.new { clock = function() return now end }
      app:route("GET", "/", { cache = "1m", split = { by = "query user",
        { function() return "one" end }, { function() return "two" end } } })
      local seen = {}
      for i = 1, 40 do seen[body("/?user=" .. i)] = true end
      assert.same({ one = true, two = true }, seen)
    end)

    it("by hosts where a route is for many", function()
      app = router.new { clock = function() return now end }
      assert(app:load(temporary 'host "*.test" { get "/" { function(req) return req.host end, cache = "1m" } }'))
      for _, host in ipairs { "a.test", "b.test" } do
        assert.equal(host, app:handle({ path = "/", host = host }).body)
      end
    end)
  end)

  it("keeps other statuses for as long as each says", function()
    route { ttl = "1m", status = { [404] = "10s", [503] = "1s" } }
    answer = function(req) return "x" .. made, tonumber(req.params.id) end
    assert.equal("x1", body "/404")
    assert.equal("x1", body "/404")
    assert.equal("x2", body "/503")
    assert.equal("x3", body "/410")
    assert.equal("x4", body "/410")
    now = 5
    assert.equal("x1", body "/404")
    assert.equal("x5", body "/503")
    now = 11
    assert.equal("x6", body "/404")
  end)

  it("keeps nothing that is for one visitor", function()
    route "1m"
    for _, headers in ipairs { { ["Set-Cookie"] = "a=1" }, { ["Cache-Control"] = "no-store" },
      { ["cache-control"] = "max-age=5, Private" } } do
      answer = function() return "x", 200, headers end
      get "/a"
      assert.is_nil(get("/a").cached)
    end
  end)

  describe("is purged", function()
    it("by tags", function()
      route { ttl = "1m", tags = function(req, res) return { "all", req.params.id, "status " .. res.status } end }
      for _, path in ipairs { "/a", "/b", "/c" } do get(path) end
      assert.equal(1, app:purge { tag = "a" })
      assert.equal("a 4", body "/a")
      assert.equal("b 2", body "/b")
      assert.equal(2, app:purge { tag = { "b", "c" } })
      assert.equal(1, app:purge { tag = "status 200", route = "GET /:id" })
      assert.equal(0, app:purge { tag = "status 200", route = "GET /other" })
    end)

    it("by keys, with all variants", function()
      route { ttl = "1m", vary = { header = { "Accept" } } }
      body("/a?x=1", { accept = "1" })
      body("/a?x=1", { accept = "2" })
      body("/a", { accept = "1" })
      assert.equal(2, app:purge { key = "/a?x=1" })
      assert.equal("a 4", body("/a?x=1", { accept = "1" }))
      assert.equal("a 3", body("/a", { accept = "1" }))
      route { ttl = "1m" }
      made = 0
      body "/a"
      assert.equal(1, app:purge { key = "/a" })
      assert.equal("a 2", body "/a")
    end)

    it("as a whole", function()
      route "1m"
      body "/a"
      body "/b"
      assert.equal(2, app:purge { all = true })
      assert.equal("a 3", body "/a")
      assert.error_matches(function() app:purge "a" end, "a table with tag, key or all expected")
    end)

    it("while a page is made, which is not kept then", function()
      route { ttl = "1m", tags = { "t" } }
      answer = function()
        if made == 1 then app:purge { tag = "t" } end
        return "x" .. made
      end
      assert.equal("x1", body "/a")
      assert.equal("x2", body "/a")
      assert.equal("x2", body "/a")
    end)

    it("with tags that fail, it keeps nothing", function()
      route { ttl = "1m", tags = function() error "tags" end }
      assert.equal("a 1", body "/a")
      assert.equal("a 2", body "/a")
      assert.truthy(logged[1]:find("the cache's tags: .*tags"))
    end)
  end)

  describe("has ETags", function()
    it("and tells who has the page", function()
      route "1m"
      local res = get "/a"
      local tag = res.headers.ETag
      assert.matches('^"%x+"$', tag)
      assert.equal(tag, get("/a").headers.ETag)
      for _, given in ipairs { tag, "W/" .. tag, '"x", ' .. tag, "*" } do
        for _, method in ipairs { "GET", "HEAD" } do
          res = get("/a", { ["If-None-Match"] = given }, method)
          assert.same({ 304, "", tag }, { res.status, res.body, res.headers.ETag })
          assert.is_nil(res.headers["Content-Type"])
        end
      end
      for _, given in ipairs { '"x"', "x", "", tag:sub(1, -2) } do
        assert.equal(200, get("/a", { ["If-None-Match"] = given }).status)
      end
      assert.not_equal(tag, get("/b").headers.ETag)
      assert.equal(2, made)
    end)

    it("of the handler's own, or none", function()
      route { ttl = "1m" }
      answer = function() return "x", 200, { ETag = 'W/"own"' } end
      get "/a"
      assert.equal('W/"own"', get("/a").headers.ETag)
      assert.equal(304, get("/a", { ["if-none-match"] = '"own"' }).status)
      route { ttl = "1m", etag = false }
      get "/a"
      assert.is_nil(get("/a").headers.ETag)
    end)

    it("without a cache, where the route says so", function()
      app = router.new()
      app:route("GET", "/", { function() return "x" end, etag = true })
      local tag = app:handle("/").headers.ETag
      assert.equal(304, app:handle({ path = "/", headers = { ["if-none-match"] = tag } }).status)
    end)
  end)

  it("answers HEAD from what GET has kept", function()
    route "1m"
    get "/a"
    local res = get("/a", nil, "HEAD")
    assert.same({ 200, "", 1 }, { res.status, res.body, made })
    get("/b", nil, "HEAD")
    assert.equal("b 2", body "/b")
  end)

  it("has a bound in bytes", function()
    route { ttl = "1m", bytes = "1k" }
    answer = function() return ("x"):rep(400) end
    for i = 1, 5 do get("/" .. i) end
    local stats = app:cache_stats()["GET /:id"]
    assert.same({ 2, 800, 3 }, { stats.entries, stats.bytes, stats.evicted })
  end)

  describe("in a store of somebody else's", function()
    it("works as in the router's own", function()
      local store = text_store()
      route { ttl = "10s", stale_if_error = "5s", store = store, tags = { "t" } }
      answer = function(req)
        return "body\n\n" .. req.params.id, 200, { ["X-A"] = "1", ["X-B"] = { "2", "3" } }
      end
      get "/a"
      local res = get "/a"
      assert.same({ 200, "body\n\na", "1", { "2", "3" }, true, 1, 15 },
        { res.status, res.body, res.headers["X-A"], res.headers["X-B"], res.cached, made, store.ttl })
      assert.equal(1, app:purge { tag = "t" })
      get "/a"
      assert.equal(2, made)
      assert.equal(1, app:purge { key = "/a" })
      assert.equal(304, get("/a", { ["if-none-match"] = get("/a").headers.ETag }).status)
      now = 12
      answer = function() return nil, "broken" end
      assert.equal("body\n\na", body "/a")
      assert.equal(2, app:cache_stats()["GET /:id"].sets == 3 and 2)
    end)

    it("does not mix routes", function()
      local store = text_store()
      app = router.new { clock = function() return now end }
      for _, name in ipairs { "a", "b" } do
        app:route("GET", "/" .. name, { function() return name end, cache = { store = store, key = function()
          return "same"
        end } })
      end
      for _ = 1, 2 do
        assert.equal("a", body "/a")
        assert.equal("b", body "/b")
      end
    end)

    it("keeps pages with the versions that have made them", function()
      local store, source = text_store(), temporary "package main"
      local function page(text) return fakehost.module { F = fakehost.page(text) } end
      local function start(...)
        local host = fakehost.new(...)
        local made_app = router.new { host = host, clock = function() return now end }
        made_app.store = store
        made_app:module(source)
        made_app:route("GET", "/", { made_app.slots[1].F, cache = { ttl = "1m", store = store } })
        return made_app
      end
      local one = start(page "one", page "two")
      local other = start(page "the same in another process", page "two elsewhere")
      assert.equal("one", one:handle("/").body)
      assert.equal("one", other:handle("/").body)
      write(source, "package main // edited")
      assert.equal(1, (one:poll()))
      assert.equal("two", one:handle("/").body)
      -- the other one has not noticed yet: the new page is not its own, and what it makes is not the new one's
      assert.equal("the same in another process", other:handle("/").body)
      assert.equal("two", one:handle("/").body)
      assert.equal(1, (other:poll()))
      assert.equal("two", other:handle("/").body)
    end)

    it("makes nothing of a text that is none of its own", function()
      for _, text in ipairs { "", "x", "200\n\nbody", "200 1 1 1\nno header\n\nbody", "200 1 1 1" } do
        assert.is_nil(entry.unpack(text))
      end
      local kept = { status = 200, fresh = 1.5, stale = 2, usable = 3, headers = { A = "1" }, body = "",
        modules = { ["/a b.go"] = "x" } }
      local read = entry.unpack(entry.pack(kept))
      for _, name in ipairs { "status", "fresh", "stale", "usable", "headers", "body", "modules" } do
        assert.same(kept[name], read[name])
      end
      kept.headers.A = "1\r\nSet-Cookie: x"
      assert.is_nil(entry.pack(kept))
    end)
  end)

  describe("is refused with", function()
    for text, message in pairs {
      ["{ ttl = 'soon' }"] = 'cache: ttl: "soon" is not a duration',
      ["{ tll = 5 }"] = "cache: there is no option tll; did you mean ttl?",
      ["{ status = { [700] = 5 } }"] = "a status from 200 to 599 expected",
      ["{ status = { [404] = 'x' } }"] = 'status[404]: "x" is not a duration',
      ["{ vary = { headers = 'a' } }"] = "did you mean header?",
      ["{ vary = { header = { 1 } } }"] = "vary.header must be a list of names",
      ["{ key = 'x' }"] = "key must be a function",
      ["{ tags = 'x' }"] = "tags must be a list or a function",
      ["{ bytes = 'much' }"] = "is not a size",
      ["{ store = 'shared:pages' }"] = 'store "shared:pages" needs nginx, and lua_shared_dict pages 10m; there',
      ["{ store = 'redis:x' }"] = "there is no kind of store called redis",
      ["{ store = 5 }"] = 'store is "memory", "shared:NAME" or a table',
      ["{ store = {} }"] = "this one lacks get",
      ["{ store = 'shared:x', size = 5 }"] = "size is a matter of the store",
    } do
      it(text, function()
        app = router.new()
        local ok, err = app:load(temporary(('get "/" { print, cache = %s }'):format(text)))
        assert.is_nil(ok)
        assert.truthy(err:find(message, 1, true), err)
      end)
    end
  end)
end)
