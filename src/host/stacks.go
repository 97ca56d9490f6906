package host

/*
#include "runtime.h"
*/
import "C"

import (
	"math"
	"sync/atomic"
	"unsafe"
)

// What is in use on a goroutine's stack is found frame by frame, and of each frame:
//
//  1. the pointers that the compiler says are live where the goroutine goes on, as the collector finds them
//     (runtime/mgcmark.go, scanstack): variables, parameters and results, and what is on the stack itself but reached
//     by pointers only;
//  2. types and itabs in front of such pointers, or elsewhere in the frame. They are no pointers to the collector. The
//     compiler splits an interface that is in a local variable, and spills the two halves where it likes: the itab's
//     half is a number to all tables. No table says until when it is needed, but the code does. It is, if on some path
//     from where the goroutine goes on it is loaded before it is overwritten (src/disasm/slots.c). What is left of a
//     variable that nobody will look at again keeps nothing: a goroutine that waits for work would for ever hold on to
//     the work that it did last;
//  3. every word, where nobody knows what the words are: of a function that was interrupted between any two
//     instructions, and of its registers, which lie in the frame above it. That may be too much, but not for long: the
//     goroutine is running.
//
// The frames tile the stack: outgoing arguments, and room to spill register arguments to, are parameters of the
// callee's, which (1) covers, since the compiler keeps a parameter in one piece. Registers of a goroutine that waits
// hold nothing: Go's functions save all that they need before they call.

// eachFrame calls do for each frame of a goroutine that doesn't run, the innermost first, until that says that it is
// done. unwinder is a runtime.unwinder's memory; a frame is a runtime.stkframe.
func eachFrame(unwinder, g unsafe.Pointer, do func(frame unsafe.Pointer, pc uintptr) bool) bool {
	initAt := funcOf[func(u unsafe.Pointer, pc, sp, lr uintptr, g unsafe.Pointer, flags uint8)](&rt.unwinder_init)
	next := funcOf[func(u unsafe.Pointer)](&rt.unwinder_next)
	clear(unsafe.Slice((*byte)(unwinder), rt.unwinder_size))
	pc := wordAt(unwinder, rt.unwinder_pc)
	for initAt(unwinder, ^uintptr(0), ^uintptr(0), ^uintptr(0), g, uint8(rt.unwind_silent)); *pc != 0; next(unwinder) {
		if do(unsafe.Add(unwinder, rt.unwinder_frame), *pc) {
			return true
		}
	}
	return false
}

// eachGoroutine calls do for each goroutine but one that has a stack, until that says that it is done. The world is
// stopped.
func eachGoroutine(but uint64, do func(g unsafe.Pointer, goid uint64) bool) bool {
	for _, g := range *(*[]unsafe.Pointer)(rt.allgs) {
		goid := *(*uint64)(unsafe.Add(g, rt.g_goid))
		if goid == but || isDead(atomic.LoadUint32((*uint32)(unsafe.Add(g, rt.g_status)))) {
			continue
		}
		if do(g, goid) {
			return true
		}
	}
	return false
}

// runner is a goroutine that runs code: where it is in it, and the function that it began with.
type runner struct {
	goid      uint64
	pc, start uintptr
}

// runnerOf finds a goroutine with a frame in code that goes, the innermost one. The world is stopped.
func runnerOf(going parts, self uint64, unwinder unsafe.Pointer) (r runner, found bool) {
	found = eachGoroutine(self, func(g unsafe.Pointer, goid uint64) bool {
		r = runner{goid: goid}
		if rt.g_startpc >= 0 {
			r.start = *wordAt(g, rt.g_startpc)
		}
		return eachFrame(unwinder, g, func(_ unsafe.Pointer, pc uintptr) bool {
			r.pc = pc
			return going.run(pc)
		})
	})
	return r, found
}

// runtime.bitvector
type bitvector struct {
	n    int32
	data *uint8
}

// The start of runtime.stackObjectRecord: offset from varp where it is negative, else from argp; size.
type stackObject struct{ off, size int32 }

