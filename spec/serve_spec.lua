-- goloader serve, as a user runs it: real processes, curl, a free port of the loopback.
local lfs = require "lfs"
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

local quote = toolchain.quote

-- ---- a server -------------------------------------------------------------------------------------------------------

local Server = {}
Server.__index = Server

local running = {}

local function sh(format, ...)
  local pipe = assert(io.popen(format:format(...)))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

local function sleep(seconds) os.execute("sleep " .. seconds) end

-- Waits for something to be so.
local function await(what, check)
  for _ = 1, 200 do
    local value = check()
    if value then return value end
    sleep(0.03)
  end
  error("waited in vain for " .. what, 2)
end

-- Starts one in a folder of its own; files by name. `command` runs it otherwise than the command line does.
local function start(files, flags, command)
  local dir = support.tmpdir() .. "/serve" .. #running + 1
  assert(lfs.mkdir(dir))
  local self = setmetatable({ dir = dir }, Server)
  for name, text in pairs(files) do self:write(name, text) end
  local root = lfs.currentdir()
  command = command or ("%s/build/bin/goloader serve -l 127.0.0.1:0 %s routes.lua"):format(quote(root), flags or "")
  os.execute(("cd %s && { { %s >out 2>log & echo $! >pid; wait $!; echo $? >status; } >/dev/null 2>&1 & }"):format(
    quote(dir), command))
  self.pid = await("the server", function() return (support.read(dir .. "/pid") or ""):match "%d+" end)
  running[#running + 1] = self
  self.port = await("the server's port", function()
    assert(self:is_alive(), self:log())
    return self:log():match "on https?://127%.0%.0%.1:(%d+)/"
  end)
  return self
end

function Server:write(name, text) support.write_file(self.dir .. "/" .. name, text) end

function Server:log() return support.read(self.dir .. "/log") or "" end

function Server:is_alive()
  local state = (support.read(("/proc/%s/stat"):format(self.pid)) or ""):match "%) (%a)"
  return state ~= nil and state ~= "Z"
end

-- Status, body, headers (names in lower case) of what curl gets.
function Server:get(path, arguments)
  local url = ("http://127.0.0.1:%s%s"):format(self.port, path)
  local text = sh("curl -s -m 20 -i %s %s", arguments or "", quote(url))
  local head, body = text:match "^(.-\r\n)\r\n(.*)$"
  while head and head:find "^HTTP/1.1 100" do head, body = body:match "^(.-\r\n)\r\n(.*)$" end
  assert(head, ("no answer from %s: %q\n%s"):format(url, text, self:log()))
  local headers = {}
  for name, value in head:gmatch "\r\n([^:\r\n]+): ([^\r\n]*)" do headers[name:lower()] = value end
  return tonumber(head:match "^HTTP/[%d.]+ (%d+)"), body, headers
end

function Server:signal(name) os.execute(("kill -%s %s 2>/dev/null"):format(name, self.pid)) end

-- Its exit status.
function Server:await_end()
  local path = self.dir .. "/status"
  return tonumber(await("the server's end", function() return (support.read(path) or ""):match "%d+" end))
end

function Server:stop()
  if self:is_alive() then self:signal "KILL" end
end

teardown(function()
  for _, server in ipairs(running) do server:stop() end
  support.clean()
end)

local SITE = [[
package site

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

func Hello(name string) string { return "hello " + name }

func Slow(ctx context.Context, ms int) (string, error) {
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(time.Duration(ms) * time.Millisecond):
		return "slow", nil
	}
}

var Mux = mux()

func mux() *http.ServeMux {
	m := http.NewServeMux()
	m.HandleFunc("/app/where", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.Path, r.URL.RawQuery)
	})
	m.HandleFunc("/app/events", events)
	m.HandleFunc("/app/socket", socket)
	m.HandleFunc("/app/count", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprint(w, n, err)
		w.Header().Set("X-Sum", fmt.Sprint(n))
	})
	m.HandleFunc("/app/offers", func(w http.ResponseWriter, r *http.Request) {
		_, isReader := w.(io.ReaderFrom)
		_, isHijacker := w.(http.Hijacker)
		_, isPusher := w.(http.Pusher)
		fmt.Fprint(w, r.Proto+" ", isReader, isHijacker, isPusher, w.(http.CloseNotifier).CloseNotify() != nil)
	})
	m.HandleFunc("/app/panic", func(w http.ResponseWriter, r *http.Request) { panic("oh no") })
	return m
}

