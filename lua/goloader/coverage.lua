--- Coverage of Go by what Lua does with it: `host:build(paths, { cover = "atomic" })`, `module:coverage(file)`.
--
-- Go's own way of counting has the runtime know of each package for ever, and writes files when the process ends. A
-- module is to go before that. So its files are annotated one by one, as `go test` did it before Go 1.20: `go tool
-- cover` puts the counters of each into a variable, which lies in the module and goes with it. The compiler gets the
-- annotated files in place of the others by an overlay, and lines stay what they were.

local places = require "goloader.building.places"
local settings = require "goloader.building.settings"
local targets = require "goloader.building.target"
local json = require "goloader.json"
local toolchain = require "goloader.building.toolchain"

local coverage = {}

coverage.modes = { set = true, count = true, atomic = true }

local PREFIX = "GoloaderCover_"

local function complaint(message) return toolchain.failure(message, "compile") end

-- The package's Go files, as these options and the machine choose them.
local function files_of(tools, target, words)
  local args = { "list", "-f",
    "{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}\n{{end}}{{range .CgoFiles}}{{$d}}/{{.}}\n{{end}}" }
  for _, word in ipairs(words) do args[#args + 1] = word end
  args[#args + 1] = "--"
  for _, arg in ipairs(target.args) do args[#args + 1] = arg end
  local job, err = tools:go(args, { dir = target.dir })
  if not job then return nil, err end
  local ok, output, errors = job:wait()
  if not ok then return nil, complaint(errors) end
  local files = {}
  for file in output:gmatch "[^\n]+" do files[#files + 1] = file end
  return files
end

--- Annotates a package.
---@param tools goloader.Toolchain
---@param paths string[]
---@param options goloader.HostBuildOptions
---@return { words: string[], files: string[], mode: string, remove: fun() }|nil covered  `words`: flags for the build;
---  `remove` is to be called when that is done
---@return goloader.Error|nil err
function coverage.prepare(tools, paths, options)
  local target, err = targets.find(tools, paths)
  if not target then return nil, err end
  local words = {}
  for _, word in ipairs(options.words or {}) do words[#words + 1] = word end
  for _, given in ipairs { words, settings.goflags(tools) } do
    for _, word in ipairs(given) do
      if word:find "^%-%-?overlay" then
        return nil, { code = "unsupported", message = ("flag %s: cover gives the compiler files by an overlay of its "
          .. "own, and there can be one"):format(word) }
      end
    end
  end
  if options.tags and not options.words then words[#words + 1] = "-tags=" .. options.tags end
  local files
  files, err = files_of(tools, target, words)
  if not files then return nil, err end
  if options.gcflags and not options.words then words[#words + 1] = "-gcflags=" .. options.gcflags end

  local made, replace = {}, {}
  local function new_file()
    local file, why = places.new_file()
    made[#made + 1] = file
    return file, why
  end
  local function remove()
    for _, file in ipairs(made) do os.remove(file) end
  end
  for i, file in ipairs(files) do
    local annotated, why = new_file()
    local job
    if annotated then
      job, why = tools:go { "tool", "cover", "-mode=" .. options.cover, "-var=" .. PREFIX .. i, "-o", annotated, file }
    end
    local ok, errors = false, nil
    if job then
      local output
      ok, output, errors = job:wait()
      errors = errors ~= "" and errors or output
    end
    if not ok then
      remove()
      return nil, job and complaint(errors) or why
    end
    replace[i] = json.quote(file) .. ":" .. json.quote(annotated)
  end
  local overlay, ok
  overlay, err = new_file()
  if overlay then ok, err = toolchain.write_file(overlay, ('{"Replace":{%s}}'):format(table.concat(replace, ","))) end
  if not ok then
    remove()
    return nil, err
  end
  words[#words + 1] = "-overlay=" .. overlay
  return { words = words, files = files, remove = remove, mode = options.cover }
end

--- Is it the name of a variable with counters?
---@param name string
---@return boolean
function coverage.is_counter(name)
  return name:find("^" .. PREFIX .. "%d+$") ~= nil
end

--- The profile, as `go test -coverprofile` writes it.
---@param covered { files: string[], mode: string }
---@param read fun(name: string): table  a variable of the module's
---@return string
function coverage.profile(covered, read)
  local lines = { "mode: " .. covered.mode }
  for i, file in ipairs(covered.files) do
    local counters = read(PREFIX .. i)
    local at = counters.Pos
    for n, count in ipairs(counters.Count) do
      -- line and line, column and column in half a word each
      local columns = at[3 * n]
      local from = columns % 65536
      lines[#lines + 1] = ("%s:%d.%d,%d.%d %d %d"):format(file, at[3 * n - 2], from, at[3 * n - 1],
        (columns - from) / 65536, counters.NumStmt[n], count)
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

return coverage
