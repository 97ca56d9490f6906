-- `lua_code_cache off`: nginx makes a Lua state for each request, which loads its modules and takes them along.
local nginx = require "spec.nginx"
local support = require "spec.support"

local REQUESTS = 1000

teardown(nginx.clean)

describe("requests with a Lua state each", function()
  it("leave nothing behind: mappings and resident memory are flat", function()
    local object = support.compile(support.read "spec/testdata/states/states.go", "states")
    os.execute("chmod -R a+rX " .. support.tmpdir())
    local server = nginx.start {
      http = "lua_code_cache off;",
      server = ([[ location / { content_by_lua_block {
        local host = assert(require "goloader".host())
        local states = assert(host:load %q)
        local counter = states.New()
        ngx.say(counter:Add() + counter:Add() + states.Sum(1, 2))
      } } ]]):format(object),
    }
    local function serve(n)
      local _, out = support.run { "curl", "-s", ("http://127.0.0.1:%d/?[1-%d]"):format(server.port, n) }
      local _, answers = out:gsub("6\n", "")
      return answers
    end
    -- The garbage collector's rhythm has unloaded memory wait for a while: the least of some looks counts.
    local function look()
      local pid, maps, rss = server:workers()[1], math.huge, math.huge
      for _ = 1, 6 do
        serve(10)
        local _, n = support.read(("/proc/%d/maps"):format(pid)):gsub("\n", "")
        maps = math.min(maps, n)
        rss = math.min(rss, tonumber(support.read(("/proc/%d/status"):format(pid)):match "VmRSS:%s*(%d+)"))
      end
      return maps, rss
    end
    local before, rss_before = look()
    assert.equal(REQUESTS, serve(REQUESTS))
    local after, rss_after = look()
    assert.is_true(after - before < 100, ("%d mappings, then %d"):format(before, after)) -- it was 3 a request
    assert.is_true(rss_after - rss_before < 8000, ("%d KB, then %d"):format(rss_before, rss_after)) -- it was 31 KB
    server:stop()
  end)

  it("have no routes, and the log says why", function()
    local server = nginx.start {
      http = [[lua_code_cache off; init_worker_by_lua_block { require("goloader.nginx").start "routes.lua" }]],
      server = [[location / { content_by_lua_block { require("goloader.nginx").content() } }]],
      files = { ["routes.lua"] = 'get "/" { function() return "here" end }' },
    }
    assert.equal(500, (server:get "/"))
    assert.matches("%[error%] [^\n]*lua_code_cache is off: each request has a Lua state of its own", server:log())
    server:stop()
  end)
end)
