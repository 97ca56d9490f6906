-- Packages by other people, each at work in a module of its own in this process: see README.md beside this file.
--
--     luajit spec/env.lua examples/packages/main.lua
--
-- The first run fetches their sources with the go command and compiles them, which takes a minute or two.

local goloader = require "goloader"

local here = arg[0]:match "^(.*)/[^/]*$" or "."

local function die(err)
  io.stderr:write("packages: ", tostring(err), "\n")
  os.exit(1)
end

local function check(value, err)
  if value == nil then die(err) end
  return value
end

local function say(what, text, ...)
  print(("  %-10s %s"):format(what, text:format(...)))
end

local function kilobytes(n) return ("%.0f kB"):format(n / 1024) end

local host = check(goloader.host())

-- ---- what each does -------------------------------------------------------------------------------------------------

local shows = {}

shows[#shows + 1] = { "web", "gin", function(web)
  local address = check(web.Listen())
  check(web.Request("POST", "/basket", '{"product":"lamp","count":2,"price":24.5}'))
  local refused = check(web.Request("POST", "/basket", '{"product":"chair","count":0}'))
  local basket = check(web.Get(address .. "/basket"))
  check(web.Close())
  return "%s over TCP; a count of 0 is refused with %d", basket.Body, refused.Status
end }

shows[#shows + 1] = { "json", "sonic", function(json)
  local order = [[{"id": 7, "at": "2024-02-29T12:00:00Z", "items": [
    {"name": "lamp", "price": 24.5}, {"name": "sofa", "price": 899}]}]]
  return "coders in machine code: a total of %.2f, and the second item is %s", check(json.Total(order)),
    check(json.Path(order, "items", 1))
end }

shows[#shows + 1] = { "markdown", "goldmark", function(markdown)
  return "%s", check(markdown.HTML "**Now** ~~12.00~~ *9.90* -- see https://example.com"):gsub("%s+$", "")
end }

shows[#shows + 1] = { "zstd", "klauspost/compress", function(zstd)
  local text = ("lamp, chair, sofa; "):rep(5000)
  local packed = check(zstd.Pack(text, 9))
  assert(check(zstd.Unpack(packed)) == text)
  return "%d bytes in %d, and back", #text, #packed
end }

shows[#shows + 1] = { "crypto", "golang.org/x/crypto", function(crypto)
  return "Argon2id %s…, SHA-3 %s…", crypto.Password("password", "somesalt"):sub(1, 16), crypto.Sha3("abc"):sub(1, 16)
end }

shows[#shows + 1] = { "policy", "cel-go", function(policy)
  local ann = { Name = "ann", Roles = { "admin" }, Mail = "ann@example.com", Spent = 120.5, Quotas = {} }
  local rule = [["admin" in user.roles && domain(user.mail) == "example.com"]]
  local wrong = select(2, policy.Allowed("user.name ==", ann, "/")).message
  return "ann is %s; a wrong rule: %s", check(policy.Allowed(rule, ann, "/admin")) and "let in" or "kept out",
    wrong:match "Syntax error: mismatched input '[^']*'"
end }

shows[#shows + 1] = { "bolt", "bbolt", function(bolt)
  local file = os.tmpname()
  os.remove(file)
  check(bolt.Visit(file, { "/lamps", "/lamps", "/chairs" }))
  local sum, counts = check(bolt.Visit(file, { "/lamps" })), check(bolt.Visits(file, "/"))
  os.remove(file)
  return "%d visits in a B+tree, %d of them of /lamps", sum, counts["/lamps"]
end }

shows[#shows + 1] = { "sqlite", "modernc.org/sqlite", function(sqlite)
  local rows = check(sqlite.Query(":memory:", {
    "create table item (name text, price real)",
    "insert into item values ('lamp', 24.5), ('chair', 89), ('sofa', 899)",
  }, "select group_concat(name, ' < '), sum(price) from (select * from item order by price)"))
  return "%s, together %s", rows[1][1], rows[1][2]
end }

shows[#shows + 1] = { "wasm", "wazero", function(wasm)
  check(wasm.Open())
  local primes, fib = check(wasm.Call("sieve", { 1000000 })), check(wasm.Call("fib", { 25 }))
  local trap = select(2, wasm.Call("divide", { 1, 0 })).message
  check(wasm.Close())
  return "%d primes, fib(25) = %d; 1 / 0: %s", primes, fib, trap:match "^[^\n(]*[^\n( ]"
end }

-- ---- all of them, in one process ------------------------------------------------------------------------------------

print ""
local lua = jit and jit.version or _VERSION
print(("  Packages by other people, in %s inside %s"):format(host:info().go_version, lua))
print ""
for _, show in ipairs(shows) do
  local dir, package, run = show[1], show[2], show[3]
  local module = check(host:build(here .. "/" .. dir))
  say(dir, run(module))
  local stats = module:stats()
  say("", "%s: %s in the module, %s that others share", package, kilobytes(stats.text),
    kilobytes(stats.resident_bytes))
  local gone, _, err = module:unload() -- what a package remembers of its users keeps them
  if not gone and err.code ~= "busy" then die(err) end
  say("", gone and "unloaded" or "stays: %s", err and err.message:match "can't be unloaded: (.*)")
end
print ""
