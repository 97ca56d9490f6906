-- The examples for nginx, run by the script that `make nginx` runs, and asked as their configurations say.

local nginx = require "spec.nginx"
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

local quote, read = toolchain.quote, toolchain.read_file

-- Starts an example on free ports; what it prints and logs is in `server:log()`.
---@return nginx.Server server
---@return string conf  the folder of its files
local function start(name)
  local prefix = support.tmpdir() .. "/" .. name
  local server = nginx.adopt(prefix .. ".log", function(output, port, upstream)
    return ("PREFIX=%s exec examples/nginx.sh %s %d %d >%s 2>&1 </dev/null"):format(quote(prefix), name, port, upstream,
      quote(output))
  end)
  return server, prefix .. "/conf"
end

teardown(function()
  nginx.stop_all()
  support.clean()
end)

describe("the list page in nginx", function()
  local server, conf

  setup(function() server, conf = start "listpage" end)
  teardown(function() server:stop() end)

  it("is what its configuration says", function()
    local status, page, headers = server:get "/list/phones?brand=Halden&network=5G"
    assert.equal(200, status)
    assert.equal("text/html; charset=utf-8", headers["content-type"])
    assert.matches("<title>Phones</title>", page, 1, true)
    status, page, headers = server:get "/feed/coffee?key=hermes"
    assert.same({ 200, "text/csv; charset=utf-8" }, { status, headers["content-type"] })
    assert.matches("^id,name,price,rating,reviews\n%d+,", page)
    assert.equal(403, (server:get "/feed/coffee?key=guess"))
    status, page = server:get "/list/socks"
    assert.same({ 404, 'no category "socks"\n' }, { status, page })
    local home, _, sent = server:get "/"
    assert.same({ 302, "/list/bikes" }, { home, (sent.location:gsub("^http://[^/]*", "")) })
  end)

  it("prints addresses to try that are answered", function()
    local tried = 0
    for command in server:log():gmatch "\n    (curl [^\n]*)" do
      local status, output = support.run { "sh", "-c", command }
      assert.equal(0, status, command)
      assert.is_true(#output > 10, command)
      tried = tried + 1
    end
    assert.equal(5, tried)
  end)

  it("is another after an edit", function()
    local address = "/list/phones?brand=Halden"
    local _, before = server:get(address)
    local old = read(conf .. "/list.go")
    local new = old:gsub('"Best rated"', '"Most loved"')
    assert.is_true(new ~= old)
    local file = assert(io.open(conf .. "/list.go", "wb"))
    file:write(new)
    file:close()
    assert.matches("Best rated", before, 1, true)
    assert.is_true(support.eventually(function()
      local _, page = server:get(address)
      return page:find("Most loved", 1, true)
    end), server:log())
  end)

  it("ends when it is told to", function()
    assert.is_true(server:stop "QUIT")
  end)
end)
