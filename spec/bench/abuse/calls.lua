-- What there is to call, and what it may be given: a list of calls for spec/bench/abuse.lua.
--
-- A call names what it is a method of (nil: a field of goloader itself), and the kinds of its arguments. An argument
-- with a "!" is always right, or missing: a wrong one would be right to block for ever, or do harm.

local calls = {}

local function of(class, list)
  for line in list:gmatch "[^\n]+" do
    local name, args = line:match "^%s*(%S+)%s*(.-)%s*$"
    local call = { class = class, name = name, args = {}, refuses = not args:find "%+" }
    for arg in args:gmatch "[^%s%+]+" do call.args[#call.args + 1] = arg end
    if name then calls[#calls + 1] = call end
  end
end

-- "+" behind the arguments: what it returns is Go's, so nil and something else need not be a refusal.
of(nil, [[
  host hostoptions
  host_path
  default_host
  launcher_path
  core_path
  manifest file
  verify file key
  sign copy secret newfile
  keygen newfile newfile
  audit file
  nm file desc
  disasm file symbol desc
  stats statsoptions
  dump
  profile profile newfile
  fd
  step timeout!
  spawn callback any any +
  next_timeout
  same any +
  std path
]])
of("host", [[
  info
  stats
  toolchain
  add_archive path file string
  policy rules
  load file loadoptions
  load file loadoptions
  build file buildoptions
  ship file newfile shipoptions
  audit file buildoptions
  watch file watchoptions
  share string module
  shared string maker
  replace module newmodule replaceoptions
  tidy
  std path
  modules
]])
of("module", [[
  unload unloadoptions
  is_loaded
  ref variable
  new type any +
  instantiate instance
  exports
  symbols
  disassemble symbol
  explain symbol
  coverage newfile
  stats
  set_string symbol string
]])
of("func", [[
  map array any +
  each array any +
  async any any +
  async_keep any any +
  keep any any +
  road road
  explain
  stats
]])
of("generic", [[
  map array array +
  each array array +
  async number number +
  async_keep number number +
  keep number number +
  explain
  road
]])
of("job", [[
  wait timeout! +
  done
  cancel
  on_done callback
]])
of("handle", [[
  get key +
  set key any +
  type
  copy +
  release
  pairs +
  keep method any any +
  map method array any +
  each method array any +
  async method any any +
  explain method
  send any timeout! +
  recv timeout! +
  close +
]])
of("watched", [[
  poll callback +
  reload callback +
  next_timeout
  fd
  close
]])
of("error", [[
  is error +
  as errortype +
  unwrap +
]])
of("profile", [[
  stop newfile
]])

return calls
