--- The C parts of packages: from the objects that cgo and the C compiler have left in Go's archives to a shared library
-- that can be loaded (src/link/clib.c says what for).
--
-- All packages that need each other go into one library, as they would into one program. Of its symbols nobody sees any
-- but those that Go refers to. What C calls of Go has no address yet, so each such function gets a jump through a
-- table, which the library's loader fills in.

local lfs = require "lfs"

local unpack = rawget(table, "unpack") or unpack
local core = require "goloader.core"
local toolchain = require "goloader.toolchain"

local cgo = {}

-- What C calls of the runtime: cmd/cgo's own code (cmd/cgo/out.go), SWIG's, and what runtime/cgo promises to C
-- (runtime/cgo/libcgo.h). Whether the host has it all depends on its Go.
local runtime_functions = {
  "crosscall2", "_cgo_get_context_function", "_cgo_panic", "_cgo_release_context", "_cgo_topofstack",
  "_cgo_wait_runtime_init_done",
}

-- Flags for a program's last link that a shared library can't have.
local not_shared = {}
for flag in ("-static -static-pie -pie -no-pie -rdynamic -Wl,-E -Wl,--export-dynamic -Wl,-z,defs"):gmatch "%S+" do
  not_shared[flag] = true
end

-- Signs that an object was compiled from C++ (Itanium ABI: operator new and delete, exceptions, names in std).
local cxx_signs = { "__gxx_personality_v0", "_Znwm", "_ZdlPv", "_ZSt", "_ZNSt", "_ZNKSt", "__cxa_guard_acquire" }

local function is_cxx(data)
  for _, sign in ipairs(cxx_signs) do
    if data:find(sign, 1, true) then return true end
  end
  return false
end

-- Assembly of the table and the jumps.
local function jumps(names)
  local lines = { '\t.section .note.GNU-stack,"",@progbits', "\t.section .rodata", "\t.globl goloader_go_names",
    "goloader_go_names:" }
  local function add(format, ...) lines[#lines + 1] = format:format(...) end
  for _, name in ipairs(names) do add('\t.asciz "%s"', name) end
  add '\t.byte 0'
  add '\t.bss'
  add '\t.balign 8'
  add '\t.globl goloader_go_slots'
  add 'goloader_go_slots:'
  add '.Lslots:' -- the same, but no other library can come between
  add('\t.skip %d', 8 * #names)
  add '\t.text'
  for i, name in ipairs(names) do
    add '\t.balign 16'
    add('\t.globl "%s"', name)
    add('\t.hidden "%s"', name)
    add('\t.type "%s", @function', name)
    add('"%s":', name)
    add '\tendbr64'
    add('\tjmp *.Lslots+%d(%%rip)', 8 * (i - 1))
  end
  add ""
  return table.concat(lines, "\n")
end

local function version_script(names)
  local lines = { "{", "global:", "goloader_go_names;", "goloader_go_slots;" }
  for _, name in ipairs(names) do lines[#lines + 1] = ('"%s";'):format(name) end
  lines[#lines + 1] = "local: *;\n};\n"
  return table.concat(lines, "\n")
end

local function write_file(path, data)
  local f, why = io.open(path, "wb")
  local ok = f
  if f then
    ok, why = f:write(data)
    f:close()
  end
  return ok and true, why
end

-- A directory that nobody else can write to.
local function private_dir()
  local parent = os.getenv "TMPDIR"
  if not parent or parent == "" then parent = "/tmp" end
  local job, err = toolchain.start({ "mktemp", "-d", parent .. "/goloader.XXXXXXXXXX" }, { merge = true })
  if not job then return nil, err end
  local ok, output = job:wait()
  output = output:gsub("%s+$", "")
  if not ok then return nil, { code = "io", message = output } end
  return output
end

local function remove_dir(dir)
  for entry in lfs.dir(dir) do
    if entry ~= "." and entry ~= ".." then os.remove(dir .. "/" .. entry) end
  end
  lfs.rmdir(dir)
end

---@class goloader.cgo.Parts
---@field package members string[]  files
---@field package exports string[]
---@field package visible string[]
---@field package ldflags string[]
---@field package cxx boolean

-- Reads the packages, and writes their C objects into dir.
local function extract(files, dir)
  local parts = { members = {}, exports = {}, visible = {}, ldflags = {}, cxx = false }
  local function append(to, from)
    for _, word in ipairs(from) do to[#to + 1] = word end
  end
  for i, file in ipairs(files) do
    local package, err = core.cgo(file)
    if not package then return nil, err end
    append(parts.exports, package.exports)
    append(parts.visible, package.imports)
    append(parts.visible, package.visible)
    for _, flag in ipairs(package.ldflags) do
      if not not_shared[flag] then parts.ldflags[#parts.ldflags + 1] = flag end
    end
    for k, member in ipairs(package.members) do
      local path = ("%s/%d_%d_%s"):format(dir, i, k, member.name:gsub("[^%w_.]", "_"))
      -- a .syso file can have any name; the linker tells an object by its content
      local ok, why = write_file(path, member.data)
      if not ok then return nil, { code = "io", message = why } end
      parts.members[#parts.members + 1] = path
      parts.cxx = parts.cxx or is_cxx(member.data)
    end
  end
  append(parts.exports, runtime_functions)
  return parts
end

-- The compiler that Go would link with: words, as $CC and `go env CC` can hold flags.
local function compiler(tc, cxx)
  local name = cxx and "CXX" or "CC"
  local job, err = tc:go { "env", name }
  if not job then return nil, err end
  local ok, output, errors = job:wait()
  if not ok then return nil, { code = "toolchain", message = (errors:gsub("%s+$", "")) } end
  local words = {}
  for word in output:gmatch "%S+" do words[#words + 1] = word end
  return words
end

local function link(tc, files, dir)
  local parts, err = extract(files, dir)
  if not parts then return nil, err end
  local argv
  argv, err = compiler(tc, parts.cxx)
  if not argv then return nil, err end
  local script, assembly, library = dir .. "/symbols", dir .. "/jumps.s", dir .. "/cgo.so"
  local ok, why = write_file(script, version_script(parts.visible))
  if ok then ok, why = write_file(assembly, jumps(parts.exports)) end
  if not ok then return nil, { code = "io", message = why } end
  local function add(...)
    for _, word in ipairs { ... } do argv[#argv + 1] = word end
  end
  add("-shared", "-o", library, "-Wl,-z,now", "-Wl,-z,relro", "-Wl,-z,noexecstack", "-Wl,-S",
    "-Wl,-Bsymbolic", "-Wl,--version-script=" .. script, assembly)
  add(unpack(parts.members))
  add(unpack(parts.ldflags))
  add "-lpthread" -- as runtime/cgo has it, for every program
  local job
  job, err = toolchain.start(argv, { merge = true })
  if not job then return nil, err end
  local linked, output = job:wait()
  if not linked then
    return nil, { code = "compile", message = ("the C parts of %s can't be linked by %s: %s"):format(
      table.concat(files, ", "), argv[1], (output:gsub("%s+$", ""))) }
  end
  return library
end

--- Links the C parts of packages into one shared library.
---@param tc goloader.Toolchain  says which C compiler
---@param files string[]  archives of the packages
---@param use fun(library: string): ...  what to do with the library's file, which is gone afterwards
---@return ...  what use returns, or nil and an error
function cgo.link(tc, files, use)
  local dir, err = private_dir()
  if not dir then return nil, err end
  local library
  library, err = link(tc, files, dir)
  local function finish(...)
    remove_dir(dir)
    return ...
  end
  if not library then return finish(nil, err) end
  return finish(use(library))
end

return cgo
