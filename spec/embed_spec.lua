-- Go programs that embed LuaJIT and are their own hosts.
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

local quote = toolchain.quote
local checked = "GOGC=1 GODEBUG=gccheckmark=1,clobberfree=1,invalidptr=1 GOTRACEBACK=system "
local root = toolchain.absolute "."
local paths = ("LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;;' LUA_CPATH='%s/build/lib/?.so;;' "):format(root, root, root)

local function shell(dir, command)
  local status, out, errors = support.run { "sh", "-c", ("cd %s && %s"):format(quote(dir), command) }
  assert.equal(0, status, out .. errors)
  return out
end

-- By our command, or by the go command alone and a description; both leave a program at this path.
local function built(dir, name, arguments)
  local path = toolchain.absolute(support.tmpdir()) .. "/" .. name
  shell(dir, ("%s host --goroot %s -o %s %s"):format(quote(toolchain.absolute "build/bin/goloader"),
    quote(support.tools().goroot), quote(path), arguments))
  return path
end

local function built_natively(dir, name, arguments)
  local path = toolchain.absolute(support.tmpdir()) .. "/" .. name
  local tools = support.tools()
  shell(dir, ("GOROOT=%s GOTOOLCHAIN=local %s/bin/go build -o %s %s"):format(quote(tools.goroot), quote(tools.goroot),
    quote(path), arguments))
  local status, _, errors = support.cli("describe", "--goroot", tools.goroot, "-o", path .. ".desc", path)
  assert.equal(0, status, errors)
  return path
end

-- The program has neither paths nor a host to choose. What the go command alone has built is told of its Go.
local function run(program, environment, ...)
  local go = "GOROOT=" .. quote(support.tools().goroot) .. " "
  return support.run({ program, ... }, paths .. go .. "GOLOADER_HOST=/no/such/host.so " .. (environment or ""))
end

local function script(name, text)
  local dir = toolchain.absolute "spec/testdata/embedding"
  return support.write(name .. ".lua", ([[
    io.stdout:setvbuf "line"
    local goloader = require "goloader"
    local host = assert(goloader.host())
    local dir = %q
  ]]):format(dir) .. text)
end

teardown(support.clean)

