-- goloader check and goloader routes, as a user types them.
local support = require "spec.support"

teardown(support.clean)

local SHOP = [[
package shop

import ("context"; "errors"; "net/http")

func Page(ctx context.Context, id int, token string) (status int, body string, err error) { return 200, "page", nil }
func Check(token string) (int, string, error) { return 401, "who?", errors.New("x") }
func Odd(q chan int) string { return "" }

var Site http.Handler = http.NotFoundHandler()

func Guard(next http.Handler) http.Handler { return next }
]]

local ROUTES = [[
local shop = module { "shop.go", ready = function() error "ready is not run" end }
before(shop.Check)
defaults { from = { token = "header X-Token" } }
group "/shop" {
  before = { shop.Guard },
  get "/:id" { shop.Page, timeout = "2s", max_body = "1k", cache = { ttl = "30s", stale_if_error = "1h" } },
}
get "/shop/new" { function() return "beta" end, when = { cookie = { beta = "1" } } }
filter "/shop/*rest" { before = { function() end } }
host "a.test" { redirect "/old" "/new" }
mount "/app" { shop.Site, strip = true }
get "/shared" { shop.Page, cache = { ttl = 1, store = "shared:pages" } }
]]

local function write(routes)
  support.write("conf/shop.go", SHOP)
  return support.write("conf/routes.lua", routes)
end

describe("goloader check", function()
  it("compiles modules and looks at what is called", function()
    local file = write(ROUTES)
    local status, out, errors = support.cli("check", file)
    assert.equal("", errors)
    assert.equal(file .. ": 6 routes, 1 modules\n", out)
    assert.equal(0, status)
  end)

  it("tells each mistake in a line", function()
    local file = write [[
local shop = module "shop.go"
get "/odd" { shop.Odd }
get "/a" { shop.Page, timeuot = "2s" }
get "/b" { print, before = { shop.Site } }
get "/c" { shop.Guard }
get "/c" { shop.Page }
get "/c" { shop.Page }
]]
    local status, out, errors = support.cli("check", file)
    assert.equal(1, status)
    assert.equal("", out)
    local lines = {}
    for line in errors:gmatch "[^\n]+" do lines[#lines + 1] = line end
    for i, line in ipairs {
      "FILE:2: GET /odd: shop.go.Odd: a request can't fill parameter q (chan int); write the handler in Lua and call "
        .. "Odd from it",
      "FILE:3: GET /a: there is no option timeuot; did you mean timeout?",
      "FILE:4: GET /b: before[1]: shop.go.Site is an http.Handler: it answers requests, and is no filter; a filter "
        .. "returns (status int, body string, err error), or is a func(http.Handler) http.Handler",
      "FILE:5: GET /c: shop.go.Guard is a middleware (func(http.Handler) http.Handler): it belongs into before = { … }",
      "FILE:7: GET /c: FILE:6 declares GET /c already",
    } do
      assert.equal((line:gsub("FILE", (file:gsub("%%", "%%%%")))), lines[i])
    end
    assert.equal(5, #lines)
  end)

  it("says what the compiler says, and checks other files all the same", function()
    local file = write 'get "/" { module("broken.go").F }'
    support.write("conf/broken.go", "package broken\n\nfunc F() string { return 7 }\n")
    local other = support.write("conf/other.lua", 'get "/" { print }')
    local status, out, errors = support.cli("check", file, other)
    assert.equal(1, status)
    assert.equal(other .. ": 1 routes, 0 modules\n", out)
    assert.matches("broken.go:3:%d+: cannot use 7", errors)
  end)

  it("names a module that lacks something, and what is near", function()
    local status, _, errors = support.cli("check", write 'local s = module "shop.go"\nget "/" { s.Pgae }')
    assert.equal(1, status)
    assert.matches("routes.lua:2: shop.go exports no Pgae", errors)
  end)

  it("tells of a file that is not there", function()
    local status, _, errors = support.cli("check", "/nowhere/routes.lua")
    assert.equal(1, status)
    assert.matches("/nowhere/routes.lua", errors)
  end)
end)

describe("goloader routes", function()
  it("lists them", function()
    local status, out = support.cli("routes", write(ROUTES))
    assert.equal(0, status)
    assert.matches("\nGET /shop/new +the Lua function at [^\n]*routes.lua:8\n", out)
    assert.matches("^GET /shop/:id +shop.go: Page%(ctx context.Context, id int, token string%) %(status int, "
      .. "body string, err error%)\n", out)
    assert.matches("\nany a.test/old +redirect to /new %(302%)\n", out)
    assert.matches("\nany /app +shop.go: Site net/http.Handler\n", out)
    assert.matches("\nfilter /shop/%*rest +the Lua function at [^\n]*routes.lua:9\n", out)
  end)

  it("tells which one answers, and why", function()
    local file = write(ROUTES)
    local status, out = support.cli("routes", file, "GET", "/shop/new?x=1")
    assert.equal(0, status)
    assert.matches("^GET /shop/:id\n  param     id = new\n  handler   shop.go: Page%(", out)
    assert.matches("\n  declared  [^\n]*routes.lua:6\n", out)
    assert.matches("\n  cache     fresh 30 s, stale if that fails 3600 s\n  timeout   2 s\n  max_body  1024 bytes\n",
      out)
    assert.matches("\n  filter    shop.go: Check%(token string%) %(int, string, error%)\n"
      .. "  filter    the Lua function at [^\n]*routes.lua:9 %(filter /shop/%*rest%)\n"
      .. "  filter    shop.go: Guard%(next net/http.Handler%) net/http.Handler\n", out)
    assert.matches('\n  not       GET /shop/new %([^\n]*routes.lua:8%): not so: cookie beta is "1"\n$', out)
    status, out = support.cli("routes", file, "/shop/new", "-H", "Cookie: beta=1")
    assert.equal(0, status)
    assert.matches('^GET /shop/new\n.*  when      cookie beta is "1"\n', out)
    assert.matches("^any a.test/old\n", select(2, support.cli("routes", file, "POST", "https://a.test/old")))
  end)

  it("tells why none does", function()
    local file = write(ROUTES)
    local status, out = support.cli("routes", file, "POST", "/shop/7")
    assert.equal(1, status)
    assert.matches("^no route answers: status 405\n"
      .. "  filter    shop.go: Check%(token string%) %(int, string, error%)\n" -- access() runs them all the same
      .. "  filter    the Lua function at [^\n]*routes.lua:9 %(filter /shop/%*rest%)\n"
      .. "  not       GET /shop/:id %([^\n]*routes.lua:6%): its method is GET\n$", out)
    status, out = support.cli("routes", file, "/old")
    assert.same({ 1, "no route answers: status 404\n  filter    shop.go: Check(token string) (int, string, error)\n" },
      { status, out })
    assert.equal(2, (support.cli("routes", file, "GET", "old")))
    assert.equal(2, (support.cli("routes", file, "/old", "-H", "nothing")))
  end)
end)
