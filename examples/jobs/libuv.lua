-- Jobs under libuv: luajit spec/env.lua examples/jobs/libuv.lua (Debian: lua-luv)
local goloader = require "goloader"
local uv = require "luv"

local here = arg[0]:match "^(.*)/" or "."
local host = assert(goloader.host())
local search = assert(host:build(here .. "/search.go"))

-- The loop looks at one more file descriptor: when that can be read from, a step has something to do.
local poll = uv.new_poll(assert(goloader.fd()))
poll:start("r", function() goloader.step() end)

-- What else the loop does goes on while Go works.
local ticks = 0
local timer = uv.new_timer()
timer:start(1, 1, function() ticks = ticks + 1 end)

-- A function is called when the job is done.
search.Files:async("30s", here, ".go", "func Files"):on_done(function(job)
  local found, err = job:wait() -- which returns at once
  print("on_done", found and found[1].Text:match "^func %w+" or err)
end)

-- Or a coroutine waits.
goloader.spawn(function()
  print("spawn", #assert(search.Files:async("30s", here, ".go", "package search"):wait()))
  print("too late", select(2, search.Wait:async("20ms"):wait()).message)
  local job = search.Wait:async(nil)
  print("still at it", select(2, job:wait "20ms").code)
  job:cancel()
  print("cancelled", select(2, job:wait()).message)
  print("meanwhile", ticks > 5 and "the loop went on" or "nothing happened")
  timer:close()
  poll:close() -- the loop has nothing to do any more
end)

uv.run()
assert(search:unload())
