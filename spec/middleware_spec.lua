-- Middlewares of ordinary Go modules, unchanged, as filters before whatever answers in a real nginx.
local nginx = require "spec.nginx"
local support = require "spec.support"

local GUARD = [[
package guard

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

var after atomic.Int64

func After() int { return int(after.Load()) }

// Auth lets those in who have a token, and says who they are.
func Auth(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		r.Header.Del("Authorization")
		r.Header.Set("X-User", user)
		r.Header["X-Many"] = []string{"one", "two"}
		w.Header().Set("X-Guarded", "yes")
		w.Header().Add("Vary", "Authorization")
		next.ServeHTTP(w, r)
		after.Add(1)
	})
}

func QuickAuth(next http.Handler) http.Handler { return Auth(next) }

// Moved changes where the request goes.
func Moved() func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.StripPrefix("/moved", next)
	}
}

// Upper changes the body that goes on.
func Upper(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r2 := r.Clone(r.Context())
		r2.Body = io.NopCloser(bytes.NewReader(bytes.ToUpper(body)))
		next.ServeHTTP(w, r2)
	})
}

type zipped struct {
	http.ResponseWriter
	w *gzip.Writer
}

func (z *zipped) WriteHeader(status int) {
	z.Header().Del("Content-Length")
	z.Header().Set("Content-Encoding", "gzip")
	z.Header().Set("X-Seen", fmt.Sprint(status))
	z.ResponseWriter.WriteHeader(status)
}

func (z *zipped) Write(p []byte) (int, error) { return z.w.Write(p) }

// Zip packs what upstream answers.
func Zip(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		z := &zipped{w, gzip.NewWriter(w)}
		next.ServeHTTP(z, r)
		z.w.Close()
	})
}

type recorder struct {
	http.ResponseWriter
	status, bytes int
}

func (r *recorder) WriteHeader(status int)      { r.status = status; r.ResponseWriter.WriteHeader(status) }
func (r *recorder) Write(p []byte) (int, error) { r.bytes += len(p); return r.ResponseWriter.Write(p) }

var Last string

// Log looks, and changes nothing.
func Log(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &recorder{w, 0, 0}
		next.ServeHTTP(rec, r)
		Last = fmt.Sprintf("%s %d %d", r.URL.Path, rec.status, rec.bytes)
	})
}

// Limit is one of net/http's own, which answers in the handler's place when that takes long.
type keeper struct {
	http.ResponseWriter
	body []byte
}

func (k *keeper) WriteHeader(int) {}

func (k *keeper) Write(p []byte) (int, error) {
	k.body = append(k.body, p...)
	return len(p), nil
}

func Later(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k := &keeper{ResponseWriter: w}
		next.ServeHTTP(k, r)
		w.WriteHeader(418)
		w.Write(k.body)
	})
}

func Late(next http.Handler) http.Handler { return http.TimeoutHandler(next, time.Second, "too late") }

type changed struct {
	http.ResponseWriter
	with string
}

func (c changed) Write(p []byte) (int, error) {
	if c.with == "" {
		panic(http.ErrAbortHandler)
	}
	_, err := c.ResponseWriter.Write([]byte(strings.ReplaceAll(string(p), "GET", c.with)))
	return len(p), err
}

func change(next http.Handler, with string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(changed{w, with}, r) })
}

// Longer, Shorter and Aborted don't keep to upstream's Content-Length, which they let through.
func Longer(next http.Handler) http.Handler  { return change(next, "GETGET") }
func Shorter(next http.Handler) http.Handler { return change(next, "G") }
func Aborted(next http.Handler) http.Handler { return change(next, "") }

func Broken(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log.SetOutput(io.Discard)
		var m map[string]int
		m["x"] = 1
		next.ServeHTTP(w, r)
	})
}
]]


