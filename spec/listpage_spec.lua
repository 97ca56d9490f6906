-- The example's page, loaded: what it counts, sorts and shows is checked against a plain count in Lua. And `make run`
-- itself: that it ends well, and that its two pages are in the orders that the two versions promise.

local cjson = require "cjson"
local support = require "spec.support"
local catalogue = require "examples.listpage.catalogue"

describe("the list page", function()
  local list, products, path

  setup(function()
    path = support.tmpdir() .. "/products.json"
    assert(catalogue.make(path, 2000))
    products = cjson.decode(support.read(path))
    list = assert(support.host():build "examples/listpage/list.go")
    assert.equal(2000, assert(list.Open(path)))
  end)

  teardown(function()
    assert(list:unload())
    support.clean()
  end)

  local function phones(keep)
    local found = {}
    for _, p in ipairs(products) do
      if p.category == "phones" and (not keep or keep(p)) then found[#found + 1] = p end
    end
    return found
  end

  local function ids(found)
    local list_of = {}
    for i, p in ipairs(found) do list_of[i] = p.ID or p.id end
    return list_of
  end

  it("knows the categories", function()
    local categories = { "bikes", "cameras", "coffee", "headphones", "jackets", "laptops", "phones", "shoes" }
    assert.same(categories, list.Categories())
  end)

  it("gives products as they are in the catalogue", function()
    local p = assert(list.Find { Category = "phones", PerPage = 1, Sort = "name" })[1]
    for _, line in ipairs(products) do
      if line.id == p.ID then
        assert.same({ line.name, line.brand, line.category, line.price, line.rating, line.reviews, line.added },
          { p.Name, p.Brand, p.Category, p.Price, p.Rating, p.Reviews, p.Added })
        assert.same(line.attributes, p.Attributes)
      end
    end
  end)

  it("filters by brands, price and attributes", function()
    local query = { Category = "phones", Brands = { "Halden", "Umi" }, Min = 20000, Max = 60000,
      Attributes = { network = { "5G" }, colour = { "black", "sand" } }, PerPage = 500, Sort = "price-up" }
    local expected = phones(function(p)
      return (p.brand == "Halden" or p.brand == "Umi") and p.price >= 20000 and p.price <= 60000
        and p.attributes.network == "5G" and (p.attributes.colour == "black" or p.attributes.colour == "sand")
    end)
    assert.is_true(#expected > 5)
    assert.equal(#expected, list.Count(query))
    local found = ids(assert(list.Find(query)))
    expected = ids(expected)
    table.sort(found)
    table.sort(expected)
    assert.same(expected, found)
  end)

  for sort, before in pairs {
    ["price-up"] = function(a, b) return a.Price <= b.Price end,
    ["price-down"] = function(a, b) return a.Price >= b.Price end,
    ["name"] = function(a, b) return a.Name <= b.Name end,
    ["newest"] = function(a, b) return a.Added >= b.Added end,
    ["rating"] = function(a, b) return a.Rating >= b.Rating end,
  } do
    it("sorts by " .. sort, function()
      local found = assert(list.Find { Category = "phones", Sort = sort, PerPage = 500 })
      assert.equal(#phones(), #found)
      for i = 2, #found do assert.is_true(before(found[i - 1], found[i]), i) end
    end)
  end

  it("pages without a gap or an overlap", function()
    local whole = ids(assert(list.Find { Category = "phones", PerPage = 500 }))
    local pages, page = {}, 0
    repeat
      page = page + 1
      local found = assert(list.Find { Category = "phones", PerPage = 37, Page = page })
      for _, id in ipairs(ids(found)) do pages[#pages + 1] = id end
    until #found == 0
    assert.same(whole, pages)
  end)

  it("counts the values of its filters", function()
    local counted = { brand = {}, colour = {}, network = {}, storage = {} }
    local function add(facet, value) counted[facet][value] = (counted[facet][value] or 0) + 1 end
    for _, p in ipairs(phones()) do
      add("brand", p.brand)
      for name, value in pairs(p.attributes) do add(name, value) end
    end
    assert.same(counted, list.Facets "phones")
  end)

  it("counts beside a filter what the other filters leave", function()
    local html = assert(list.Render("phones", "brand=Halden&network=5G"))
    for _, brand in ipairs { "Halden", "Orbit", "Umi" } do
      local expected = #phones(function(p) return p.brand == brand and p.attributes.network == "5G" end)
      assert.truthy(html:find((">%s</a> <small>%d</small>"):format(brand, expected), 1, true), brand)
    end
    local expected = #phones(function(p) return p.brand == "Halden" and p.attributes.network == "4G" end)
    assert.truthy(html:find((">4G</a> <small>%d</small>"):format(expected), 1, true))
  end)

  it("links to its filters, orders and pages", function()
    local html = assert(list.Render("phones", "brand=Halden&page=2&per=10"))
    assert.truthy(html:find('href="/list/phones?brand=Halden&amp;brand=Umi&amp;per=10"', 1, true))
    assert.truthy(html:find('href="/list/phones?brand=Halden&amp;per=10&amp;sort=price-up"', 1, true))
    assert.truthy(html:find('href="/list/phones?brand=Halden&amp;page=3&amp;per=10"', 1, true))
    assert.truthy(html:find("<b>2</b>", 1, true))
    assert.truthy(html:find("<p>11 to 20 of " .. #phones(function(p) return p.brand == "Halden" end), 1, true))
  end)

  it("escapes what comes from the catalogue and from the visitor", function()
    local html = assert(list.Render("phones", "per=500&colour=%3Cscript%3Ealert(1)%3C/script%3E"))
    assert.is_nil(html:find("<script", 1, true))
    html = assert(list.Render("phones", "per=500"))
    assert.truthy(html:find("Nova &amp; Sons &lt;3", 1, true))
    assert.is_nil(html:find(" <3", 1, true))
  end)

  it("tells what a visitor got wrong", function()
    local function failure(...)
      local value, err = ...
      assert.is_nil(value)
      return { tostring(err), err.type }
    end
    assert.same({ 'no category "socks"', "*main.NotFoundError" }, failure(list.Render("socks", "")))
    assert.same({ 'no category "socks"', "*main.NotFoundError" }, failure(list.Find { Category = "socks" }))
    assert.same({ 'bad min "cheap": want a number', "*main.BadQueryError" },
      failure(list.Render("phones", "min=cheap")))
    assert.truthy(failure(list.Render("phones", "sort=luck"))[1]:find("want one of rating, newest", 1, true))
  end)

  it("tells what is wrong with a catalogue, and keeps the one it has", function()
    local _, err = list.Open(support.write("cut.json", '[{"id":1,"category":"phones"'))
    assert.truthy(tostring(err):find("cut.json: unexpected EOF", 1, true))
    _, err = list.Open(support.write("odd.json", '[{"id":1}]'))
    assert.truthy(tostring(err):find("product 1 has no category", 1, true))
    _, err = list.Open "/nowhere.json"
    assert.truthy(tostring(err):find("no such file", 1, true))
    assert.equal(8, #list.Categories())
  end)

  it("shows as many products on a page as PerPage says", function()
    assert.equal(24, list.PerPage)
    list.PerPage = 7
    assert.equal(7, #list.Find { Category = "phones" })
    list.PerPage = 24
  end)

  it("writes prices with separators", function()
    assert.equal("€0.05", list.Price(5))
    assert.equal("€1,234,567.89", list.Price(123456789))
  end)
end)

describe("make run", function()
  it("shows the page before and after the swap, and leaves nothing behind", function()
    local status, output, errors = support.run { "luajit", "spec/env.lua", "examples/listpage/main.lua" }
    assert.equal("", errors)
    assert.equal(0, status)
    local pages = {}
    for page in output:gmatch "GET /list/phones[^\n]*\n(.-)\n\n" do pages[#pages + 1] = page end
    assert.equal(2, #pages)
    for i, page in ipairs(pages) do
      local ratings, reviews = {}, {}
      for rating, n in page:gmatch "(%d%.%d)%s+(%d+) review" do
        ratings[#ratings + 1], reviews[#reviews + 1] = tonumber(rating), tonumber(n)
      end
      assert.equal(5, #ratings)
      -- by rating, few reviews come first; by score, hundreds are needed
      for k = 2, 5 do assert.is_true(i == 2 or ratings[k - 1] >= ratings[k]) end
      for k = 1, 5 do assert.is_true((reviews[k] >= 100) == (i == 2), page) end
    end
    local answered = tonumber(output:match "(%d+) requests answered")
    assert.is_true(answered >= 200)
    assert.truthy(output:find("Then that was unloaded.", 1, true))
    for _, row in ipairs { "compile list.go", "load it", "swap", "unload", "calls", "pages rendered" } do
      assert.truthy(output:match("\n  " .. row .. "%s+[%d.,]+ "), row)
    end
  end)
end)