func stackMap(frame unsafe.Pointer) (locals, args bitvector, objects []stackObject) {
	if rt.m_pcvalue_cache < 0 { // Go 1.21 has its caller keep a cache
		get := funcOf[func(frame, cache unsafe.Pointer, debug bool) (bitvector, bitvector, []stackObject)](&rt.get_stack_map)
		return get(frame, nil, false)
	}
	get := funcOf[func(frame unsafe.Pointer, debug bool) (bitvector, bitvector, []stackObject)](&rt.get_stack_map)
	return get(frame, false)
}

// pointers is where in an object on the stack pointers are, for how many bytes from its start. No mask: that isn't
// told. The record is data about a function of some module, whose read-only data the mask is in (runtime/stack.go,
// (*stackObjectRecord).gcdata).
func (o *stackObject) pointers() (mask *uint8, size uintptr) {
	n := *(*int32)(unsafe.Add(unsafe.Pointer(o), rt.stack_object_ptrs))
	if n < 0 { // a program computes it, up to Go 1.23
		return nil, uintptr(o.size)
	}
	nearest, at := ^uintptr(0), uintptr(unsafe.Pointer(o))
	for md := rt.firstmoduledata; md != nil; md = *pointerAt(md, rt.moduledata_next) {
		if distance := at - *wordAt(md, rt.moduledata_gofunc); distance < nearest {
			nearest = distance
			mask = (*uint8)(unsafe.Add(*pointerAt(md, rt.moduledata_rodata),
				*(*uint32)(unsafe.Add(unsafe.Pointer(o), rt.stack_object_mask))))
		}
	}
	return mask, uintptr(n)
}

// addFrame adds what is in use in a frame. depth is how many there are above it; interrupted: nobody knows where it
// stands.
func (t *tracer) addFrame(frame unsafe.Pointer, goid uint64, depth int, interrupted bool) {
	sp, varp, argp := *wordAt(frame, rt.frame_sp), *wordAt(frame, rt.frame_varp), *wordAt(frame, rt.frame_argp)
	fn := *pointerAt(frame, rt.frame_fn)
	goesOn := *wordAt(frame, rt.frame_continpc)
	stack := root{kind: C.GL_HOLDER_STACK, goid: goid, pc: goesOn}
	if interrupted {
		stack.anything = true
		if sp < varp {
			t.addRoot(stack, sp, varp-sp, nil)
		}
		if fn != nil {
			t.addRoot(stack, argp, uintptr(*(*uint32)(unsafe.Add(fn, rt.func_args))), nil)
		}
		return
	}
	if goesOn == 0 {
		return // nowhere: it has panicked
	}
	locals, args, objects := stackMap(frame)
	isAssembly := fn != nil && int32(*(*uint8)(unsafe.Add(fn, rt.func_flag)))&int32(rt.func_flag_asm) != 0
	f := frameWords{t: t, stack: stack, sp: sp, goesOn: goesOn, isAssembly: isAssembly}
	if size := uintptr(locals.n) * word; varp != 0 {
		// Variables with pointers lie together, at the frame's end. Assembly keeps no interface across a call, but in
		// arguments, and there the callee's map tells.
		for at := sp; at < varp-size && !isAssembly; at += word {
			f.ask(at, math.MaxInt64)
		}
		f.addPointers(varp-size, locals)
	}
	f.addPointers(argp, args)
	for i := range objects {
		o := (*stackObject)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(objects)), i*int(rt.stack_object_size)))
		base := argp
		if o.off < 0 {
			base = varp
		}
		at := base + uintptr(o.off)
		if varp == 0 || at < sp {
			continue // the frame has not got it yet
		}
		mask, size := o.pointers()
		// Registers' contents, on the way to or from a function that reflect calls or makes: its integers may be itabs.
		// Once the function is called they are old.
		if int32(o.size) == int32(rt.reg_args_size) && (isAssembly || depth < 3) {
			mask, size = nil, uintptr(o.size)
		}
		t.objects.push(root{region: region{at, size}, mask: mask, pc: goesOn})
	}
}

// frameWords adds words of one frame to the roots.
type frameWords struct {
	t          *tracer
	stack      root
	sp, goesOn uintptr
	isAssembly bool
}

