package host

/*
#include <stdlib.h>
#include "call.h"
#include "enter.h"
#include "job.h"
#include "many.h"
*/
import "C"

import (
	"math"
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"

	"goloader.dev/host/internal/enter"
)

// The short way into Go: see enter.h, and internal/enter/cross.go for the half of it that changes stacks. This half is
// what runtime.cgocallbackg does (cgocall.go), less what is of no use to a callee that catches its panics on a thread
// that has been in Go before.

// offsets of fields, in bytes; those that this Go lacks are negative.
var offsets struct {
	gM, gSyscallsp, gSyscallpc, gSyscallbp, gLockedm           int
	mIncgo, mIsextra, mIsExtraInC, mNcgo, mLockedInt, mLockedg int
	mLockedExt, mG0, gSched                                    int
	mP, mOldp, mSyscalltick, pSchedtick, pSyscalltick          int
}

var (
	exitsyscall    func()
	reentersyscall func(pc, sp, bp uintptr) // up to Go 1.22 it takes no bp, and does not look at its register
	enterCode      [2]unsafe.Pointer
)

//export goloader_enter_setup
func goloader_enter_setup(s *C.struct_gl_enter_setup) {
	enterCode = [2]unsafe.Pointer{s.exitsyscall, s.reentersyscall}
	exitsyscall = funcOf[func()](&enterCode[0])
	reentersyscall = funcOf[func(pc, sp, bp uintptr)](&enterCode[1])
	offsets.gM, offsets.gLockedm = int(s.g_m), int(s.g_lockedm)
	offsets.gSyscallsp, offsets.gSyscallpc, offsets.gSyscallbp = int(s.g_syscallsp), int(s.g_syscallpc), int(s.g_syscallbp)
	offsets.mIncgo, offsets.mIsextra, offsets.mIsExtraInC = int(s.m_incgo), int(s.m_isextra), int(s.m_is_extra_in_c)
	offsets.mNcgo, offsets.mLockedg = int(s.m_ncgo), int(s.m_lockedg)
	offsets.mLockedInt, offsets.mLockedExt = int(s.m_locked_int), int(s.m_locked_ext)
	offsets.mG0, offsets.gSched = int(s.m_g0), int(s.g_sched)
	offsets.mP, offsets.mOldp, offsets.mSyscalltick = int(s.m_p), int(s.m_oldp), int(s.m_syscalltick)
	offsets.pSchedtick, offsets.pSyscalltick = int(s.p_schedtick), int(s.p_syscalltick)
	enter.SetUp(uintptr(s.g_m), uintptr(s.g_stack), uintptr(s.g_sched), uintptr(s.m_g0), uintptr(s.m_curg),
		reflect.ValueOf(crossed).UnsafePointer())
	s.enter = (*[0]byte)(enter.FromC())
	s.forked = (*C.uint8_t)(unsafe.Pointer(enter.Forked()))
	s.call, s.call_fast, s.many = funcValue(enterCall), funcValue(enterCallFast), funcValue(enterMany)
	s.handle, s.job_start = funcValue(enterHandle), funcValue(enterJobStart)
	s.ffi[C.GL_FFI_ANY], s.ffi[C.GL_FFI_WORDS] = funcValue(ffiAny), funcValue(ffiWords)
	s.ffi[C.GL_FFI_TEXT] = funcValue(ffiText)
	s.ffi[C.GL_FFI_READ], s.ffi[C.GL_FFI_WRITE] = funcValue(ffiRead), funcValue(ffiWrite)
	s.ffi[C.GL_FFI_INTEGRAL], s.ffi_many = funcValue(ffiIntegral), funcValue(ffiMany)
}

// funcValue returns what the value of a function is: a pointer to something that never moves.
func funcValue(f func(unsafe.Pointer)) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&f))
}

func at[T any](base unsafe.Pointer, offset int) *T {
	return (*T)(unsafe.Add(base, offset))
}

