package host

/*
#include <stdlib.h>
#include "runtime.h"
*/
import "C"

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// runInits runs the functions, then the inittasks, in order, as runtime.doInit does, and counts those that have returned.
func runInits(funcs, tasks []unsafe.Pointer, done *C.size_t) {
	for i := range funcs {
		funcOf[func()](&funcs[i])()
		*done++
	}
	doInit := funcOf[func(unsafe.Pointer)](&rt.do_init)
	for _, task := range tasks {
		doInit(task)
		*done++
	}
}

// goloader_run_inits initialises a module's packages on a goroutine of their own: an init function may call
// runtime.Goexit or lock its thread. It answers NULL, or what went wrong, to be freed by the caller, and in ndone how many
// came to their end before that.
//
//export goloader_run_inits
func goloader_run_inits(funcs *unsafe.Pointer, nfuncs C.size_t, tasks *unsafe.Pointer, ntasks C.size_t,
	ndone *C.size_t) *C.char {
	var n C.size_t
	done := make(chan string)
	go func() {
		result := "an init function called runtime.Goexit"
		// told once the module's frames are gone: what failed is taken out again
		defer func() { done <- result }()
		defer func() {
			if p := recover(); p != nil {
				result = fmt.Sprintf("panic: %v\n\n%s", p, debug.Stack())
			}
		}()
		runInits(unsafe.Slice(funcs, nfuncs), unsafe.Slice(tasks, ntasks), &n)
		result = ""
	}()
	result := <-done
	*ndone = n
	if result != "" {
		return C.CString(result)
	}
	return nil
}

// program is what goloader_run_main runs: a process runs one.
var program struct {
	funcs, tasks []unsafe.Pointer
	begin, done  int // eventfds: C writes the one when the program may begin and end, and reads the other
}

// The loader's linker makes the code that a program's goroutine starts with: it calls beforeMain, main.main and afterMain,
// and bears the name runtime.main, so that a program that looks at its callers finds what it finds natively.
func beforeMain() {
	waitForC() // until the thread that called goloader_run_main has left Go
	release := holdThreads()
	var done C.size_t
	runInits(program.funcs, program.tasks, &done)
	release()
}

