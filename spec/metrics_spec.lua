-- Figures of what serves: in plain Lua with a host made of Lua, and in nginx.

local fakehost = require "spec.fakehost"
local json = require "cjson"
local nginx = require "spec.nginx"
local router = require "goloader.router"
local support = require "spec.support"

teardown(nginx.clean)

-- The number of a sample; nil where there is none.
local function value(text, sample)
  local at = ("\n" .. text):find("\n" .. sample .. " ", 1, true)
  return at and tonumber(text:sub(at + #sample):match "^%s*(%S+)")
end

-- What the text format asks for: each family once, its HELP and TYPE first, samples below.
local function check_format(text)
  local seen, current = {}, nil
  for line in text:gmatch "[^\n]+" do
    local family = line:match "^# HELP (%S+) %S"
    if family then
      assert.is_nil(seen[family], family)
      seen[family], current = true, family
    elseif line:find "^#" then
      local name, kind = line:match "^# TYPE (%S+) (%S+)$"
      assert.equal(current, name)
      assert.truthy(({ counter = 1, gauge = 1, histogram = 1 })[kind], line)
    else
      local name, labels, number = line:match "^([%w_]+)(.-) (%S+)$"
      assert.equal(current, (name:gsub("_bucket$", ""):gsub("_sum$", ""):gsub("_count$", "")))
      assert.truthy(tonumber(number), line)
      assert.truthy(labels == "" or labels:find "^{.*}$", line)
    end
  end
end

describe("metrics", function()
  local now = 0

  local function new(...)
    return router.new { host = fakehost.new(...), log = function() end, stopwatch = function()
      now = now + 0.0005 -- each look costs half a millisecond
      return now
    end }
  end

  local page = fakehost.page

  it("count requests by route, version and status, and how long they took", function()
    local app = new(fakehost.module { F = page "one" }, fakehost.module { F = page "two" })
    local slot = assert(app:module "m.go")
    app:route("GET", "/page", slot.F)
    app:route("GET", "/broken", function() error "broken" end)
    app:route("GET", '/odd"name', function()
      now = now + 0.02
      return "odd"
    end)
    for _ = 1, 3 do app:handle "/page" end
    assert(slot:reload())
    app:handle "/page"
    app:handle "/broken"
    app:handle "/nowhere"
    app:handle '/odd"name'
    local text = app:metrics()
    check_format(text)
    local function requests(route, version, status)
      return value(text, ('goloader_requests_total{method="%s",route="%s",version="%s",status="%d"}'):format(
        route == "" and "" or "GET", route, version, status))
    end
    assert.equal(3, requests("/page", "1", 200))
    assert.equal(1, requests("/page", "2", 200))
    assert.equal(1, requests("/broken", "", 500))
    assert.equal(1, requests("", "", 404))
    local function bucket(route, version, le)
      return value(text, ('goloader_request_duration_seconds_bucket{method="GET",route="%s",version="%s",le="%s"}')
        :format(route, version, le))
    end
    assert.equal(3, bucket("/page", "1", "0.001"))
    assert.equal(3, bucket("/page", "1", "+Inf"))
    assert.equal(0, bucket('/odd\\"name', "", "0.01"))
    assert.equal(1, bucket('/odd\\"name', "", "0.025"))
    assert.equal(1, value(text,
      'goloader_request_duration_seconds_count{method="GET",route="/odd\\"name",version=""}'))
  end)

  it("tell what caches have answered, also before the routes were read again", function()
    local app = new()
    local file = support.write("routes.lua", 'get "/page" { function() return "page" end, cache = "1m" }')
    assert(app:load(file))
    local function told(result)
      return value(app:metrics(), 'goloader_cache_requests_total{method="GET",route="/page",result="' .. result .. '"}')
    end
    for _ = 1, 3 do app:handle "/page" end
    check_format(app:metrics())
    assert.same({ 2, 0, 1 }, { told "hit", told "stale", told "miss" })
    assert.equal(0, value(app:metrics(), 'goloader_cache_waits_total{method="GET",route="/page"}'))
    assert(app:load(file))
    assert.same({ 2, 0, 1 }, { told "hit", told "stale", told "miss" })
    for _ = 1, 2 do app:handle "/page" end
    assert.same({ 3, 0, 2 }, { told "hit", told "stale", told "miss" })
  end)

  it("tell what became of modules, and why one can't be unloaded", function()
    local busy = true
    local function unload() return not busy, { message = 'goroutine 7 is in "main.F"' } end
    local app = new(fakehost.module({ F = page "one" }, unload), fakehost.module { F = page "two" }, "m.go:7: no")
    local slot = assert(app:module "m.go")
    assert(slot:reload())
    assert.is_nil((slot:reload()))
    local text = app:metrics()
    check_format(text)
    assert.equal(2, value(text, 'goloader_module_loads_total{module="m.go"}'))
    assert.equal(1, value(text, 'goloader_module_failures_total{module="m.go"}'))
    assert.equal(1, value(text, 'goloader_module_unloads_refused_total{module="m.go"}'))
    assert.equal(2, value(text, 'goloader_module_version{module="m.go"}'))
    assert.equal(1, value(text, 'goloader_module_unload_refused{module="m.go",version="1",'
      .. 'why="goroutine 7 is in \\"main.F\\""}'))
    busy = false
    app:poll()
    text = app:metrics()
    assert.is_nil(text:find("goloader_module_unload_refused{", 1, true))
    assert.equal(1, value(text, 'goloader_module_unloads_total{module="m.go"}'))
    assert.equal(0, value(text, 'goloader_module_old_versions{module="m.go"}'))
  end)

  it("are the same in JSON", function()
    local app = new()
    app:route("GET", "/a", function() return "a" end)
    app:handle "/a"
    local tree = json.decode(json.encode(app:metrics "tree"))
    local requests = tree.goloader_requests_total
    assert.equal("counter", requests.type)
    assert.same({ { name = "goloader_requests_total", value = 1,
      labels = { method = "GET", route = "/a", version = "", status = "200" } } }, requests.samples)
  end)

  describe("in nginx", function()
    local function start(http, workers)
      return nginx.start {
        user = "www-data", workers = workers,
        files = {
          ["conf/page.go"] = 'package main\n\nfunc Page() string { return "one" }\n',
          ["conf/routes.lua"] = 'local page = module "page.go"\nget "/page" { page.Page }\n',
        },
        http = http .. [[init_worker_by_lua_block { require("goloader.nginx").start "conf/routes.lua" }]],
        server = [[
          location / { content_by_lua_block { require("goloader.nginx").content() } }
          location /metrics { content_by_lua_block { require("goloader.nginx").metrics() } }
        ]],
      }
    end

    it("are of the worker that answers", function()
      local server = start("", 1)
      for _ = 1, 5 do server:get "/page" end
      local status, text, headers = server:get "/metrics"
      assert.equal(200, status)
      assert.equal("text/plain; version=0.0.4; charset=utf-8", headers["content-type"])
      check_format(text)
      assert.equal(5, value(text,
        'goloader_requests_total{method="GET",route="/page",version="1",status="200",worker="0"}'))
      assert.is_true(value(text, 'goloader_go_goroutines{worker="0"}') > 0)
      assert.is_true(value(text, 'goloader_go_heap_bytes{worker="0"}') > 10000)
      local calls = 0
      for n in text:gmatch 'goloader_calls_total{road="%w+",worker="0"} (%d+)' do calls = calls + tonumber(n) end
      assert.equal(5, calls)
      local _, body = server:get("/metrics?format=json")
      assert.equal("histogram", json.decode(body).goloader_request_duration_seconds.type)
      assert.is_true(server:stop "QUIT")
    end)

    it("are those of all workers where they share a dictionary, also of workers that have gone", function()
      local server = start("lua_shared_dict goloader_metrics 1m;", 2)
      for _ = 1, 20 do server:get "/page" end
      local function requests()
        local _, text = server:get "/metrics"
        return value(text, 'goloader_requests_total{method="GET",route="/page",version="1",status="200"}'), text
      end
      assert.is_true(support.eventually(function() return requests() == 20 end))
      local _, text = requests()
      check_format(text)
      assert.equal(2, value(text, "goloader_workers"))
      for _, pid in ipairs(server:workers()) do server:signal("KILL", pid) end
      assert.is_true(support.eventually(function()
        local n, after = requests()
        return n == 20 and value(after, "goloader_workers") == 2
      end), text)
      assert.is_true(server:stop "QUIT")
    end)
  end)
end)