for way, build in pairs {
  ["made by goloader host"] = function() return built("spec/testdata/embedding", "made", "--exe .") end,
  ["made by go build"] = function() return built_natively("spec/testdata/embedding", "native", ".") end,
  ["at no fixed address"] = function()
    return built("spec/testdata/embedding", "pie", "--minimal -buildmode=pie --exe example.test/embedding")
  end,
} do
  describe("a program that is its own host, " .. way, function()
    local program

    setup(function() program = build() end)

    it("is found by goloader.host()", function()
      local status, out, errors = run(program, "", script("finds", [[
        print(goloader.host_path(), host:info().path, goloader.host { path = goloader.host_path() } == host)
        print((select(2, goloader.host { path = "/some/other.so" })))
      ]]))
      assert.equal(("%s\t%s\ttrue\nthis process has a host already, %s: a process can have one Go runtime\n")
        :format(program, program, program) .. "all files have run\n", out, errors)
      assert.equal(7, status)
    end)

    it("loads, calls and unloads under a collector that checks", function()
      local status, out, errors = run(program, checked, script("works", [[
        for depth = 3, 5 do
          local inner = assert(host:build(dir .. "/inner"))
          print(inner.Work(depth))
          assert(inner:unload())
        end
      ]]))
      assert.equal("547\n1139\n2323\nall files have run\n", out, errors)
      assert.equal(7, status)
    end)

    it("goes from Lua to Go to Lua, and keeps code that it stands on", function()
      local status, out, errors = run(program, checked, script("nested", [[
        local outer = assert(host:build(dir .. "/outer"))
        local reasons = {}
        function down(n) return assert(outer.Down(n)) end
        function bottom()
          local caught, err = pcall(outer.Panic, 3)
          assert(not caught and tostring(err):find("from below 3", 1, true))
          local inner = assert(host:build(dir .. "/inner"))
          local work = inner.Work(3)
          assert(inner:unload())
          local unloaded, _, why = outer:unload()
          assert(not unloaded and why.code == "busy")
          reasons[#reasons + 1] = why.message
          collectgarbage()
          return "bottom " .. work
        end
        print(outer.Down(0), outer.Down(5))
        print(outer.Elsewhere(4))
        for _, reason in ipairs(reasons) do
          print(reason:match "called from its own code")
        end
        assert(outer:unload())
      ]]))
      assert.equal("bottom 547\tbottom 547\nbottom 547\n" .. ("called from its own code\n"):rep(3)
        .. "all files have run\n", out, errors)
      assert.equal(7, status)
    end)

    it("serves many Lua states at once", function()
      local file = script("many", [[
        for depth = 3, 6 do
          local inner = assert(host:build(dir .. "/inner"))
          assert(inner.Work(3) == 547)
          local listing = assert(inner:disassemble "Work")
          assert(#listing > 10)
          assert(inner:unload())
        end
      ]])
      local status, out, errors = run(program, "", file, file, file, file)
      assert.equal("all files have run\n", out, errors)
      assert.equal(7, status)
    end)
  end)
end

describe("a program without its description", function()
  it("is told in one line", function()
    local program = built("spec/testdata/embedding", "bare", "--minimal --exe .")
    os.remove(program .. ".desc")
    local status, out, errors = run(program, "", support.write("bare.lua", [[
      io.stdout:setvbuf "line"
      print(require "goloader".host())
    ]]))
    assert.equal(7, status, errors)
    assert.matches("^nil\t[^\n]*bare%.desc[^\n]*\nall files have run\n$", out)
  end)
end)

-- ---- the example --------------------------------------------------------------------------------------------------

-- A copy, whose pages can be edited, and its program: a package that lies elsewhere is another version of it.
local function copied_example()
  local work = toolchain.absolute(support.tmpdir()) .. "/embed"
  shell(".", ("cp -r examples/embed %s && sed -i 's#=> .*#=> %s#' %s/go.mod"):format(quote(work),
    toolchain.absolute "src/host", quote(work)))
  return work, built(work, "server", "--exe .")
end

-- Runs a shell script with the server: $url is where it listens.
local function with_server(work, program, environment, text)
  local file = support.write("server.sh", ([[
cp examples/embed/site/site.go %s/site/site.go
cd %s
: >log # of an earlier server
%s %s -site site >log 2>&1 & server=$!
trap 'kill -KILL $server 2>/dev/null' EXIT
while ! grep -q listening log && kill -0 $server; do sleep 0.05; done
url=$(sed -n 's/listening on //p' log)
%s
kill -TERM $server
wait $server
echo "exit $?"
cat log | grep -v listening
]]):format(quote(work), quote(work), paths .. environment, quote(program), text))
  return support.run { "bash", file }
end

describe("the example", function()
  local work, program

  setup(function() work, program = copied_example() end)

  it("swaps its pages while it answers, and counts on", function()
    local status, out, errors = with_server(work, program, "", [[
curl -s $url/
mkfifo entry
curl -s -T - $url/guestbook <entry >answer & guest=$!
exec 3>entry
printf 'a long ' >&3
until curl -s $url/status | grep -q '"writing":1'; do sleep 0.02; done
sed -i 's/Good morning/Good evening/' site/site.go
curl -s -X POST $url/-/reload 3>&- & reload=$!
until curl -s $url/ | grep -q evening; do sleep 0.02; done
printf story >&3
exec 3>&-
wait $guest $reload
cat answer
curl -s $url/status
echo 'broken' >> site/site.go
curl -s -X POST $url/-/reload | grep -o 'kept version 2\|syntax error'
curl -s $url/status
curl -s -o /dev/null -w '%{http_code}\n' $url/nowhere
]])
    assert.equal([[
Good morning! You are visitor 1.
version 2
Good morning! You wrote: a long story
{"greeting":"Good evening","writing":0}
kept version 2
syntax error
{"greeting":"Good evening","writing":0}
404
exit 0
closed
]], out, errors)
    assert.equal(0, status)
  end)

  it("does so under a collector that checks", function()
    local status, out, errors = with_server(work, program, checked, [[
for greeting in one two three; do
  sed -i "s/^const greeting = .*/const greeting = \"$greeting\"/" site/site.go
  curl -s -X POST $url/-/reload
  for i in 1 2 3; do curl -s $url/ & done | sort | head -n 1 | cut -d ! -f 1
done
]])
    assert.equal("version 2\none\nversion 3\ntwo\nversion 4\nthree\nexit 0\nclosed\n", out, errors)
    assert.equal(0, status)
  end)
end)
