--- goloader nm, exports, disasm, explain: what is in an object, or in the object that source becomes.

local lfs = require "lfs"
local goloader = require "goloader"
local json = require "goloader.json"
local terminal = require "goloader.command.terminal"

local objects = {}

local complain = terminal.complain

local function print_json(value) io.write(json.encode(value), "\n") end

-- ---- from what is named to objects --------------------------------------------------------------------------------

local function is_compiled(path)
  return path:find "%.[oa]$" ~= nil or path:find "%.gom$" ~= nil
    or lfs.attributes(path, "mode") == "file" and not path:find "%.go$"
end

-- The compiler runs in the folder of its files: what it says of them is said as from here.
local function as_from_here(message, path)
  local is_dir = lfs.attributes(path, "mode") == "directory"
  local dir = is_dir and path:gsub("/+$", "") or path:match "^(.*)/[^/]*$"
  if not dir or dir == "." then return message end
  return (("\n" .. message):gsub("\n%.?/?([%w_][^:\n]*%.go:%d)", function(place)
    local file = dir .. "/" .. place:match "^[^:]*"
    return lfs.attributes(file) and "\n" .. dir .. "/" .. place or nil
  end):sub(2))
end

---@class goloader.NamedObjects: goloader.Objects
---@field given string  what was named

-- The toolchain is wanted before the host runs; the version noted beside the host names it. Nothing else is loaded that
-- could share a third-party package.
local function build(path)
  local host, _, err = goloader.host_path()
  if not host then return nil, err end
  local tools
  tools, err = require "goloader.building.toolchain".find(host)
  if not tools then return nil, err end
  local line = terminal.progress()
  local under_way, built
  under_way, err = require "goloader.building.build".start(tools, { path }, {
    private = true, progress = line.show,
    notice = function() end, -- as go run compiles the standard library, without a word
  })
  if under_way then built, err = under_way:wait() end
  line.clear()
  if built then return built end
  if err.code == "compile" then err.message = as_from_here(err.message, path) end
  return nil, err
end

--- Objects of a path that may be source.
---@param path string
---@return goloader.NamedObjects|nil  the last of its files is the package meant
---@return goloader.Error|nil err
function objects.of(path)
  if is_compiled(path) then return { files = { { file = path } }, given = path, remove = function() end } end
  local built, err = build(path)
  if built then built.given = path end
  return built, err
end

-- Objects of a build are temporary files, or lie in Go's cache: messages name what was named.
local function as_given(err, of)
  for i, file in ipairs(of.files) do
    local name = i == #of.files and of.given or file.dir
    local from, to = err.message:find(file.file, 1, true)
    if name and from then err.message = err.message:sub(1, from - 1) .. name .. err.message:sub(to + 1) end
  end
  return err
end

local function load_objects(of, desc)
  local host, _, err = goloader.host { desc = desc }
  local module
  if host then module, _, err = host:load(of.files, { builds = of.builds }) end
  of:remove()
  return module, err and as_given(err, of)
end

-- ---- goloader nm --------------------------------------------------------------------------------------------------

local ORDERS = {
  name = function(a, b) return a.name < b.name end,
  size = function(a, b) return a.size > b.size or a.size == b.size and a.name < b.name end,
  kind = function(a, b) return a.kind < b.kind or a.kind == b.kind and a.name < b.name end,
}

local KIND_COLOURS = { T = "green", t = "green", D = "yellow", d = "yellow", B = "yellow", b = "yellow", U = "dim" }

