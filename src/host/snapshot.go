package host

/*
#include "runtime.h"
*/
import "C"

import (
	"math"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// A walk over a large heap takes longer than anybody may be stopped. So it is made in a copy of the process, by
// clone(2), while the process itself goes on: the world is stopped for as long as the kernel takes to copy the page
// tables (hugepages.go), and once more for a moment when the verdict is there and the module goes.
//
// The copy is a process of one thread, the one that has stopped the world. It runs the same code as is run where no
// copy can be had (judge), and that neither allocates nor waits for anybody; what it finds it writes into memory that
// both share, and exits. It shares the table of open files, so that what its parent closes is closed; it gets no
// signal, and tells nobody of its end: without an exit signal there is no SIGCHLD, and wait(2) does not see it without
// __WALL. Its parent looks for it now and then.
//
// # Why the verdict holds
//
// What nobody can reach in the copy, nobody can reach in the process, now or later: who wants to reach something needs
// a pointer to it, and gets it from something that he reaches already. New objects, goroutines and variables have
// nothing but such pointers. The module's own entries are closed: its functions are called by the Lua state that waits
// here, and by nobody else. That would be all, were it not for what leads to the module and yet is no reason for it to
// stay. For each of those there is a reason why nobody comes in by it between the two stops, or a way to see that
// somebody did:
//
//   - Lua's handles that are dropped, classes and borrowed plans (caches.go): whoever asks for one leaves a mark. With
//     a mark the verdict is void, and in the next attempt what they stand for stays locked until the module has gone.
//   - Entries of type caches are found by a type of the module's, which nobody has. But who looks for a type by its
//     hash or its name passes by others of the same hash or name: reflect.FuncOf, reflect.StructOf, and what walks over
//     the types of all modules. When one of them is under way at the second stop, that stop is made again a moment
//     later.
//   - The same goes for a goroutine that is in the module's code at the second stop, though none should be.
//   - Maps of package unique are found by type as well. The cleanups of its values may be called any time: at the
//     second stop each must be where it was in the copy, or the verdict is void.
//   - Weak pointers lead to objects that nobody reaches otherwise, and finalizers get them: such objects count as
//     reached (keepWeak, keepFinalized).
//   - Call sites that remember the module's types compare them with types, and go on to what nobody has; the table of
//     itabs is changed with the world stopped, and nobody is stopped while he walks over it.
//   - What a frame has in a word that its function won't read any more (stacks.go) stays unread. In frames that were
//     interrupted every word counts.
//
// A collection between the two stops frees what was unreachable in the copy, and its memory may be something else by
// the second stop. So nothing is then taken from the copy by address that may have been freed: handles have numbers
// that tell whether they are still the same, a note of a cleanup is looked for in its span's list, a span's type is
// forgotten if it is one that goes, and entries of caches, which nobody else takes out, are compared with those that
// are there. Itabs are in memory that is never given back, modules come and go under the lock that is held here.

// A verdict is what a copy of the process says, in memory shared with the process itself.
type verdict struct {
	isThere   uint32
	result    int
	constants bool
	count     uintptr
	memory    memory // its piles, which lie behind this
	user      holder
	runner    runner
}

// What a walk costs, measured: an object that is reached, a goroutine; and how long the world may be stopped rather
// than be copied, in ns. How many objects are reached nobody knows beforehand but from the last walk: of a heap of a
// few megabytes, most of which may be garbage, that counts, and a larger one is taken to have as many as it can.
const (
	objectCost, goroutineCost = 60, 1700
	worthSnapshot             = 1000000
	mayBeGarbage              = 5 << 20
)

// lastReached is how many objects the last walk has reached.
var lastReached uintptr

func (a *attempt) snapshotIsBetter() bool {
	if a.r.prove == C.GL_PROVE_NOTHING || a.r.where == C.GL_WHERE_STOPPED {
		return false
	}
	heap := atomic.LoadUintptr((*uintptr)(rt.pages_in_use)) << uint(rt.page_shift)
	return a.r.where == C.GL_WHERE_SNAPSHOT || heap > mayBeGarbage ||
		lastReached*objectCost+uintptr(runtime.NumGoroutine())*goroutineCost > worthSnapshot
}

// stopWorld runs f with the world stopped, and takes the time.
func (a *attempt) stopWorld(f func()) bool {
	began := time.Now()
	ok := withWorldStopped(f)
	a.r.pause_ns = max(a.r.pause_ns, C.uint64_t(time.Since(began)))
	return ok
}

// makeBySnapshot has a copy of the process find out whether the modules may go, and takes them out of the runtime.
func (a *attempt) makeBySnapshot() int {
	tries := 1000
	for {
		result := a.trySnapshot()
		switch {
		case result != again && result != stillWalks:
			return result
		case tries == 0:
			return noSnapshot
		}
		if tries--; result == stillWalks {
			time.Sleep(time.Duration(tries%16) * 10 * time.Microsecond)
		}
	}
}

// tables are what must not change while it is looked at: handles, classes, caches.
type tables struct {
	*caches
	areLocked bool
}

func (a *attempt) lockTables() *tables {
	handles.Lock()
	return &tables{openCaches(a.going), true}
}

func (ts *tables) unlock() {
	if ts.areLocked {
		ts.areLocked = false
		ts.caches.unlock()
		handles.Unlock()
	}
}

func (a *attempt) trySnapshot() int {
	ts := a.lockTables()
	defer func() { ts.unlock() }()
	forgetUses()
	t := a.newTracer(ts.caches)
	if t == nil {
		return noMemory
	}
	defer t.free()
	pid, ok := a.clone(t)
	if !ok {
		return noSnapshot
	}
	if !a.locked {
		ts.unlock()
	}
	if !awaitCopy(pid, t.verdict) {
		return noSnapshot
	}
	v := t.verdict
	t.memory, t.constants, t.count = v.memory, v.constants, v.count
	a.user, a.runner = v.user, v.runner
	if v.result == again {
		a.learn(t)
	}
	if v.result != retired && v.result != stillUsed {
		return v.result
	}
	lastReached = t.count
	if !ts.areLocked {
		ts = a.lockTables()
	}
	if v.result == stillUsed {
		a.hops = append([]hop(nil), t.hops.all...)
		return a.nameUser()
	}
	if !a.locked && (ts.used || haveBeenUsed(t.drops.all)) {
		a.locked = true
		a.r.voided++
		return again
	}
	return a.commitVerdict(t, ts)
}

// nameUser completes what is known of who refers to the module. handles is locked.
func (a *attempt) nameUser() int {
	isOnHeap := funcOf[func(uintptr) unsafe.Pointer](&rt.span_of_heap)(uintptr(a.user.typ)) != nil
	if isOnHeap {
		a.user.typ = nil // a type made at run time, which perhaps is none any more
	}
	if a.user.kind != C.GL_HOLDER_HANDLE {
		return stillUsed
	}
	h := &handles.all[a.user.handle]
	if h.kind == heldNothing || h.kind == heldDropped || h.gen != a.user.gen {
		return again // released since
	}
	a.user.name = strings.Clone(h.name())
	return stillUsed
}

// commitVerdict stops the world for the second time, and takes out what may go.
func (a *attempt) commitVerdict(t *tracer, ts *tables) (result int) {
	names := map[int]string{}
	for _, d := range t.drops.all {
		if h := &handles.all[d.i]; h.gen == d.gen {
			names[d.i] = strings.Clone(h.name())
		}
	}
	assertions := a.assertions()
	result = stillWalks
	for tries := 1000; result == stillWalks && tries > 0; tries-- {
		if !a.stopWorld(func() { result = a.commitIfStill(t, assertions) }) {
			result = cantStop
		}
		if result == stillWalks {
			time.Sleep(time.Duration(tries%16) * 10 * time.Microsecond)
		}
	}
	ts.retired = result == retired
	ts.caches.unlock()
	switch result {
	case again:
		a.learn(t)
	case retired:
		a.forget(t, ts.caches, t.drops.all, names)
	}
	return result
}

// commitIfStill looks whether anything is under way that makes the verdict void. The world is stopped.
func (a *attempt) commitIfStill(t *tracer, assertions [][2]unsafe.Pointer) int {
	if eachGoroutine(a.self, func(g unsafe.Pointer, _ uint64) bool {
		return !isIdle(g) && eachFrame(a.unwinder, g, func(_ unsafe.Pointer, pc uintptr) bool {
			return walkers.run(pc) || a.going.run(pc)
		})
	}) {
		return stillWalks
	}
	for _, c := range t.cleanups.all {
		if !c.isThere() || !dropCleanup(a.going, c.note) {
			return again
		}
	}
	return a.commit(t, assertions)
}

// isIdle tells of a goroutine that it is in a call which does nothing but wait: not in the midst of something.
func isIdle(g unsafe.Pointer) bool {
	status := C.int32_t(atomic.LoadUint32((*uint32)(unsafe.Add(g, rt.g_status))))
	reason := *(*uint8)(unsafe.Add(g, rt.g_waitreason))
	return status&^rt.status_scan == rt.status_waiting && uint64(rt.idle_reasons)>>reason&1 != 0
}

// ---- the copy ---------------------------------------------------------------------------------------------------

// clone makes the copy and has it find out.
func (a *attempt) clone(t *tracer) (pid int, ok bool) {
	assertions := a.assertions()
	joinPages()
	for tries := 0; pid == 0; tries++ {
		growStack()
		lookAtPages()
		sweep(math.MaxInt) // as much as possible while the world still runs
		var errno syscall.Errno
		if !a.stopWorld(func() {
			const few = 256
			if sweep(few) || tries > 8 && sweep(math.MaxInt) {
				growStack()
				pid, errno = cloneProcess()
				if pid == 0 && errno == 0 {
					a.judgeInCopy(t, assertions)
				}
			}
		}) || errno != 0 {
			return 0, false
		}
	}
	return pid, true
}

// judgeInCopy is what the copy does; it does not return. Whatever goes wrong here ends the copy without a verdict.
func (a *attempt) judgeInCopy(t *tracer, assertions [][2]unsafe.Pointer) {
	const setDeathSignal, setDumpable = 1, 4 // PR_SET_PDEATHSIG, PR_SET_DUMPABLE
	syscall.RawSyscall6(syscall.SYS_PRCTL, setDeathSignal, uintptr(syscall.SIGKILL), 0, 0, 0, 0)
	syscall.RawSyscall6(syscall.SYS_PRCTL, setDumpable, 0, 0, 0, 0, 0)
	v := t.verdict
	v.result = a.judge(t, assertions)
	v.memory, v.constants, v.count = t.memory, t.constants, t.count
	v.user, v.runner = a.user, a.runner
	atomic.StoreUint32(&v.isThere, 1)
	for {
		syscall.RawSyscall6(syscall.SYS_EXIT_GROUP, 0, 0, 0, 0, 0, 0)
	}
}

// growStack sees to it that the copy's stack is large enough: it should not need a larger one, which is made under
// locks that threads may hold which are not in the copy.
//
//go:noinline
func growStack() {
	var room [96 << 10]byte
	touch(&room)
}

//go:noinline
func touch(room *[96 << 10]byte) { room[0], room[len(room)-1] = 1, 1 }

// cloneProcess is fork(2) without a signal at the copy's end, and with the same open files. Signals are blocked in the
// copy, and here until it is there. It must not grow the stack: both go on with what is on it.
func cloneProcess() (pid int, errno syscall.Errno) {
	all, before := ^uint64(0), uint64(0)
	setSignalMask(&all, &before)
	id, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, syscall.CLONE_FILES|syscall.CLONE_FS, 0, 0, 0, 0, 0)
	if id != 0 || errno != 0 {
		setSignalMask(&before, nil)
	}
	return int(id), errno
}