// crossed lets the goroutine gp of a thread that comes from C run f, which must not panic. Up to exitsyscall, and from
// reentersyscall on, its stack can't grow and it can't be preempted.
//
//go:nosplit
func crossed(arg unsafe.Pointer, f func(unsafe.Pointer), gp unsafe.Pointer) {
	mp := *at[unsafe.Pointer](gp, offsets.gM)
	// Pointers into the stack, which may move while f runs
	sp := *at[unsafe.Pointer](gp, offsets.gSyscallsp)
	pc := *at[uintptr](gp, offsets.gSyscallpc)
	var bp unsafe.Pointer
	if offsets.gSyscallbp >= 0 {
		bp = *at[unsafe.Pointer](gp, offsets.gSyscallbp)
	}
	// C's frames lie on this thread's stack: the goroutine has to come back to it (runtime.lockOSThread). That of an
	// extra thread belongs to it for ever, and may stay locked.
	isExtra := *at[bool](mp, offsets.mIsextra)
	if !isExtra || *at[uint32](mp, offsets.mLockedInt) == 0 {
		*at[uint32](mp, offsets.mLockedInt)++
		*at[uintptr](mp, offsets.mLockedg) = uintptr(gp)
		*at[uintptr](gp, offsets.gLockedm) = uintptr(mp)
	}
	*at[bool](mp, offsets.mIncgo) = false
	isExtra = isExtra && offsets.mIsExtraInC >= 0
	if isExtra {
		*at[bool](mp, offsets.mIsExtraInC) = false
	}
	lost := hasLostP(mp)
	exitsyscall()
	beginSlice(mp, lost)

	raceBegin()
	f(arg)
	raceEnd()

	reentersyscall(pc, uintptr(sp), uintptr(bp))
	*at[bool](mp, offsets.mIncgo) = true
	if isExtra && *at[int32](mp, offsets.mNcgo) == 0 {
		*at[bool](mp, offsets.mIsExtraInC) = true
	}
	if *at[bool](mp, offsets.mIsextra) {
		return
	}
	*at[uint32](mp, offsets.mLockedInt)--
	if *at[uint32](mp, offsets.mLockedInt) == 0 && *at[uint32](mp, offsets.mLockedExt) == 0 {
		*at[uintptr](mp, offsets.mLockedg) = 0
		*at[uintptr](gp, offsets.gLockedm) = 0
	}
}

// Between two calls the thread is in a system call, as the runtime sees it, and its P stays wired to it until sysmon
// takes it (runtime.retake). Sysmon does that at once where the P has run in one time slice, p.schedtick, for ten
// milliseconds; and no call from C begins a new slice. A thread that calls a thousand times a second would lose its P
// after each call, and with it the last one that isn't idle, so that sysmon goes to sleep. To get a P again costs locks
// and waking sysmon: four switches of threads a call, and more time than most calls take. So each call begins a slice.
// Where calls are rare the P is left to sysmon as ever: to keep it for the ten milliseconds that retake grants would
// have sysmon look some sixty times.

// rare is how many nanoseconds apart calls are that find their P lost, and needn't find it the next time.
const rare = 10_000_000

// lastLost is when a call has found its P lost, in the runtime's nanoseconds.
var lastLost int64

//go:linkname nanotime runtime.nanotime
func nanotime() int64

// hasLostP tells whether sysmon has taken the P of a thread that is in a system call.
//
//go:nosplit
func hasLostP(mp unsafe.Pointer) bool {
	p := *at[unsafe.Pointer](mp, offsets.mOldp)
	return p == nil || *at[uint32](p, offsets.pSyscalltick) != *at[uint32](mp, offsets.mSyscalltick)
}

//go:nosplit
func beginSlice(mp unsafe.Pointer, lost bool) {
	if lost {
		now := nanotime()
		before := atomic.SwapInt64(&lastLost, now)
		if now-before > rare {
			return
		}
	}
	*at[uint32](*at[unsafe.Pointer](mp, offsets.mP), offsets.pSchedtick)++
}

func enterCall(p unsafe.Pointer)     { goloader_call((*C.struct_gl_call)(p)) }
func enterMany(p unsafe.Pointer)     { goloader_many((*C.struct_gl_many)(p)) }
func enterHandle(p unsafe.Pointer)   { goloader_handle((*C.struct_gl_handle_op)(p)) }
func enterJobStart(p unsafe.Pointer) { goloader_job_start((*C.struct_gl_job)(p)) }
func enterCallFast(p unsafe.Pointer) { goloader_call_fast((*C.struct_gl_fast_call)(p)) }

