-- Structs, maps, slices and arrays keep their methods: plain ones are tables with methods, structs with hidden state
-- are handles.
local goloader = require "goloader"
local support = require "spec.support"

local host = support.host()
local structs

local raises = support.raises

setup(function() structs = assert(host:build "spec/testdata/structs") end)
teardown(function()
  assert(structs:unload())
  support.clean()
end)

describe("a struct that is a table", function()
  it("has the methods of its type", function()
    local point = structs.NewPoint(1, 2)
    assert.equal("table", type(point))
    assert.same({ X = 4, Y = 6 }, point:Add { X = 3, Y = 4 })
    assert.same({ X = 2, Y = 4 }, point:Add(point))
    assert.equal(9, point:Sum(1, 2, 3))
    assert.equal(-1, point:Apply(function(x, y) return x - y end))
    assert.equal(1, point:Check(1))
    assert.equal("1 is more than 0", select(2, point:Check(0)).message)
    assert.same({ X = 1, Y = 2 }, point)
  end)

  it("has the fields that it has, and no others", function()
    local point, seen = structs.NewPoint(1, 2), {}
    for name, value in pairs(point) do seen[name] = value end
    assert.same({ X = 1, Y = 2 }, seen)
    assert.is_nil(point.Z)
    assert.is_nil(structs.NewNamed("lamp").Next)
  end)

  it("has its fields set by a method of a pointer", function()
    local point = structs.NewPoint(1, 2)
    point:Move(10, 20)
    assert.same({ X = 11, Y = 22 }, point)
    assert.same({ 11, 22 }, { point:Scale(2) })
    assert.same({ X = 22, Y = 44 }, point)
    point.X = 0
    point:Move(1, 1)
    assert.same({ X = 1, Y = 45 }, point)
  end)

  it("has what a method does to the map or slice in it", function()
    local bag = structs.NewBag()
    bag:Put "a"
    bag:Put "a"
    bag:Push "b"
    assert.equal(2, bag:Len())
    assert.same({ Counts = { a = 2, b = 1 }, Order = { "b" } }, bag)
  end)

  it("has the methods of a struct that is embedded", function()
    local named = structs.NewNamed "lamp"
    assert.equal("LAMP", named:Title())
    assert.same({ X = 2, Y = 4 }, named:Add(named.Point))
    named:Move(1, 1)
    assert.same({ X = 2, Y = 3 }, named.Point)
    assert.equal("(2, 3)", named.Point:String())
  end)

  it("is the text that it is in Go", function()
    assert.equal("(1, 2)", tostring(structs.NewPoint(1, 2)))
    assert.equal("fault 3", tostring(structs.NewFault(3)))
    assert.matches("^structs.Brief: ", tostring(structs.NewBrief "abc"):gsub("^table", "structs.Brief"))
    assert.equal("ab", structs.NewBrief("abc"):String(2))
  end)

  it("has them wherever it comes from", function()
    assert.equal("(0, 0)", structs.Points(2)[2]:String())
    assert.equal("(1, 1)", structs.ByName().one:String())
    assert.equal("(3, 4)", structs.Boxed():String())
    local boxed = structs.BoxedAll()
    assert.equal("(5, 6)", boxed[1]:String())
    assert.is_nil(getmetatable(boxed[2]))
    assert.equal("(10, 20)", structs.Where:String())
    assert.equal(8, structs.Each(function(point) return point:Add(point).X end))
    local job = structs.NewPoint:async(1, 2)
    assert.equal("(1, 2)", job:wait():String())
    assert.equal("(3, 4)", structs.NewPoint:map({ 1, 3 }, { 2, 4 })[2]:String())
    assert.equal("(5, 6)", structs.Point({ X = 5, Y = 6 }):copy():String())
  end)

  it("is given as any table is", function()
    local point = structs.NewPoint(1, 2)
    assert.equal(1, structs.Take(point))
    local handle = structs.Point(point)
    handle:Move(1, 1)
    assert.equal("(2, 3)", tostring(handle))
    assert.equal("(1, 2)", tostring(point))
  end)

  it("is plain where its type has none", function()
    assert.is_nil(getmetatable(structs.NewPlain(1, 2)))
  end)

  it("says what is wrong with it, and with arguments", function()
    local point = structs.NewPoint(1, 2)
    raises("structs_spec.lua:%d+: bad argument #1 to 'Add' %(structs.Point has no exported field 'Z'%)",
      function() point:Add { Z = 1 } end)
    raises("bad argument #2 to 'Move' %(int expected, got string%)", function() point:Move(1, "x") end)
    assert.same({ X = 1, Y = 2 }, point)
    point.X = "x"
    raises("bad receiver of 'String' %(.*X.*int expected, got string%)", function() point:String() end)
    raises("bad value for 'structs.Point' %(.*X.*int expected, got string%)", function() point:Move(1, 1) end)
    raises("Move is a method: it is called with a colon, on a table that is a structs.Point",
      function() structs.NewPoint(1, 2).Move() end)
    raises("panic: boom", function() structs.NewPoint(1, 2):Boom() end)
  end)

  it("outlives its module, and says so", function()
    local other = assert(host:build("spec/testdata/structs", { private = true }))
    local point, bag = other.NewPoint(1, 2), other.NewBag()
    assert.equal("(1, 2)", point:String())
    bag:Put "a"
    assert(other:unload())
    assert.equal(1, point.X)
    raises("String: the module whose types this call mentions was unloaded", function() point:String() end)
    raises("structs.Point: the module of this handle's type was unloaded", function() point:Move(1, 1) end)
    raises("structs.Bag: the module of this handle's type was unloaded", function() bag:Len() end)
  end)

  it("does not keep its module, nor handles", function()
    local before = host:stats().handles
    local point = structs.NewPoint(0, 0)
    for _ = 1, 1000 do point:Move(1, 1) end
    assert.same({ X = 1000, Y = 1000 }, point)
    collectgarbage()
    collectgarbage()
    assert.is_true(host:stats().handles <= before)
  end)
end)