func events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for i := 1; i <= 3; i++ {
		fmt.Fprintf(w, "data: %d\n\n", i)
		w.(http.Flusher).Flush()
		time.Sleep(100 * time.Millisecond)
	}
}

// socket echoes one short frame of a WebSocket.
func socket(w http.ResponseWriter, r *http.Request) {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	conn, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		http.Error(w, err.Error(), 500)
		return
	}
	defer conn.Close()
	fmt.Fprintf(buffered, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
	buffered.Flush()
	echo(buffered)
}

func echo(buffered *bufio.ReadWriter) {
	var head [6]byte
	if _, err := io.ReadFull(buffered, head[:]); err != nil {
		return
	}
	text := make([]byte, head[1]&127)
	io.ReadFull(buffered, text)
	for i := range text {
		text[i] ^= head[2+i%4]
	}
	buffered.Write([]byte{0x81, byte(len(text))})
	buffered.Write(text)
	buffered.Flush()
}

func Plain(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "plain %s user=%s", r.URL.Path, r.Header.Get("X-User"))
}

type Priced struct {
	Name    string    `json:"name"`
	Secret  string    `json:"-"`
	When    time.Time `json:"when"`
	Tags    []string
	Large   int64
	Next    *Priced `json:",omitempty"`
	private int
}

func Price(id int) (*Priced, error) {
	if id == 0 {
		return nil, errors.New("no such thing")
	}
	return &Priced{Name: "<a>", When: time.Unix(0, 0).UTC(), Large: 1<<62 + int64(id), Next: &Priced{}}, nil
}

func Prices() (int, []Priced, map[string]string) {
	return 203, []Priced{{Tags: []string{}}}, map[string]string{"X-N": "1"}
}

func Headed() (body []int, headers http.Header) {
	return []int{1}, http.Header{"Set-Cookie": {"a=1", "b=2"}}
}

func NoPrices() []Priced      { return nil }
func NoNames() map[string]int { return nil }
func Names() map[int]string   { return map[int]string{2: "b", 1: "a"} }
func Largest() uint64         { return 1<<64 - 1 }
func Unwritable() chan int    { return nil }

func Cut(next http.Handler) http.Handler { return http.StripPrefix("/cut", next) }

type shouting struct{ http.ResponseWriter }

func (s shouting) Write(p []byte) (int, error) {
	n := len(p)
	_, err := s.ResponseWriter.Write([]byte(strings.ToUpper(string(p))))
	return n, err
}

// Guard lets nobody in without a key, tells who it is, and changes what is answered.
func Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("key") == "" {
			http.Error(w, "no key", http.StatusForbidden)
			return
		}
		r.Header.Set("X-User", "ann")
		w.Header().Set("X-Guard", "passed")
		next.ServeHTTP(shouting{w}, r)
	})
}
]]

