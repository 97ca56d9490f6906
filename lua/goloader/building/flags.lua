--- Flags of `go build` and of the linker, for the commands that stand in for the go command.
--
-- What decides how packages are compiled is passed on to `go list`, which compiles them. The linker is replaced, so
-- that of its flags only -X says anything here, and those that are for C's linker, where there are parts in C: the
-- others are about a file that nobody writes.

local absolute = require "goloader.building.toolchain".absolute

local flags = {}

local function set(words)
  local members = {}
  for word in words:gmatch "%S+" do members[word] = true end
  return members
end

-- Flags of go list, too.
local build_flags = {}
for name in pairs(set "asmflags covermode coverpkg gcflags mod modfile overlay p pgo pkgdir tags toolexec") do
  build_flags[name] = "value"
end
-- go list runs where the package is, not where the user stands
local files = set "modfile overlay pgo pkgdir"
for name in pairs(set "a cover buildvcs modcacherw trimpath") do build_flags[name] = "switch" end

--- Why there are flags that no command of ours can follow.
flags.sanitizers = {
  race = "the race detector has a runtime of its own: goloader host --exe -race makes programs that have it",
  msan = "the memory sanitizer needs a runtime of its own, which no host is built with",
  asan = "the address sanitizer needs a runtime of its own, which no host is built with",
}

local refused = setmetatable({
  exec = "the program runs in this process, and nobody else can run it",
  o = "no executable is written",
  buildmode = "there is one way to load a program",
  compiler = "objects of Go's own compiler are loaded, and no others",
  linkshared = "the host is shared as it is",
}, { __index = flags.sanitizers })

-- Flags of the linker (cmd/link/internal/ld/main.go, Go 1.21 to 1.27). What is wrong with their values the linker
-- itself says, and so it does where its version lacks one.
local link_values = set [[
  o importcfg L installsuffix fipso extld extldflags buildmode buildid pluginpath r I T R E tmpdir linkmode libgcc k
  extar B D H X randlayout benchmark benchmarkprofile cpuprofile memprofile memprofilerate capturehostobjs debugtramp
  debugtextsize strictdups funcalign macos macsdk
]]
local link_switches = set [[
  s w a c d e f g h n v dumpdep aslr bindnow checklinkname compressdwarf debugnosplit linkshared pruneweakmap
]]
-- What they say of an executable is all that it is about, and can't be wrong.
local link_harmless = set "o importcfg X s w buildid installsuffix B"

-- What a linker would write about its work, or do otherwise than any.
local link_refused = {}
for name in pairs(set "c v dumpdep debugnosplit") do
  link_refused[name] = "it tells of what Go's linker does, which does not run here"
end
for name in pairs(set "benchmark benchmarkprofile cpuprofile memprofile capturehostobjs") do
  link_refused[name] = "it has Go's linker write files, which does not run here"
end
link_refused.H = "a program is loaded into this process, whatever the format of its file were"
link_refused.E = "a program begins with its main"
link_refused.linkshared = "the host is shared as it is"

