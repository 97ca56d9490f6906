-- goloader test: the same as go test, in every line.
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

local source = "spec/testdata/suite"

teardown(support.clean)

-- Runs either in the suite's directory.
local function run(command, flags, environment)
  local shell = ("cd %s && GOWORK=off %s %s test %s"):format(toolchain.quote(toolchain.absolute(source)),
    environment or "", toolchain.quote(command), flags)
  return support.run { "sh", "-c", shell }
end

-- What differs from one run to the next: times, what was done in them, and places.
local function normal(text)
  return (text:gsub("%d+%.%d%ds", "N.NNs"):gsub("%d+%.%d%d%ds", "N.NNNs"):gsub("%s+%d+%s+[%d.]+ ns/op", " N ns/op")
    :gsub("%s+%d+ B/op%s+%d+ allocs/op", " N B/op N allocs/op") -- of the whole process, and it is measured once
    :gsub("/tmp/go%-build%d+", "TMP"):gsub("\tgo test$", "TEST"):gsub('"Elapsed":[%d.]+', '"Elapsed":N')
    :gsub('"Time":"[^"]*"', '"Time":T'):gsub("(FAIL\t%S+)\tN.NNNs", "%1"):gsub("cpu: [^\n]*", "cpu"))
end

local function loaded(flags, environment)
  return run(toolchain.absolute "build/bin/goloader", flags, environment)
end

local function sorted(text)
  local lines = {}
  for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
  table.sort(lines)
  return table.concat(lines, "\n")
end

-- Both must say and return the same. any_order: go test says that a package has no tests when that is built, be the one
-- before done or not.
local function assert_same(flags, environment, any_order)
  local tools = support.tools()
  local status, out, errors = run(tools.goroot .. "/bin/go", flags, "GOTOOLCHAIN=local " .. (environment or ""))
  local our_status, our_out, our_errors = loaded(flags, environment)
  local all = any_order and sorted or tostring
  assert.equal(all(normal(out)), all(normal(our_out)))
  assert.equal(normal(errors), normal(our_errors))
  assert.equal(status, our_status)
  return our_out, our_errors, our_status
end

