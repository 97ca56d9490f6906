-- What other threads' Lua states may do with a module that one has, too, in the middle of what that one does with it.
-- Here they do it just then: `before` and `after` of spec/sharing.lua.
local sharing = require "spec.sharing"
local support = require "spec.support"

local run = sharing.run

describe("a module that several Lua states have is another's at any moment:", function()
  setup(sharing.setup)
  teardown(support.clean)

  local SHARED = [[
    local b = state()
    local shop = assert(host:shared("shop", function() return host:build(ONE) end))
    b:run 'shop = assert(host:shared "shop")'
    local function two() b:run "assert(host:replace(shop, TWO)) assert(host:tidy() == 0)" end
    local function is_instance(self) return self ~= require "goloader.module".core_of(shop) end
  ]]

  it("just before it is unloaded", function()
    assert.equal("true\tfalse\ttwo\t1\t0\n", run(SHARED .. [[
      local max = shop["Max[int]"]
      assert(max(1, 2) == 2)
      before("unload", two)
      local ok = shop:unload()
      print(ok, shop:is_loaded(), b:run "return shop.Title(1)", loaded(), host:stats().modules)
    ]]))
  end)

  it("while it is tried to be unloaded", function()
    assert.equal("true\ttwo\t1\n", run(SHARED .. [[
      b:run "shop:unload()"
      local kept, ok = shop.Keep(), nil
      goloader.spawn(function() ok = shop:unload { wait = 20 } end)
      assert(ok == nil)
      b:run 'shop = assert(host:shared "shop") assert(host:replace(shop, TWO))'
      kept:release()
      host:tidy()
      wait_for(function() goloader.step(0.01) return ok ~= nil end)
      b:run "assert(host:tidy() == 0)"
      print(ok, b:run "return shop.Title(1)", loaded())
    ]]))
  end)

  it("while it waits for its end in the background: who asks for it again calls it, and nobody else", function()
    assert.equal("busy\ttrue\tfalse\tone\t1\ttrue\t0\n", run [[
      local shop = assert(host:shared("shop", function() return host:build(ONE) end))
      local title, kept = shop.Title, shop.Keep()
      local _, _, err = shop:unload { background = true }
      local _, message = pcall(title, 1)
      local again = assert(host:shared "shop")
      local said = again.Title(1)
      kept:release()
      local n = loaded()
      print(err.code, message:find("is being unloaded", 1, true) ~= nil, (pcall(title, 1)), said, n,
        again:unload(), loaded())
    ]])
  end)

  it("just before it is looked at in a list of all", function()
    assert.equal("1\ttrue\n", run(SHARED .. [[
      assert(shop["Max[int]"](1, 2) == 2)
      local is_done
      before("number", function() is_done = true two() end, is_instance)
      host:modules()
      print(#host:modules(), is_done)
    ]]))
  end)

  for name, when in pairs {
    ["before"] = 'before("func", function() b:run "assert(host:replace(shop, TWO))" end, is_instance)',
    ["after"] = 'after("join", two)',
  } do
    it("just " .. name .. " an instance of a generic function is known", function()
      assert.equal("two\ttwo\t1\n", run(SHARED .. when .. [[
        local of = shop["Of[int]"]
        b:run "host:tidy()"
        print(of(1), shop["Of[int]"](1), loaded())
      ]]))
    end)
  end

  for name, when in pairs { before = 'before("func", two)', after = 'after("func", two)' } do
    it("just " .. name .. " a function is taken from it: then it is the new one's", function()
      assert.equal("two\ttrue\tffi\t1\n", run(SHARED .. when .. [[
        local title = shop.Title
        print(title(1), title == shop.Title, title:road(), loaded())
      ]]))
    end)
  end

  it("just before a function is taken that the new one does not have", function()
    local out = run(SHARED .. ([[
      before("func", function() b:run [=[assert(host:replace(shop, %q))]=] end)
      print(select(2, pcall(function() return shop.Add end)))
    ]]):format(support.write("less/less.go", "package less\n\nfunc Title() int { return 2 }\n")))
    assert.matches("less%.go exports no Add$", out:match "[^\n]*")
  end)

  it("just after it was shared", function()
    assert.equal("two\ttwo\t1\n", run [[
      local b = state()
      local shop = assert(host:build(ONE))
      local title = shop.Title
      after("share", function() b:run 'shop = assert(host:shared "shop") assert(host:replace(shop, TWO))' end)
      assert(host:share("shop", shop))
      local said = title(1)
      b:run "assert(host:tidy() == 0)"
      print(said, shop.Title(1), loaded())
    ]])
  end)

  it("just before it is replaced", function()
    assert.equal("three\tthree\t1\n", run(SHARED .. [[
      before("begin_replacing", two)
      assert(host:replace(shop, THREE))
      print(shop.Title(1), b:run "return shop.Title(1)", loaded())
    ]]))
  end)

  it("just after it was replaced", function()
    assert.equal("three\tthree\tthree\t1\n", run(SHARED .. [[
      local new = assert(host:build(TWO))
      local title, max = new.Title, new["Max[int]"]
      assert(title(1) == "two" and max(1, 2) == 2)
      after("end_replacing", function() b:run "assert(host:replace(shop, THREE))" end)
      assert(host:replace(shop, new))
      b:run "host:tidy()"
      b:close()
      host:tidy()
      print(shop.Title(1), title(1), shop.Title(max(0, 1)), loaded())
    ]]))
  end)

  describe("while two Lua states wait for each other:", function()
    it("each makes a module, and asks for the other one's: one of them is told", function()
      assert.equal("0\t1\tone two\t2\n", run [[
        local ASK = [=[
          function ask(name)
            local other, message, err = host:shared(name)
            if not other then
              if err.code ~= "busy" or not message:find "waits for this one" then fail(message) end
              flags[10] = flags[10] + 1
            end
          end
        ]=]
        loadstring(ASK)()
        threads(ASK .. [=[
          local b = assert(host:shared("b", function()
            flags[1] = 1
            wait_for(function() return flags[2] == 1 end)
            ask "a"
            return host:build(TWO)
          end))
          wait_for(function() return flags[3] == 1 end)
        ]=])
        local a = assert(host:shared("a", function()
          wait_for(function() return flags[1] == 1 end)
          flags[2] = 1
          ask "b"
          return host:build(ONE)
        end))
        local b = assert(host:shared("b", function() return host:build(TWO) end))
        flags[3] = 1
        print(join(), flags[10], a.Title(1) .. " " .. b.Title(1), loaded())
      ]])
    end)

    it("each hands a module's state over, and calls the other one's: one call is the old version's", function()
      assert.equal("0\ttwo two\t1\t2\n", run [[
        local BOTH = [=[
          a = assert(host:shared("a", function() return host:build(ONE) end))
          b = assert(host:shared("b", function() return host:build(ONE) end))
          function replace(mine, others, n)
            assert(host:replace(mine, TWO, { adopt = function()
              flags[n] = 1
              wait_for(function() return flags[3 - n] == 1 end)
              if others.Title(1) == "one" then flags[10] = flags[10] + 1 end
            end }))
          end
        ]=]
        loadstring(BOTH)()
        threads(BOTH .. "replace(b, a, 1) wait_for(function() return flags[3] == 1 end)")
        replace(a, b, 2)
        wait_for(function() return b.Title(1) == "two" end)
        local said = a.Title(1) .. " " .. b.Title(1)
        flags[3] = 1
        print(join(), said, flags[10], loaded())
      ]])
    end)

    it("one makes a module in a coroutine of the thread that the other one runs in", function()
      local out = run [[
        local b = state()
        b:run [=[
          making = coroutine.create(function()
            return host:shared("shop", function()
              coroutine.yield()
              return host:build(ONE)
            end)
          end)
          assert(coroutine.resume(making))
        ]=]
        local shop, message, err = host:shared("shop", function() return host:build(TWO) end)
        print(shop, err.code, message)
        b:run "assert(select(2, assert(coroutine.resume(making))))"
        print(host:shared("shop").Title(1))
      ]]
      assert.matches("^nil\tbusy\tshop: the Lua state that makes the module of that name waits for this one", out)
      assert.matches("\none\n$", out)
    end)
  end)

  it("while a finalizer waits for its hand-over, in the middle of a load that fails", function()
    local config, imports = support.read(support.importcfg()), {}
    for i = 1, 8 do
      local name = "example.test/part" .. i
      local file = support.compile("package part\n\n//go:noinline\nfunc Do() {}\n", name)
      config = ("%spackagefile %s=%s\n"):format(config, name, file)
      imports[i] = ("import part%d %q\n"):format(i, name)
    end
    local calls = ("part1.Do()"):gsub("1", "%%d")
    local body = {}
    for i = 1, 8 do body[i] = calls:format(i) end
    local object = support.compile("package main\n\n" .. table.concat(imports) .. "\nfunc Run() { "
      .. table.concat(body, "; ") .. " }\n", "main", { "-importcfg", support.write("importcfg.parts", config) })
    assert.equal("0\t8\ttwo\t3\n", run(([[
      local shop = assert(host:shared("shop", function() return host:build(ONE) end))
      threads [=[
        local shop = assert(host:shared "shop")
        for i = 1, 3 do
          assert(host:replace(shop, i %% 2 == 1 and TWO or ONE, { adopt = function()
            flags[1] = i
            wait_for(function() return flags[2] == i end)
            os.execute "sleep 0.05"
            host:modules()
          end }))
        end
        flags[3] = 1
        wait_for(function() return flags[4] == 1 end)
      ]=]
      local fired, lacking = 0, 0
      local function arm(n)
        local proxy = newproxy(true)
        getmetatable(proxy).__gc = function()
          if not debug.traceback():find "'load'" then return arm(n) end -- the next collection is another one
          flags[2] = n
          shop.Title(1)
          fired = fired + 1
        end
      end
      for n = 1, 3 do
        wait_for(function() return flags[1] == n end)
        arm(n)
        while fired < n do
          local module, err = host.core:load({ { file = %q } }, {})
          assert(not module)
          lacking = #err.packages
        end
      end
      wait_for(function() return flags[3] == 1 end)
      local said = shop.Title(1)
      flags[4] = 1
      print(join(), lacking, said, fired)
    ]]):format(object)))
  end)

  -- What another Lua state has no use for any more does not keep an old version, though it may be idle for ever.
  describe("and a Lua state that is idle", function()
    for name, what in pairs {
      ["has a job that has finished"] = {
        b = "job = shop.Up:async()", meanwhile = "wait_for(function() return shop.Count == 1 end)",
        after = "return job:wait()", said = "1",
      },
      ["has lost a job, before it has finished, that returns a handle"] = {
        b = "shop.Late:async() collectgarbage() collectgarbage()",
        meanwhile = "shop.Item({}):Open() wait_for(function() return shop.Count == 1 end)",
        after = "return shop.Title(1)", said = "two",
      },
      ["has lost a handle"] = {
        b = "shop.Item {} collectgarbage() collectgarbage()", meanwhile = "",
        after = "return shop.Title(1)", said = "two",
      },
    } do
      it(name, function()
        assert.equal("1\t" .. what.said .. "\n", run(SHARED .. ([[
          b:run "shop.Title(1)"
          assert(shop.Title(1) == "one")
          b:run %q
          %s
          collectgarbage()
          collectgarbage()
          assert(host:replace(shop, TWO))
          wait_for(function() return host:tidy() == 0 end)
          print(loaded(), b:run %q)
        ]]):format(what.b, what.meanwhile, what.after)))
      end)
    end
  end)
end)
