-- host:replace: what a program has as one module becomes another one, in one step.
local goloader = require "goloader"
local clock = require "goloader.core".clock
local support = require "spec.support"

local SHOP = [[
package shop

import "errors"

type Item struct{ n int }

func (i *Item) N() int { return i.n }
func (i *Item) Open()  { close(gate) }

var (
	Count int
	gate  = make(chan int)
)

func Add(a, b int) int { return a + b + %d }
func Title() string { Count++; return "%s" }
func Upper(name string) string { return "%s " + name }
func New() *Item { return &Item{%d} }
func Wait() string { <-gate; return "%s" }
func With(f func() string) string { return "%s " + f() }
func Max[T int | string](a, b T) T { if a > b { return a }; return b }
func Release() int { return Count }
func Adopt(count int) error {
	if count > 90 { return errors.New("that is too many") }
	Count = count
	return nil
}
]]

describe("host:replace", function()
  local host, n = nil, 0
  local shop

  setup(function() host = support.host() end)
  teardown(support.clean)

  -- A file of a version with this title, which adds this number to what it is asked to add.
  local function file(title, number, more)
    n = n + 1
    local text = SHOP:format(number, title, title, number, title, title)
    return support.write(("shop%d/shop.go"):format(n), text .. (more or ""))
  end

  local function start(more) shop = assert(host:build(file("one", 1, more))) end

  after_each(function()
    if shop and shop:is_loaded() then assert(shop:unload()) end
    shop = nil
    collectgarbage()
    assert.is_true(support.eventually(function() return host:tidy() == 0 end))
  end)

  it("has the module and all that was taken from it stand for the new one", function()
    start()
    local add, title, upper, max = shop.Add, shop.Title, shop.Upper, shop["Max[int]"]
    local modules = support.runtime_modules()
    assert.same({ 4, "one", "one x", 3 }, { add(1, 2), title(), upper "x", max(3, 2) })
    assert.is_true(host:replace(shop, file("two", 2)))
    assert.same({ 5, "two", "two x", 3 }, { add(1, 2), title(), upper "x", max(3, 2) })
    assert.same({ 5, "two", "two x", 4 }, { shop.Add(1, 2), shop.Title(), shop.Upper "x", shop["Max[int]"](3, 4) })
    assert.equal(3, shop.Count)
    shop.Count = 7
    title()
    assert.equal(8, shop.Count)
    assert.matches("shop%d+/shop%.go$", tostring(shop))
    assert.same({ 5, 7 }, add:map({ 1, 2 }, { 2, 3 }))
    assert.equal("two", title:async():wait())
    assert.equal(shop.Add:road(), add:road())
    assert.equal(tostring(shop.Add), tostring(add))
    assert.is_number(add:stats().calls)
    assert.equal(0, host:tidy())
    assert.equal(modules, support.runtime_modules())
  end)

  it("takes a module that is there, and leaves two names of one module", function()
    start()
    local other = assert(host:build(file("two", 2)))
    local title = other.Title
    assert(host:replace(shop, other))
    assert.equal("two", shop.Title())
    assert.equal("two", other.Title())
    assert.equal(2, other.Count)
    assert(host:replace(other, file("three", 3)))
    assert.same({ "three", "three", "three" }, { shop.Title(), other.Title(), title() })
    assert.equal(5, shop.Count)
    assert(shop:unload())
    assert.is_false(other:is_loaded())
  end)

  it("takes a shipped module", function()
    start()
    local gom = support.tmpdir() .. "/two.gom"
    assert(host:ship(file("two", 2), gom))
    assert(host:replace(shop, gom))
    assert.equal("two", shop.Title())
  end)

  it("switches compiled loops in the middle", function()
    start()
    local add, seen = shop.Add, {}
    for i = 1, 600 do
      if i == 301 then assert(host:replace(shop, file("two", 1000))) end
      seen[add(0, 0)] = (seen[add(0, 0)] or 0) + 1
      seen[shop.Add(0, 0)] = (seen[shop.Add(0, 0)] or 0) + 1
    end
    assert.same({ [1] = 600, [1000] = 600 }, seen)
  end)

  it("lets calls under way end in the old code, which goes then", function()
    start()
    local modules = support.runtime_modules()
    local job = shop.Wait:async()
    local item = shop.New()
    -- Go calls Lua, which replaces what Go will return to
    assert.equal("one two", shop.With(function()
      assert(host:replace(shop, file("two", 2)))
      return shop.Title()
    end))
    assert.equal("two two", shop.With(shop.Title))
    assert.equal(1, host:tidy())
    assert.equal(1, item:N())
    assert.is_false(job:done())
    assert.is_true(modules < support.runtime_modules())
    item:Open()
    assert.equal("one", job:wait())
    item:release()
    item, job = nil, nil -- luacheck: ignore
    assert.is_true(support.eventually(function() return host:tidy() == 0 end))
    assert.equal(modules, support.runtime_modules())
  end)

  it("unloads the old one within goloader.step, when nothing refers to it any more", function()
    start()
    local item = shop.New()
    assert(host:replace(shop, file("two", 2)))
    assert.is_number(goloader.next_timeout())
    local modules = support.runtime_modules()
    item:release()
    local ends = clock() + 20
    while support.runtime_modules() == modules and clock() < ends do goloader.step(0.1) end
    assert.equal(modules - 1, support.runtime_modules())
    assert.equal(0, host:tidy())
    assert.is_nil(goloader.next_timeout())
  end)

  it("drops handles of the old one where that is said", function()
    start()
    local item = shop.New()
    assert(host:replace(shop, file("two", 2), { unload = { handles = "drop" } }))
    assert.equal(0, host:tidy())
    assert.is_false((pcall(function() return item:N() end)))
  end)

  it("hands the state over as the program says", function()
    start()
    shop.Count = 5
    assert(host:replace(shop, file("two", 2), { adopt = function(new, old) new.Count = old.Count * 10 end }))
    assert.equal(50, shop.Count)
    assert(host:replace(shop, file("three", 3), { adopt = false }))
    assert.equal(0, shop.Count)
  end)

  describe("leaves everything as it was", function()
    local modules, title

    -- Fails to replace it, and says why.
    local function refused(new, options)
      modules = support.runtime_modules()
      title = shop.Title
      local ok, message, err = host:replace(shop, new, options)
      assert.is_nil(ok)
      assert.equal(message, err.message)
      assert.equal("one", title())
      assert.equal("one", shop.Title())
      assert.equal(0, host:tidy())
      assert.equal(modules, support.runtime_modules())
      return err
    end

    it("when the new one does not compile", function()
      start()
      assert.equal("compile", refused(file("two", 2, "func")).code)
    end)

    it("when its init function panics", function()
      start()
      assert.equal("panic", refused(file("two", 2, '\nfunc init() { panic("no") }\n')).code)
    end)

    it("when the program refuses it", function()
      start()
      local err = refused(file("two", 2), {
        ready = function(new, old)
          assert.equal("two", new.Title())
          assert.equal("one", old.Title())
          return nil, "not today"
        end,
      })
      assert.equal("not today", err.message)
      assert.matches("it wobbles$", refused(file("two", 2), { ready = function() error "it wobbles" end }).message)
    end)

    it("when it does not adopt the state, which the old one gets back", function()
      start()
      shop.Count = 91
      shop.Count = 80
      assert(host:replace(shop, file("one", 2)))
      assert.equal(80, shop.Count)
      shop.Count = 95
      local other = assert(host:build(file("two", 3)))
      modules = support.runtime_modules()
      local _, _, err = host:replace(shop, other)
      assert.matches("^Adopt of what .*shop%.go has released: that is too many$", err.message)
      assert.equal("one", shop.Title())
      assert.equal(96, shop.Count)
      assert.is_false(other:is_loaded())
      assert.equal(modules - 1, support.runtime_modules())
    end)

    it("when either was unloaded", function()
      start()
      local other = assert(host:build(file("two", 2)))
      assert(other:unload())
      assert.equal("closed", refused(other).code)
      assert(shop:unload())
      local _, message, err = host:replace(shop, file("two", 2))
      assert.equal("closed", err.code)
      assert.matches("shop%.go was unloaded$", message)
    end)
  end)

  it("raises for names that are not there any more", function()
    start()
    local add, title = shop.Add, shop.Title
    assert(host:replace(shop, support.write("less/shop.go", "package less\n\nfunc Title() int { return 2 }\n")))
    assert.equal(2, title())
    local ok, message = pcall(function() return add(1, 2) end)
    assert.is_false(ok)
    assert.matches("less/shop%.go exports no .*Add", message)
  end)

  it("can be done again and again", function()
    start()
    local title, add = shop.Title, shop.Add
    local modules = support.runtime_modules()
    local paths = { file("a", 1), file("b", 2) }
    for i = 1, 40 do
      assert(host:replace(shop, paths[i % 2 + 1]))
      assert.equal(i % 2 == 0 and "a" or "b", title())
      assert.equal(i % 2 == 0 and 1 or 2, add(0, 0))
      local _ = shop.Title -- what is taken of each version is forwarded, too
      assert.equal(i, shop.Count)
    end
    assert.equal(0, host:tidy())
    assert.equal(modules, support.runtime_modules())
  end)

  it("has every call of many coroutines answered by the old or by the new code", function()
    start()
    local upper, answers, ended = shop.Upper, {}, 0
    for i = 1, 20 do
      goloader.spawn(function()
        for k = 1, 20 do
          local answer = upper:async(i .. "/" .. k):wait()
          local title = answer:match("^(%a+) " .. i .. "/" .. k .. "$")
          answers[title] = (answers[title] or 0) + 1
        end
        ended = ended + 1
      end)
    end
    local path, i = { file("two", 2), file("three", 3) }, 0
    while ended < 20 do
      i = i + 1
      if i <= 6 then assert(host:replace(shop, path[i % 2 + 1])) end
      goloader.step(1)
    end
    local sum = 0
    for title, count in pairs(answers) do
      assert.is_truthy(({ one = true, two = true, three = true })[title])
      sum = sum + count
    end
    assert.equal(400, sum)
  end)

  it("says what it can't do with what it was given", function()
    start()
    local function raised(...)
      return support.raised(host.replace, host, ...)
    end
    assert.matches("host:replace: the old module expected, got string$", raised("shop.go", shop))
    assert.matches("host:replace: the new module is the old one$", raised(shop, shop))
    assert.matches("host:replace: a directory, Go files or an import path expected, got nil$", raised(shop))
    assert.matches("host:replace: there is no option adpot; did you mean adopt%?$",
      raised(shop, "x.go", { adpot = print }))
    local other = assert(host:build(file("two", 2)))
    assert.matches("host:replace: tags: the new module is built already$", raised(shop, other, { tags = "x" }))
    assert(other:unload())
  end)
end)

describe("what is written for calls of a module's versions", function()
  local chunks = require "goloader.roads.chunks"

  -- A version that writes these texts for a function.
  local function version(before, texts)
    local module = {}
    chunks.hand_on(before, module)
    local its = chunks.of(module, "F")
    for _, text in ipairs(texts) do its[text] = its[text] or {} end
    return module, its
  end

  it("is shared as long as it is the same", function()
    local module, its = version(nil, { "one" })
    local first = its.one
    for _ = 1, 5 do
      module, its = version(module, { "one" })
      assert.equal(first, its.one)
    end
  end)

  it("goes with the second version that has no use for it", function()
    local module, its = version(nil, { "one" })
    local weak = setmetatable({ its.one }, { __mode = "v" })
    module = version(module, { "two" })
    module = version(module, { "three" })
    its = chunks.of(module, "F")
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
    assert.is_nil(its.one)
    assert.is_truthy(its.two)
  end)

  it("is nothing where a module takes nobody's place", function()
    assert.is_nil(chunks.of({}, "F"))
  end)
end)
