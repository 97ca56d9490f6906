-- Modules of a routes file in nginx: one worker compiles an edit, all load it, and requests go on meanwhile.

local lfs = require "lfs"
local nginx = require "spec.nginx"
local sites = require "spec.sites"
local support = require "spec.support"

local all_answer, count, edit, source, start = sites.all_answer, sites.count, sites.edit, sites.source, sites.start
local gom_files = sites.gom_files

teardown(nginx.clean)

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

  it("are written by nobody but nginx's user, whose umask is 0", function()
    local server = start { workers = 1 }
    local folder = server.prefix .. "/goloader"
    for _, name in ipairs { "/versions", "/workers" } do
      assert.equal("rwx------", lfs.attributes(folder .. name, "permissions"))
    end
    local status, out = support.run { "find", folder, "-perm", "/022", "!", "-path", folder .. "/*/*" }
    assert.same({ 0, "" }, { status, out })
    status, out = support.run { "find", folder .. "/versions", "-name", "*.gom", "-perm", "/022" }
    assert.same({ 0, "" }, { status, out })
    assert.equal(0, os.execute(("chmod 777 %s/versions"):format(folder))) -- as earlier versions have made it
    server:signal "HUP"
    assert.is_true(support.eventually(function()
      return lfs.attributes(folder .. "/versions", "permissions") == "rwx------"
    end))
    assert.is_true(all_answer(server, "/page", "one"))
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

  it("hand their state over when both versions say so, and keep it when the next refuses", function()
    local text = [[
package main

import "errors"

type State struct{ Hits map[string]int }

var state = State{Hits: map[string]int{}}
var refuses = errors.New("another layout")

func Page(who string) int {
	state.Hits[who]++
	return state.Hits[who]
}

func Release() State { return state }

func Adopt(s State) error {
	%s
	state = s
	return nil
}

const version = %d
]]
    local server = start {
      workers = 1, routes = 'local page = module "page.go"\nget "/:who" { page.Page }\n',
      files = { ["conf/page.go"] = text:format("", 1) },
    }
    local function hits() return select(2, server:get "/ann") end
    assert.equal("1", hits())
    assert.equal("2", hits())
    edit(server, "page.go", text:format("", 2))
    assert.is_true(support.eventually(function() return server:log():find "version 2 has taken over" end))
    assert.equal("3", hits())
    edit(server, "page.go", text:format("if version == 3 { return refuses }", 3))
    assert.is_true(support.eventually(function() return server:log():find "another layout" end))
    assert.equal("4", hits())
    assert.is_true(server:stop "QUIT")
  end)

  it("are shipped modules, packages and several files; what can't be read leaves the old version", function()
    local function ship(to, text)
      local dir = support.tmpdir() .. "/shipped"
      support.write("shipped/page.go", ('package page\n\nfunc Page() string { return "%s" }\n'):format(text))
      assert(support.host():ship(dir, to))
    end
    local gom = support.tmpdir() .. "/shipped.gom"
    ship(gom, "shipped one")
    local server = start {
      workers = 2,
      routes = [[
        local shipped, pack = module "page.gom", module "example.com/site/pack"
        local two = module { "a.go", "b.go" }
        get "/shipped" { shipped.Page }
        get "/pack" { pack.Page }
        get "/two" { two.Page }
      ]],
      files = {
        ["conf/page.gom"] = support.read(gom),
        ["conf/go.mod"] = "module example.com/site\n\ngo 1.21\n",
        ["conf/pack/pack.go"] = 'package pack\n\nimport "example.com/site/dep"\n\n'
          .. "func Page() string { return dep.Name }\n",
        ["conf/dep/dep.go"] = 'package dep\n\nconst Name = "dep one"\n',
        ["conf/a.go"] = "package main\n\nfunc Page() string { return text }\n",
        ["conf/b.go"] = 'package main\n\nconst text = "b one"\n',
      },
    }
    assert.is_true(all_answer(server, "/shipped", "shipped one", 4), server:log())
    assert.is_true(all_answer(server, "/pack", "dep one", 4))
    assert.is_true(all_answer(server, "/two", "b one", 4))
    edit(server, "dep/dep.go", 'package dep\n\nconst Name = "dep two"\n')
    assert.is_true(all_answer(server, "/pack", "dep two", 8), server:log())
    edit(server, "b.go", 'package main\n\nconst text = "b two"\n')
    assert.is_true(all_answer(server, "/two", "b two", 8), server:log())
    edit(server, "page.gom", "no module at all")
    assert.is_true(support.eventually(function() return server:log():find "page.gom: version 1 stays" end))
    assert.is_true(all_answer(server, "/shipped", "shipped one", 4))
    ship(gom, "shipped two")
    edit(server, "page.gom", support.read(gom))
    assert.is_true(all_answer(server, "/shipped", "shipped two", 8), server:log())
    assert.is_true(server:stop "QUIT")
  end)

  it("and routes: an edited routes file is read again, as a whole or not at all", function()
    local server = start { workers = 1 }
    edit(server, "routes.lua", 'local page = module "page.go"\nget "/page" { page.Pag }\n')
    assert.is_true(support.eventually(function() return server:log():find "the routes stay as they were" end))
    assert.equal("one", select(2, server:get "/page"))
    edit(server, "routes.lua", 'local page = module "page.go"\nget "/other" { page.Page }\n')
    assert.is_true(support.eventually(function() return select(2, server:get "/other") == "one" end), server:log())
    assert.equal(404, (server:get "/page"))
    assert.is_true(server:stop "QUIT")
  end)
end)
