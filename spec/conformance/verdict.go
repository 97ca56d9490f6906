// Judging a run through the loader by the native one.

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Verdicts, as the scoreboard spells them.
const (
	pass     = "pass"
	fail     = "fail"    // another exit code or other output than natively
	crash    = "crash"   // a signal, or the Go runtime ended the program with a trace
	timedOut = "timeout" // it had to be stopped
	refused  = "refused" // the loader reported an error and ran nothing
)

type result struct {
	verdict string
	reason  string // one line; empty for pass
	command []string
	outcome outcome
}

// trial is a program with all that came of it.
type trial struct {
	program *program
	native  native
	result  result
}

// runLoaded runs the program through the loader. It may take thirty seconds, or ten times as long as natively.
func runLoaded(ctx context.Context, cfg *config, p *program, n native) result {
	lim := cfg.limits
	lim.time = max(lim.time, 10*n.took)
	lim.output += len(n.stdout) + len(n.stderr)
	dir, err := os.MkdirTemp(cfg.temp, "loaded-")
	if err != nil {
		return result{verdict: fail, reason: err.Error()}
	}
	defer os.RemoveAll(dir)
	pl, err := makePlan(ctx, cfg, p, dir, false)
	if err != nil {
		return result{verdict: fail, reason: err.Error()}
	}
	if st, out := pl.do(ctx, lim, pl.steps); st != nil {
		verdict, reason := judge(native{}, &out)
		return result{verdict, reason, st.command, out}
	}
	out := pl.run(ctx, lim, false)
	verdict, reason := judge(n, &out)
	if verdict == pass {
		if st, failed := pl.do(ctx, lim, pl.after); st != nil {
			return result{fail, firstLine(failed.stderr, failed.String()), st.command, failed}
		}
		if pl.madeHash() != n.made {
			reason, err = differs(ctx, cfg, p, &pl)
			if err != nil {
				reason = err.Error()
			}
			if reason != "" {
				verdict = fail
			}
		}
	}
	return result{verdict, reason, pl.final, out}
}

// profileRuns is how often a program is run anew, each way, to learn which of its blocks a schedule may reach or miss.
const profileRuns = 10

// differs says how what the plan has made differs from what the native run made; "" if it does not matter.
// A coverage profile tells of blocks that are reached or not as goroutines happen to be scheduled, natively too: what
// counts is a line that all runs of one kind have, and none of the other.
func differs(ctx context.Context, cfg *config, p *program, pl *plan) (string, error) {
	name := filepath.Base(pl.made)
	if !cfg.set.cover {
		return name + " differs from what the native run made", nil
	}
	loaded, err := profiles(ctx, cfg, p, false)
	if err != nil {
		return "", err
	}
	natives, err := profiles(ctx, cfg, p, true)
	if err != nil {
		return "", err
	}
	if line := onlyIn(loaded, natives); line != "" {
		return name + ": in no native run: " + line, nil
	}
	if line := onlyIn(natives, loaded); line != "" {
		return name + ": in native runs only: " + line, nil
	}
	return "", nil
}

// onlyIn returns the first line that all of some texts have and none of the others.
func onlyIn(texts, others [][]byte) string {
	has := func(line string) func([]byte) bool {
		return func(text []byte) bool { return slices.Contains(strings.Split(string(text), "\n"), line) }
	}
	for _, line := range strings.Split(string(texts[0]), "\n") {
		inAll := !slices.ContainsFunc(texts, func(text []byte) bool { return !has(line)(text) })
		if inAll && !slices.ContainsFunc(others, has(line)) {
			return line
		}
	}
	return ""
}

// What the runtime writes when it ends a program: runtime.fatalthrow, fatalpanic, sighandler, badsignal.
var runtimeTrace = regexp.MustCompile(`(?m)^(fatal error: |panic: |runtime: |\[signal |SIG[A-Z]+: |unexpected fault |PC=0x).*$`)

// The loader's own errors have this form; a compiler's follow a line that the go command prints too
// (lua/goloader/cli.lua).
var loaderError = regexp.MustCompile(`(?m)^(?:# command-line-arguments\n.*|goloader(?: run)?: .*)$`)

// judge compares a run through the loader with the native run, which ended with exit code 0.
func judge(n native, out *outcome) (verdict, reason string) {
	trace := string(runtimeTrace.Find(out.stderr))
	switch {
	case out.failed != nil:
		return fail, out.String()
	case out.stopped == "time":
		return timedOut, strings.TrimSuffix(fmt.Sprintf("no end after %v: %s", out.took.Round(time.Second), trace), ": ")
	case out.stopped != "":
		return fail, out.String()
	case out.signal != 0, out.code > 128 && out.code < 128+65: // a shell between us reports a signal this way
		if trace != "" {
			return crash, trace
		}
		return crash, firstLine(out.stderr, out.String())
	case out.code != 0 && trace != "" && !bytes.Contains(n.stderr, []byte(trace)):
		return crash, trace
	case out.code != 0:
		if own := loaderError.Find(out.stderr); own != nil && len(out.stdout) == 0 {
			return refused, strings.TrimPrefix(string(own), "# command-line-arguments\n")
		}
		return fail, fmt.Sprintf("exit %d: %s", out.code, firstLine(append(out.stderr, out.stdout...), "no output"))
	case !bytes.Equal(out.stdout, n.stdout):
		return fail, difference("stdout", n.stdout, out.stdout)
	case !bytes.Equal(out.stderr, n.stderr):
		return fail, difference("stderr", n.stderr, out.stderr)
	}
	return pass, ""
}

// firstLine returns the first line of text that is not blank, or otherwise.
func firstLine(text []byte, otherwise string) string {
	for _, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return otherwise
}

// difference names the first line in which two outputs differ.
func difference(stream string, want, got []byte) string {
	w, g := strings.Split(string(want), "\n"), strings.Split(string(got), "\n")
	for i := 0; i < max(len(w), len(g)); i++ {
		switch {
		case i >= len(g):
			return fmt.Sprintf("%s differs in line %d: ends, wanted %q", stream, i+1, clip(w[i], 120))
		case i >= len(w):
			return fmt.Sprintf("%s differs in line %d: %q, wanted its end", stream, i+1, clip(g[i], 120))
		case w[i] != g[i]:
			return fmt.Sprintf("%s differs in line %d: %q, wanted %q", stream, i+1, clip(g[i], 120), clip(w[i], 120))
		}
	}
	return stream + " is the same"
}

// clip cuts a text that is longer than limit bytes.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
