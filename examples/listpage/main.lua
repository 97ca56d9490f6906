-- `make run`: a shop's list page, written in Go, in a Lua process; edited and swapped while it answers.
--
-- The web server is left out. Requests are tables, made here, and given to the routes as a server would give them: each
-- in a coroutine, because a handler may wait.

local lfs = require "lfs"
local goloader = require "goloader"
local router = require "goloader.router"

local here = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = here .. "/?.lua;" .. package.path
local catalogue = require "catalogue"

-- ---- telling --------------------------------------------------------------------------------------------------------

local function say(text, ...) print(select("#", ...) > 0 and text:format(...) or text) end

local function die(err)
  io.stderr:write("listpage: ", tostring(err), "\n")
  os.exit(1)
end

---Wall time in seconds; without an FFI, the time this process has worked.
local clock = os.clock
local has_ffi, ffi = pcall(require, "ffi")
if has_ffi then
  ffi.cdef [[
    struct listpage_time { long seconds, nanoseconds; };
    int clock_gettime(int id, struct listpage_time *time);
  ]]
  local time, CLOCK_MONOTONIC = ffi.new "struct listpage_time", 1
  local clock_gettime = ffi.C.clock_gettime
  function clock()
    clock_gettime(CLOCK_MONOTONIC, time)
    return tonumber(time.seconds) + tonumber(time.nanoseconds) * 1e-9
  end
end

local function duration(seconds)
  if seconds < 1e-3 then return ("%.0f µs"):format(seconds * 1e6) end
  if seconds < 1 then return ("%.1f ms"):format(seconds * 1e3) end
  return ("%.1f s"):format(seconds)
end

