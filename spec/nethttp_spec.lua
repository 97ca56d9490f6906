-- The same http.Handler, and the same bytes of a client: what nginx and `goloader serve` answer beside net/http's own
-- server, which runs in nginx's worker.
local nginx = require "spec.nginx"
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

local SITE = [[
package site

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

var Mux = http.NewServeMux()

func Quick() http.Handler { return Mux }

var left atomic.Int64

// Listen has Go's own server answer, too.
func Listen(address string) error {
	listener, err := net.Listen("tcp", address)
	if err == nil {
		go http.Serve(listener, Mux)
	}
	return err
}

func init() {
	Mux.HandleFunc("/next", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "next") })
	Mux.HandleFunc("/some", func(w http.ResponseWriter, r *http.Request) {
		some := make([]byte, 10)
		n, err := io.ReadFull(r.Body, some)
		fmt.Fprint(w, n, err)
		if r.FormValue("flush") != "" {
			w.(http.Flusher).Flush()
		}
	})
	Mux.HandleFunc("/all", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, errors.Is(err, io.ErrUnexpectedEOF))
	})
	Mux.HandleFunc("/await", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		left.Add(1)
	})
	Mux.HandleFunc("/left", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, left.Load()) })
	Mux.HandleFunc("/asked", func(w http.ResponseWriter, r *http.Request) {
		local := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		fmt.Fprintf(w, "%s %s %s %s %q %s", r.Host, r.RequestURI, r.URL, r.URL.Path, r.Header["X-Told"], local.Network())
	})
	Mux.HandleFunc("/validated", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"2"`)
		w.Header().Set("Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT")
		fmt.Fprint(w, "done")
		if r.FormValue("flush") != "" {
			w.(http.Flusher).Flush()
		}
	})
	Mux.HandleFunc("/trailed", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("late") != "" {
			w.Write(make([]byte, 300000)) // it is taken meanwhile, and the header before it
		}
		fmt.Fprintf(w, "%-*s", len(r.FormValue("width")), "trailed")
		w.Header().Set(http.TrailerPrefix+"X-Sum", "42")
	})
	Mux.HandleFunc("/begun", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "some of it")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	Mux.HandleFunc("/aborts", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	Mux.HandleFunc("/panics", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "some of it")
		w.(http.Flusher).Flush()
		panic("too late for status 500")
	})
	Mux.HandleFunc("/duplex", func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		fmt.Fprint(w, "begun")
		if r.FormValue("flush") != "" { // else nginx learns of both at once
			w.(http.Flusher).Flush()
		}
		io.Copy(w, r.Body)
	})
	Mux.HandleFunc("/overtime", func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
		time.Sleep(40 * time.Millisecond)
		fmt.Fprint(w, "too late")
	})
}
]]

-- What a server sends until it closes the connection, or till the case has what it wants. After a while half of it is
-- closed, where the case says so.
local function exchange(port, text, closes, wanted)
  local luv = require "luv"
  local socket, timer = luv.new_tcp(), luv.new_timer()
  local pieces = {}
  local function finish(why)
    if why then pieces[#pieces + 1] = why end
    if not socket:is_closing() then socket:close() end
    if not timer:is_closing() then timer:close() end
  end
  timer:start(10000, 0, function() finish " and no end" end)
  socket:connect("127.0.0.1", port, function(err)
    if err then return finish(err) end
    socket:read_start(function(_, piece)
      if piece then pieces[#pieces + 1] = piece end
      if not piece or wanted and table.concat(pieces):find(wanted, 1, true) then finish() end
    end)
    socket:write(text, function()
      if closes == "reset" then
        luv.sleep(100) -- a part of the body is to be read before
        socket:close_reset(function() finish() end)
      elseif closes and not socket:is_closing() then
        socket:shutdown()
      end
    end)
  end)
  luv.run()
  return table.concat(pieces)
end

local IS_OWN = { -- between a server and its client
  date = true, server = true, connection = true, ["content-length"] = true, ["transfer-encoding"] = true,
}

-- One answer in what has come, and what follows it: status, header and body.
local function read_answer(text)
  local status, head, rest = text:match "^HTTP/1%.1 (%d+)[^\r]*\r\n(.-\r\n)\r\n(.*)$"
  if not status then return text, "" end
  local lines, length, is_chunked = {}, nil, false
  for name, value in head:gmatch "([^:\r\n]+): *([^\r\n]*)\r\n" do
    local lower = name:lower()
    if lower == "content-length" then length = tonumber(value) end
    is_chunked = is_chunked or lower == "transfer-encoding"
    if not IS_OWN[lower] then lines[#lines + 1] = lower .. ": " .. value end
  end
  table.sort(lines)
  local body = {}
  if is_chunked then
    while true do
      local size, after = rest:match "^(%x+)\r\n(.*)$"
      if not size then
        body[#body + 1] = " broken off"
        break
      end
      local n = tonumber(size, 16)
      if n == 0 then
        rest = after
        break
      end
      body[#body + 1], rest = after:sub(1, n), after:sub(n + 3)
    end
    while rest ~= "" do -- trailers
      local line, after = rest:match "^([^\r]*)\r\n(.*)$"
      if not line then break end
      body[#body + 1], rest = line, after
      if line == "" then break end
    end
  else
    body[1], rest = rest:sub(1, length), rest:sub((length or #rest) + 1)
  end
  return ("%s {%s} %s"):format(status, table.concat(lines, "; "), table.concat(body)), rest
end

local function answers(port, case)
  local text = exchange(port, case.text, case.closes)
  local all = {}
  while text ~= "" do
    all[#all + 1], text = read_answer(text)
  end
  return table.concat(all, "\n")
end

local NEXT = "GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

local function get(target, ...)
  local lines = { "GET " .. target .. " HTTP/1.1", "Host: shop.test", "Connection: close", ... }
  return { text = table.concat(lines, "\r\n") .. "\r\n\r\n" }
end

local function post(target, body, after, ...)
  local lines = { "POST " .. target .. " HTTP/1.1", "Host: x", "Content-Length: " .. #body, ... }
  return { text = table.concat(lines, "\r\n") .. "\r\n\r\n" .. body .. after }
end

local LONG = ("x"):rep(100000)

local CASES = {
  ["reads the next request after a body that it has not read"] = post("/next", LONG, NEXT),
  ["reads the next request after a body of which it has read some"] = post("/some", LONG, NEXT),
  ["reads the next request after such a body, having begun the answer"] = post("/some?flush=1", LONG, NEXT),
  ["reads the next request after a body that it has read"] = post("/all", LONG, NEXT),
  ["judges itself whether a client's conditions hold"] = get("/validated", 'If-Match: "1"'),
  ["judges that itself for what it has begun to send"] = get("/validated?flush=1", 'If-Match: "1"'),
  ["judges times itself"] = get("/validated", "If-Unmodified-Since: Tue, 14 Nov 2022 22:13:20 GMT"),
  ["sends all of it to those who have it"] = get("/validated", "If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT"),
  ["sends all of it to who changes it"] = post("/validated", "x", NEXT, 'If-None-Match: "2"'),
  ["is told the address, and its own"] = get "/asked?x=1;y",
  ["is told an address as proxies are sent it"] = get "http://other.test:81/asked?x=1",
  ["is told such a one without a path"] = get "http://other.test",
  ["is told values without the blanks around them"] = get("/asked", "X-Told: \t a b \t "),
  ["breaks off what it has begun"] = get "/begun",
  ["breaks off what it panics in"] = get "/panics",
  ["sends trailers that it has not named"] = get("/trailed?width=" .. ("x"):rep(3000)),
  ["leaves those out behind a short body"] = get "/trailed",
  ["sends nothing after the time for that"] = get "/overtime",
}

-- What handlers that may not wait can't do, or no more: they send all at the end.
local WAITS = { ["breaks off what it has begun"] = true, ["breaks off what it panics in"] = true }

teardown(nginx.clean)

describe("an http.Handler", function()
  local server, native, http2, serve_port

  setup(function()
    native, http2 = nginx.free_port(), nginx.free_port()
    server = nginx.start { user = "root", files = {
      ["site/site.go"] = SITE, ["site/go.mod"] = "module example.com/site\n\ngo 1.22\n",
      ["routes.lua"] = [[
        local site = module "site"
        host "quick.test" { mount "/" { site.Quick, waits = false } }
        mount "/" { site.Mux }
      ]],
    }, http = ([[
      server {
        listen 127.0.0.1:%d http2;
        location / { content_by_lua_block { require("goloader.nginx").content() } }
      }
      init_worker_by_lua_block {
        assert(require("goloader.nginx").start "routes.lua")
        local host = assert(require("goloader").host())
        local native = assert(host:build(ngx.config.prefix() .. "site"))
        assert(not native.Listen "127.0.0.1:%d")
      }
    ]]):format(http2, native), server = [[location / { content_by_lua_block {
      collectgarbage "stop" -- nothing is to end only when it is collected
      require("goloader.nginx").content()
    } }
    location /captured/ { content_by_lua_block {
      local res = ngx.location.capture(ngx.var.uri:sub(#"/captured" + 1), { args = ngx.var.args })
      ngx.print(res.status, " ", res.truncated, " ", res.body)
    } }]] }
    os.execute(("build/bin/goloader serve -q -l 127.0.0.1:0 %s/routes.lua >/dev/null 2>%s/serve.log & echo $! >%s/pid")
      :format(server.prefix, server.prefix, server.prefix))
    assert(support.eventually(function()
      serve_port = (toolchain.read_file(server.prefix .. "/serve.log") or ""):match "on http://127%.0%.0%.1:(%d+)/"
      return serve_port
    end, 60))
  end)

  teardown(function() os.execute("kill $(cat " .. server.prefix .. "/pid)") end)

  for name, case in pairs(CASES) do
    it(name .. ": in nginx", function()
      assert.equal(answers(native, case), answers(server.port, case))
    end)

    if not WAITS[name] then
      it(name .. ": on nginx's thread", function()
        local quick = { text = case.text:gsub("Host: [^\r]*", "Host: quick.test") }
        assert.equal(answers(native, quick), answers(server.port, quick))
      end)
    end

    it(name .. ": in goloader serve", function()
      assert.equal(answers(native, case), answers(tonumber(serve_port), case))
    end)
  end

  it("learns that a body ends too early", function()
    local case = { text = "POST /all HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc", closes = true }
    assert.equal(answers(native, case), answers(server.port, case))
  end)

  for name, body in pairs {
    ["a body of a known length"] = "Content-Length: 100\r\n\r\nabc",
    ["one in chunks"] = "Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
  } do
    it("has its context end when the client leaves in the middle of " .. name, function()
      for i, port in ipairs { native, server.port, native, server.port } do
        local before = answers(port, get "/left")
        exchange(port, "POST /await HTTP/1.1\r\nHost: x\r\n" .. body, i > 2 and "reset" or true)
        assert.is_true(support.eventually(function() return answers(port, get "/left") ~= before end, 20))
      end
    end)
  end

  it("is told that trailers come too late when the header did not name them", function()
    assert.matches("^200 ", answers(server.port, get "/trailed?late=1"))
    assert.matches("%[warn%] [^\n]*without its trailers: its header had not named them", server:log())
  end)

  it("sends what it writes before it reads a body that nginx buffers", function()
    local rest = " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
    for _, port in ipairs { native, server.port } do
      assert.matches("\r\nbegun", exchange(port, "POST /duplex?flush=1" .. rest, nil, "begun"))
    end
    assert.matches("\r\nbegun", exchange(server.port, "POST /duplex" .. rest, nil, "begun"))
    local head = "\x83\x86\x04\7/duplex\1\1x" -- POST, http, path, authority; without an end of the stream
    local over_http2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" .. "\0\0\0\4\0\0\0\0\0" -- settings
      .. "\0\0" .. string.char(#head) .. "\1\4\0\0\0\1" .. head .. "\0\0\3\0\0\0\0\0\1abc"
    assert.matches("begun", exchange(http2, over_http2, nil, "begun"))
  end)

  it("answers a subrequest without its trailers", function()
    local case = get("/captured/trailed?width=" .. ("x"):rep(3000))
    assert.matches("200 false trailed", answers(server.port, case))
    assert.matches("%[warn%] [^\n]*without its trailers: it is a subrequest's", server:log())
  end)

  it("breaks off what it answers a subrequest, not the request that asks", function()
    assert.matches("^200 {[^}]*} 502 ", answers(server.port, get "/captured/aborts"))
    assert.matches("^200 {[^}]*} 200 true some of it", answers(server.port, get "/captured/begun"))
  end)

  it("is not asked with what is no header", function()
    assert.matches("^400", answers(server.port, get("/asked", "X-Told: a\1b")))
  end)
end)
