-- http.Handlers of ordinary Go modules, unchanged, in a real nginx.
local lfs = require "lfs"
local nginx = require "spec.nginx"
local support = require "spec.support"

local HTTP = [[
lua_check_client_abort on;
client_max_body_size 20m;
init_worker_by_lua_block {
  local host = assert(require("goloader").host())
  require("goloader.nginx.wake").start(host.core)
  local handler = require "goloader.nginx.handler"
  site = assert(host:build(ngx.config.prefix() .. "site"))
  mounted = setmetatable({}, { __index = function(t, name)
    local strip = name == "Stripped" and "/app" or nil
    local made = assert(handler.mount(site, name, { waits = not name:find "^Quick", strip = strip }))
    rawset(t, name, made)
    return made
  end })
}
]]

local ROUTES = [[
local site = module "site"
mount "/" { site.Mux }
mount "/quick" { site.QuickMux, waits = false }
mount "/plain" { site.Plain }
mount "/stripped" { site.Mux, strip = true }
]]

local SERVER = [[
location / { content_by_lua_block { mounted.Mux:serve() } }
location /quick/ { content_by_lua_block { mounted.QuickMux:serve() } }
]]

local SITE = [[
package site

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

var Mux = http.NewServeMux()

var Forever, Endless, Told atomic.Int64
var Late atomic.Value

func Plain(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "plain 1") }

func QuickMux() http.Handler { return Mux }

func Cut(next http.Handler) http.Handler { return http.StripPrefix("/cut", next) }

// say answers with a header that net/http's own server would change, or that nginx would.
func say(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	switch r.PathValue("what") {
	case "nothing":
		return
	case "untyped":
		h["Content-Type"] = nil
	case "unmodified":
		h.Set("ETag", `"1"`)
		h.Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
		h.Set("Content-Type", "text/css")
		h.Set("Content-Length", "10")
		w.WriteHeader(304)
		return
	case "empty":
		h.Set("Content-Length", "10")
		w.WriteHeader(204)
		return
	case "challenges":
		h.Add("WWW-Authenticate", "Basic")
		h.Add("WWW-Authenticate", "Bearer")
		w.WriteHeader(401)
	case "closed":
		h.Set("Connection", "close")
		h.Set("Keep-Alive", "timeout=5")
	case "names":
		h["bad name"] = []string{"1"}
		h["X-Wide"] = []string{" a b\t "}
		h["X-Lines"] = []string{"a\r\nX-Injected: 1"}
	case "much":
		w.Write(make([]byte, 300000))
		return
	case "copied":
		_, isReader := w.(io.ReaderFrom)
		_, isNotifier := w.(http.CloseNotifier)
		fmt.Fprint(w, isReader, " ", isNotifier, " ")
		io.Copy(w, io.LimitReader(strings.NewReader("copied, and more"), 6))
		return
	case "close":
		fmt.Fprint(w, r.Close)
		return
	}
	io.WriteString(w, "<html>")
}

func init() {
	for _, prefix := range []string{"/", "/quick/"} {
		Mux.HandleFunc(prefix+"json", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(map[string]any{"method": r.Method, "uri": r.RequestURI, "path": r.URL.Path,
				"host": r.Host, "remote": r.RemoteAddr, "agent": r.UserAgent(), "proto": r.Proto})
		})
		Mux.HandleFunc(prefix+"echo", func(w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(w, r.Body)
			if err != nil {
				fmt.Fprint(w, "after ", n, ": ", err)
			}
		})
		Mux.HandleFunc(prefix+"said/{what}", say)
	}
	Mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < 3; i++ {
			fmt.Fprintln(w, i)
			w.(http.Flusher).Flush()
			time.Sleep(50 * time.Millisecond)
		}
	})
	Mux.HandleFunc("/panic", func(w http.ResponseWriter, r *http.Request) { panic("out of luck") })
	Mux.HandleFunc("/half", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "not a hundred")
		w.(http.Flusher).Flush()
	})
	Mux.HandleFunc("/abort", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	Mux.HandleFunc("/twice", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(202)
		w.WriteHeader(500)
	})
	Mux.HandleFunc("/told", func(w http.ResponseWriter, r *http.Request) {
		Told.Store(1)
		<-w.(http.CloseNotifier).CloseNotify()
		Told.Store(2)
	})
	Mux.HandleFunc("/forever", func(w http.ResponseWriter, r *http.Request) {
		Forever.Store(1)
		<-r.Context().Done()
		Forever.Store(2)
	})
	Mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		piece := make([]byte, 10000)
		Endless.Store(1)
		for {
			if _, err := w.Write(piece); err != nil {
				Endless.Store(2)
				return
			}
		}
	})
	Mux.HandleFunc("/deadline", func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		_, err := io.ReadAll(r.Body)
		fmt.Fprint(w, errors.Is(err, os.ErrDeadlineExceeded))
	})
	Mux.HandleFunc("/state", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, Forever.Load(), Endless.Load(), Told.Load())
	})
	Mux.HandleFunc("/late", func(w http.ResponseWriter, r *http.Request) {
		go func() {
			time.Sleep(20 * time.Millisecond)
			_, err := w.Write([]byte("too late"))
			Late.Store(err.Error())
		}()
	})
	Mux.HandleFunc("/was", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, Late.Load()) })
	Mux.HandleFunc("/seen", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprint(w, r.Proto, " ", r.Host, " ", len(body), " ", r.ContentLength, " ", err)
		if r.TLS != nil {
			fmt.Fprint(w, " ", r.TLS.Version == tls.VersionTLS12, " ", r.TLS.CipherSuite != 0, " ", r.TLS.ServerName)
			for _, certificate := range r.TLS.PeerCertificates {
				fmt.Fprint(w, " ", certificate.Subject)
			}
		}
	})
	Mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: first\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	Mux.HandleFunc("/trailed", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprint(w, "body")
		w.(http.Flusher).Flush()
		w.Header().Set("X-Sum", "42")
	})
	Mux.HandleFunc("/conn", func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		defer c.Close()
		fmt.Fprint(rw, "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nX-From: ", c.RemoteAddr(), "\r\n\r\nover to you\n")
		rw.Flush()
		line, _ := rw.ReadString('\n')
		fmt.Fprint(c, "got ", line)
	})
	Mux.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) {
		piece := make([]byte, 10000)
		for i := 0; i < 1000; i++ {
			w.Write(piece)
		}
	})
}
]]

