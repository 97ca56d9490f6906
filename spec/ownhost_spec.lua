-- Hosts that users make: goloader host.
local lfs = require "lfs"
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

local quote = toolchain.quote
local checked = "GOGC=1 GODEBUG=gccheckmark=1,clobberfree=1,invalidptr=1 GOTRACEBACK=system "

-- Every user of a shell stands somewhere: runs `goloader host ARGUMENTS…` in a directory, with this spec's Go.
local function make_host(dir, arguments, environment)
  local command = ("cd %s && exec %s host --goroot %s %s"):format(quote(dir),
    quote(toolchain.absolute "build/bin/goloader"), quote(support.tools().goroot), arguments)
  return support.run({ "sh", "-c", command }, environment)
end

local function host_path(name) return toolchain.absolute(support.tmpdir()) .. "/" .. name end

local function made(dir, name, arguments, environment)
  local path = host_path(name)
  local status, out, errors = make_host(dir, ("-o %s %s"):format(quote(path), arguments), environment)
  assert.equal(0, status, out .. errors)
  assert.equal("", out .. errors)
  return path
end

local function write_all(dir, files)
  for name, text in pairs(files) do support.write(dir .. "/" .. name, text) end
  return support.tmpdir() .. "/" .. dir
end

-- A program of Lua's in a process of its own, with `host` started and this as its directory.
local function lua_in(host, dir, script, environment)
  local head = ('local host = assert(require "goloader".host { path = %q })\nlocal dir = %q\n'):format(host, dir)
  return support.lua(head .. script, environment)
end

local kiosk

setup(function() kiosk = made("examples/ownhost", "kiosk.so", "./stock") end)
teardown(support.clean)

describe("the example", function()
  for name, environment in pairs { ["natively"] = "", ["under a collector that checks"] = checked } do
    it("keeps the stock while the tills are swapped, " .. name, function()
      local argv = { "luajit", "spec/env.lua", "examples/ownhost/main.lua", kiosk }
      local status, out, errors = support.run(argv, environment)
      assert.equal(0, status, errors)
      assert.equal([[
  The plain till:
    5 × ice cream: 7.50
    ice cream    7 left,  5 sold for 7.50
    newspaper    4 left,  0 sold for 0.00
  The till with a rebate, over the same stock:
    5 × ice cream: 6.00
    5 × newspaper: 5 newspaper wanted, 4 left
    ice cream    2 left, 10 sold for 13.50
    newspaper    4 left,  0 sold for 0.00
]], out)
    end)
  end
end)

