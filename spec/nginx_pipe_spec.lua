-- ngx.pipe, as OpenResty's users have it: with Debian's Lua module rebuilt for it (.ci/lua-module, into build/nginx).
-- Where Debian's source can't be had the first test says so, and the others have nothing to ask.
local lfs = require "lfs"
local nginx = require "spec.nginx"
local support = require "spec.support"

local MODULE = lfs.currentdir() .. "/build/nginx/ngx_http_lua_module.so"

teardown(nginx.clean)

describe("the Lua module with ngx.pipe", function()
  local server, lacking
  setup(function()
    for _ = 1, 2 do
      if lfs.attributes(MODULE) then break end
      local _, _, errors = support.run { ".ci/lua-module", MODULE }
      lacking = errors
    end
    if not lfs.attributes(MODULE) then return end
    server = nginx.start {
      module = MODULE,
      http = ([[ init_worker_by_lua_block {
        children = assert(assert(require "goloader".host()):build "%s/spec/testdata/children")
      } ]]):format(lfs.currentdir()),
      server = [[
        location /all { content_by_lua_block {
          local pipe = require "ngx.pipe"
          local job, wrong = children.Many:async(4, 250), { 0, 0, 0 }
          local function count(i, right) if not right then wrong[i] = wrong[i] + 1 end end
          for _ = 1, 1000 do
            local process = assert(pipe.spawn { "sh", "-c", "echo word; exit 3" })
            local word = process:stdout_read_line()
            local ok, why, code = process:wait()
            count(1, word == "word" and ok == false and why == "exit" and code == 3)
            count(2, os.execute "exit 3" == 3 * 256)
            local stream = io.popen "echo word"
            count(3, stream:read "*a" == "word\n")
            stream:close()
          end
          ngx.say(table.concat(wrong, " "), " ", (job:wait()))
        } }
        location /blocked { content_by_lua_block { ngx.say((children.Blocked())) } }
      ]],
    }
  end)

  it("is built of Debian's source, where that can be had", function()
    if server then return end
    io.stderr:write("nginx_pipe_spec: ngx.pipe is not looked at: ", lacking, "\n")
    assert.matches("can't be built: %S", lacking)
  end)

  it("waits for its children beside os.execute, io.popen and os/exec", function()
    if not server then return end
    local _, body = server:get("/all", { args = { "-m", "60" } })
    assert.equal("0 0 0 none failed\n", body)
  end)

  it("leaves Go's children all signals", function()
    if not server then return end
    local _, body = server:get "/blocked"
    assert.equal("SigBlk:\t0000000000000000\n", body)
  end)
end)
