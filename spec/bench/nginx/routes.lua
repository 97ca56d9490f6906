-- What the figures of routes ask for.
local site = module "site"
local list = module "list.go"

mount "/handler" { site.Handler, waits = false }
mount "/waiting" { site.Handler, strip = true }
filter "/guarded" { before = { site.Auth }, waits = false }

local page = ("a page of eleven\n"):rep(250)
get "/cached" { function() return page end, cache = "1h" }
get "/version" { list.Version }
