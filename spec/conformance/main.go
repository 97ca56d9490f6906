// Conformance measures the loader by programs that others wrote: the Go project's own.
//
// $GOROOT/test holds a thousand small programs whose first line says `// run`, and two hundred of several packages
// (`// rundir`) or that make their source first (`// runoutput`). Each checks one corner of the language or the runtime,
// prints what its .out file says (nothing, mostly) and exits with 0, or panics. Each is first built and run natively,
// and those that pass are then run through the loader, which must give the same exit code and the same output. What
// comes out:
//
//	build/conformance-go1.27.4.tsv             a line for each program: name, verdict, first line of the reason
//	build/conformance-go1.27.4/NAME.txt        all that a program which didn't pass wrote
//	build/conformance-go1.27.4/groups.txt      the programs that didn't pass, by reason
//	build/conformance-native-go1.27.4.tsv      what the native runs gave, so that they are not repeated
//
// A set of flags (flags.go) is measured the same way, into build/conformance-go1.27.4-NAME.*. The few programs that
// can't pass are in the file `exceptions`, and counted apart.
//
// The harness trusts no program: each runs in its own process group with a limit on time, memory and output, and
// the whole group is killed when its first process is gone.
//
// The exit code says whether the harness worked, not how many programs passed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
)

// config is what the whole run has in common.
type config struct {
	root      string   // goloader's tree
	goroot    string   // the Go to test
	testDir   string   // $GOROOT/test, where programs are run
	goVersion string   // "go1.27.4"
	tests     []string // globs; none: all programs
	jobs      int
	set       flagSet
	tap       bool // say of each program whether it passed, for spec/run.lua
	excepted  map[string]exception
	hosts     *hosts   // nil: programs with a GOEXPERIMENT get the usual one
	runner    []string // command that runs a program: runner… [flags] file.go [args]
	env       []string
	importcfg string // file naming the standard library's archives, for native builds
	temp      string // removed at the end
	limits    limits
}

// label names the files of this run: "go1.27.4", "go1.27.4-cover".
func (cfg *config) label() string {
	if cfg.set.name == "" {
		return cfg.goVersion
	}
	return cfg.goVersion + "-" + cfg.set.name
}

func main() {
	// A thousand programs that crash need not leave a thousand core files in $GOROOT/test.
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "conformance: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	cfg, err := configure(ctx)
	if err != nil {
		return err
	}
	defer os.RemoveAll(cfg.temp)

	programs, err := findPrograms(cfg)
	if err != nil {
		return err
	}
	cache, err := openNativeCache(cfg)
	if err != nil {
		return err
	}
	defer cache.close()

	// After this, each program has a native result, of this run or of an earlier one.
	natives := make([]native, len(programs))
	if err := forEach(ctx, cfg.jobs, len(programs), func(i int) (err error) {
		natives[i], err = cache.get(ctx, cfg, programs[i])
		return err
	}); err != nil {
		return err
	}

	// After this, `kept` holds those that pass natively: only they can tell something about the loader.
	var kept []trial
	for i, p := range programs {
		if natives[i].status == nativeOK {
			kept = append(kept, trial{program: p, native: natives[i]})
		}
	}

	// After this, each has a verdict, and what the ones that didn't pass wrote is on disk.
	report, err := openReport(cfg, len(kept))
	if err != nil {
		return err
	}
	if err := forEach(ctx, cfg.jobs, len(kept), func(i int) error {
		kept[i].result = runLoaded(ctx, cfg, kept[i].program, kept[i].native)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return report.add(kept[i])
	}); err != nil {
		return err
	}
	return report.finish(kept)
}