// ---- calls by FFI -----------------------------------------------------------------------------------------------

// What a function returned must stay while Lua takes it: a string's bytes, for one. A pin keeps it till the next call.
type pin struct {
	results *[C.GL_FFI_RESULTS]unsafe.Pointer
	busy    *C.uint32_t // the call's: Lua is taking them, or asks for others; nil: nobody uses the pin
}

var pins struct {
	sync.Mutex
	all  []pin
	free []int
}

// goloader_ffi_pin makes a pin for a call whose busy is there as long as the pin.
//
//export goloader_ffi_pin
func goloader_ffi_pin(busy *C.uint32_t) C.uint64_t {
	pins.Lock()
	defer pins.Unlock()
	var p *pin
	if n := len(pins.free); n > 0 {
		p = &pins.all[pins.free[n-1]]
		pins.free = pins.free[:n-1]
	} else {
		pins.all = append(pins.all, pin{results: new([C.GL_FFI_RESULTS]unsafe.Pointer)})
		p = &pins.all[len(pins.all)-1]
	}
	p.busy = busy
	return C.uint64_t(uintptr(unsafe.Pointer(p.results)))
}

//export goloader_ffi_unpin
func goloader_ffi_unpin(at C.uint64_t) {
	pins.Lock()
	defer pins.Unlock()
	for i, p := range pins.all {
		if C.uint64_t(uintptr(unsafe.Pointer(p.results))) == at {
			*p.results = [C.GL_FFI_RESULTS]unsafe.Pointer{}
			pins.all[i].busy = nil
			pins.free = append(pins.free, i)
			return
		}
	}
}

// dropPins lets go of results in memory that is to go, which Lua has taken: a slice of a package variable's bytes, say,
// that a method returned. Other Lua states may call meanwhile: what one of them begins to take is kept again.
func dropPins(going parts) {
	pins.Lock()
	defer pins.Unlock()
	for _, p := range pins.all {
		if p.busy == nil {
			continue
		}
		busy := (*uint32)(unsafe.Pointer(p.busy))
		for i := range p.results {
			result := atomic.LoadPointer(&p.results[i])
			if going.hold(uintptr(result)) && atomic.LoadUint32(busy) == 0 &&
				atomic.CompareAndSwapPointer(&p.results[i], result, nil) && atomic.LoadUint32(busy) != 0 {
				atomic.CompareAndSwapPointer(&p.results[i], nil, result)
			}
		}
	}
}

// Larger results don't wait for the next call: C takes them at once, and drops them.
const pinnedBytes = 4096

// goloader_ffi_drop lets go of what the last call returned.
//
//export goloader_ffi_drop
func goloader_ffi_drop(at C.uint64_t) {
	*pinsAt(at) = [C.GL_FFI_RESULTS]unsafe.Pointer{}
}

func pinsAt(at C.uint64_t) *[C.GL_FFI_RESULTS]unsafe.Pointer {
	return *(**[C.GL_FFI_RESULTS]unsafe.Pointer)(unsafe.Pointer(&at))
}

//export goloader_ffi
func goloader_ffi(c *C.struct_gl_ffi_call) {
	switch c.sort {
	case C.GL_FFI_INTEGRAL:
		ffiIntegral(unsafe.Pointer(c))
	case C.GL_FFI_WORDS:
		ffiWords(unsafe.Pointer(c))
	case C.GL_FFI_TEXT:
		ffiText(unsafe.Pointer(c))
	case C.GL_FFI_READ:
		ffiRead(unsafe.Pointer(c))
	case C.GL_FFI_WRITE:
		ffiWrite(unsafe.Pointer(c))
	default:
		ffiAny(unsafe.Pointer(c))
	}
}

// isRefused tells whether a call can't be made here, and has C know.
func isRefused(c *C.struct_gl_ffi_call) bool {
	if c.fn == nil || *c.functions != 0 {
		c.status = C.GL_FFI_REFUSED
		return true
	}
	return false
}

