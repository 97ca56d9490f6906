-- What the README shows is so: its example runs, and its links lead somewhere.
local lfs = require "lfs"
local support = require "spec.support"

teardown(support.clean)

describe("the README's example", function()
  it("prints what it says it prints", function()
    local readme = support.read "README.md"
    support.write("shop.go", readme:match "```go\n(.-)```")
    local program = readme:match "```lua\n(.-)```"
    local script = support.write("example.lua", program)
    local root = lfs.currentdir()
    local command = ("cd %s && luajit %s/spec/env.lua %s"):format(support.tmpdir(), root, script)
    local status, out, errors = support.run { "sh", "-c", command }
    assert.equal("", errors)
    assert.equal(0, status)
    local shown = 0
    for expected in program:gmatch "%-%->%s([^\n]*)" do
      shown = shown + 1
      assert.is_truthy(out:find(expected, 1, true), ("%q is not in:\n%s"):format(expected, out))
    end
    assert.equal(3, shown)
    assert.matches("false\t[^\n]*Cost", out)
    assert.matches("fmt%.Sprintf", out)
  end)
end)

for _, file in ipairs { "README.md", "src/README.md", "examples/calls/README.md", "examples/jobs/README.md",
  "examples/listpage/README.md", "examples/ownhost/README.md", "examples/embed/README.md", "examples/plugins/README.md",
  "examples/nginx.md", "examples/debugging.md" } do
  describe(file, function()
    it("links to what is there", function()
      local dir, seen = file:match "^(.*/)" or "", 0
      for target in support.read(file):gmatch "%]%(([^)#]+)%)" do
        seen = seen + 1
        assert.is_truthy(target:find "^https:" or lfs.attributes(dir .. target, "mode"), target)
      end
      assert.is_true(seen > 0)
    end)
  end)
end
