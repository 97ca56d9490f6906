-- The examples for nginx, run by the script that `make nginx` runs, and asked as their configurations say.

local nginx = require "spec.nginx"
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

local quote, read = toolchain.quote, toolchain.read_file

-- Starts an example on free ports; what it prints and logs is in `server:log()`.
---@return nginx.Server server  `conf` is the folder of its files
local function start(name)
  local prefix = support.tmpdir() .. "/" .. name
  local server = nginx.adopt(prefix .. ".log", function(output, port, upstream)
    return ("PREFIX=%s exec examples/nginx.sh %s %d %d >%s 2>&1 </dev/null"):format(quote(prefix), name, port, upstream,
      quote(output))
  end)
  server.conf = prefix .. "/conf"
  return server
end

teardown(nginx.clean)

describe("the list page in nginx", function()
  local server

  setup(function() server = start "listpage" end)
  teardown(function() server:stop() end)

  it("is what its configuration says", function()
    local status, page, headers = server:get "/list/phones?brand=Halden&network=5G"
    assert.equal(200, status)
    assert.equal("text/html; charset=utf-8", headers["content-type"])
    assert.matches("<title>Phones</title>", page, 1, true)
    status, page, headers = server:get "/feed/coffee?key=hermes"
    assert.same({ 200, "text/csv; charset=utf-8" }, { status, headers["content-type"] })
    assert.matches("^id,name,price,rating,reviews\n%d+,", page)
    assert.equal(403, (server:get "/feed/coffee?key=guess"))
    status, page = server:get "/list/socks"
    assert.same({ 404, 'no category "socks"\n' }, { status, page })
    local home, _, sent = server:get "/"
    assert.same({ 302, "/list/bikes" }, { home, (sent.location:gsub("^http://[^/]*", "")) })
  end)

  it("prints addresses to try that are answered", function()
    local tried = 0
    for command in server:log():gmatch "\n    (curl [^\n]*)" do
      local status, output = support.run { "sh", "-c", command }
      assert.equal(0, status, command)
      assert.is_true(#output > 10, command)
      tried = tried + 1
    end
    assert.equal(5, tried)
  end)

  it("is another after an edit", function()
    local address = "/list/phones?brand=Halden"
    local _, before = server:get(address)
    local old = read(server.conf .. "/list.go")
    local new = old:gsub('"Best rated"', '"Most loved"')
    assert.is_true(new ~= old)
    support.write_file(server.conf .. "/list.go", new)
    assert.matches("Best rated", before, 1, true)
    assert.is_true(support.eventually(function()
      local _, page = server:get(address)
      return page:find("Most loved", 1, true)
    end), server:log())
  end)

  it("ends when it is told to", function()
    assert.is_true(server:stop "QUIT")
  end)
end)

describe("the gateway", function()
  local server, token

  setup(function()
    support.fetch_modules "examples/gateway"
    server = start "gateway"
    token = select(2, server:get "/token?user=ann&roles=buyer")
  end)
  teardown(function() server:stop() end)

  local function ask(path, options)
    options = options or {}
    options.headers = options.headers or {}
    options.headers.Authorization = "Bearer " .. (options.token or token)
    return server:get(path, options)
  end

  it("lets nobody in without a token that it has signed", function()
    local status, body, headers = server:get "/api/orders"
    assert.same({ 401, "no token present in request\n", "Bearer" }, { status, body, headers["www-authenticate"] })
    assert.equal(401, (ask("/api/orders", { token = token:sub(1, -5) .. "aaaa" })))
    assert.equal(401, (ask("/api/orders", { token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ." })))
  end)

  it("tells the service who asks, whatever the client says", function()
    local status, body = ask("/api/orders?x=1", { headers = { ["X-User"] = "root", Cookie = "canary=c1" } })
    assert.same({ 200, "GET /api/orders?x=1, for ann, by the stable version\n" }, { status, body })
  end)

  it("asks the policy", function()
    local cookie = { Cookie = "canary=c1" }
    local status, body = ask("/api/orders/1", { method = "DELETE", headers = cookie })
    assert.same({ 403, "ann may not do that\n" }, { status, body })
    local _, admin = server:get "/token?user=eve&roles=buyer,admin"
    status, body = ask("/api/orders/1", { method = "DELETE", token = admin, headers = cookie })
    assert.same({ 200, "DELETE /api/orders/1, for eve, by the stable version\n" }, { status, body })
  end)

  it("has Coraza look at addresses, bodies and the head of answers", function()
    assert.equal(403, (ask "/api/orders?id=1'%20or%20'1'='1"))
    assert.equal(403, (ask "/api/files?name=/etc/passwd"))
    local form = { ["Content-Type"] = "application/x-www-form-urlencoded" }
    local attack = "note=<script>alert(document.cookie)</script>"
    assert.equal(403, (ask("/api/orders", { method = "POST", headers = form, body = attack })))
    assert.equal(200, (ask("/api/orders", { method = "POST", headers = form, body = "note=two lamps" })))
    local status, body, headers = ask "/api/inside"
    assert.same({ 502, "" }, { status, body })
    assert.is_nil(headers["x-debug"])
    assert.matches("rule 104: Upstream talks about itself", server:log(), 1, true)
  end)

  it("rewrites addresses, whose filters run all the same", function()
    assert.equal(401, (server:get "/v1/orders"))
    local cookie = { Cookie = "canary=c1" }
    local status, body = ask("/v1/orders/a%20b%25%2B?x=1", { headers = cookie })
    assert.same({ 200, "GET /api/orders/a%20b%25+?x=1, for ann, by the stable version\n" }, { status, body })
    local moved, _, headers = server:get "/orders?page=2"
    assert.same({ 308, "/api/orders?page=2" }, { moved, (headers.location:gsub("^http://[^/]*", "")) })
    assert.equal(404, (server:get "/elsewhere"))
  end)

  it("gives a share of the visitors the new version, and remembers whom", function()
    os.execute "sleep 1" -- there is a limit
    local _, _, headers = ask "/api/orders"
    local cookie = headers["set-cookie"]:match "^canary=%w+"
    local seen = {}
    for i = 1, 6 do
      local _, body = ask("/api/orders", { headers = { Cookie = i % 2 == 0 and cookie or "canary=c2" } })
      local version = body:match "by the (%a+) version"
      seen[i % 2] = seen[i % 2] or version
      assert.equal(seen[i % 2], version)
    end
    assert.equal("canary", seen[1])
  end)

  it("limits how often somebody may ask", function()
    -- over one connection, so that it is one worker who counts
    local address = ("http://127.0.0.1:%d/token?n=[1-60]"):format(server.port)
    local _, statuses = support.run { "curl", "-s", "-o", "/dev/null", "-w", "%{http_code} ", address }
    assert.matches("^200 .*429 ", statuses)
    os.execute "sleep 1.1"
    assert.equal(200, (server:get "/token"))
  end)

  it("follows an edit of its policy", function()
    local path = server.conf .. "/auth/policy.cel"
    local policy = assert(read(path))
    support.write_file(path, (policy:gsub('method == "GET"', 'method == "GET" && user != "ann"')))
    assert.is_true(support.eventually(function()
      os.execute "sleep 0.1"
      return ask "/api/orders" == 403
    end), server:log())
    assert.is_true(server:stop "QUIT")
  end)
end)

-- Sends text over a connection, and returns what comes back within a second.
local function talk(server, text)
  local script = ("exec 3<>/dev/tcp/127.0.0.1/%d; cat >&3; timeout 1 cat <&3"):format(server.port)
  local _, heard = support.run({ "bash", "-c", script }, nil, text)
  return heard
end

-- A frame from a client to a WebSocket; its mask is all zeros.
local function frame(text) return "\x81" .. string.char(128 + #text) .. "\0\0\0\0" .. text end

describe("the application of net/http", function()
  local server

  setup(function()
    support.fetch_modules "examples/handler"
    server = start "handler"
  end)

  it("shows pages of its templates, with what it knows of the visitor", function()
    local status, page, headers = server:get "/"
    assert.same({ 200, "text/html; charset=utf-8" }, { status, headers["content-type"] })
    assert.matches("You are 127%.0%.0%.1:%d+, and ask 127%.0%.0%.1:" .. server.port, page)
    assert.matches("<h1>Hello, &lt;you&gt;!</h1>", select(2, server:get "/hello/%3Cyou%3E"), 1, true)
    assert.equal(404, (server:get "/nowhere"))
  end)

  it("has files, whole and in part", function()
    local status, text, headers = server:get "/static/site.css"
    assert.same({ 200, "text/css; charset=utf-8" }, { status, headers["content-type"] })
    assert.equal(support.read "examples/handler/site/static/site.css", text)
    local part
    status, part = server:get("/static/site.css", { headers = { Range = "bytes=5-9" } })
    assert.same({ 206, text:sub(6, 10) }, { status, part })
  end)

  it("sends events till the visitor leaves", function()
    local _, events = server:get("/clock", { args = { "-N", "-m", "0.9" } })
    local _, n = events:gsub("data: %d+:%d+:%d+%.%d\n\n", "")
    assert.is_true(n >= 3 and n <= 6, events)
  end)

  it("reads a body piece by piece", function()
    local text = ("twenty bytes of text"):rep(500000)
    local _, sum = server:get("/sum", { body = text })
    local _, known = support.run({ "sha256sum", support.write("body", text) })
    assert.equal(known:match "^%x+" .. "  10000000 bytes\n", sum)
  end)

  it("has a chat over WebSockets", function()
    local heard = talk(server, table.concat {
      "GET /chat?name=ann HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", frame "a lamp, please",
    })
    assert.matches("^HTTP/1.1 101 Switching Protocols\r\n", heard)
    assert.matches("Sec-Websocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", heard, 1, true)
    assert.matches("\129\11ann is here\129\19ann: a lamp, please", heard, 1, true)
  end)

  it("leaves nothing in the log but what nginx says", function()
    assert.is_true(server:stop "QUIT")
    assert.is_nil(server:log():match "%[error%][^\n]*")
    assert.is_nil(server:log():match "%[alert%][^\n]*")
  end)
end)
