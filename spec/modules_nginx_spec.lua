-- Modules of a routes file in nginx: one worker compiles an edit, all load it, and requests go on meanwhile.

local lfs = require "lfs"
local nginx = require "spec.nginx"
local support = require "spec.support"

teardown(function()
  nginx.stop_all()
  support.clean()
end)

local ROUTES = [[
local page = module "page.go"
get "/page" { page.Page }
get "/worker" { function() return ngx.worker.pid() .. "" end }
]]

local function source(text)
  return ('package main\n\nfunc Page() string { return "%s" }\n'):format(text)
end

local function start(options)
  local files = { ["conf/routes.lua"] = options.routes or ROUTES, ["conf/page.go"] = source "one" }
  for name, text in pairs(options.files or {}) do files[name] = text end
  return nginx.start {
    user = "www-data", workers = options.workers,
    files = files,
    main = options.main, events = options.events,
    http = (options.http or "") .. [[
      init_worker_by_lua_block { require("goloader.nginx").start "conf/routes.lua" }
    ]],
    server = [[
      location / { content_by_lua_block { require("goloader.nginx").content() } }
    ]] .. (options.server or ""),
  }
end

local function edit(server, name, text)
  local path = server.prefix .. "/conf/" .. name
  local file = assert(io.open(path .. "~", "wb"))
  file:write(text)
  file:close()
  assert(os.rename(path .. "~", path)) -- as editors do
end

-- Each worker has a socket of its own that the kernel spreads connections over: all have answered when enough have.
local function all_answer(server, path, text, times)
  return support.eventually(function()
    for _ = 1, times or 12 do
      local _, body = server:get(path)
      if body ~= text then return false end
    end
    return true
  end)
end

local function gom_files(server)
  local list = {}
  local root = server.prefix .. "/goloader/versions"
  for place in lfs.dir(root) do
    if place:sub(1, 1) ~= "." then
      for file in lfs.dir(root .. "/" .. place) do
        if file:find "%.gom$" then list[#list + 1] = file end
      end
    end
  end
  table.sort(list)
  return list
end

local function count(text, pattern)
  local _, n = text:gsub(pattern, "")
  return n
end

describe("modules in nginx", function()
  it("are compiled by one worker and loaded by all, at the start and after an edit", function()
    local server = start { workers = 3 }
    assert.is_true(all_answer(server, "/page", "one"))
    assert.same({ "1.gom" }, gom_files(server))
    edit(server, "page.go", source "two")
    assert.is_true(all_answer(server, "/page", "two"), server:log())
    assert.same({ "1.gom", "2.gom" }, gom_files(server))
    assert.equal(3, count(server:log(), "version 2 has taken over"))
    assert.is_true(server:stop "QUIT")
  end)

  it("that do not compile leave the old version where it is, and one line in the log", function()
    local server = start { workers = 2 }
    edit(server, "page.go", "package main\n\nfunc Page() string { return undefined }\n")
    assert.is_true(support.eventually(function() return server:log():find "version 1 stays" end))
    os.execute "sleep 0.3"
    assert.equal(1, count(server:log(), "stays: [^\n]*undefined: undefined"))
    assert.is_true(all_answer(server, "/page", "one"))
    edit(server, "page.go", source "three")
    assert.is_true(all_answer(server, "/page", "three"), server:log())
    assert.is_true(server:stop "QUIT")
  end)

  it("are not compiled again by new workers", function()
    local server = start { workers = 2 }
    local before = server:workers()
    server:signal "HUP"
    assert.is_true(support.eventually(function()
      local now = server:workers()
      return #now == 2 and now[1] ~= before[1] and now[2] ~= before[2] and now[1] ~= before[2]
    end), server:log())
    assert.is_true(all_answer(server, "/page", "one"))
    assert.same({ "1.gom" }, gom_files(server))
    edit(server, "page.go", source "two")
    assert.is_true(all_answer(server, "/page", "two"), server:log())
    assert.is_true(server:stop "QUIT")
  end)
end)
