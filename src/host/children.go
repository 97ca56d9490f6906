package host

/*
#include "runtime.h"
#include "children.h"
*/
import "C"

import (
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	"goloader.dev/host/internal/enter"
)

// Children of Go's in a process that is not: see children.h. The C half has the host's syscall.Syscall6 and
// syscall.runtime_AfterForkInChild jump to the functions here (goloader_children). Everything that waits for a child,
// os/exec, os and golang.org/x/sys/unix in any of their versions, does so by the former, and every child of theirs runs
// the latter before it becomes another program.

var (
	children      *C.struct_gl_children
	clearHandlers func() // runtime.clearSignalHandlers
	childHooks    [2]unsafe.Pointer
	mOfG          uintptr // offsets, in bytes
	sigmaskOfM    uintptr
	onlyHere      uint64 // signals, by bits, that Go's threads block and children of the process do not
	inForkedChild *bool  // runtime.inForkedChild
	pidfdWorks    func() error
)

// goloader_children is told of the table. It answers with the addresses of what replaces syscall.Syscall6 and
// syscall.runtime_AfterForkInChild.
//
//export goloader_children
func goloader_children(table *C.struct_gl_children, replacements *C.uintptr_t) {
	children = table
	childHooks[0] = rt.clear_signal_handlers
	clearHandlers = funcOf[func()](&childHooks[0])
	mOfG, sigmaskOfM = uintptr(rt.g_m), uintptr(rt.m_sigmask)
	onlyHere = uint64(children.left_alone) &^ neverBlocked()
	inForkedChild = (*bool)(rt.in_forked_child)
	runtime.KeepAlive(keptForChildren)
	if rt.check_pidfd != nil {
		check := (*func() error)(rt.check_pidfd)
		pidfdWorks = *check
		*check = checkPidfd
	}
	if isIgnored(syscall.SIGPIPE) {
		// Go would let the process die where it writes to a broken standard output
		signalIgnore(uint32(syscall.SIGPIPE))
	}
	by := unsafe.Slice(replacements, 2)
	by[0], by[1] = C.uintptr_t(codeOf(syscall6)), C.uintptr_t(codeOf(afterForkInChild))
}

// What starts programs is in every host: what a module brings of it would not be replaced.
var keptForChildren = [...]any{os.StartProcess, syscall.ForkExec}

// codeOf returns where a function's code begins.
func codeOf[F any](f F) uintptr {
	return **(**uintptr)(unsafe.Pointer(&f))
}

//go:linkname signalIgnore os/signal.signal_ignore
func signalIgnore(sig uint32)

//go:linkname signalEnable os/signal.signal_enable
func signalEnable(sig uint32)

//go:linkname signalDisable os/signal.signal_disable
func signalDisable(sig uint32)

//go:linkname isSignalIgnored os/signal.signal_ignored
func isSignalIgnored(sig uint32) bool

func isIgnored(sig syscall.Signal) bool {
	const ignored = 1 // SIG_IGN
	return (*[65]uintptr)(rt.fwd_sig)[sig] == ignored
}

const sigUnblock = 128 // runtime._SigUnblock

// sigtable is runtime.sigtable.
func sigtable() *[65]struct {
	flags int32
	name  string
} {
	return (*[65]struct {
		flags int32
		name  string
	})(rt.sigtable)
}

// neverBlocked has the bits of the signals that the runtime lets no thread of Go's block, whatever was blocked where it
// started (runtime.minitSignalMask).
func neverBlocked() (mask uint64) {
	for sig := 1; sig < len(sigtable()); sig++ {
		if sigtable()[sig].flags&sigUnblock != 0 {
			mask |= 1 << (sig - 1)
		}
	}
	return mask
}

// leaveChildren makes them what a program's are that is Go's from its first instruction on.
func leaveChildren() {
	if children == nil {
		return
	}
	sigtable()[syscall.SIGCHLD].flags |= sigUnblock // see early.c
	*(*uint64)(rt.init_sigmask) &^= uint64(children.left_alone)
	if isSignalIgnored(uint32(syscall.SIGPIPE)) {
		signalEnable(uint32(syscall.SIGPIPE))
		signalDisable(uint32(syscall.SIGPIPE))
	}
}