func setSignalMask(mask, before *uint64) {
	const set = 2 // SIG_SETMASK
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, set, uintptr(unsafe.Pointer(mask)), uintptr(unsafe.Pointer(before)),
		unsafe.Sizeof(*mask), 0, 0)
}

// awaitCopy waits until the copy has ended; false: without a verdict. It does so by looking now and then: a thread that
// waits in the kernel would be one more. A copy that takes many times as long as any should is given up.
func awaitCopy(pid int, v *verdict) bool {
	heap := atomic.LoadUintptr((*uintptr)(rt.pages_in_use)) << uint(rt.page_shift)
	longest := time.Minute * time.Duration(2+heap>>30)
	began := time.Now()
	pause := 50 * time.Microsecond
	for {
		var status uint32
		id, _, errno := syscall.RawSyscall6(syscall.SYS_WAIT4, uintptr(pid), uintptr(unsafe.Pointer(&status)),
			syscall.WNOHANG|syscall.WALL, 0, 0, 0)
		if int(id) == pid || errno == syscall.ECHILD {
			return atomic.LoadUint32(&v.isThere) != 0
		}
		if time.Since(began) > longest {
			syscall.RawSyscall6(syscall.SYS_KILL, uintptr(pid), uintptr(syscall.SIGKILL), 0, 0, 0, 0)
		}
		time.Sleep(pause)
		pause = min(pause+pause/4, 2*time.Millisecond)
	}
}
