package host

/*
#include <stdlib.h>
#include "runtime.h"
*/
import "C"

import (
	"encoding/binary"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"goloader.dev/host/internal/enter"
)

// Unloading by force is for a module that something still refers to, and which nobody is to begin anything in any more.
// Its memory can't go: a type that somebody has is read by the collector, by tracebacks, by whoever prints it. So that
// stays, and all that is in it, until it is proven that it can go. What goes at once are its functions. Each begins,
// from then on, with a jump to one that panics: a held closure, a method of a value in an interface, a timer's
// function, a finalizer that is called fails at the call, as a call of a nil function does, and says why. What had
// begun goes on in the old code until it calls a function of the module's, or comes back to a function's beginning:
// when its stack grows.
//
// The jump is written while the world is stopped, over instructions of which no goroutine is in the middle.

// closed has the names of modules that were unloaded by force: the first n. Behind those may be the name of one that
// is about to be. n is raised to include it while the world is stopped for writing the jumps, so that whoever runs
// into a jump finds the name, and nobody is told the name of a module that is still whole.
var closed struct {
	sync.Mutex
	names []string
	n     atomic.Int32
}

// A closedError is what calls of functions panic with whose module was unloaded by force.
type closedError string

func (e closedError) Error() string { return string(e) }

// RuntimeError is what errors of the runtime's have: this stands beside a call of a nil function.
func (e closedError) RuntimeError() {}

var _ runtime.Error = closedError("")

func init() { enter.Closed = panicClosed }

// panicClosed is where the jumps lead. The function that was called is not known here, nor which module's it was: all
// that were unloaded by force are named.
func panicClosed() {
	closed.Lock()
	names := strings.Join(closed.names[:closed.n.Load()], " or ")
	closed.Unlock()
	panic(closedError("call of a function of module " + names + ", which was unloaded by force"))
}

// The jump: its operation, and the distance from its end.
const jump, jumpSize = 0xe9, 5

// goloader_close has nobody begin a function of some modules any more. It answers 0; 1 where a goroutine does not leave
// the beginning of a function; -1 where that can't be done.
//
//export goloader_close
func goloader_close(ps *C.struct_gl_part, n C.size_t, name *C.char) C.int {
	if runtime.GOARCH != "amd64" {
		return -1
	}
	modules.Lock()
	defer modules.Unlock()
	going := parts(unsafe.Slice(ps, n))
	unwinder := C.calloc(1, C.size_t(rt.unwinder_size))
	defer C.free(unwinder)
	all := announceClosed(C.GoString(name))
	defer forgetAnnounced()
	self := goid()
	for tries := 1000; tries > 0; tries-- {
		isDone, ok := false, true
		if !withWorldStopped(func() {
			if !beginsAnywhere(going, self, unwinder) {
				isDone = true
				if ok = going.close(enter.ClosedCode()); ok {
					closed.n.Store(all)
				}
			}
		}) || !ok {
			return -1
		}
		if isDone {
			return 0
		}
		time.Sleep(100 * time.Microsecond)
	}
	return 1
}

// announceClosed puts a name behind those of modules that were closed, if it isn't there, and says how many they all
// are.
func announceClosed(name string) int32 {
	closed.Lock()
	defer closed.Unlock()
	if !slices.Contains(closed.names, name) {
		closed.names = append(closed.names, name)
	}
	return int32(len(closed.names))
}

// forgetAnnounced takes it away again where its module was not closed.
func forgetAnnounced() {
	closed.Lock()
	defer closed.Unlock()
	closed.names = closed.names[:closed.n.Load()]
}

// beginsAnywhere tells whether a goroutine was interrupted in the middle of what the jump will be written over.
func beginsAnywhere(going parts, self uint64, unwinder unsafe.Pointer) bool {
	return eachGoroutine(self, func(g unsafe.Pointer, _ uint64) bool {
		return eachFrame(unwinder, g, func(_ unsafe.Pointer, pc uintptr) bool {
			for i := range going {
				p := &going[i]
				if pc < uintptr(p.text) || uintptr(p.etext) <= pc {
					continue
				}
				n, _ := functionAt(p.moduledata, pc)
				if n < 0 {
					return false
				}
				entry := *wordAt(p.moduledata, rt.moduledata_text) + uintptr(functab(p.moduledata)[n].entryoff)
				return entry < pc && pc < entry+jumpSize
			}
			return false
		})
	})
}

// close writes the jumps, or none where some code can't be written to. The world is stopped.
func (ps parts) close(to uintptr) bool {
	for i := range ps {
		if !protectCode(&ps[i], syscall.PROT_READ|syscall.PROT_WRITE) {
			for k := range ps[:i] {
				protectCode(&ps[k], syscall.PROT_READ|syscall.PROT_EXEC)
			}
			return false
		}
	}
	for i := range ps {
		writeJumps(&ps[i], to)
	}
	// This joins what the kernel has split: it takes no memory that there might be too little of.
	for i := range ps {
		protectCode(&ps[i], syscall.PROT_READ|syscall.PROT_EXEC)
	}
	return true
}

func protectCode(p *C.struct_gl_part, how uintptr) bool {
	if p.text == p.etext {
		return true
	}
	_, _, errno := syscall.RawSyscall(syscall.SYS_MPROTECT, uintptr(p.low), uintptr(p.rodata)-uintptr(p.low), how)
	return errno == 0
}

func writeJumps(p *C.struct_gl_part, to uintptr) {
	if p.text == p.etext {
		return
	}
	table, text := functab(p.moduledata), *wordAt(p.moduledata, rt.moduledata_text)
	for k := 0; k < len(table)-1; k++ {
		entry := text + uintptr(table[k].entryoff)
		distance := int64(to) - int64(entry+jumpSize)
		if table[k+1].entryoff-table[k].entryoff < jumpSize || distance != int64(int32(distance)) {
			continue
		}
		code := unsafe.Slice((*byte)(pointerTo(entry)), jumpSize)
		code[0] = jump
		binary.LittleEndian.PutUint32(code[1:], uint32(int32(distance)))
	}
}
