--- What reads the command line's arguments, prints help and makes completion for shells: lua-argparse, told by the
--- table of commands. Commands that read their arguments themselves (as the go command does) are declared as well, for
--- their help.

local unpack = rawget(table, "unpack") or unpack

local argparse = require "argparse"
local commands = require "goloader.command.commands"

local parser = {}

local function add_option(to, option)
  local names, value, text = option[1], option[2], option[3]
  local added = value and to:option(names, text, option.default) or to:flag(names, text)
  if option.args then added:args(option.args) end
  if option.many then added:count "*" end
  if option.target then added:target(option.target) end
  if option.choices then added:choices(option.choices) end
  if not value then return end
  local words = {}
  for word in value:gmatch "%S+" do words[#words + 1] = "<" .. word .. ">" end
  added:argname(words[2] and words or words[1])
end

local function add_command(to, command)
  local added = to:command(command[1], command[2])
  added:summary((command[2]:gsub("%.$", "")))
  added:usage(commands.usage(command[1]))
  added:description(table.concat({ command[2], unpack(command.text or {}) }, "\n\n"))
  for _, argument in ipairs(command.arguments or {}) do
    local declared = added:argument(argument[1], argument[2]):args(argument.args or 1)
    if argument.choices then declared:choices(argument.choices) end
  end
  for _, option in ipairs(command.options or {}) do add_option(added, option) end
  for _, sub in ipairs(command.commands or {}) do
    added:command(sub[1], sub[2]):add_help(false)
  end
  local lines = {}
  for i, example in ipairs(command.examples or {}) do
    lines[i] = ("   %s\n      %s"):format(example[1], example[2])
  end
  if lines[1] then added:epilog("Examples:\n" .. table.concat(lines, "\n")) end
  if command[1] == "help" then added._is_help_command = true end
end

--- A parser of the whole command line.
---@return table
function parser.new()
  local new = argparse("goloader", commands.summary):command_target "command"
  new:help_max_width(100):help_vertical_space(0)
  for _, command in ipairs(commands) do add_command(new, command) end
  new:flag("--version", "Tell the versions.")
  return new
end

--- What `--help` prints.
---@param name string|nil  a command; nil: which ones there are
---@return string|nil  nil: there is no such command
function parser.help(name)
  local whole = parser.new()
  if not name then return whole:get_help() .. "\n" end
  for _, command in ipairs(whole._commands) do
    if command._name == name then return command:get_help() .. "\n" end
  end
end

--- What has a shell complete commands, options and files.
---@param shell "bash"|"zsh"|"fish"
---@return string
function parser.completion(shell)
  local whole = parser.new()
  return whole["get_" .. shell .. "_complete"](whole)
end

return parser
