// The harness judged by runners that are known to fail, hang, crash, flood and leave children behind.

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fakeRunner writes a shell script that stands for the loader and returns a config that uses it.
func fakeRunner(t *testing.T, script string) *config {
	t.Helper()
	dir := t.TempDir()
	runner := filepath.Join(dir, "runner")
	if err := os.WriteFile(runner, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return &config{
		root: dir, testDir: dir, goVersion: "go1.test", runner: []string{runner}, env: os.Environ(), temp: dir,
		limits: limits{time: 5 * time.Second, output: 1 << 16, memory: 1 << 30},
	}
}

func judgeRun(t *testing.T, cfg *config, p *program, n native) result {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return runLoaded(context.Background(), cfg, p, n)
}

func TestVerdicts(t *testing.T) {
	quiet := native{status: nativeOK}
	for _, c := range []struct {
		name    string
		native  native
		runner  string
		verdict string
		reason  string // must be part of it
	}{
		{"silent success", quiet, "exit 0", pass, ""},
		{"same output", native{stdout: []byte("a\nb\n"), stderr: []byte("c")}, "printf 'a\\nb\\n'; printf c >&2", pass, ""},
		{"other stdout", native{stdout: []byte("a\nb\n")}, "printf 'a\\nx\\n'", fail, `stdout differs in line 2: "x", wanted "b"`},
		{"too little stdout", native{stdout: []byte("a\nb")}, "printf 'a'", fail, `stdout differs in line 2: ends, wanted "b"`},
		{"too much stdout", quiet, "echo a", fail, `stdout differs in line 1: "a", wanted ""`},
		{"other stderr", native{stderr: []byte("a")}, "printf b >&2", fail, "stderr differs"},
		{"output on the other stream", native{stdout: []byte("a")}, "printf a >&2", fail, "stdout differs"},
		{"exit code", quiet, "echo BUG: wrong sum; exit 1", fail, "exit 1: BUG: wrong sum"},
		{"exit code without a word", quiet, "exit 3", fail, "exit 3: no output"},
		{"refused", quiet, "echo 'goloader: x.go: symbol y is missing' >&2; exit 1", refused, "goloader: x.go: symbol y is missing"},
		{"not compiled", quiet, "echo '# command-line-arguments' >&2; echo './x.go:1: undefined: y' >&2; exit 1", refused,
			"./x.go:1: undefined: y"},
		{"not refused once it ran", quiet, "echo started; echo 'goloader: late' >&2; exit 1", fail, "exit 1"},
		{"panic", quiet, "echo 'panic: oops' >&2; echo >&2; echo 'goroutine 1 [running]:' >&2; exit 2", crash, "panic: oops"},
		{"throw after other output", quiet, "echo hello >&2; echo 'fatal error: missing deferreturn' >&2; exit 2", crash,
			"fatal error: missing deferreturn"},
		{"signal", quiet, "kill -SEGV $$", crash, "SIGSEGV"},
		{"signal behind a shell", quiet, "sh -c 'kill -ABRT $$' 2>/dev/null; echo Aborted >&2; exit 134", crash, "Aborted"},
		{"signal with a last word", quiet, "echo 'runtime: bad pc' >&2; kill -ABRT $$", crash, "runtime: bad pc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := judgeRun(t, fakeRunner(t, c.runner), &program{name: "x", file: "x.go"}, c.native)
			if res.verdict != c.verdict || !strings.Contains(res.reason, c.reason) {
				t.Errorf("%s (%s), wanted %s (%s)", res.verdict, res.reason, c.verdict, c.reason)
			}
			if res.verdict == pass && res.reason != "" {
				t.Errorf("a pass with a reason: %s", res.reason)
			}
		})
	}
}

func TestRunnerThatIsNotThere(t *testing.T) {
	cfg := fakeRunner(t, "")
	cfg.runner = []string{filepath.Join(cfg.root, "nothing")}
	if res := judgeRun(t, cfg, &program{file: "x.go"}, native{}); res.verdict != fail || !strings.Contains(res.reason, "not started") {
		t.Errorf("%s (%s)", res.verdict, res.reason)
	}
}

