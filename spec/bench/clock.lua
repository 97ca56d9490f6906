-- The time that the bench measures in: clock() is milliseconds, from some moment on; clock "thread" those that this
-- thread has worked, and not waited for other programs.

local ffi = require "ffi"

ffi.cdef [[
struct bench_time { long seconds, nanoseconds; };
int clock_gettime(int clock, struct bench_time *time);
]]

local time, MONOTONIC, THREAD_CPUTIME = ffi.new "struct bench_time", 1, 3

return function(which)
  ffi.C.clock_gettime(which == "thread" and THREAD_CPUTIME or MONOTONIC, time)
  return tonumber(time.seconds) * 1e3 + tonumber(time.nanoseconds) / 1e6
end