describe("a host of one's own", function()
  it("is named by GOLOADER_HOST", function()
    support.run { "cp", "-r", "examples/ownhost", support.tmpdir() .. "/named" }
    support.write("named/sells/main.go", [[
package main

import ("fmt"; "example.test/kiosk/stock")

func main() {
	stock.Put("ice cream", 3)
	fmt.Println(stock.Sell("ice cream", 2, 300), stock.List())
}
]])
    local host = made(support.tmpdir() .. "/named", "named.so", "--minimal ./stock")
    local environment = "GOLOADER_HOST=" .. quote(host)
    local argv = { "build/bin/goloader", "run", support.tmpdir() .. "/named/sells" }
    local status, out, errors = support.run(argv, environment)
    assert.equal("<nil> [{ice cream 1 2 300}]\n", out, errors)
    assert.equal(0, status)
    status, out, errors = support.run({ "build/bin/goloader", "info" }, environment)
    assert.equal(0, status, errors)
    assert.matches("\nlinked in +example%.test/kiosk/stock\n", out)
    assert.is_truthy(out:find(host, 1, true))
  end)

  it("refuses modules that are compiled against an edited package of it, naming both", function()
    support.run { "cp", "-r", "examples/ownhost", support.tmpdir() .. "/edited" }
    local dir = support.tmpdir() .. "/edited"
    local host = made(dir, "edited.so", "--minimal ./stock")
    local source = support.read(dir .. "/stock/stock.go")
    support.write("edited/stock/stock.go", source .. "\nfunc Empty() { clear(shelves) }\n")
    local status, out, errors = lua_in(host, dir, [[
      local till, _, err = host:build(dir .. "/till/plain")
      print(till, err.code, err)
    ]])
    assert.equal(0, status, errors)
    assert.matches("^nil\tmismatch\t[^\n]*example%.test/kiosk/stock[^\n]*\n$", out)
    assert.is_truthy(out:find(host, 1, true), out)
    assert.is_truthy(out:find(dir .. "/stock", 1, true), out)
  end)

  it("takes internal, vendored and oddly named packages; go.mod stays as it is, nothing is fetched", function()
    local go_mod = "module example.test/app\n\ngo 1.17\n\nrequire example.test/money.v2 v1.0.1\n"
    local dir = write_all("app", {
      ["go.mod"] = go_mod,
      ["internal/state/state.go"] = 'package state\n\nimport money "example.test/money.v2"\n\n'
        .. "var Total money.Cents\n\nfunc Add(c money.Cents) money.Cents { Total += c; return Total }\n",
      ["vendor/modules.txt"] = "# example.test/money.v2 v1.0.1\n## explicit\nexample.test/money.v2\n",
      ["vendor/example.test/money.v2/money.go"] = "package money\n\ntype Cents int\n\nvar Spent Cents\n\n"
        .. "func Spend(c Cents) Cents { Spent += c; return Spent }\n",
      ["shop/shop.go"] = 'package shop\n\nimport (\n\t"example.test/app/internal/state"\n'
        .. '\tmoney "example.test/money.v2"\n)\n\nfunc Add(n int) int { return int(state.Add(money.Cents(n))) }\n\n'
        .. "func Spend(n int) int { return int(money.Spend(money.Cents(n))) }\n",
    })
    local host = made(dir, "app.so", "--minimal ./internal/... example.test/money.v2", "GOPROXY=off GOWORK=off")
    assert.equal(go_mod, support.read(dir .. "/go.mod"))
    assert.is_nil(support.read(dir .. "/go.sum"))
    local status, out, errors = lua_in(host, dir, [[
      for _ = 1, 2 do
        local shop = assert(host:build(dir .. "/shop"))
        print(shop.Add(5), shop.Spend(7))
        assert(shop:unload())
      end
    ]], "GOPROXY=off GOWORK=off")
    assert.equal("5\t7\n10\t14\n", out, errors)
    assert.equal(0, status)
  end)

  it("takes packages of a workspace and of a directory that replaces a module", function()
    local dir = write_all("work", {
      ["go.work"] = "go 1.21\n\nuse (\n\t./one\n\t./two\n)\n",
      ["one/go.mod"] = "module example.test/one\n\ngo 1.21\n\nrequire example.test/three v0.0.0\n\n"
        .. "replace example.test/three => ../three\n",
      ["one/one.go"] = 'package one\n\nimport (\n\t"example.test/three"\n\t"example.test/two"\n)\n\n'
        .. "func Next() (int, int) { two.N++; three.N += 3; return two.N, three.N }\n",
      ["two/go.mod"] = "module example.test/two\n\ngo 1.21\n",
      ["two/two.go"] = "package two\n\nvar N int\n",
      ["three/go.mod"] = "module example.test/three\n\ngo 1.21\n",
      ["three/three.go"] = "package three\n\nvar N int\n",
    })
    local host = made(dir .. "/one", "work.so", "--minimal example.test/two example.test/three", "GOPROXY=off")
    local status, out, errors = lua_in(host, dir, [[
      for _ = 1, 2 do
        local one = assert(host:build(dir .. "/one"))
        print(one.Next())
        assert(one:unload())
      end
    ]])
    assert.equal("1\t3\n2\t6\n", out, errors)
    assert.equal(0, status)
  end)

  it("has modules compiled with its own flags", function()
    local dir = write_all("flags", {
      ["go.mod"] = "module example.test/flags\n\ngo 1.21\n",
      ["colour/colour.go"] = "package colour\n\nvar Uses int\n\nvar Maker string\n",
      ["colour/red.go"] = '//go:build red\n\npackage colour\n\nconst Name = "red"\n',
      ["colour/blue.go"] = '//go:build !red\n\npackage colour\n\nconst Name = "blue"\n',
      ["brush/brush.go"] = 'package brush\n\nimport (\n\t"runtime"\n\n\t"example.test/flags/colour"\n)\n\n'
        .. "func Use() (string, int) { colour.Uses++; return colour.Maker + colour.Name, colour.Uses }\n\n"
        .. "func File() string { _, file, _, _ := runtime.Caller(0); return file }\n",
    })
    local flags = [['-ldflags=-X "example.test/flags/colour.Maker=a painter: "' -tags red -trimpath]]
    local host = made(dir, "flags.so", "--minimal " .. flags .. " ./colour")
    local status, out, errors = lua_in(host, dir, [[
      for _ = 1, 2 do
        local brush = assert(host:build(dir .. "/brush"))
        local name, uses = brush.Use()
        print(name, uses, brush.File())
        assert(brush:unload())
      end
    ]])
    local line = "a painter: red\t%d\texample.test/flags/brush/brush.go\n"
    assert.equal(line:format(1) .. line:format(2), out, errors)
    assert.equal(0, status)
  end)

  it("is completed from archives where it is minimal", function()
    local dir = write_all("minimal", {
      ["go.mod"] = "module example.test/minimal\n\ngo 1.21\n",
      ["kept/kept.go"] = "package kept\n\nvar N int\n",
      ["table/table.go"] = 'package table\n\nimport (\n\t"encoding/csv"\n\t"strings"\n\t"text/template"\n)\n\n'
        .. "func Sum(text string) (string, error) {\n\trows, err := csv.NewReader(strings.NewReader(text)).ReadAll()\n"
        .. '\tif err != nil {\n\t\treturn "", err\n\t}\n\tvar out strings.Builder\n'
        .. '\terr = template.Must(template.New("").Parse("{{range .}}{{index . 0}};{{end}}")).Execute(&out, rows)\n'
        .. "\treturn out.String(), err\n}\n",
    })
    local host = made(dir, "minimal.so", "--minimal ./kept")
    assert.is_true(lfs.attributes(host, "size") < lfs.attributes(kiosk, "size") * 0.6)
    local status, out, errors = lua_in(host, dir, [[
      local table = assert(host:build(dir .. "/table"))
      print(table.Sum("a,1\nb,2\n"))
      print(table.Sum("a,\"1\nb,2\n"))
      assert(table:unload())
    ]])
    assert.matches('^a;b;\nnil\trecord on line 1; parse error on line %d, column %d+: [^\n]*\n$', out, errors)
    assert.equal(0, status)
  end)

  it("is refused by another goloader's library", function()
    local sources = support.tmpdir() .. "/sources"
    support.run { "cp", "-r", "src/host", sources }
    local header = support.read(sources .. "/runtime.h")
    local older, changed = header:gsub("(#define GL_HOST_PROTOCOL UINT64_C%(0x)%x+", "%1" .. "1234")
    assert.equal(1, changed)
    support.write("sources/runtime.h", older)
    local host = host_path "older.so"
    local status, _, errors = support.run { "build/host/default/tools/mkhost", "-goroot",
      assert(toolchain.find(toolchain.absolute "build/host/default/libgoloader_host.so")).goroot, "-sources", sources,
      "-minimal", "-o", host }
    assert.equal(0, status, errors)
    local out
    status, out, errors = support.lua(('print((select(2, require "goloader".host { path = %q })))'):format(host))
    assert.equal(0, status, errors)
    assert.equal(host .. " was built with the goloader.dev/host of another goloader: build it anew\n", out)
  end)
end)