// configure reads the command line and asks the Go under test about itself.
func configure(ctx context.Context) (*config, error) {
	var cfg config
	var tests, runner, set string
	flag.StringVar(&cfg.root, "root", ".", "goloader's tree")
	flag.StringVar(&cfg.goroot, "goroot", runtime.GOROOT(), "GOROOT of the Go to test")
	flag.StringVar(&tests, "tests", "", "globs of program names, separated by spaces; @FILE: those in a file")
	flag.IntVar(&cfg.jobs, "jobs", 0, "programs at a time (0: one for each processor)")
	flag.StringVar(&runner, "runner", "", "command that runs a program (default: build/bin/goloader run)")
	flag.StringVar(&set, "flags", "", "one of the flag sets (flags.go)")
	flag.BoolVar(&cfg.tap, "tap", false, "print a line for each program, as a test suite does")
	flag.Parse()
	if flag.NArg() > 0 {
		return nil, fmt.Errorf("unknown argument %q", flag.Arg(0))
	}
	if cfg.jobs <= 0 {
		cfg.jobs = runtime.NumCPU()
	}
	cfg.limits = defaultLimits
	var err error
	if cfg.tests, err = testGlobs(tests); err != nil {
		return nil, err
	}
	if cfg.root, err = filepath.Abs(cfg.root); err != nil {
		return nil, err
	}
	if cfg.testDir, err = filepath.EvalSymlinks(filepath.Join(cfg.goroot, "test")); err != nil {
		return nil, fmt.Errorf("%s has no test folder (%v)", cfg.goroot, err)
	}
	goTool := filepath.Join(cfg.goroot, "bin", "go")
	version, err := exec.CommandContext(ctx, goTool, "env", "GOVERSION").Output()
	if err != nil {
		return nil, fmt.Errorf("%s env GOVERSION: %v", goTool, err)
	}
	cfg.goVersion = strings.TrimSpace(string(version))
	if cfg.set, err = findFlagSet(set, cfg.goVersion); err != nil {
		return nil, err
	}

	cfg.runner = strings.Fields(runner)
	if len(cfg.runner) == 0 {
		cfg.runner = []string{filepath.Join(cfg.root, "build", "bin", "goloader"), "run"}
		if _, err := os.Stat(cfg.runner[0]); err != nil {
			return nil, fmt.Errorf("goloader is not built (%v)", err)
		}
	}
	host := filepath.Join(cfg.root, "build", "host", cfg.goVersion, "libgoloader_host.so")
	cfg.hosts = &hosts{root: cfg.root, goroot: cfg.goroot, goVersion: cfg.goVersion, built: map[string]error{}}
	if cfg.excepted, err = readExceptions(cfg.root, cfg.goVersion); err != nil {
		return nil, err
	}

	if cfg.temp, err = os.MkdirTemp("", "goloader-conformance-"); err != nil {
		return nil, err
	}
	cfg.importcfg = filepath.Join(cfg.temp, "importcfg")
	// As cmd/internal/testdir has it: a user's go settings are not part of the test, some programs call go
	// themselves, and those ask for STDLIB_IMPORTCFG. The runner is looked up in this PATH too.
	if err := os.Setenv("PATH", filepath.Dir(goTool)+":"+os.Getenv("PATH")); err != nil {
		return nil, err
	}
	cfg.env = append(os.Environ(), "GOENV=off", "GOFLAGS=", "GOTOOLCHAIN=local", "GOROOT="+cfg.goroot,
		"PWD="+cfg.testDir, "STDLIB_IMPORTCFG="+cfg.importcfg, "GOLOADER_HOST="+host)

	list := exec.CommandContext(ctx, goTool, "list", "-export", "-f",
		"{{if .Export}}packagefile {{.ImportPath}}={{.Export}}{{end}}", "std")
	list.Env = cfg.env
	list.Stderr = os.Stderr
	importcfg, err := list.Output()
	if err == nil {
		err = os.WriteFile(cfg.importcfg, importcfg, 0o644)
	}
	if err != nil {
		os.RemoveAll(cfg.temp)
		return nil, fmt.Errorf("archives of the standard library: %v", err)
	}
	return &cfg, nil
}

// forEach calls work for 0…n-1, jobs at a time, and returns the first error, which also ends the rest.
func forEach(ctx context.Context, jobs, n int, work func(i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var workers sync.WaitGroup
	for j := 0; j < jobs; j++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			// A child is told to die with the thread that started it (see process.go): the thread must last.
			runtime.LockOSThread()
			for i := range next {
				if err := work(i); err != nil {
					cancel(err)
				}
			}
		}()
	}
feed:
	for i := 0; i < n; i++ {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	workers.Wait()
	return context.Cause(ctx)
}