describe("goloader test", function()
  it("reports every test, subtest, example and seed", function()
    local out, _, status = assert_same "-count=1 -v ./inside ./outside"
    assert.equal(1, status)
    assert.matches("\n    %-%-%- FAIL: TestTable/bad ", out)
    assert.matches("\n%-%-%- PASS: FuzzAdd ", out)
    assert.matches("\n%-%-%- FAIL: ExampleDouble_wrong ", out)
    assert.matches("before 0 %[%]", out)
  end)

  it("tells packages apart that pass, fail, do not compile and have no tests", function()
    local flags = "-count=1 -run 'TestAdd|TestFile' ./inside ./outside ./broken ./empty"
    local out, errors, status = assert_same(flags, nil, true)
    assert.equal(1, status)
    assert.matches("ok  \texample%.com/suite/inside\t", out)
    assert.matches("%?   \texample%.com/suite/empty\t%[no test files%]", out)
    assert.matches("FAIL\texample%.com/suite/broken %[build failed%]", out)
    assert.matches("undefined: undefined", errors)
  end)

  for _, flags in ipairs { "-run=TestTable/good -v", "-skip 'Table|Double' -v ./...", "-short -v", "-count=2 -v",
    "-failfast -run TestTable", "-cpu=1,2 -run=TestAdd -v", "-parallel=1 -run=TestParallel -v",
    "-run=NONE -bench=. -benchtime=1x -benchmem", "-json -run=TestTable", "-list .", "-cover -run=TestAdd",
    "-p=1 -shuffle=7 -v",
    "-run=TestFile ./outside -v -answer=42 -args one -two" } do
    it("takes " .. flags, function()
      local packages = flags:find("./", 1, true) and "" or " ./inside"
      flags = flags:gsub("%./%.%.%.", "./inside ./outside")
      assert_same("-count=1 " .. flags .. packages)
    end)
  end

  it("has the fuzzer go where inputs reach new code", function()
    local dir = support.write("fuzzed/go.mod", "module example.com/fuzzed\n\ngo 1.21\n"):match "^(.*)/"
    support.write("fuzzed/fuzzed.go", [[
package fuzzed

func Parse(b []byte) int {
	if len(b) > 2 && b[0] == 'F' {
		if b[1] == 'U' {
			if b[2] == 'Z' {
				panic("found")
			}
			return 2
		}
		return 1
	}
	return 0
}
]])
    support.write("fuzzed/fuzzed_test.go", [[
package fuzzed

import "testing"

func FuzzParse(f *testing.F) {
	f.Add([]byte("F--"))
	f.Fuzz(func(t *testing.T, b []byte) { Parse(b) })
}
]])
    -- what was found before would be tried first
    local forget = ("rm -rf \"$(%s env GOCACHE)/fuzz/example.com/fuzzed\""):format(
      toolchain.quote(support.tools().goroot .. "/bin/go"))
    local shell = ("cd %s && %s && %s test -fuzz=. -fuzztime=30s -fuzzminimizetime=1x; s=$?; %s; exit $s"):format(
      toolchain.quote(dir), forget, toolchain.quote(toolchain.absolute "build/bin/goloader"), forget)
    local status, out, errors = support.run { "sh", "-c", shell }
    assert.equal(1, status, errors)
    assert.matches("gathering baseline coverage: 1/1 completed, now fuzzing", out)
    assert.matches("panic: found", out)
  end)

  it("compiles as it is told to", function()
    local out = assert_same "-count=1 -v -run=Tagged -tags=tagged ./flags"
    assert.matches("tagged: true", out)
    assert_same "-count=1 -v -gcflags=-N -run=TestAdd ./inside"
    assert_same "-count=1 -v -buildmode=pie -run=TestAdd ./inside"
  end)

  it("gives variables the values that the linker is told", function()
    local out = assert_same "-count=1 -v -run=Version -ldflags='-X example.com/suite/flags.version=1.2' ./flags"
    assert.matches("version: 1%.2\n", out)
  end)

  it("heeds the GODEBUG settings that go.mod asks for", function()
    local out = assert_same "-count=1 -v -run=Defaults ./flags"
    -- Go 1.27 has done away with asynctimerchan
    assert.matches(support.host():info().go_version < "go1.27" and "capacity: 1\n" or "capacity: 0\n", out)
    assert_same("-count=1 -v -run=Defaults ./flags", "GODEBUG=panicnil=1")
  end)

  it("ends tests that take too long, and tells where they are", function()
    local _, out, errors = loaded "-count=1 -timeout=100ms ./slow"
    assert.equal("", errors)
    assert.matches("^panic: test timed out after 100ms\n", out)
    assert.matches("slow%.TestForever%(", out)
    assert.matches("slow_test%.go:5", out)
    assert.matches("\nFAIL\texample%.com/suite/slow\t[%d.]+s\nFAIL\n$", out)
  end)

  it("remembers what passed", function()
    -- go test doesn't remember what has read files that are younger than two seconds
    local status, out
    support.eventually(function()
      status, out = loaded "-run=TestAdd ./inside"
      return out == "ok  \texample.com/suite/inside\t(cached)\n"
    end)
    assert.equal("ok  \texample.com/suite/inside\t(cached)\n", out)
    assert.equal(0, status)
  end)

  it("tests standard packages, with copies of those that import them", function()
    local out = assert_same "-count=1 -v -run='^(TestFold|Example.*)$' -vet=off html container/list"
    assert.matches("%-%-%- PASS: Example", out)
  end)

  it("refuses in one line what it can't do", function()
    for flag, why in pairs { ["-race"] = "flag %-race: the race detector has a runtime", ["-msan"] = "flag %-msan: ",
      ["-c"] = "flag %-c: ", ["-toolexec=x"] = "flag %-toolexec: " } do
      local status, out, errors = loaded(flag .. " ./inside")
      assert.equal("", out)
      assert.matches("^goloader test: " .. why .. "[^\n]*\n$", errors)
      assert.equal(2, status)
    end
  end)

  it("tests a standard package as -trimpath compiles it, with copies of those that import it", function()
    assert_same "-count=1 -v -trimpath -run='^TestEqual$' -vet=off bytes"
  end)

  it("tests a standard package that the runtime imports, beside the host's", function()
    local out = assert_same "-count=1 -v math/bits"
    assert.matches("%-%-%- PASS: TestLeadingZeros ", out)
  end)
end)