describe("a shipped module", function()
  local dir -- a copy of the example

  local function ship(host, package, name)
    local status, _, errors = support.run({ "build/bin/goloader", "build", "-o", host_path(name), package },
      "GOLOADER_HOST=" .. quote(host))
    assert.equal(0, status, errors)
    return host_path(name)
  end

  local function load_twice(host, file, script)
    local status, out, errors = lua_in(host, dir, ([[
      for _ = 1, 2 do
        local module, message, err = host:load %q
        if module then %s assert(module:unload()) else print(err.code, message) break end
      end
    ]]):format(file, script))
    assert.equal(0, status, errors)
    return out
  end

  setup(function()
    support.run { "cp", "-r", "examples/ownhost", support.tmpdir() .. "/shipping" }
    dir = support.tmpdir() .. "/shipping"
    write_all("shipping/complex", { ["complex.go"] = [[
package complex

import "slices"

// No package of the default host has this instance.
func Sorted(n int) []complex64 {
	all := make([]complex64, n)
	for i := range all {
		all[i] = complex(float32(i), 1)
	}
	slices.SortFunc(all, func(a, b complex64) int { return int(real(b)) - int(real(a)) })
	return all
}

func First(n int) float64 { return float64(real(Sorted(n)[0])) }
]] })
  end)

  local default = toolchain.absolute(support.host().path)

  it("made for one host loads into another, which has what it uses, and shares that", function()
    local till = ship(default, "examples/ownhost/till/plain", "till.gom") -- with the stock in it
    assert.equal("3\n6\n", load_twice(kiosk, till, 'module.Deliver("ice cream", 3) print(module.Stock()[1].Pieces)'))
    assert.equal("3\n3\n", load_twice(default, till, 'module.Deliver("ice cream", 3) print(module.Stock()[1].Pieces)'))
  end)

  it("is refused by a host that lacks a package, or has another version of it, and both are named", function()
    local till = ship(kiosk, "examples/ownhost/till/plain", "kiosktill.gom")
    local out = load_twice(default, till, "")
    assert.matches("^missing\t[^\n]*example%.test/kiosk/stock%.Sell [^\n]*\n$", out)
    assert.is_truthy(out:find("kiosktill.gom was made for the host kiosk.so, and this one is " .. default
      .. ", which lacks example.test/kiosk/stock\n", 1, true), out)
    out = load_twice(kiosk, ship(default, dir .. "/till/plain", "newtill.gom"), "") -- compiled elsewhere
    assert.matches("^mismatch\t[^\n]*newtill%.gom has another version of package example%.test/kiosk/stock than", out)
    assert.is_truthy(out:find(kiosk, 1, true), out)
  end)

  it("brings instances of generic functions that only the other host had", function()
    support.write("shipping/kept/kept.go", 'package kept\n\nimport "example.test/kiosk/complex"\n\n'
      .. "func First() float64 { return complex.First(1) }\n")
    local host = made(dir, "generic.so", "--minimal ./kept slices")
    write_all("shipping/again", { ["again.go"] = support.read(dir .. "/complex/complex.go"):gsub("package complex",
      "package again", 1) })
    local file = ship(host, dir .. "/again", "again.gom")
    assert.equal("2\n2\n", load_twice(host, file, "print(module.First(3))"))
    assert.equal("2\n2\n", load_twice(default, file, "print(module.First(3))"))
  end)
end)

