-- goloader ctl against a real nginx: status, versions, reload, rollback, by whom it may be used.

local lfs = require "lfs"
local nginx = require "spec.nginx"
local support = require "spec.support"

teardown(nginx.clean)

local function source(text) return ('package main\n\nfunc Page() string { return "%s" }\n'):format(text) end

local function start(workers)
  return nginx.start {
    user = "www-data", workers = workers,
    files = {
      ["conf/page.go"] = source "one",
      ["conf/routes.lua"] = 'local page = module "page.go"\nget "/page" { page.Page }\n',
    },
    http = [[init_worker_by_lua_block { require("goloader.nginx").start "conf/routes.lua" }]],
    server = [[location / { content_by_lua_block { require("goloader.nginx").content() } }]],
  }
end

local function edit(server, text) support.write_file(server.prefix .. "/conf/page.go", text) end

local function answers(server, text)
  return support.eventually(function()
    for _ = 1, 8 do
      if select(2, server:get "/page") ~= text then return false end
    end
    return true
  end)
end

local function ctl(server, ...)
  return support.cli("ctl", "-p", server.prefix, ...)
end

describe("goloader ctl", function()
  local server

  setup(function() server = start(2) end)

  it("tells what is served, and by which workers", function()
    local status, out, err = ctl(server, "status")
    assert.equal("", err)
    assert.equal(0, status)
    assert.truthy(out:find("page.go: version 1 is served", 1, true))
    for _, pid in ipairs(server:workers()) do
      assert.truthy(out:find(("worker %d: page.go 1"):format(pid), 1, true), out)
    end
  end)

  it("tells why what is there now is not served", function()
    edit(server, "package main\n\nfunc Page() string { return undefined }\n")
    assert.is_true(support.eventually(function()
      local _, out = ctl(server, "status")
      return out:find("undefined: undefined", 1, true) and out:find("version 1 is served", 1, true)
    end))
    local status, _, err = ctl(server, "reload")
    assert.equal(1, status)
    assert.truthy(err:find("undefined: undefined", 1, true), err)
    assert.is_true(answers(server, "one"))
  end)

  it("rolls all workers back, until the source changes", function()
    edit(server, source "two")
    assert.is_true(answers(server, "two"))
    local status, out, err = ctl(server, "rollback")
    assert.equal("", err)
    assert.equal(0, status)
    assert.truthy(out:find("page.go: version 1 is served", 1, true))
    assert.is_true(answers(server, "one"))
    local _, list = ctl(server, "versions", "page.go")
    assert.truthy(list:find("* page.go\t1", 1, true), list)
    edit(server, source "three")
    assert.is_true(answers(server, "three"))
    local last = tonumber((select(2, ctl(server, "versions"))):match "%* page.go\t(%d+)")
    assert.equal(0, (ctl(server, "rollback", "page.go", tostring(last - 1))))
    assert.is_true(answers(server, "two"))
    assert.equal(0, (ctl(server, "reload")))
    assert.is_true(answers(server, "three"))
  end)

  it("refuses what can't be", function()
    for words, message in pairs {
      ["rollback page.go 99"] = "no version 99 of it is kept",
      ["rollback other.go"] = "there is no module other.go",
      ["reload other.go"] = "there is no module other.go",
      ["explode"] = "no such command",
      ["rollback page.go two"] = "a version's number expected",
    } do
      local list = {}
      for word in words:gmatch "%S+" do list[#list + 1] = word end
      local status, _, err = ctl(server, unpack(list))
      assert.not_equal(0, status)
      assert.truthy(err:find(message, 1, true), err)
    end
    local status, _, err = support.cli("ctl", "-p", support.tmpdir(), "status")
    assert.equal(1, status)
    assert.truthy(err:find("not the prefix of an nginx", 1, true), err)
  end)

  it("is for nginx's user alone", function()
    local path = server.prefix .. "/goloader/control.sock"
    assert.equal("rw-------", lfs.attributes(path, "permissions"))
    local _, whoami = support.run { "id", "-u" }
    if whoami:find "^0" then
      local script = support.write("connect.lua", [[
        local luv = require "luv"
        luv.new_pipe():connect(arg[1], print)
        luv.run()
      ]])
      local _, out = support.run { "su", "-s", "/bin/sh", "nobody", "-c", ("luajit %s %s"):format(script, path) }
      assert.equal("EACCES\n", out)
    end
  end)

  it("finds another worker where the one that listened was killed, and after a reload", function()
    local before = server:workers()
    for _, pid in ipairs(before) do server:signal("KILL", pid) end
    assert.is_true(support.eventually(function()
      local now = server:workers()
      return #now == 2 and now[1] ~= before[1] and now[2] ~= before[2]
    end))
    assert.is_true(answers(server, "three"))
    -- before anybody asks
    assert.is_true(support.eventually(function()
      local of_first, of_second = unpack(before)
      local folder = server.prefix .. "/goloader/workers/"
      return not lfs.attributes(folder .. of_first) and not lfs.attributes(folder .. of_second)
    end))
    local status, out, err = ctl(server, "status")
    assert.equal(0, status, err)
    for _, pid in ipairs(before) do assert.is_nil(out:find("worker " .. pid, 1, true)) end
    server:signal "HUP"
    assert.is_true(support.eventually(function()
      local now = ctl(server, "status") == 0 and select(2, ctl(server, "status")) or ""
      local n = select(2, now:gsub("worker %d+: page.go", ""))
      return n == 2
    end))
    assert.is_true(server:stop "QUIT")
  end)
end)
