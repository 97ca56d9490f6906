--- What a module can do: which packages it is made of, and what beyond itself it can reach.
--
-- The linker says which symbols its exports and init functions need, and by way of whom. What they need of the host is
-- followed on through the machine code of the host's functions, up to the first package that is listed below. What is
-- called through an interface is not followed, where nobody names the method; a value that such a call needs is (an
-- *os.File, say). So what is told can be reached as far as anybody can tell from code, and what is not told may be
-- still: by way of values that a caller hands in.

local percent = require "goloader.percent"

local audit = {}

-- What is worth knowing of what a module reaches: by symbol, or by package. The first that matches counts.
local SYMBOLS = {
  { "processes", { "^os%.StartProcess$", "^os%.%(%*Process%)", "^os%.FindProcess$", "^syscall%.StartProcess$",
    "^syscall%.[Ff]orkExec$", "^syscall%.Exec$", "^syscall%.Kill$" } },
  { "exit", { "^os%.Exit$", "^syscall%.Exit$", "^log%.Fatal", "^log%.%(%*Logger%)%.Fatal" } },
  { "environment", { "^os%.%a*[Ee]nv%a*$", "^syscall%.%a*[Ee]nv%a*$" } },
}
local PACKAGES = {
  { "processes", { "os/exec", "os/signal" } },
  { "network", { "net", "net/http", "net/http/*", "net/rpc", "net/rpc/*", "net/smtp", "net/textproto", "crypto/tls",
    "log/syslog", "golang.org/x/net/*" } },
  { "files", { "os", "os/user", "io/ioutil", "internal/poll" } },
  { "system calls", { "syscall", "syscall/*", "golang.org/x/sys/*", "internal/syscall/*",
    "runtime/internal/syscall", "internal/runtime/syscall" } },
  { "code", { "plugin", "runtime/cgo" } },
}
local KINDS = { "network", "files", "processes", "system calls", "environment", "exit", "code", "unsafe", "linkname",
  "assembly", "C" }

-- Go's own runtime, and what hardly does anything but compute: nothing is looked for behind it.
local LEAVES = { "runtime", "runtime/internal/*", "internal/runtime/*", "internal/abi", "internal/bytealg",
  "internal/cpu", "time", "sync", "sync/atomic", "internal/sync", "unicode", "unicode/*", "reflect",
  "math", "math/bits",
  "strconv", "errors", "sort", "internal/reflectlite", "internal/race", "internal/godebug" }

