-- A host of one's own is built at another time than the C library that starts it.
local support = require "spec.support"

teardown(support.clean)

-- All that one half says to the other: headers, less the number itself, and the functions that Go exports.
local function interface()
  local parts = {}
  for _, name in ipairs { "runtime.h", "call.h", "callback.h", "enter.h", "job.h", "many.h", "children.h" } do
    parts[#parts + 1] = (support.read("src/host/" .. name):gsub("#define GL_HOST_PROTOCOL[^\n]*\n", ""))
  end
  for _, name in ipairs {
    "caches.go", "call.go", "children.go", "classes.go", "enter.go", "force.go", "handles.go", "itabs.go", "jobs.go",
    "many.go", "members.go", "methods.go", "module.go", "plan.go", "run.go", "stats.go", "threads.go",
  } do
    for declaration in support.read("src/host/" .. name):gmatch "\n//export [^\n]*\n(func .-) {\n" do
      parts[#parts + 1] = declaration
    end
  end
  return table.concat(parts, "\n")
end

describe("the protocol between the halves", function()
  it("has the number of what it consists of", function()
    local status, sum = support.run { "sha256sum", support.write("interface", interface()) }
    assert.equal(0, status)
    local number = ("#define GL_HOST_PROTOCOL UINT64_C(0x%s)"):format(sum:sub(1, 16))
    local line = support.read("src/host/runtime.h"):match "#define GL_HOST_PROTOCOL[^\n]*"
    assert.equal(number, line, "src/host/runtime.h: the interface has changed, its number has not")
  end)
end)