// afterMain runs the exit hooks, as runtime.main does: one of them writes what -cover counted.
func afterMain() {
	beforeExit(0)
	syscall.Write(program.done, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	waitForC()
	syscall.Close(program.begin)
}

// waitForC waits in a system call, so that the runtime sees a thread that is at work.
func waitForC() {
	for {
		if _, err := syscall.Read(program.begin, make([]byte, 8)); err != syscall.EINTR {
			return
		}
	}
}

//go:linkname beforeExit os.runtime_beforeExit
func beforeExit(code int)

// Both are called by address only.
var mainHooks = [...]func(){beforeMain, afterMain}

// holdThreads makes threads of C's wait when they call Go, until the program's packages are initialised, as they wait
// natively: an init function may have started them. It returns what lets them go on. (runtime.cgocallbackg1)
func holdThreads() func() {
	done := (*chan bool)(rt.main_init_done)
	flag := (*bool)(rt.main_init_flag)
	*done = make(chan bool)
	if flag != nil {
		*flag = false
	}
	return func() {
		if flag != nil {
			*flag = true
		}
		close(*done)
	}
}

// exitAsProgram makes an uncaught panic exit with 2, as a program's does. In a library the runtime aborts the process, which
// it takes for somebody else's (runtime.setTraceback adds tracebackCrash).
func exitAsProgram() {
	const tracebackCrash = 1
	if os.Getenv("GOTRACEBACK") != "crash" {
		cache := (*uint32)(rt.traceback_cache)
		atomic.StoreUint32(cache, atomic.LoadUint32(cache)&^tracebackCrash)
	}
}

// awaitMain waits until the host's own runtime.main has returned. It lets callers in from C before it looks whether it
// belongs to a library, and if it found that it doesn't, it would run the host's main, which does nothing, and exit.
func awaitMain() {
	isRunning := func() bool {
		for _, g := range *(*[]unsafe.Pointer)(rt.allgs) {
			if *(*uint64)(unsafe.Add(g, rt.g_goid)) == 1 {
				return !isDead(atomic.LoadUint32((*uint32)(unsafe.Add(g, rt.g_status))))
			}
		}
		return false
	}
	for isRunning() {
		time.Sleep(10 * time.Microsecond)
	}
}

// handleSignals gives the process the signal handlers of a Go program, as runtime.initsig does. The runtime of a library
// leaves to its process what tells of no fault of Go's: then SIGQUIT shows no goroutines, and a profiler's late SIGPROF
// kills.
func handleSignals() {
	const ignored = 1 // SIG_IGN
	if library := (*bool)(rt.islibrary); *library {
		awaitMain()
		*library = false
	}
	handling, before := (*[65]uint32)(rt.handling_sig), (*[65]uintptr)(rt.fwd_sig)
	for sig := range handling {
		switch syscall.Signal(sig) {
		case 0, syscall.SIGKILL, syscall.SIGSTOP:
			continue // nobody can
		case syscall.SIGCONT, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU:
			continue // sigtable's _SigDefault
		case 32, 33, 34:
			continue // the C library's
		case syscall.SIGHUP, syscall.SIGINT:
			if before[sig] == ignored {
				continue // nohup
			}
		}
		if handling[sig] == 0 {
			handling[sig] = 1
			funcOf[func(uint32, uintptr)](&rt.setsig)(uint32(sig), uintptr(rt.sighandler))
		}
	}
}

// applyGODEBUG makes the runtime and internal/godebug heed runtime.godebugDefault once more: for a program that brings
// settings of its own (//go:debug lines, an old version in go.mod) it was written after the host had started. They read
// it when $GODEBUG is set, to whatever.
func applyGODEBUG() {
	if *(*string)(rt.godebug_default) == "" {
		return
	}
	value, isSet := os.LookupEnv("GODEBUG")
	os.Setenv("GODEBUG", value)
	if !isSet {
		os.Unsetenv("GODEBUG")
	}
}

// hideCaller makes this goroutine one of the runtime's, which no program looks for: it stands for a thread of C's, and
// stays with it. Those start in the runtime (runtime.isSystemGoroutine).
func hideCaller() {
	if rt.g_startpc < 0 {
		return
	}
	var id int64
	header := make([]byte, 64)
	fmt.Sscanf(string(header[:runtime.Stack(header, false)]), "goroutine %d ", &id)
	for _, g := range *(*[]unsafe.Pointer)(rt.allgs) {
		if *(*int64)(unsafe.Add(g, rt.g_goid)) == id {
			*(*uintptr)(unsafe.Add(g, rt.g_startpc)) = uintptr(rt.do_init)
		}
	}
}

// goloader_run_main runs a program: its init functions, then main.main, on one new goroutine, as the runtime does with
// its own. When main.main returns, done, an eventfd, can be read: nobody waits in Go, where programs that look for
// goroutines left over would find him. A panic or os.Exit ends the process, as natively.
//
//export goloader_run_main
func goloader_run_main(funcs *unsafe.Pointer, nfuncs C.size_t, tasks *unsafe.Pointer, ntasks C.size_t,
	start unsafe.Pointer, args **C.char, nargs C.size_t, begin, done C.int) {
	os.Args = nil
	for _, arg := range unsafe.Slice(args, nargs) {
		os.Args = append(os.Args, C.GoString(arg))
	}
	if len(os.Args) > 0 {
		// the package flag read os.Args before there was a program
		flag.CommandLine.Init(os.Args[0], flag.ExitOnError)
	}
	program.funcs = unsafe.Slice(funcs, nfuncs)
	program.tasks = unsafe.Slice(tasks, ntasks)
	program.begin, program.done = int(begin), int(done)
	exitAsProgram()
	crash.told.Store(true) // a program's end is its own affair
	hideCaller()
	handleSignals()
	applyGODEBUG()
	runtime.KeepAlive(mainHooks)
	go funcOf[func()](&start)()
}
