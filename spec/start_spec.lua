-- Limits under which Go's runtime would end the process while it starts. (That on threads: user_spec.lua.)
local support = require "spec.support"

teardown(support.clean)

local SCRIPT = [[
  local host, message, err = require "goloader".host()
  print(host and host:info().go_version or message)
  print(err and err.code)
]]

local function start(limit, megabytes)
  local file = support.write("start.lua", SCRIPT)
  local status, out, errors = support.run { "prlimit", ("--%s=%d"):format(limit, megabytes * 2 ^ 20), support.interpreter,
    "spec/env.lua", file }
  assert.equal(0, status, errors)
  return out:match "^(.-)\n(.-)\n$"
end

describe("too little address space", function()
  it("is an error that names the limit, and how much is needed", function()
    local needed
    for _, megabytes in ipairs { 200, 700, 1300 } do
      local message, code = start("as", megabytes)
      assert.equal("limit", code)
      assert.truthy(message:find("RLIMIT_AS (ulimit -v)", 1, true), message)
      assert.truthy(message:find((" of %d are in use"):format(megabytes), 1, true), message)
      local more = tonumber(message:match "raise it by (%d+) MiB")
      assert.is_true(more > 0)
      needed = megabytes + more
    end
    for _ = 1, 5 do -- and with so much it starts
      local version, code = start("as", needed)
      assert.equal("nil", code)
      assert.truthy(version:find "^go1%.", version)
    end
  end)
end)

describe("too little memory that can be written to", function()
  it("is an error that names the limit, and how much is needed", function()
    for _, megabytes in ipairs { 30, 90, 110, 125 } do
      local message, code = start("data", megabytes)
      assert.equal("limit", code)
      assert.truthy(message:find(("RLIMIT_DATA (ulimit -d), %d MiB"):format(megabytes), 1, true), message)
      local more = tonumber(message:match "raise it by (%d+) MiB")
      assert.is_true(more > 0)
      assert.matches("^go1%.", (start("data", megabytes + more)))
    end
  end)
end)

-- PR_SET_MDWE, since Linux 6.3, is what systemd's MemoryDenyWriteExecute asks for.
describe("a process that may make no new code executable", function()
  local PRELUDE = [[
    local ffi = require "ffi"
    jit.off() -- LuaJIT's compiler would end it
    ffi.cdef "int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long);"
    local goloader = require "goloader"
    local host = %s
    if ffi.C.prctl(65, 1, 0, 0, 0) ~= 0 then return print "not on this kernel" end
    local made, message, err = %s
    print(made, err.code, message)
  ]]

  local function refusal(host, make)
    local status, out, errors = support.run { "luajit", "spec/env.lua",
      support.write("refused.lua", PRELUDE:format(host, make)) }
    assert.equal("", errors)
    assert.equal(0, status)
    if out:find "^not on" then return pending(out) end
    assert.matches("^nil\thost\t.*MemoryDenyWriteExecute", out)
  end

  it("is told so when Go is to start", function() refusal("nil", "goloader.host()") end)

  it("is told so when a module is loaded", function()
    refusal('require("spec.support").host()', 'host:build "spec/testdata/shop/shop.go"')
  end)
end)
