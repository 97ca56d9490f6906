-- What Lua declares of C's structs is what C has.
local support = require "spec.support"

if support.interpreter ~= "luajit" then return end

describe("a struct that Lua declares, too", function()
  local core, layouts

  setup(function()
    require "goloader"
    require "goloader.roads.ffi"
    require "goloader.roads.pure"
    core, layouts = require "goloader.core", require "goloader.roads.layouts"
  end)

  it("lies as in C", function()
    local n = 0
    for name, layout in pairs(core.layouts()) do
      layouts.check(name, layout)
      n = n + 1
    end
    assert.are.equal(5, n)
  end)

  it("is refused when its size or any field differs", function()
    for name, layout in pairs(core.layouts()) do
      layout.size = layout.size + 8
      assert.is_false((pcall(layouts.check, name, layout)))
      layout.size = layout.size - 8
      for field, offset in pairs(layout.offsets) do
        layout.offsets[field] = offset + 8
        local done, message = pcall(layouts.check, name, layout)
        assert.is_false(done)
        assert.is_truthy(message:find("the offset of " .. field .. " of " .. name, 1, true))
        layout.offsets[field] = offset
      end
    end
  end)
end)