---@param arguments table
---@return integer status
function objects.nm(arguments)
  local of, err = objects.of(arguments.file)
  if not of then return complain(err) end
  local symbols, _
  symbols, _, err = goloader.nm(of.files[#of.files].file, arguments.desc)
  of:remove()
  if not symbols then return complain(as_given(err, of)) end
  local shown = {}
  for _, symbol in ipairs(symbols) do
    if arguments.exports and symbol.export or not arguments.exports and symbol.kind ~= "-" then
      shown[#shown + 1] = symbol
    end
  end
  if arguments.sort then table.sort(shown, ORDERS[arguments.sort]) end
  if arguments.json then
    print_json(shown)
    return 0
  end
  local paint = terminal.painter(1)
  for _, symbol in ipairs(shown) do
    local signature = symbol.signature and symbol.signature ~= "" and "  " .. paint("cyan", symbol.signature) or ""
    io.write(("%10d %s %s%s\n"):format(symbol.size, paint(KIND_COLOURS[symbol.kind] or "dim", symbol.kind),
      symbol.name, signature))
  end
  return 0
end

-- ---- goloader exports ---------------------------------------------------------------------------------------------

-- An export as it is declared in Go: "func(a int) error" reads as "func Add(a int) error".
local function declaration(export)
  if export.kind == "func" then return (export.signature:gsub("^func", "func " .. export.name)) end
  local value = export.value and " = " .. export.value or ""
  local separator = export.kind == "type" and export.signature:find "^%[[%w_]+ " and "" or " "
  return ("%s %s%s%s%s"):format(export.kind, export.name, separator, export.signature, value)
end

---@param arguments table
---@return integer status
function objects.exports(arguments)
  local of, err = objects.of(arguments.file)
  if not of then return complain(err) end
  local module
  module, err = load_objects(of)
  if not module then return complain(err) end
  local exports = module:exports()
  for _, export in ipairs(exports) do
    if export.kind == "type" then
      local known = module[export.name]
      export.fields, export.methods = known.fields, known.methods
    end
  end
  if arguments.json then
    print_json(exports)
    return 0
  end
  local paint = terminal.painter(1)
  for _, export in ipairs(exports) do
    io.write((declaration(export):gsub("^%l+", function(word) return paint("cyan", word) end)), "\n")
    for _, method in ipairs(export.methods or {}) do
      io.write("    ", (method.signature:gsub("^func", paint("cyan", "func") .. " " .. method.name)), "\n")
    end
  end
  return 0
end

-- ---- goloader disasm ----------------------------------------------------------------------------------------------

-- Lines begin with an address; what follows a semicolon is a name.
local function paint_line(paint, line)
  line = line:gsub("^(%s*)(%x%x%x%x+)", function(space, address) return space .. paint("dim", address) end)
  return (line:gsub("  ; .*$", function(name) return paint("cyan", name) end))
end

local function print_functions(functions)
  local paint = terminal.painter(1)
  for _, fn in ipairs(functions) do
    io.write(paint("bold", fn.name), ":\n")
    for line in (tostring(fn.instructions) .. "\n"):gmatch "([^\n]*)\n" do
      io.write("  ", paint_line(paint, line), "\n")
    end
  end
end

-- What main.go calls main.Render is Render to Lua, and either is understood.
local function relinked(of, arguments)
  local module, err = load_objects(of, arguments.desc)
  if not module then return nil, err end
  local names, functions = { arguments.symbol }, {}
  if not arguments.symbol then
    for _, symbol in ipairs(module:symbols()) do
      if symbol.kind:lower() == "t" then names[#names + 1] = symbol.name end
    end
  end
  for i, name in ipairs(names) do
    local listing, _
    listing, _, err = module:disassemble(name)
    if not listing then return nil, err end
    functions[i] = { name = name, instructions = listing }
  end
  return functions
end

---@param arguments table
---@return integer status
function objects.disasm(arguments)
  local of, err = objects.of(arguments.file)
  if not of then return complain(err) end
  local functions, _
  if arguments.loaded or arguments.file:find "%.gom$" then -- a shipped one is linked when it is loaded
    functions, err = relinked(of, arguments)
  else
    functions, _, err = goloader.disasm(of.files[#of.files].file, arguments.symbol, arguments.desc)
    of:remove()
  end
  if not functions then return complain(as_given(err, of)) end
  if arguments.json then print_json(functions) else print_functions(functions) end
  return 0
end

-- ---- goloader explain ---------------------------------------------------------------------------------------------

---@param arguments table
---@return integer status
function objects.explain(arguments)
  local of, err = objects.of(arguments.file)
  if not of then return complain(err) end
  local module, explanation, _
  module, err = load_objects(of, arguments.desc)
  if not module then return complain(err) end
  explanation, _, err = module:explain(arguments.symbol)
  if not explanation then return complain(err) end
  if arguments.json then
    print_json(explanation)
    return 0
  end
  local paint = terminal.painter(1)
  for line in (tostring(explanation) .. "\n"):gmatch "([^\n]*)\n" do
    if line:find "^!" or line:find "^    %^" then
      io.write(paint("red", line), "\n")
    else
      io.write(paint_line(paint, line), "\n")
    end
  end
  return 0
end

return objects