describe("a map that is a table", function()
  it("has the methods of its type, and its entries", function()
    local tags, seen = structs.NewTags(), {}
    assert.same({ true, false }, { tags:Has "a", tags:Has "c" })
    assert.same({ a = 1, b = 2, c = 3 }, tags:Merge { c = 3 })
    assert.is_true(tags:Merge({ c = 3 }):Has "c")
    assert.equal("2 tags", tostring(tags))
    for name, n in pairs(tags) do seen[name] = n end
    assert.same({ a = 1, b = 2 }, seen)
    assert.is_nil(tags.c)
    assert.is_true(structs.NoTags():Has "x" == false)
  end)

  it("becomes what a method makes of it, of a value or a pointer", function()
    local tags = structs.NewTags()
    local same = tags
    tags:Put("c", 3)
    assert.same({ a = 1, b = 2, c = 3 }, tags)
    tags:Drop("a", "b")
    assert.same({ c = 3 }, tags)
    tags:Renew()
    assert.same({ new = 1 }, tags)
    tags.more = 2
    assert.same({ new = 1, more = 2, last = 3 }, (tags:Merge { last = 3 }))
    tags:Clear()
    assert.same({}, tags)
    tags.x = 1
    assert.is_true(tags:Has "x")
    assert.equal(same, tags)
  end)

  it("is as it was where a method panics, and changed where it fails", function()
    local tags = structs.NewTags()
    raises("panic: boom", function() tags:Boom() end)
    assert.same({ a = 1, b = 2 }, tags)
    assert.equal("no a", select(2, tags:Fail "a").message)
    assert.same({ b = 2 }, tags)
    raises("bad argument #2 to 'Put' %(int expected, got string%)", function() tags:Put("a", "x") end)
    tags.b = "x"
    raises("bad value for 'structs.Tags' %(.*b.*int expected, got string%)", function() tags:Has "b" end)
  end)

  it("has an entry before a method of that name", function()
    local tags = structs.NewTags()
    tags.Has = 5
    assert.equal(5, tags.Has)
    tags.Has = nil
    assert.is_nil(rawget(tags, "Has"))
    assert.is_false(tags:Has "Has")
    assert.equal("two", structs.NewCodes():Name(2))
    assert.is_nil(structs.NewCodes()[3])
  end)

  it("is one of a package of Go's too", function()
    local header = structs.Header()
    header:Add("accept", "text/plain")
    header:Set("x-one", "1")
    assert.same({ Accept = { "text/html", "text/plain" }, ["X-One"] = { "1" } }, header)
    assert.equal("text/html", header:Get "ACCEPT")
    local query = structs.Query "a=1&b=x y"
    query:Del "a"
    assert.equal("b=x+y", query:Encode())
  end)
end)

