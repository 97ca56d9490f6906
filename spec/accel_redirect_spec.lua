-- X-Accel-Redirect of http.Handlers in nginx: a server behind nginx has nginx send what the client may have by it.
local nginx = require "spec.nginx"
local support = require "spec.support"

teardown(nginx.clean)

local SITE = [[
package site

import (
	"fmt"
	"io"
	"net/http"
)

func Files(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Accel-Redirect", r.URL.Query().Get("to"))
	w.Header().Set("Content-Disposition", `attachment; filename="report.txt"`)
	w.Header().Set("X-Secret", "42")
	w.Header().Set("ETag", `"the handler's"`)
	http.SetCookie(w, &http.Cookie{Name: "a", Value: "1"})
	http.SetCookie(w, &http.Cookie{Name: "b", Value: "2"})
	if n := r.URL.Query().Get("read"); n != "" {
		var size int
		fmt.Sscan(n, &size)
		io.ReadFull(r.Body, make([]byte, size))
	}
	fmt.Fprint(w, "nobody reads this")
}

func Quick(w http.ResponseWriter, r *http.Request) { Files(w, r) }

// Endless writes till it hears that nobody wants it.
func Endless(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Accel-Redirect", "/protected/report.txt")
	for r.Context().Err() == nil {
		if _, err := io.WriteString(w, "nobody reads this, either\n"); err != nil {
			break
		}
	}
	ended <- true
}

var ended = make(chan bool, 1)

func Ended() bool { return <-ended }
]]

local ROUTES = [[
local site = module "site"
any "/files" { site.Files }
any "/quick" { site.Quick, waits = false }
any "/endless" { site.Endless }
get "/ended" { site.Ended, waits = true }
]]

describe("X-Accel-Redirect of an http.Handler", function()
  local server

  setup(function()
    server = nginx.start {
      http = [[ init_worker_by_lua_block { require("goloader.nginx").start "conf/routes.lua" } ]],
      server = [[
        location / { content_by_lua_block { require("goloader.nginx").content() } }
        location /protected/ { internal; alias secret/; }
        location @named { default_type text/plain; return 200 "named $uri $args\n"; }
        location /shown { default_type text/plain; content_by_lua_block {
          ngx.req.read_body()
          ngx.say(ngx.req.get_method(), " ", ngx.var.uri, " ", ngx.var.args or "-", " ", ngx.req.get_body_data() or "-")
        } }
        location /behind { rewrite ^ /shown break; proxy_pass http://$server_addr:$server_port; }
      ]],
      files = { ["conf/routes.lua"] = ROUTES, ["conf/site/site.go"] = SITE, ["secret/report.txt"] = "the report\n" },
    }
  end)

  for _, path in ipairs { "/files", "/quick" } do
    it("is followed by nginx, which keeps what it keeps of a server behind it: " .. path, function()
      local status, body, headers = server:get(path .. "?to=/protected/report.txt")
      assert.equal(200, status, server:log())
      assert.equal("the report\n", body)
      assert.equal('attachment; filename="report.txt"', headers["content-disposition"])
      assert.equal("b=2", headers["set-cookie"]) -- the last one
      assert.is_nil(headers["x-accel-redirect"])
      assert.is_nil(headers["x-secret"])
      assert.not_equal('"the handler\'s"', headers.etag)
      assert.equal("text/plain; charset=utf-8", headers["content-type"]) -- the handler's, which net/http has guessed
      assert.equal("11", headers["content-length"])
    end)

    it("may name a location, and arguments: " .. path, function()
      assert.equal("named " .. path .. " to=@named\n", select(2, server:get(path .. "?to=@named")))
      assert.equal("GET /shown a=1%20b -\n", select(2, server:get(path .. "?to=/shown%3Fa=1%2520b")))
      local status, body = server:get(path .. "?to=/protected/report.txt", { method = "HEAD" })
      assert.equal(200, status)
      assert.is_nil(body:find "report\n")
      assert.equal(404, (server:get(path .. "?to=/protected/nothing")))
    end)

    it("leaves the request's body out, whatever was read of it: " .. path, function()
      for _, read in ipairs { "", "&read=5", "&read=20000", "&read=200000" } do
        for _, to in ipairs { "/shown", "/behind" } do
          local address = ("http://127.0.0.1:%d%s?to=%s%s"):format(server.port, path, to, read)
          -- two on one connection
          local status, out = support.run { "curl", "-sS", "-m", "20", "-H", "Expect:", "--data-binary",
            "@" .. support.write("body", ("x"):rep(200000)), address, address }
          assert.equal(0, status, server:log())
          assert.matches("^GET /shown %S+ %-\nGET /shown %S+ %-\n$", out)
        end
      end
    end)
  end

  it("ends the handler, as a connection would that nginx closes", function()
    local status, body = server:get "/endless"
    assert.equal(200, status)
    assert.equal("the report\n", body)
    assert.equal("true", select(2, server:get "/ended"))
  end)

  it("is nothing of the log's", function() assert.is_nil(server:log():match "[^\n]*%[error%][^\n]*goloader[^\n]*") end)
end)
