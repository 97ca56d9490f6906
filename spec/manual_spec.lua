-- The manual does what it says: the examples on its pages are run as a user would, and links lead somewhere.
--
-- Blocks that begin with a comment which names a file are that file. All `sh` blocks of a page are run in a folder that
-- has those, and after them one program of all its `lua` blocks; what stands behind --> is printed, in that order.
local lfs = require "lfs"
local nginx = require "spec.nginx"
local support = require "spec.support"

local root = lfs.currentdir()

-- Files that a page takes for granted.
local GIVEN = {
  ["lua/goloader/routes/README.md"] = {
    ["list.go"] = [[
package list

func Open(path string) error                { return nil }
func Render(category string) (string, error) { return "<h1>" + category + "</h1>", nil }
func NotFound(path string) string           { return "no " + path }
]],
    ["auth/auth.go"] = [[
package auth

func Check(path, user string) (int, string, error) { return 0, "", nil }
]],
  },
}

local PAGES = { "README.md", "src/README.md", "src/call/TYPES.md", "lua/goloader/routes/README.md" }
for _, dir in ipairs { "examples", "examples/calls", "examples/jobs", "examples/listpage", "examples/ownhost",
  "examples/embed", "examples/plugins", "examples/packages" } do
  for name in lfs.dir(dir) do
    if name:find "%.md$" then PAGES[#PAGES + 1] = dir .. "/" .. name end
  end
end

teardown(nginx.clean)

---@class spec.Page
---@field dir string
---@field files table<string, string>
---@field lua string[]
---@field sh string[]

-- The name that a block gives itself, or that stands right before it.
local function name_of(text, before)
  return text:match "^[/#%-]+ ([%w_/.]+%.%l+)\n" or before:match "`([%w_/]+%.go)`:\n\n$"
end

---@return spec.Page
local function read_page(path)
  local page = { dir = support.tmpdir() .. "/" .. path:gsub("/", "-"), files = {}, lua = {}, sh = {} }
  local text, at = "\n" .. support.read(path), 1
  for name, content in pairs(GIVEN[path] or {}) do page.files[name] = content end
  while true do
    local from, to, language, block = text:find("\n```(%l*)\n(.-)\n```\n", at)
    if not from then break end
    block = block .. "\n"
    local name = name_of(block, text:sub(1, from))
    if name then
      page.files[name] = block
    elseif page[language] then
      table.insert(page[language], block)
    elseif language == "nginx" then
      page.more = block
    else
      error(("%s: a block of %s, which nobody runs"):format(path, language))
    end
    at = to - 1
  end
  for name, content in pairs(page.files) do support.write(page.dir:match "[^/]*$" .. "/" .. name, content) end
  lfs.mkdir(page.dir)
  return page
end

local function run_there(page, command)
  local status, out, errors = support.run({ "sh", "-ec", ("cd %s\n%s"):format(page.dir, command) },
    ("PATH=%s/build/bin:$PATH"):format(root))
  assert.equal(0, status, command .. errors .. out)
  return out, errors
end

for _, path in ipairs(PAGES) do
  describe(path, function()
    it("links to what is there", function()
      local dir = path:match "^(.*/)" or ""
      local prose = ("\n" .. support.read(path)):gsub("\n```.-\n```", "")
      for target in prose:gmatch "%]%(([^)]+)%)" do
        local file, anchor = target:match "^([^#]*)#?(.*)$"
        if not target:find "^https?:" then
          local whole = file == "" and path or dir .. file
          assert.is_truthy(lfs.attributes(whole, "mode"), target)
          if anchor ~= "" then
            local headings = ("\n" .. support.read(whole)):lower():gsub("[^%w\n# -]", ""):gsub(" ", "-")
            assert.is_truthy(headings:find("#-" .. anchor .. "\n", 1, true), target)
          end
        end
      end
    end)

    local page = read_page(path)
    if page.sh[1] then
      it("has commands that work", function()
        for _, block in ipairs(page.sh) do
          local _, errors = run_there(page, block)
          assert.equal("", errors)
        end
      end)
    end
    if page.lua[1] then
      it("has a program that prints what it says", function()
        local program = table.concat(page.lua, "\n")
        local file = assert(io.open(page.dir .. "/example.lua", "w"))
        file:write(program)
        file:close()
        local out = run_there(page, ("luajit %s/spec/env.lua example.lua"):format(root))
        local at = 1
        for expected in program:gmatch "%-%->%s*([^\n]*)" do
          local from, to = out:find(expected, at, true)
          assert.is_truthy(from, ("%q is not in:\n%s"):format(expected, out:sub(at)))
          at = to + 1
        end
      end)
    end
    for name in pairs(page.files) do
      if name:find "routes%.lua$" then
        it("has routes that are right", function()
          assert.matches("^" .. name .. ": %d+ routes, %d+ modules\n$", (run_there(page, "goloader check " .. name)))
        end)
      end
    end
    if page.files["nginx.conf"] then
      it("has a configuration that nginx serves", function()
        local server = nginx.adopt(page.dir .. "/log", function(output, port)
          local conf = page.files["nginx.conf"]:gsub("/path/of/goloader", root):gsub("listen 8080", "listen " .. port)
          local dictionary, location = page.more:match "^([^\n]*\n)(.*)$"
          conf = conf:gsub("http {\n", "%0" .. dictionary):gsub("listen %d+;\n", "%0" .. location:gsub("%%", "%%%%"))
          support.write(page.dir:match "[^/]*$" .. "/nginx.conf", conf)
          os.execute(("mkdir -p %s/logs %s/goloader/versions"):format(page.dir, page.dir))
          local more = "daemon off; user root; pid nginx.pid; env HOME; env PATH; env GOLOADER_HOST;"
          return ("exec nginx -p %s -c %s/nginx.conf -g '%s' >%s 2>&1"):format(page.dir, page.dir, more, output)
        end)
        local status, body = server:get "/hello/you"
        assert.same({ 200, "Hello, you" }, { status, body })
        status, body = server:get "/metrics"
        assert.equal(200, status)
        assert.matches("goloader_", body)
        server:stop()
      end)
    end
  end)
end