local function is_in(package, list)
  for _, each in ipairs(list) do
    local below = each:match "^(.*)/%*$"
    if package == each or below and package:sub(1, #below + 1) == below .. "/" then return true end
  end
  return false
end

--- The package of a symbol, by its name: "net/http" of "net/http.(*Client).Do". "" where it has none.
---@param name string
---@return string
function audit.package_of(name)
  name = name:gsub("^type:[.%a]*[.:]?", ""):gsub("^go:itab%.", ""):gsub("^go:[%a.]*$", ""):gsub("^[%*%[%]&]+", "")
  name = name:match "^[^%[(,{]*"
  local folder, rest = name:match "^(.*/)([^/]*)$"
  return percent.decode((folder or "") .. ((rest or name):match "^([^.]*)%." or ""))
end

-- "foo.Bar", where the linker's name is "foo.Bar·f" (a value of it), "foo.Bar-fm" or "foo.Bar.abi0".
local function readable(name)
  return percent.decode((name:gsub("·f$", ""):gsub("%-fm$", ""):gsub("%.abi0$", "")))
end

local function kind_of(name, package)
  for _, each in ipairs(SYMBOLS) do
    for _, pattern in ipairs(each[2]) do
      if name:find(pattern) then return each[1] end
    end
  end
  for _, each in ipairs(PACKAGES) do
    if is_in(package, each[2]) then return each[1] end
  end
end

-- Who needs it, from the nearest to the export or init function that begins with: functions and variables that have
-- names, each once.
local function way_of(nodes, by)
  local way = {}
  while by do
    local node = nodes[by]
    local name = readable(node.name)
    if name ~= "" and name ~= way[#way] and not name:find "^type:" and not name:find "^go:" and
      not name:find "%.%.stmp_" and not name:find "%.%.inittask$" and not name:find "^runtime%.gcbits" then
      way[#way + 1] = name
    elseif name:find "%.%.inittask$" then
      way[#way + 1] = name:gsub("%.%.inittask$", ".init")
    end
    by = node.by
  end
  return way
end

-- Follows what the host's functions refer to. Nodes of the host are added to those of the module.
local function follow_host(core, nodes)
  local known, level = {}, {}
  for i, node in ipairs(nodes) do
    if node.where == "host" and node.name ~= "" then
      known[node.name] = true
      if node.func then level[#level + 1] = i end
    end
  end
  while level[1] do
    local names, from = {}, {}
    for _, i in ipairs(level) do
      local node = nodes[i]
      local package = audit.package_of(node.name)
      if not node.c and package ~= "" and not is_in(package, LEAVES) and not kind_of(node.name, package) then
        names[#names + 1], from[#from + 1] = node.name, i
      end
    end
    level = {}
    if not names[1] then return true end
    local found, err = core:references(names)
    if not found then return nil, err end
    for k, name in found:gmatch "(%d+)%z([^%z]*)%z" do
      if not known[name] then
        known[name] = true
        nodes[#nodes + 1] = { name = name, where = "host", by = from[k + 1], func = true, behind = true }
        level[#level + 1] = #nodes
      end
    end
  end
  return true
end

-- What the compiler, or the linker, refers to on its own, besides the builtins that it knows by number.
local COMPILERS = { "^runtime%.gcWriteBarrier%d*$", "^runtime%.mem%a*%d+$", "^runtime%.mem%a*_varlen$",
  "^runtime%.%a*equal%d*$", "^runtime%.%a*hash%d*$", "^runtime%.types$", "^runtime%.writeBarrier$",
  "^runtime%.zerobase$",
  "^runtime%.morestack", "^runtime%.duff%a+$", "^runtime%.panic[A-Z]%w*$", "^runtime%.wb%a+$", "^runtime%.zeroVal$",
  "^runtime%.empty%a+Cache$", "^runtime%.%a*inittask" }

local function is_compilers(node)
  if node.builtin then return true end
  for _, pattern in ipairs(COMPILERS) do
    if readable(node.name):find(pattern) then return true end
  end
  return false
end

-- An unexported function or variable of Go's runtime that no compiler refers to on its own: "go:linkname".
local function is_linkname(node, from)
  return not node.behind and node.name:find "^runtime%.%l[%w_]*$" and not is_compilers(node)
    and not (from and from.name:find "[._]_?[Cc]?_?[Cc]go_" or from and from.name:find "_Cfunc_")
end

-- Data that does nothing, though its package does: descriptors of types, errors as interfaces, constants.
local function is_inert(name)
  return name:find "^type:" or name:find "^go:itab%..*,error$" or name:find "%.%.stmp_%d+$"
    or name:find "%.%.inittask$" or name:find "^go:itab%.%*[%w/._]*Error,"
end

---@alias goloader.AuditKind "network"|"files"|"processes"|"system calls"|"environment"|"exit"|"code"|"unsafe"|string

---@class goloader.AuditReach
---@field kind goloader.AuditKind
---@field symbol string  "net.Dial"
---@field by string[]  who needs it: the nearest first, an export or init function of the module last

---@class goloader.AuditPackage
---@field path string
---@field role "root"|"own"|"shared"|"host"
---@field version string|nil
---@field size integer|nil  bytes in the shipped module

---@class goloader.Audit
---@field file string
---@field packages goloader.AuditPackage[]
---@field reaches goloader.AuditReach[]
---@field functions { name: string, by: string[] }[]  of the host
---@field variables { name: string, by: string[] }[]  likewise

local function packages_of(files, manifest, objects)
  local list, known = {}, {}
  local function add(package)
    if known[package.path] or package.path == "" then return end
    known[package.path] = true
    list[#list + 1] = package
  end
  for _, package in ipairs(manifest and manifest.packages or {}) do
    add { path = package.path, role = package.role, version = package.version, size = package.size }
  end
  for i, file in ipairs(not manifest and files or {}) do
    local found, err = objects.imports(file.file, file.package)
    if not found then return nil, err end
    for _, package in ipairs(found) do
      add { path = package.path, role = i == #files and "root" or "own" }
    end
  end
  return list, add
end

--- Makes of symbols what can be told.
---@param core userdata  the host
---@param files { file: string, package: string|nil }[]
---@param nodes table[]  as core's audit gives them
---@param unsafe string[]  packages whose source imports "unsafe"
---@return goloader.Audit|nil
---@return goloader.Error|nil err
function audit.report(core, files, nodes, unsafe)
  local objects = require "goloader.objects"
  local name = files[#files].file
  local manifest, err
  if name:find "%.gom$" then
    manifest, err = objects.manifest(name)
    if not manifest then return nil, err end
  end
  local packages, add = packages_of(files, manifest, objects)
  if not packages then return nil, add end
  local followed
  followed, err = follow_host(core, nodes)
  if not followed then return nil, err end

  local result = { file = name, packages = packages, reaches = {}, functions = {}, variables = {} }
  local seen, hosts = {}, {}
  local function reach(kind, i)
    local node = nodes[i]
    local symbol = readable(node.name)
    local key = kind .. "\n" .. symbol
    if seen[key] or symbol == "" then return end
    seen[key] = true
    table.insert(result.reaches, { kind = kind, symbol = symbol, by = way_of(nodes, node.by) })
  end
  for i, node in ipairs(nodes) do
    local package = node.package and percent.decode(node.package) or audit.package_of(node.name)
    local symbol = readable(node.name)
    local is_init = node.name:find "%.%.inittask$" -- of what is imported, and initialised already
    local from = node.by and nodes[node.by]
    local from_package = from and (from.package and percent.decode(from.package) or audit.package_of(from.name)) or ""
    local kind = node.where ~= "absent" and node.name ~= "" and not is_inert(node.name) and kind_of(symbol, package)
    -- what is behind the border of such a package is its own business
    if kind and (node.where ~= "module") and kind ~= kind_of(from and readable(from.name) or "", from_package) then
      reach(kind, i)
    end
    if node.c then reach("C", i) end
    if node.assembly and node.where == "module" then reach("assembly", i) end
    if node.name == "type:unsafe.Pointer" and not node.behind
      and not (way_of(nodes, node.by)[1] or ""):find "%.%.%a+%.%d+$" then -- the compiler's: "..typeAssert.1"
      reach("unsafe", i)
    end
    if node.where == "host" and is_linkname(node, from) then reach("linkname", i) end
    if node.where == "host" and not node.behind and package ~= "" and not node.name:find "^type:"
      and not node.name:find "^go:" and not is_compilers(node) and not seen["host\n" .. symbol] then
      seen["host\n" .. symbol] = true
      hosts[package] = true
      if not is_init then
        table.insert(node.func and result.functions or result.variables, { name = symbol, by = way_of(nodes, node.by) })
      end
    end
  end
  for _, path in ipairs(unsafe) do
    table.insert(result.reaches, { kind = "unsafe", symbol = "import of unsafe", by = { path } })
  end
  local order = {}
  for i, kind in ipairs(KINDS) do order[kind] = i end
  table.sort(result.reaches, function(a, b)
    if a.kind ~= b.kind then return order[a.kind] < order[b.kind] end
    if a.symbol ~= b.symbol then return a.symbol < b.symbol end
    return (a.by[1] or "") < (b.by[1] or "")
  end)
  local function by_name(a, b) return a.name < b.name end
  table.sort(result.functions, by_name)
  table.sort(result.variables, by_name)
  local paths = {}
  for path in pairs(hosts) do paths[#paths + 1] = path end
  table.sort(paths)
  for _, path in ipairs(paths) do add { path = path, role = "host" } end
  return result
end

--- An audit as text.
---@param result goloader.Audit
---@return string
function audit.text(result)
  local lines = {}
  local function add(format, ...) lines[#lines + 1] = (format:format(...):gsub("%s+$", "")) end
  local function by(way) return way[1] and ("  by " .. table.concat(way, " by ")) or "" end
  for _, package in ipairs(result.packages) do
    add("%-13s %-6s  %s  %s", "package", package.role, package.path, package.version or "")
  end
  for _, each in ipairs(result.reaches) do add("%-13s %s%s", each.kind, each.symbol, by(each.by)) end
  for _, each in ipairs(result.functions) do add("%-13s %s%s", "host function", each.name, by(each.by)) end
  for _, each in ipairs(result.variables) do add("%-13s %s%s", "host variable", each.name, by(each.by)) end
  return table.concat(lines, "\n")
end

return audit
