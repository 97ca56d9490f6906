-- Modules that several Lua states of a process have: host:share, host:shared, and host:replace for all of them.
local sharing = require "spec.sharing"
local support = require "spec.support"

local run = sharing.run

describe("a module that several Lua states have", function()
  setup(sharing.setup)
  teardown(support.clean)

  describe("is found by its name", function()
    it("and is one module, with one set of variables", function()
      assert.equal("1 2 3\n3 one 4 two\n1\n", run [[
        local shop = assert(host:build(ONE))
        assert(host:share("shop", shop))
        local b = state()
        b:run 'shop = assert(host:shared "shop")'
        print(shop.Up(), b:run "return shown(shop.Up())", shop.Up())
        b:run 'shop.Mark = "two" assert(shop == host:shared "shop")'
        print(shop.Count, shop.List()[1], b:run "return shown(shop.Add(1, 2))", shop.Mark)
        print(#host:modules())
      ]] :gsub("\t", " "))
    end)

    it("and is made by the first who asks, while others wait", function()
      assert.equal("0\t1\t4\n", run [[
        threads([=[
          go(1)
          local made = 0
          local shop = assert(host:shared("shop", function()
            made = 1
            os.execute "sleep 0.2"
            return host:build(ONE)
          end))
          flags[THREAD] = 1 + made
          shop.Up()
          go(2)
        ]=], 4)
        flags[0] = 1
        wait_for(function() return flags[1] * flags[2] * flags[3] * flags[4] > 0 end)
        local shop = assert(host:shared "shop")
        local made = flags[1] + flags[2] + flags[3] + flags[4] - 4
        wait_for(function() return shop.Count == 4 end)
        flags[0] = 2
        print(join(), made, shop.Count)
      ]])
    end)

    it("unless it can't be made: then the next one who asks makes it", function()
      assert.equal("io\tit wobbles\tbusy\ttrue\n", run [[
        local _, _, err = host:shared("shop", function() return host:build "nosuch.go" end)
        local _, message = pcall(host.shared, host, "shop", function() error("it wobbles", 0) end)
        local _, busy
        local shop = assert(host:shared("shop", function()
          _, _, busy = host:shared("shop", print)
          return host:build(ONE)
        end))
        print(err.code, message, busy.code, shop == host:shared "shop")
      ]])
    end)

    it("and by no other, and a name is one module's", function()
      assert.equal("missing\tduplicate\tduplicate\ttrue\n", run [[
        local shop, other = assert(host:build(ONE)), assert(host:build(TWO))
        local _, _, missing = host:shared "shop"
        assert(host:share("shop", shop))
        local _, _, again = host:share("shop", other)
        local _, _, twice = host:share("store", shop)
        print(missing.code, again.code, twice.code, host:share("shop", shop))
      ]])
    end)

    it("and what is no name or no module is said", function()
      local out = run [[
        local shop, other = assert(host:build(ONE)), assert(host:build(TWO))
        assert(host:share("shop", shop))
        assert(host:share("other", other))
        print(select(2, pcall(host.share, host, 1, shop)))
        print(select(2, pcall(host.share, host, "", shop)))
        print(select(2, pcall(host.share, host, "x", 1)))
        print(select(2, pcall(host.share, host, "x", host:std "io")))
        print(select(2, pcall(host.shared, host, "x", 1)))
        print(select(2, pcall(host.shared, host, "x", function() return {} end)))
        print(select(2, pcall(host.replace, host, shop, other)))
        print(select(3, host:shared "x").code)
      ]]
      local lines = {}
      for line in out:gmatch "[^\n]+" do lines[#lines + 1] = line end
      assert.matches("host:share: a name expected, got number$", lines[1])
      assert.matches('host:share: a name expected, got ""$', lines[2])
      assert.matches("host:share: a module expected, got number$", lines[3])
      assert.matches("host:share: io is the process's own package, which host:std gives to all$", lines[4])
      assert.matches("host:shared: a function that makes the module expected, got number$", lines[5])
      assert.matches("host:shared: x: what was made is no module, but a table$", lines[6])
      assert.matches("host:replace: the new module is shared already, as other$", lines[7])
      assert.equal("missing", lines[8])
    end)
  end)

  describe("is replaced for all of them", function()
    local SHARED = [[
      local shop = assert(host:build(ONE))
      assert(host:share("shop", shop))
      local b = state()
      b:run [=[
        shop = assert(host:shared "shop")
        add, title, list, max, inst = shop.Add, shop.Title, shop.List, shop["Max[int]"], shop:instantiate "Max[string]"
        function all()
          return shown(add(1, 1), title(1), list()[1], max(1, 2), inst("a", "b"), shop.Add(1, 1), shop.Title(0),
            shop.List()[1], shop.Number, shop.Mark, add:map({ 1, 2 }, { 1, 1 })[2], title:map({ 1, 1 })[2],
            title:async(1):wait(), title:keep(1), add:road(), title:road(), shop.Max("a", "b"), shop.Keep()())
        end
      ]=]
    ]]

    it("by every way in which they call it", function()
      assert.equal([[
3 one one 2 b 3 one one 1 one 4 one one one pure ffi b one
4 two two 2 b 4 two two 2 two 5 two two two pure ffi b two
3 one one 2 b 3 one one 1 one 4 one one one pure ffi b one
5 three three 2 b 5 three three 3 three 6 three three three pure ffi b three
]], run(SHARED .. [[
        print((b:run "return all()"))
        assert(host:replace(shop, TWO))
        print((b:run "return all()"))
        b:run "assert(host:replace(shop, ONE))"
        print((b:run "return all()"))
        assert(host:replace(shop, THREE))
        assert(shop.Title(1) == "three" and shop.Add(0, 0) == 3)
        print((b:run "return all()"))
      ]]))
    end)

    for name, first in pairs {
      pure = "assert(add(0, 0) == 2)", ffi = 'assert(title(1) == "two")', capi = 'assert(list()[1] == "two")',
      map = "assert(add:map({ 0 }, { 0 })[1] == 2)", ["map by FFI"] = 'assert(title:map({ 0 })[1] == "two")',
      each = "assert(add:each({ 0 }, { 0 }) == 1 and shop.Number == 2)", job = 'assert(title:async(1):wait() == "two")',
      kept = 'assert(title:keep(1) == "two")',
      ["kept job"] = 'assert(title:async_keep(1):wait() == "two")', get = 'assert(shop.Mark == "two")',
      set = 'shop.Mark = "both" assert(shop.Mark == "both" and shop.Title(1) == "two")',
      ref = 'assert(shop:ref("Mark"):get() == "two")', const = "assert(shop.Number == 2)",
      type = 'local i = shop.Item { N = 1 } assert(i:Say() == "two 1") i:release()',
      new = 'local i = shop:new("Item", { N = 1 }) assert(i:Say() == "two 1") i:release()',
      generic = "assert(max(1, 3) == 3 and shop.Number == 2)", instance = 'assert(inst("x", "y") == "y")',
      exports = "for _, e in ipairs(shop:exports()) do if e.name == 'Number' then assert(e.value == '2') end end",
      stats = "assert(add:stats().calls >= 0 and shop.Number == 2)", closure = 'assert(shop.Keep()() == "two")',
      is_loaded = "assert(shop:is_loaded() and shop.Number == 2)",
    } do
      it("whatever they do first: " .. name, function()
        run(SHARED .. ([[
          b:run "all()"
          assert(host:replace(shop, TWO))
          b:run %q
          b:run 'assert(shop.Title(1) == "two")'
          b:close()
        ]]):format(first))
      end)
    end

    it("at one moment: once it has returned no call that begins anywhere runs the old code", function()
      assert.equal("0\n", run [[
        local shop = assert(host:shared("shop", function() return host:build(ONE) end))
        threads([=[
          local shop = assert(host:shared "shop")
          local add, title, list = shop.Add, shop.Title, shop.List
          local numbers = { one = 1, two = 2, three = 3 }
          -- flags[1]: the number of the last swap that has returned; flags[2]: of the last one that has begun
          local function stood(low, high, version)
            for number = low, high do
              if number % 3 + 1 == version then return true end
            end
            return false
          end
          local ways = {
            function() for _ = 1, 2000 do
              local low = flags[1]
              local got = add(0, 0)
              local high = flags[2]
              if not stood(low, high, got) then fail(got .. " on the pure road") end
            end end,
            function() for _ = 1, 500 do
              local low = flags[1]
              local got = numbers[title(1)]
              local high = flags[2]
              if not stood(low, high, got) then fail(got .. " on the FFI road") end
            end end,
            function()
              local low = flags[1]
              local got = numbers[(list()[1])]
              local high = flags[2]
              if not stood(low, high, got) then fail(got .. " by the C API") end
            end,
            function()
              local low = flags[1]
              local got = add:map({ 0, 0, 0 }, { 0, 0, 0 })
              local high = flags[2]
              if not stood(low, high, got[1]) or got[1] ~= got[3] then fail(got[1] .. " of many") end
            end,
            function()
              local low = flags[1]
              local got = numbers[shop.Mark]
              local high = flags[2]
              if not stood(low, high, got) then fail(got .. " by a variable") end
            end,
          }
          flags[10 + THREAD] = 1
          while flags[0] == 0 do ways[math.random(#ways)]() end
          if flags[0] < 0 then error "another one has failed" end
        ]=], 3)
        wait_for(function() return flags[11] + flags[12] + flags[13] == 3 or flags[0] < 0 end)
        local goms = {}
        for i, file in ipairs { ONE, TWO, THREE } do
          goms[i] = file .. ".gom"
          assert(host:ship(file, goms[i]))
        end
        for i = 1, 60 do
          flags[2] = i
          assert(host:replace(shop, goms[i % 3 + 1]))
          flags[1] = i
          os.execute "sleep 0.02"
          if flags[0] < 0 then break end
        end
        if flags[0] == 0 then flags[0] = 1 end
        print(join())
        assert(loaded() == 1)
      ]])
    end)

    it("while one of them has an instance of a generic function compiled, which is the new one's then", function()
      assert.equal("0\ttwo\ttrue\ttrue\n", run [[
        local is_asked, is_replaced
        local shop = assert(host:shared("shop", function()
          return host:build(ONE, { imports = function()
            if is_asked and not is_replaced then
              flags[0] = 1
              go(2)
              is_replaced = true
            end
            return true
          end })
        end))
        threads [=[
          local shop = assert(host:shared "shop")
          go(1)
          local before = #host:modules()
          assert(host:replace(shop, TWO))
          host:tidy()
          if #host:modules() ~= before then fail "the old one stays" end
          flags[0] = 2
        ]=]
        is_asked = true
        local of = shop["Of[time.Duration]"]
        print(join(), of(1), is_replaced, shop["Of[time.Duration]"] == of)
      ]])
    end)

    it("and a load that is to use the old one says so", function()
      assert.equal("0\tmodule shop, which is to be used, was unloaded\tclosed\n", run [[
        local shop = assert(host:shared("shop", function() return host:build(ONE) end))
        threads [=[
          local shop = assert(host:shared "shop")
          flags[0] = 1
          go(2)
          assert(host:replace(shop, TWO))
          flags[0] = 3
        ]=]
        go(1)
        local user = support.write("user/user.go", "package user\n\nimport _ \"strings\"\n")
        local function begin()
          flags[0] = 2
          go(3)
          return true
        end
        local _, message, err = host:build(user, { uses = { shop }, imports = begin })
        print(join(), message, err.code)
      ]])
    end)

    it("while calls that have begun end in the old code", function()
      assert.equal("true\t2\tcall\t0\ttwo\t1\n", run [[
        local shop = assert(host:shared("shop", function() return host:build(ONE) end))
        threads [=[
          local shop = assert(host:shared "shop")
          local item, job = shop.Item { N = 1 }, shop.Wait:async()
          local said = shop.With(function()
            flags[0] = 1
            go(2)
            return shop.Title(1) .. " " .. shop.With(function() return shop.Mark end)
          end)
          if said ~= "one two two two" then fail(said) end
          assert(not job:done())
          item:Open()
          assert(job:wait() == "one")
          assert(item:Say() == "one 1")
          item:release()
          collectgarbage()
          assert(host:tidy() == 0)
          flags[0] = 3
          go(4)
        ]=]
        go(1)
        assert(host:replace(shop, TWO))
        local n = loaded()
        local refusal
        for _, entry in ipairs(host:modules()) do refusal = refusal or entry.refusal end
        flags[0] = 2
        go(3)
        local title = shop.Title(1)
        wait_for(function() return loaded() == 1 end)
        flags[0] = 4
        local is_said = refusal.message:find("called by another Lua state", 1, true) ~= nil
        print(is_said, n, refusal.path[1].kind, join(), title, loaded())
      ]])
    end)

    it("and an instance that one of them has unloaded already does not go twice", function()
      assert.equal("2\tone\t1\n", run [[
        local b, c = state(), state()
        local shop = assert(host:shared("shop", function() return host:build(ONE) end))
        b:run 'shop = assert(host:shared "shop") local max = shop["Max[int]"] assert(max(1, 2) == 2)'
        c:run 'shop = assert(host:shared "shop")'
        local other = assert(host:build(THREE)) -- in the list of modules behind the instance
        local kept = shop.Keep()
        assert(host:replace(shop, TWO))
        b:run 'assert(shop.Title(1) == "two")' -- lets go of the old one, which the closure holds, and of its instance
        assert(other:unload())
        local held, title = loaded(), kept()
        kept:release()
        print(held, title, loaded()) -- though c has not noticed yet
      ]])
    end)

    it("without that handles, types and closures of the old one become void", function()
      assert.equal("one 7\tone 8\tone\t4\t1\n", run(SHARED .. [[
        b:run 'item, Item, closure = shop.Item { N = 7 }, shop.Item, shop.Keep()'
        assert(host:replace(shop, TWO))
        local said = b:run "return item:Say()"
        local other = b:run "local new = Item { N = 8 } local said = new:Say() new:release() return said"
        local closed = b:run "return closure()"
        local held = loaded()
        b:run "item:release() item, Item, closure = nil collectgarbage() collectgarbage() host:stats() host:tidy()"
        print(said, other, closed, held, loaded())
      ]]))
    end)

    it("though one of them does nothing for hours: what it has of the old one is taken from it", function()
      assert.equal("1\ttwo\n", run(SHARED .. [[
        b:run 'for _ = 1, 300 do all() end collectgarbage() collectgarbage() host:stats()'
        assert(host:replace(shop, TWO))
        print(loaded(), b:run "return title(1)")
      ]]))
    end)

    it("though a call of one that does nothing for hours has failed before it began", function()
      for _, call in ipairs { "add:map(1)", "add:map({}, {}, {})", "add:map(goloader.same(1), goloader.same(1))",
        "add:each(1)", "list:map({})", "add(1)", "add('x', 1)" } do
        assert.equal("false\t1\n", run(SHARED .. ([[
          local is_called = b:run [=[return shown((pcall(function() return %s end)))]=]
          assert(host:replace(shop, TWO))
          print(is_called, loaded())
        ]]):format(call)), call)
      end
    end)

    it("and types and generic functions that were taken before make the new one's, as functions do", function()
      assert.equal("two 1\ttwo\ttwo 1\ttwo\n", run [[
        local shop = assert(host:shared("shop", function() return host:build(ONE) end))
        local b = state()
        b:run 'shop = assert(host:shared "shop") Item, Of = shop.Item, shop.Of'
        local Item, Of = shop.Item, shop.Of
        assert(host:replace(shop, TWO))
        assert(loaded() == 1)
        print(Item({ N = 1 }):Say(), Of(1), b:run "return Item({ N = 1 }):Say()", b:run "return Of(1)")
      ]])
    end)

    it("and a generic function that was taken before is the new one's though the old one stays", function()
      assert.equal("two\t2\n", run [[
        local shop = assert(host:shared("shop", function() return host:build(ONE) end))
        local b = state()
        b:run 'shop = assert(host:shared "shop")'
        local Of, kept = shop.Of, shop.Keep()
        b:run "assert(host:replace(shop, TWO))"
        local said = Of(1)
        print(said, loaded(), kept:release())
      ]])
    end)

    it("and a name that is not there any more raises where it is used", function()
      local out = run(SHARED .. ([[
        assert(host:replace(shop, %q))
        for _, use in ipairs { "return add(1, 2)", "return shop.Add", "return shop.Mark", "shop.Mark = 1" } do
          print(select(2, pcall(b.run, b, use)))
        end
        print(b:run "return shown(shop.Title())")
      ]]):format(support.write("less/less.go", "package less\n\nfunc Title() int { return 2 }\n")))
      local lines = {}
      for line in out:gmatch "[^\n]+" do lines[#lines + 1] = line end
      assert.matches("less%.go exports no Add$", lines[1])
      assert.matches("less%.go exports no Add", lines[2])
      assert.matches("less%.go exports no Mark", lines[3])
      assert.matches("less%.go has no exported variable Mark", lines[4])
      assert.equal("2", lines[5])
    end)
  end)

  describe("hands its state over", function()
    it("with no change to it lost: calls that begin meanwhile wait, and are the new one's", function()
      assert.equal("0\t1001\ttrue\n", run [[
        local shop = assert(host:shared("shop", function() return host:build(ONE) end))
        threads [=[
          local shop = assert(host:shared "shop")
          local up = shop.Up
          up()
          flags[0] = 1
          go(2)
          for _ = 1, 1000 do up() end
          flags[1] = 1
          if shop.Title(1) ~= "two" then fail "the old one" end
        ]=]
        go(1)
        local waited
        assert(host:replace(shop, TWO, {
          adopt = function(new, old)
            local count = old.Count
            flags[0] = 2
            os.execute "sleep 0.3"
            waited = flags[1] == 0 and old.Count == 1
            new.Count = count
          end,
        }))
        print(join(), shop.Count, waited)
      ]])
    end)

    for name, call in pairs { ["a call of it"] = "shop.With", ["a method of its values"] = "item:With" } do
      it("while who is within " .. name .. ", or in the thread that hands over, does not wait", function()
        assert.equal("0\tone one one\n", run(([[
          local shop = assert(host:shared("shop", function() return host:build(ONE) end))
          local b, said = state(), nil
          b:run 'shop = assert(host:shared "shop")'
          threads [=[
            local shop = assert(host:shared "shop")
            local item = shop.Item {}
            local said = %s(function()
              flags[0] = 1
              go(2)
              local title = shop.Title(1) .. " " .. shop.List()[1] .. " " .. shop.Mark
              flags[0] = 3
              return title
            end)
            if said ~= "one one one one" then fail(said) end
          ]=]
          go(1)
          assert(host:replace(shop, TWO, {
            adopt = function(_, old)
              flags[0] = 2
              go(3)
              said = b:run "return shop.Title(1) .. ' ' .. shop.Mark" .. " " .. old.Title(1)
            end,
          }))
          print(join(), said)
          assert(shop.Title(1) == "two" and b:run "return shop.Title(1)" == "two")
        ]]):format(call)))
      end)
    end

    for name, replace in pairs {
      ["is refused by the program"] = "host:replace(shop, TWO, { ready = function() return nil, 'no' end })",
      ["is not adopted"] = "host:replace(shop, TWO, { adopt = function() error 'no' end })",
      ["does not adopt"] = "host:replace(shop, TWO)",
      ["does not compile"] = "host:replace(shop, 'nosuch.go')",
      ["does not start"] = "host:replace(shop, PANICS)",
      ["was unloaded"] = "host:replace(shop, GONE)",
    } do
      it("and stays where the new one " .. name, function()
        assert.equal("0\tnil\tone\t95\t96\t1\n", run(([[
          local PANICS, GONE = %q, assert(host:build(TWO))
          assert(GONE:unload())
          local shop = assert(host:shared("shop", function() return host:build(ONE) end))
          shop.Count = 94
          threads [=[
            local shop = assert(host:shared "shop")
            local title, add = shop.Title, shop.Add
            shop.Up()
            flags[1] = 1
            while flags[0] == 0 do
              for _ = 1, 100 do
                if title(1) ~= "one" or add(0, 0) ~= 1 or shop.Number ~= 1 then fail "another version" end
              end
            end
          ]=]
          wait_for(function() return flags[1] == 1 end)
          local ok = %s
          flags[0] = flags[0] == 0 and 1 or -1
          local failed, count = join(), shop.Count
          shop.Up()
          print(failed, ok, shop.Title(1), count, shop.Count, loaded())
        ]]):format(support.write("panics/panics.go", "package panics\n\nfunc init() { panic(1) }\n"), replace)))
      end)
    end

    it("to one at a time: two that replace it at once are told so", function()
      assert.equal("busy\tmodule shop is being replaced by another Lua state already\n"
        .. "busy\tmodule shop is being replaced by this Lua state already\ntwo\t1\n", run [[
        local shop = assert(host:shared("shop", function() return host:build(ONE) end))
        local b = state()
        b:run 'shop = assert(host:shared "shop")'
        assert(host:replace(shop, TWO, {
          ready = function()
            print(b:run "local _, message, err = host:replace(shop, THREE) return err.code .. '\t' .. message")
            local _, message, err = host:replace(shop, THREE)
            print(err.code, message)
          end,
        }))
        print(shop.Title(1), loaded())
      ]])
    end)

    it("and stays where the program shares the new one by another name", function()
      assert.equal("duplicate\tmodule shop is shared already, as other\tone\n", run [[
        local shop = assert(host:shared("shop", function() return host:build(ONE) end))
        local _, message, err = host:replace(shop, TWO, {
          ready = function(new) return host:share("other", new) end,
        })
        print(err.code, message, shop.Title(1))
      ]])
    end)

    it("and goes on where the coroutine that replaces it is lost in the middle of that", function()
      assert.equal("0\tone\ttwo\n", run [[
        local shop = assert(host:shared("shop", function() return host:build(ONE) end))
        local started = coroutine.wrap(function()
          host:replace(shop, THREE, { adopt = function() coroutine.yield() end })
        end)
        started()
        threads [=[
          local shop = assert(host:shared "shop")
          flags[0] = 1
          if shop.Title(1) ~= "one" then fail "another one" end
          flags[0] = 2
        ]=]
        go(1)
        os.execute "sleep 0.1"
        assert(flags[0] == 1)
        started = nil
        collectgarbage()
        collectgarbage()
        go(2)
        print(join(), shop.Title(1), host:replace(shop, TWO) and shop.Title(1))
      ]])
    end)

    it("and is let go of by a state that is closed in the middle of that", function()
      assert.equal("one one\ttwo\t1\n", run [[
        local shop = assert(host:shared("shop", function() return host:build(ONE) end))
        local b = state()
        b:run [=[
          shop = assert(host:shared "shop")
          local started = coroutine.create(function()
            host:replace(shop, THREE, { adopt = function() coroutine.yield() end })
          end)
          assert(coroutine.resume(started))
        ]=]
        b:close()
        local before = shop.Title(1) .. " " .. shop.Mark
        assert(host:replace(shop, TWO))
        local other = assert(host:build(ONE))
        assert(other:unload())
        wait_for(function() assert(assert(host:build(ONE)):unload()) return loaded() == 1 end)
        print(before, shop.Title(1), loaded())
      ]])
    end)
  end)

  describe("goes with the last state that has it", function()
    it("which unloads it: the others have left", function()
      assert.equal("true\tfalse\tone\t1\ttrue\t0\n", run [[
        local shop = assert(host:shared("shop", function() return host:build(ONE) end))
        local b = state()
        b:run 'shop = assert(host:shared "shop") title = shop.Title title(1)'
        local left = b:run "return shown(shop:unload())"
        local is_loaded = b:run "return shown(shop:is_loaded())"
        assert(not pcall(b.run, b, "title(1)") and not pcall(b.run, b, "return shop.Mark"))
        assert(host:replace(shop, ONE))
        local ok, message = pcall(b.run, b, "title(1)")
        assert(not ok and message:find("unloaded", 1, true))
        print(left, is_loaded, shop.Title(1), loaded(), shop:unload(), loaded())
        assert(select(3, host:shared "shop").code == "missing")
        b:close()
      ]])
    end)

    it("which is closed", function()
      assert.equal("0\t1\ttwo\t0\n", run [[
        local b, c = state(), state()
        b:run 'shop = assert(host:shared("shop", function() return host:build(ONE) end)) item = shop.Item { N = 1 }'
        c:run 'shop = assert(host:shared "shop") shop.Up() local max = shop["Max[int]"] assert(max(1, 2) == 2)'
        b:run "assert(host:replace(shop, TWO))"
        b:close()
        local title = c:run "return shop.Title(1)"
        local count = c:run "return shown(shop.Count)"
        c:close()
        wait_for(function() assert(assert(host:build(ONE)):unload()) return loaded() == 0 end)
        print(select(3, host:shared "shop").code == "missing" and 0, count, title, loaded())
      ]])
    end)

    it("which had not noticed that another version stands", function()
      assert.equal("0\tone\n", run [[
        local b, c = state(), state()
        b:run 'shop = assert(host:shared("shop", function() return host:build(ONE) end))'
        c:run 'shop = assert(host:shared "shop") shop.Up()'
        b:run "assert(host:replace(shop, TWO)) assert(shop:unload())"
        b:close()
        c:close()
        wait_for(function() assert(assert(host:build(ONE)):unload()) return loaded() == 0 end)
        local shop = assert(host:shared("shop", function() return host:build(ONE) end))
        local title = shop.Title(1)
        assert(shop:unload())
        print(loaded(), title)
      ]])
    end)

    it("though others still know what they had unloaded", function()
      assert.equal("true\t0\n", run [[
        local b = state()
        b:run 'shop = assert(host:shared("shop", function() return host:build(ONE) end)) assert(shop:unload())'
        local shop = assert(host:shared("shop", function() return host:build(TWO) end))
        print(shop:unload(), loaded())
      ]])
    end)

    it("and what others have of it from before that they unloaded it is void for ever", function()
      assert.equal("module shop was unloaded\nmodule shop/instance was unloaded\nmodule shop was unloaded\n", run [[
        local b = state()
        local shop = assert(host:shared("shop", function() return host:build(ONE) end))
        b:run 'shop = assert(host:shared "shop")'
        local title, max, Item = shop.Title, shop["Max[int]"], shop.Item
        assert(title(1) == "one" and max(1, 2) == 2)
        assert(shop:unload())
        b:run "assert(host:replace(shop, TWO))"
        for _, use in ipairs { function() title(1) end, function() max(1, 2) end, function() Item { N = 1 } end } do
          print((select(2, pcall(use)):match "module .*"))
        end
      ]])
    end)

    it("by force, too: then another one can have its name", function()
      assert.equal("missing\ttwo\tfalse\tfalse\ttrue\t0\n", run [[
        local b = state()
        local shop = assert(host:shared("shop", function() return host:build(ONE) end))
        local title, kept = shop.Title, shop.Keep()
        assert(shop:unload { force = true })
        local missing = b:run 'return select(3, host:shared "shop").code'
        b:run 'shop = assert(host:shared("shop", function() return host:build(TWO) end))'
        local said = b:run "return shop.Title(1)"
        local is_called, is_there = pcall(title, 1), shop:is_loaded()
        kept:release()
        print(missing, said, is_called, is_there, b:run "return shown(shop:unload())", loaded())
      ]])
    end)

    it("again and again, while others take it", function()
      assert.equal("0\t0\n", run [[
        local gom = ONE .. ".gom"
        assert(host:ship(ONE, gom))
        threads(([=[
          for _ = 1, 60 do
            local shop = assert(host:shared("shop", function() return host:load %q end))
            if shop.Title(1) ~= "one" then fail "another one" end
            assert(shop:unload { wait = 20 })
          end
        ]=]):format(gom), 3)
        print(join(), loaded())
      ]])
    end)

    it("or is made by who asks next, where the coroutine that makes it is lost", function()
      assert.equal("0\tone\n", run [[
        local making = coroutine.wrap(function() host:shared("shop", coroutine.yield) end)
        making()
        threads [=[
          flags[0] = 1
          assert(host:shared("shop", function() return host:build(ONE) end))
          flags[0] = 2
          go(3)
        ]=]
        go(1)
        os.execute "sleep 0.1"
        assert(flags[0] == 1)
        making = nil
        collectgarbage()
        collectgarbage()
        go(2)
        local shop = assert(host:shared "shop")
        flags[0] = 3
        print(join(), shop.Title(1))
      ]])
    end)

    it("however its making ends", function()
      assert.equal("0\tmissing missing\n", run [[
        local b = state()
        b:run [=[
          local making = coroutine.create(function()
            host:shared("outer", function() return host:shared("inner", coroutine.yield) end)
          end)
          assert(coroutine.resume(making))
        ]=]
        b:close()
        threads [=[
          assert(select(3, host:shared "outer").code == "missing" and select(3, host:shared "inner").code == "missing")
        ]=]
        print(join(), "missing missing")
      ]])
    end)

    it("and is not taken by force from those who have it", function()
      assert.equal("nil\tmodule shop can't be unloaded by force: other Lua states have it, too\ttrue\tone\n", run [[
        local shop = assert(host:shared("shop", function() return host:build(ONE) end))
        local b = state()
        b:run 'shop = assert(host:shared "shop")'
        local ok, message
        shop.With(function()
          ok, message = shop:unload { force = true }
          return ""
        end)
        print(ok, message:match "^[^\n]*", shop:unload { force = true }, b:run "return shop.Title(1)")
      ]])
    end)

    it("however often states come and go", function()
      assert.equal("one\t0\n", run [[
        local title
        for i = 1, 30 do
          local b, c = state(), state()
          b:run 'shop = assert(host:shared("shop", function() return host:build(ONE) end)) shop.Up()'
          c:run 'shop = assert(host:shared "shop") list = shop.List'
          if i % 3 == 0 then b:run "assert(host:replace(shop, TWO))" end
          c:run 'list()'
          if i % 2 == 0 then b:close() c:close() else c:close() b:close() end
        end
        wait_for(function()
          local shop = assert(host:build(ONE))
          title = shop.Title(1)
          assert(shop:unload())
          return loaded() == 0
        end)
        print(title, loaded())
      ]])
    end)
  end)

  it("is told by host:modules, with the states that have it", function()
    assert.equal("shop\t2\tnil\tnil\n", run [[
      local shop, other = assert(host:build(ONE)), assert(host:build(TWO))
      assert(host:share("shop", shop))
      local b = state()
      b:run 'shop = assert(host:shared "shop")'
      local list = host:modules()
      print(list[1].shared, list[1].states, list[2].shared, list[2].states)
    ]])
  end)

  it("is told by its whole name, however long that is", function()
    assert.equal("true\t1\n", run [[
      local name = ("shop"):rep(1000)
      assert(host:share(name, assert(host:build(ONE))))
      local list = host:modules()
      print(list[1].shared == name, list[1].states)
    ]])
  end)
end)
