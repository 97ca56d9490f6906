local nginx = require "spec.nginx"
local support = require "spec.support"

teardown(function()
  nginx.stop_all()
  support.clean()
end)

describe("nginx", function()
  it("has Go in its workers", function()
    local server = nginx.start {
      user = "www-data",
      http = [[init_worker_by_lua_block { assert(require("goloader").host()) }]],
      server = [[
        location /version { content_by_lua_block { ngx.say(require("goloader").host():info().go_version) } }
      ]],
    }
    local status, body = server:get "/version"
    assert.equal(200, status)
    assert.matches("^go1%.", body)
    assert.is_true(server:stop "QUIT")
  end)
end)