// checkPidfd is asked by package os whether file descriptors can stand for processes. They do not tell which process it
// was that has been reaped: where somebody may do that, os has to go by numbers.
func checkPidfd() error {
	if atomic.LoadUint32((*uint32)(&children.is_watched)) != 0 {
		return syscall.ENOSYS
	}
	return pidfdWorks()
}

//go:linkname entersyscall runtime.entersyscall
func entersyscall()

//go:linkname leavesyscall runtime.exitsyscall
func leavesyscall()

// syscall6 is syscall.Syscall6, with another end to waiting for a child that somebody has reaped. What its arguments
// point to may be on the stack, which therefore must not grow.
//
//go:nosplit
func syscall6(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err syscall.Errno) {
	entersyscall()
	r1, r2, err = syscall.RawSyscall6(trap, a1, a2, a3, a4, a5, a6)
	switch {
	case trap == syscall.SYS_WAIT4:
		r1, err = waited4(r1, err, a1, a2, a4)
	case trap == syscall.SYS_WAITID:
		err = waitedID(err, a1, a2, a3, a4, a5)
	}
	leavesyscall()
	return
}

// waited4 makes up for what wait4(pid, status, options, usage) lacks, which has returned r1 and err.
//
//go:nosplit
func waited4(r1 uintptr, err syscall.Errno, pid, status, usage uintptr) (uintptr, syscall.Errno) {
	switch {
	case err == syscall.ECHILD && int32(pid) > 0:
		i := reapedChild(int32(pid))
		if i < 0 {
			break
		}
		if status != 0 {
			*(*int32)(pointer(status)) = int32(children.status[i])
		}
		giveUsage(i, usage)
		setState(i, C.GL_CHILD_FREE)
		return pid, 0
	case err == 0 && int32(r1) > 0 && status != 0:
		if *(*int32)(pointer(status))&0x7f != 0x7f { // not stopped, and not continued
			forgetChild(int32(r1))
		}
	}
	return r1, err
}

// Where waitid(2) puts things: a siginfo_t's fields.
const (
	infoSigno  = 0
	infoCode   = 8
	infoPid    = 16
	infoStatus = 24
)

// waitedID makes up for what waitid(kind, id, info, options, usage) lacks, which has returned err.
//
//go:nosplit
func waitedID(err syscall.Errno, kind, id, info, options, usage uintptr) syscall.Errno {
	const byPid, exited, stopped = 1, 1, 4 // P_PID; CLD_EXITED, the first of those that end it; CLD_TRAPPED
	switch {
	case err == syscall.ECHILD && kind == byPid:
		i := reapedChild(int32(id))
		if i < 0 {
			break
		}
		if info != 0 {
			giveInfo(i, pointer(info))
		}
		giveUsage(i, usage)
		if options&syscall.WNOWAIT == 0 {
			setState(i, C.GL_CHILD_FREE)
		}
		return 0
	case err == 0 && info != 0 && options&syscall.WNOWAIT == 0:
		p := pointer(info)
		code := *(*int32)(unsafe.Add(p, infoCode))
		if pid := *(*int32)(unsafe.Add(p, infoPid)); pid > 0 && code >= exited && code < stopped {
			forgetChild(pid)
		}
	}
	return err
}

//go:nosplit
func giveInfo(i int, info unsafe.Pointer) {
	const exited, killed, dumped = 1, 2, 3 // CLD_EXITED, …
	status := int32(children.status[i])
	code, value := int32(exited), status>>8&0xff
	if signal := status & 0x7f; signal != 0 {
		code, value = killed, signal
		if status&0x80 != 0 {
			code = dumped
		}
	}
	*(*int32)(unsafe.Add(info, infoSigno)) = int32(syscall.SIGCHLD)
	*(*int32)(unsafe.Add(info, infoCode)) = code
	*(*int32)(unsafe.Add(info, infoPid)) = int32(children.pid[i])
	*(*int32)(unsafe.Add(info, infoStatus)) = value
}

