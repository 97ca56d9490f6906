-- goloader.nginx in a real nginx.
local nginx = require "spec.nginx"
local support = require "spec.support"

teardown(nginx.clean)

local SLEEPY = [[
package sleepy

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

var cancelled, ended atomic.Int64

func Sleep(ms int) string {
	time.Sleep(time.Duration(ms) * time.Millisecond)
	ended.Add(1)
	return "slept"
}

func Wait(ctx context.Context, ms int) (string, error) {
	select {
	case <-ctx.Done():
		cancelled.Add(1)
		return "", ctx.Err()
	case <-time.After(time.Duration(ms) * time.Millisecond):
		return "waited", nil
	}
}

func Fail() error        { return errors.New("no such thing") }
func Panic() string      { panic("oh") }
func Cancelled() int     { return int(cancelled.Load()) }
func Ended() int         { return int(ended.Load()) }
func Echo(s string) string { return s }
]]

local ROUTES = [[
local sleepy = module "sleepy.go"
get "/sleep" { function(req) return sleepy.Sleep:async(tonumber(req.args.ms)):wait() end }
get "/wait" { function(req) return sleepy.Wait:async(nil, tonumber(req.args.ms)):wait() end }
get "/late" { function(req)
  local _, err = sleepy.Wait:async({ timeout = 0.02 }, 5000):wait()
  return tostring(err)
end }
get "/gives-up" { function(req)
  local _, err = sleepy.Sleep:async(300):wait(0.02)
  return err.code
end }
get "/cancelled" { function() return tostring(sleepy.Cancelled()) end }
get "/ended" { function() return tostring(sleepy.Ended()) end }
get "/fail" { sleepy.Fail }
get "/panic" { sleepy.Panic }
get "/name/:name" { function(req) return req.params.name .. "|" .. tostring(req.args.q) end }
get "/header" { function(req) return req.headers["x-thing"] or "none", nil, { ["X-Other"] = "yes" } end }
post "/echo" { function(req) return sleepy.Echo(req.body) end }
get "/two" { function()
  local a, b = sleepy.Sleep:async(60), sleepy.Sleep:async(60)
  return a:wait() .. b:wait()
end }
get "/thread" { function()
  local thread = ngx.thread.spawn(function() return sleepy.Sleep:async(10):wait() end)
  local ok, text = ngx.thread.wait(thread)
  return tostring(ok) .. text
end }
get "/coroutine" { function()
  local co = coroutine.wrap(function() return sleepy.Sleep:async(10):wait() end)
  return co()
end }
]]

local function start(options)
  options.http = (options.http or "") .. [[
    lua_check_client_abort on;
    init_worker_by_lua_block { require("goloader.nginx").start "conf/routes.lua" }
  ]]
  options.server = (options.server or "") .. [[
    location / { content_by_lua_block { require("goloader.nginx").content() } }
    location /filtered {
      header_filter_by_lua_block {
        -- nothing can be suspended here: the thread waits
        local sleepy = require("goloader.nginx").app():module "conf/sleepy.go"
        if sleepy then ngx.header["X-Slept"] = sleepy.Sleep:async(5):wait() end
      }
      content_by_lua_block { ngx.say "filtered" }
    }
  ]]
  options.files = options.files or { ["conf/routes.lua"] = ROUTES, ["conf/sleepy.go"] = SLEEPY }
  return nginx.start(options)
end

describe("nginx", function()
  it("has Go in its workers", function()
    local server = nginx.start {
      user = "www-data",
      http = [[init_worker_by_lua_block { assert(require("goloader").host()) }]],
      server = [[
        location /version { content_by_lua_block { ngx.say(require("goloader").host():info().go_version) } }
      ]],
    }
    local status, body = server:get "/version"
    assert.equal(200, status)
    assert.matches("^go1%.", body)
    assert.is_true(server:stop "QUIT")
  end)
end)

