-- Reading the head of a Go file: it decides whether the compiler can run at once.
local build = require "goloader.building.build"

local function head(text)
  return build.read_head(text)
end

describe("the head of a Go file", function()
  it("is its package and imports", function()
    local h = head [[
// Package x is documented.
package x // here

import "fmt"
import (
	"os"; str "strings"
	. "math" /* dot */
	_ `embed`
)
/* between */ import m "example.com/a/b"

func main() { import_("no") }
]]
    assert.equal("x", h.name)
    assert.same({ "fmt", "os", "strings", "math", "embed", "example.com/a/b" }, h.imports)
    assert.is_false(h.constrained)
  end)

  it("ends before the first declaration", function()
    local text = 'package x\nimport "fmt"\n\nvar s = `\nimport "os"\n`\n'
    assert.same({ "fmt" }, head(text).imports)
    assert.equal('package x\nimport "fmt"', head(text).text)
  end)

  it("knows constraints and debug settings from other comments", function()
    assert.is_true(head("//go:build linux\n\npackage x\n").constrained)
    assert.is_true(head("// +build linux\n\npackage x\n").constrained)
    assert.is_true(head("//go:debug panicnil=1\npackage x\n").constrained)
    assert.is_false(head("// about go:build\n/* //go:build linux */\npackage x\n").constrained)
  end)

  it("may start with a byte order mark, or end at once", function()
    assert.equal("x", head("\239\187\191package x").name)
    assert.same({}, head("package x;import ()").imports)
  end)

  for _, text in ipairs { "", "pack x", "package", "package x\nimport fmt\n", 'package x\nimport ("fmt"', "/* open",
    'import "a"' } do
    it("is left to the compiler when it is odd: " .. ("%q"):format(text):gsub("\n", "n"), function()
      assert.is_nil(head(text))
    end)
  end
end)
