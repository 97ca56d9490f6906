-- What the figures share: commands, files, medians. It needs no goloader: processes that are measured from their start
-- use it too.

local tools = {}

local function quote(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

--- Runs a command and returns what it prints; the bench ends when it fails.
function tools.run(...)
  local words = {}
  for i, word in ipairs { ... } do words[i] = quote(word) end
  local command = table.concat(words, " ")
  local pipe = assert(io.popen(command .. "; echo \"status $?\""))
  local text = pipe:read "*a"
  pipe:close()
  local output, status = text:match "^(.*)status (%d+)\n$"
  if status ~= "0" then error(command .. ": exit " .. tostring(status) .. "\n" .. text, 0) end
  return output
end

function tools.numbers(text)
  local list = {}
  for word in text:gmatch "%S+" do list[#list + 1] = assert(tonumber(word), text) end
  return list
end

function tools.lines(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do list[#list + 1] = line end
  return list
end

-- What is asked of a file, which is open meanwhile.
local function of_file(path, ask)
  local file = assert(io.open(path, "rb"))
  local answer = ask(file)
  file:close()
  return answer
end

function tools.read(path) return of_file(path, function(file) return file:read "*a" end) end

function tools.size(path) return of_file(path, function(file) return file:seek "end" end) end

function tools.write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  assert(file:close())
end

function tools.median(list)
  table.sort(list)
  local middle = (#list + 1) / 2
  return (list[math.floor(middle)] + list[math.ceil(middle)]) / 2
end

--- Resident memory of this process in bytes.
function tools.resident()
  return tonumber(tools.read "/proc/self/statm":match "^%d+ (%d+)") * 4096
end

return tools
