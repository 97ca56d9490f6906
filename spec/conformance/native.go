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
	env := append(cfg.env[:len(cfg.env):len(cfg.env)], p.env...)
	exe := filepath.Join(dir, "program")
	for _, command := range buildCommands(cfg, p, dir, exe) {
		if out := runProcess(ctx, lim, cfg.testDir, env, command, true); !out.ok() {
			if out.failed != nil {
				return native{}, out.failed
			}
			return native{status: nativeBuild, reason: firstLine(out.stdout, out.String())}, ctx.Err()
		}
	}
	command := append([]string{exe}, p.args...)
	both := runProcess(ctx, lim, cfg.testDir, env, command, true)
	if !both.ok() {
		return native{status: nativeExit, took: both.took, reason: firstLine(both.stdout, both.String())}, ctx.Err()
	}
	if got := bytes.ReplaceAll(both.stdout, []byte("\r\n"), []byte("\n")); !bytes.Equal(got, p.output) {
		return native{status: nativeOutput, took: both.took, reason: difference("output", p.output, got)}, ctx.Err()
	}
	apart := runProcess(ctx, lim, cfg.testDir, env, command, false)
	if !apart.ok() {
		return native{status: nativeExit, took: apart.took, reason: firstLine(apart.stderr, apart.String())}, ctx.Err()
	}
	return native{status: nativeOK, took: max(both.took, apart.took), stdout: apart.stdout, stderr: apart.stderr}, ctx.Err()
}

// buildCommands returns what makes exe. A plain recipe is compiled and linked directly, which is much faster than the go
// command; flags and arguments call for that (some recipes have an argument for no other reason, as with import "C").
func buildCommands(cfg *config, p *program, dir, exe string) [][]string {
	goTool := filepath.Join(cfg.goroot, "bin", "go")
	if len(p.flags)+len(p.args) > 0 {
		build := append([]string{goTool, "build", "-o", exe}, p.flags...)
		return [][]string{append(build, p.file)}
	}
	object := filepath.Join(dir, "program.o")
	return [][]string{
		{goTool, "tool", "compile", "-p=main", "-importcfg=" + cfg.importcfg, "-o", object, p.file},
		{goTool, "tool", "link", "-s", "-w", "-buildid=test", "-importcfg=" + cfg.importcfg, "-o", exe, object},
	}
}

// ---- the file they are kept in ----------------------------------------------------------------------------------

// nativeCache holds a line for each program: name, key, status, milliseconds, standard output and error (quoted as in
// Go), reason. Lines are added as results come, so an interrupted run loses nothing; the last line of a name counts.
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
	path := filepath.Join(cfg.root, "build", "conformance-native-"+cfg.goVersion+".tsv")
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
	fmt.Fprintf(h, "%q %q %q %q %q\n", cfg.goVersion, cfg.goroot, p.flags, p.args, p.env)
	h.Write(p.output)
	h.Write(p.source)
	return hex.EncodeToString(h.Sum(nil))[:16]
}

func formatCached(name, key string, n native) string {
	return fmt.Sprintf("%s\t%s\t%s\t%d\t%q\t%q\t%q\n", name, key, n.status, n.took.Milliseconds(), n.stdout, n.stderr, n.reason)
}

func parseCached(line string) (name string, entry cachedNative, ok bool) {
	f := strings.Split(line, "\t")
	if len(f) != 7 {
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
		stdout: []byte(stdout), stderr: []byte(stderr), reason: reason,
	}}, true
}
