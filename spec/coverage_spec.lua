-- Coverage of Go code by what Lua does with it.
local support = require "spec.support"

teardown(support.clean)

local unpack = rawget(table, "unpack") or unpack
local host, package

setup(function()
  host = support.host()
  support.write("shop/go.mod", "module example.test/shop\n\ngo 1.21\n")
  support.write("shop/price.go", [[
package shop

func Price(n int) int {
	if n > 10 {
		return n * 9
	}
	return n * 10
}

func Never() int {
	n := 0
	for i := 0; i < 3; i++ {
		n += i
	}
	return n
}
]])
  support.write("shop/each.go", [[
package shop

import "sync"

func Each(f func(int) int, n int) (sum int) {
	for i := 0; i < n; i++ {
		sum += f(i)
	}
	return
}

func Together(n int) {
	var all sync.WaitGroup
	for i := 0; i < n; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			Price(i)
		}()
	}
	all.Wait()
}
]])
  support.write("shop/not_here.go", "//go:build never\n\npackage shop\n\nfunc Nowhere() int { return 1 }\n")
  package = support.tmpdir() .. "/shop"
end)

-- What go tool cover says of a profile: percent by function.
local function functions(file)
  local job = assert(support.tools():go({ "tool", "cover", "-func=" .. file }, { dir = package }))
  local ok, output, errors = job:wait()
  assert(ok, errors)
  local found = {}
  for name, percent in output:gmatch "[^\n]+:%d+:%s+(%S+)%s+([%d.]+)%%" do found[name] = tonumber(percent) end
  return found
end

describe("a module that was built with cover", function()
  it("has a profile of what Lua has executed, and goes", function()
    local file = support.tmpdir() .. "/cover.out"
    for _, mode in ipairs { "set", "count", "atomic" } do
      local shop = assert(host:build(package, { cover = mode }))
      assert.equal(60, shop.Each(shop.Price, 4))
      assert.is_true(shop:coverage(file))
      assert.same({ Price = 66.7, Never = 0, Each = 100, Together = 0 }, functions(file))
      shop.Together(20)
      assert.is_true(shop:coverage(file))
      assert.same({ Price = 100, Never = 0, Each = 100, Together = 100 }, functions(file))
      local text = shop:coverage()
      assert.equal(text, support.read(file))
      assert.equal(mode, text:match "^mode: (%a+)\n")
      -- the loop's body; where exactly it begins and ends is not the same in all Gos
      assert.equal(mode == "set" and "1" or "4", text:match "/each%.go:[67]%.%d+,[78]%.%d+ 1 (%d+)\n")
      for _, export in ipairs(shop:exports()) do assert.not_matches("Cover", export.name) end
      assert(shop:unload())
    end
  end)

  it("is built of the same package without, before and after", function()
    local plain = assert(host:build(package))
    local covered = assert(host:build(package, { cover = true, tags = "never", gcflags = "-N" }))
    assert.equal(1, covered.Nowhere())
    assert.matches("^mode: set\n.*not_here%.go:5%.[^\n]* 1 1\n", covered:coverage())
    assert.error_matches(function() plain:coverage() end, 'was not built with cover = "set"$')
    assert(plain:unload())
    assert(covered:unload())
    plain = assert(host:build(package))
    assert.error_matches(function() plain:coverage() end, 'was not built with cover = "set"$')
    assert(plain:unload())
  end)

  it("may be files, or found by an import path", function()
    local one = assert(host:build({ package .. "/price.go" }, { cover = "atomic" }))
    one.Price(20)
    assert.matches("price%.go:[45]%.%d+,[56]%.%d+ 1 1\n", one:coverage())
    assert(one:unload())
    local std = assert(host:build("container/ring", { cover = "set" }))
    assert.matches("container/ring/ring%.go:%d+", std:coverage())
    assert(std:unload())
  end)

  it("is refused as without where it does not compile, and for a mode that there is not", function()
    local broken = support.write("broken.go", "package broken\n\nfunc F() int { return }\n")
    local module, message, err = host:build(broken, { cover = "set" })
    assert.is_nil(module)
    assert.equal("compile", err.code)
    assert.matches("broken%.go:3", message)
    module, message, err = host:build(support.write("none.go", "package none\n\nfunc {"), { cover = "set" })
    assert.is_nil(module)
    assert.equal("compile", err.code)
    assert.matches("none%.go:3", message)
    assert.error_matches(function() host:build(package, { cover = "most" }) end,
      'host:build: cover: "set", "count" or "atomic" expected, got "most"$')
    local ok
    local shop = assert(host:build(package, { cover = true }))
    ok, message, err = shop:coverage "/nowhere/cover.out"
    assert.is_nil(ok)
    assert.equal("io", err.code)
    assert.matches("/nowhere/cover%.out", message)
    assert(shop:unload())
  end)

  it("leaves no files behind", function()
    local dir = support.tmpdir() .. "/left"
    assert(require "lfs".mkdir(dir))
    local status, _, errors = support.lua(([[
      local shop = assert(require "goloader".host():build(%q, { cover = "atomic" }))
      assert(shop:unload())
    ]]):format(package), "TMPDIR=" .. dir)
    assert.equal(0, status, errors)
    local pipe = io.popen("ls " .. dir)
    assert.equal("", pipe:read "*a")
    pipe:close()
  end)
end)

describe("a sanitizer", function()
  it("is refused with the same reason wherever it is asked for", function()
    for flag, why in pairs {
      race = "the race detector has a runtime of its own: goloader host --exe -race makes programs that have it",
      msan = "the memory sanitizer needs a runtime of its own, which no host is built with",
      asan = "the address sanitizer needs a runtime of its own, which no host is built with",
    } do
      local plain = why:gsub("%p", "%%%0")
      assert.error_matches(function() host:build(package, { [flag] = true }) end,
        "host:build: " .. flag .. ": " .. plain)
      local module, message, err = host:build(package, { gcflags = "-" .. flag })
      assert.is_nil(module)
      assert.equal("unsupported", err.code)
      assert.matches(plain, message)
      local file = package .. "/price.go"
      for _, command in ipairs { { "run", "-" .. flag, file }, { "test", "-" .. flag, package },
        { "build", "-" .. flag, "-o", support.tmpdir() .. "/x.gom", file },
        { "host", "-" .. flag, "-o", support.tmpdir() .. "/x.so", "fmt" } } do
        local status, _, errors = support.cli(unpack(command))
        assert.is_true(status ~= 0)
        assert.matches("flag %-" .. flag .. ": " .. plain, errors)
      end
      for _, command in ipairs { { "build", "-o", support.tmpdir() .. "/x.gom", file },
        { "host", "-o", support.tmpdir() .. "/x.so", "fmt" } } do
        local status, _, errors = support.run({ "build/bin/goloader", unpack(command) },
          "GOFLAGS=-" .. flag)
        assert.is_true(status ~= 0)
        assert.matches("flag %-" .. flag .. ": " .. plain, errors)
      end
    end
  end)
end)
