std = "luajit"
max_line_length = 120
exclude_files = { "build", "lua/goloader/definitions" } -- the second is declarations
files["spec"] = { std = "+busted" }
files["**/routes.lua"] = { globals = {
  "get", "post", "put", "patch", "delete", "options", "any", "route", "redirect", "rewrite", "mount", "group", "host",
  "before", "defaults", "on_error", "error_page", "filter", "module", "root", "response", "purge",
} }
files["examples/jobs/nvim.lua"] = { read_globals = { "vim" } }
files["spec/env.lua"] = { globals = { "arg" } }
files["lua/goloader/nginx*"] = { std = "+ngx_lua" }
files["lua/goloader/nginx/*"] = { std = "+ngx_lua" }
