-- Caches of routes in a real nginx: pages that all workers share, and requests that wait for one another.
local nginx = require "spec.nginx"
local support = require "spec.support"

teardown(nginx.clean)

local ROUTES = [[
local counter = ngx.shared.counter
local function count(name) return counter:incr(name, 1, 0) end
local function page(name)
  return function(req)
    local n = count(name .. req.path)
    if req.args.sleep then ngx.sleep(tonumber(req.args.sleep)) end
    if counter:get "broken" then return nil, "broken" end
    return name .. " " .. n, 200, { ["X-Worker"] = ngx.worker.id() .. "" }
  end
end

get "/shared/:id" { page "shared", cache = { ttl = "1m", store = "shared:pages", tags = { "t" } } }
get "/own/:id" { page "own", cache = "1m" }
get "/short/:id" { page "short", cache = { ttl = "100ms", stale_while_revalidate = "1m", store = "shared:pages" } }
get "/safe/:id" { page "safe", cache = { ttl = "100ms", stale_if_error = "1m" } }
get "/de/:id" { page "lang", cache = { ttl = "1m", store = "shared:pages", vary = { header = "Accept-Language" } } }
get "/big/:id" { function()
  count "big"
  return ("x"):rep(60000)
end, cache = { ttl = "1m", store = "shared:pages" } }
get "/count" { function() return "big " .. count "big" end }
get "/purge" { function(req)
  local gone = purge { tag = req.args.tag, key = req.args.key, all = req.args.all and true }
  assert(type(gone) == "number" and require("goloader.nginx").app():purge { tag = "nobody's" } == 0)
  return "purged"
end }
get "/break" { function(req) counter:set("broken", req.args.on and true or nil) return "ok" end }
get "/stats" { function() return require("goloader.nginx").app():cache_stats()["GET /shared/:id"] end }
get "/worker" { function() return ngx.worker.id() .. "" end }
]]

local function start(workers)
  return nginx.start {
    workers = workers,
    http = [[
      lua_shared_dict pages 1m;
      lua_shared_dict counter 1m;
      init_worker_by_lua_block { require("goloader.nginx").start "conf/routes.lua" }
    ]],
    server = [[
      location / { content_by_lua_block { require("goloader.nginx").content() } }
    ]],
    files = { ["conf/routes.lua"] = ROUTES },
  }
end

