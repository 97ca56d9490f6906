-- Import policies: what a module may import is decided before anything of it is compiled or loaded.
local build = require "goloader.building.build"
local policy = require "goloader.building.policy"
local support = require "spec.support"

local host = support.host()

local function judge(rules)
  return assert(policy.compile(rules))
end

teardown(support.clean)

describe("patterns", function()
  local function matched(pattern, paths)
    local found = {}
    local allows = judge { allow = { pattern } }
    for path in paths:gmatch "%S+" do
      if allows(path, "main", not path:find("[.C]")) then found[#found + 1] = path end
    end
    return table.concat(found, " ")
  end

  it("are those of the go command", function()
    local paths = "net net/http net/http/httptest netx os/exec golang.org/x/net golang.org/x/nets unsafe C"
    assert.equal("net", matched("net", paths))
    assert.equal("net net/http net/http/httptest", matched("net/...", paths))
    assert.equal("net net/http net/http/httptest netx", matched("net...", paths))
    assert.equal("golang.org/x/net golang.org/x/nets", matched("golang.org/x/net...", paths))
    assert.equal("golang.org/x/net", matched("golang.org/x/net/...", paths))
    assert.equal("net/http net/http/httptest", matched(".../http...", paths))
    assert.equal("unsafe", matched("unsafe", paths))
    assert.equal("C", matched("C", paths))
    assert.equal(paths, matched("...", paths))
    assert.equal("net net/http net/http/httptest netx os/exec unsafe", matched("std", paths))
  end)

  it("mean what they say where Lua's differ", function()
    assert.equal("", matched("golang.org/x", "golangxorg/x"))
    assert.equal("a-b+c", matched("a-b+c", "a-b+c ab+c"))
  end)
end)

describe("rules", function()
  it("refuse what is denied, and what is not allowed where something is", function()
    local judges = judge { allow = { "std" }, deny = { "os/..." } }
    assert.is_true((judges("fmt", "main", true)))
    assert.same({ false, 'deny "os/..."' }, { judges("os/exec", "main", true) })
    assert.same({ false, "no pattern allows it" }, { judges("github.com/x/y", "main", false) })
    assert.is_true((judge { deny = { "os/exec" } } ("github.com/x/y", "main", false)))
    assert.is_true((judge {} ("github.com/x/y", "main", false)))
    assert.is_false((judge { allow = {} } ("fmt", "main", true)))
  end)

  it("that can't be are misuse", function()
    local function misuse(rules, ...)
      for _, part in ipairs { ... } do
        assert.error_matches(function() host:policy(rules) end, "host:policy.*" .. part)
        assert.error_matches(function() host:build("spec/testdata/order", { imports = rules }) end,
          "host:build: imports.*" .. part)
      end
    end
    misuse("os", "string")
    misuse({ "os" }, "1", "allow")
    misuse({ forbid = { "os" } }, "forbid")
    misuse({ deny = "os" }, "deny", "list")
    misuse({ allow = { 1 } }, "#1", "number")
  end)
end)

-- A module of three packages, and a third-party one.
local function write_module()
  support.write("guarded/go.mod", [[
module example.com/guarded

go 1.21

require example.com/helper v1.0.0
]])
  support.write("guarded/vendor/modules.txt", "# example.com/helper v1.0.0\n## explicit; go 1.21\nexample.com/helper\n")
  support.write("guarded/vendor/example.com/helper/helper.go",
    'package helper\n\nimport "os/exec"\n\nfunc Help() string { return exec.Command("true").Path }\n')
  support.write("guarded/inner/inner.go",
    'package inner\n\nimport "example.com/helper"\n\nfunc In() string { return helper.Help() }\n')
  support.write("guarded/plain/plain.go", 'package plain\n\nimport (\n\t"fmt"\n\t"unsafe"\n)\n\n'
    .. 'func Size() string { return fmt.Sprint(unsafe.Sizeof(0)) }\n')
  return support.write("guarded/guarded.go",
    'package guarded\n\nimport "example.com/guarded/inner"\n\nfunc Go() string { return inner.In() }\n'):match "^(.*)/"
end

local function refused(module, err, package, message)
  assert.is_nil(module)
  assert.equal("policy", err.code, err.message)
  assert.equal(message, err.message)
  assert.equal(package, err.package)
  assert.equal(package, err.chain[#err.chain])
end

local through_inner = "the policy refuses the import of os/exec (%s): "
  .. "example.com/guarded imports example.com/guarded/inner imports example.com/helper imports os/exec"

describe("a policy of one build", function()
  it("judges what third-party packages import, and names the way there", function()
    local dir = write_module()
    local module, _, err = host:build(dir, { imports = { deny = { "os/exec" } } })
    refused(module, err, "os/exec", through_inner:format 'deny "os/exec"')
    assert.same({ "example.com/guarded", "example.com/guarded/inner", "example.com/helper", "os/exec" }, err.chain)
  end)

  it("judges the same with private third-party packages, and when the package is known already", function()
    local dir = write_module()
    assert(assert(host:build(dir)):unload())
    for _, options in ipairs { {}, { private = true } } do
      options.imports = { deny = { "os/..." } }
      local module, _, err = host:build(dir, options)
      refused(module, err, "os/exec", through_inner:format 'deny "os/..."')
      options.imports = nil
      assert(assert(host:build(dir, options)):unload())
    end
  end)

  it("asks about third-party packages, but not about the module's own", function()
    local dir = write_module()
    local module, _, err = host:build(dir, { imports = { allow = { "std" } } })
    refused(module, err, "example.com/helper",
      "the policy refuses the import of example.com/helper (no pattern allows it): "
      .. "example.com/guarded imports example.com/guarded/inner imports example.com/helper")
    module = assert(host:build(dir, { imports = { allow = { "std", "example.com/helper" } } }))
    assert.matches("true$", module.Go())
    assert(module:unload())
  end)

  it("judges plain packages, and sees unsafe", function()
    local dir = write_module() .. "/plain"
    for _, paths in ipairs { dir, dir .. "/plain.go" } do
      local module, _, err = host:build(paths, { imports = { deny = { "unsafe" } } })
      assert.is_nil(module)
      assert.equal("policy", err.code)
      assert.matches("unsafe %(deny \"unsafe\"%): %S+ imports unsafe$", err.message)
    end
    assert(assert(host:build(dir, { imports = { allow = { "fmt", "unsafe" } } })):unload())
  end)

  it("does not judge what standard packages import", function()
    -- fmt imports os, reflect and unsafe
    local module = assert(host:build("spec/testdata/shop",
      { imports = { deny = { "unsafe", "internal/..." } } }))
    assert(module:unload())
  end)

  it("judges parts in C", function()
    local dir = support.write("inc/inc.go", 'package inc\n\nimport "C"\n\nfunc F() int { return 1 }\n'):match "^(.*)/"
    support.write("inc/go.mod", "module example.com/inc\n\ngo 1.21\n")
    local module, _, err = host:build(dir, { imports = { deny = { "C" } } })
    refused(module, err, "C", 'the policy refuses the import of C (deny "C"): example.com/inc imports C')
  end)

  it("can be a function, which is told who imports what and may say why not", function()
    local dir = write_module()
    local asked = {}
    local module, _, err = host:build(dir, { imports = function(path, importer)
      asked[#asked + 1] = importer .. " " .. path
      return path ~= "os/exec", "no processes"
    end })
    refused(module, err, "os/exec", through_inner:format "no processes")
    assert.same({ "example.com/guarded/inner example.com/helper", "example.com/helper os/exec" }, asked)
    module, _, err = host:build(dir, { imports = function() return false end })
    refused(module, err, "example.com/helper", "the policy refuses the import of example.com/helper: "
      .. "example.com/guarded imports example.com/guarded/inner imports example.com/helper")
  end)

  it("is asked before anything is compiled", function()
    local dir = write_module()
    support.write("guarded/inner/inner.go",
      'package inner\n\nimport "example.com/helper"\n\nfunc In() int { return helper.Help() }\n')
    local module, _, err = host:build(dir, { imports = { deny = { "os/exec" } } })
    refused(module, err, "os/exec", through_inner:format 'deny "os/exec"')
    module, _, err = host:build(dir)
    assert.is_nil(module)
    assert.equal("compile", err.code)
  end)
end)

describe("a policy of the host", function()
  after_each(function() host:policy(nil) end)

  it("holds for all builds, with that of the build on top", function()
    local dir = write_module()
    host:policy { deny = { "os/exec" } }
    local module, _, err = host:build(dir, { imports = { allow = { "..." } } })
    refused(module, err, "os/exec", through_inner:format 'deny "os/exec"')
    host:policy { deny = { "net" } }
    module, _, err = host:build(dir, { imports = { deny = { "os/exec" } } })
    refused(module, err, "os/exec", through_inner:format 'deny "os/exec"')
    assert(assert(host:build(dir)):unload())
    host:policy(nil)
    assert(assert(host:build(dir)):unload())
  end)

  it("holds for objects, with the archives of what they import", function()
    local dir = write_module()
    local objects = assert(assert(build.start(support.tools(), dir)):wait())
    for path, archive in pairs(objects.archives) do assert(host:add_archive(path, archive.file, archive.version)) end
    host:policy { deny = { "os/exec" } }
    local module, _, err = host:load(objects.files, { ndeps = #objects.files - 1 })
    assert.is_nil(module)
    assert.equal("policy", err.code)
    assert.matches("example.com/guarded/inner imports example.com/helper imports os/exec$", err.message)
    host:policy { deny = { "example.com/..." } }
    module, _, err = host:load(objects.files, { ndeps = #objects.files - 1 })
    assert.is_nil(module)
    assert.matches("example.com/guarded/inner imports example.com/helper$", err.message)
    host:policy { allow = { "std" } }
    local shop = support.compile("spec/testdata/shop/shop.go", "shop")
    module, _, err = host:load(shop, { imports = { deny = { "sort" } } })
    refused(module, err, "sort", 'the policy refuses the import of sort (deny "sort"): shop imports sort')
    assert(assert(host:load(shop)):unload())
  end)

  it("holds for shipped modules", function()
    local dir = write_module()
    local file = support.tmpdir() .. "/guarded.gom"
    assert(host:ship(dir, file))
    host:policy { deny = { "os/exec" } }
    local module, _, err = host:load(file)
    refused(module, err, "os/exec", 'the policy refuses the import of os/exec (deny "os/exec"): '
      .. "example.com/guarded/inner imports example.com/helper imports os/exec")
    module, _, err = host:ship(dir, file)
    refused(module, err, "os/exec", through_inner:format 'deny "os/exec"')
    host:policy { allow = { "std" } }
    module, _, err = host:load(file)
    refused(module, err, "example.com/helper", "the policy refuses the import of example.com/helper "
      .. "(no pattern allows it): example.com/guarded/inner imports example.com/helper")
    host:policy { allow = { "std", "example.com/helper" } }
    assert(assert(host:load(file)):unload())
  end)
end)