// ffiRegs is how a call travels that is not integral.
type ffiRegs struct {
	lent
	ints   *[enter.IntRegs]uintptr // where the words are: in C's memory, or in all
	ptrs   *[enter.IntRegs]unsafe.Pointer
	floats *[enter.FloatRegs]uint64
	all    *enter.Regs // nil: there are no floats
}

func ffiAny(p unsafe.Pointer) {
	c := (*C.struct_gl_ffi_call)(p)
	var all enter.Regs
	r := ffiRegs{all: &all, ints: &all.Ints, ptrs: &all.Ptrs, floats: &all.Floats}
	if isRefused(c) || !r.load(c) {
		return
	}
	all.Lent = r.words
	all.ReturnIsPtr[0], all.ReturnIsPtr[1] = uint8(c.return_is_ptr), uint8(c.return_is_ptr>>8)
	callFFI(c, &r, nil)
	if c.status == C.GL_FFI_DONE {
		r.store(c)
	}
}

func ffiWords(p unsafe.Pointer) {
	c := (*C.struct_gl_ffi_call)(p)
	var ptrs [enter.IntRegs]unsafe.Pointer
	r := ffiRegs{ints: (*[enter.IntRegs]uintptr)(unsafe.Pointer(&c.ints)), ptrs: &ptrs}
	if isRefused(c) || !r.load(c) {
		return
	}
	callFFI(c, &r, nil)
	if c.status == C.GL_FFI_DONE {
		r.store(c)
	}
}

// ffiText is ffiWords for func(string) string, which is worth a way of its own: Go itself knows how strings travel.
func ffiText(p unsafe.Pointer) {
	c := (*C.struct_gl_ffi_call)(p)
	if isRefused(c) {
		return
	}
	var buf [64]byte // where a string that is lent lies
	var arg string
	given, n := *(**byte)(unsafe.Pointer(&c.in[0])), *(*int)(unsafe.Pointer(&c.in[1]))
	if c.params[0].is_lent && n <= len(buf) {
		arg = unsafe.String(&buf[0], copy(buf[:], unsafe.Slice(given, n)))
	} else {
		arg = stringOf(given, n)
	}
	c.bytes_in += C.uint64_t(n)
	c.calls++
	c.status = C.GL_FFI_FAILED
	var frame byte
	defer func() { // as in callFFI
		if c.status == C.GL_FFI_FAILED {
			caughtFFI(c, recover())
		}
	}()
	defer func() {
		if c.status == C.GL_FFI_FAILED {
			leave(recover(), unsafe.Pointer(&frame))
		}
	}()
	result := enter.CallString(c.fn, arg)
	c.status = C.GL_FFI_DONE
	storeString(c, 0, unsafe.Pointer(unsafe.StringData(result)), uintptr(len(result)))
}

// stringOf makes a string that may be kept. Inlined where the compiler sees who gets it, it could be made on the stack.
//
//go:noinline
func stringOf(p *byte, n int) string { return string(unsafe.Slice(p, n)) }

func ffiIntegral(p unsafe.Pointer) {
	c := (*C.struct_gl_ffi_call)(p)
	if isRefused(c) {
		return
	}
	callFFI(c, nil, nil)
	// Most results are ints that a number holds: that is there already.
	if v := int64(c.ints[0]); c.is_int == 0 || v > 1<<53 || v < -1<<53 {
		if c.status == C.GL_FFI_DONE && c.nresults != 0 {
			storeInteger(c, 0, uintptr(v))
		}
	}
}

// goloader_ffi_many makes in[0] calls of an integral function that has a parameter and a result. The arguments of all
// lie at in[1]; the result of each takes the place of its first argument.
//
//export goloader_ffi_many
func goloader_ffi_many(c *C.struct_gl_ffi_call) {
	ffiMany(unsafe.Pointer(c))
}

func ffiMany(p unsafe.Pointer) {
	c := (*C.struct_gl_ffi_call)(p)
	if isRefused(c) {
		return
	}
	callFFI(c, nil, *(*unsafe.Pointer)(unsafe.Pointer(&c.in[1])))
}

