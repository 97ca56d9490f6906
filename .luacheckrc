std = "luajit"
max_line_length = 120
exclude_files = { "build" }
files["spec"] = { std = "+busted" }
files["**/routes.lua"] = { globals = {
  "get", "post", "put", "patch", "delete", "route", "module", "before", "on_error", "root",
} }
files["spec/env.lua"] = { globals = { "arg" } }
files["lua/goloader/nginx*"] = { std = "+ngx_lua" }
files["lua/goloader/nginx/*"] = { std = "+ngx_lua" }