describe("a slice or an array that is a table", function()
  it("has the methods of its type", function()
    local list = structs.NewList(3, 1, 2)
    assert.equal(3, list:Len())
    assert.equal(3, #list)
    list:Swap(0, 1)
    assert.same({ 1, 3, 2 }, { list[1].X, list[2].X, list[3].X })
    list:Sort()
    list:Push { X = 9, Y = 9 }
    assert.equal(4, #list)
    assert.same({ X = 9, Y = 9 }, list:Pop())
    assert.same({ { X = 1, Y = -1 }, { X = 2, Y = -2 }, { X = 3, Y = -3 } }, list)
    assert.equal("(3, -3)", list[3]:String())
    for _ = 1, 3 do list:Pop() end
    assert.equal(0, #list)
    raises("index out of range", function() list:Pop() end)
    list:Push { X = 1, Y = 1 }
    assert.same({ { X = 1, Y = 1 } }, list)
  end)

  it("is an array", function()
    local vector = structs.NewVector()
    assert.equal(14, vector:Dot(vector))
    vector:Scale(2)
    assert.same({ 2, 4, 6 }, vector)
    assert.equal("[2 4 6]", tostring(vector))
    vector[4] = 1
    raises("bad receiver of 'String' %(.*sequence of 4", function() vector:String() end)
  end)

  it("is the text of an error where it is one", function()
    assert.equal("this, that", tostring(structs.NewFaults()))
  end)
end)

describe("a table with methods", function()
  it("has them wherever it comes from, and is given as any table is", function()
    local holder = structs.NewHolder()
    assert.is_true(holder.Tags:Has "a")
    holder.List:Sort()
    assert.equal(1, holder.List[1].X)
    assert.is_nil(getmetatable(holder.Plain))
    assert.equal(7, structs.Labels.label)
    assert.is_true(structs.Labels:Has "label")
    assert.equal(1, structs.TagsEach(function(tags) return tags:Has "b" and 1 or 0 end))
    local all = structs.AnyTables()
    assert.is_true(all[1]:Has "a")
    assert.equal(1, all[2]:Len())
    assert.equal("(1, -1)", all[2][1]:String())
    assert.equal(14, all[3]:Dot { 1, 2, 3 })
    assert.equal("one", all[5]:Name(1))
    assert.equal(2, structs.TakeTags(structs.NewTags()))
    assert.equal(3, structs.TakeList(structs.NewList(1, 2, 3)))
    assert.same({ 2, 2 }, structs.TakeTags:map { structs.NewTags(), structs.NewTags() })
    assert.is_true(structs.NewTags:async():wait():Has "a")
    assert.is_true(structs.Tags({ x = 1 }):copy():Has "x")
    assert.is_true(structs.Holder(holder).Tags:copy():Has "a")
  end)

  it("is plain where its type has none, or is a string", function()
    assert.is_nil(getmetatable(structs.NewWords()))
    assert.is_nil(getmetatable(structs.NewNumbers()))
    assert.is_nil(getmetatable(structs.AnyTables()[4]))
    assert.equal("bytes", structs.NewBytes())
    assert.equal(5, structs.Bytes("bytes"):Len())
  end)

  it("does not keep its module, nor handles", function()
    local other = assert(host:build("spec/testdata/structs", { private = true }))
    local tags, before = other.NewTags(), host:stats().handles
    for i = 1, 1000 do tags:Put("a", i) end
    assert.equal(1000, tags.a)
    collectgarbage()
    collectgarbage()
    assert.is_true(host:stats().handles <= before)
    assert(other:unload())
    assert.equal(1000, tags.a)
    raises("structs.Tags: the module of this handle's type was unloaded", function() tags:Has "a" end)
  end)
end)

describe("a struct with hidden state", function()
  it("is a handle, with its methods", function()
    local hidden = structs.NewHidden(1)
    assert.equal("userdata", type(hidden))
    assert.equal(2, hidden:Y())
  end)
end)

describe("an error that says that a time was over", function()
  it("has the code of any timeout", function()
    local _, err = structs.Late "5ms"
    assert.equal("timeout", err.code)
    assert.equal("late: context deadline exceeded", err.message)
    assert.is_true(err:is(goloader.std "context".DeadlineExceeded))
    assert.equal("timeout", select(2, structs.NewPoint(1, 2):Wait(0.005)).code)
    local job = structs.Late:async(nil)
    assert.equal("timeout", select(2, job:wait "5ms").code)
    job:cancel()
    assert.equal("go", select(2, job:wait()).code)
    assert.equal("timeout", goloader.std "os".ErrDeadlineExceeded.code)
    assert.equal("go", goloader.std "io".EOF.code)
  end)
end)

describe("h:explain", function()
  it("tells a method's road, and why not a faster one", function()
    local point = structs.Point()
    local has_jit = rawget(_G, "jit") and rawget(_G, "jit").status()
    local move = point:explain "Move"
    assert.equal(has_jit and "ffi" or "capi", move.road)
    assert.equal("structs.(*Point).Move", move.name)
    assert.same({}, move.ffi)
    assert.same({ "it is a method: what it is called on is in Go, where handles are looked up" }, move.pure)
    assert.matches("^structs.%(%*Point%).Move takes the ", tostring(move))
    assert.matches("stores to memory that it is only lent", tostring(move))
    local add = point:explain "Add"
    assert.equal("capi", add.road)
    assert.same({ "parameter 1 has type structs.Point", "a result has type structs.Point" }, add.ffi)
    assert.equal("strings.(*Reader).Len", goloader.std("strings").NewReader("x"):explain("Len").name)
  end)

  it("knows the host's code when nothing is loaded any more", function()
    local object = support.compile('package buffers\n\nimport "bytes"\n\n' ..
      'func Make(s string) *bytes.Buffer { return bytes.NewBufferString(s) }\n', "buffers")
    local status, out, errors = support.lua(([[
      local module = assert(assert(require "goloader".host()):load(%q))
      local buffer = module.Make "text"
      assert(module:unload())
      io.write(assert(buffer:explain "Len").name)
    ]]):format(object))
    assert.equal("", errors)
    assert.equal(0, status)
    assert.equal("bytes.(*Buffer).Len", out)
  end)

  it("is of methods that there are", function()
    local point = structs.Point()
    raises("structs_spec.lua:%d+: %*structs.Point has no method 'Fly'", function() point:explain "Fly" end)
    raises("structs_spec.lua:%d+: a method's name expected, got number", function() point:explain(1) end)
  end)
end)

describe("Type.methods", function()
  it("has promoted ones too", function()
    local found = {}
    for _, method in ipairs(structs.Named.methods) do found[method.name] = method end
    assert.same({ name = "Title", signature = "func() string", by_pointer = false, promoted = false }, found.Title)
    assert.same({ name = "Move", signature = "func(int, int)", by_pointer = true, promoted = true }, found.Move)
    assert.is_false(found.Add.by_pointer)
    local names = {}
    for i, method in ipairs(goloader.std "io".ReadWriter.methods) do names[i] = method.name end
    assert.same({ "Read", "Write" }, names)
  end)
end)

describe("a table with methods, given as an interface,", function()
  local given

  setup(function() given = assert(host:build "spec/testdata/given") end)
  teardown(function() assert(given:unload()) end)

  it("is the value of its type", function()
    local item, box = given.NewItem "lamp", given.NewBox(1)
    assert.equal("item lamp", given.Label(item))
    assert.equal("2 names", given.Label(given.NewNames()))
    assert.equal("box 2", given.Label(box)) -- a pointer to a new one, where only that has the methods
    assert.equal(1, box.N)
    item.Name = "desk"
    item.In = { Name = "lamp" }
    assert.equal("item desk", given.Label(item))
  end)

  it("is so wherever Go takes an interface", function()
    local item = given.NewItem "lamp"
    assert.equal("item lamp;box 2;", given.All(item, given.NewBox(1)))
    assert.equal("item lamp", given.Map { a = item })
    assert.equal("item lamp", given.Back(function() return item end))
    assert.same({ "item lamp", "item lamp" }, given.Label:map { item, item })
    assert.equal("item lamp", given.Label:async(item):wait())
    given.Kept = item
    assert.equal("item lamp", given.Kept:Label())
    given.Kept = nil
    local box = given.Box { Holds = item }
    assert.equal("item lamp", box.Holds:Label())
    box.Holds = given.NewItem "desk"
    assert.equal("item desk", box.Holds:Label())
    local pipe = given.Pipe()
    assert.is_true(pipe:send(item))
    assert.equal("item lamp", pipe:recv():Label())
    local inner = given.NewBox(1)
    inner.Holds, inner.Any = item, given.NewItem "desk"
    assert.equal('{"n":1,"since":"1970-01-01T00:00:00Z","holds":"lamp","any":"desk"}', given.JSON(inner))
  end)

  it("is so in any, too", function()
    assert.equal("given.Item", given.Type(given.NewItem "lamp"))
    assert.equal("given.Box", given.Type(given.NewBox(1)))
    assert.equal("http.Header", given.Type(given.Header()))
    assert.equal("trouble 3", given.Text(given.NewTrouble(3)))
    assert.equal('["lamp",{"a":"desk"}]', given.JSON { given.NewItem "lamp", { a = given.NewItem "desk" } })
    assert.equal("map[string]interface {}", given.Type { Name = "lamp" })
  end)

  it("is an error where its type is one", function()
    assert.equal(3, given.Code(given.NewTrouble(3)))
    assert.equal(-1, given.Code { message = "no trouble" })
  end)

  it("says what is wrong with it", function()
    local trouble = given.NewTrouble(3)
    raises("bad argument #1 to 'Label' %(parameter 'l': given.Labeler expected, got a table that is a given.Trouble%)",
      given.Label, trouble)
    raises("bad argument #2 to 'All' %(parameter 'list': given.Labeler expected, got a table that is a given.Trouble",
      given.All, given.NewItem "lamp", trouble)
    raises("given.Labeler expected %(a handle%), got table", given.Label, { Name = "lamp" })
    raises("error expected %(nil, a string or a table with a message%), got a table without one", given.Code, {})
    local item = given.NewItem "lamp"
    item.Nmae = "desk"
    raises("parameter 'l': given.Item has no exported field 'Nmae'", given.Label, item)
    item.Nmae, item.Tags = nil, { "a", 2 }
    raises("parameter 'l'.Tags%[2%]: string expected, got number", given.Label, item)
    item.Tags, item.In = nil, item
    raises("parameter 'l'.In: tables nest deeper than 1000 levels", given.Label, item)
    local hook = given.NewHook()
    hook.Run = print
    raises("parameter 'l'.Run: a Lua function can be called till the end of the call", given.Label, hook)
    assert.equal("item lamp", given.Label(given.NewItem "lamp"))
  end)

  it("holds nothing of its module, and is a plain one when that was unloaded", function()
    local other = assert(host:build("spec/testdata/given", { private = true }))
    local item, names = other.NewItem "lamp", other.NewNames()
    assert.equal("item lamp", other.Label(item))
    assert.equal("2 names", other.Label(names))
    assert(other:unload())
    assert.equal("map[string]interface {}", given.Type(item))
    assert.equal('{"a":1,"b":2}', given.JSON(names))
    raises("given.Labeler expected %(a handle%), got table", given.Label, item)
  end)
end)
