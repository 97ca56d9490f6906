--- What debug/buildinfo and `go version -m` find in an executable: which Go made it, of which modules, with which
--- settings.
--
-- Go's linker puts that in a section of its own, which is loaded with the others. A program of ours is a copy of the
-- launcher, with as much behind it as one likes. So a table of sections is put there that has one more, and a program
-- header for notes is made to lead to the same place: nothing that loads the file looks at either. (debug/buildinfo;
-- cmd/link/internal/ld, buildinfo)

local buildinfo = {}

-- Offsets in the heads of an ELF file (elf(5)), of 64 bits, little end first.
local PHOFF, SHOFF, PHNUM, SHNUM, SHSTRNDX = 0x20, 0x28, 0x38, 0x3c, 0x3e
local PROGRAM_HEADER, SECTION_HEADER = 56, 64
local PT_NULL, PT_NOTE, SHT_PROGBITS = 0, 4, 1

-- Where the section says that it lies in memory: nothing else does.
local ADDRESS = 2 ^ 46
local NAME = ".go.buildinfo"

local function number(text, at, size)
  local value = 0
  for i = size, 1, -1 do value = value * 256 + text:byte(at + i) end
  return value
end

local function bytes(value, size)
  local out = {}
  for i = 1, size do
    out[i] = string.char(value % 256)
    value = math.floor(value / 256)
  end
  return table.concat(out)
end

local function put(text, at, new)
  return text:sub(1, at) .. new .. text:sub(at + #new + 1)
end

local function fill(text, multiple)
  return text .. ("\0"):rep(-#text % multiple)
end

-- A string behind its length (encoding/binary, Uvarint).
local function counted(text)
  local length, n = "", #text
  while n >= 128 do
    length = length .. string.char(128 + n % 128)
    n = math.floor(n / 128)
  end
  return length .. string.char(n) .. text
end

local function find_notes(text)
  local first = number(text, PHOFF, 8)
  for i = 0, number(text, PHNUM, 2) - 1 do
    local at = first + i * PROGRAM_HEADER
    if number(text, at, 4) == PT_NOTE then return at end
  end
end

--- An executable with that information added; unchanged where it has no place for it.
---@param text string  what is in the executable
---@param version string  "go1.26.8"
---@param modinfo string  as the go command gives it to its linker
---@return string text
function buildinfo.add(text, version, modinfo)
  if text:sub(1, 6) ~= "\127ELF\2\1" then return text end
  local first, n, segment = number(text, SHOFF, 8), number(text, SHNUM, 2), find_notes(text)
  if n == 0 or #text < first + n * SECTION_HEADER or not segment then return text end
  local sections = text:sub(first + 1, first + n * SECTION_HEADER)
  local names = number(text, SHSTRNDX, 2) * SECTION_HEADER
  local names_at, names_size = number(sections, names + 24, 8), number(sections, names + 32, 8)

  -- something must come behind the last string, or Go 1.21 takes it for cut off
  local info = fill(fill("\255 Go buildinf:\8\2", 32) .. counted(version) .. counted(modinfo) .. "\0", 16)
  local info_at = #fill(text, 16)
  local names_of_all = text:sub(names_at + 1, names_at + names_size) .. NAME .. "\0"
  text = fill(text, 16) .. info
  sections = put(sections, names + 24, bytes(#text, 8) .. bytes(#names_of_all, 8))
  text = fill(text .. names_of_all, 8)
  text = put(text, SHOFF, bytes(#text, 8))
  text = put(text, SHNUM, bytes(n + 1, 2))
  text = text .. sections .. bytes(names_size, 4) .. bytes(SHT_PROGBITS, 4) .. bytes(0, 8) .. bytes(ADDRESS, 8)
    .. bytes(info_at, 8) .. bytes(#info, 8) .. bytes(0, 8) .. bytes(16, 8) .. bytes(0, 8)
  return put(text, segment, bytes(PT_NULL, 4) .. bytes(4, 4) .. bytes(info_at, 8) .. bytes(ADDRESS, 8)
    .. bytes(ADDRESS, 8) .. bytes(#info, 8) .. bytes(#info, 8) .. bytes(16, 8))
end

return buildinfo
