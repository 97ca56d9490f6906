-- Versions that fail or are slow, and workers that end at it, in nginx: the old version serves.

local lfs = require "lfs"
local nginx = require "spec.nginx"
local sites = require "spec.sites"
local support = require "spec.support"

local all_answer, count, edit, start = sites.all_answer, sites.count, sites.edit, sites.start

teardown(nginx.clean)

describe("modules in nginx", function()
  it("whose init function panics, whose `ready` fails or panics leave the old version where it is", function()
    local server = start {
      workers = 2,
      routes = 'local page = module { "page.go", ready = function(m) return m.Open() end }\n'
        .. 'get "/page" { page.Page }\n',
      files = { ["conf/page.go"] = [[
package main

import "errors"

var bad = false

func Open() (bool, error) {
	if bad {
		return false, errors.New("x")
	}
	return true, nil
}

func Page() string { return "one" }
]] },
    }
    local function broken(open, init)
      return ("package main\n\nimport \"errors\"\n\nvar err = errors.New(\"no catalogue\")\n\n"
        .. "func init() { %s }\n\nfunc Open() (bool, error) { %s }\n\nfunc Page() string { return \"two\" }\n")
        :format(init or "", open)
    end
    for text, message in pairs {
      [broken("return false, err")] = "no catalogue",
      [broken('panic("in ready")')] = "in ready",
      [broken("return true, nil", 'panic("in init")')] = "in init",
    } do
      edit(server, "page.go", text)
      assert.is_true(support.eventually(function() return server:log():find("stays: [^\n]*" .. message) end),
        server:log())
      assert.equal(1, count(server:log(), "stays: [^\n]*" .. message))
      assert.is_true(all_answer(server, "/page", "one"))
    end
    edit(server, "page.go", broken "return true, nil")
    assert.is_true(all_answer(server, "/page", "two"), server:log())
    assert.is_true(server:stop "QUIT")
  end)

  it("that could not be compiled for want of a place are, when there is one, without another edit", function()
    local place = support.tmpdir() .. "/place"
    assert.equal(0, os.execute(("mkdir -m 777 %s && chmod 755 %s"):format(place, support.tmpdir())))
    local server = start { workers = 2, main = "env TMPDIR=" .. place .. ";" }
    os.execute("rm -rf " .. place)
    edit(server, "page.go", sites.source "two")
    assert.is_true(support.eventually(function() return server:log():find "stays: [^\n]*no temporary file" end))
    assert.is_true(all_answer(server, "/page", "one"))
    os.execute("mkdir -m 777 " .. place)
    assert.is_true(all_answer(server, "/page", "two"), server:log())
    assert.equal(1, count(server:log(), "stays: [^\n]*no temporary file"))
    assert.is_true(server:stop "QUIT")
  end)

  local SLOW = [[
package main

import "time"

func Open() bool {
	time.Sleep(%d * time.Millisecond)
	return true
}

func Page() string { return "%s" }
]]
  local SLOW_ROUTES = 'local page = module { "page.go", ready = function(m) return m.Open() end }\n'
    .. 'get "/page" { page.Page }\n'

  it("are initialised and get ready while requests go on", function()
    local server = start { workers = 1, routes = SLOW_ROUTES, files = { ["conf/page.go"] = SLOW:format(0, "one") } }
    edit(server, "page.go", SLOW:format(600, "two") .. "\nfunc init() { time.Sleep(600 * time.Millisecond) }\n")
    local during, slowest = 0, 0
    assert.is_true(support.eventually(function()
      local _, answer = server:get("/page", { args = { "-w", "\n%{time_total}" } })
      local body, time = answer:match "^(.-)\n(%S+)$"
      slowest = math.max(slowest, tonumber(time))
      if body == "one" then during = during + 1 end
      return body == "two"
    end))
    assert.is_true(during >= 6, "answered " .. during)
    assert.is_true(slowest < 0.4, "a request took " .. slowest) -- it would be 0.6 if the worker were held
    assert.is_true(server:stop "QUIT")
  end)

  it("whose init functions or `ready` do not return are given up, and what is edited next is loaded", function()
    local server = start {
      workers = 2, start = 'patience = "2s"', routes = SLOW_ROUTES,
      files = { ["conf/page.go"] = SLOW:format(0, "one") },
    }
    local function says(pattern)
      return support.eventually(function() return server:log():find(pattern) end)
    end
    edit(server, "page.go", SLOW:format(0, "two") .. "\nfunc init() { <-make(chan int) }\n")
    assert.is_true(says "version 1 stays: its init functions have not returned within 2 seconds", server:log())
    assert.matches("have not returned", (select(2, support.cli("ctl", "-p", server.prefix, "status"))))
    edit(server, "page.go", SLOW:format(3600000, "three"))
    assert.is_true(says "version 1 stays: Open has not returned within 2 seconds", server:log())
    edit(server, "page.go", SLOW:format(0, "four"))
    assert.is_true(all_answer(server, "/page", "four"), server:log())
    assert.is_true(server:stop "QUIT")
  end)

  it("whose init functions do not return keep no worker from ending", function()
    local server = start { workers = 1, routes = SLOW_ROUTES, files = { ["conf/page.go"] = SLOW:format(0, "one") } }
    edit(server, "page.go", SLOW:format(0, "two") .. "\nfunc init() { println(`begun`); <-make(chan int) }\n")
    assert.is_true(support.eventually(function() return server:log():find "begun" end), server:log())
    assert.matches("version 1 is served", (select(2, support.cli("ctl", "-p", server.prefix, "status"))))
    assert.is_true(server:stop "QUIT")
  end)

  -- Who holds the lock of the only module?
  local function holder(server)
    local root = server.prefix .. "/goloader/versions"
    for place in lfs.dir(root) do
      local inode = lfs.attributes(("%s/%s/lock"):format(root, place), "ino")
      if place:sub(1, 1) ~= "." and inode then
        local pid = support.read("/proc/locks"):match("POSIX +ADVISORY +WRITE (%d+) %x+:%x+:" .. inode .. " ")
        return pid and tonumber(pid)
      end
    end
  end

  it("are made by another worker where one is killed at it", function()
    local server = start { workers = 2, routes = SLOW_ROUTES, files = { ["conf/page.go"] = SLOW:format(0, "one") } }
    edit(server, "page.go", SLOW:format(700, "two"))
    local pid
    assert.is_true(support.eventually(function()
      pid = holder(server)
      return pid
    end))
    os.execute "sleep 0.3"
    server:signal("KILL", pid)
    assert.is_true(all_answer(server, "/page", "two"), server:log())
    assert.is_true(server:stop "QUIT")
  end)
end)
