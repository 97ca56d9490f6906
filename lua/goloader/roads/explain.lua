--- Which road a function's calls take, and why not a faster one: what `goloader explain` prints.
--
-- The FFI road goes by a function's types alone. The pure path (src/call/pure/pure.h) goes by its code too: every
-- instruction of the function, and of what it calls, that needs Go's runtime has a remark in the listing.

local explain = {}

local has_ffi = pcall(require, "ffi")

---@class goloader.Remarked: goloader.Instruction
---@field remark string|nil  why this instruction forbids the pure path

---@class goloader.Explanation
---@field name string  the symbol's: "main.Render"
---@field export string|nil  its name to Lua; nil: only Go calls it, and nothing is known of its types
---@field road nil|"pure"|"ffi"|"capi"  of an export
---@field ffi string[]  why not the FFI road, by its types
---@field pure string[]  why not the pure path, by its types
---@field holds boolean  nothing in the code forbids the pure path
---@field functions { name: string, instructions: goloader.Remarked[] }[]  itself, then what it calls that forbids it
local Explanation = {}
Explanation.__index = Explanation

local roads = { pure = "the pure path", ffi = "the FFI road", capi = "the C API road" }

local function add(lines, format, ...)
  lines[#lines + 1] = (format:format(...):gsub("%s+$", ""))
end

local function add_reasons(lines, what, reasons)
  if not reasons[1] then return end
  add(lines, "not %s:", what)
  for _, reason in ipairs(reasons) do add(lines, "  %s", reason) end
end

local function add_instruction(lines, at)
  local comment = at.comment and "  ; " .. at.comment or ""
  add(lines, "%s %s  %-24s %-8s %s%s", at.remark and "!" or " ", at.addr, at.bytes, at.mnemonic, at.operands, comment)
  if at.remark then add(lines, "    ^ %s", at.remark) end
end

-- Of what is called only the lines that matter: it may be much.
local MOST_CALLED = 20

-- A call of one of those functions is a reason too.
local function mark_calls(functions)
  local called = {}
  for i = 2, #functions do called[functions[i].name] = true end
  for _, fn in ipairs(functions) do
    for _, at in ipairs(fn.instructions) do
      if not at.remark and (at.mnemonic == "call" or at.mnemonic == "jmp") and called[at.comment] then
        at.remark = ("calls %s, which forbids it"):format(at.comment)
      end
    end
  end
end

local function add_functions(lines, functions)
  for i, fn in ipairs(functions) do
    if i > MOST_CALLED then
      add(lines, "… and %d more functions that forbid it", #functions - MOST_CALLED)
      break
    end
    add(lines, i == 1 and "%s:" or "%s, which is called:", fn.name)
    for _, at in ipairs(fn.instructions) do
      if i == 1 or at.remark then add_instruction(lines, at) end
    end
  end
end

function Explanation:__tostring()
  local lines = {}
  if self.export then
    add(lines, "%s takes %s", self.name, roads[self.road])
  else
    add(lines, "%s is no export: it belongs to whatever calls it, and is taken for one that is lent all it gets",
      self.name)
  end
  if self.road == "capi" then
    local none = has_ffi and "it was told so" or "this Lua has no FFI"
    add_reasons(lines, "the FFI road", self.ffi[1] and self.ffi or { none })
  end
  if self.road ~= "pure" then
    add_reasons(lines, "the pure path", self.pure)
    if self.holds then
      add(lines, "%s forbids the pure path", self.pure[1] and "nothing else" or "nothing in its code")
    else
      add(lines, "%s the pure path, by what is marked:", self.pure[1] and "nor" or "not")
    end
  end
  add_functions(lines, self.functions)
  return table.concat(lines, "\n")
end

--- What core's explain gave, as an explanation.
---@param found table
---@param road nil|"pure"|"ffi"|"capi"
---@return goloader.Explanation
function explain.new(found, road)
  found.road = road
  mark_calls(found.functions)
  return setmetatable(found, Explanation)
end

return explain
