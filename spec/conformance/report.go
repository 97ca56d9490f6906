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
	r := &report{cfg: cfg, total: total, dir: filepath.Join(cfg.root, "build", "conformance-"+cfg.goVersion)}
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
	if r.done%100 == 0 || r.done == r.total {
		fmt.Fprintf(os.Stderr, "%d of %d\n", r.done, r.total)
	}
	if t.result.verdict == pass {
		return nil
	}
	fmt.Fprintf(os.Stderr, "%-7s %s: %s\n", t.result.verdict, t.program.name, clip(t.result.reason, 160))
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

// finish writes the scoreboard and prints the groups and the last line.
func (r *report) finish(trials []trial) error {
	var board bytes.Buffer
	passed := 0
	for _, t := range trials {
		if t.result.verdict == pass {
			passed++
		}
		reason := strings.Join(strings.Fields(t.result.reason), " ")
		fmt.Fprintf(&board, "%s\t%s\t%s\n", t.program.name, t.result.verdict, clip(reason, 300))
	}
	path := filepath.Join(r.cfg.root, "build", "conformance-"+r.cfg.goVersion+".tsv")
	if err := os.WriteFile(path, board.Bytes(), 0o644); err != nil {
		return err
	}
	groups := groupText(trials)
	if err := os.WriteFile(filepath.Join(r.dir, "groups.txt"), []byte(groups), 0o644); err != nil {
		return err
	}
	fmt.Print(groups)
	fmt.Printf("conformance %s: %d passed, %d failed of %d\n", r.cfg.goVersion, passed, len(trials)-passed, len(trials))
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

// groupText lists the programs that didn't pass by verdict and reason, the largest group first.
func groupText(trials []trial) string {
	groups := map[string][]string{}
	for _, t := range trials {
		if t.result.verdict != pass {
			key := groupKey(t.result)
			groups[key] = append(groups[key], t.program.name)
		}
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
