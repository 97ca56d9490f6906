-- Makes the shop's catalogue: 20,000 products as JSON, the same bytes on every machine and every Lua.
--
--     luajit catalogue.lua [FILE [COUNT]]
--
-- The random numbers are Park and Miller's "minimal standard" generator, because math.random differs from one Lua to
-- the next. Its products stay below 2^53, so doubles hold them exactly. Some names have quotes, ampersands and angle
-- brackets: a page that forgets to escape them looks wrong at once.

local catalogue = {}

local SEED, COUNT = 20260305, 20000

---@class (exact) listpage.Kind what the products of one category are made of
---@field category string
---@field price number[] lowest and highest, in whole euros
---@field brands string[] the first ones are the most frequent
---@field series string[]
---@field attributes table<string, string[]>

---@type listpage.Kind[]
local KINDS = {
  {
    category = "phones", price = { 119, 1399 },
    brands = { "Halden", "Orbit", "Nova & Sons", "Kestrel", "Umi", "Tern" },
    series = { "One", "Pro", "Mini", "<3", "Max", "Lite", "Air" },
    attributes = {
      storage = { "128 GB", "256 GB", "64 GB", "512 GB", "1 TB" },
      colour = { "black", "white", "blue", "red", "sand" },
      network = { "5G", "4G" },
    },
  },
  {
    category = "laptops", price = { 329, 3499 },
    brands = { "Halden", "Lumen", "Ibis", "Framewerk", "Umi" },
    series = { 'Book 13"', 'Book 14"', 'Studio 16"', "Go", "Station" },
    attributes = {
      memory = { "16 GB", "8 GB", "32 GB", "64 GB" },
      storage = { "512 GB", "256 GB", "1 TB", "2 TB" },
      processor = { "8 cores", "6 cores", "12 cores", "16 cores" },
    },
  },
  {
    category = "headphones", price = { 19, 549 },
    brands = { "Aria", "Dorn", "Orbit", "Sable & Finch", "Tern" },
    series = { "Over", "In", "Quiet", "Open", "Sport" },
    attributes = {
      kind = { "in-ear", "over-ear", "on-ear" },
      colour = { "black", "white", "green", "rose" },
      wireless = { "yes", "no" },
    },
  },
  {
    category = "cameras", price = { 249, 4299 },
    brands = { "Dorn", "Optika", "Lumen", "Kestrel" },
    series = { "A", "X", "Z mark II", "Compact", "Field" },
    attributes = {
      mount = { "fixed", "E", "M43", "L" },
      sensor = { "24 MP", "33 MP", "45 MP", "20 MP" },
    },
  },
  {
    category = "bikes", price = { 299, 5999 },
    brands = { "Velden", "Corvo", "Strada & Co", "Pass" },
    series = { "City", "Gravel", "Road", "Trail", 'Kids 20"' },
    attributes = {
      frame = { "M", "L", "S", "XL", "XS" },
      drive = { "chain", "belt", "electric" },
      colour = { "black", "red", "olive", "silver" },
    },
  },
  {
    category = "shoes", price = { 29, 249 },
    brands = { "Pass", "Fjell", "Corvo", "Mara", "O'Dell" },
    series = { "Runner", "Trail", "Street", "Court", "Slip-on" },
    attributes = {
      size = { "42", "41", "43", "40", "39", "38", "44", "45", "37", "46" },
      colour = { "black", "white", "blue", "orange" },
      sole = { "rubber", "foam", "gum" },
    },
  },
  {
    category = "jackets", price = { 49, 699 },
    brands = { "Fjell", "Mara", "Norr & Norr", "Pass" },
    series = { "Shell", "Down", "Rain", "Fleece", "Parka" },
    attributes = {
      size = { "M", "L", "S", "XL", "XS", "XXL" },
      colour = { "black", "green", "navy", "yellow" },
      warmth = { "light", "medium", "warm" },
    },
  },
  {
    category = "coffee", price = { 5, 1899 },
    brands = { "Brasa", "Tazza", "Umi", "Dorn" },
    series = { "Beans", "Grinder", "Press", "Espresso", "Kettle" },
    attributes = {
      roast = { "medium", "dark", "light", "none" },
      colour = { "steel", "black", "cream" },
    },
  },
}

---A generator of random numbers.
---@param seed integer 1 to 2147483646
---@return fun(n: integer): integer random a whole number from 1 to n
local function generator(seed)
  local state = seed
  return function(n)
    state = (state * 48271) % 2147483647
    return math.floor(state / 2147483647 * n) + 1
  end
end

---Text as JSON; ours has no control characters.
local function quote(text)
  return '"' .. text:gsub('[\\"]', "\\%0") .. '"'
end

---Early entries come up more often than late ones, as in any shop.
local function favour(random, list)
  return list[math.min(random(#list), random(#list))]
end

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

---Writes one product after the other.
---@param write fun(text: string)
---@param count? integer default 20,000
function catalogue.write(write, count)
  local random = generator(SEED)
  local names = {}
  for i, kind in ipairs(KINDS) do names[i] = sorted_keys(kind.attributes) end

  write("[")
  for id = 1, count or COUNT do
    local which = random(#KINDS)
    local kind = KINDS[which]
    local attributes = {}
    for i, name in ipairs(names[which]) do
      attributes[i] = quote(name) .. ":" .. quote(favour(random, kind.attributes[name]))
    end
    local low, high = kind.price[1], kind.price[2]
    local euros = low + math.floor((high - low) * (random(1000) / 1000) ^ 2)
    -- Few visitors leave an extreme mean: the fewer reviews, the wider the ratings.
    local reviews = math.floor(1500 * (random(1000) / 1000) ^ 4) + 1
    local tenths = reviews < 8 and 10 + random(40) or 29 + random(19)
    write(('%s\n{"id":%d,"category":%s,"brand":%s,"name":%s,"price":%d,"rating":%d.%d,"reviews":%d,'):format(
      id == 1 and "" or ",", id, quote(kind.category), quote(favour(random, kind.brands)),
      quote(kind.series[random(#kind.series)] .. " " .. 100 + random(899)),
      euros * 100 + ({ 0, 50, 90, 95, 99 })[random(5)], math.floor(tenths / 10), tenths % 10, reviews))
    write(('"added":"%d-%02d-%02d","attributes":{%s}}'):format(
      2021 + random(4), random(12), random(28), table.concat(attributes, ",")))
  end
  write("\n]\n")
end

---Makes the file unless it is there; half a file is never left under its name.
---@param path string
---@param count? integer
---@return boolean? made false when it was there already
---@return string? err
function catalogue.make(path, count)
  local there = io.open(path, "rb")
  if there then
    there:close()
    return false
  end
  local draft = path .. ".new"
  local file, err = io.open(draft, "wb")
  if not file then return nil, err end
  local failure
  catalogue.write(function(text)
    if not failure then
      local _, problem = file:write(text)
      failure = problem
    end
  end, count)
  local closed, problem = file:close()
  if failure or not closed then
    os.remove(draft)
    return nil, ("%s: %s"):format(path, failure or problem)
  end
  local renamed, why = os.rename(draft, path)
  if not renamed then return nil, why end
  return true
end

-- Run as a script, not required.
if arg and arg[0] and arg[0]:match("catalogue%.lua$") then
  local path = arg[1] or "products.json"
  local made, err = catalogue.make(path, tonumber(arg[2]))
  if made == nil then
    io.stderr:write("catalogue: ", err, "\n")
    os.exit(1)
  end
  print(made and path or path .. " is there already")
end

return catalogue
