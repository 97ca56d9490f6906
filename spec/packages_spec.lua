-- Real packages at work inside modules (examples/packages), with results that are known from elsewhere. Their sources
-- come from the Go module proxy; where they are not on the machine and can't be fetched either, this fails saying so.
local support = require "spec.support"

local examples = "examples/packages"

-- The tests run again in processes of their own (see the end): Go's runtime reads its settings as it starts, and two
-- copies of a package that registers itself can't be in one process.
local variant = os.getenv "GOLOADER_VARIANT"
local private = variant ~= nil and variant:find "private" ~= nil
local stressed = variant ~= nil and variant:find "stressed" ~= nil
local STRESS = "GOGC=1 GODEBUG=gccheckmark=1,clobberfree=1,invalidptr=1"

setup(function() support.fetch_modules(examples) end)

teardown(support.clean)

-- ---- what each package must do --------------------------------------------------------------------------------------

local tests = {}

function tests.web(web)
  local hello = assert(web.Request("GET", "/hello/lua", ""))
  assert.same({ Status = 200, Type = "text/plain; charset=utf-8", ServedBy = "gin v1.10.0", Body = "Hello, lua!" },
    hello)
  assert.equal(404, web.Request("GET", "/none", "").Status)
  assert.equal("caught: out of lamps", web.Request("GET", "/panic", "").Body)

  local line = assert(web.Request("POST", "/basket", '{"product":"lamp","count":2,"price":24.5}'))
  assert.equal(201, line.Status)
  assert.equal("application/json; charset=utf-8", line.Type)
  local wrong = web.Request("POST", "/basket", '{"product":"lamp","count":100}')
  assert.equal(400, wrong.Status)
  assert.matches("Error:Field validation for 'Count' failed on the 'max' tag", wrong.Body, 1, true)

  local address = assert(web.Listen())
  local basket = assert(web.Get(address .. "/basket"))
  assert.equal('{"lines":[{"product":"lamp","count":2,"price":24.5}],"total":49}', basket.Body)
  assert.equal("Hello, Käse!", web.Get(address .. "/hello/K%C3%A4se").Body)
  assert.is_true(web.Close())
  local gone, err = web.Get(address .. "/basket")
  assert.is_nil(gone)
  assert.matches("connection refused", tostring(err), 1, true)
end

function tests.json(json)
  local order = '{"id":9007199254740993,"at":"2024-02-29T12:00:00Z","items":[' ..
    '{"name":"lamp \\u00e9","price":24.5,"tags":["a","b"]},' ..
    '{"name":"<chair>","price":89,"extra":{"z":[1,null,true],"a":{"deep":"x"}},"parent":{"name":"p","price":0.1}}]}'
  assert.equal(113.5, json.Total(order))
  assert.equal('{"id":9007199254740993,"at":"2024-02-29T12:00:00Z","items":[' ..
    '{"name":"lamp é","price":24.5,"tags":["a","b"]},' ..
    '{"name":"\\u003cchair\\u003e","price":89,"extra":{"a":{"deep":"x"},"z":[1,null,true]},' ..
    '"parent":{"name":"p","price":0.1}}]}', json.Round(order))
  assert.equal('{"name":"desk","price":1e+21,"labels":{"a":"1","b":"2"}}',
    json.Write { Name = "desk", Price = 1e21, Labels = { b = "2", a = "1" } })
  assert.equal('{"name":"<chair>","price":89,"extra":{"z":[1,null,true],"a":{"deep":"x"}},' ..
    '"parent":{"name":"p","price":0.1}}', json.Path(order, "items", 1))
  local total, err = json.Total '{"id":1,"items":[{"name":7}]}'
  assert.is_nil(total)
  assert.matches("string", tostring(err), 1, true)
  assert.is_nil((json.Total '{"id":'))
end

