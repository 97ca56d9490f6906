-- http.Handlers of ordinary Go modules, unchanged, in a real nginx.
local nginx = require "spec.nginx"
local support = require "spec.support"

local HTTP = [[
lua_check_client_abort on;
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

local SERVER = [[
location / { content_by_lua_block { mounted.Mux:serve() } }
location /quick/ { content_by_lua_block { mounted.QuickMux:serve() } }
]]

local SITE = [[
package site

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

var Mux = http.NewServeMux()

func QuickMux() http.Handler { return Mux }

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
	}
	Mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < 3; i++ {
			fmt.Fprintln(w, i)
			w.(http.Flusher).Flush()
			time.Sleep(50 * time.Millisecond)
		}
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

teardown(function()
  nginx.stop_all()
  support.clean()
end)

describe("an http.Handler in nginx", function()
  local server

  setup(function()
    server = nginx.start { user = "root", http = HTTP, server = SERVER,
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

  it("streams", function()
    local status, body = server:get "/slow"
    assert.equal(200, status)
    assert.equal("0\n1\n2\n", body)
    status, body = server:get "/large"
    assert.equal(200, status)
    assert.equal(10000000, #body)
  end)
end)
