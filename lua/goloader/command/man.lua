--- The manual page goloader(1), of the table of commands, in the macros of mdoc(7).

local commands = require "goloader.command.commands"

local man = {}

-- Text without what formatters read as an escape, and in letters that each of them knows.
local function escape(text)
  text = text:gsub("\\", "\\e"):gsub("[\194-\244][\128-\191]+", function(letter)
    local code = letter:byte() % (#letter == 2 and 32 or #letter == 3 and 16 or 8)
    for i = 2, #letter do code = code * 64 + letter:byte(i) % 64 end
    return ("\\[u%04X]"):format(code)
  end)
  -- a dash that stands in no word is no hyphen: "-o"
  text = (" " .. text):gsub("(%W)(%-+)", function(before, dashes) return before .. dashes:gsub("-", "\\-") end)
  return text:sub(2)
end

-- Words on a macro's line: there the name of a macro would be called, and quotes are read.
local function words(text)
  return '"' .. escape(text):gsub('"', "\\(dq") .. '"'
end

local WIDTH = 78

-- A paragraph: each sentence begins a line, as the macros want it.
local function paragraph(add, text)
  local line = ""
  for word in escape(text):gmatch "%S+" do
    if line ~= "" and (line:find "[.:]$" or #line + #word >= WIDTH) then
      add(line)
      line = ""
    end
    line = line == "" and word:gsub("^[.']", "\\&%0") or line .. " " .. word
  end
  add(line)
end

local function add_option(add, option)
  local names = {}
  for name in option[1]:gmatch "%S+" do
    names[#names + 1] = "Fl " .. name:sub(2):gsub("%-", "\\-")
      .. (option[2] and " Ar " .. option[2] or "")
  end
  add(".It " .. table.concat(names, " , "))
  paragraph(add, option[3])
  if option.choices then add("One of " .. escape(table.concat(option.choices, ", ")) .. ".") end
  if option.default then add("By default " .. escape(option.default) .. ".") end
end

local function add_items(add, macro, items)
  for _, item in ipairs(items) do
    add((".It %s %s"):format(macro, item[1]))
    paragraph(add, item[2])
  end
end

local function add_command(add, command)
  add(".Ss " .. words("goloader " .. command[1]))
  add ".Bd -ragged"
  add(".Nm goloader " .. command[1])
  if command.usage ~= "" then paragraph(add, command.usage) end
  add ".Ed"
  add ".Pp"
  paragraph(add, command[2])
  for _, text in ipairs(command.text or {}) do
    add ".Pp"
    paragraph(add, text)
  end
  if command.arguments or command.options or command.commands then
    add ".Bl -tag -width Ds"
    add_items(add, "Ar", command.arguments or {})
    for _, option in ipairs(command.options or {}) do add_option(add, option) end
    add_items(add, "Cm", command.commands or {})
    add ".El"
  end
  for _, example in ipairs(command.examples or {}) do
    add ".Pp"
    paragraph(add, example[2]:gsub("^%l", string.upper) .. ":")
    add(".Dl " .. words(example[1]))
  end
end

local function add_names(add, title, macro, names)
  add(".Sh " .. title)
  add ".Bl -tag -width Ds"
  add_items(add, macro, names)
  add ".El"
end

--- The page's source.
---@return string
function man.page()
  local lines = {}
  local function add(line) lines[#lines + 1] = line end
  add '.\\" Made by goloader help --man of lua/goloader/command/commands.lua.'
  add(".Dd " .. commands.date)
  add ".Dt GOLOADER 1"
  add ".Os"
  add ".Sh NAME"
  add ".Nm goloader"
  add(".Nd " .. escape(commands.summary:gsub("^%u", string.lower):gsub("%.$", "")))
  add ".Sh SYNOPSIS"
  add ".Nm"
  add ".Ar command"
  add ".Op Ar argument ..."
  add ".Sh DESCRIPTION"
  for i, text in ipairs(commands.about) do
    if i > 1 then add ".Pp" end
    paragraph(add, text)
  end
  add ".Sh COMMANDS"
  for _, command in ipairs(commands) do add_command(add, command) end
  add_names(add, "ENVIRONMENT", "Ev", commands.environment)
  add_names(add, "FILES", "Pa", commands.files)
  add ".Sh EXIT STATUS"
  add "0 when all went well, 1 when it did not, 2 when the command line was wrong."
  add "A program that"
  add ".Nm"
  add "runs has its own."
  add ".Sh SEE ALSO"
  add ".Xr luajit 1 ,"
  add ".Xr nm 1 ,"
  add ".Xr perf 1"
  return table.concat(lines, "\n") .. "\n"
end

return man
