// Package children starts programs as Go programs do.
package children

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
)

// Many runs a program n times in each of so many goroutines, and tells how many runs went otherwise than they should.
func Many(goroutines, n int) string {
	var failed atomic.Int64
	var first atomic.Value
	done := make(chan bool)
	fail := func(what string) {
		if failed.Add(1) == 1 {
			first.Store(what)
		}
	}
	for g := 0; g < goroutines; g++ {
		g := g
		go func() {
			for i := 0; i < n; i++ {
				code := (g + i) % 5
				cmd := exec.Command("sh", "-c", fmt.Sprintf("echo $((%d + %d)); exit %d", g, i, code))
				out, err := cmd.Output()
				if cmd.ProcessState.ExitCode() != code || (err == nil) != (code == 0) {
					fail(fmt.Sprint("status: ", cmd.ProcessState, ", ", err))
				}
				if strings.TrimSpace(string(out)) != fmt.Sprint(g+i) {
					fail(fmt.Sprintf("output: %q", out))
				}
			}
			done <- true
		}()
	}
	for g := 0; g < goroutines; g++ {
		<-done
	}
	if failed.Load() > 0 {
		return fmt.Sprintf("%d failed, first: %v", failed.Load(), first.Load())
	}
	return "none failed"
}

// Killed tells how a program ended that was killed by its context.
func Killed(ctx context.Context) string {
	cmd := exec.CommandContext(ctx, "sleep", "100")
	err := cmd.Run()
	return fmt.Sprint(err, " ", cmd.ProcessState.Sys().(syscall.WaitStatus).Signal())
}

// Usage tells whether the kernel's account of a program came along.
func Usage() bool {
	cmd := exec.Command("sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done")
	if cmd.Run() != nil {
		return false
	}
	return cmd.ProcessState.SystemTime()+cmd.ProcessState.UserTime() > 0
}

// Late waits for programs long after they have ended.
func Late(n int) string {
	var all []*exec.Cmd
	for i := 0; i < n; i++ {
		cmd := exec.Command("sh", "-c", "exit 3")
		if err := cmd.Start(); err != nil {
			return err.Error()
		}
		all = append(all, cmd)
	}
	exec.Command("sleep", "0.2").Run()
	for i, cmd := range all {
		if cmd.Wait(); cmd.ProcessState.ExitCode() != 3 {
			return fmt.Sprint(i, ": ", cmd.ProcessState)
		}
	}
	return "all told"
}

// Blocked returns the signals that a program which Go starts has blocked.
func Blocked() (string, error) {
	out, err := exec.Command("grep", "SigBlk", "/proc/self/status").Output()
	return string(bytes.TrimSpace(out)), err
}

// Threads returns what the threads of the process block, one a line, the first thread's first.
func Threads() (string, error) {
	var all []string
	tasks, err := os.ReadDir("/proc/self/task")
	for _, task := range tasks {
		status, _ := os.ReadFile("/proc/self/task/" + task.Name() + "/status")
		if _, rest, ok := strings.Cut(string(status), "SigBlk:\t"); ok {
			all = append(all, rest[:16])
		}
	}
	return strings.Join(all, "\n"), err
}