local function thousands(n)
  local text = ("%.0f"):format(n)
  return (text:reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", ""))
end

local function kilobytes(n) return thousands(math.ceil(n / 1024)) .. " kB" end

---What a text lacks to be as wide as a column; continuation bytes of UTF-8 take no room on the screen.
local function gap(text, width)
  return (" "):rep(width - select(2, text:gsub("[^\128-\191]", "")))
end
local function left(text, width) return text .. gap(text, width) end
local function right(text, width) return gap(text, width) .. text end

local ENTITIES = { amp = "&", lt = "<", gt = ">", quot = '"', ["#34"] = '"', ["#39"] = "'", ["#43"] = "+" }

---A page's first products, as lines of text: what a visitor would read.
local function excerpt(html, count)
  local function text(part) return (part:gsub("&([#%w]+);", ENTITIES)) end
  local lines = {}
  for item in html:gmatch('<li id="p%d+">(.-)</li>') do
    if #lines == count then break end
    local name, price = item:match '<h3><a [^>]*>(.-)</a></h3>', item:match '<p class="price">(.-)</p>'
    local rating, stars, reviews = item:match 'title="(.-)">(%S+) <small>(%d+)</small>'
    lines[#lines + 1] = ("    %2d.  %s  %s  %s %s %5s review%s"):format(
      #lines + 1, left(text(name), 26), right(text(price), 10), stars, rating, reviews, reviews == "1" and "" or "s")
  end
  return table.concat(lines, "\n")
end

-- ---- files ----------------------------------------------------------------------------------------------------------

local function read(path)
  local file, err = io.open(path, "rb")
  if not file then die(err) end
  local text = file:read "*a"
  file:close()
  return text
end

local function write(path, text)
  local file, err = io.open(path, "wb")
  if not file then die(err) end
  file:write(text)
  file:close()
end

local function folder(path)
  if not lfs.attributes(path) then
    local ok, err = lfs.mkdir(path)
    if not ok then die(path .. ": " .. err) end
  end
  return path
end

-- ---- the shop opens -------------------------------------------------------------------------------------------------

local out = folder(folder(here .. "/../../build") .. "/listpage")
local source = out .. "/list.go"
local PAGE = "/list/phones?brand=Halden&network=5G"

local _, err = catalogue.make(out .. "/products.json")
if err then die(err) end
write(source, read(here .. "/list.go")) -- the copy that is edited below

local took = {}
local started = clock()
local host, failure = goloader.host()
if not host then die(failure) end
took.start = clock() - started

local module_stats
local app = router.new {
  host = host,
  root = out,
  clock = clock,
  on_change = function(change)
    if change.what == "loaded" then
      module_stats = change.module:stats()
      local s = module_stats
      took.load = (s.read_ms + s.link_ms + s.publish_ms + s.init_ms) / 1000
      took.compile, took.ready = change.times.load - took.load, change.times.ready
    elseif change.what == "swapped" then
      took.swap = change.times.swap
    elseif change.what == "unloaded" then
      took.unload = took.unload or change.seconds
    elseif change.what == "kept" then
      die(change.err)
    end
  end,
}
local loaded
loaded, failure = app:load(here .. "/routes.lua")
if not loaded then die(failure) end

local list = app:module "list.go" -- the same that routes.lua has
local info = host:info()

say ""
say("  A shop's list page: ordinary Go (list.go), loaded into %s", jit and jit.version or _VERSION)
say("  %s, %s", info.go_version, info.goarch)
say ""

-- ---- a few hundred requests -----------------------------------------------------------------------------------------

local function addresses()
  local all, categories, sorts = {}, list.Categories(), list.Sorts()
  for i, category in ipairs(categories) do
    all[#all + 1] = "/api/facets/" .. category
    for k, sort in ipairs(sorts) do
      for page = 1, 3 do
        local low = 10 * (i + k)
        all[#all + 1] = ("/list/%s?sort=%s&page=%d&min=%d&max=%d"):format(category, sort, page, low, low + 900)
      end
    end
    all[#all + 1] = ("/feed/%s?key=hermes"):format(category)
  end
  all[#all + 1] = "/"
  all[#all + 1] = "/list/socks"
  all[#all + 1] = "/list/shoes?min=cheap"
  all[#all + 1] = "/feed/shoes?key=guess"
  all[#all + 1] = "/checkout"
  return all
end

---Answers one request from its beginning to its end, as nobody else is waiting.
local function answer(address)
  local request = coroutine.wrap(function() return app:handle(address) end)
  local response
  repeat response = request() until response
  return response
end

local seen, count, bytes, kept = {}, 0, 0, 0
started = clock()
for _ = 1, 2 do -- the second time, most are in the cache
  for _, address in ipairs(addresses()) do
    local response = answer(address)
    count, bytes = count + 1, bytes + #response.body
    seen[response.status] = (seen[response.status] or 0) + 1
    if response.cached then kept = kept + 1 end
  end
end
took.requests = clock() - started

local statuses = {}
for status, n in pairs(seen) do statuses[#statuses + 1] = ("%d × %d"):format(n, status) end
table.sort(statuses, function(a, b) return a:match "%d+$" < b:match "%d+$" end)
say("  %d requests answered in %s: %s of HTML, JSON and CSV", count, duration(took.requests), kilobytes(bytes))
say("  (%s; %d of them from the cache)", table.concat(statuses, ", "), kept)

-- ---- before, the edit, after ----------------------------------------------------------------------------------------

local before = answer(PAGE)
say ""
say("  GET %s", PAGE)
say(excerpt(before.body, 5))

-- The feeds below are under way while list.go is edited. They must come out as if nothing had happened.
local feed = "/feed/phones?key=hermes"
local expected = answer(feed).body
local in_flight = {}
for i = 1, 12 do
  in_flight[i] = coroutine.create(function() return app:handle(feed) end)
  for _ = 1, i % 4 + 1 do coroutine.resume(in_flight[i]) end
end

local old_line = "\treturn cmp.Compare(b.Rating, a.Rating)\n"
local new_lines = [[
	// A few enthusiastic visitors don't make a best seller: everybody starts with twenty times 3.5.
	score := func(p *Product) float64 { return (p.Rating*float64(p.Reviews) + 3.5*20) / float64(p.Reviews+20) }
	return cmp.Compare(score(b), score(a))
]]
local text = read(source)
local from, to = text:find(old_line, 1, true)
if not from then die("list.go has changed: the line to edit is not there") end

say ""
say("  The first ones have next to no reviews. An edit of build/listpage/list.go:")
say ""
say("    -%s", (old_line:gsub("\t", "    "):gsub("\n", "")))
for line in new_lines:gmatch "[^\n]+" do say("    +%s", (line:gsub("\t", "    "))) end
say ""

started = clock()
write(source, text:sub(1, from - 1) .. new_lines .. text:sub(to + 1))

local meanwhile, next_address, all = 0, 1, addresses()
local swapped = app:poll(function() -- while the compiler works
  answer(all[next_address])
  next_address, meanwhile = next_address % #all + 1, meanwhile + 1
end)
if swapped ~= 1 then die("the edit was not noticed") end
local after = answer(PAGE)
took.edit = clock() - started

local visits = list:waiting()
for _, request in ipairs(in_flight) do
  repeat
    local ok, response = coroutine.resume(request)
    if not ok then die(response) end
    if response and response.body ~= expected then die("a feed changed in the middle") end
  until response
end
local _, versions = list:waiting()

say("  Compiled, loaded, swapped: %s from the edit to the page below. %d requests were", duration(took.edit), meanwhile)
say("  answered meanwhile; %d more were in the middle, and ended with the version they had begun with.", visits)
say(versions == 0 and "  Then that was unloaded." or "  That could not be unloaded yet.")
say ""
say("  GET %s", PAGE)
say(excerpt(after.body, 5))

-- ---- the figures ----------------------------------------------------------------------------------------------------

---How often a second f can be called: the best of five tries, because others use this machine too.
local function rate(batch, f)
  local best = 0
  for _ = 1, 5 do
    local began = clock()
    for i = 1, batch do f(i) end
    best = math.max(best, batch / (clock() - began))
  end
  return best
end

local price = list.Price
local calls = rate(20000, function(i) return price(i) end)
local renders = rate(40, function(i) return list.Render("phones", "page=" .. i) end)
local hits = rate(20000, function() return app:handle(PAGE) end)

local closed = app:close()

say ""
for _, row in ipairs {
  { "start the Go runtime", duration(took.start) },
  { "compile list.go", duration(took.compile) },
  { "load it", duration(took.load), kilobytes(module_stats.object_bytes) .. " of object become "
    .. kilobytes(module_stats.bytes) .. " of module" },
  { "make it ready", duration(took.ready), "20,000 products read" },
  { "swap", duration(took.swap), "old pages leave the cache" },
  { "unload", took.unload and duration(took.unload) or "refused" },
  { "calls", thousands(calls) .. " /s", "list.Price(cents), from Lua to Go and back" },
  { "pages rendered", thousands(renders) .. " /s", "list.Render, 24 products of 2,500 and all filters counted" },
  { "pages from the cache", thousands(hits) .. " /s", "through the routes" },
} do
  say("  %s %s%s", left(row[1], 22), right(row[2], 14), row[3] and "   " .. row[3] or "")
end
say ""
say("  The same routes in nginx, over HTTP, with an editor of yours: make nginx")
say ""

if versions > 0 or not closed then die("a module could not be unloaded") end
