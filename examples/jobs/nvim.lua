-- Jobs in Neovim: :GoSearch WORD fills the quickfix list, and nobody waits for it.
--
--     nvim -c 'luafile examples/jobs/nvim.lua'
local goloader = require "goloader"

local here = debug.getinfo(1, "S").source:match "^@(.*)/" or "."
local host = assert(goloader.host())
local search = assert(host:build(here .. "/search.go"))

-- Neovim's loop is libuv's. Its functions must not be called from the loop's callbacks: the step waits until they may.
local poll = vim.loop.new_poll(assert(goloader.fd()))
local function wake()
  poll:stop()
  vim.schedule(function()
    poll:start("r", wake)
    goloader.step()
  end)
end
poll:start("r", wake)

vim.api.nvim_create_user_command("GoSearch", function(command)
  local folder = vim.fn.getcwd()
  search.Files:async("30s", folder, ".go", command.args):on_done(function(job)
    local found, err = job:wait()
    if not found then return vim.notify("GoSearch: " .. tostring(err), vim.log.levels.ERROR) end
    local items = {}
    for i, match in ipairs(found) do items[i] = { filename = match.File, lnum = match.Line, text = match.Text } end
    vim.fn.setqflist({}, " ", { title = "GoSearch " .. command.args, items = items })
  end)
end, { nargs = 1 })
