-- One package of random types, built, loaded, called in every way, and unloaded.
local goloader = require "goloader"
local make_package = require "spec.bench.types.package"
local shown = require "spec.bench.types.random".shown

local unpack = rawget(table, "unpack") or unpack

local calls, found = 0, 0

local function report(what, difference)
  found = found + 1
  if found <= 10 then io.write(what, ": ", difference, "\n") end
end

-- What a call returns; nil and the message where it raises.
local function try(what, f, ...)
  calls = calls + 1
  local results = { pcall(f, ...) }
  if not results[1] then
    report(what, "raises " .. tostring(results[2]):sub(1, 1000))
    return nil
  end
  return results, 1
end

-- Calls what says by a text how what it got differs from what it should have.
local function says_nothing(what, f, ...)
  local results = try(what, f, ...)
  if results and results[2] ~= "" then report(what, shown(results[2])) end
  return results
end

local function compare(what, t, got, value)
  local difference = t.same(got, value)
  if difference then report(what, "Lua has " .. difference) end
end

local function compare_all(what, list, results, offset, values)
  for i, t in ipairs(list) do compare(("%s: #%d"):format(what, i), t, results[offset + i], values[i]) end
end

local function arguments_of(fn, n)
  local list, count = { n - 1 }, 1 + #fn.params
  for i = 1, #fn.params do list[1 + i] = fn.arguments[n][i] end
  if fn.rest then
    for i = 1, #fn.more do list[count + i] = fn.more[i][1] end
    count = count + #fn.more
  end
  return list, count
end

local function each_type(m, package)
  for i, t in ipairs(package.types) do
    local function label(way, n) return ("%s%d %s value %d"):format(way, i, t.go, n) end
    for n, set in ipairs(package.given[i]) do
      local value = set[1]
      says_nothing(label("Give", n), m["Give" .. i], n - 1, value)
      local back = try(label("Echo", n), m["Echo" .. i], value)
      if back then compare(label("Echo", n), t, back[2], value) end
      if try(label("Var", n), function() m["Var" .. i] = value end) then
        says_nothing(label("Look", n), m["Look" .. i], n - 1)
        local read = try(label("Var", n), function() return m["Var" .. i] end)
        if read then compare(label("Var", n), t, read[2], value) end
      end
      if value ~= nil and not t.nilable then
        local made = try(label("new", n), m.new, m, t.name, value)
        if made then
          local h = made[2]
          says_nothing(label("Give a handle", n), m["Give" .. i], n - 1, h)
          local copy = try(label("copy", n), h.copy, h)
          if copy and t.fields then compare(label("copy", n), t, copy[2], value) end
          local set_again = try(label("set", n), function() h:set(value) end)
          if set_again then says_nothing(label("Give what was set", n), m["Give" .. i], n - 1, h) end
        end
        if t.fields then
          local empty = try(label("new", n), m.new, m, t.name)
          if empty then
            for _, field in ipairs(t.fields) do
              if value[field.name] ~= nil then
                try(label("set " .. field.name, n), function() empty[2][field.name] = value[field.name] end)
                local read = try(label("get " .. field.name, n), function() return empty[2][field.name] end)
                if read then compare(label("get " .. field.name, n), field.type, read[2], value[field.name]) end
              end
            end
            says_nothing(label("Give what has its fields set", n), m["Give" .. i], n - 1, empty[2])
          end
        end
      end
    end
    for n, set in ipairs(package.taken[i]) do
      local got = try(label("Take", n), m["Take" .. i], n - 1)
      if got then
        compare(label("Take", n), t, got[2], set[1])
        local value = got[2]
        if t.methods and (type(value) == "table" or type(value) == "userdata") and not t.bare
          and not t.holds_any then
          local said = try(label("Text of taken", n), function() return value:Text() end)
          local dump = m["Dump" .. i](n - 1)
          -- nil and empty slices are the same to Lua
          if said and said[2]:gsub("nil", "[]"):gsub("{}", "[]") ~= dump:gsub("nil", "[]"):gsub("{}", "[]") then
            report(label("Text of taken", n), said[2] .. " instead of " .. dump)
          end
        end
      end
      local kept = try(label("keep", n), m["Take" .. i].keep, m["Take" .. i], n - 1)
      if kept then
        compare(label("keep", n), t, kept[2], set[1])
      end
    end
  end
