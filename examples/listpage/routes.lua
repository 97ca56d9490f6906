-- The shop's addresses, and what answers them. `list` stands for the version of list.go that is loaded at the moment;
-- when the file changes, a new version takes its place between two requests.

local list = module {
  "list.go",
  -- Each version opens the catalogue before it takes over, while the one before it still answers.
  ready = function(list) return list.Open(root .. "/products.json") end,
}

local failures = { ["*main.NotFoundError"] = 404, ["*main.BadQueryError"] = 400 }

on_error(function(err)
  local status = type(err) == "table" and failures[err.type]
  if status then return tostring(err) .. "\n", status, { ["Content-Type"] = "text/plain; charset=utf-8" } end
end)

get "/" { function() return nil, 302, { Location = "/list/" .. list.Categories()[1] } end }

-- Render(category, query string): the parameters are filled by their names.
get "/list/:category" { list.Render, cache = { ttl = "30s", size = 500 } }

get "/api/categories" { list.Categories, cache = "5m" }
get "/api/facets/:category" { list.Facets, cache = "5m" }

-- ---- the feed of a category, for price comparison sites -------------------------------------------------------------

local PARTNERS = { hermes = true }

local function partner(req)
  if not PARTNERS[req.args.key] then return "Who are you?\n", 403 end
end

-- A feed is long. It lets others have their turn after each page, and still all of it comes from one version of
-- list.go: what a request has begun with, it ends with.
get "/feed/:category" {
  function(req)
    local lines, page = { "id,name,price,rating,reviews" }, 0
    repeat
      page = page + 1
      local products, err = list.Find { Category = req.params.category, Page = page, PerPage = 200 }
      if not products then return nil, err end
      for _, p in ipairs(products) do
        local name = (p.Brand .. " " .. p.Name):gsub('"', '""')
        lines[#lines + 1] = ('%d,"%s",%.2f,%.1f,%d'):format(p.ID, name, p.Price / 100, p.Rating, p.Reviews)
      end
      if #products > 0 then coroutine.yield() end
    until #products == 0
    return table.concat(lines, "\n") .. "\n"
  end,
  before = { partner },
  type = "text/csv; charset=utf-8",
}