// addPointers adds the live pointers of variables or parameters, and the types in front of them. In front of a live
// pointer may also be what is left of a variable that is not live, or what was there before the frame was: so the code
// is asked here, too.
func (f *frameWords) addPointers(low uintptr, mask bitvector) {
	if mask.n <= 0 {
		return
	}
	stack := f.stack
	stack.alone = !f.isAssembly
	f.t.addRoot(stack, low, uintptr(mask.n)*word, mask.data)
	if f.isAssembly {
		return
	}
	isLive := func(i int32) bool {
		return *(*uint8)(unsafe.Add(unsafe.Pointer(mask.data), i/8))>>(i%8)&1 != 0
	}
	for i := int32(1); i < mask.n; i++ {
		if isLive(i) && !isLive(i-1) {
			f.ask(low+uintptr(i-1)*word, int64(low-f.sp))
		}
	}
}

// ask adds a word that is a type or itab, if the code may still read it.
func (f *frameWords) ask(at uintptr, variables int64) {
	if f.t.isType(load(at)) && f.t.mayRead(f.goesOn, int64(at-f.sp), variables) {
		f.t.addRoot(f.stack, at, word, nil)
	}
}

// mayRead tells whether code may still read the word at an offset from the stack pointer, going on at pc. Where it is
// not known yet the question is noted, to be asked with the world running: then the answer, which never changes, is
// known.
func (t *tracer) mayRead(pc uintptr, offset, variables int64) bool {
	for i := range t.answers {
		if a := &t.answers[i]; uintptr(a.pc) == pc && int64(a.offset) == offset {
			return a.is_read != 0
		}
	}
	for i := range t.questions.all {
		if q := &t.questions.all[i]; uintptr(q.pc) == pc && int64(q.offset) == offset {
			return false
		}
	}
	t.questions.push(C.struct_gl_slot{pc: C.uintptr_t(pc), offset: C.int64_t(offset), variables: C.int64_t(variables)})
	return false
}

// isInterruption tells whether a frame holds the registers of the one below it, which stopped anywhere.
func isInterruption(frame unsafe.Pointer) bool {
	fn := *pointerAt(frame, rt.frame_fn)
	if fn == nil {
		return false
	}
	id := C.int32_t(*(*uint8)(unsafe.Add(fn, rt.func_id)))
	return id == rt.func_id_async_preempt || id == rt.func_id_debug_call
}

// findStack finds what is in use of a goroutine's: t.roots. The world is stopped.
func (t *tracer) findStack(g unsafe.Pointer, goid uint64) {
	t.roots.empty()
	t.objects.empty()
	depth, interrupted := 0, false
	eachFrame(t.unwinder, g, func(frame unsafe.Pointer, _ uintptr) bool {
		injected := isInterruption(frame)
		t.addFrame(frame, goid, depth, interrupted || injected)
		interrupted = injected
		depth++
		return false
	})
	// a closure that has not begun to run; deferred calls; panics, which lie on the stack
	stack := root{kind: C.GL_HOLDER_STACK, goid: goid}
	t.addRoot(stack, uintptr(g)+uintptr(rt.g_sched_ctxt), word, nil)
	for d := *pointerAt(g, rt.g_defer); d != nil; d = *pointerAt(d, rt.defer_link) {
		stack.pc = *wordAt(d, rt.defer_pc)
		t.addRoot(stack, uintptr(d)+uintptr(rt.defer_fn), word, nil)
	}
	stack.pc = 0
	t.addRoot(stack, uintptr(g)+uintptr(rt.g_panic), word, nil)
	t.reachObjects(stack)
}

func (t *tracer) addRoot(r root, low, size uintptr, mask *uint8) {
	r.region, r.mask = region{low, size}, mask
	t.roots.push(r)
}

// reachObjects makes roots of those objects on the stack that others lead to.
func (t *tracer) reachObjects(stack root) {
	for i := 0; i < len(t.roots.all) && len(t.objects.all) > 0; i++ {
		t.eachPointer(t.roots.all[i], &everywhere, func(_, w uintptr) bool {
			for k := range t.objects.all {
				o := t.objects.all[k]
				if !o.holds(w) {
					continue
				}
				last := len(t.objects.all) - 1
				t.objects.all[k] = t.objects.all[last]
				t.objects.all = t.objects.all[:last]
				stack.pc = o.pc
				t.addRoot(stack, o.low, o.size, o.mask)
				break
			}
			return false
		})
	}
}
