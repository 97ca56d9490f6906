-- Packages of a module that are its own, and third-party ones, of which the process has one for all modules.
local support = require "spec.support"

local source = "spec/testdata/shared"

teardown(support.clean)

describe("third-party packages", function()
  it("are one for all modules: they agree on types and variables", function()
    local left = assert(support.host():build(source .. "/left"))
    local right = assert(support.host():build(source .. "/right"))
    assert.equal(100, left.Made())

    left.Put("left", 2.5)
    assert.equal("2.50", left.Get "left")
    assert.equal("2.50", right.Get "left")
    right.Put("right", 0.125)
    assert.equal("0.13", left.Get "right")
    assert.equal(102, left.Made())
    assert.equal(102, right.Made())

    assert(left:unload())
    assert(right:unload())
  end)

  it("stay, with their state, when the modules that use them go", function()
    local left = assert(support.host():build(source .. "/left"))
    assert.equal("2.50", left.Get "left")
    assert.equal(102, left.Made())
    assert(left:unload())
  end)

  it("keep a module that they remember something of, and the message says what helps", function()
    local left = assert(support.host():build(source .. "/left"))
    left.KeepOwn(true)
    local ok, message, err = left:unload()
    assert.is_nil(ok)
    assert.matches("variable example%.com/money%.kept refers to .*left%.own.* "
      .. "%(with private = true the module gets its own example%.com/money%)$", message)
    assert.equal(message, err.message)
    assert.equal("example.com/money", err.path[1].shared)
    left.KeepOwn(false)
    assert(left:unload())

    left = assert(support.host():build(source .. "/left", { private = true }))
    left.KeepOwn(true)
    assert(left:unload())
  end)

  it("have assembly with names that lack their path, and variables that stand for it", function()
    local user = assert(support.host():build(source .. "/bare"))
    assert.equal(14, user.Called())
    assert.same({ 11, 12 }, user.Words())
    user.SetWord(13)

    local own = assert(support.host():build(source .. "/bare", { private = true }))
    assert.equal(14, own.Called())
    assert.same({ 11, 12 }, own.Words())
    assert(own:unload())
    assert(user:unload())

    local file = support.tmpdir() .. "/bare.gom"
    assert(support.host():ship(source .. "/bare", file))
    user = assert(support.host():load(file))
    assert.equal(14, user.Called())
    assert.same({ 13, 12 }, user.Words())
    assert(user:unload())

    -- a process that has nothing of it yet
    local program = support.write("bare.lua", ("local bare = assert(require 'goloader'.host():load %q)\n"
      .. "print(bare.Called(), table.concat(bare.Words(), ' '))"):format(file))
    local _, out, errors = support.run { "luajit", "spec/env.lua", program }
    assert.equal("14\t11 12\n", out, errors)
  end)

  it("are part of a module that wants its own", function()
    local left = assert(support.host():build(source .. "/left", { private = true }))
    assert.equal(100, left.Made())
    assert.equal("a stranger", left.Get "left")
    assert(left:unload())
  end)
end)

describe("a module's own packages", function()
  it("are the module's", function()
    local left = assert(support.host():build(source .. "/left"))
    local right = assert(support.host():build(source .. "/right"))
    left.Get "left"
    assert.equal(1, left.Asked())
    assert.equal(0, right.Asked())
    assert(left:unload())
    assert(right:unload())
  end)

  it("are those of a directory that replaces a module, too", function()
    support.write("replaced/go.mod", [[
module example.com/app

go 1.21

require example.com/lib v1.0.0

replace example.com/lib => ./lib
]])
    support.write("replaced/lib/go.mod", "module example.com/lib\n\ngo 1.21\n")
    local lib = "package lib\n\nvar N = %d\n"
    support.write("replaced/lib/lib.go", lib:format(1))
    local dir = support.write("replaced/app.go", [[
package app

import "example.com/lib"

func Next() int { lib.N++; return lib.N }
]]):match "^(.*)/"
    local first = assert(support.host():build(dir))
    assert.equal(2, first.Next())
    support.write("replaced/lib/lib.go", lib:format(10))
    local second = assert(support.host():build(dir))
    assert.equal(11, second.Next())
    assert.equal(3, first.Next())
    assert(first:unload())
    assert(second:unload())
  end)
end)
