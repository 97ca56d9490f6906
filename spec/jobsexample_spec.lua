-- The examples of jobs in an event loop do what they say.
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

teardown(support.clean)

describe("examples/jobs", function()
  it("waits for jobs under luv", function()
    local status, out, errors = support.run { "luajit", "spec/env.lua", "examples/jobs/libuv.lua" }
    assert.equal("", errors)
    assert.equal(0, status)
    local lines = {}
    for line in out:gmatch "[^\n]+" do lines[#lines + 1] = line end
    table.sort(lines) -- the first two jobs are done in any order
    assert.same({ "cancelled\tcontext canceled", "meanwhile\tthe loop went on", "on_done\tfunc Files", "spawn\t1",
      "still at it\ttimeout", "too late\tcontext deadline exceeded" }, lines)
  end)

  it("fills a list in Neovim, which goes on meanwhile", function()
    local driver = support.write("driver.lua", [[
      dofile "examples/jobs/nvim.lua"
      vim.cmd "cd examples/jobs"
      vim.cmd "GoSearch func Wait"
      assert(#vim.fn.getqflist() == 0)
      vim.wait(20000, function() return #vim.fn.getqflist() > 0 end, 10)
      local match = vim.fn.getqflist()[1]
      print(vim.fn.bufname(match.bufnr), match.lnum, match.text, vim.fn.getqflist({ title = 1 }).title)
    ]])
    local expected
    local n = 0
    for line in io.lines "examples/jobs/search.go" do
      n = n + 1
      if line:find "^func Wait" then expected = ("search.go %d %s GoSearch func Wait"):format(n, line) end
    end
    local nvim = { "nvim", "--headless", "-u", "NONE", "-c", "luafile " .. driver, "-c", "qa!" }
    local status, out, errors = support.run(nvim,
      ("LUA_PATH=%s LUA_CPATH=%s"):format(toolchain.quote "lua/?.lua;lua/?/init.lua;;",
        toolchain.quote "build/lib/?.so;;"))
    assert.equal(0, status)
    assert.is_truthy((out .. errors):find(expected, 1, true), out .. errors)
  end)
end)