func TestRunnerGetsFlagsFileArgumentsAndEnvironment(t *testing.T) {
	cfg := fakeRunner(t, `echo "$@" $GODEBUG; pwd`)
	p := &program{file: "d/x.go", flags: []string{"-gcflags=-l"}, args: []string{"a", "b"}, env: []string{"GODEBUG=q=1"}}
	dir, err := filepath.EvalSymlinks(cfg.testDir)
	if err != nil {
		t.Fatal(err)
	}
	want := "-gcflags=-l d/x.go a b q=1\n" + dir + "\n"
	if res := judgeRun(t, cfg, p, native{stdout: []byte(want)}); res.verdict != pass {
		t.Errorf("%s (%s)", res.verdict, res.reason)
	}
}

// alive reports whether the process whose id the runner wrote to file still runs. A killed one may take a moment.
func alive(t *testing.T, file string) bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 50; i++ {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	return true
}

func TestHangIsATimeoutAndLeavesNoProcess(t *testing.T) {
	cfg := fakeRunner(t, "trap '' TERM INT; sleep 100 & echo $! >child; echo 'fatal error: stuck' >&2; while :; do sleep 1; done")
	cfg.limits.time = 500 * time.Millisecond
	res := judgeRun(t, cfg, &program{file: "x.go"}, native{})
	if res.verdict != timedOut || !strings.Contains(res.reason, "fatal error: stuck") {
		t.Errorf("%s (%s)", res.verdict, res.reason)
	}
	if res.outcome.took > 4*time.Second {
		t.Errorf("took %v", res.outcome.took)
	}
	if alive(t, filepath.Join(cfg.testDir, "child")) {
		t.Error("its child still runs")
	}
}

func TestTimeLimitGrowsWithTheNativeTime(t *testing.T) {
	cfg := fakeRunner(t, "sleep 1")
	cfg.limits.time = 300 * time.Millisecond
	if res := judgeRun(t, cfg, &program{file: "x.go"}, native{took: time.Second}); res.verdict != pass {
		t.Errorf("%s (%s)", res.verdict, res.reason)
	}
}

func TestChildThatOutlivesTheProgramIsKilled(t *testing.T) {
	cfg := fakeRunner(t, "sleep 100 >/dev/null 2>&1 & echo $! >child")
	if res := judgeRun(t, cfg, &program{file: "x.go"}, native{}); res.verdict != pass {
		t.Errorf("%s (%s)", res.verdict, res.reason)
	}
	if alive(t, filepath.Join(cfg.testDir, "child")) {
		t.Error("its child still runs")
	}
}

func TestDaemonThatKeepsThePipesOpenDoesNotHang(t *testing.T) {
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Fatal(err)
	}
	cfg := fakeRunner(t, "setsid sh -c 'echo $$ >child; exec sleep 20' & while [ ! -s child ]; do sleep 0.05; done")
	begin := time.Now()
	res := judgeRun(t, cfg, &program{file: "x.go"}, native{})
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	if res.verdict != pass {
		t.Errorf("%s (%s)", res.verdict, res.reason)
	}
	alive(t, filepath.Join(cfg.testDir, "child")) // which ends it
}

func TestFloodIsStopped(t *testing.T) {
	cfg := fakeRunner(t, "yes")
	res := judgeRun(t, cfg, &program{file: "x.go"}, native{})
	if res.verdict != fail || !strings.Contains(res.reason, "limit of output") {
		t.Errorf("%s (%s)", res.verdict, res.reason)
	}
	if len(res.outcome.stdout) > cfg.limits.output {
		t.Errorf("kept %d bytes", len(res.outcome.stdout))
	}
}

func TestMemoryIsLimited(t *testing.T) {
	cfg := fakeRunner(t, "exec sleep 20")
	cfg.limits.memory = 1 << 10 // less than any process has
	res := judgeRun(t, cfg, &program{file: "x.go"}, native{})
	if res.verdict != fail || !strings.Contains(res.reason, "limit of memory") {
		t.Errorf("%s (%s)", res.verdict, res.reason)
	}
}

