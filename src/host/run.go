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
	"reflect"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"goloader.dev/host/internal/enter"
)

// runInits runs the functions, then the inittasks, in order, as runtime.doInit does, and counts those that have
// returned.
//
// It has a name of the runtime's, as beforeMain has, because tracebacks show no frames of those (runtime.showfuncinfo):
// a panic in an init function of a program is to look as it does natively.
//
//go:linkname runInits runtime.goloader_run_inits
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
// runtime.Goexit or lock its thread. It answers NULL, or what went wrong, to be freed by the caller, and in ndone how
// many came to their end before that.
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
	inits  struct{ funcs, tasks []unsafe.Pointer }
	ready  chan unsafe.Pointer // takes the descriptor of the goroutine that is to run it
	begin  chan struct{}       // is closed when that may begin
	thread unsafe.Pointer      // what the runtime knows of the thread that it begins on: its m
	caller unsafe.Pointer      // the goroutine that stands for C on that thread, and waits for ever
	stack  uintptr             // where the scheduler's frames begin on that thread
}

// The loader's linker makes the code that a program's goroutine starts with: it calls beforeMain, main.main and
// afterMain, and bears the name runtime.main, so that a program that looks at its callers finds what it finds natively.

// beforeMain runs the program's init functions. As natively, the goroutine is locked to the process's main thread while
// they run, and stays so when one of them calls runtime.LockOSThread.
//
//go:linkname beforeMain runtime.goloader_before_main
func beforeMain() {
	self := enter.G()
	if !isFirstAlive() {
		// The first goroutine of a program is main's, and has been created by nobody.
		*(*uint64)(unsafe.Add(self, rt.g_goid)) = 1
	}
	program.ready <- self
	<-program.begin
	for *at[unsafe.Pointer](self, offsets.gM) != program.thread {
		runtime.Gosched() // the scheduler takes a goroutine that is locked to another thread there
	}
	defer unlockThread() // also when an init function ends the goroutine
	release := holdThreads()
	var done C.size_t
	runInits(program.inits.funcs, program.inits.tasks, &done)
	release()
}

// afterMain runs the exit hooks, one of which writes what -cover counted, and ends the process, as runtime.main does.
func afterMain() {
	beforeExit(0)
	syscall.Exit(0)
}

// lockThread locks this thread to another goroutine than the one that runs on it, which is waiting.
//
// The thread goes on with this goroutine, which is another thread's from now on, until that blocks. Then the scheduler
// finds that the thread has a goroutine of its own, and lets it wait for that (runtime.schedule, stoplockedm).
//
// A thread whose goroutine ends while it is locked ends, too: it goes back to where its scheduler's stack began
// (runtime.gdestroy). This one began in C, and the main thread of a process can't end: keepThread has it wait for ever.
func lockThread(gp unsafe.Pointer) {
	self := enter.G()
	mp := *at[unsafe.Pointer](self, offsets.gM)
	procPin() // a goroutine that is rescheduled in between would find its thread and itself at odds
	*at[uintptr](self, offsets.gLockedm) = 0
	*at[uintptr](mp, offsets.mLockedg) = uintptr(gp)
	*at[uintptr](gp, offsets.gLockedm) = uintptr(mp)
	*at[uint32](mp, offsets.mLockedInt) = 1 // it counted calls from C: this and, since crossed lets it be, one before
	const sp, pc = 0, 8                     // of a gobuf
	g0 := *at[unsafe.Pointer](mp, offsets.mG0)
	*at[uintptr](g0, int(rt.g_sched_g)) = uintptr(g0)
	*at[uintptr](g0, offsets.gSched+pc) = reflect.ValueOf(keepThread).Pointer()
	program.stack = *at[uintptr](g0, offsets.gSched+sp)
	program.thread = mp
	program.caller = self
	procUnpin()
}

// keepThread is where the main thread goes on whose goroutine has ended while it was locked to it. It runs on the
// thread's own stack.
//
// The goroutine may have locked the thread because it gave it a state of its own: a namespace, a user, a signal mask.
// No other goroutine may run there, and so the runtime has a program's main thread wait for ever (runtime.mexit). So
// does this one: from now on it belongs to a goroutine that never becomes ready (runtime.schedule, stoplockedm).
//
//go:nosplit
func keepThread() {
	g0 := enter.G()
	mp := *at[unsafe.Pointer](g0, offsets.gM)
	*at[uintptr](g0, offsets.gSched) = program.stack // runtime.gogo has cleared it
	*at[uintptr](mp, offsets.mLockedg) = uintptr(program.caller)
	*at[uintptr](program.caller, offsets.gLockedm) = uintptr(mp)
	funcOf[func()](&rt.schedule)()
}

// unlockThread is runtime.unlockOSThread.
func unlockThread() {
	self := enter.G()
	mp := *at[unsafe.Pointer](self, offsets.gM)
	procPin()
	*at[uint32](mp, offsets.mLockedInt)--
	if *at[uint32](mp, offsets.mLockedInt) == 0 && *at[uint32](mp, offsets.mLockedExt) == 0 {
		*at[uintptr](mp, offsets.mLockedg) = 0
		*at[uintptr](self, offsets.gLockedm) = 0
	}
	procUnpin()
}