end

local function each_mixed(m, package)
  local keeper, methods = m.NewKeeper(), 0
  for j, fn in ipairs(package.mixed) do
    if fn then
      local call = m["Mixed" .. j]
      for n = 1, #package.taken[1] do
        local list, count = arguments_of(fn, n)
        local what = ("Mixed%d value %d"):format(j, n)
        local results = says_nothing(what, call, unpack(list, 1, count))
        if results then compare_all(what, fn.results, results, 2, fn.values[n]) end
        local job = try(what .. " async", call.async, call, unpack(list, 1, count))
        if job then
          results = says_nothing(what .. " wait", job[2].wait, job[2])
          if results then compare_all(what .. " wait", fn.results, results, 2, fn.values[n]) end
        end
        what, methods = what .. " as a method", methods + 2
        results = says_nothing(what, keeper["Mixed" .. j], keeper, unpack(list, 1, count))
        if results then compare_all(what, fn.results, results, 2, fn.values[n]) end
        job = try(what .. " async", keeper.async, keeper, "Mixed" .. j, unpack(list, 1, count))
        if job then
          results = says_nothing(what .. " wait", job[2].wait, job[2])
          if results then compare_all(what .. " wait", fn.results, results, 2, fn.values[n]) end
        end
      end
    end
  end
  if keeper:Calls() ~= methods then report("Keeper", keeper:Calls() .. " calls instead of " .. methods) end
end

local function each_called(m, package)
  for j, fn in ipairs(package.called) do
    if fn then
      for n = 1, #package.taken[1] do
        local what = ("Called%d value %d"):format(j, n)
        says_nothing(what, m["Called" .. j], n - 1, function(...)
          compare_all(what .. " in Lua", fn.params, { ... }, 0, fn.arguments[n])
          if select("#", ...) ~= #fn.params then report(what, select("#", ...) .. " arguments") end
          return unpack(fn.values[n], 1, #fn.results)
        end)
      end
    end
  end
end

local function each_flat(m, package)
  for j, fn in ipairs(package.flat) do
    local call, what = m["Flat" .. j], "Flat" .. j
    for round = 1, 90 do
      local n = round % #fn.arguments + 1
      local list = fn.arguments[n]
      local results = try(what, call, unpack(list, 1, #fn.params))
      if not results then break end
      for i, place in ipairs(fn.returned) do
        compare(("%s round %d: #%d %s"):format(what, round, i, fn.results[i].go), fn.results[i], results[1 + i],
          list[place])
      end
      if found > 10 then break end
    end
    if #fn.params == 1 and fn.params[1].go ~= "error" then
      local list = {}
      for n, set in ipairs(fn.arguments) do list[n] = set[1] end
      local mapped = try(what .. " map", call.map, call, list)
      if mapped then
        for n, set in ipairs(fn.arguments) do
          compare(what .. " map", fn.params[1], mapped[2][n], set[1])
        end
      end
    end
  end
end

return function(seed, file)
  math.randomseed(seed)
  local package = make_package()
  local f = assert(io.open(file, "w"))
  f:write(package.text)
  assert(f:close())
  local host = assert(goloader.host())
  local m = assert(host:build(file))
  each_type(m, package)
  each_mixed(m, package)
  each_called(m, package)
  each_flat(m, package)
  for _ = 1, 3 do collectgarbage() end
  local gone, err = m:unload()
  if not gone then report("unload", tostring(err)) end
  io.write(calls, " calls\n")
  os.exit(found == 0 and 0 or 1)
end