// callFFI calls with the registers given; without any an integral function, with those of c, or many times with those
// at words, as ffiMany says.
func callFFI(c *C.struct_gl_ffi_call, r *ffiRegs, words unsafe.Pointer) {
	c.status = C.GL_FFI_FAILED
	// As caught and left, but quicker for a call that comes back, as nearly all do.
	var frame byte
	defer func() {
		if c.status == C.GL_FFI_FAILED {
			caughtFFI(c, recover())
		}
	}()
	defer func() {
		if c.status == C.GL_FFI_FAILED {
			leave(recover(), unsafe.Pointer(&frame))
		}
	}()
	ints, number := (*[enter.IntRegs]uintptr)(unsafe.Pointer(&c.ints)), (*float64)(unsafe.Pointer(&c.out[0]))
	switch {
	case r != nil && r.all != nil:
		c.calls++
		enter.Call(c.fn, r.all, unsafe.Pointer(&r.bytes))
	case r != nil:
		c.calls++
		enter.CallWords(c.fn, r.ints, r.ptrs, unsafe.Pointer(&r.bytes), r.words, uint16(c.return_is_ptr))
	case words == nil:
		c.calls++
		enter.CallInts(c.fn, ints, number)
	default:
		all := unsafe.Slice((*uintptr)(words), *(*int)(unsafe.Pointer(&c.in[0]))*int(c.nparams))
		for ; len(all) > 0; all = all[c.nparams:] {
			c.calls++
			copy(ints[:], all[:c.nparams])
			enter.CallInts(c.fn, ints, number)
			all[0] = ints[0]
			if len(all) > int(c.nparams) {
				c.in_company++
			}
		}
	}
	c.status = C.GL_FFI_DONE
}

// caughtFFI notes what has ended a call.
func caughtFFI(c *C.struct_gl_ffi_call, r any) {
	ended(r, &c.failure, c.text)
}

// ffiRead reads a field as if a function had returned it.
func ffiRead(p unsafe.Pointer) {
	c := (*C.struct_gl_ffi_call)(p)
	h, ok := find(*(*uint64)(unsafe.Pointer(&c.in[0])))
	if c.fn == nil || !ok {
		c.status = C.GL_FFI_REFUSED
		return
	}
	var all enter.Regs
	steps, n := fieldSteps(&c.results[0])
	for _, s := range steps[:n] {
		s.load(&all, unsafe.Add(h.p, c.offset))
	}
	c.status = C.GL_FFI_DONE
	r := ffiRegs{ints: &all.Ints, ptrs: &all.Ptrs, floats: &all.Floats}
	r.store(c)
}

// ffiWrite sets one to an argument.
func ffiWrite(p unsafe.Pointer) {
	c := (*C.struct_gl_ffi_call)(p)
	var all enter.Regs
	r := ffiRegs{ints: &all.Ints, ptrs: &all.Ptrs, floats: &all.Floats}
	if isRefused(c) || !r.load(c) {
		return
	}
	steps, n := fieldSteps(&c.params[1])
	for _, s := range steps[:n] {
		s.store(&all, unsafe.Add(all.Ptrs[c.params[0].reg], c.offset))
	}
	c.status = C.GL_FFI_DONE
}

// fieldSteps are how a field travels: a number in one register, a string in two.
func fieldSteps(p *C.struct_gl_ffi_place) (steps [2]step, n int) {
	steps[0] = step{size: uint8(p.bits / 8), kind: stepInt, reg: int(p.reg)}
	switch p.kind {
	case C.GL_FFI_FLOAT:
		steps[0].kind = stepFloat
	case C.GL_FFI_STRING:
		steps[0].kind = stepPointer
		steps[1] = step{off: word, size: uint8(word), kind: stepInt, reg: int(p.reg) + 1}
		return steps, 2
	}
	return steps, 1
}