describe("goloader host", function()
  local dir

  setup(function()
    dir = write_all("wrong", {
      ["go.mod"] = "module example.test/wrong\n\ngo 1.21\n",
      ["broken/broken.go"] = "package broken\n\nvar X int = \"text\"\n",
      ["program/main.go"] = "package main\n\nfunc main() {}\n",
      ["empty/readme.txt"] = "nothing\n",
    })
  end)

  local function refused(arguments)
    lfs.mkdir(dir .. "/out")
    local status, out, errors = make_host(dir, "-o out/host.so " .. arguments, "GOPROXY=off")
    assert.equal(1, status, errors)
    assert.equal("", out)
    local left = {}
    for entry in lfs.dir(dir .. "/out") do left[#left + 1] = entry end
    assert.equal(2, #left, table.concat(left, " ")) -- "." and ".."
    return errors
  end

  it("passes a compiler's message on untouched", function()
    local _, _, native = support.run { "sh", "-c", ("cd %s && exec %s/bin/go build ./broken"):format(quote(dir),
      quote(support.tools().goroot)) }
    assert.matches("^# example%.test/wrong/broken\n", native)
    assert.equal(native, refused "./broken")
  end)

  it("names in one line what can't be linked in", function()
    for arguments, message in pairs {
      ["./program"] = "^goloader: example%.test/wrong/program is a program[^\n]*\n$",
      ["./nowhere"] = "^goloader: [^\n]*nowhere[^\n]*\n$",
      ["example.test/elsewhere/x"] = "^goloader: [^\n]*example%.test/elsewhere/x[^\n]*\n$",
      ["./empty"] = "^goloader: [^\n]*no Go files[^\n]*\n$",
      ["--exe ./program"] = "^goloader: example%.test/wrong/program does not import goloader%.dev/host[^\n]*\n$",
      ["--exe fmt"] = "^goloader: fmt names 0 programs[^\n]*\n$",
      ["'-ldflags=-s -w' fmt"] = "^goloader: [^\n]*host%.so[^\n]*DWARF[^\n]*\n$",
    } do
      assert.matches(message, refused(arguments))
    end
  end)

  it("names a directory that isn't there", function()
    local status, _, errors = make_host(dir, "-o /no/such/host.so fmt")
    assert.equal(1, status)
    assert.matches("^goloader: [^\n]*/no/such[^\n]*\n$", errors)
  end)

  it("tells how it is used", function()
    local status, out, errors = make_host(dir, "fmt")
    assert.equal(2, status)
    assert.equal("", out)
    assert.matches("^usage: goloader host ", errors)
  end)

  it("tells where the Go module is that programs import", function()
    local status, out = support.cli("host", "--sources")
    assert.equal(0, status)
    assert.matches("^module goloader%.dev/host\n", support.read(out:match "^(.-)\n$" .. "/go.mod"))
  end)
end)
