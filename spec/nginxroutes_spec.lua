-- What routes files say, in a real nginx: filters before what other locations answer, locations that answer for routes,
-- limits, and Go functions that wait.
local nginx = require "spec.nginx"

teardown(nginx.clean)

local GATE = [[
package gate

import ("context"; "time")

func Check(token string) (status int, body string, err error) {
	if token != "secret" {
		return 401, "who?", nil
	}
	return 0, "", nil
}

func Slow(ctx context.Context, ms int) (string, error) {
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(time.Duration(ms) * time.Millisecond):
		return "slept", nil
	}
}

func Nap(ms int) string {
	time.Sleep(time.Duration(ms) * time.Millisecond)
	return "napped"
}
]]

local ROUTES = [[
local gate = module "gate.go"
defaults { from = { token = "header X-Token" } }
filter "/guarded/*rest" { before = { gate.Check }, max_body = "1k" }
get "/slow" { gate.Slow, waits = true, timeout = "100ms" }
get "/nap" { gate.Nap, waits = true, timeout = "100ms" }
any "/to/:id" { exec = "/inside/:id" }
redirect "/old/:id" { "/new/:id", status = 301 }
rewrite "/re/*rest" "/page/*rest"
rewrite "/upstream/old/:id" { "/upstream/new/:id?by=rewrite", before = { function(req) req.seen = "old" end } }
rewrite "/upstream/twice/:id" "/upstream/old/:id"
rewrite "/upstream/round" "/upstream/round"
rewrite "/upstream/closed" "/guarded/closed"
rewrite "/upstream/away/:id" "/old/:id"
get "/upstream/shared" {
  split = { { rewrite = "/upstream/a" }, { rewrite = "/upstream/b" }, by = "cookie side" },
}
get "/page/:id" { function() return "beta" end, when = { cookie = { beta = "1" } } }
get "/page/:id" { function(req) return req.path .. " " .. req.params.id .. " " .. (req.args.q or "") end, etag = true }
host "b.test" { get "/page/:id" { function() return "b" end } }
post "/body" { function(req) return #req.body .. "" end, max_body = "1k" }
error_page({ 404, 413, 504 }, function(req, res) return "page " .. res.status .. "\n" end)
]]

describe("routes in nginx", function()
  local server

  setup(function()
    server = nginx.start {
      http = [[ init_worker_by_lua_block { require("goloader.nginx").start "conf/routes.lua" } ]],
      server = [[
        location / {
          access_by_lua_block { require("goloader.nginx").access() }
          content_by_lua_block { require("goloader.nginx").content() }
        }
        location /guarded/ {
          access_by_lua_block { require("goloader.nginx").access() }
          proxy_pass http://127.0.0.1:$server_port/upstream;
        }
        location /upstream/ {
          access_by_lua_block { require("goloader.nginx").access() }
          proxy_pass http://127.0.0.1:$server_port;
          proxy_set_header X-Proxied 1;
          if ($http_x_proxied) { return 200 "$uri $args"; }
        }
        location /upstream { content_by_lua_block { ngx.print "upstream" } }
        location /inside/ { internal; content_by_lua_block { ngx.print(ngx.var.uri, " ", ngx.var.args or "") } }
      ]],
      files = { ["conf/gate.go"] = GATE, ["conf/routes.lua"] = ROUTES },
    }
  end)

  local function get(path, options)
    local status, body, headers = server:get(path, options)
    return { status, body }, headers
  end

  it("has filters before what another location answers", function()
    assert.same({ 401, "who?" }, get "/guarded/x")
    assert.same({ 200, "upstream" }, get("/guarded/x", { headers = { ["X-Token"] = "secret" } }))
    assert.same({ 413, "page 413\n" }, get("/guarded/x", { method = "POST", body = ("x"):rep(2000) }))
  end)

  it("has locations answer", function()
    assert.same({ 200, "/inside/7 q=1" }, get "/to/7?q=1")
  end)

  it("redirects and rewrites", function()
    local got, headers = get "/old/a%20b?q=1"
    assert.equal(301, got[1])
    assert.matches("/new/a%%20b%?q=1$", headers.location)
    assert.same({ 200, "/page/x x 2" }, get "/re/x?q=2")
  end)

  it("rewrites addresses before another location answers", function()
    assert.same({ 200, "/upstream/new/7 by=rewrite&q=1" }, get "/upstream/old/7?q=1")
    assert.same({ 200, "/upstream/new/a b by=rewrite" }, get "/upstream/twice/a%20b")
    assert.same({ 200, "/upstream/plain q=1" }, get "/upstream/plain?q=1")
    assert.same({ 401, "who?" }, get "/upstream/closed")
    local got, headers = get "/upstream/away/7"
    assert.equal(301, got[1])
    assert.matches("/new/7$", headers.location)
    assert.equal(500, get("/upstream/round")[1])
  end)

  it("has visitors of a split stay on their side before another location, too", function()
    local got, headers = get "/upstream/shared"
    local cookie = assert(headers["set-cookie"]):match "^side=[^;]+"
    assert.matches("^/upstream/[ab] $", got[2])
    for _ = 1, 5 do assert.same(got, get("/upstream/shared", { headers = { Cookie = cookie } })) end
  end)

  it("has hosts, conditions and ETags", function()
    assert.same({ 200, "b" }, get("/page/1", { headers = { Host = "B.test" } }))
    assert.same({ 200, "beta" }, get("/page/1", { headers = { Cookie = "a=2; beta=1" } }))
    local got, headers = get "/page/1"
    assert.same({ 200, "/page/1 1 " }, got)
    local again, fields = get("/page/1", { headers = { ["If-None-Match"] = headers.etag } })
    assert.same({ 304, "" }, again)
    assert.equal(headers.etag, fields.etag)
  end)

  it("limits bodies and time", function()
    assert.same({ 200, "1000" }, get("/body", { method = "POST", body = ("x"):rep(1000) }))
    assert.same({ 413, "page 413\n" }, get("/body", { method = "POST", body = ("x"):rep(1100) }))
    assert.same({ 413, "page 413\n" }, get("/body", { method = "POST", body = ("x"):rep(1100),
      headers = { ["Transfer-Encoding"] = "chunked" } }))
    assert.same({ 200, "slept" }, get "/slow?ms=5")
    assert.same({ 504, "page 504\n" }, get "/slow?ms=5000")
    assert.same({ 200, "napped" }, get "/nap?ms=5")
    assert.same({ 504, "page 504\n" }, get "/nap?ms=500") -- it returns no error, and yet its time is over
    assert.same({ 404, "page 404\n" }, get "/nowhere")
  end)
end)