describe("goloader.nginx", function()
  local server
  setup(function() server = start {} end)

  local function body_of(path, options)
    local status, body = server:get(path, options)
    return body, status
  end

  it("can be loaded in any phase", function()
    local other = nginx.start {
      http = [[init_by_lua_block { require "goloader.nginx" require "goloader.router" }]],
      server = [[location / { content_by_lua_block { ngx.say(type(require("goloader.nginx").start)) } }]],
    }
    assert.equal("function\n", (select(2, other:get "/")))
    assert.is_true(other:stop())
  end)

  it("answers by routes", function()
    local status, body, headers = server:get("/header", { headers = { ["X-Thing"] = "some" } })
    assert.equal(200, status)
    assert.equal("some", body)
    assert.equal("yes", headers["x-other"])
    assert.equal("text/html; charset=utf-8", headers["content-type"])
    assert.equal("4", headers["content-length"])
    assert.equal(404, (server:get "/nothing"))
    assert.equal(405, (server:get("/header", { method = "DELETE" })))
  end)

  it("captures what nginx has decoded once", function()
    assert.equal("a%2|A", (body_of "/name/a%252?q=%41"))
    assert.equal("ü b|nil", (body_of "/name/%C3%BC%20b"))
  end)

  it("gives bodies to Go, small and large", function()
    assert.equal("hello", (body_of("/echo", { method = "POST", body = "hello" })))
    local large = ("0123456789"):rep(50000)
    assert.is_true(large == body_of("/echo", { method = "POST", body = large }))
    assert.equal("", (body_of("/echo", { method = "POST" })))
  end)

  it("sends no body for HEAD, and the length of the one there would be", function()
    local status, body = server:get("/name/x", { method = "HEAD" })
    assert.equal(200, status)
    assert.is_nil(body:find "x|nil")
  end)

  it("tells a failure to the log alone, as text", function()
    local body, status = body_of "/fail"
    assert.equal(500, status)
    assert.equal("Internal server error\n", body)
    assert.matches("GET /fail: no such thing", server:log())
    body, status = body_of "/panic"
    assert.equal(500, status)
    assert.equal("Internal server error\n", body)
    assert.matches("GET /panic: .-panic: oh", server:log())
  end)

  it("suspends a request that waits for Go", function()
    local _, out = support.run {
      "bash", "-c", ("for i in 1 2 3 4 5 6 7 8; do curl -s http://127.0.0.1:%d/sleep?ms=300 & done; sleep 0.1; "
        .. "curl -s -w '%%{time_total}' http://127.0.0.1:%d/name/x; wait"):format(server.port, server.port),
    }
    assert.is_true(tonumber(out:match "x|nil([%d.]+)") < 0.15, out)
    assert.equal(8, select(2, out:gsub("slept", "")))
  end)

  it("suspends light threads and coroutines of a request, too", function()
    assert.equal("trueslept", (body_of "/thread"))
    assert.equal("slept", (body_of "/coroutine"))
    assert.equal("sleptslept", (body_of "/two"))
  end)

  it("blocks where nothing can be suspended", function()
    local _, body = server:get "/filtered"
    assert.equal("filtered\n", body)
  end)

  it("ends waits by their time and by the context's deadline", function()
    assert.equal("timeout", (body_of "/gives-up"))
    assert.matches("deadline exceeded", (body_of "/late"))
  end)

  it("cancels the context when the client leaves", function()
    local before = tonumber((body_of "/cancelled"))
    server:get("/wait?ms=10000", { args = { "-m", "0.2" } })
    assert.is_true(support.eventually(function() return tonumber((body_of "/cancelled")) == before + 1 end))
  end)

  it("waits at quit for whoever waits for Go", function()
    local other = start {}
    local pipe = io.popen(("curl -s http://127.0.0.1:%d/sleep?ms=600"):format(other.port))
    os.execute "sleep 0.2"
    local started = os.time()
    assert.is_true(other:stop "QUIT")
    assert.equal("slept", pipe:read "*a")
    assert.is_true(os.time() - started <= 2)
    pipe:close()
    assert.is_nil(other:log():find "open socket")
    assert.is_nil(other:log():find("%[alert%]"))
  end)

  it("quits at once when nobody waits, and when who waited has left", function()
    local other = start {}
    other:get("/sleep?ms=60000", { args = { "-m", "0.2" } })
    local started = os.time()
    assert.is_true(other:stop "QUIT")
    assert.is_true(os.time() - started <= 1)
  end)

  it("loses nothing at a reload", function()
    local pipe = io.popen(("curl -s http://127.0.0.1:%d/sleep?ms=500"):format(server.port))
    os.execute "sleep 0.1"
    local old = server:workers()[1]
    server:signal "HUP"
    assert.equal("slept", pipe:read "*a")
    pipe:close()
    assert.is_true(support.eventually(function()
      local workers = server:workers()
      return #workers == 1 and workers[1] ~= old
    end))
    assert.equal("x|nil", (body_of "/name/x"))
  end)

  it("looks every millisecond where it can have no socket", function()
    local deep = support.tmpdir() .. ("/a-name-too-long-for-a-socket"):rep(4)
    os.execute("mkdir -p " .. deep)
    local other = start { main = "env TMPDIR;", environment = "TMPDIR=" .. deep }
    assert.equal("slept", (select(2, other:get "/sleep?ms=20")))
    assert.matches("looking every millisecond", other:log())
    assert.is_true(other:stop "QUIT")
  end)

  it("reads routes again that could not be read at the start", function()
    local other = nginx.start {
      http = [[init_worker_by_lua_block { require("goloader.nginx").start "conf/routes.lua" }]],
      server = [[location / { content_by_lua_block { require("goloader.nginx").content() } }]],
      files = {
        ["conf/routes.lua"] = 'get "/" { module("a.go").A }',
        ["conf/a.go"] = "package a\n\nfunc A() string { return x }\n",
      },
    }
    assert.equal(500, (other:get "/"))
    assert.matches("a.go:3:%d+: undefined: x", other:log())
    support.write_file(other.prefix .. "/conf/a.go", "package a\n\nfunc A() string { return \"mended\" }\n")
    assert.is_true(support.eventually(function() return select(2, other:get "/") == "mended" end))
    assert.is_true(other:stop "QUIT")
  end)

  it("says where it belongs, and lives without routes", function()
    local other = nginx.start {
      http = [[init_by_lua_block { said = select(2, pcall(require("goloader.nginx").start, "conf/routes.lua")) }
               init_worker_by_lua_block { require("goloader.nginx").start "conf/none.lua" }]],
      server = [[
        location /said { content_by_lua_block { ngx.say(said) } }
        location / { content_by_lua_block { require("goloader.nginx").content() } }
      ]],
    }
    assert.matches("belongs into init_worker_by_lua_block, not into init", (select(2, other:get "/said")))
    assert.equal(500, (other:get "/"))
    assert.matches("conf/none.lua", other:log())
    assert.is_true(other:stop "QUIT")
  end)
end)
