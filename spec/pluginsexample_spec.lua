-- The example of plugins, used as its README says: commands are edited, added and removed while it runs.
local support = require "spec.support"

describe("examples/plugins", function()
  it("follows what is in its folder", function()
    local dir = support.tmpdir()
    os.execute(("cp -r examples/plugins/commands %s/commands && mkfifo %s/lines"):format(dir, dir))
    local command = "timeout 60 luajit spec/env.lua examples/plugins/main.lua %s/commands <%s/lines 2>&1"
    local program = assert(io.popen(command:format(dir, dir)))
    local lines = assert(io.open(dir .. "/lines", "w"))
    lines:setvbuf "line"

    -- Sends a line, and reads what is said till that is answered.
    local function ask(line, expected)
      lines:write(line, "\n")
      repeat
        local said = program:read "*l"
        assert.is_string(said, expected .. " was not said")
      until said == expected or said:find(expected)
      return true
    end

    ask("upper good evening", "GOOD EVENING")
    ask("count one two", "2 words so far")
    ask("count", "error: nothing to count")
    local count = support.read "examples/plugins/commands/count/count.go"
    support.write("commands/count/count.go", (count:gsub("words so far", "words, all in all")))
    ask("count three", "3 words, all in all")
    support.write("commands/count/count.go", "package count\nfunc")
    ask("count four", "^count: version 2 stays: .*count%.go:2")
    ask("count four", "5 words, all in all")
    support.write("commands/shout.go", "package shout\n\nfunc Run(s string) (string, error) { return s + `!`, nil }\n")
    ask("shout hello", "hello!")
    support.write("commands/idle.go", "package idle\n")
    ask("idle", "^idle: .*exports no Run")
    support.write("commands/shell.go", "package shell\n\nimport _ \"os/exec\"\n")
    ask("shell", "^shell: .*os/exec")
    os.remove(dir .. "/commands/upper.go")
    lines:write "\n" -- it is missed
    os.execute "sleep 0.3"
    ask("upper x", "^upper: version 1 is closed")
    ask("upper x", "there are: count shout")
    lines:close()
    local rest = program:read "*a"
    program:close()
    support.clean()
    assert.matches("count: version 2 is unloaded", rest)
  end)
end)
