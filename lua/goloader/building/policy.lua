--- Which packages a module may import.
--
-- A policy judges imports: those of the packages that are loaded, their own and third-party ones, but not those that
-- standard packages make of each other. That a module's packages import each other needs no leave. What is refused is
-- found before anything is compiled or loaded, and named with the chain of imports that leads to it.

local errors = require "goloader.errors"
local nearest = require "goloader.nearest"

local policy = {}

local RULES = { allow = true, deny = true }

---@class goloader.PolicyRules
---@field allow string[]|nil  when given, nothing else may be imported
---@field deny string[]|nil  may not be imported, whatever `allow` says

--- Answers true, or false with a reason.
---@alias goloader.Judge fun(import_path: string, importer: string): boolean, string|nil

--- Patterns are import paths as the go command spells them: "os/exec", "net/..." (net and all below it), "unsafe", "C"
--- (parts in C), "std" (the standard library), "..." (everything).
---@alias goloader.Policy goloader.PolicyRules|goloader.Judge

--- What is known of a package that takes part.
---@class goloader.PolicyPackage
---@field imports string[]
---@field own boolean|nil  one of the module's: it may be imported without leave
---@field standard boolean|nil  its own imports are not judged

-- "net/..." is net and all below it; "..." elsewhere stands for any text (go help packages).
local function compile_pattern(pattern)
  local lua = pattern:gsub("[%-%.%+%[%]%(%)%$%^%%%?%*]", "%%%0"):gsub("%%%.%%%.%%%.", ".*")
  local parent = lua:match "^(.*)/%.%*$"
  return function(path, standard)
    if pattern == "std" then return standard end
    return path:find("^" .. lua .. "$") ~= nil or parent ~= nil and path:find("^" .. parent .. "$") ~= nil
  end
end

local function compile_patterns(rules, field)
  local patterns = rules[field]
  if patterns == nil then return nil end
  if type(patterns) ~= "table" then
    return nil, ("%s: a list of patterns expected, got %s"):format(field, type(patterns))
  end
  local compiled = {}
  for i, pattern in ipairs(patterns) do
    if type(pattern) ~= "string" or pattern == "" then
      return nil, ("%s: pattern #%d: a string expected, got %s"):format(field, i, type(pattern))
    end
    compiled[i] = { text = pattern, matches = compile_pattern(pattern) }
  end
  return compiled
end

local function find_match(patterns, path, standard)
  for _, pattern in ipairs(patterns) do
    if pattern.matches(path, standard) then return pattern.text end
  end
end

--- Makes a function of a policy: `judge(import_path, importer, standard)`.
---@param rules goloader.Policy
---@return (fun(import_path: string, importer: string, standard: boolean): boolean, string|nil)|nil judge
---@return string|nil misuse  what is wrong with the rules
function policy.compile(rules)
  if type(rules) == "function" then
    return function(path, importer)
      local ok, reason = rules(path, importer)
      return ok and true or false, reason
    end
  end
  if type(rules) ~= "table" then return nil, "a function or a table expected, got " .. type(rules) end
  for key in pairs(rules) do
    if not RULES[key] then
      local near = nearest(key, RULES)
      local hint = near and ("; did you mean %s?"):format(near) or ": allow, deny"
      return nil, ("there is no rule %s%s"):format(errors.shown(key), hint)
    end
  end
  local allow, deny, why
  allow, why = compile_patterns(rules, "allow")
  if why then return nil, why end
  deny, why = compile_patterns(rules, "deny")
  if why then return nil, why end
  return function(path, _, standard)
    local denied = deny and find_match(deny, path, standard)
    if denied then return false, ("deny %q"):format(denied) end
    if allow and not find_match(allow, path, standard) then return false, "no pattern allows it" end
    return true
  end
end

local function refuse(path, reason, importer, parents)
  local chain, at = { path }, importer
  while at do
    table.insert(chain, 1, at)
    at = parents[at]
  end
  return nil, {
    code = "policy",
    message = ("the policy refuses the import of %s%s: %s"):format(path, reason and " (" .. reason .. ")" or "",
      table.concat(chain, " imports ")),
    package = path,
    chain = chain,
  }
end

--- Judges all imports that lead from a package.
---@param judges (fun(import_path: string, importer: string, standard: boolean): boolean, string|nil)[]
---@param roots string[]  import paths of the packages to begin with
---@param packages table<string, goloader.PolicyPackage>  all that is known, by import path
---@return true|nil
---@return goloader.Error|nil err  code "policy"
function policy.check(judges, roots, packages)
  local queue, seen, parents = {}, {}, {}
  for i, root in ipairs(roots) do
    queue[i], seen[root] = root, true
  end
  local at = 1
  while queue[at] do
    local importer = queue[at]
    at = at + 1
    for _, path in ipairs(packages[importer].imports) do
      local package = packages[path] or { imports = {} }
      for _, judge in ipairs(package.own and {} or judges) do
        local ok, reason = judge(path, importer, package.standard or path == "unsafe")
        if not ok then return refuse(path, reason, importer, parents) end
      end
      if not seen[path] and packages[path] and not package.standard then
        seen[path], parents[path] = true, importer
        queue[#queue + 1] = path
      end
    end
  end
  return true
end

---@class goloader.ObjectImports
---@field path string  of the package
---@field imports string[]
---@field shared boolean|nil  a third-party package in a shipped module

--- What is known of packages that are compiled already. That one of them imports "unsafe" can't be seen.
---@param files { file: string, package: string|nil }[]  the module's own, or a shipped module
---@param archives table<string, string>  files of third-party packages, by import path
---@param imports_of fun(file: string, package: string|nil): goloader.ObjectImports[]|nil, goloader.Error|nil
---@param is_standard fun(path: string): boolean
---@return string[]|nil roots
---@return table<string, goloader.PolicyPackage>|goloader.Error packages  or the error
function policy.read_objects(files, archives, imports_of, is_standard)
  local roots, packages, queue = {}, {}, {}
  for _, file in ipairs(files) do
    local found, err = imports_of(file.file, file.package)
    if not found then return nil, err end
    for _, package in ipairs(found) do
      packages[package.path] = { imports = package.imports, own = not package.shared,
        standard = package.shared and is_standard(package.path) }
      queue[#queue + 1] = package.path
      if not package.shared then roots[#roots + 1] = package.path end
    end
  end
  local at = 1
  while queue[at] do
    for _, path in ipairs(packages[queue[at]].imports) do
      local archive = not packages[path] and archives[path]
      if not packages[path] and is_standard(path) then
        packages[path] = { imports = {}, standard = true }
      elseif archive then
        local found, err = imports_of(archive)
        if not found then return nil, err end
        packages[path] = { imports = found[1].imports }
        queue[#queue + 1] = path
      end
    end
    at = at + 1
  end
  return roots, packages
end

return policy
