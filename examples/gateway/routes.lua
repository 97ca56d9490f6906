-- What a request passes before it reaches the shop's service. Each filter is Go: middlewares of net/http as others have
-- written them, and plain functions.

local waf, limit = module "waf", module "limit"
local auth = module { "auth", ready = function(auth) return auth.Open() end }

-- What holds for all addresses.
before(limit.Rate, waf.Firewall)

group "/api" {
  before = { limit.CORS, auth.Authenticate, auth.Allow },
  from = { user = "header X-User", roles = "header X-Roles" },  -- parameters of auth.Allow

  -- One visitor in five has the new version of the service, and keeps it: a cookie says which one it is.
  any "/*rest" {
    split = {
      { exec = "@stable", weight = 80, name = "stable" },
      { exec = "@canary", weight = 20, name = "canary" },
      by = "cookie canary",
    },
  },
}

-- Addresses of old are answered as those of today.
rewrite "/v1/*rest" "/api/:rest"
redirect "/orders" { "/api/orders", status = 308 }

-- For trying only: hands out a token to whoever asks.
get "/token" { auth.Issue, type = "text/plain; charset=utf-8" }

error_page(404, "This gateway leads to /api/ only.\n")
