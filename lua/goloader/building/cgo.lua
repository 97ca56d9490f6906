--- The C parts of packages: from the objects that cgo and the C compiler have left in Go's archives to a shared library
-- that can be loaded (src/link/clib.c says what for).
--
-- All packages that need each other go into one library, as they would into one program. Of its symbols nobody sees any
-- but those that Go refers to. Those stand in a table of names and addresses, too, because C may hide them even from
-- the dynamic linker (-fvisibility=hidden). What C calls of Go has no address yet, so each such function gets a jump
-- through another table, which the library's loader fills in. The same library serves any process then, and is kept in
-- a cache.

local lfs = require "lfs"

local unpack = rawget(table, "unpack") or unpack
local core = require "goloader.core"
local places = require "goloader.building.places"
local settings = require "goloader.building.settings"
local toolchain = require "goloader.building.toolchain"

local read_file, write_file = toolchain.read_file, toolchain.write_file

local cgo = {}

-- What C calls of the runtime: cmd/cgo's own code (cmd/cgo/out.go), SWIG's, and what runtime/cgo promises to C
-- (runtime/cgo/libcgo.h). Whether the host has it all depends on its Go.
local runtime_functions = {
  "crosscall2", "_cgo_get_context_function", "_cgo_panic", "_cgo_release_context", "_cgo_topofstack",
  "_cgo_wait_runtime_init_done",
}