local ROUTES = [[
local site = module "site.go"
get "/hello/:name" { site.Hello }
get "/slow" { site.Slow, waits = true }
get "/late" { site.Slow, waits = true, timeout = 0.1 }
any "/app/*rest" { site.Mux }
mount "/deep" { site.Plain, strip = true }
get "/guarded/:name" { site.Hello, before = { site.Guard } }
get "/user" { function(req) return req.headers["x-user"] end, before = { site.Guard } }
get "/price/:id" { site.Price }
get "/price/later/:id" { site.Price, waits = true }
get "/prices" { site.Prices }
get "/headed" { site.Headed }
get "/prices/none" { site.NoPrices }
get "/names/none" { site.NoNames }
get "/names" { site.Names }
get "/largest" { site.Largest }
get "/unwritable" { site.Unwritable }
get "/handle" { function() return site.Price(1) end }
get "/guardplain" { site.Plain, before = { site.Guard } }
rewrite "/v1/*rest" "/app/*rest?v=1"
rewrite "/v2/*rest" "/deep/*rest"
rewrite "/v3/*rest" "/cut/*rest"
get "/cut/lua/:id" { function(req) return req.path .. " " .. req.params.id end, before = { site.Cut } }
mount "/cut" { site.Plain, before = { site.Cut } }
post "/echo" { function(req) return req.body end }
post "/small" { function(req) return #req.body .. "" end, max_body = 10 }
get "/stream" { function()
  return response { stream = function(write)
    for i = 1, 3 do
      write(i .. "\n")
      site.Slow:async(nil, 50):wait()
    end
  end }
end }
get "/fail" { function() error "boom" end }
get "/headers" { function()
  return "x", 200, { ["Set-Cookie"] = { "a=1", "b=2" }, ["X-Two"] = "one\r\nX-Three: no" }
end }
]]

-- ---- what it answers ------------------------------------------------------------------------------------------------

describe("goloader serve", function()
  local server

  setup(function() server = start { ["site.go"] = SITE, ["routes.lua"] = ROUTES } end)

  it("answers by the routes of a file, Go's functions and http.Handlers", function()
    local status, body, headers = server:get "/hello/x%20y"
    assert.equal("200 hello x y", status .. " " .. body)
    assert.equal("text/html; charset=utf-8", headers["content-type"])
    assert.equal(404, (server:get "/nowhere"))
    assert.equal(405, (server:get("/hello/x", "-X POST")))
    assert.equal("PUT /app/where a=1", select(2, server:get("/app/where?a=1", "-X PUT")))
    assert.equal("plain /a/b user=", select(2, server:get "/deep/a/b"))
    local _, text = server:get("/headers")
    assert.equal("x", text)
    local all = sh("curl -s -i http://127.0.0.1:%s/headers", server.port)
    assert.matches("Set%-Cookie: a=1\r\nSet%-Cookie: b=2\r\n", all)
    assert.is_nil(all:find "\nX%-Three")
  end)

  it("gives handlers a ResponseWriter that offers what net/http's own does, by TLS and HTTP/2 too", function()
    assert.equal("HTTP/1.1 true true false true", select(2, server:get "/app/offers"))
    local dir = toolchain.absolute(support.tmpdir())
    assert.equal(0, (support.run { "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
      "-keyout", dir .. "/key.pem", "-out", dir .. "/cert.pem", "-subj", "/CN=localhost" }))
    local files = quote(dir .. "/cert.pem") .. " " .. quote(dir .. "/key.pem")
    local secure = start({ ["site.go"] = SITE, ["routes.lua"] = ROUTES }, "--tls " .. files)
    for option, expected in pairs { ["--http2"] = "HTTP/2.0 false false true true",
      ["--http1.1"] = "HTTP/1.1 true true false true" } do
      assert.equal(expected, sh("curl -s -k %s https://127.0.0.1:%s/app/offers", option, secure.port))
    end
  end)

  it("answers by JSON as Go writes it", function()
    local nothing = '{"name":"","when":"0001-01-01T00:00:00Z","Tags":null,"Large":0}'
    local price = '{"name":"\\u003ca\\u003e","when":"1970-01-01T00:00:00Z","Tags":null,"Large":4611686018427387905,' ..
      '"Next":' .. nothing .. "}"
    for _, path in ipairs { "/price/1", "/price/later/1", "/handle" } do
      local status, body, headers = server:get(path)
      assert.same({ 200, price, "application/json" }, { status, body, headers["content-type"] })
    end
    assert.equal(500, (server:get "/price/0"))
    assert.equal(500, (server:get "/price/later/0"))
    local status, body, headers = server:get "/prices"
    assert.same({ 203, "[" .. nothing:gsub("null", "[]") .. "]", "1" }, { status, body, headers["x-n"] })
    assert.matches("Set%-Cookie: a=1\r\nSet%-Cookie: b=2\r\n.*%[1%]$",
      sh("curl -s -i http://127.0.0.1:%s/headed", server.port))
    for path, text in pairs { ["/prices/none"] = "[]", ["/names/none"] = "{}", ["/names"] = '{"1":"a","2":"b"}',
      ["/largest"] = "18446744073709551615" } do
      status, body = server:get(path)
      assert.same({ 200, text }, { status, body })
    end
    assert.equal(204, (server:get "/unwritable"))
  end)

  it("gives handlers the address that routes and middlewares have made of the client's", function()
    for path, seen in pairs { ["/v1/where?a=b"] = "GET /app/where v=1&a=b", ["/v2/x%20y"] = "plain /x y user=",
      ["/cut/x"] = "plain /x user=", ["/v3/x"] = "plain /x user=", ["/cut/lua/7"] = "/lua/7 7" } do
      assert.equal(seen, select(2, server:get(path)))
    end
  end)

  it("writes a line for each request", function()
    server:get "/hello/line?a=b"
    await("the line", function() return server:log():find "GET /hello/line%?a=b 200 10 [%d.]+ms\n" end)
  end)

  it("answers others while a Go function takes its time", function()
    local times = sh([[
      for i in 1 2 3 4 5 6 7 8; do curl -s -o /dev/null -w '%%{time_total}\n' 'http://127.0.0.1:%s/slow?ms=800' & done
      sleep 0.2; curl -s -o /dev/null -w 'fast %%{time_total}\n' http://127.0.0.1:%s/hello/x; wait]], server.port,
      server.port)
    assert.is_true(tonumber(times:match "fast ([%d.]+)") < 0.4, times)
    local count = 0
    for seconds in times:gmatch "\n(%d[%d.]+)" do
      count = count + 1
      assert.is_true(tonumber(seconds) < 3, times)
    end
    assert.equal(8, count)
  end)

  it("ends a Go function's context when the client leaves or its time is over", function()
    assert.equal(504, (server:get "/late?ms=5000"))
    sh("curl -s -m 0.2 'http://127.0.0.1:%s/slow?ms=20000'", server.port)
    await("the context's end", function() return server:log():find "/slow: context canceled" end)
  end)

  it("streams what Lua and what Go write as it comes", function()
    for _, path in ipairs { "/stream", "/app/events" } do
      local stamps = sh([[curl -s -N http://127.0.0.1:%s%s | while read line; do echo "$line $(date +%%s%%N)"; done]],
        server.port, path)
      local first, last = stamps:match "1 (%d+)", stamps:match "3 (%d+)"
      assert.is_true((tonumber(last) - tonumber(first)) / 1e6 > 60, stamps)
    end
  end)

  it("has a WebSocket by Hijack", function()
    local handshake = "GET /app/socket HTTP/1.1\\r\\nHost: x\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n"
      .. "Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n"
    local answer = sh([[bash -c 'exec 3<>/dev/tcp/127.0.0.1/%s; printf "%s" >&3
      printf "\x81\x85\x01\x02\x03\x04\x69\x67\x6f\x68\x6e" >&3; timeout 5 cat <&3']], server.port, handshake)
    assert.matches("^HTTP/1.1 101 ", answer)
    assert.matches("Sec%-WebSocket%-Accept: s3pPLMBiTxaQ9kYGzzhZRbK%+xOo=\r\n", answer)
    assert.equal("\129\5hello", answer:match "\r\n\r\n(.*)$")
  end)

  it("has middlewares as filters: they answer, let pass, change the request and the answer", function()
    assert.equal(403, (server:get "/guarded/x"))
    local status, body, headers = server:get "/guarded/x?key=1"
    assert.equal("200 HELLO X passed", ("%d %s %s"):format(status, body, headers["x-guard"]))
    assert.equal("ANN", select(2, server:get "/user?key=1"))
    assert.equal("PLAIN /GUARDPLAIN USER=ANN", select(2, server:get "/guardplain?key=1"))
  end)

  it("reads bodies up to their limits", function()
    assert.equal("some body", select(2, server:get("/echo", "-d 'some body'")))
    local big = support.write("big", ("x"):rep(11 * 2 ^ 20))
    local chunked = "-H 'Transfer-Encoding: chunked' -H Expect: --data-binary @" .. big
    assert.equal(413, (server:get("/echo", "-H Expect: --data-binary @" .. big)))
    assert.equal(413, (server:get("/echo", chunked)))
    assert.equal(413, (server:get("/small", "-d 12345678901")))
    assert.equal("10", select(2, server:get("/small", "-d 1234567890")))
    -- a handler reads what it wants
    local text = sh("curl -s -i %s http://127.0.0.1:%s/app/count", chunked, server.port)
    assert.matches("11534336 <nil>", text)
  end)

  it("answers HEAD, and keeps connections", function()
    local text = sh("curl -s -I http://127.0.0.1:%s/hello/x", server.port)
    assert.matches("^HTTP/1.1 200 OK\r\n", text)
    local url = ("http://127.0.0.1:%s/hello/x"):format(server.port)
    assert.equal("1 0 0 ", sh("curl -s -w '%%{num_connects} ' -o /dev/null %s -o /dev/null %s -o /dev/null %s", url,
      url, url))
  end)

  it("goes on when a handler panics or fails, and says so in the log", function()
    assert.equal(500, (server:get "/app/panic"))
    assert.matches("GET /app/panic: panic: oh no\n", server:log())
    local status, body = server:get "/fail"
    assert.equal("500 Internal server error\n", status .. " " .. body)
    assert.matches("GET /fail: [^\n]*routes.lua:%d+: boom\n", server:log())
    status, body = server:get("/fail", "-H 'Accept: text/html'")
    assert.equal(500, status)
    assert.matches("<mark>[^\n]*error &quot;boom&quot;", body)
    assert.equal(200, (server:get "/hello/x"))
  end)

  it("ends at once at the second signal", function()
    local other = start { ["site.go"] = SITE, ["routes.lua"] = ROUTES }
    os.execute(("curl -s 'http://127.0.0.1:%s/slow?ms=8000' >/dev/null 2>&1 &"):format(other.port))
    sleep(0.4)
    other:signal "INT"
    sleep(0.2)
    assert.is_true(other:is_alive())
    other:signal "INT"
    assert.equal(130, other:await_end())
  end)

  it("tells when its port is in use", function()
    local status, _, errors = support.run { "build/bin/goloader", "serve", "-l", "127.0.0.1:" .. server.port,
      server.dir .. "/routes.lua" }
    assert.equal(1, status)
    assert.equal(("goloader serve: 127.0.0.1:%s is in use: another process listens there\n"):format(server.port),
      errors)
  end)

  it("ends by a signal, when the requests under way are answered", function()
    local answer = support.tmpdir() .. "/answer"
    os.execute(("curl -s 'http://127.0.0.1:%s/slow?ms=1000' >%s 2>&1 &"):format(server.port, answer))
    sleep(0.4)
    server:signal "TERM"
    assert.equal(0, server:await_end())
    assert.equal("slow", support.read(answer))
    assert.equal("7\n", sh("curl -s http://127.0.0.1:%s/; echo $?", server.port)) -- nobody listens
  end)
end)

-- ---- edits ----------------------------------------------------------------------------------------------------------

local PAGE = [[
package page

func Show() string { return "%s" }
]]

describe("goloader serve, while files are edited,", function()
  local server

  setup(function()
    server = start { ["page.go"] = PAGE:format "one", ["routes.lua"] = 'local page = module "page.go"\n'
      .. 'get "/" { page.Show }\n' }
  end)

  local function shows(text)
    await(text, function() return select(2, server:get "/") == text end)
  end

  local function browser(path) return server:get(path or "/", "-H 'Accept: text/html,*/*'") end

  it("answers by the newest Go and the newest routes", function()
    shows "one"
    server:write("page.go", PAGE:format "two")
    shows "two"
    server:write("routes.lua", 'local page = module "page.go"\nget "/" { page.Show }\n'
      .. 'get "/more" { function() return "more" end }\n')
    await("the new route", function() return select(2, server:get "/more") == "more" end)
  end)

  it("shows browsers what the compiler says, with the line, and others the version before", function()
    server:write("page.go", 'package page\n\nfunc Show() string { return "<b>" + nowhere }\n')
    local status, body = await("the fault", function()
      local status, body = browser()
      return status == 500 and { status, body }
    end)[1], select(2, browser())
    assert.equal(500, status)
    assert.matches("page.go:3:%d+: undefined: nowhere", body)
    assert.matches("<mark>    3  func Show%(%) string { return &quot;&lt;b&gt;&quot; %+ nowhere }</mark>", body)
    assert.equal("200 two", table.concat({ server:get "/" }, " ", 1, 2))
    -- the page's script hears when it is mended
    local script = body:match 'EventSource%("([^"]+)"%)'
    local heard = support.tmpdir() .. "/heard"
    os.execute(("curl -s -N -m 10 'http://127.0.0.1:%s%s' >%s &"):format(server.port, script, heard))
    await("the stream", function() return (support.read(heard) or ""):find "retry" end)
    assert.is_nil(support.read(heard):find "data")
    server:write("page.go", PAGE:format "three")
    shows "three"
    await("the event", function() return support.read(heard):find "data: load" end)
    assert.equal(200, (browser()))
  end)

  it("shows what a panic of an init function says", function()
    server:write("page.go", 'package page\n\nfunc init() { panic("not today") }\n\nfunc Show() string { return "" }\n'
    )
    local body = await("the fault", function()
      local status, text = browser()
      return status == 500 and text
    end)
    assert.matches("not today", body)
    assert.matches("<mark>    3  func init%(%)", body)
    server:write("page.go", PAGE:format "four")
    shows "four"
  end)

  it("shows what is wrong with the routes", function()
    server:write("routes.lua", 'local page = module "page.go"\nget "/" { page.Shaw }\n')
    local body = await("the fault", function()
      local status, text = browser()
      return status == 500 and text
    end)
    assert.matches("Shaw", body)
    assert.matches("<mark>    2  get", body)
    assert.equal("four", select(2, server:get "/"))
    server:write("routes.lua", 'local page = module "page.go"\nget "/" { page.Show }\n')
    await("the mended file", function() return (browser()) == 200 end)
  end)

  it("ends at SIGINT with status 0 and leaves nothing", function()
    server:signal "INT"
    assert.equal(0, server:await_end())
    assert.equal("log\nout\npage.go\npid\nroutes.lua\nstatus\n", sh("ls %s", quote(server.dir)))
  end)
end)

describe("goloader serve", function()
  it("waits for a first version that works", function()
    local server = start { ["page.go"] = "package page\n\nfunc Show() string { return 1 }\n",
      ["routes.lua"] = 'local page = module "page.go"\nget "/" { page.Show }\n' }
    local status, body = server:get("/", "-H 'Accept: text/html'")
    assert.equal(500, status)
    assert.matches("page.go:3", body)
    assert.equal(500, (server:get "/"))
    server:write("page.go", PAGE:format "mended")
    await("the page", function() return select(2, server:get "/") == "mended" end)
    server:signal "TERM"
    server:await_end()
  end)

  it("keeps the old version for browsers too with --keep, and starts with nothing that fails", function()
    local server = start({ ["page.go"] = PAGE:format "one",
      ["routes.lua"] = 'local page = module "page.go"\nget "/" { page.Show }\n' }, "--keep --quiet")
    server:write("page.go", "package page\n\nfunc Show() string { return 1 }\n")
    await("the fault", function() return server:log():find "page.go:3" end)
    assert.equal("200 one", table.concat({ server:get("/", "-H 'Accept: text/html'") }, " ", 1, 2))
    assert.is_nil(server:log():find "GET /")
    local status, _, errors = support.run { "build/bin/goloader", "serve", "--keep", "-l", "127.0.0.1:0",
      server.dir .. "/routes.lua" }
    assert.equal(1, status)
    assert.matches("page.go:3", errors)
    server:signal "TERM"
    server:await_end()
  end)

  it("has a handler's newest version answer, unloads the one before, and counts what it has answered", function()
    local site = 'package site\n\nimport "net/http"\n\n'
      .. 'func Show(w http.ResponseWriter, r *http.Request) { w.Write([]byte("%s")) }\n'
    local server = start({ ["site.go"] = site:format "one", ["routes.lua"] = 'get "/" { module("site.go").Show }\n',
      ["main.lua"] = [[
        local serve, app = require "goloader.serve"
        assert(serve.run("routes.lua", { listen = "127.0.0.1:0", quiet = true, router = { on_change = function(change)
          io.stderr:write(change.what, " ", change.version, "\n")
          if change.what ~= "unloaded" then return end
          for line in app:metrics():gmatch "[^\n]+" do
            if line:find "requests_total{" then io.stderr:write(line, "\n") end
          end
        end } }, function(server)
          app = server.app
          io.stderr:write("on ", server:url(), "\n")
        end))
      ]] }, nil, ("luajit %s/spec/env.lua main.lua"):format(quote(lfs.currentdir())))
    for _ = 1, 5 do assert.equal("one", select(2, server:get "/")) end
    server:write("site.go", site:format "two")
    await("the new version", function() return select(2, server:get "/") == "two" end)
    await("the unload", function() return server:log():find "unloaded 1\n" end)
    await("the figures", function() return server:log():find "requests_total" end)
    assert.matches('requests_total{[^\n]*status="200"', server:log())
    assert.is_true(tonumber(server:log():match "requests_total{[^\n]*} (%d+)") >= 5, server:log())
    server:signal "TERM"
    assert.equal(0, server:await_end())
  end)

  it("is a library, on other Luas too", function()
    local root = lfs.currentdir()
    for _, lua in ipairs { "luajit", "lua5.4", "lua5.1" } do
      local server = start({ ["site.go"] = SITE, ["routes.lua"] = ROUTES, ["main.lua"] = [[
        local serve = require "goloader.serve"
        assert(serve.run("routes.lua", { listen = "127.0.0.1:0", quiet = true }, function(server)
          io.stderr:write("on ", server:url(), "\n")
        end))
      ]] }, nil, ("%s %s/spec/env.lua main.lua"):format(lua, quote(root)))
      assert.equal("hello x", select(2, server:get "/hello/x"))
      assert.equal("HELLO X", select(2, server:get "/guarded/x?key=1"))
      assert.equal("some body", select(2, server:get("/echo", "-d 'some body'")))
      assert.equal("slow", select(2, server:get "/slow?ms=10"))
      assert.equal("1\n2\n3\n", select(2, server:get "/stream"))
      server:write("site.go", (SITE:gsub('"hello "', '"hallo "')))
      await("the new version", function() return select(2, server:get "/hello/x") == "hallo x" end)
      server:signal "TERM"
      server:await_end()
    end
  end)
end)