// testTree makes a $GOROOT/test of a few programs.
func testTree(t *testing.T, cfg *config, files map[string]string) {
	t.Helper()
	cfg.testDir = t.TempDir()
	for name, text := range files {
		file := filepath.Join(cfg.testDir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhichProgramsAreTaken(t *testing.T) {
	cfg := &config{}
	testTree(t, cfg, map[string]string{
		"a.go":              "// run\n\npackage main\n",
		"a.out":             "out",
		"sub/b.go":          "//go:build linux\n// +build linux\n\n// run one 'two three'\n\npackage main\n",
		"sub/c.go":          "// run -gcflags=\"-l -N\" -godebug x=1 arg\n\npackage main\n",
		"sub/tight.go":      "//run\n\npackage main\n",
		"windows.go":        "//go:build windows\n\n// run\n\npackage main\n",
		"below.go":          "// run\n\n//go:build windows\n\npackage main\n",
		"race.go":           "// run -race\n\npackage main\n",
		"experiment.go":     "// run -goexperiment fieldtrack\n\npackage main\n",
		"tags.go":           "// run -tags=purego -gcflags=all=-d=checkptr\n\npackage main\n",
		"compile.go":        "// compile\n\npackage main\n",
		"errorcheck.go":     "// errorcheck\n\n// run\n\npackage main\n",
		"rundir.go":         "// rundir -s -ldflags -strictdups=2 -w=0\n\npackage ignored\n",
		"rundir.dir/a.go":   "package a\n",
		"indir.go":          "// runindir -gomodversion \"1.23\"\n\npackage ignored\n",
		"indir.dir/a.go":    "package main\n",
		"both.go":           "// errorcheckandrundir -1 -m\n\npackage ignored\n",
		"both.dir/a.go":     "package main\n",
		"runoutput.go":      "// runoutput ./more.go\n\npackage main\n",
		"prose.go":          "// Copyright\n\n// run for good measure.\npackage main\n",
		"nocomment.go":      "package main\n\n// run\n",
		"notes.txt":         "// run\n",
		".hidden.go":        "// run\n\npackage main\n",
		"sub/d.dir/main.go": "// run\n\npackage main\n",
	})
	programs, err := findPrograms(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range programs {
		got = append(got, fmt.Sprintf("%s %s %q %q %q %q %q", p.action, p.name, p.flags, p.more, p.args, p.env, p.output))
	}
	want := []string{
		`run a [] [] [] [] "out"`,
		`errorcheckandrundir both ["-m"] [] [] [] ""`,
		`run experiment [] [] [] ["GOEXPERIMENT=fieldtrack"] ""`,
		`runindir indir [] [] [] [] ""`,
		`run race ["-race"] [] [] [] ""`,
		`rundir rundir ["-ldflags" "-strictdups=2" "-w=0"] [] [] [] ""`,
		`runoutput runoutput [] ["./more.go"] [] [] ""`,
		`run sub/b [] [] ["one" "two three"] [] ""`,
		`run sub/c ["-gcflags=-l -N"] [] ["arg"] ["GODEBUG=x=1"] ""`,
		`run sub/d.dir/main [] [] [] [] ""`,
		`run sub/tight [] [] [] [] ""`,
		`run tags ["-tags=purego" "-gcflags=all=-d=checkptr"] [] [] [] ""`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwanted\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestFlagSetsAreForTheGosThatHaveThem(t *testing.T) {
	if _, err := findFlagSet("fips", "go1.23.12"); err == nil {
		t.Error("Go 1.23 has no GOFIPS140")
	}
	if set, err := findFlagSet("fips", "go1.24.0"); err != nil || len(set.env) != 1 {
		t.Errorf("%+v, %v", set, err)
	}
}

// A flag set is for programs whose recipe has none of its own.
func TestFlagSetsTakePlainPrograms(t *testing.T) {
	set, err := findFlagSet("noopt", "go1.21.0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := &config{set: set}
	testTree(t, cfg, map[string]string{
		"plain.go": "// run arg\n\npackage main\n", "flags.go": "// run -gcflags=-l\n\npackage main\n",
		"made.go": "// runoutput\n\npackage main\n", "experiment.go": "// run -goexperiment x\n\npackage main\n",
	})
	programs, err := findPrograms(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if len(programs) != 1 || programs[0].name != "plain" {
		t.Errorf("%d programs, the first is %s", len(programs), programs[0].name)
	}
	if _, err := findFlagSet("nothing", "go1.21.0"); err == nil {
		t.Error("a set that is not there is no error")
	}
}

func TestExceptions(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "spec", "conformance")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "exceptions"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("# a comment\n\nalways\tall\tproc.go:1\twhy\nsome\t1.19,1.21-1.23\tproc.go:2\twhy not\n")
	for _, c := range []struct{ version, names string }{
		{"go1.19.8", "always some"}, {"go1.20", "always"}, {"go1.21.13", "always some"},
		{"go1.23rc1", "always some"}, {"go1.24.4", "always"},
	} {
		found, err := readExceptions(root, c.version)
		var names []string
		for name := range found {
			names = append(names, name)
		}
		sort.Strings(names)
		if got := strings.Join(names, " "); err != nil || got != c.names {
			t.Errorf("%s: %s (%v), wanted %s", c.version, got, err, c.names)
		}
	}
	for _, bad := range []string{"name all proc.go:1 why", "name\tall\t\twhy", "name\tx\tproc.go:1\twhy", "name\t1.2-y\tproc.go:1\twhy"} {
		write(bad + "\n")
		if _, err := readExceptions(root, "go1.26.8"); err == nil || !strings.Contains(err.Error(), "exceptions:1: ") && !strings.Contains(err.Error(), "no Go version") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestGlobs(t *testing.T) {
	for _, c := range []struct {
		globs string
		name  string
		want  bool
	}{
		{"", "a", true},
		{"a", "a", true},
		{"a", "ab", false},
		{"a*", "a/b", true},
		{"fixedbugs__bug1?", "fixedbugs/bug16", true},
		{"fixedbugs/bug16.go", "fixedbugs/bug16", true},
		{"x chan/*", "chan/fifo", true},
		{"a.b", "axb", false},
	} {
		match, err := matcher(strings.Fields(c.globs))
		if err != nil {
			t.Fatal(err)
		}
		if match(c.name) != c.want {
			t.Errorf("%q matches %q: %v", c.globs, c.name, !c.want)
		}
	}
	cfg := &config{tests: []string{"nothing"}}
	testTree(t, cfg, map[string]string{"a.go": "// run\n\npackage main\n"})
	if _, err := findPrograms(cfg); err == nil {
		t.Error("a glob that matches nothing is no error")
	}
	list := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(list, []byte("# some\na b # and\nchan/*\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	globs, err := testGlobs("x @" + list + " y")
	if got := strings.Join(globs, " "); err != nil || got != "x a b chan/* y" {
		t.Errorf("%s (%v)", got, err)
	}
	if _, err := testGlobs("@" + list + ".gone"); err == nil {
		t.Error("a list that is not there is no error")
	}
}

// The native side with a real compiler: what passes is kept, remembered, and forgotten when the program changes.
func TestNativeResults(t *testing.T) {
	cfg := fakeRunner(t, "")
	cfg.goroot = runtime.GOROOT()
	cfg.importcfg = filepath.Join(cfg.temp, "importcfg")
	list := exec.Command(filepath.Join(cfg.goroot, "bin", "go"), "list", "-export", "-deps", "-f",
		"{{if .Export}}packagefile {{.ImportPath}}={{.Export}}{{end}}", "os")
	importcfg, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cfg.importcfg, importcfg, 0o644); err != nil {
		t.Fatal(err)
	}
	testTree(t, cfg, map[string]string{
		"args.go":   "// run x\n\npackage main\nimport \"os\"\nfunc main() { os.Stdout.WriteString(os.Args[1]); println(\"y\") }\n",
		"args.out":  "xy\n",
		"build.go":  "// run\n\npackage main\nfunc main() { undefined() }\n",
		"exit.go":   "// run\n\npackage main\nfunc main() { panic(\"no\") }\n",
		"good.go":   "// run\n\npackage main\nfunc main() { }\n",
		"output.go": "// run\n\npackage main\nfunc main() { println(\"unasked\") }\n",

		"dir.go":        "// rundir\n\npackage ignored\n",
		"dir.out":       "from a\n",
		"dir.dir/a.go":  "package a\n\nfunc A() string { return word }\n",
		"dir.dir/a2.go": "package a\n\nconst word = \"from a\"\n",
		"dir.dir/m.go":  "package main\n\nimport \"test/a\"\n\nfunc main() { println(a.A()) }\n",

		"made.go":  "// runoutput\n\npackage main\nfunc main() { print(\"package main; func main() { println(7) }\") }\n",
		"made.out": "",
		"print.go": "// runoutput\n\npackage main\nimport \"os\"\n" +
			"func main() { os.Stdout.WriteString(\"package main; func main() { println(7) }\") }\n",
		"print.out": "7\n",

		"asm.go":       "// buildrundir\n\npackage ignored\n",
		"asm.out":      "42\n",
		"asm.dir/m.go": "package main\n\nfunc answer() int\n\nfunc main() { println(answer()) }\n",
		"asm.dir/x.s":  "TEXT ·answer(SB),4,$0-8\n\tMOVQ $42, ret+0(FP)\n\tRET\n",

		"module.go":           "// runindir\n\npackage ignored\n",
		"module.out":          "of a module\n",
		"module.dir/m.go":     "package main\n\nimport \"module.dir/sub\"\n\nfunc main() { println(sub.Text) }\n",
		"module.dir/sub/s.go": "package sub\n\nvar Text = \"of a module\"\n",
	})
	results := func() map[string]native {
		t.Helper()
		programs, err := findPrograms(cfg)
		if err != nil {
			t.Fatal(err)
		}
		cache, err := openNativeCache(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer cache.close()
		all := map[string]native{}
		for _, p := range programs {
			n, err := cache.get(context.Background(), cfg, p)
			if err != nil {
				t.Fatal(err)
			}
			all[p.name] = n
		}
		return all
	}
	check := func(results map[string]native, name, status, stdout, stderr, reason string) {
		t.Helper()
		n := results[name]
		if n.status != status || string(n.stdout) != stdout || string(n.stderr) != stderr || !strings.Contains(n.reason, reason) {
			t.Errorf("%s: %s, %q, %q, %s", name, n.status, n.stdout, n.stderr, n.reason)
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	first := results()
	check(first, "args", nativeOK, "x", "y\n", "")
	check(first, "build", nativeBuild, "", "", "undefined")
	check(first, "exit", nativeExit, "", "", "panic: no")
	check(first, "good", nativeOK, "", "", "")
	check(first, "output", nativeOutput, "", "", `output differs in line 1: "unasked", wanted ""`)
	check(first, "dir", nativeOK, "", "from a\n", "")
	check(first, "made", nativeBuild, "", "", "expected 'package'")
	check(first, "print", nativeOK, "", "7\n", "")
	check(first, "asm", nativeOK, "", "42\n", "")
	check(first, "module", nativeOK, "", "of a module\n", "")
	if first["print"].made == "" || first["good"].made != "" {
		t.Errorf("made: %q and %q", first["print"].made, first["good"].made)
	}

	// Without a compiler, only what is remembered can be told.
	cfg.importcfg += ".gone"
	second := results()
	check(second, "args", nativeOK, "x", "y\n", "")
	check(second, "output", nativeOutput, "", "", "unasked")
	changed := "// run\n\npackage main\nimport _ \"os\"\nfunc main() { }\n"
	if err := os.WriteFile(filepath.Join(cfg.testDir, "good.go"), []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	check(results(), "good", nativeBuild, "", "", "")
}

func TestProfilesMayDifferAsSchedulesDo(t *testing.T) {
	profile := func(lines string) []byte { return []byte(strings.ReplaceAll(lines, ", ", "\n")) }
	natives := [][]byte{profile("mode: set, a 1, b 0, c 1"), profile("mode: set, a 1, b 1, c 1")}
	for _, test := range []struct {
		loaded          [][]byte
		isNew, isMissed string
	}{
		{[][]byte{profile("mode: set, a 1, b 0, c 1")}, "", ""},
		{[][]byte{profile("mode: set, a 1, b 1, c 1"), profile("mode: set, a 1, b 2, c 1")}, "", ""},
		{[][]byte{profile("mode: set, a 0, b 1, c 1"), profile("mode: set, a 0, b 0, c 1")}, "a 0", "a 1"},
		{[][]byte{profile("mode: set, a 1, b 1")}, "", "c 1"},
		{[][]byte{profile("mode: set, a 1, b 1, c 1, d 1")}, "d 1", ""},
	} {
		isNew, isMissed := onlyIn(test.loaded, natives), onlyIn(natives, test.loaded)
		if isNew != test.isNew || isMissed != test.isMissed {
			t.Errorf("%q: %q and %q, want %q and %q", test.loaded, isNew, isMissed, test.isNew, test.isMissed)
		}
	}
}

func TestScoreboard(t *testing.T) {
	cfg := fakeRunner(t, "")
	stale := filepath.Join(cfg.root, "build", "conformance-go1.test", "old.txt")
	if err := os.MkdirAll(filepath.Dir(stale), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stale, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	trials := []trial{
		{program: &program{name: "a"}, result: result{verdict: pass}},
		{program: &program{name: "d/b"}, result: result{verdict: crash, reason: "fatal\terror at 0x1234", outcome: outcome{code: 2, stderr: []byte("trace")}}},
		{program: &program{name: "d/c"}, result: result{verdict: crash, reason: "fatal\terror at 0xabc"}},
		{program: &program{name: "e"}, result: result{verdict: fail, reason: "exit 1: no output"}},
		{program: &program{name: "f"}, result: result{verdict: crash, reason: "panic"}},
		{program: &program{name: "g"}, result: result{verdict: pass}},
	}
	cfg.excepted = map[string]exception{
		"f": {name: "f", source: "proc.go:1", why: "no such thread"},
		"g": {name: "g", source: "proc.go:2", why: "nobody knows"},
	}
	r, err := openReport(cfg, len(trials))
	if err != nil {
		t.Fatal(err)
	}
	for _, tr := range trials {
		if err := r.add(tr); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.finish(trials); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(cfg.root, "build", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	want := "a\tpass\t\nd/b\tcrash\tfatal error at 0x1234\nd/c\tcrash\tfatal error at 0xabc\ne\tfail\texit 1: no output\n" +
		"f\texception\tproc.go:1: no such thread\ng\tpass\t\n"
	if got := read("conformance-go1.test.tsv"); got != want {
		t.Errorf("scoreboard:\n%s", got)
	}
	if got := read("conformance-go1.test/d__b.txt"); !strings.Contains(got, "stderr: 5 bytes\ntrace\n") {
		t.Errorf("evidence:\n%s", got)
	}
	if got := read("conformance-go1.test/groups.txt"); !strings.HasPrefix(got, "   2 crash   fatal\terror at ADDRESS\n             d/b d/c\n") {
		t.Errorf("groups:\n%s", got)
	}
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Error("evidence of an earlier run is still there")
	}
	if _, err := os.Stat(filepath.Join(cfg.root, "build", "conformance-go1.test", "a.txt")); !os.IsNotExist(err) {
		t.Error("evidence for a program that passed")
	}
}

func TestReasonsThatDifferInPlaceOnlyAreOneGroup(t *testing.T) {
	for _, reasons := range [][2]string{
		{"goloader: /tmp/a1: package main has C in it", "goloader: /tmp/x/b.o: package main has C in it"},
		{"fatal error: bad pc 0x12ab at 17", "fatal error: bad pc 0xff at 4"},
	} {
		a, b := groupKey(result{verdict: crash, reason: reasons[0]}), groupKey(result{verdict: crash, reason: reasons[1]})
		if a != b {
			t.Errorf("%q and %q", a, b)
		}
	}
	if groupKey(result{verdict: crash, reason: "a"}) == groupKey(result{verdict: crash, reason: "b"}) {
		t.Error("two reasons are one group")
	}
}

func TestForEachStopsAtTheFirstError(t *testing.T) {
	failure := fmt.Errorf("broken")
	calls := 0
	err := forEach(context.Background(), 1, 100, func(i int) error {
		calls++
		if i == 3 {
			return failure
		}
		return nil
	})
	if err != failure || calls > 5 {
		t.Errorf("%v after %d calls", err, calls)
	}
}
