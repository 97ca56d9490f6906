-- What the figures of routes ask for.
local site = module "site"
local list = module { "list.go", ready = function(list) return list.Open(root .. "/products.json") end }

mount "/handler" { site.Handler, waits = false }
filter "/guarded" { before = { site.Auth }, waits = false }

local page = ("a page of eleven\n"):rep(250)
get "/cached" { function() return page end, cache = "1h" }
get "/list/:category" { list.Render }
get "/version" { list.Version }

local swapped = module "page.gom"
get "/page" { swapped.Page }
