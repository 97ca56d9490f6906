-- The time that the bench measures in: clock() is milliseconds, from some moment on.

local ffi = require "ffi"

ffi.cdef [[
struct bench_time { long seconds, nanoseconds; };
int clock_gettime(int clock, struct bench_time *time);
]]

local time, MONOTONIC = ffi.new "struct bench_time", 1

return function()
  ffi.C.clock_gettime(MONOTONIC, time)
  return tonumber(time.seconds) * 1e3 + tonumber(time.nanoseconds) / 1e6
end
