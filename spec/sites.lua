--- Sites for the specs of modules in nginx: a page in Go behind a route, and what edits it.

local lfs = require "lfs"
local nginx = require "spec.nginx"
local support = require "spec.support"

local sites = {}

local ROUTES = [[
local page = module "page.go"
get "/page" { page.Page }
get "/worker" { function() return ngx.worker.pid() .. "" end }
]]

function sites.source(text)
  return ('package main\n\nfunc Page() string { return "%s" }\n'):format(text)
end

function sites.start(options)
  local arguments = '"conf/routes.lua", ' .. (options.start or "")
  local files = { ["conf/routes.lua"] = options.routes or ROUTES, ["conf/page.go"] = sites.source "one" }
  for name, text in pairs(options.files or {}) do files[name] = text end
  return nginx.start {
    user = "www-data", workers = options.workers,
    files = files,
    main = options.main, events = options.events,
    http = (options.http or "") .. [[
      init_worker_by_lua_block { require("goloader.nginx").start { ]] .. arguments .. [[ } }
    ]],
    server = [[
      location / { content_by_lua_block { require("goloader.nginx").content() } }
    ]] .. (options.server or ""),
  }
end

function sites.edit(server, name, text)
  local path = server.prefix .. "/conf/" .. name
  assert(os.rename(support.write_file(path .. "~", text), path)) -- as editors do
end

-- Each worker has a socket of its own that the kernel spreads connections over: all have answered when enough have.
function sites.all_answer(server, path, text, times)
  return support.eventually(function()
    for _ = 1, times or 12 do
      local _, body = server:get(path)
      if body ~= text then return false end
    end
    return true
  end)
end

function sites.gom_files(server)
  local list = {}
  local root = server.prefix .. "/goloader/versions"
  for place in lfs.dir(root) do
    if place:sub(1, 1) ~= "." then
      for file in lfs.dir(root .. "/" .. place) do
        if file:find "%.gom$" then list[#list + 1] = file end
      end
    end
  end
  table.sort(list)
  return list
end

function sites.count(text, pattern)
  local _, n = text:gsub(pattern, "")
  return n
end

return sites
