local support = require "spec.support"

teardown(support.clean)

describe("nginx under load", function()
  it("loses no answer and mixes none while modules are edited, nginx is reloaded and workers are killed", function()
    local seconds = os.getenv "GOLOADER_HOST" and 5 or 30 -- on hosts besides the default one a look is enough
    local status, out, errors = support.run {
      support.interpreter, "spec/env.lua", "spec/bench/nginx_soak.lua", tostring(seconds),
    }
    assert.equal(0, status, out .. errors)
  end)
end)
