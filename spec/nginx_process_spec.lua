-- Go in an nginx worker leaves the process what it had: its signals, its children, its Lua states.
local nginx = require "spec.nginx"
local support = require "spec.support"

teardown(nginx.clean)

local ROOT = require("lfs").currentdir()

-- A worker in which Go runs, and a function for each location.
local function start(options)
  options.http = (options.http or "") .. ([[
    init_worker_by_lua_block {
      local goloader = require "goloader"
      host = assert(goloader.host())
      children = assert(host:build "%s/spec/testdata/children")
    }
  ]]):format(ROOT)
  return nginx.start(options)
end

local CHILDREN = [[
  location /execute { content_by_lua_block {
    local job = children.Many:async(4, 250)
    local failed, popen_failed = 0, 0
    for i = 1, 1000 do
      if os.execute("exit 3") ~= 3 * 256 then failed = failed + 1 end
      local pipe = io.popen "echo word"
      if pipe:read "*a" ~= "word\n" then popen_failed = popen_failed + 1 end
      pipe:close()
    end
    ngx.say(failed, " ", popen_failed, " ", job:wait())
  } }
  location /killed { content_by_lua_block { ngx.say(children.Killed(0.05)) } }
  location /usage { content_by_lua_block { ngx.say(tostring(children.Usage())) } }
  location /late { content_by_lua_block { ngx.say(children.Late(50)) } }
  location /blocked { content_by_lua_block { ngx.say(children.Blocked()) } }
  location /threads { content_by_lua_block { ngx.say(children.Threads()) } }
]]

describe("children in a worker", function()
  local server
  setup(function() server = start { server = CHILDREN } end)
  teardown(function() server:stop() end)

  local function get(path)
    local status, body = server:get(path)
    assert.equal(200, status, server:log())
    return (body:gsub("\n$", ""))
  end

  it("are waited for by those who started them: os.execute, io.popen and os/exec at the same time", function()
    assert.equal("0 0 none failed", get "/execute")
  end)

  it("of Go's are told how they ended, also when they were killed", function()
    assert.equal("signal: killed killed", get "/killed")
  end)

  it("of Go's tell what they used", function()
    assert.equal("true", get "/usage")
  end)

  it("of Go's may be waited for long after they have ended", function()
    local before = #server:log()
    assert.equal("all told", get "/late")
    assert.is_nil(server:log():find("unknown process", before, true)) -- nginx's handler has seen none of them
  end)

  it("of Go's block no signals that the worker doesn't", function()
    assert.equal("SigBlk:\t0000000000000000", get "/blocked")
  end)
end)

describe("signals in a worker", function()
  -- as the kernel writes them: bit n-1 is signal n
  local HUP, QUIT, USR1, USR2, PIPE, ALRM, TERM, CHLD, IO, WINCH = 1, 3, 10, 12, 13, 14, 15, 17, 29, 28
  local SEGV, URG = 11, 23

  local function has(mask, sig)
    local digit = tonumber(mask:sub(16 - math.floor((sig - 1) / 4), 16 - math.floor((sig - 1) / 4)), 16)
    return math.floor(digit / 2 ^ ((sig - 1) % 4)) % 2 == 1
  end

  local server
  setup(function() server = start { server = CHILDREN } end)
  teardown(function() server:stop() end)

  it("are left by Go's threads to nginx's own", function()
    local _, body = server:get "/threads"
    local first, others = body:match "^(%x+)\n(.*)$"
    assert.equal("0000000000000000", first)
    local n = 0
    for mask in others:gmatch "%x+" do
      n = n + 1
      for _, sig in ipairs { HUP, QUIT, USR1, USR2, PIPE, ALRM, TERM, CHLD, IO, WINCH } do
        assert.is_true(has(mask, sig), ("signal %d in %s"):format(sig, mask))
      end
      assert.is_false(has(mask, SEGV) or has(mask, URG), mask)
    end
    assert.is_true(n >= 3)
  end)

  it("have the handlers that nginx gave them", function()
    local master, worker = support.read(("/proc/%d/status"):format(server.pid)),
      support.read(("/proc/%d/status"):format(server:workers()[1]))
    for _, kind in ipairs { "SigIgn", "SigCgt" } do
      local there, here = master:match(kind .. ":%s*(%x+)"), worker:match(kind .. ":%s*(%x+)")
      for _, sig in ipairs { HUP, QUIT, USR1, USR2, PIPE, ALRM, TERM, CHLD, IO, WINCH } do
        assert.equal(has(there, sig), has(here, sig), kind .. " of signal " .. sig)
      end
    end
    assert.is_true(has(worker:match "SigIgn:%s*(%x+)", PIPE)) -- which the runtime takes for itself in other programs
  end)

  it("make a worker go at once, and a new one come", function()
    for _ = 1, 3 do
      local before = server:workers()[1]
      server:signal "HUP"
      assert.is_true(support.eventually(function()
        local now = server:workers()
        return #now == 1 and now[1] ~= before
      end), server:log())
      assert.equal("true\n", (select(2, server:get "/usage")))
    end
    assert.is_nil(server:log():find("exited on signal", 1, true))
  end)
end)

describe("the init phase", function()
  local INIT = [[
    init_by_lua_block {
      local ok, message, err = require "goloader".host()
      told = tostring(not not ok) .. " " .. tostring(err and err.code) .. " " .. tostring(message)
    }
    init_worker_by_lua_block { worker = assert(require "goloader".host()) }
  ]]
  local LOCATIONS = [[ location / { content_by_lua_block {
    ngx.say(told)
    ngx.say(worker:info().go_version)
  } } ]]

  local function told(options)
    options.http, options.server = INIT, LOCATIONS
    local server = nginx.start(options)
    assert.is_true(support.eventually(function() return server:is_listening() end), server:log())
    local _, body = server:get "/"
    server:stop()
    return body
  end

  it("is no place for Go, and the message says which is", function()
    local body = told {}
    assert.truthy(body:find("^false phase Go can't be started in nginx's init phase"), body)
    assert.truthy(body:find("init_worker_by_lua_block { require(\"goloader\").host() }", 1, true), body)
    assert.truthy(body:find "\ngo1%.", body) -- and the workers have theirs
  end)

  it("is one where nginx never forks", function()
    assert.truthy(told { main = "master_process off;", no_wait = true }:find "^true nil nil\ngo1%.")
  end)

  it("is none when the master reads its configuration anew", function()
    local server = nginx.start { http = INIT, server = LOCATIONS }
    local before = server:workers()[1]
    server:signal "HUP"
    assert.is_true(support.eventually(function()
      local now = server:workers()
      return #now == 1 and now[1] ~= before
    end), server:log())
    local _, body = server:get "/"
    assert.truthy(body:find "^false phase ", body)
    server:stop()
  end)
end)
