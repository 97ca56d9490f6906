-- The configuration that the figures of nginx are measured with: each location beside the same without Go.
return {
  http = [[
    upstream handler { server unix:handler.sock; keepalive 64; }
    upstream plain { server unix:plain.sock; keepalive 64; }
    server {
      listen unix:plain.sock;
      location / { return 200 "let through\n"; }
    }
    keepalive_requests 1000000000;
    lua_check_client_abort on;
    init_worker_by_lua_block {
      require("goloader.nginx").start "conf/routes.lua"
      local work = assert(require("goloader").host():build(ngx.config.prefix() .. "conf/work.go"))
      package.loaded["bench.work"] = {
        Nothing = work.Nothing, Triangle = work.Triangle, Label = work.Label, Discount = work.Discount,
        Sleep = work.Sleep,
      }
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
      local item = { Name = "lamp", Price = 24.5, Quantity = 3 }
      local less = { Name = item.Name, Price = item.Price * (1 - 10 / 100), Quantity = item.Quantity }
      ngx.say(less.Price)
    } }
    location = /go/table { content_by_lua_block {
      local item = { Name = "lamp", Price = 24.5, Quantity = 3 }
      ngx.say(require("bench.work").Discount(item, 10).Price)
    } }

    location = /lua/sleep { content_by_lua_block { ngx.sleep(0.01) ngx.print "slept\n" } }
    location = /go/sleep { content_by_lua_block { ngx.print(require("bench.work").Sleep:async(10):wait()) } }
    location = /go/sleep/long { content_by_lua_block {
      ngx.print(require("bench.work").Sleep:async(math.random(1000, 3000)):wait())
    } }

    location /proxied/ {
      proxy_pass http://handler/handler/;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
    location = /guarded {
      access_by_lua_block { require("goloader.nginx").access() }
      proxy_pass http://plain/;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
    location /open {
      proxy_pass http://plain/;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
    location = /static { default_type "text/html; charset=utf-8"; try_files /static.html =404; }
    location / { content_by_lua_block { require("goloader.nginx").content() } }
  ]],
}
