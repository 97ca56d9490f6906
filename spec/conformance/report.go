// The scoreboard, the evidence beside it, and the last line.

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"sync"
	"time"
)

type report struct {
	cfg   *config
	dir   string // of the evidence
	total int
	mu    sync.Mutex
	done  int
}

// openReport removes what an earlier run said about these programs.
func openReport(cfg *config, total int) (*report, error) {
	r := &report{cfg: cfg, total: total, dir: filepath.Join(cfg.root, "build", "conformance-"+cfg.label())}
	if err := os.RemoveAll(r.dir); err != nil {
		return nil, err
	}
	return r, os.MkdirAll(r.dir, 0o755)
}

// add notes one program: nothing is said of those that pass, but for a count now and then.
func (r *report) add(t trial) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	r.tap(t)
	if r.done%100 == 0 || r.done == r.total {
		fmt.Fprintf(os.Stderr, "%d of %d\n", r.done, r.total)
	}
	_, excepted := r.cfg.excepted[t.program.name]
	switch {
	case t.result.verdict == pass && excepted:
		fmt.Fprintf(os.Stderr, "%s passes: it needs no line in spec/conformance/exceptions for %s\n", t.program.name, r.cfg.goVersion)
		return nil
	case t.result.verdict == pass:
		return nil
	case !excepted:
		fmt.Fprintf(os.Stderr, "%-7s %s: %s\n", t.result.verdict, t.program.name, clip(t.result.reason, 160))
	}
	var text bytes.Buffer
	out := &t.result.outcome
	fmt.Fprintf(&text, "%s\n%s: %s\ncd %s && %s %s\n%v after %v; natively exit 0 after %v\n", t.program.name,
		t.result.verdict, t.result.reason, r.cfg.testDir, strings.Join(t.program.env, " "), strings.Join(t.result.command, " "),
		out, out.took.Round(time.Millisecond), t.native.took)
	for _, part := range []struct {
		title string
		text  []byte
	}{{"stdout", out.stdout}, {"stderr", out.stderr}, {"native stdout", t.native.stdout}, {"native stderr", t.native.stderr}} {
		fmt.Fprintf(&text, "---- %s: %d bytes\n%s\n", part.title, len(part.text), part.text)
	}
	name := strings.ReplaceAll(t.program.name, "/", "__") + ".txt"
	return os.WriteFile(filepath.Join(r.dir, name), text.Bytes(), 0o644)
}

// tap prints what spec/run.lua reads. An exception says nothing.
func (r *report) tap(t trial) {
	_, excepted := r.cfg.excepted[t.program.name]
	switch {
	case !r.cfg.tap || excepted:
	case t.result.verdict == pass:
		fmt.Printf("ok %d - %s\n", r.done, t.program.name)
	default:
		fmt.Printf("%s: %s\nnot ok %d - %s\n", t.result.verdict, clip(t.result.reason, 160), r.done, t.program.name)
	}
}

// finish writes the scoreboard and prints the groups and the last line.
func (r *report) finish(trials []trial) error {
	var board bytes.Buffer
	var failures []trial
	passed, excepted := 0, 0
	for _, t := range trials {
		verdict, reason := t.result.verdict, strings.Join(strings.Fields(t.result.reason), " ")
		if e, ok := r.cfg.excepted[t.program.name]; verdict == pass {
			passed++
		} else if ok {
			excepted++
			verdict, reason = "exception", e.source+": "+e.why
		} else {
			failures = append(failures, t)
		}
		fmt.Fprintf(&board, "%s\t%s\t%s\n", t.program.name, verdict, clip(reason, 300))
	}
	path := filepath.Join(r.cfg.root, "build", "conformance-"+r.cfg.label()+".tsv")
	if err := os.WriteFile(path, board.Bytes(), 0o644); err != nil {
		return err
	}
	groups := groupText(failures)
	if err := os.WriteFile(filepath.Join(r.dir, "groups.txt"), []byte(groups), 0o644); err != nil {
		return err
	}
	if r.cfg.tap {
		return nil
	}
	fmt.Print(groups)
	fmt.Printf("conformance %s: %d passed, %d failed, %d exceptions of %d\n", r.cfg.label(), passed, len(failures), excepted,
		len(trials))
	return nil
}

// What makes two reasons look different that are the same.
var (
	filePath   = regexp.MustCompile(`(^|[\s"(])(/[^\s:")]+)+`)
	hexNumber  = regexp.MustCompile(`0x[0-9a-fA-F]+`)
	number     = regexp.MustCompile(`[0-9]+`)
	quotedText = regexp.MustCompile(`"(\\.|[^"\\])*"`)
)

func groupKey(res result) string {
	reason := filePath.ReplaceAllString(res.reason, "${1}FILE")
	reason = hexNumber.ReplaceAllString(reason, "ADDRESS")
	if res.verdict == fail {
		reason = quotedText.ReplaceAllString(reason, "…")
	}
	return res.verdict + "\t" + clip(number.ReplaceAllString(reason, "N"), 160)
}

// groupText lists programs that didn't pass by verdict and reason, the largest group first.
func groupText(failures []trial) string {
	groups := map[string][]string{}
	for _, t := range failures {
		key := groupKey(t.result)
		groups[key] = append(groups[key], t.program.name)
	}
	keys := make([]string, 0, len(groups))
	for key := range groups {
		keys = append(keys, key)
	}
	sort.Slice(keys, func(i, j int) bool {
		if a, b := len(groups[keys[i]]), len(groups[keys[j]]); a != b {
			return a > b
		}
		return keys[i] < keys[j]
	})
	var text strings.Builder
	for _, key := range keys {
		verdict, reason, _ := strings.Cut(key, "\t")
		fmt.Fprintf(&text, "%4d %-7s %s\n             %s\n", len(groups[key]), verdict, reason, strings.Join(groups[key], " "))
	}
	return text.String()
}
