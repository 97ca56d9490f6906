// Native results: which programs pass without the loader, and what they print.
//
// A program is built twice a year and measured a hundred times a day, so results are kept in a file beside the
// scoreboard. An entry holds for as long as the program, its recipe and the toolchain are the same.

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Native statuses, as the cache spells them.
const (
	nativeOK     = "ok"
	nativeBuild  = "nobuild" // the compiler or the linker refuses it
	nativeExit   = "fail"    // it doesn't end with exit code 0
	nativeOutput = "output"  // it doesn't print what its .out file says
)

// native is what became of a program without the loader. Output is known of programs that pass only.
type native struct {
	status string
	took   time.Duration
	stdout []byte
	stderr []byte
	reason string
	made   string // what stands for the file it made: a program, or coverage data
}

const nativeTimeLimit = 180 * time.Second

// runNative builds the program as Go's driver does and runs it: once with both streams as one, since their order is
// part of what .out files say, and once with the streams apart, to compare each.
func runNative(ctx context.Context, cfg *config, p *program) (native, error) {
	dir, err := os.MkdirTemp(cfg.temp, "native-")
	if err != nil {
		return native{}, err
	}
	defer os.RemoveAll(dir)
	lim := cfg.limits
	lim.time = nativeTimeLimit
	pl, err := makePlan(ctx, cfg, p, dir, true)
	if err != nil {
		return native{}, err
	}
	if st, out := pl.do(ctx, lim, pl.steps); st != nil {
		return native{status: nativeBuild, reason: firstLine(append(out.stderr, out.stdout...), out.String())}, firstError(out, ctx)
	}
	both := pl.run(ctx, lim, true)
	if !both.ok() {
		return native{status: nativeExit, took: both.took, reason: firstLine(both.stdout, both.String())}, ctx.Err()
	}
	got := bytes.ReplaceAll(both.stdout, []byte("\r\n"), []byte("\n"))
	// -cover adds a warning of its own where it finds nothing to count
	if !bytes.Equal(got, p.output) && !cfg.set.cover {
		return native{status: nativeOutput, took: both.took, reason: difference("output", p.output, got)}, ctx.Err()
	}
	apart := pl.run(ctx, lim, false)
	if !apart.ok() {
		return native{status: nativeExit, took: apart.took, reason: firstLine(apart.stderr, apart.String())}, ctx.Err()
	}
	if st, out := pl.do(ctx, lim, pl.after); st != nil {
		return native{status: nativeExit, reason: firstLine(out.stderr, out.String())}, firstError(out, ctx)
	}
	return native{
		status: nativeOK, took: max(both.took, apart.took), stdout: apart.stdout, stderr: apart.stderr, made: pl.madeHash(),
	}, ctx.Err()
}

// profiles runs the program profileRuns times, and returns the coverage profile of each run.
func profiles(ctx context.Context, cfg *config, p *program, isNative bool) ([][]byte, error) {
	dir, err := os.MkdirTemp(cfg.temp, "profiles-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	lim := cfg.limits
	lim.time = nativeTimeLimit
	pl, err := makePlan(ctx, cfg, p, dir, isNative)
	if err != nil {
		return nil, err
	}
	if st, out := pl.do(ctx, lim, pl.steps); st != nil {
		return nil, fmt.Errorf("%s: %s", strings.Join(st.command, " "), firstLine(out.stderr, out.String()))
	}
	var made [][]byte
	for run := 0; run < profileRuns; run++ {
		if out := pl.run(ctx, lim, false); !out.ok() {
			return nil, fmt.Errorf("run once more: %s", firstLine(out.stderr, out.String()))
		}
		if st, out := pl.do(ctx, lim, pl.after); st != nil {
			return nil, fmt.Errorf("%s: %s", strings.Join(st.command, " "), firstLine(out.stderr, out.String()))
		}
		profile, err := os.ReadFile(pl.made)
		if err != nil {
			return nil, err
		}
		made = append(made, profile)
	}
	return made, nil
}

func firstError(out outcome, ctx context.Context) error {
	if out.failed != nil {
		return out.failed
	}
	return ctx.Err()
}

// ---- the file they are kept in ----------------------------------------------------------------------------------

// nativeCache holds a line for each program: name, key, status, milliseconds, standard output and error (quoted as in
// Go), reason, what it made. Lines are added as results come, so an interrupted run loses nothing; the last line of a name counts.
type nativeCache struct {
	mu      sync.Mutex
	file    *os.File
	entries map[string]cachedNative
}

type cachedNative struct {
	key    string
	native native
}

func openNativeCache(cfg *config) (*nativeCache, error) {
	path := filepath.Join(cfg.root, "build", "conformance-native-"+cfg.label()+".tsv")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	c := &nativeCache{file: file, entries: map[string]cachedNative{}}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if name, entry, ok := parseCached(lines.Text()); ok {
			c.entries[name] = entry
		}
	}
	if err := lines.Err(); err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %v", path, err)
	}
	return c, nil
}

func (c *nativeCache) close() { c.file.Close() }

// get returns the program's result, from the file if it still holds.
func (c *nativeCache) get(ctx context.Context, cfg *config, p *program) (native, error) {
	key := nativeKey(cfg, p)
	c.mu.Lock()
	entry, ok := c.entries[p.name]
	c.mu.Unlock()
	if ok && entry.key == key {
		return entry.native, nil
	}
	n, err := runNative(ctx, cfg, p)
	if err != nil {
		return n, err
	}
	if n.status != nativeOK {
		fmt.Fprintf(os.Stderr, "native %-7s %s: %s\n", n.status, p.name, n.reason)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries[p.name] = cachedNative{key, n}
	_, err = c.file.WriteString(formatCached(p.name, key, n))
	return n, err
}

func nativeKey(cfg *config, p *program) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %q %q %q %v\n", cfg.goVersion, cfg.goroot, p.action, p.flags, p.args, p.env, cfg.set)
	h.Write(p.output)
	h.Write(p.source)
	return hex.EncodeToString(h.Sum(nil))[:16]
}

func formatCached(name, key string, n native) string {
	return fmt.Sprintf("%s\t%s\t%s\t%d\t%q\t%q\t%q\t%s\n", name, key, n.status, n.took.Milliseconds(), n.stdout, n.stderr,
		n.reason, n.made)
}

func parseCached(line string) (name string, entry cachedNative, ok bool) {
	f := strings.Split(line, "\t")
	if len(f) != 8 {
		return "", entry, false
	}
	ms, err1 := strconv.ParseInt(f[3], 10, 64)
	stdout, err2 := strconv.Unquote(f[4])
	stderr, err3 := strconv.Unquote(f[5])
	reason, err4 := strconv.Unquote(f[6])
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil {
		return "", entry, false
	}
	return f[0], cachedNative{f[1], native{
		status: f[2], took: time.Duration(ms) * time.Millisecond,
		stdout: []byte(stdout), stderr: []byte(stderr), reason: reason, made: f[7],
	}}, true
}