teardown(nginx.clean)

describe("an http.Handler in nginx", function()
  local server

  setup(function()
    local dir = support.tmpdir()
    assert.equal(0, (support.run { "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
      "-keyout", dir .. "/key.pem", "-out", dir .. "/cert.pem", "-subj", "/CN=localhost" }))
    local secure = ([[
      server {
        listen unix:$/secure.sock ssl http2;
        ssl_certificate $/cert.pem;
        ssl_certificate_key $/key.pem;
        ssl_protocols TLSv1.2;
        ssl_verify_client optional_no_ca;
        location / { content_by_lua_block { mounted.Mux:serve() } }
      }
    ]]):gsub("%$", dir)
    server = nginx.start { user = "root", http = HTTP .. secure, server = SERVER,
      files = { ["site/site.go"] = SITE, ["site/go.mod"] = "module example.com/site\n\ngo 1.21\n" } }
  end)

  for name, prefix in pairs { ["one that may wait"] = "/", ["one that never waits"] = "/quick/" } do
    it("answers: " .. name, function()
      local status, body, headers = server:get(prefix .. "json?a=b%20c")
      assert.equal(200, status)
      assert.equal("application/json", headers["content-type"])
      assert.equal(#body, tonumber(headers["content-length"]))
      assert.matches('"uri":"' .. prefix .. 'json%?a=b%%20c"', body)
      assert.matches('"remote":"127%.0%.0%.1:%d+"', body)
      assert.matches(('"host":"127.0.0.1:%d"'):format(server.port), body)
    end)

    it("has its header sent as net/http's server would send it: " .. name, function()
      local function said(what, ...) return server:get(prefix .. "said/" .. what, { args = { ... } }) end

      local status, body, headers = said "nothing"
      assert.same({ 200, "" }, { status, body })
      assert.is_nil(headers["content-type"])
      status, body, headers = said "untyped"
      assert.same({ 200, "<html>" }, { status, body })
      assert.is_nil(headers["content-type"])

      status, body, headers = said "unmodified"
      assert.same({ 304, "", '"1"' }, { status, body, headers.etag })
      assert.equal("Mon, 02 Jan 2006 15:04:05 GMT", headers["last-modified"])
      assert.is_nil(headers["content-type"])
      assert.is_nil(headers["content-length"])
      status, body, headers = said "empty"
      assert.same({ 204, "" }, { status, body })
      assert.is_nil(headers["content-length"])

      status, body, headers = said "challenges"
      assert.same({ 401, "<html>", "Basic, Bearer" }, { status, body, headers["www-authenticate"] })
      status, body, headers = said "names"
      assert.same({ 200, "<html>" }, { status, body })
      assert.same({ "a b", "a  X-Injected: 1" }, { headers["x-wide"], headers["x-lines"] })
      assert.is_nil(headers["bad%20name"])
      local address = ("http://127.0.0.1:%d%ssaid/closed"):format(server.port, prefix)
      local _, output = support.run { "curl", "-s", "-i", address }
      assert.matches("\r\nConnection: keep%-alive\r\n", output)
      assert.is_nil(output:find "close\r\n")
      assert.is_nil(output:find "timeout=5")
    end)

    it("offers what net/http's ResponseWriter does: " .. name, function()
      local _, body = server:get(prefix .. "said/copied")
      assert.equal("true true copied", body)
    end)

    it("answers clients of HTTP/1.0 in full: " .. name, function()
      local status, body, headers = server:get(prefix .. "said/much", { args = { "--http1.0" } })
      assert.same({ 200, 300000, "300000" }, { status, #body, headers["content-length"] })
      status, body = server:get(prefix .. "said/close", { args = { "--http1.0" } })
      assert.same({ 200, "true" }, { status, body })
      status, body = server:get(prefix .. "said/close", { args = { "--http1.0", "-H", "Connection: keep-alive" } })
      assert.same({ 200, "false" }, { status, body })
    end)

    it("reads a body: " .. name, function()
      local text = ("0123456789abcdef"):rep(20000)
      local status, body, headers = server:get(prefix .. "echo", { body = text })
      assert.equal(200, status)
      assert.equal(text, body)
      assert.equal("text/plain; charset=utf-8", headers["content-type"])
    end)
  end

  it("sends trailers", function()
    local status, body, headers = server:get("/trailed", { args = { "-v" } })
    assert.equal(200, status)
    assert.equal("body", body)
    assert.equal("X-Sum", headers.trailer)
    assert.equal("42", headers["x-sum"])
  end)

  it("gives its connection away", function()
    local _, output = support.run({ "bash", "-c", ([[
      exec 3<>/dev/tcp/127.0.0.1/%d
      printf 'GET /conn HTTP/1.1\r\nHost: x\r\n\r\n' >&3
      sleep 0.1
      printf 'hello\n' >&3
      cat <&3
    ]]):format(server.port) })
    assert.matches("^HTTP/1.1 200 OK\r\n", output)
    assert.matches("X%-From: 127%.0%.0%.1:%d+", output)
    assert.matches("over to you\ngot hello\n$", output)
  end)

  for name, path in pairs { ["one that may wait"] = "/json", ["one that never waits"] = "/quick/json" } do
    it("answers HEAD: " .. name, function()
      local status, output, headers = server:get(path, { method = "HEAD" })
      assert.equal(200, status)
      assert.matches("\r\n\r\n$", output) -- curl prints the header
      assert.is_true(tonumber(headers["content-length"]) > 50)
    end)
  end

  it("is a 500 and one line in the log when it panics", function()
    local status, body = server:get "/panic"
    assert.equal(500, status)
    assert.equal("Internal Server Error\n", body)
    local _, lines = server:log():gsub("goloader: panic: out of luck in example.com/site", "")
    assert.equal(1, lines)
  end)

  it("breaks off what it can't finish", function()
    local log = #server:log()
    local status = server:get "/abort"
    assert.equal(0, status)
    local _, body, headers = server:get "/half"
    assert.equal("100", headers["content-length"])
    assert.equal("not a hundred", body)
    assert.is_nil(server:log():sub(log):find "%[error%]")
  end)

  it("hears that it sets a status twice", function()
    assert.equal(202, (server:get "/twice"))
    assert.matches("superfluous response.WriteHeader call from site.go:%d+", server:log())
  end)

  it("can't write after its end", function()
    assert.equal(200, (server:get "/late"))
    assert.is_true(support.eventually(function()
      return select(2, server:get "/was") == "http: Write after the handler has returned"
    end))
  end)

  it("is told what the client saw, by TLS and HTTP/2 too", function()
    local dir = support.tmpdir()
    local body = ("x"):rep(100000)
    for _, protocol in ipairs { "HTTP/1.1", "HTTP/2.0" } do
      local _, seen = server:get("https://localhost/seen", { body = body, args = {
        "-k", protocol == "HTTP/2.0" and "--http2" or "--http1.1", "--unix-socket", dir .. "/secure.sock",
        "--cert", dir .. "/cert.pem", "--key", dir .. "/key.pem" } })
      assert.equal(protocol .. " localhost 100000 100000 <nil> true true localhost CN=localhost", seen)
    end
  end)

  it("breaks off streams of HTTP/2, and gives none away", function()
    local args = { "-k", "--http2", "--unix-socket", support.tmpdir() .. "/secure.sock" }
    assert.equal(0, (server:get("https://localhost/abort", { args = args })))
    -- with PROTOCOL_ERROR clients would ask again
    local _, _, why = support.run { "curl", "-sSk", "--http2", args[3], args[4], "https://localhost/abort" }
    assert.matches("INTERNAL_ERROR", why)
    local got, body = server:get("https://localhost/conn", { args = args })
    assert.same({ 500, "http: the connection can't be had: http v2 not supported yet\n" }, { got, body })
  end)

  it("reads a body of unknown length, and one that the client holds back", function()
    local body = ("x"):rep(100000)
    local host = "127.0.0.1:" .. server.port
    local _, seen = server:get("/seen", { body = body, headers = { ["Transfer-Encoding"] = "chunked" } })
    assert.equal("HTTP/1.1 " .. host .. " 100000 -1 <nil>", seen)
    _, seen = server:get("/seen", { body = body, headers = { Expect = "100-continue" } })
    assert.equal("HTTP/1.1 " .. host .. " 100000 100000 <nil>", seen)
  end)

  it("sends events as they happen", function()
    local _, output = support.run { "curl", "-sN", "-m", "1", ("http://127.0.0.1:%d/events"):format(server.port) }
    assert.equal("data: first\n\n", output)
  end)

  it("sets deadlines", function()
    local _, output = support.run({ "bash", "-c", ([[
      exec 3<>/dev/tcp/127.0.0.1/%d
      printf 'POST /deadline HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 10\r\n\r\n' >&3
      timeout 5 cat <&3
    ]]):format(server.port) })
    assert.matches("true$", output)
  end)

  it("hears that the client has left", function()
    for i, path in ipairs { "/forever", "/endless", "/told" } do
      support.run({ "bash", "-c", ([[
        exec 3<>/dev/tcp/127.0.0.1/%d
        printf 'GET %s HTTP/1.1\r\nHost: x\r\n\r\n' >&3
        sleep 0.2
      ]]):format(server.port, path) })
      assert.is_true(support.eventually(function()
        local numbers = {}
        for number in select(2, server:get "/state"):gmatch "%d" do numbers[#numbers + 1] = number end
        return numbers[i] == "2"
      end), path)
    end
  end)

  it("streams", function()
    local status, body = server:get "/slow"
    assert.equal(200, status)
    assert.equal("0\n1\n2\n", body)
    status, body = server:get "/large"
    assert.equal(200, status)
    assert.equal(10000000, #body)
  end)

  it("goes on in a worker that ends, whatever it waits for just then", function()
    local luv = require "luv"
    local socket, got, is_over = luv.new_tcp(), 0, false
    local function run(milliseconds)
      for _ = 1, milliseconds / 10 do
        luv.run "nowait"
        luv.sleep(10)
      end
    end
    local body = ("x"):rep(16 * 2 ^ 20) -- more than there is room for on the way, as long as nobody reads
    socket:connect("127.0.0.1", server.port, function()
      socket:write { "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ", tostring(#body + 2),
        "\r\n\r\n", body }
    end)
    run(500)
    server:signal "HUP"
    run(1500)
    socket:read_start(function(_, piece)
      if piece then got = got + #piece else is_over = true end
    end)
    for _ = 1, 2 do
      run(500)
      socket:write "y"
    end
    assert.is_true(support.eventually(function()
      run(50)
      return is_over
    end, 20))
    socket:close()
    luv.run()
    assert.is_true(got > #body)
  end)
end)

describe("a routes file", function()
  it("names http.Handlers, whose modules are swapped and unloaded", function()
    local server = nginx.start { user = "root",
      http = [[lua_check_client_abort on; init_worker_by_lua_block { require("goloader.nginx").start "routes.lua" }]],
      server = [[location / {
        access_by_lua_block { require("goloader.nginx").access() }
        content_by_lua_block { require("goloader.nginx").content() }
      }]],
      files = { ["site/site.go"] = SITE, ["site/go.mod"] = "module example.com/site\n\ngo 1.21\n",
        ["routes.lua"] = ROUTES } }
    for path, seen in pairs { ["/json"] = "/json", ["/quick/json"] = "/quick/json", ["/stripped/json"] = "/json" } do
      local status, body, headers = server:get(path)
      assert.equal(200, status, server:log())
      assert.matches("^application/json", headers["content-type"])
      assert.equal(tostring(#body), headers["content-length"])
      assert.equal("", (select(2, server:get(path, { method = "HEAD" })):match '{.*' or ""))
      assert.matches('"path":"' .. seen .. '"', body)
      assert.matches('"uri":"' .. path .. '"', body)
    end
    assert.equal("plain 1", (select(2, server:get "/plain")))
    assert.equal("0\n1\n2\n", (select(2, server:get "/slow")))

    local file = assert(io.open(server.prefix .. "/site/site.go", "w"))
    file:write((SITE:gsub("plain 1", "plain 2")))
    file:close()
    assert.is_true(support.eventually(function() return select(2, server:get "/plain") == "plain 2" end), server:log())
    assert.is_true(support.eventually(function()
      server:get "/json"
      return server:log():find "site: version 1 unloaded" ~= nil
    end), server:log())
    assert.equal(200, (server:get "/quick/json"))
  end)
end)

describe("an application on chi, with gorilla's WebSocket", function()
  it("runs in nginx", function()
    local dir = lfs.currentdir() .. "/spec/testdata/handlers"
    support.fetch_modules(dir)
    local server = nginx.start { user = "root",
      http = [[lua_check_client_abort on; init_worker_by_lua_block { require("goloader.nginx").start "routes.lua" }]],
      server = [[location / { content_by_lua_block { require("goloader.nginx").content() } }]],
      files = { ["routes.lua"] = ("local app = module %q\nmount '/' { app.App }\n"):format(dir) } }
    local status, body, headers = server:get("/items/7", { args = { "--compressed" } })
    assert.equal(200, status, server:log())
    assert.equal("item 7", body)
    assert.equal("gzip", headers["content-encoding"])
    local client = assert(support.host():build(dir))
    local texts = {}
    for i = 1, 50 do texts[i] = ("x"):rep(i * 2000) end
    local answer, err = client.Talk(("ws://127.0.0.1:%d/ws"):format(server.port), texts)
    assert.equal("echo " .. texts[50], answer, tostring(err))
    assert(client:unload())
  end)
end)

describe("an http.Handler where the request's address has changed on its way", function()
  local server

  setup(function()
    server = nginx.start { user = "root",
      http = [[init_worker_by_lua_block { require("goloader.nginx").start "routes.lua" }]],
      server = [[
        location / { content_by_lua_block { require("goloader.nginx").content() } }
        location /moved/ { rewrite ^/moved(/.*)$ $1 last; }
        location /asked/ { rewrite ^/asked(/.*)$ $1?more=1 last; }
        location /unbuffered/ {
          lua_http10_buffering off;
          rewrite ^/unbuffered(/.*)$ $1 break;
          content_by_lua_block { require("goloader.nginx").content() }
        }
        location /missing { error_page 404 /json; return 404; }
        location /quickly { error_page 404 /quick/json; return 404; }
        location /found { error_page 404 = /json; return 404; }
        location /refused { error_page 404 /said/challenges; return 404; }
        location /guarded {
          auth_request /said/empty;
          content_by_lua_block { ngx.print "in" }
        }
        location /unguarded {
          auth_request /said/challenges;
          content_by_lua_block { ngx.print "in" }
        }
        location /both { content_by_lua_block {
          local posted = { method = ngx.HTTP_POST, body = "text" }
          local one, other = ngx.location.capture_multi { { "/echo", posted }, { "/quick/echo", posted } }
          ngx.print(one.body, " ", other.body)
        } }
      ]],
      files = { ["site/site.go"] = SITE, ["site/go.mod"] = "module example.com/site\n\ngo 1.21\n",
        ["routes.lua"] = ROUTES .. [[
rewrite "/v1/*rest" "/*rest?v=1"
rewrite "/v2/*rest" "/stripped/*rest"
mount "/cut" { site.Mux, before = { site.Cut } }
]] } }
  end)

  local function seen(path)
    local status, body = server:get(path)
    return { status, body:match '"path":"(.-)"', body:match '"uri":"(.-)"' }
  end

  it("sees where it has been rewritten to, and what the client asked for", function()
    assert.same({ 200, "/json", "/moved/json" }, seen "/moved/json")
    assert.same({ 200, "/quick/json", "/moved/quick/json?a" }, seen "/moved/quick/json?a")
    assert.same({ 200, "/json", "/asked/json?a=1" }, seen "/asked/json?a=1")
    assert.same({ 200, "/json", "/v1/json" }, seen "/v1/json")
    assert.same({ 200, "/quick/json", "/v1/quick/json" }, seen "/v1/quick/json")
    assert.same({ 200, "/json", "/v2/json" }, seen "/v2/json")
  end)

  it("streams to clients of HTTP/1.0 where nginx's Lua lets it", function()
    local status, body, headers = server:get("/unbuffered/slow", { args = { "--http1.0" } })
    assert.same({ 200, "0\n1\n2\n" }, { status, body })
    assert.is_nil(headers["content-length"])
    status, body, headers = server:get("/slow", { args = { "--http1.0" } })
    assert.same({ 200, "0\n1\n2\n", "6" }, { status, body, headers["content-length"] })
  end)

  it("sees what a middleware before it has made of it", function()
    assert.same({ 200, "/json", "/cut/json" }, seen "/cut/json")
  end)

  it("sees it as the client wrote it where nothing has changed it", function()
    for path, is in pairs { ["/json?a=%2f"] = "/json", ["/%6ason"] = "/json" } do
      assert.same({ 200, is, path }, seen(path))
    end
    local status, _, headers = server:get "/a/..//json?b" -- net/http's mux has it cleaned
    local is_new = tonumber(support.host():info().go_version:match "^go1%.(%d+)") >= 26
    assert.same({ is_new and 307 or 301, "/json?b" }, { status, headers.location })
  end)

  it("answers in place of an error page, whose status stays unless it has one of its own", function()
    assert.same({ 404, "/json", "/missing" }, seen "/missing")
    assert.same({ 404, "/quick/json", "/quickly" }, seen "/quickly")
    assert.same({ 200, "/json", "/found" }, seen "/found")
    assert.equal(401, (server:get "/refused"))
  end)

  it("answers subrequests: auth_request, ngx.location.capture", function()
    for _, options in ipairs { {}, { body = "text" } } do
      local status, body = server:get("/guarded", options)
      assert.same({ 200, "in" }, { status, body })
      local code, _, headers = server:get("/unguarded", options)
      assert.same({ 401, "Basic, Bearer" }, { code, headers["www-authenticate"] })
    end
    local status, body = server:get "/both"
    assert.same({ 200, "text text" }, { status, body })
  end)
end)
