-- src/README.md says which file to open: so it names all there are.
local support = require "spec.support"

-- The targets of its links, as paths from the top of the tree.
local function named()
  local targets = {}
  for target in support.read "src/README.md":gmatch "%]%(([^)#]+)%)" do
    targets[target:find "^%.%./" and target:sub(4) or "src/" .. target:gsub("/$", "")] = true
  end
  return targets
end

describe("src/README.md", function()
  it("names files and folders that there are", function()
    for target in pairs(named()) do assert.equal(0, (support.run { "test", "-e", target }), target) end
  end)

  -- A header and what it is the header of are one; tests are found beside what they test.
  it("names every source file, or its folder", function()
    local targets, stems, missing = named(), {}, {}
    for target in pairs(targets) do stems[target:match "^(.*)%.[^./]*$" or target] = true end
    local list = support.output_of(support.run { "find", "src", "lua", "-type", "f" })
    for file in list:gmatch "[^\n]+" do
      local folder, name, ending = file:match "^(.*)/([^/]*)%.([^./]*)$"
      local is_source = ending and ("c h S s go lua "):find(ending .. " ", 1, true) and not name:find "_test$"
      if is_source and not targets[folder] and not stems[folder .. "/" .. name] then missing[#missing + 1] = file end
    end
    assert.same({}, missing)
  end)
end)
