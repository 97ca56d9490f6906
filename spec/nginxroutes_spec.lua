-- What routes files say, in a real nginx: filters before what other locations answer, locations that answer for routes,
-- limits, and Go functions that wait.
local nginx = require "spec.nginx"
local support = require "spec.support"

teardown(function()
  nginx.stop_all()
  support.clean()
end)

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
]]

local ROUTES = [[
local gate = module "gate.go"
defaults { from = { token = "header X-Token" } }
filter "/guarded/*rest" { before = { gate.Check }, max_body = "1k" }
get "/slow" { gate.Slow, waits = true, timeout = "100ms" }
any "/to/:id" { exec = "/inside/:id" }
redirect "/old/:id" { "/new/:id", status = 301 }
rewrite "/re/*rest" "/page/*rest"
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

  it("has hosts, conditions and ETags", function()
    assert.same({ 200, "b" }, get("/page/1", { headers = { Host = "B.test" } }))
    assert.same({ 200, "beta" }, get("/page/1", { headers = { Cookie = "a=2; beta=1" } }))
    local got, headers = get "/page/1"
    assert.same({ 200, "/page/1 1 " }, got)
    assert.same({ 304, "" }, get("/page/1", { headers = { ["If-None-Match"] = headers.etag } }))
  end)

  it("limits bodies and time", function()
    assert.same({ 200, "1000" }, get("/body", { method = "POST", body = ("x"):rep(1000) }))
    assert.same({ 413, "page 413\n" }, get("/body", { method = "POST", body = ("x"):rep(1100) }))
    assert.same({ 413, "page 413\n" }, get("/body", { method = "POST", body = ("x"):rep(1100),
      headers = { ["Transfer-Encoding"] = "chunked" } }))
    assert.same({ 200, "slept" }, get "/slow?ms=5")
    assert.same({ 504, "page 504\n" }, get "/slow?ms=5000")
    assert.same({ 404, "page 404\n" }, get "/nowhere")
  end)
end)