local HTTP = [[
init_worker_by_lua_block {
  local host = assert(require("goloader").host())
  require("goloader.nginx.wake").start(host.core)
  middleware = require "goloader.nginx.middleware"
  guard = assert(host:build(ngx.config.prefix() .. "guard"))
  filters = setmetatable({}, { __index = function(t, name)
    local made = assert(middleware.bind(guard, name, { waits = not name:find "^Quick" }))
    rawset(t, name, made)
    return made
  end })
  function filter(name)
    local res, err = filters[name]()
    if res then return require("goloader.nginx.reply").send(res) end
    if err then return ngx.exit(500) end
  end
}
header_filter_by_lua_block { middleware.header_filter() }
body_filter_by_lua_block { middleware.body_filter() }
log_by_lua_block { middleware.log() }
server {
  listen unix:upstream.sock;
  client_body_buffer_size 1m;
  location / { content_by_lua_block {
    ngx.req.read_body()
    ngx.header["X-Upstream"] = "yes"
    ngx.header["Vary"] = "Cookie"
    local many = ngx.req.get_headers()["X-Many"]
    local text = ("%s %s user=%s auth=%s many=%s body=%s\n"):format(ngx.req.get_method(), ngx.var.request_uri,
      ngx.var.http_x_user or "-", ngx.var.http_authorization or "-",
      type(many) == "table" and table.concat(many, ",") or many or "-", ngx.req.get_body_data() or "")
    ngx.header["Content-Length"] = #text
    ngx.print(text)
  } }
  location /log/fields {
    add_header WWW-Authenticate Basic always;
    add_header WWW-Authenticate Bearer always;
    add_header X_Under 1 always;
    return 401 "who?";
  }
  location /large { content_by_lua_block { for i = 1, 1000 do ngx.print(("x"):rep(1000)) ngx.flush(true) end } }
}
]]

