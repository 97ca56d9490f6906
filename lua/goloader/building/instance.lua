-- Functions that nobody has compiled: instances of generic ones.
--
-- A generic function has no code until somebody names an instance of it, which here is Lua, at run time. So a package
-- is made up that imports the module's and does nothing but call the instance. It is compiled against the archives that
-- the module was compiled against, and loaded as a module that uses that one.
--
-- It takes two runs of the compiler, which last some milliseconds each. An exported function needs its parameters'
-- types in writing, and who asks for `Max[int]` has not said them: the first run compiles a variable,
--
--     var GoloaderInstance = Max[int]
--
-- and from its object can be read what its type is, and which instance was meant, all names in full. So the compiler
-- alone judges type arguments and constraints. The second run compiles the function.
--
-- Nobody may import "main". The compiler looks at the path in the source, though, before its -importcfg maps that path
-- to another one (cmd/compile/internal/noder/import.go).

local core = require "goloader.core"
local percent = require "goloader.percent"
local policy = require "goloader.building.policy"
local toolchain = require "goloader.building.toolchain"

local unpack = rawget(table, "unpack") or unpack

local instance = {}

-- What the sources here call the module's package.
local module_path = "goloader.module"

--- The spelling that all of one instance's have in common: "Map[string,int]"; nil where it is none.
---@param text string
---@return string|nil
function instance.normalize(text)
  if not text:find "^%s*[%u\128-\255][%w_\128-\255]*%s*%b[]%s*$" or text:find "[\n\r]" then return nil end
  text = text:gsub("^%s+", ""):gsub("%s+$", "")
  if text:find '["`]' then return text end -- white space in a field's tag counts
  return (text:gsub("%s*([%[%],])%s*", "%1"))
end

-- ---- packages that are mentioned ------------------------------------------------------------------------------------

-- The imports of one source file: `names` are what it calls them, by path.
local function new_imports()
  return { names = {}, paths = {} }
end

