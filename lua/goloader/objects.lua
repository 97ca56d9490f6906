--- What is in files of object code, and in shipped modules: read without starting a host.

local core = require "goloader.core"
local installed = require "goloader.installed"
local percent = require "goloader.percent"

local objects = {}

---@class goloader.Instruction
---@field addr string
---@field bytes string
---@field mnemonic string
---@field operands string
---@field comment string|nil  what a call or reference means

-- A listing prints as one.
local Listing = {}
Listing.__tostring = function(listing)
  local lines = {}
  for i, at in ipairs(listing) do
    local comment = at.comment and at.comment ~= "" and "  ; " .. at.comment or ""
    lines[i] = (("%s  %-24s %-8s %s%s"):format(at.addr, at.bytes, at.mnemonic, at.operands, comment):gsub("%s+$", ""))
  end
  return table.concat(lines, "\n")
end

--- Makes a list of instructions print as text.
---@param instructions goloader.Instruction[]
---@return goloader.Instruction[]
function objects.listing(instructions)
  return setmetatable(instructions, Listing)
end

--- What the packages in an archive, or in a shipped module, import.
---@param file string
---@param package string|nil  its import path, when it was compiled without -p
---@return goloader.ObjectImports[]|nil
---@return goloader.Error|nil err
function objects.imports(file, package)
  local found, err = core.imports(file, package)
  if not found then return nil, err end
  for _, each in ipairs(found) do
    each.path = percent.decode(each.path)
    for i, path in ipairs(each.imports) do each.imports[i] = percent.decode(path) end
  end
  return found
end

---@class goloader.ShippedPackage
---@field path string
---@field role "root"|"own"|"shared"  what Lua sees, what else is the module's own, what all modules share
---@field size integer  bytes of what is left of its archive
---@field fingerprint string  of its export data, as its importers know it
---@field version string|nil  of a third party's: "gopkg.in/yaml.v3@v3.0.1"

---@class goloader.Manifest
---@field header string  what its objects were made by: Go version, processor and flags, as host:info().object_header
---@field host { id: string, name: string }  the host it was made for, as host:info().id
---@field hash string  BLAKE2b-256 of its content
---@field key string|nil  number of the key that it says it is signed by; goloader.verify finds out whether it is
---@field size integer  bytes of the file
---@field godebug string|nil  what a program brings as its settings for GODEBUG
---@field strings table<string, string>  what -ldflags=-X gives to variables
---@field packages goloader.ShippedPackage[]
---@field libraries { role: "own"|"shared", size: integer, packages: string[] }[]  their parts in C, linked
---@field imports { path: string, in_host: boolean, fingerprint: string }[]  imported, and not in the file
---@field exports { name: string, package: string, kind: "func"|"var"|"const"|"type", signature: string,
---  value: string|nil }[]

--- What a shipped module is and holds, once its hash has been checked.
---@param file string
---@return goloader.Manifest|nil manifest
---@return goloader.Error|nil err
function objects.manifest(file)
  local manifest, err = core.manifest(file)
  if not manifest then return nil, err end
  for _, package in ipairs(manifest.packages) do package.path = percent.decode(package.path) end
  for _, library in ipairs(manifest.libraries) do
    local packages = {}
    for path in library.packages:gmatch "%S+" do packages[#packages + 1] = percent.decode(path) end
    library.packages = packages
  end
  for _, export in ipairs(manifest.exports) do
    export.package = percent.decode(export.package)
    if export.kind == "const" then export.signature, export.value = export.signature:match "^(.-) = (.*)$" end
  end
  return manifest
end

local function default_description()
  local path, err = installed.chosen_host()
  if not path then return nil, err end
  return path .. ".desc"
end

---@class goloader.ObjectSymbol
---@field name string
---@field kind string  as nm(1) prints it; U: defined elsewhere; -: exported, and no symbol: a constant, a type, a
---  generic function
---@field size integer  bytes
---@field abi integer  0: assembly's, 1: Go's own
---@field export boolean
---@field signature string|nil

--- The symbols of an object, and what else it exports.
---@param file string
---@param desc string|nil  description of the host it is meant for; nil: the default host's
---@return goloader.ObjectSymbol[]|nil symbols
---@return goloader.Error|nil err
function objects.nm(file, desc)
  local err
  if not desc then desc, err = default_description() end
  if not desc then return nil, err end
  return core.nm(file, desc)
end

--- The machine code of an object before it is linked.
---@param file string
---@param symbol string|nil  nil: every function
---@param desc string|nil  description of the host it is meant for; nil: the default host's
---@return { name: string, instructions: goloader.Instruction[] }[]|nil functions
---@return goloader.Error|nil err
function objects.disasm(file, symbol, desc)
  local functions, err
  if not desc then desc, err = default_description() end
  if desc then functions, err = core.disasm(file, desc, symbol) end
  if not functions then return nil, err end
  for _, fn in ipairs(functions) do objects.listing(fn.instructions) end
  return functions
end

return objects