--- Splits at spaces that stand in no quotes, as the go command does (cmd/internal/quoted): a quote opens at the start
--- of a word only.
---@param text string
---@return string[]|nil words
---@return string|nil why
function flags.split(text)
  local words, at = {}, 1
  while true do
    at = text:find("[^%s]", at)
    if not at then return words end
    local quote = text:match("^[\"']", at)
    if quote then
      local finish = text:find(quote, at + 1, true)
      if not finish then return nil, ("%s: the quote %s is not closed"):format(text, quote) end
      words[#words + 1] = text:sub(at + 1, finish - 1)
      at = finish + 1
    else
      local word, after = text:match("^(%S+)()", at)
      words[#words + 1] = word
      at = after
    end
  end
end

-- Cuts "-name=value" and "--name". A value that is a word of its own is the caller's to find.
local function cut(word)
  local name, value = word:match "^%-%-?([%w]+)=(.*)$"
  if name then return name, value end
  return word:match "^%-%-?([%w]+)$"
end

-- What says no, for a flag that is a switch (strconv.ParseBool).
local off = set "0 f F false FALSE False"

--- Why flags can't be followed that ask for a sanitizer; nil when none does. The compiler has flags of these names,
--- too, which -gcflags may hand it.
---@param words string[]  flags of the go command
---@return string|nil why
function flags.find_sanitizer(words)
  for i, word in ipairs(words) do
    local name, value = cut(word)
    local why = flags.sanitizers[name]
    if why and not off[value or ""] then return ("flag -%s: %s"):format(name, why) end
    if name == "gcflags" or name == "asmflags" then
      value = value or words[i + 1] or ""
      local passed = flags.split((value:gsub("^[^%-%s\"'][^=%s]*=", ""))) or {}
      why = flags.find_sanitizer(passed)
      if why then return why end
    end
  end
end

-- A variable's symbol: the linker wants the import path as symbols have it (cmd/internal/objabi, PathToPrefix).
local function symbol_of(variable)
  local path, name = variable:match "^(.*)(%.[^.]*)$"
  local dir, last = path:match "^(.*/)([^/]*)$"
  local function escape(text, pattern)
    return (text:gsub(pattern, function(char) return ("%%%02x"):format(char:byte()) end))
  end
  return escape(dir or "", "[%c %%\"\127-\255]") .. escape(last or path, "[%c %%\".\127-\255]") .. name
end

---@class goloader.LinkFlags
---@field strings table<string, string>  what -X gives to string variables, by their full names
---@field values table<string, string>  of the other flags that have one
---@field object string|nil  what is to be linked
---@field words string[]  all but that and -o
---@field is_plain boolean  nothing is there that Go's linker or C's should look at
---@field is_usual boolean  nor anything that the go command would not say by itself

--- Reads the arguments of the linker.
---@param words string[]
---@return goloader.LinkFlags|nil link
---@return string|nil why
function flags.read_link(words)
  local link, at = { strings = {}, values = {}, words = {}, is_plain = true, is_usual = true }, 1
  while words[at] do
    local name, value = cut(words[at])
    local begins = at
    if flags.sanitizers[name] then return nil, ("flag -%s: %s"):format(name, flags.sanitizers[name]) end
    if not words[at]:find "^%-" then
      link.object = words[at]
    elseif not link_values[name] and not link_switches[name] then
      return nil, ("flag -ldflags: the linker knows no %s"):format(words[at])
    elseif not value and link_values[name] then
      at = at + 1
      value = words[at]
    end
    if link_refused[name] and not off[value or ""] and not (name == "H" and value == "linux") then
      return nil, ("flag -ldflags: -%s: %s"):format(name, link_refused[name])
    elseif name == "X" then
      local variable, content = (value or ""):match "^([^=]*%.[^=]*)=(.*)$"
      if not variable then
        return nil, ("flag -ldflags: -X wants importpath.name=value, not %q"):format(value or "")
      end
      link.strings[symbol_of(variable)] = content
    elseif name then
      link.values[name] = value
      link.is_plain = link.is_plain and link_harmless[name] ~= nil
      link.is_usual = link.is_usual and (link_harmless[name] or name == "extld" or name == "buildmode") == true
    end
    for i = begins, name and name ~= "o" and at or 0 do -- none, of what is to be linked
      link.words[#link.words + 1] = words[i]
    end
    at = at + 1
  end
  return link
end

--- A variable that is to have a string, and is of another type; nil where there is none.
---@param strings table<string, string>  by the variables' symbols
---@param archives string[]  that may define them
---@param desc string  description of the host
---@return string|nil symbol
---@return string type  "type:int"
function flags.mistyped(strings, archives, desc)
  for symbol in pairs(strings) do
    for _, file in ipairs(archives) do
      local type = require "goloader.core".variable_type(file, symbol, desc)
      if type and type ~= "type:string" then return symbol, type end
    end
  end
end

--- What the linker says where -X can't give a value to a variable; nil where it can, or there is none.
---@param strings table<string, string>  by the variables' symbols
---@param archives string[]  that may define them
---@param host string
---@return string|nil why
function flags.find_mistyped(strings, archives, host)
  local symbol, type = flags.mistyped(strings, archives, host .. ".desc")
  return symbol and ("%s: cannot set with -X: not a var of type string (%s)"):format(symbol, type)
end

-- Reads what -ldflags has, and puts what -X says into `strings`.
local function read_ldflags(text, strings)
  -- "all=" and "pattern=" say which packages the flags are for: of those, one is linked here
  local words, why = flags.split((text:gsub("^[^%-%s\"'][^=%s]*=", "")))
  if not words then return nil, "flag -ldflags: " .. why end
  local link
  link, why = flags.read_link(words)
  if not link then return nil, why end
  if link.object then return nil, ("flag -ldflags: the linker knows no %s"):format(link.object) end
  for variable, content in pairs(link.strings) do strings[variable] = content end
  return true, link.is_plain
end

-- Goes through the flags that stand before other arguments, and gives each to take(name, value, word), which answers
-- true, or nil and why not. Returns where the other arguments begin; nil and why; or nil alone: help is asked for.
local function each_flag(arguments, takes_value, take)
  local at = 1
  while arguments[at] and arguments[at]:find "^%-." do
    local word = arguments[at]
    if word == "-h" or word == "--help" then return nil end
    at = at + 1
    if word == "--" then break end
    local name, value = cut(word)
    if takes_value(name) and not value then
      value = arguments[at]
      at = at + 1
    end
    local ok, why = take(name, value, word)
    if not ok then return nil, why end
  end
  return at
end

---@class goloader.BuildFlags
---@field words string[]  for go list
---@field plain boolean  nothing but -gcflags, -tags and -lang
---@field gcflags string|nil
---@field tags string|nil
---@field lang string|nil  of the compiler; the go command has no such flag
---@field strings table<string, string>  what variables are set to, by their full names

-- What one flag asks for, or why it can't be.
local function take_build_flag(read, name, value, word)
  if refused[name] and not off[value or ""] then return nil, ("flag -%s: %s"):format(name, refused[name]) end
  local is_known = build_flags[name] or name == "ldflags" or name == "lang"
  if not is_known or build_flags[name] ~= "switch" and not value then
    if refused[name] then return true end
    return nil, ("flag %s is not known, or lacks its value"):format(word)
  elseif name == "ldflags" then
    return read_ldflags(value, read.strings)
  elseif name == "lang" then
    read.lang = value
    return true
  end
  if name == "gcflags" or name == "tags" then
    -- twice, or for packages of a pattern: go list knows what that means
    local of_pattern = name == "gcflags" and value:find "^[^%-%s]" and not value:find "^all="
    if read[name] or of_pattern then read.plain = false end
    read[name] = value
  else
    read.plain = false
  end
  local why = flags.find_sanitizer { word, value }
  if why then return nil, why end
  if files[name] and value ~= "auto" and value ~= "off" then value = absolute(value) end
  read.words[#read.words + 1] = value and ("-%s=%s"):format(name, value) or "-" .. name
  return true
end

--- Reads the flags that stand before what is to be built.
---@param arguments string[]
---@return goloader.BuildFlags|nil flags  nil without a second result: help is asked for
---@return string|integer|nil why  or where the other arguments begin
function flags.read(arguments)
  local read = { words = {}, plain = true, strings = {} }
  local function takes_value(name)
    return build_flags[name] == "value" or name == "ldflags" or name == "lang"
  end
  local at, why = each_flag(arguments, takes_value, function(name, value, word)
    return take_build_flag(read, name, value, word)
  end)
  return at and read, at or why
end

---@class goloader.RunFlags
---@field go_words string[]  for the go command, but those that are named here
---@field plain boolean  nothing but -gcflags, -ldflags and -lang
---@field dir string|nil  where to be before all else: -C
---@field exec string|nil  what is to start the program
---@field toolexec string|nil  what is to start Go's tools
---@field gcflags string|nil
---@field lang string|nil  of the compiler; the go command has no such flag
---@field strings table<string, string>  what variables are set to, by their full names

-- Flags of go run that go list has not, and those that mean the one way in which programs are loaded.
local run_switches = set "a cover buildvcs modcacherw trimpath n v x work json"
local run_values = set "C exec ldflags lang installsuffix"
local ways = { buildmode = set "default exe pie", compiler = set "gc" }

--- Flags as they are to be said in another directory: files that they name have full names.
---@param words string[]  "-name=value", or "-name"
---@return string[] words
function flags.from_elsewhere(words)
  local moved = {}
  for i, word in ipairs(words) do
    local name, value = cut(word)
    local is_file = files[name] and value and value ~= "auto" and value ~= "off"
    moved[i] = is_file and ("-%s=%s"):format(name, absolute(value)) or word
  end
  return moved
end

-- What the compiler does without a word. Of others the go command passes on what they print.
local quiet = set "-N -l -B"

local function is_quiet(gcflags)
  for word in gcflags:gsub("^all=", ""):gmatch "%S+" do
    if not quiet[word] then return false end
  end
  return true
end

-- What one flag of go run asks for, or why it can't be.
local function take_run_flag(read, name, value, word)
  if name == "C" then
    if read.go_words[1] then return nil, "flag -C must be the first" end
    read.dir = value
    return true
  elseif name == "exec" or name == "toolexec" or name == "lang" then
    read[name] = value
    read.plain = read.plain and name == "lang"
    return true
  elseif name == "ldflags" then
    local ok, is_plain = read_ldflags(value, read.strings)
    if not ok then return nil, is_plain end
    read.plain = read.plain and is_plain
  elseif name == "gcflags" then
    -- twice, or for packages of a pattern: the go command knows what that means
    read.plain = read.plain and not read.gcflags and is_quiet(value)
    read.gcflags = value
  else
    read.plain = false
  end
  local why = flags.find_sanitizer { word, value }
  if why then return nil, why end
  read.go_words[#read.go_words + 1] = value and ("-%s=%s"):format(name, value) or word
  return true
end

--- Reads the flags that stand before what `go run` is to run.
---@param arguments string[]
---@return goloader.RunFlags|nil flags  nil without a second result: help is asked for
---@return string|integer|nil why  or where the other arguments begin
function flags.read_run(arguments)
  local read = { go_words = {}, plain = true, strings = {} }
  local function takes_value(name)
    return build_flags[name] == "value" or ways[name] ~= nil or run_values[name] ~= nil
  end
  local at, why = each_flag(arguments, takes_value, function(name, value, word)
    if name ~= "exec" and refused[name] and not off[value or ""] and not (ways[name] or {})[value or ""] then
      return nil, ("flag -%s: %s"):format(name, refused[name])
    end
    if not (takes_value(name) and value) and not run_switches[name] and not refused[name] then
      return nil, ("flag %s is not known, or lacks its value"):format(word)
    end
    return take_run_flag(read, name, value, word)
  end)
  if not at then return nil, why end
  if read.lang then
    read.go_words[#read.go_words + 1] = ("-gcflags=%s -lang=%s"):format(read.gcflags or "", read.lang)
  end
  return read, at
end

return flags