function tests.markdown(markdown)
  local page = assert(markdown.HTML [[
# Prices

| what | price |
|------|------:|
| lamp | 24.50 |

- [x] paid by https://example.com
- [ ] ~~no~~ ...[^1]

[^1]: or *late* & `never`.
]])
  page = page:gsub(' role="doc%-%a+"', ""):gsub(' class="footnote[%a-]*"', "")
  assert.equal([[
<h1 id="prices">Prices</h1>
<table>
<thead>
<tr>
<th>what</th>
<th style="text-align:right">price</th>
</tr>
</thead>
<tbody>
<tr>
<td>lamp</td>
<td style="text-align:right">24.50</td>
</tr>
</tbody>
</table>
<ul>
<li><input checked="" disabled="" type="checkbox"> paid by <a href="https://example.com">https://example.com</a></li>
<li><input disabled="" type="checkbox"> <del>no</del> &hellip;<sup id="fnref:1"><a href="#fn:1">1</a></sup></li>
</ul>
<div>
<hr>
<ol>
<li id="fn:1">
<p>or <em>late</em> &amp; <code>never</code>.&#160;<a href="#fnref:1">&#x21a9;&#xfe0e;</a></p>
</li>
</ol>
</div>
]], page)
  assert.same({ "# One", "## Two", "# Three" }, markdown.Headings "# One\n\ntext\n\nTwo\n---\n\n# Three\n")
end