local function import(imports, path)
  local name = imports.names[path]
  if not name then
    imports.paths[#imports.paths + 1] = path
    name = "p" .. #imports.paths
    imports.names[path] = name
  end
  return name
end

-- Where the string that starts with the quote at `at` ends: a field's tag.
local function string_end(text, at)
  repeat
    at = at + 1
    local c = text:sub(at, at)
    if c == "\\" then at = at + 1 end
  until c == '"' or c == ""
  return at
end

-- Replaces the package in each "path.Name" of Go text, outside of quotes, by what `name_of(path, Name)` returns.
local function replace_packages(text, name_of)
  local function replace(part)
    -- a variadic parameter's dots are no part of a path
    part = part:gsub("%.%.%.", "\1")
    part = part:gsub("([%a_\128-\255%%][%w_\128-\255%%/.~+-]*)%.([%a_\128-\255][%w_\128-\255]*)",
      function(path, name) return name_of(percent.decode(path), name) .. "." .. name end)
    return (part:gsub("\1", "..."))
  end
  local parts, at = {}, 1
  while true do
    local from = text:find('"', at, true)
    parts[#parts + 1] = replace(text:sub(at, (from or 0) - 1))
    if not from then return table.concat(parts) end
    local to = string_end(text, from)
    parts[#parts + 1] = text:sub(from, to)
    at = to + 1
  end
end

-- What a package is probably called.
local function last_element(path)
  local last = path:match "([^/]+)/v%d+$" or path:match "[^/]+$"
  return (last:gsub("%.v%d+$", ""))
end

-- The import path that a type argument means: as Go spells it, by the package's name, or in full where two have that.
local function find_package(name, interface, std)
  if name == interface.name or name == interface.path then return interface.path end
  if name == "unsafe" or interface.archives[name] or std[name] then return name end
  for _, archives in ipairs { interface.archives, std } do
    local found = {}
    for path in pairs(archives) do
      local is_internal = ("/" .. path .. "/"):find("/internal/", 1, true) or path:find "^vendor/"
      local first = path:match "^(.*)/v%d+$" -- "json" is encoding/json, whatever versions Go adds
      local is_later = first and archives == std and std[first]
      if last_element(path) == name and not is_internal and not is_later then found[#found + 1] = path end
    end
    table.sort(found)
    if found[2] then return nil, ("%s may be %s: name it in full"):format(name, table.concat(found, " or ")) end
    if found[1] then return found[1] end
  end
  return nil, ("no package %s that the module imports, or of the standard library"):format(name)
end

-- ---- the compiler -------------------------------------------------------------------------------------------------

---@class goloader.InstanceBuild
---@field tools goloader.Toolchain
---@field interface goloader.Interface
---@field dir string  for files
---@field path string  import path of the package made
---@field archive string  of the module's package
---@field text string  what is asked for, for messages

local function refuse(made, message)
  return nil, { code = "compile", message = ("%s: %s"):format(made.text, message) }
end

-- The first complaint of the compiler, without its position, which is in a file that nobody has written. That imports
-- are not used only follows from another one.
local function complaint(made, output, imports)
  local line
  for each in output:gmatch "[^\n]+" do
    each = each:match "^.-:%d+:%d+: (.*)" or each
    if not line and not each:find "imported and not used" then line = each end
  end
  line = (line or output:match "^[^\n]*"):gsub(" %(declared at [^)]*%)", "")
  for path, import_name in pairs(imports.names) do
    line = line:gsub("%f[%w_]" .. import_name .. "%.", (last_element(path):gsub("%%", "%%%%")) .. ".")
  end
  local name = made.text:match "^[^%[]*"
  if line == "undefined: " .. name then
    line = ("%s exports no %s"):format(made.interface.path, name)
  elseif line:find "is not an expression$" then
    line = name .. " is a type, and no function"
  elseif line:find "cannot index" or line:find "is not a generic" then
    line = name .. " is not generic"
  end
  return refuse(made, line)
end

local function compile(made, file, source, imports, options)
  local interface, lines = made.interface, { "package instance\n" }
  local config = { ("importmap %s=%s\n"):format(module_path, interface.path) }
  local std, err = made.tools:std_archives(imports.paths)
  if not std then return nil, err end
  if options.dot then lines[#lines + 1] = ("import . %q\n"):format(module_path) end
  for _, path in ipairs(imports.paths) do
    local archive = interface.archives[path] or std[path]
    if path == interface.path then
      lines[#lines + 1] = ("import %s %q\n"):format(imports.names[path], module_path)
    elseif path == "unsafe" or archive then
      lines[#lines + 1] = ("import %s %q\n"):format(imports.names[path], path)
      config[#config + 1] = archive and ("packagefile %s=%s\n"):format(path, archive)
    else
      return refuse(made, ("the module was built without an archive of %s"):format(path))
    end
  end
  config[#config + 1] = ("packagefile %s=%s\n"):format(interface.path, made.archive)
  local ok
  ok, err = toolchain.write_file(made.dir .. "/importcfg", table.concat(config))
  if ok then
    ok, err = toolchain.write_file(made.dir .. "/" .. file .. ".go", table.concat(lines) .. source .. "\n")
  end
  if not ok then return nil, err end
  local object = made.dir .. "/" .. file .. ".o"
  local args = { "-o", object, "-p", made.path, "-complete", "-pack", "-dwarf=" .. tostring(options.dwarf),
    "-trimpath", made.dir .. "=>" .. made.path, "-importcfg", made.dir .. "/importcfg", "-c=1" }
  for _, flag in ipairs(made.tools.flags) do
    if flag == "-race=true" then args[#args + 1] = "-race" end
  end
  args[#args + 1] = made.dir .. "/" .. file .. ".go"
  local job
  job, err = made.tools:start_tool("compile", args)
  if not job then return nil, err end
  local output
  ok, output = job:wait()
  if not ok then
    err = toolchain.failure(output, "compile", made.text .. ": ")
    if err.code ~= "compile" then return nil, err end
    return complaint(made, output, imports)
  end
  return object
end

-- ---- the two runs ---------------------------------------------------------------------------------------------------

-- Compiles the variable. Returns its type, and the instance's name with its type arguments in full.
local function resolve(made, desc, imports, text)
  local object, err = compile(made, "variable", "var GoloaderInstance = " .. text, imports,
    { dot = true, dwarf = false })
  if not object then return nil, err end
  local symbols
  symbols, err = core.nm(object, desc)
  if not symbols then return nil, err end
  local signature, full
  local start = made.text:match "^[^%[]*%["
  for _, symbol in ipairs(symbols) do
    local path, name = symbol.name:match "^([^%[]*)%.([^.%[]*%[.*%])·f$"
    if symbol.name:find "%.GoloaderInstance$" then
      signature = symbol.signature
    elseif path and percent.decode(path) == made.interface.path and name:sub(1, #start) == start then
      full = name
    end
  end
  if not full or not signature or not signature:find "^func%(" then
    return refuse(made, made.text:match "^[^%[]*" .. " is not generic")
  end
  return signature, full
end

--- Splits "int, map[string]int" at the commas that are in no brackets.
---@param list string
---@return string[]
function instance.split(list)
  local parts, depth, from, at = {}, 0, 1, 1
  while at <= #list do
    local c = list:sub(at, at)
    if c == '"' then at = string_end(list, at) end
    if c:find "[%[%({]" then depth = depth + 1 end
    if c:find "[%]%)}]" then depth = depth - 1 end
    if c == "," and depth == 0 then
      parts[#parts + 1] = list:sub(from, at - 1)
      from = at + 1
    end
    at = at + 1
  end
  if list:find "%S" then parts[#parts + 1] = list:sub(from) end
  return parts
end

-- The first type in it that only its own package may name.
local function find_hidden(text)
  local hidden
  replace_packages(text, function(path, name)
    if name:find "^[%l_]" then hidden = hidden or path .. "." .. name end
    return path
  end)
  return hidden
end

-- The source of a function of that type that calls the instance. What has a type that can't be named here is returned
-- as any: Lua sees the same.
local function wrap(made, signature, full, imports)
  local function name_of(path) return import(imports, path) end
  local list = signature:match "^func(%b())"
  local results = signature:sub(#"func" + #list + 1):gsub("^%s+", "")
  local params, args, hidden = instance.split(list:sub(2, -2)), {}, find_hidden(list)
  if hidden then
    return refuse(made, ("it takes a %s, which is not exported, in %s"):format(hidden, percent.decode(signature)))
  end
  for i, param in ipairs(params) do
    args[i] = "a" .. i .. (param:find "^%s*%.%.%." and "..." or "")
    params[i] = ("a%d %s"):format(i, replace_packages(param, name_of))
  end
  local returned = results:find "^%b()$" and instance.split(results:sub(2, -2)) or instance.split(results)
  for i, result in ipairs(returned) do
    returned[i] = find_hidden(result) and "any" or replace_packages(result, name_of)
  end
  local name = made.text:match "^[^%[]*"
  local call = import(imports, made.interface.path) .. "." .. replace_packages(full, name_of)
  return ("func %s(%s) (%s) { %s%s(%s) }"):format(name, table.concat(params, ", "), table.concat(returned, ", "),
    returned[1] and "return " or "", call, table.concat(args, ", "))
end

-- Has the policies judge the packages that type arguments bring.
local function check(made, imports, judges)
  local path = made.interface.path
  local packages = { [path] = { imports = imports.paths, own = true } }
  for _, imported in ipairs(imports.paths) do
    if imported ~= path then
      packages[imported] = { imports = {}, standard = made.tools:is_standard(imported) }
    end
  end
  return policy.check(judges, { path }, packages)
end

local function build(made, desc, judges)
  local std, err = made.tools:std_archives {}
  if not std then return nil, err end
  local imports, why = new_imports(), nil
  local head, arguments = made.text:match "^([^%[]*)(.*)$"
  local text = head .. replace_packages(arguments, function(name)
    local path, reason = find_package(name, made.interface, std)
    why = why or reason
    return import(imports, path or name)
  end)
  if why then return refuse(made, why) end
  if judges then
    local ok
    ok, err = check(made, imports, judges)
    if not ok then return nil, err end
  end
  local signature, full = resolve(made, desc, imports, text)
  if not signature then return nil, full end
  local source
  imports = new_imports()
  source, err = wrap(made, signature, full, imports)
  if not source then return nil, err end
  -- for its sake the compiler writes descriptors of all types that are mentioned (see needs_dwarf in build.lua)
  return compile(made, "function", source, imports, { dot = false, dwarf = true })
end

--- Compiles a function that calls an instance of a generic one, and hands its object to `load`, behind the module's
--- own: what a generic function calls, and nobody else, the module has been loaded without.
---@generic T
---@param tools goloader.Toolchain
---@param interface goloader.Interface  of the module's package
---@param text string  as `normalize` returned it
---@param desc string  description of the host
---@param judges (fun(import_path: string, importer: string, standard: boolean): boolean, string|nil)[]|nil  policies
---@param load fun(files: { file: string, dir: string|nil }[]): T|nil, goloader.Error|nil
---@return T|nil
---@return goloader.Error|nil err
function instance.build(tools, interface, text, desc, judges, load)
  local dir, err = toolchain.private_dir()
  if not dir then return nil, err end
  local made = { tools = tools, interface = interface, dir = dir, path = interface.path .. "/instance", text = text,
    archive = interface.file or dir .. "/module.a" }
  local ok, object, result = true, nil, nil
  if not interface.file then ok, err = toolchain.write_file(made.archive, interface.archive) end
  if ok then object, err = build(made, desc, judges) end
  if object then
    local files = { unpack(interface.dependencies) }
    files[#files + 1] = { file = made.archive }
    files[#files + 1] = { file = object }
    result, err = load(files)
  end
  toolchain.remove_dir(dir)
  return result, err
end

return instance
