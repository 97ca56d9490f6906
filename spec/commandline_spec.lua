-- What a command line is expected to have beside its commands: help of one table, JSON, colours and progress for who
-- looks, completion, a manual page, and names as they were given.
local cjson = require "cjson"
local core = require "goloader.core"
local commands = require "goloader.command.commands"
local support = require "spec.support"

teardown(support.clean)

local SHOP = "spec/testdata/shop/shop.go"

-- A package that the compiler is busy with for a while.
local function slow_package(name, functions)
  local lines = { "package " .. name .. "\n" }
  for i = 1, functions do
    lines[#lines + 1] = ("func F%d(m map[string]int, s []string) int { for i, k := range s { m[k] += i * %d }; "
      .. "return len(m) + len(s) }"):format(i, i)
  end
  return table.concat(lines, "\n") .. "\n"
end

-- Runs a command on a terminal of its own; all that it shows there.
local function on_terminal(command, environment)
  local status, out = support.run({ "script", "-qec", "build/bin/goloader " .. command, "/dev/null" }, environment)
  return out, status
end

local function json_of(...)
  local status, out, errors = support.cli(...)
  assert.equal(0, status, errors)
  return cjson.decode(out), out
end

describe("--json", function()
  it("nm: the symbols, in the order that is asked for", function()
    local symbols, text = json_of("nm", "--json", "--sort=size", SHOP)
    assert.is_true(#symbols > 50)
    for i = 2, #symbols do assert.is_true(symbols[i - 1].size >= symbols[i].size) end
    assert.equal(text, (select(2, json_of("nm", "--json", "--sort=size", SHOP))))
    local by_name = {}
    for _, symbol in ipairs(symbols) do by_name[symbol.name] = symbol end
    assert.equal("func(a int, b int) int", by_name["shop.Add"].signature)
    assert.is_true(by_name["shop.Add"].export)
  end)

  it("exports: parameters, results, fields, methods; an empty list is one", function()
    local exports, text = json_of("exports", "--json", SHOP)
    local by_name = {}
    for _, export in ipairs(exports) do by_name[export.name] = export end
    assert.same({ { name = "name", type = "string" } }, by_name.Find.params)
    assert.equal("error", by_name.Find.results[2].type)
    assert.equal("Name", by_name.Product.fields[1].name)
    assert.equal("String", by_name.Price.methods[1].name)
    assert.matches('"name": "Block",\n[^}]*"params": %[%],\n', text)
  end)

  it("disasm and explain: instructions with their names", function()
    local functions = json_of("disasm", "--json", SHOP, "shop.Render")
    assert.equal("shop.Render", functions[1].name)
    local called = {}
    for _, at in ipairs(functions[1].instructions) do called[at.mnemonic .. " " .. (at.comment or "")] = true end
    assert.is_true(called["call R_CALL fmt.Fprintf"])
    local explanation = json_of("explain", "--json", SHOP, "Add")
    assert.equal("pure", explanation.road)
    assert.same({}, explanation.ffi)
  end)

  it("info: the host, and a shipped module", function()
    assert.matches("^go1%.", json_of("info", "--json").go_version)
    local file = support.tmpdir() .. "/shop.gom"
    assert.equal(0, (support.cli("build", "-o", file, SHOP)))
    local manifest, text = json_of("info", "--json", file)
    assert.equal("shop", manifest.packages[1].path)
    assert.matches('"strings": {}', text)
    assert.equal("Add", (json_of("exports", "--json", file))[1].name)
  end)
end)

describe("names", function()
  it("are those that were given, never those of temporary files", function()
    local wrong = support.write("wrong/wrong.go", "package wrong\n\nfunc F() { nosuch() }\n")
    local dir = wrong:match "^(.*)/"
    for _, c in ipairs {
      { { "disasm", SHOP, "nosuch" }, "goloader: " .. SHOP .. ' has no function "nosuch"\n' },
      { { "disasm", "spec/testdata/shop", "nosuch" }, 'goloader: spec/testdata/shop has no function "nosuch"\n' },
      { { "nm", wrong }, wrong .. ":3:12: undefined: nosuch\n" },
      { { "nm", dir }, wrong .. ":3:12: undefined: nosuch\n" },
      { { "exports", wrong }, wrong .. ":3:12: undefined: nosuch\n" },
      { { "nm", "nosuch.go" }, "goloader: nosuch.go: No such file or directory\n" },
    } do
      local status, out, errors = support.cli(unpack(c[1]))
      assert.equal(1, status)
      assert.equal("", out)
      assert.equal(c[2], (errors:gsub("^# [^\n]*\n", "")))
    end
  end)

  it("fail where their output can't be written", function()
    for _, command in ipairs { "nm spec/testdata/types/types.go", "info", "version", "help run" } do
      local status, _, errors = support.run { "sh", "-c", "build/bin/goloader " .. command .. " >/dev/full" }
      assert.equal(1, status, command)
      assert.equal("goloader: standard output: No space left on device\n", errors)
    end
  end)

  it("may be import paths", function()
    local status, out, errors = support.cli("nm", "--exports", "net/url")
    assert.equal(0, status, errors)
    assert.matches("net/url%.Parse  func%(rawURL string%)", out)
  end)
end)

describe("on a terminal", function()
  it("listings have colours, unless NO_COLOR says otherwise", function()
    local plain = select(2, support.cli("nm", "--exports", SHOP))
    assert.is_nil(plain:find("\27", 1, true))
    local coloured = on_terminal("nm --exports " .. SHOP, "TERM=xterm")
    assert.matches("\27%[32mT\27%[0m", coloured)
    assert.equal(plain, (coloured:gsub("\27%[%d*m", ""):gsub("\r", "")))
    assert.equal(plain, (on_terminal("nm --exports " .. SHOP, "TERM=xterm NO_COLOR=1"):gsub("\r", "")))
    assert.matches("\27%[", (on_terminal("explain " .. SHOP .. " Render", "TERM=xterm")))
  end)

  it("a build of more than a second says what is compiled, and takes the line away again", function()
    local file = support.write("slow.go", slow_package("slow", 7000))
    local shown, status = on_terminal("nm --exports " .. file, "TERM=xterm NO_COLOR=1")
    assert.equal(0, status, shown)
    assert.matches("\r\27%[Kcompiling slow %(0 done, 1 left%)", shown)
    assert.matches("\r\27%[K *%d+ T slow%.F1  func", shown)
    assert.equal("", (select(3, support.cli("nm", file))))
  end)

  -- What is compiled once is in Go's cache: the folder's name makes it another package.
  local function module_with(name)
    local dir = support.tmpdir() .. "/" .. name
    support.write(name .. "/go.mod", "module example.test/" .. name .. "\n\ngo 1.21\n")
    support.write(name .. "/slow/slow.go", slow_package("slow", 7000) .. ("// %s\n"):format(support.tmpdir()))
    return dir
  end

  it("goloader test says what is compiled, until tests run", function()
    local dir = module_with "tested"
    support.write("tested/it_test.go", 'package tested\n\nimport ("testing"; "example.test/tested/slow")\n\n'
      .. "func TestIt(t *testing.T) { slow.F1(map[string]int{}, nil) }\n")
    local shown, status = on_terminal("test -C " .. dir .. " .", "TERM=xterm")
    assert.equal(0, status, shown)
    assert.matches("\r\27%[Kcompiling example%.test/tested/slow %(%d+ done%)", shown)
    assert.matches("\27%[Kok  \texample%.test/tested", shown)
    assert.is_nil(select(3, support.cli("test", "-C", dir, ".")):find("compiling", 1, true))
  end)

  it("goloader serve says what is compiled before it listens", function()
    local dir = module_with "served"
    support.write("served/routes.lua", 'local slow = module "slow"\nerror "that is enough"\n')
    local shown, status = on_terminal("serve --keep -l 127.0.0.1:0 " .. dir .. "/routes.lua", "TERM=xterm")
    assert.equal(1, status, shown)
    assert.matches("\r\27%[Kcompiling example%.test/served/slow", shown)
    assert.matches("\r\27%[Kslow: version 1, .*goloader serve: [^\n]*that is enough", shown)
  end)
end)

describe("host:build { progress = }", function()
  it("hears what is compiled, and how many packages are left", function()
    local clock = core.clock
    core.clock = function() return 20 * clock() end -- a second is over soon
    finally(function() core.clock = clock end)
    support.write("app/go.mod", "module example.test/app\n\ngo 1.21\n")
    support.write("app/first/first.go", slow_package("first", 2000) .. ("// %s\n"):format(support.tmpdir()))
    support.write("app/app.go", 'package app\n\nimport "example.test/app/first"\n\n'
      .. "func F() int { return first.F1(map[string]int{}, nil) }\n")
    local heard = {}
    local module = assert(support.host():build(support.tmpdir() .. "/app", {
      progress = function(progress) heard[#heard + 1] = progress end,
    }))
    assert.equal(0, module.F())
    assert.is_true(#heard > 0)
    assert.equal("example.test/app/first", heard[1].package)
    assert.equal(0, heard[1].done)
    assert.is_true(heard[1].seconds >= 1)
    for _, progress in ipairs(heard) do
      assert.is_true(progress.left == nil or progress.left >= 1 and progress.left <= 2, tostring(progress.left))
    end
    assert(module:unload())
    assert.has_error(function() support.host():build("x.go", { progress = 1 }) end,
      "host:build: progress: a function expected, got number")
  end)
end)

describe("help", function()
  it("of each command says what the table says", function()
    for _, command in ipairs(commands) do
      local status, out, errors = support.cli(command[1], "--help")
      assert.equal(0, status, errors)
      assert.equal(commands.usage(command[1]), out:match "^[^\n]*")
      local text = out:gsub("%s+", " ")
      for _, option in ipairs(command.options or {}) do
        for name in option[1]:gmatch "%S+" do assert.is_truthy(text:find(" " .. name, 1, true), name) end
      end
    end
    assert.equal(select(2, support.cli("run", "--help")), (select(2, support.cli("help", "run"))))
    local status, _, errors = support.cli("help", "exprots")
    assert.equal(1, status)
    assert.equal("goloader: there is no command exprots; did you mean exports?\n", errors)
  end)

  it("--man is the same as a manual page, which formatters take without a word", function()
    local status, page, errors = support.cli("help", "--man")
    assert.equal(0, status, errors)
    for _, command in ipairs(commands) do
      assert.is_truthy(page:find('.Ss "goloader ' .. command[1] .. '"', 1, true))
    end
    local file = support.write("goloader.1", page)
    local shown
    status, shown, errors = support.run { "man", "--warnings=w", "-E", "UTF-8", "-l", file }
    assert.equal(0, status, errors)
    assert.equal("", errors)
    local text = shown:gsub(".\b", ""):gsub("%-\n%s+", ""):gsub("%s+", " ")
    assert.is_truthy(text:find("--sort KEY Order by name", 1, true), text)
  end)
end)

describe("completion", function()
  local function script(shell)
    local status, out, errors = support.cli("completion", shell)
    assert.equal(0, status, errors)
    return support.write("completion." .. shell, out)
  end

  it("bash", function()
    local file = script "bash"
    local function complete(...)
      local words = table.concat({ ... }, " ")
      local program = ("source %s; COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _goloader; "
        .. "echo \"${COMPREPLY[@]}\""):format(file, words)
      local status, out, errors = support.run { "bash", "-c", program }
      assert.equal(0, status, errors)
      return out:gsub("\n$", "")
    end
    assert.equal("exports explain", (complete("goloader", "exp"):gsub("explain exports", "exports explain")))
    assert.equal("--sort", (complete("goloader", "nm", "--so")))
    assert.equal("name size kind", (complete("goloader", "nm", "--sort", "''")))
    assert.equal("rollback", (complete("goloader", "ctl", "ro")))
  end)

  it("fish", function()
    local status, out, errors = support.run { "fish", "--no-config", "-c",
      ("source %s; complete -C 'goloader doc'; complete -C 'goloader nm --so'"):format(script "fish") }
    assert.equal(0, status, errors)
    assert.matches("^doctor\tTell what is installed", out)
    assert.matches("\n%-%-sort\tOrder by", out)
  end)

  it("zsh", function()
    local dir = support.tmpdir() .. "/zsh"
    support.write("zsh/_goloader", support.read(script "zsh"))
    local program = support.write("complete.zsh", ([=[
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'fpath=(%s $fpath); autoload -Uz compinit; compinit -u -D; PS1="<$>"; bindkey "^I" complete-word'
zpty -r shell line '*<$>'
wait_for() { repeat 100; do line=; zpty -r -t shell line; all+=$line; [[ $all == *$1* ]] && break; sleep 0.1; done }
zpty -w -n shell $'goloader doc\t'
wait_for doctor
zpty -w -n shell $'\025goloader nm --so\t'
wait_for --sort
print -r -- "$all"
]=]):format(dir))
    local status, out, errors = support.run { "zsh", "-f", program }
    assert.equal(0, status, errors)
    assert.matches("doctor", out)
    assert.matches("%-%-sort", out)
  end)
end)