// load takes the arguments, and refuses what does not fit.
func (r *ffiRegs) load(c *C.struct_gl_ffi_call) bool {
	word := 0
	for i := 0; i < int(c.nparams); i++ {
		p := &c.params[i]
		given := &c.in[word]
		word++
		switch p.kind {
		case C.GL_FFI_BOOL, C.GL_FFI_INT, C.GL_FFI_UINT:
			r.ints[p.reg] = *(*uintptr)(unsafe.Pointer(given))
		case C.GL_FFI_FLOAT:
			d := *(*float64)(unsafe.Pointer(given))
			r.floats[p.reg] = math.Float64bits(d)
			if p.bits == 32 {
				f := float32(d)
				if math.IsInf(float64(f), 0) && !math.IsInf(d, 0) {
					c.status = C.GL_FFI_REFUSED
					return false
				}
				r.floats[p.reg] = uint64(math.Float32bits(f))
			}
		case C.GL_FFI_HANDLE:
			h, ok := find(*(*uint64)(unsafe.Pointer(given)))
			if !ok {
				c.status = C.GL_FFI_REFUSED
				return false
			}
			r.ints[p.reg], r.ptrs[p.reg] = uintptr(h.p), h.p
		default:
			n := *(*int)(unsafe.Pointer(&c.in[word]))
			word++
			at := *(**byte)(unsafe.Pointer(given))
			r.ints[p.reg], r.ptrs[p.reg] = r.copy(int(p.reg), at, n, bool(p.is_lent))
			r.ints[p.reg+1] = uintptr(n)
			c.bytes_in += C.uint64_t(n)
			if p.kind == C.GL_FFI_BYTES {
				r.ints[p.reg+2] = uintptr(n)
			}
		}
	}
	return true
}

// store gives the results.
func (r *ffiRegs) store(c *C.struct_gl_ffi_call) {
	for i := 0; i < int(c.nresults); i++ {
		p := &c.results[i]
		number := (*float64)(unsafe.Pointer(&c.out[2*i]))
		more := unsafe.Pointer(&c.out[2*i+1])
		switch p.kind {
		case C.GL_FFI_BOOL, C.GL_FFI_INT, C.GL_FFI_UINT:
			storeInteger(c, i, r.ints[p.reg])
		case C.GL_FFI_FLOAT:
			d := math.Float64frombits(r.floats[p.reg])
			if p.bits == 32 {
				d = float64(math.Float32frombits(uint32(r.floats[p.reg])))
			}
			if d != d {
				d = math.NaN() // other bits may be what LuaJIT has an object by, and it does not look (lj_cconv.c)
			}
			*number = d
		case C.GL_FFI_ERROR:
			if tab := r.ints[p.reg]; tab != 0 {
				*(*uint64)(more) = 1
				storeError(c, errorOf(tab, r.ptrs[p.reg+1]))
			} else {
				*(*uint64)(more) = 0
			}
		default:
			storeString(c, i, r.ptrs[p.reg], r.ints[p.reg+1])
		}
	}
}

// storeString stores a string or a slice of bytes, which stays where it is till the next call.
func storeString(c *C.struct_gl_ffi_call, i int, p unsafe.Pointer, n uintptr) {
	pinsAt(c.pins)[i] = p
	*(*uintptr)(unsafe.Pointer(&c.out[2*i])) = uintptr(p)
	*(*uintptr)(unsafe.Pointer(&c.out[2*i+1])) = n
	c.bytes_out += C.uint64_t(n)
	if n > pinnedBytes {
		c.status = C.GL_FFI_ODD
	}
}

// storeError stores an error, whose own method may panic.
func storeError(c *C.struct_gl_ffi_call, err error) {
	c.status = C.GL_FFI_FAILED
	guard(&c.failure, c.text, func() {
		c.text.len = 0
		w := writer{buffer: c.text}
		w.error(err)
		w.tail()
		c.status = C.GL_FFI_ODD
	})
}

// storeInteger stores a result that came in a register, whose upper bits may be anything.
func storeInteger(c *C.struct_gl_ffi_call, i int, word uintptr) {
	p := &c.results[i]
	unused := 64 - uint(p.bits)
	v, isExact := int64(word)<<unused>>unused, true
	if p.kind == C.GL_FFI_INT {
		isExact = v <= 1<<53 && v >= -1<<53
	} else {
		v = int64(uint64(word) << unused >> unused)
		isExact = uint64(v) <= 1<<53
	}
	number, more := unsafe.Pointer(&c.out[2*i]), unsafe.Pointer(&c.out[2*i+1])
	*(*float64)(number), *(*int64)(more) = float64(v), v
	if !isExact {
		c.status = C.GL_FFI_ODD
	}
}
