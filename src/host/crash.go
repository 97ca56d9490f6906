package host

/*
#include <stdlib.h>
#include "runtime.h"
*/
import "C"

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	"goloader.dev/host/internal/enter"
)

// A panic in a goroutine that a module has started ends the process, and so do Go's fatal errors. Nobody can prevent
// that, but whoever reads what the runtime prints then shall know that it was a module, and which one.
//
// The runtime prints by runtime.write, which has a hook, overrideWrite (time_nofake.go, in every Go from 1.21 to 1.27).
// At the first word of a dying process (runtime.panicking counts its threads that die) the hook adds a line of its own.
// That is a bad place: it runs on a system stack, perhaps without a P, with locks held. So it allocates nothing but for
// a panic, which is raised by code in good health (gopanic makes sure that it neither allocated just then nor held
// locks), and stores no pointers. What Lua has to do with it C tells: the thread's own stack, which has room for it, is
// the one that it runs on.
var crash struct {
	told     atomic.Bool
	unwinder unsafe.Pointer
}

func watchCrashes() {
	hook := (*func(fd uintptr, p unsafe.Pointer, n int32) int32)(rt.override_write)
	if *hook != nil {
		return // somebody else's
	}
	crash.unwinder = C.calloc(1, C.size_t(rt.unwinder_size))
	*hook = crashWrite
}

//go:nosplit
func crashWrite(fd uintptr, p unsafe.Pointer, n int32) int32 {
	if fd == 2 && atomic.LoadUint32((*uint32)(rt.panicking)) != 0 && !crash.told.Swap(true) {
		tellCrash(n > 0 && *(*byte)(p) == 'p')
	}
	written, _, err := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(p), uintptr(n))
	if err != 0 {
		return -int32(err)
	}
	return int32(written)
}

// tellCrash names the module whose code the goroutine runs that dies, or which has started that.
func tellCrash(isPanic bool) {
	g := enter.G()
	m := *pointerAt(g, rt.g_m)
	dying := *pointerAt(m, rt.m_curg)
	if dying == nil || g != *pointerAt(m, rt.m_g0) {
		return // a signal has hit it: where it is, only the runtime knows
	}
	if !eachFrame(crash.unwinder, dying, func(_ unsafe.Pointer, pc uintptr) bool {
		return tellModule(" in ", pc, isPanic)
	}) {
		tellModule(" by a goroutine started in ", *wordAt(dying, rt.g_gopc), isPanic)
	}
	if setup.tellStack != nil {
		enter.CallC(unsafe.Pointer(setup.tellStack))
	}
}

// tellModule says that it was the code at pc, if that is a module's.
func tellModule(how string, pc uintptr, isPanic bool) bool {
	md := moduleAt(pc)
	if md == nil || md == rt.firstmoduledata {
		return false
	}
	writeError("goloader: module ")
	writeError(*(*string)(unsafe.Add(md, rt.moduledata_modulename)))
	writeError(", which this process has loaded, ends it")
	if isPanic {
		writeError(how)
		// FuncForPC allocates what it says of an inlined function, and names of generic ones are composed. A thread that
		// dies must not allocate: up to Go 1.23 that is a fatal error of its own.
		mallocing := (*int32)(unsafe.Add(*pointerAt(enter.G(), rt.g_m), rt.m_mallocing))
		forbidden := *mallocing
		*mallocing = 0
		writePlace(pc - 1)
		*mallocing = forbidden
	}
	writeError("\n")
	return true
}

func writePlace(pc uintptr) {
	f := runtime.FuncForPC(pc)
	file, line := f.FileLine(pc)
	writeError(f.Name())
	writeError(" (")
	writeError(file)
	writeError(":")
	var digits [20]byte
	i := len(digits)
	for {
		i--
		digits[i] = byte('0' + line%10)
		if line /= 10; line == 0 {
			break
		}
	}
	writeError(unsafe.String(&digits[i], len(digits)-i))
	writeError(")")
}

func writeError(s string) {
	syscall.RawSyscall(syscall.SYS_WRITE, 2, uintptr(unsafe.Pointer(unsafe.StringData(s))), uintptr(len(s)))
}