function tests.zstd(zstd)
  local lines = {}
  for i = 1, 20000 do lines[i] = ("line %d of %d: %s\n"):format(i, i * i % 977, ("x"):rep(i % 37)) end
  local text = table.concat(lines)
  for _, level in ipairs { 1, 3, 9, 19 } do
    local packed = assert(zstd.Pack(text, level))
    assert.equal("\40\181\47\253", packed:sub(1, 4))
    assert.is_true(#packed < #text / 4)
    assert.equal(text, zstd.Unpack(packed))
  end
  -- written by zstd itself
  local by_zstd = "28b52ffd04587500004068656c6c6f2c200a01004a8a11f0977b2a" -- echo … | zstd | xxd -p
  by_zstd = by_zstd:gsub("%x%x", function(hex) return string.char(tonumber(hex, 16)) end)
  assert.equal("hello, hello, hello, hello\n", zstd.Unpack(by_zstd))
  local nothing, err = zstd.Unpack "no zstd"
  assert.is_nil(nothing)
  assert.equal("invalid input: magic number mismatch", tostring(err))
  assert.is_true(zstd.Snappy(text) < #text / 4)
end

-- RFC 8439, 7748 and 8032, FIPS 202, and argon2's own vectors
function tests.crypto(crypto)
  assert.equal("1640b932f4b60e272f5d2207b9a9c626ffa1bd88d2349016", crypto.Password("password", "somesalt"))
  assert.equal("ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1" ..
    "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923", crypto.Blake2b "abc")
  assert.equal("3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532", crypto.Sha3 "abc")

  local key = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
  local nonce, extra = "070000004041424344454647", "PQRS\192\193\194\195\196\197\198\199"
  local text = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, " ..
    "sunscreen would be it."
  local sealed = crypto.Seal(key, nonce, text, extra)
  assert.equal("d31a8d34648e60db7b86afbc53ef7ec2", sealed:sub(1, 32))
  assert.equal("1ae10b594f09e26a7e902ecbd0600691", sealed:sub(-32))
  assert.equal(text, crypto.Open(key, nonce, sealed, extra))
  local opened, err = crypto.Open(key, nonce, sealed, "other")
  assert.is_nil(opened)
  assert.equal("chacha20poly1305: message authentication failed", tostring(err))

  assert.equal("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
    crypto.Agree("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
      "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"))
  assert.equal("6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac" ..
    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    crypto.Sign("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "\175\130"))
end

function tests.policy(policy)
  local ann = { Name = "ann", Roles = { "admin", "buyer" }, Mail = "ann@example.com", Spent = 120.5,
    Quotas = { orders = 3 } }
  local bob = { Name = "bob", Roles = { "buyer" }, Mail = "bob", Spent = 5, Quotas = {} }
  local rule = [[path.startsWith("/admin") ? "admin" in user.roles && domain(user.mail) == "example.com"
    : user.roles.exists(r, r.matches("^buy")) && size(user.quotas) > 0 && user.spent > 100.0]]
  assert.is_true(policy.Allowed(rule, ann, "/admin/users"))
  assert.is_false(policy.Allowed(rule, bob, "/admin/users"))
  assert.is_true(policy.Allowed(rule, ann, "/basket"))
  assert.is_false(policy.Allowed(rule, bob, "/basket"))
  assert.is_true(policy.Allowed([[user.name.upperAscii() == "ANN" && "a-b".split("-") == ["a", "b"]
    && timestamp("2024-02-29T00:00:00Z") + duration("24h") == timestamp("2024-03-01T00:00:00Z")]], ann, ""))

  local allowed, err = policy.Allowed("user.name ==", ann, "")
  assert.is_nil(allowed)
  assert.matches("Syntax error: mismatched input '<EOF>'", tostring(err), 1, true)
  allowed, err = policy.Allowed('path + 1 == ""', ann, "")
  assert.is_nil(allowed)
  assert.matches("found no matching overload for '_+_' applied to '(string, int)'", tostring(err), 1, true)
  allowed, err = policy.Allowed('domain(user.mail) == ""', bob, "")
  assert.is_nil(allowed)
  assert.equal("no mail address: bob", tostring(err))
end

function tests.bolt(bolt)
  local file = support.tmpdir() .. "/visits.bolt"
  os.remove(file)
  assert.equal(4, bolt.Visit(file, { "/list/phones", "/list/lamps", "/about", "/list/phones" }))
  assert.equal(5, bolt.Visit(file, { "/about" }))
  assert.same({ ["/list/phones"] = 2, ["/list/lamps"] = 1 }, bolt.Visits(file, "/list/"))
  local many = {}
  for i = 1, 3000 do many[i] = ("/page/%05d"):format(i) end
  assert.equal(3005, bolt.Visit(file, many))
  assert.is_true(bolt.Check(file) > 10)
  local none, err = bolt.Visits("/nonexistent/file", "")
  assert.is_nil(none)
  assert.matches("no such file or directory", tostring(err), 1, true)
end

function tests.sqlite(sqlite)
  assert.same({ { "lamp", "2", "24.5" }, { "sofa", "1", "899" } }, sqlite.Query(":memory:", {
    "create table item (id integer primary key, name text not null, price real)",
    "create table line (item references item(id), count integer check (count > 0))",
    "insert into item (name, price) values ('lamp', 24.5), ('chair', 89), ('sofa', 899)",
    "insert into line values (1, 2), (3, 1)",
  }, "select name, sum(count), price from item join line on item = id group by id order by price"))
  assert.same({ { "1", '["a",2]' } }, sqlite.Query(":memory:", {},
    "select json_extract('{\"x\":[1,2]}', '$.x[0]'), json_array('a', 1 + 1)"))
  assert.same({ { "10", "55" } }, sqlite.Query(":memory:", {}, [[
    with recursive fib(i, a, b) as (select 0, 0, 1 union all select i + 1, b, a + b from fib where i < 10)
    select i, a from fib order by i desc limit 1]]))

  local rows, err = sqlite.Query(":memory:",
    { "create table t (n check (n > 0))", "insert into t values (0)" }, "select 1")
  assert.is_nil(rows)
  assert.equal("constraint failed: CHECK constraint failed: n > 0 (275)", tostring(err))

  local file = support.tmpdir() .. "/numbers.sqlite"
  os.remove(file)
  assert.is_true(sqlite.Fill(file, 2000))
  assert.same({ { "2000", "2668667000", "number 2000" } }, sqlite.Query(file, {},
    "select count(*), sum(square), name from number having n = max(n)"))
end

local PRIMES_BELOW_200000 = 17984

function tests.wasm(wasm)
  local refused, err = wasm.Call("fib", { 1 })
  assert.is_nil(refused)
  assert.equal("the program is not open", tostring(err))
  assert.is_true(wasm.Open())
  assert.equal(75025, wasm.Call("fib", { 25 }))

  -- machine code that calls back into Go, thousands of times, and grows its memory
  assert.equal(PRIMES_BELOW_200000, wasm.Call("sieve", { 200000 }))
  local primes = wasm.Primes()
  assert.equal(PRIMES_BELOW_200000, #primes)
  assert.same({ 2, 3, 5, 7, 199999 }, { primes[1], primes[2], primes[3], primes[4], primes[#primes] })

  -- traps come back as errors, with the program's own frames; its stack grows from a few KiB to megabytes
  local trap
  trap, err = wasm.Call("divide", { 1, 0 })
  assert.is_nil(trap)
  assert.matches("wasm error: integer divide by zero\nwasm stack trace:", tostring(err), 1, true)
  assert.equal(100000, wasm.Call("deep", { 100000 }))
  trap, err = wasm.Call("deep", { 0x7fffffff })
  assert.is_nil(trap)
  assert.matches("stack overflow", tostring(err), 1, true)
  assert.equal(3, wasm.Call("divide", { 7, 2 }))
  assert.is_true(wasm.Close())
end

-- ---- and how often --------------------------------------------------------------------------------------------------

local names = {}
for name in pairs(tests) do names[#names + 1] = name end
table.sort(names)

-- What holds on to a module: by itself, or, where third-party packages are shared, by what these remember.
local is_jit = support.host():info().go_version < "go1.27" -- sonic gives up on later releases
local keepers = private and {
  crypto = "variable crypto.hashes refers to golang.org/x/crypto/",
  json = is_jit and "machine code that it made is in the runtime's list of modules" or nil, -- sonic's coders
  sqlite = "variable database/sql.drivers refers to modernc.org/sqlite",
  web = "variable crypto.hashes refers to golang.org/x/crypto/",
} or {
  json = is_jit and "variable github.com/bytedance/sonic/" or nil, -- its coders, by type
  web = "variable github.com/gin-gonic/gin/binding", -- what it knows of the types it validates
}

describe(private and "as part of a module" or "shared by all modules", function()
  for _, name in ipairs(names) do
    local keeper = keepers[name]
    it(name .. " works, and " .. (keeper and "stays" or "goes and comes again"), function()
      for _ = 1, (stressed or keeper) and 1 or 3 do
        local module = assert(support.host():build(examples .. "/" .. name, { private = private }))
        tests[name](module)
        local unloaded, _, err = module:unload()
        if keeper then
          assert.is_nil(unloaded)
          assert.equal("busy", err.code)
          assert.matches("can't be unloaded: " .. keeper, err.message, 1, true)
        else
          assert(unloaded, err)
        end
      end
    end)
  end
end)

local function run_variant(name, environment)
  local status, output, errors = support.run({ "luajit", "spec/env.lua", "spec/busted.lua", "-o", "TAP",
    "spec/packages_spec.lua" }, ("GOLOADER_VARIANT=%s %s"):format(name, environment))
  assert.equal(0, status, output .. errors)
  local _, passed = ("\n" .. output):gsub("\nok ", "")
  assert.equal(#names, passed)
end

if not variant then
  describe("the example", function()
    it("shows each at work, and what keeps it if it stays", function()
      local status, out, errors = support.run { "luajit", "spec/env.lua", "examples/packages/main.lua" }
      assert.equal(0, status, errors)
      for _, name in ipairs(names) do
        local last = out:match("\n  " .. name .. " +%S[^\n]*\n[^\n]*others share\n +([^\n]*)\n")
        local stays = keepers[name] and "stays: " .. keepers[name] or "unloaded"
        assert.equal(stays, last and last:sub(1, #stays), out)
      end
    end)
  end)

  describe("all of them work", function()
    it("as part of a module", function() run_variant("private", "") end)
    it("under a collector that checks everything", function() run_variant("stressed", STRESS) end)
    it("as part of a module, under a collector that checks everything", function()
      run_variant("private-stressed", STRESS)
    end)
  end)
end
