-- host:watch in nginx's workers: what looks after modules of routes looks after what the program watches, too.

local nginx = require "spec.nginx"
local sites = require "spec.sites"
local support = require "spec.support"

local all_answer, edit = sites.all_answer, sites.edit

teardown(nginx.clean)

local function source(title)
  return ("package shop\n\nconst edit = %d\n\nfunc Title() string { return %q }\n"):format(os.time(), title)
end

local ROUTES = [[
local host = assert(require("goloader").host())
local shop = assert(host:watch(root .. "/shop.go", {
  on_change = function(change) ngx.log(ngx.NOTICE, tostring(change)) end,
}))
local plugins = assert(host:watch(root .. "/plugins/*"))
get "/shop" { function() return shop.Title() end }
get "/job" { function() return shop.Title:async():wait() end }
get "/plugin/:name" { function(req)
  local plugin = plugins.modules[req.params.name]
  return plugin and plugin.Title() or "none"
end }
]]

describe("host:watch in nginx", function()
  it("loads edits in each worker, and lets workers end", function()
    local server = nginx.start {
      workers = 2,
      http = [[init_worker_by_lua_block { require("goloader.nginx").start "conf/routes.lua" }]],
      server = [[location / { content_by_lua_block { require("goloader.nginx").content() } }]],
      files = {
        ["conf/shop.go"] = source "one", ["conf/plugins/lamp.go"] = source "lamp", ["conf/routes.lua"] = ROUTES,
      },
    }
    assert.is_true(all_answer(server, "/shop", "one"), server:log())
    assert.is_true(all_answer(server, "/plugin/chair", "none"))
    edit(server, "shop.go", source "two")
    edit(server, "plugins/chair.go", source "chair")
    assert.is_true(all_answer(server, "/shop", "two"), server:log())
    assert.is_true(all_answer(server, "/job", "two"))
    assert.is_true(all_answer(server, "/plugin/chair", "chair"), server:log())
    os.remove(server.prefix .. "/conf/plugins/lamp.go")
    assert.is_true(all_answer(server, "/plugin/lamp", "none"), server:log())
    edit(server, "shop.go", "package shop\nfunc")
    assert.is_true(support.eventually(function() return server:log():find "version 2 stays" end), server:log())
    assert.is_true(all_answer(server, "/shop", "two"))
    assert.is_true(server:stop "QUIT")
  end)
end)