describe("a cache in nginx", function()
  local server

  setup(function() server = start(2) end)

  local function get(path, headers)
    local status, body, got = server:get(path, { headers = headers })
    return body, status, got
  end

  -- The pages that many requests get, each on a connection of its own: all workers answer.
  local function many(path, n)
    local workers = {}
    for _ = 1, n do
      local body = get(path)
      workers[body] = (workers[body] or 0) + 1
    end
    return workers
  end

  it("is every worker's, where it is shared", function()
    assert.equal("shared 1", (get "/shared/a"))
    assert.same({ ["shared 1"] = 20 }, many("/shared/a", 20))
  end)

  it("has one request of all workers make a page", function()
    local at = "http://127.0.0.1:" .. server.port .. "/shared/slow?sleep=0.3"
    local words = { "curl", "-s", "--parallel", "--parallel-immediate", "--parallel-max", "12" }
    for _ = 1, 12 do words[#words + 1] = at end
    local status, out = support.run(words)
    assert.equal(0, status)
    assert.equal(("shared 1"):rep(12), out)
  end)

  it("has one request of a worker make a page, where it is the worker's own", function()
    local at = "http://127.0.0.1:" .. server.port .. "/own/slow?sleep=0.3"
    local words = { "curl", "-s", "--parallel", "--parallel-immediate", "--parallel-max", "12" }
    for _ = 1, 12 do words[#words + 1] = at end
    local status, out = support.run(words)
    assert.equal(0, status)
    assert.equal("", (out:gsub("own [12]", "")))
  end)

  it("is purged for all workers", function()
    for _, how in ipairs { "tag=t", "key=/shared/p", "all=1" } do
      assert.equal("shared 1", (get("/shared/p" .. how:sub(1, 1))))
      local before = get "/shared/p"
      assert.same({ [before] = 6 }, many("/shared/p", 6))
      get("/purge?" .. how)
      local after = get "/shared/p"
      assert.not_equal(before, after, how)
      assert.same({ [after] = 6 }, many("/shared/p", 6))
    end
  end)

  it("shows what is stale while a new one is made besides", function()
    assert.equal("short 1", (get "/short/a"))
    os.execute "sleep 0.15"
    assert.equal("short 1", (get "/short/a"))
    local body
    assert.is_true(support.eventually(function()
      body = get "/short/a"
      return body ~= "short 1"
    end))
    assert.matches("^short %d$", body)
  end)

  it("shows what is stale when making a new one fails", function()
    local own = start(1)
    assert.equal("safe 1", select(2, own:get "/safe/a"))
    own:get "/break?on"
    os.execute "sleep 0.15"
    assert.equal("safe 1", select(2, own:get "/safe/a"))
    assert.equal(500, (own:get "/safe/b"))
    own:get "/break"
    assert.equal("safe 3", select(2, own:get "/safe/a"))
    own:stop()
  end)

  it("varies by headers", function()
    assert.equal("lang 1", (get("/de/a", { ["Accept-Language"] = "de" })))
    assert.equal("lang 2", (get("/de/a", { ["Accept-Language"] = "fr" })))
    assert.equal("lang 1", (get("/de/a", { ["Accept-Language"] = "de" })))
  end)

  it("tells who has the page", function()
    local _, _, headers = get "/shared/e"
    assert.truthy(headers.etag)
    local body, status = get("/shared/e", { ["If-None-Match"] = headers.etag })
    assert.same({ "", 304 }, { body, status })
    assert.equal(200, (server:get("/shared/e", { headers = { ["If-None-Match"] = '"x"' } })))
  end)

  it("makes room in a dictionary that is full", function()
    for i = 1, 25 do assert.equal(60000, #get("/big/" .. i)) end
    assert.equal(200, (server:get "/shared/after"))
    assert.equal("big 26", (get "/count"))
    assert.matches('"capacity":1048576', (get "/stats"))
  end)

  it("says what is missing", function()
    local other = nginx.start {
      http = [[ init_worker_by_lua_block { require("goloader.nginx").start "conf/routes.lua" } ]],
      server = [[ location / { content_by_lua_block { require("goloader.nginx").content() } } ]],
      files = { ["conf/routes.lua"] = 'get "/" { print, cache = { ttl = 1, store = "shared:pages" } }' },
    }
    assert.equal(500, (other:get "/"))
    assert.matches("routes.lua:1: GET /: cache: there is no shared dictionary pages: nginx's configuration lacks "
      .. "lua_shared_dict pages 10m;", other:log())
    other:stop()
  end)
end)

describe("a cache that workers share, where each compiles for itself", function()
  it("has pages of the first version of a module, too", function()
    local server = nginx.start {
      workers = 2,
      http = [[
        lua_shared_dict pages 1m;
        init_worker_by_lua_block { require("goloader.nginx").start { "conf/routes.lua", state = "/dev/null/no" } }
      ]],
      server = [[ location / { content_by_lua_block { require("goloader.nginx").content() } } ]],
      files = {
        ["conf/page.go"] = [[
package page

import ("fmt"; "os"; "time")

func Page() string { return fmt.Sprint(os.Getpid(), " ", time.Now().UnixNano()) }
]],
        ["conf/routes.lua"] = [[
local page = module "page.go"
get "/" { page.Page, cache = { ttl = "1m", store = "shared:pages" } }
]],
      },
    }
    assert.matches("each worker compiles for itself, until [^\n]*: install %-d %-o %d+ /dev/null/no,", server:log())
    local _, first = server:get "/"
    assert.matches("^%d+ %d+$", first)
    for _ = 1, 5 do assert.equal(first, select(2, server:get "/")) end
  end)
end)