//go:nosplit
func giveUsage(i int, usage uintptr) {
	if usage != 0 {
		*(*C.struct_rusage)(pointer(usage)) = children.usage[i]
	}
}

// pointer is what a system call's argument points to.
//
//go:nosplit
func pointer(p uintptr) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&p))
}

// ---- the table ---------------------------------------------------------------------------------------------------

//go:nosplit
func stateOf(i int) int32 {
	return atomic.LoadInt32((*int32)(&children.state[i]))
}

//go:nosplit
func setState(i int, state int32) {
	atomic.StoreInt32((*int32)(&children.state[i]), state)
}

//go:nosplit
func findChild(pid, state int32) int {
	for i := 0; i < C.GL_CHILDREN; i++ {
		if stateOf(i) == state && int32(children.pid[i]) == pid {
			return i
		}
	}
	return -1
}

// reapedChild returns the place of a child that somebody else has reaped, -1 where nobody has. Who reaps is between his
// system call and the note that he takes of it for a moment.
//
//go:nosplit
func reapedChild(pid int32) int {
	for patience := 0; patience < 1000; patience++ {
		reapers := atomic.LoadUint32((*uint32)(&children.reapers))
		if i := findChild(pid, C.GL_CHILD_REAPED); i >= 0 {
			return i
		}
		if reapers == 0 {
			return -1
		}
		pause := [2]int64{0, 1e6}
		syscall.RawSyscall6(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&pause)), 0, 0, 0, 0, 0)
	}
	return -1
}

// forgetChild is called when Go has waited for one itself.
//
//go:nosplit
func forgetChild(pid int32) {
	if i := findChild(pid, C.GL_CHILD_LIVES); i >= 0 {
		setState(i, C.GL_CHILD_FREE)
	}
}

// noteChild makes an entry. Where all are taken, one that nobody has asked for gives way.
//
//go:nosplit
func noteChild(pid int32) {
	for state := int32(C.GL_CHILD_LIVES); state <= C.GL_CHILD_REAPED; state++ {
		if i := findChild(pid, state); i >= 0 {
			setState(i, C.GL_CHILD_FREE) // that of an earlier one, whose number this one has
		}
	}
	for _, wanted := range [...]int32{C.GL_CHILD_FREE, C.GL_CHILD_REAPED} {
		for i := 0; i < C.GL_CHILDREN; i++ {
			if stateOf(i) == wanted &&
				atomic.CompareAndSwapInt32((*int32)(&children.state[i]), wanted, C.GL_CHILD_TAKEN) {
				children.pid[i] = C.int32_t(pid)
				setState(i, C.GL_CHILD_LIVES)
				return
			}
		}
	}
}

// afterForkInChild is syscall.runtime_AfterForkInChild, in a child that shares its parent's memory and the stack of the
// goroutine that started it. That waits until the child is another program.
//
//go:nosplit
//go:norace
func afterForkInChild() {
	*inForkedChild = true
	clearHandlers()
	m := *(*unsafe.Pointer)(unsafe.Add(enter.G(), mOfG))
	// A program begins with the signals blocked that its parent blocks, less those that only Go's threads do.
	mask := *(*uint64)(unsafe.Add(m, sigmaskOfM))
	if mask&onlyHere == onlyHere {
		mask &^= onlyHere
	}
	mask &^= 1 << (syscall.SIGCHLD - 1)
	const setMask = 2 // SIG_SETMASK
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, setMask, uintptr(unsafe.Pointer(&mask)), 0, unsafe.Sizeof(mask), 0, 0)
	pid, _, _ := syscall.RawSyscall6(syscall.SYS_GETPID, 0, 0, 0, 0, 0, 0)
	noteChild(int32(pid))
	*inForkedChild = false
}