//go:linkname procPin sync.runtime_procPin
func procPin() int

//go:linkname procUnpin sync.runtime_procUnpin
func procUnpin()

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

// exitAsProgram makes an uncaught panic exit with 2, as a program's does. In a library the runtime aborts the process,
// which it takes for somebody else's: runtime.setTraceback adds tracebackCrash, and keeps that for what the program
// asks for later by debug.SetTraceback, as package testing does when tests take too long.
func exitAsProgram() {
	if os.Getenv("GOTRACEBACK") != "crash" {
		env, cache := (*uint32)(rt.traceback_env), (*uint32)(rt.traceback_cache)
		*env &^= uint32(rt.traceback_crash)
		atomic.StoreUint32(cache, atomic.LoadUint32(cache)&^uint32(rt.traceback_crash))
	}
}

// awaitMain waits until the host's own runtime.main has returned. It lets callers in from C before it looks whether it
// belongs to a library, and if it found that it doesn't, it would run the host's main, which does nothing, and exit.
func awaitMain() {
	for isFirstAlive() {
		time.Sleep(10 * time.Microsecond)
	}
}

// isFirstAlive tells whether the goroutine that the process began with, which runs runtime.main, has not ended.
func isFirstAlive() bool {
	for _, g := range *(*[]unsafe.Pointer)(rt.allgs) {
		if *(*uint64)(unsafe.Add(g, rt.g_goid)) == 1 {
			return !isDead(atomic.LoadUint32((*uint32)(unsafe.Add(g, rt.g_status))))
		}
	}
	return false
}

// handleSignals gives the process the signal handlers of a Go program, as runtime.initsig does. The runtime of a
// library leaves to its process what tells of no fault of Go's: then SIGQUIT shows no goroutines, and a profiler's late
// SIGPROF kills.
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
//
// The process may have begun with these settings in the environment (lua/goloader/command/program.lua). C's copy of
// that is the user's again, and Go's becomes so here.
func applyGODEBUG() {
	if *(*string)(rt.godebug_default) == "" {
		return
	}
	os.Unsetenv("GOLOADER_GODEBUG")
	name := C.CString("GODEBUG")
	defer C.free(unsafe.Pointer(name))
	value := C.getenv(name)
	os.Setenv("GODEBUG", C.GoString(value))
	if value == nil {
		os.Unsetenv("GODEBUG")
	}
}

// hideCaller makes this goroutine one of the runtime's, which no program looks for or counts: it stands for a thread of
// C's, and has nothing to do any more. Those start in the runtime (runtime.isSystemGoroutine).
func hideCaller(p *C.struct_gl_program) {
	if rt.g_startpc < 0 || p.system_goroutines == nil {
		return
	}
	*(*uintptr)(unsafe.Add(enter.G(), rt.g_startpc)) = uintptr(rt.do_init)
	atomic.AddInt32((*int32)(p.system_goroutines), 1)
}

// goloader_run_main runs a program, as runtime.main does with its own: its init functions, then main.main, on one new
// goroutine that begins on this thread. When main.main returns the process ends, as it does by a panic or by os.Exit.
//
// The call does not return: the goroutine that it runs on waits for ever, and the thread is Go's from now on, like any
// other.
//
//export goloader_run_main
func goloader_run_main(p *C.struct_gl_program) {
	os.Args = nil
	for _, arg := range unsafe.Slice(p.args, p.nargs) {
		os.Args = append(os.Args, C.GoString(arg))
	}
	if len(os.Args) > 0 {
		// the package flag read os.Args before there was a program
		flag.CommandLine.Init(os.Args[0], flag.ExitOnError)
	}
	program.inits.funcs = unsafe.Slice(p.init_funcs, p.ninit_funcs)
	program.inits.tasks = unsafe.Slice(p.init_tasks, p.ninit_tasks)
	program.ready, program.begin = make(chan unsafe.Pointer), make(chan struct{})
	exitAsProgram()
	crash.told.Store(true) // a program's end is its own affair
	hideCaller(p)
	leaveChildren()
	handleSignals()
	applyGODEBUG()
	runtime.KeepAlive(mainHooks)
	go funcOf[func()](&p.main)()
	gp := <-program.ready
	if p.idle_threads > 0 {
		atomic.AddInt32((*int32)(p.system_threads), int32(p.idle_threads))
	}
	lockThread(gp)
	close(program.begin)
	waitForEver()
}

// waitForEver does what select{} does, but for no reason that the runtime knows: a goroutine at a select that nothing
// can end would be in the program's profile of goroutines that leak (runtime/mgc.go, findGoroutineLeaks, since Go
// 1.26).
func waitForEver() {
	const noReason = 0 // runtime.waitReasonZero, runtime.traceBlockGeneric
	funcOf[func(unlock, lock unsafe.Pointer, reason, traced uint8, skip int)](&rt.gopark)(nil, nil, noReason, noReason, 1)
}
