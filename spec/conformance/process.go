// Running a program that may do anything: hang, fork, print without end, eat all memory.

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// limits is what a program may use before it is stopped.
type limits struct {
	time   time.Duration
	output int   // bytes of each stream
	memory int64 // resident bytes of its first process
}

var defaultLimits = limits{time: 120 * time.Second, output: 4 << 20, memory: 6 << 30}

// outcome is how a process ended.
type outcome struct {
	code    int            // exit code; -1 when a signal ended it
	signal  syscall.Signal // the signal, 0 for none
	stopped string         // "time", "output" or "memory": the limit at which it was killed
	failed  error          // it could not be started at all
	stdout  []byte
	stderr  []byte
	took    time.Duration
}

func (o *outcome) ok() bool {
	return o.failed == nil && o.stopped == "" && o.code == 0
}

// String says it in a few words: "exit 2", "SIGSEGV", "stopped after 30s".
func (o *outcome) String() string {
	switch {
	case o.failed != nil:
		return fmt.Sprintf("not started: %v", o.failed)
	case o.stopped != "":
		return fmt.Sprintf("stopped after %v: limit of %s", o.took.Round(100*time.Millisecond), o.stopped)
	case o.signal != 0:
		return signalName(o.signal)
	}
	return fmt.Sprintf("exit %d", o.code)
}

func signalName(s syscall.Signal) string {
	switch s {
	case syscall.SIGSEGV:
		return "SIGSEGV"
	case syscall.SIGABRT:
		return "SIGABRT"
	case syscall.SIGBUS:
		return "SIGBUS"
	case syscall.SIGILL:
		return "SIGILL"
	case syscall.SIGTRAP:
		return "SIGTRAP"
	}
	return fmt.Sprintf("signal %d (%v)", int(s), s)
}

// cappedBuffer keeps what is written up to a limit, and says when it is passed.
type cappedBuffer struct {
	kept  bytes.Buffer // not embedded: its ReadFrom would take everything
	limit int
	full  func()
}

func (b *cappedBuffer) Write(p []byte) (int, error) {
	if room := b.limit - b.kept.Len(); len(p) > room {
		b.kept.Write(p[:room])
		b.full()
		return len(p), nil
	}
	return b.kept.Write(p)
}

// runProcess runs command in dir and waits for its end, or makes one. With merged, standard error goes where standard
// output does, in order. The caller has locked its thread.
func runProcess(ctx context.Context, lim limits, dir string, env, command []string, merged bool) outcome {
	var stopped atomic.Pointer[string]
	ctx, cancel := context.WithTimeout(ctx, lim.time)
	defer cancel()
	stop := func(why string) func() {
		return func() {
			stopped.CompareAndSwap(nil, &why)
			cancel()
		}
	}
	stdout := &cappedBuffer{limit: lim.output, full: stop("output")}
	stderr := &cappedBuffer{limit: lim.output, full: stop("output")}

	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Env = dir, env
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if merged {
		cmd.Stderr = stdout
	}
	// Its own process group, so that what it started can be killed with it; and should the harness be killed, the
	// kernel kills the program, which would run on otherwise.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	killGroup := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel = killGroup
	cmd.WaitDelay = 2 * time.Second // for a grandchild that left the group and keeps our pipes open

	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return outcome{code: -1, failed: err}
	}
	watched := make(chan struct{})
	go watchMemory(ctx, cmd.Process.Pid, lim.memory, stop("memory"), watched)
	err := cmd.Wait()
	took := time.Since(begin)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		stop("time")()
	}
	cancel()
	<-watched
	_ = killGroup()

	out := outcome{code: -1, stdout: stdout.kept.Bytes(), stderr: stderr.kept.Bytes(), took: took}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil {
		out.failed = err
	}
	if state := cmd.ProcessState; state != nil {
		if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			out.signal = status.Signal()
		}
		out.code = state.ExitCode()
	}
	// A program that came to its own end a moment before the limit has ended, whatever its grandchildren do.
	if why := stopped.Load(); why != nil && (*why == "output" || out.signal == syscall.SIGKILL) {
		out.stopped = *why
	}
	return out
}

// watchMemory calls stop once the process holds more resident memory than limit.
func watchMemory(ctx context.Context, pid int, limit int64, stop func(), done chan<- struct{}) {
	defer close(done)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
			if err != nil {
				return
			}
			if fields := strings.Fields(string(statm)); len(fields) > 1 {
				pages, _ := strconv.ParseInt(fields[1], 10, 64)
				if pages*int64(os.Getpagesize()) > limit {
					stop()
				}
			}
		}
	}
}