local link_flags = {
  "-shared", "-Wl,-z,now", "-Wl,-z,relro", "-Wl,-z,noexecstack",
  "-Wl,-S", -- debugging information of a file that is gone helps nobody
  "-Wl,-Bsymbolic", -- a namesake in the program that loads the library must not come between
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

-- ---- what is to be linked -----------------------------------------------------------------------------------------

---@class goloader.cgo.Parts
---@field package members string[]  C objects, as they are
---@field package exports string[]  what C refers to and Go defines
---@field package imports string[]  what Go refers to and C defines
---@field package visible string[]  what others than the library itself refer to
---@field package ldflags string[]
---@field package cxx boolean

-- Reads the C parts of packages, and says how they are to be linked, with these flags, too.
local function read_parts(files, ldflags)
  local parts = { members = {}, exports = {}, imports = {}, visible = {}, ldflags = {}, cxx = false }
  local function append(to, from)
    for _, word in ipairs(from) do to[#to + 1] = word end
  end
  local function append_shared(flags)
    for _, flag in ipairs(flags) do
      if not not_shared[flag] then parts.ldflags[#parts.ldflags + 1] = flag end
    end
  end
  for _, file in ipairs(files) do
    local package, err = core.cgo(file)
    if not package then return nil, err end
    append(parts.exports, package.exports)
    append(parts.imports, package.imports)
    append(parts.visible, package.imports)
    append(parts.visible, package.visible)
    append_shared(package.ldflags)
    for _, member in ipairs(package.members) do
      parts.members[#parts.members + 1] = member.data
      parts.cxx = parts.cxx or is_cxx(member.data)
    end
  end
  append_shared(ldflags)
  append(parts.exports, runtime_functions)
  return parts
end

-- Assembly of what Go refers to: pairs of a name and an address. What is defined nowhere has address 0.
local function addresses(names)
  local lines = {}
  local function add(format, ...) lines[#lines + 1] = format:format(...) end
  add '\t.section .rodata'
  for i, name in ipairs(names) do add('.Lc%d:\t.asciz "%s"', i, name) end
  add '\t.data'
  add '\t.balign 8'
  add '\t.globl goloader_c_symbols'
  add 'goloader_c_symbols:'
  for i, name in ipairs(names) do
    add('\t.weak "%s"', name)
    add('\t.quad .Lc%d, "%s"', i, name)
  end
  add '\t.quad 0, 0'
  add ""
  return table.concat(lines, "\n")
end

-- Assembly of the jumps and their table.
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
  local lines = { "{", "global:", "goloader_go_names;", "goloader_go_slots;", "goloader_c_symbols;" }
  for _, name in ipairs(names) do lines[#lines + 1] = ('"%s";'):format(name) end
  lines[#lines + 1] = "local: *;\n};\n"
  return table.concat(lines, "\n")
end

-- ---- the cache ----------------------------------------------------------------------------------------------------

local CACHED = 64 -- libraries that are kept

-- Where the library is kept; nil when it depends on more than its parts: on files that the user may change.
local function cached_name(tc, parts, program)
  for _, flag in ipairs(parts.ldflags) do
    if flag:find("/", 1, true) or flag:find "^%-L" or flag:find "%.[ao]$" then return nil end
  end
  local linker = program and "program " .. table.concat(program.linker or {}, "\n") or ""
  local key = core.hash(jumps(parts.exports), addresses(parts.imports), version_script(parts.visible),
    table.concat(link_flags, " "), linker, table.concat(parts.ldflags, "\n"), tc.goroot, settings.get(tc, "CC"),
    settings.get(tc, "CXX"), unpack(parts.members))
  local dir = places.cache()
  return dir and dir .. "/cgo-" .. key:sub(1, 32) .. ".so"
end

-- Throws away what has not been used for longest.
local function trim_cache(dir)
  local found = {}
  for entry in lfs.dir(dir) do
    if entry:find "^cgo%-.*%.so$" then
      local path = dir .. "/" .. entry
      found[#found + 1] = { path = path, used = lfs.attributes(path, "modification") or 0 }
    end
  end
  table.sort(found, function(a, b) return a.used > b.used end)
  for i = CACHED + 1, #found do os.remove(found[i].path) end
end

-- A cache that can't be written to is none.
local function keep(library, cached)
  local beside = ("%s.%s"):format(cached, library:match "goloader%.(%w+)/" or "new")
  local data = read_file(library)
  if data and write_file(beside, data) and os.rename(beside, cached) then
    return trim_cache(cached:match "^(.*)/")
  end
  os.remove(beside)
end

-- ---- linking ------------------------------------------------------------------------------------------------------

-- The compiler that Go would link with: words, as $CC and `go env CC` can hold flags.
local function compiler(tc, cxx)
  local job, err = tc:go { "env", cxx and "CXX" or "CC" }
  if not job then return nil, err end
  local ok, output, errors = job:wait()
  if not ok then return nil, toolchain.failure(errors, "toolchain") end
  local words = {}
  for word in output:gmatch "%S+" do words[#words + 1] = word end
  return words
end

-- Links into dir/cgo.so.
local function link(tc, files, parts, dir, program)
  local argv, err
  if program and program.linker then argv = { unpack(program.linker) } else argv, err = compiler(tc, parts.cxx) end
  if not argv then return nil, err end
  local inputs = {
    symbols = version_script(parts.visible),
    ["jumps.s"] = jumps(parts.exports) .. addresses(parts.imports),
  }
  local function add(word) argv[#argv + 1] = word end
  local library = dir .. "/cgo.so"
  for _, flag in ipairs(link_flags) do add(flag) end
  -- a library may refer to what the process has that loads it; of a program nothing may be missing
  if program then add "-Wl,-z,defs" end
  add("-Wl,--version-script=" .. dir .. "/symbols")
  add "-o"
  add(library)
  add(dir .. "/jumps.s")
  for i, data in ipairs(parts.members) do
    local name = ("%d.o"):format(i)
    inputs[name] = data
    add(dir .. "/" .. name)
  end
  -- the table's references are weak: these have the linker look into static libraries all the same
  local wanted = {}
  for _, name in ipairs(parts.imports) do wanted[#wanted + 1] = "-u\n" .. name .. "\n" end
  inputs.wanted = table.concat(wanted)
  add("-Wl,@" .. dir .. "/wanted")
  for _, flag in ipairs(parts.ldflags) do add(flag) end
  add "-lpthread" -- as runtime/cgo has it, for every program
  for name, data in pairs(inputs) do
    local ok, why = write_file(dir .. "/" .. name, data)
    if not ok then return nil, why end
  end
  local job
  job, err = toolchain.start(argv, { merge = true })
  if not job then return nil, err end
  local ok, output = job:wait()
  if not ok then
    return nil, toolchain.failure(output, "compile", ("the C parts of %s can't be linked by %s: "):format(
      program and program.name or table.concat(files, ", "), argv[1]))
  end
  return library, nil, output
end

local function link_or_find(tc, files, dir, program)
  local parts, err = read_parts(files, program and program.ldflags or {})
  if not parts then return nil, err end
  local cached = cached_name(tc, parts, program)
  local data = cached and read_file(cached)
  if not data then
    local library, why, warnings = link(tc, files, parts, dir, program)
    if library and cached then keep(library, cached) end
    return library, why, warnings
  end
  lfs.touch(cached)
  -- each module loads a file of its own: the system takes two of the same file for one library
  local library = dir .. "/cgo.so"
  local ok, why = write_file(library, data)
  return ok and library, why
end

-- A program that is linked as Go's linker is told to.
---@class goloader.cgo.Program
---@field name string
---@field linker string[]|nil  C's, in the place of the usual one
---@field ldflags string[]  for it

--- Links the C parts of packages into one shared library.
---@param tc goloader.Toolchain  says which C compiler
---@param files string[]  archives of the packages
---@param use fun(library: string, warnings: string): ...  what to do with the library's file, which is gone afterwards;
---  the linker may have said something of it, though it did not fail
---@param program goloader.cgo.Program|nil  whose packages they are
---@return ...  what use returns, or nil and an error
function cgo.link(tc, files, use, program)
  local dir, err = toolchain.private_dir()
  if not dir then return nil, err end
  local library, warnings
  library, err, warnings = link_or_find(tc, files, dir, program)
  local function finish(...)
    toolchain.remove_dir(dir)
    return ...
  end
  if not library then return finish(nil, err) end
  return finish(use(library, warnings or ""))
end

return cgo