local function location(path, ...)
  local calls = {}
  for _, name in ipairs { ... } do calls[#calls + 1] = ("filter %q"):format(name) end
  return ("location %s { access_by_lua_block { %s } proxy_pass http://unix:%s; }\n"):format(path,
    table.concat(calls, " "), "upstream.sock:")
end

local SERVER = table.concat {
  location("/auth", "Auth"), location("/quick", "QuickAuth"), location("/moved", "Moved"), location("/upper", "Upper"),
  location("/zip", "Zip"), location("/log", "Log"), location("/large", "Log"), location("/both", "Log", "Zip"),
  location("/longer", "Longer"), location("/shorter", "Shorter"), location("/aborted", "Aborted"),
  location("/broken", "Broken"), location("/late", "Late"), location("/later", "Later"),
  [[location /after { content_by_lua_block { ngx.print(guard.After(), " ", guard.Last) } }]],
}

teardown(nginx.clean)

describe("a Go middleware in nginx", function()
  local server

  setup(function()
    local prefix = support.tmpdir()
    server = nginx.start { user = "root", http = HTTP:gsub("upstream%.sock", prefix .. "/upstream.sock"),
      server = SERVER:gsub("upstream%.sock", prefix .. "/upstream.sock"),
      files = { ["guard/guard.go"] = GUARD, ["guard/go.mod"] = "module example.com/guard\n\ngo 1.21\n" } }
  end)

  it("leaves those fields of a header alone that it does not change", function()
    local _, output = support.run { "curl", "-s", "-i", ("http://127.0.0.1:%d/log/fields"):format(server.port) }
    assert.matches("^HTTP/1.1 401 ", output)
    assert.matches("\r\nWWW%-Authenticate: Basic\r\nWWW%-Authenticate: Bearer\r\nX_Under: 1\r\n", output)
    assert.is_nil(output:lower():find("x-under", 1, true))
  end)

  for name, path in pairs { ["one that may wait"] = "/auth", ["one that never waits"] = "/quick" } do
    it("answers in upstream's place: " .. name, function()
      local status, body, headers = server:get(path .. "/x")
      assert.equal(401, status)
      assert.equal("who are you?\n", body)
      assert.equal("Bearer", headers["www-authenticate"])
      assert.is_nil(headers["x-upstream"])
    end)

    it("lets a request go on with what it has changed: " .. name, function()
      local status, body, headers = server:get(path .. "/x?y=z", { headers = { Authorization = "Bearer anna" } })
      assert.equal(200, status)
      assert.equal("GET " .. path .. "/x?y=z user=anna auth=- many=one,two body=\n", body)
      assert.equal("yes", headers["x-guarded"])
      assert.equal("yes", headers["x-upstream"])
    end)

    it("leaves the body to upstream: " .. name, function()
      local text = ("0123456789"):rep(500)
      local status, body = server:get(path .. "/x", { headers = { Authorization = "Bearer anna" }, body = text })
      assert.equal(200, status)
      assert.matches("body=" .. text, body)
    end)
  end

  it("goes on behind next when the answer is sent", function()
    server:get("/auth", { headers = { Authorization = "Bearer anna" } })
    local function ran() return tonumber((select(2, server:get "/after"):match "^%d+")) end
    local before = ran()
    server:get("/auth", { headers = { Authorization = "Bearer anna" } })
    assert.is_true(support.eventually(function() return ran() == before + 1 end))
  end)

  it("changes the address", function()
    local _, body = server:get "/moved/there?a=b"
    assert.matches("^GET /there%?a=b ", body)
    assert.equal(200, (server:get "/moved/there"))
  end)

  it("changes the request's body", function()
    local _, body = server:get("/upper", { body = "some text" })
    assert.matches("body=SOME TEXT\n", body)
    local text = ("0123456789abcdef"):rep(800)
    _, body = server:get("/upper", { body = text })
    assert.is_true(body:find("body=" .. text:upper() .. "\n", 1, true) ~= nil, body:sub(1, 100))
  end)

  it("changes upstream's answer", function()
    local status, body, headers = server:get("/zip", { args = { "--compressed" } })
    assert.equal(200, status)
    assert.equal("gzip", headers["content-encoding"])
    assert.equal("200", headers["x-seen"])
    assert.equal("GET /zip user=- auth=- many=- body=\n", body)
  end)

  it("sees upstream's answer as it comes", function()
    local status, body = server:get "/log"
    assert.equal(200, status)
    assert.is_true(support.eventually(function()
      return select(2, server:get "/after"):find(("/log 200 %d"):format(#body), 1, true) ~= nil
    end))
    status, body = server:get "/large"
    assert.equal(200, status)
    assert.equal(1000000, #body)
    assert.is_true(support.eventually(function()
      return select(2, server:get "/after"):find("/large 200 1000000", 1, true) ~= nil
    end))
  end)

  it("sees what the next one has made of it", function()
    local _, body, headers = server:get("/both", { args = { "--compressed" } })
    assert.equal("gzip", headers["content-encoding"])
    assert.equal("GET /both user=- auth=- many=- body=\n", body)
  end)

  it("sends nginx's header where it waits for the body with its own", function()
    local status, body = server:get "/late"
    assert.equal(200, status)
    assert.equal("GET /late user=- auth=- many=- body=\n", body)
    assert.is_nil(server:log():find("would answer", 1, true)) -- it is the same
    assert.equal(200, (server:get "/later"))
    assert.matches("a middleware would answer 418, but only now that status 200 has been sent", server:log(), 1, true)
  end)

  for path, is_told in pairs { ["/longer"] = true, ["/shorter"] = true, ["/aborted"] = false } do
    it("ends the connection where the body is not what the header promised: " .. path, function()
      local rc, output = support.run { "curl", "-s", "-m", "20", ("http://127.0.0.1:%d%s"):format(server.port, path) }
      -- closed with bytes outstanding, or before any came; 28 would be curl's own patience
      assert.is_true(rc == 18 or rc == 52, rc .. output)
      if is_told then
        assert.matches("Content%-Length: %d+ through, and written %d+ bytes: one", server:log())
      end
    end)
  end

  it("is a 500 and one line in the log when it panics", function()
    local status, body = server:get "/broken"
    assert.equal(500, status)
    assert.equal("Internal Server Error\n", body)
    local lines = 0
    for line in server:log():gmatch "[^\n]+" do
      if line:find "assignment to entry in nil map" then
        assert.matches("in example.com/guard.Broken.func1 %(guard.go:%d+%)", line)
        lines = lines + 1
      end
    end
    assert.equal(1, lines)
  end)
end)

describe("a Go middleware of a route", function()
  it("changes what filters and handlers after it see of the request, whatever was looked at before", function()
    local server = nginx.start {
      http = [[ init_worker_by_lua_block { require("goloader.nginx").start "conf/routes.lua" } ]],
      server = [[ location / { content_by_lua_block { require("goloader.nginx").content() } } ]],
      files = {
        ["conf/guard/guard.go"] = GUARD, ["conf/guard/go.mod"] = "module example.com/guard\n\ngo 1.21\n",
        ["conf/routes.lua"] = [[
local guard = module "guard"
local function told(req)
  return ("%s auth=%s user=%s cookie=%s body=%s id=%s\n"):format(req.path, req.headers.authorization or "-",
    req.headers["x-user"] or "-", req.cookies.a or "-", req.body, req.params.id or "-")
end
local function look(req) told(req) end
get "/auth/:id" { told, before = { look, guard.Auth } }
get "/quick/:id" { told, before = { look, guard.QuickAuth }, waits = false }
get "/moved/:id" { told, before = { look, guard.Moved } }
post "/upper/:id" { told, before = { look, guard.Upper } }
]],
      },
    }
    local headers = { Authorization = "Bearer anna", Cookie = "a=1" }
    local function get(path, options)
      local _, body = server:get(path, options)
      return body
    end
    assert.equal("/auth/7 auth=- user=anna cookie=1 body= id=7\n", get("/auth/7", { headers = headers }))
    assert.equal("/quick/7 auth=- user=anna cookie=1 body= id=7\n", get("/quick/7", { headers = headers }))
    assert.equal("/7 auth=- user=- cookie=- body= id=7\n", get "/moved/7")
    assert.equal("/upper/7 auth=- user=- cookie=- body=TEXT id=7\n", get("/upper/7", { body = "text" }))
  end)
end)
