-- The configuration that the figures of nginx are measured with: each location beside the same without Go.
return {
  http = [[
    keepalive_requests 1000000000;
    lua_check_client_abort on;
    init_worker_by_lua_block {
      require("goloader.nginx").start "conf/routes.lua"
      local work = assert(require("goloader").host():build(ngx.config.prefix() .. "conf/work.go"))
      package.loaded["bench.work"] = {
        Nothing = work.Nothing, Triangle = work.Triangle, Label = work.Label, Cheapest = work.Cheapest,
        Sleep = work.Sleep,
      }
      local items = {}
      for i = 1, 20 do items[i] = { Name = "item " .. i, Price = 100 - i, Tags = { "a", "b" } } end
      package.loaded["bench.items"] = items
    }
  ]],
  server = [[
    location = /none { content_by_lua_block { ngx.say "done" } }
    location = /call { content_by_lua_block { require("bench.work").Nothing() ngx.say "done" } }

    location = /lua/pure { content_by_lua_block {
      local sum = 0
      for i = 1, 1000 do sum = sum + i * i % 7 end
      ngx.say(sum)
    } }
    location = /go/pure { content_by_lua_block { ngx.say(require("bench.work").Triangle(1000)) } }

    location = /lua/format { content_by_lua_block {
      local n = 4711
      ngx.say(("product %05d costs %.2f EUR, %x"):format(n, n * 1.19, n))
    } }
    location = /go/format { content_by_lua_block { ngx.say(require("bench.work").Label(4711)) } }

    location = /lua/table { content_by_lua_block {
      local items = require "bench.items"
      local best = items[1]
      for _, item in ipairs(items) do
        if item.Price < best.Price then best = item end
      end
      ngx.say(best.Name)
    } }
    location = /go/table { content_by_lua_block {
      ngx.say(require("bench.work").Cheapest(require "bench.items").Name)
    } }

    location = /lua/sleep { content_by_lua_block { ngx.sleep(0.01) ngx.print "slept\n" } }
    location = /go/sleep { content_by_lua_block { ngx.print(require("bench.work").Sleep:async(10):wait()) } }
    location = /go/sleep/long { content_by_lua_block { ngx.print(require("bench.work").Sleep:async(100):wait()) } }

    location / { content_by_lua_block { require("goloader.nginx").content() } }
  ]],
}
