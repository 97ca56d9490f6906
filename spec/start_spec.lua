-- Limits under which Go's runtime would end the process while it starts. (That on threads: user_spec.lua.)
local support = require "spec.support"

teardown(support.clean)

local SCRIPT = [[
  local host, message, err = require "goloader".host()
  print(host and host:info().go_version or message)
  print(err and err.code)
]]

local function start(megabytes)
  local file = support.write("start.lua", SCRIPT)
  local status, out, errors = support.run { "prlimit", ("--as=%d"):format(megabytes * 2 ^ 20), support.interpreter,
    "spec/env.lua", file }
  assert.equal(0, status, errors)
  return out:match "^(.-)\n(.-)\n$"
end

describe("too little address space", function()
  it("is an error that names the limit, and how much is needed", function()
    local needed
    for _, megabytes in ipairs { 200, 700, 1300 } do
      local message, code = start(megabytes)
      assert.equal("limit", code)
      assert.truthy(message:find("RLIMIT_AS (ulimit -v)", 1, true), message)
      assert.truthy(message:find((" of %d are in use"):format(megabytes), 1, true), message)
      local more = tonumber(message:match "raise it by (%d+) MiB")
      assert.is_true(more > 0)
      needed = megabytes + more
    end
    for _ = 1, 5 do -- and with so much it starts
      local version, code = start(needed)
      assert.equal("nil", code)
      assert.truthy(version:find "^go1%.", version)
    end
  end)
end)
