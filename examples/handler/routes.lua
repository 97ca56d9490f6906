-- An application of net/http, as it is: `go run .` serves the same package on its own.
local site = module "site"

mount "/" { site.Handler }
