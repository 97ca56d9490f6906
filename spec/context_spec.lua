-- What Lua says of a context.Context.
local support = require "spec.support"

local contexts

setup(function() contexts = assert(support.host():build "spec/testdata/contexts/contexts.go") end)
teardown(support.clean)

local message = support.raised

describe("a context", function()
  it("is the background where it is nil", function()
    assert.is_true(contexts.IsBackground(nil))
    assert.equal(-1, contexts.Left(nil))
    assert.is_true(contexts.Wait(nil, 0))
  end)

  it("has a timeout", function()
    for _, ctx in ipairs { 60, "1m", { timeout = 60 }, { timeout = "1m" } } do
      local left = contexts.Left(ctx)
      assert.is_true(left > 50 and left <= 60)
    end
    assert.equal("context deadline exceeded", select(2, contexts.Wait(0.01, 60)).message)
    assert.equal("context deadline exceeded", select(2, contexts.Wait(0, 60)).message)
    assert.equal("context deadline exceeded", select(2, contexts.Wait(-1, 60)).message)
    assert.is_true(contexts.Left(math.huge) > 1e9)
    assert.is_true(contexts.Left(1e300) > 1e9)
  end)

  it("has a deadline", function()
    local left = contexts.Left { deadline = os.time() + 100 }
    assert.is_true(left > 90 and left <= 100)
    assert.equal("context deadline exceeded", select(2, contexts.Wait({ deadline = os.time() - 1 }, 60)).message)
    left = contexts.Left { deadline = os.time() + 100, timeout = 10 }
    assert.is_true(left > 5 and left <= 10)
    left = contexts.Left { deadline = os.time() + 10, timeout = 100 }
    assert.is_true(left > 5 and left <= 10)
  end)

  it("has values, by strings", function()
    local ctx = { values = { name = "lamp", price = 2.5, count = 3, tags = { "a", "b" }, flag = true } }
    assert.equal("lamp", contexts.Value(ctx, "name"))
    assert.equal(2.5, contexts.Value(ctx, "price"))
    assert.equal(3, contexts.Value(ctx, "count"))
    assert.same({ "a", "b" }, contexts.Value(ctx, "tags"))
    assert.is_true(contexts.Value(ctx, "flag"))
    assert.is_nil(contexts.Value(ctx, "other"))
    assert.equal("string", contexts.Type(ctx, "name"))
    assert.equal("int64", contexts.Type(ctx, "count"))
  end)

  it("is taken in structs, variadic parameters and more than once", function()
    local name, left = contexts.Nested { Name = "deep", Ctx = 60 }
    assert.equal("deep", name)
    assert.is_true(left > 50 and left <= 60)
    assert.equal(3, contexts.All(nil, 1, {}))
    assert.equal("1 x 2", contexts.Both({ values = { n = 1 } }, " x ", { values = { n = 2 } }))
  end)

  it("may be one of Go's, which is a handle", function()
    local ctx = contexts.With(nil, "key", "value")
    assert.equal("value", contexts.Value(ctx, "key"))
    assert.equal("value", ctx:Value "key")
    assert.equal("context canceled", select(2, contexts.With(5, "key", 1):Err()).message) -- its call has ended
    assert.equal(ctx, contexts.Same(ctx))
    assert.equal(2, contexts.All(ctx, ctx))
    local inner = contexts.With(ctx, "other", 2)
    assert.equal("value", inner:Value "key")
    contexts.Global = ctx
    assert.equal(ctx, contexts.Global)
    contexts.Global = contexts.With(nil, "a", 1)
    assert.matches("context.Context expected, got a handle of chan int", message(contexts.Left, contexts.NoContext()))
    local cancellable, cancel = contexts.Cancellable()
    assert.is_true(cancellable:Err())
    cancel()
    assert.equal("context canceled", select(2, cancellable:Err()).message)
  end)

  it("that is a handle ends with a job, and does not end by that", function()
    local ctx = contexts.Cancellable()
    local job = contexts.Wait:async(ctx, 60)
    assert.is_true(job:cancel())
    assert.equal("context canceled", select(2, job:wait()).message)
    assert.is_true(ctx:Err())
    local other, cancel = contexts.Cancellable()
    job = contexts.Wait:async(other, 60)
    cancel()
    assert.equal("context canceled", select(2, job:wait()).message)
  end)

  it("may be one that Go has made", function()
    local named = contexts.Named "lamp"
    assert.equal("lamp", contexts.Value(named, "name"))
    assert.is_true(contexts.Equal(named, named))
    local ctx, cancel = contexts.Cancellable()
    assert.is_true(contexts.Wait(ctx, 0))
    cancel()
    assert.equal("context canceled", select(2, contexts.Wait(ctx, 60)).message)
  end)

  it("that Go has made ends a job, and the job's cancel does not end it", function()
    local ctx, cancel = contexts.Cancellable()
    local one, other = contexts.Wait:async(ctx, 60), contexts.Wait:async(ctx, 60)
    assert.is_true(one:cancel())
    assert.equal("context canceled", select(2, one:wait(20)).message)
    assert.is_false(other:done())
    cancel()
    assert.equal("context canceled", select(2, other:wait(20)).message)
  end)

  it("is given to Lua functions, which may pass it on", function()
    local seen = {}
    assert.is_true(contexts.Each({ values = { key = "value" } }, 3, function(ctx, i)
      seen[#seen + 1] = contexts.Value(ctx, "key") .. i
    end))
    assert.same({ "value0", "value1", "value2" }, seen)
    local _, err = contexts.Each(0.01, 1000, function(ctx) return contexts.Wait(ctx, 60) end)
    assert.equal("context deadline exceeded", err.message)
  end)

  it("must be given", function()
    assert.matches("bad argument #1 to 'Left' %(missing: ctx context%.Context%)", message(contexts.Left))
  end)

  it("is refused where it is something else", function()
    local function refuses(expected, ctx)
      assert.equal("bad argument #1 to 'Left' (parameter 'ctx'" .. expected .. ")",
        (message(contexts.Left, ctx):gsub("^[^ ]-:%d+: ", "")))
    end
    local example = 'is not a duration such as "250ms", "30s", "5m" or "1h30m"'
    refuses(': "1" ' .. example, "1")
    refuses(": context.Context expected (nil, a timeout, a table or a handle), got boolean", true)
    refuses(': seconds, or a text such as "30s", expected, got nan', 0 / 0)
    refuses('.timeout: "1" ' .. example, { timeout = "1" })
    refuses('.timeout: seconds, or a text such as "30s", expected, got boolean', { timeout = true })
    refuses(".deadline: a number of seconds since 1970 expected, got table", { deadline = {} })
    refuses(".deadline: a number of seconds since 1970 expected, got string", { deadline = "30s" })
    refuses(": context.Context is given by timeout, deadline and values, got the key 'time'", { time = 1 })
    refuses(": context.Context is given by timeout, deadline and values, got the key 'number'", { 1 })
    refuses(".values: a table expected, got number", { values = 1 })
    refuses(".values: a context's keys are strings, got a key of type number", { values = { 1 } })
    refuses('.values["f"]: any expected, got function', { values = { f = print } })
    assert.matches("bad value for 'Global' %(context%.Context ends with a call: a variable can't hold it%)",
      message(function() contexts.Global = 1 end))
  end)

  it("is cancelled when its call has ended", function()
    local before = contexts.Watched()
    for _, ctx in ipairs { 3600, { deadline = os.time() + 3600 } } do contexts.Watch(ctx) end
    contexts.Watch:async(nil):wait()
    contexts.Watch:async(3600):wait()
    assert.is_true(support.eventually(function() return contexts.Watched() == before + 4 end))
  end)

  it("leaves no timers behind", function()
    for _ = 1, 2000 do
      contexts.Left(3600)
      contexts.Left:async(3600):wait()
    end
    local before = contexts.Heap()
    for _ = 1, 20000 do contexts.Left { timeout = 3600, deadline = os.time() + 3600, values = { a = 1 } } end
    local grown
    local function is_small() -- a timer each would be more than 2 MB; what just ends may still have some of it
      grown = contexts.Heap() - before
      return grown < 1e6
    end
    assert.is_true(support.eventually(is_small), "grown by " .. grown)
  end)
end)
