package host

/*
#include "runtime.h"
*/
import "C"

import (
	"runtime"
	"strings"
	"unsafe"
)

// Stacks are searched as the collector does it (runtime/mgcmark.go, scanstack): in each frame the variables that the
// compiler says are live where the goroutine stands, and what is on the stack itself but reached by pointers only.
// Dead variables don't count: a goroutine that waits for work would for ever hold on to the work it did last.

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
	return funcOf[func(frame unsafe.Pointer, debug bool) (bitvector, bitvector, []stackObject)](&rt.get_stack_map)(frame, false)
}

// A stack is what is found on one goroutine's.
type stack struct {
	goid    uint64
	roots   []root
	objects []region // reached by pointers only
}

func (s *stack) add(low, size uintptr, mask *uint8) {
	s.roots = append(s.roots, root{region: region{low, size}, mask: mask, kind: C.GL_HOLDER_STACK, goid: s.goid})
}

// addFrame adds what is live in a frame. conservative: nobody knows where it stands, for it was interrupted.
func (s *stack) addFrame(frame unsafe.Pointer, conservative bool) {
	sp, varp, argp := *wordAt(frame, rt.frame_sp), *wordAt(frame, rt.frame_varp), *wordAt(frame, rt.frame_argp)
	if conservative {
		if sp < varp {
			s.add(sp, varp-sp, nil)
		}
		if fn := *pointerAt(frame, rt.frame_fn); fn != nil {
			s.add(argp, uintptr(*(*uint32)(unsafe.Add(fn, rt.func_args))), nil)
		}
		return
	}
	locals, args, objects := stackMap(frame)
	if locals.n > 0 {
		size := uintptr(locals.n) * word
		s.add(varp-size, size, locals.data)
	}
	if args.n > 0 {
		s.add(argp, uintptr(args.n)*word, args.data)
	}
	for i := range objects {
		o := (*stackObject)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(objects)), i*int(rt.stack_object_size)))
		base := argp
		if o.off < 0 {
			base = varp
		}
		if varp != 0 {
			s.objects = append(s.objects, region{base + uintptr(o.off), uintptr(o.size)})
		}
	}
}

// stackOf finds what is live on a goroutine's stack. The world is stopped.
func (t *tracer) stackOf(g unsafe.Pointer, goid uint64) *stack {
	s := &stack{goid: goid}
	initAt := funcOf[func(u unsafe.Pointer, pc, sp, lr uintptr, g unsafe.Pointer, flags uint8)](&rt.unwinder_init)
	next := funcOf[func(u unsafe.Pointer)](&rt.unwinder_next)
	clear(unsafe.Slice((*byte)(t.unwinder), rt.unwinder_size))
	pc, conservative := wordAt(t.unwinder, rt.unwinder_pc), false
	for initAt(t.unwinder, ^uintptr(0), ^uintptr(0), ^uintptr(0), g, uint8(rt.unwind_silent)); *pc != 0; next(t.unwinder) {
		// it holds the registers of the frame above it, which stopped anywhere
		injected := false
		if fn := runtime.FuncForPC(*pc); fn != nil {
			name := fn.Name()
			injected = name == "runtime.asyncPreempt" || strings.HasPrefix(name, "runtime.debugCall")
		}
		s.addFrame(unsafe.Add(t.unwinder, rt.unwinder_frame), conservative || injected)
		conservative = injected
	}
	for d := *pointerAt(g, rt.g_defer); d != nil; d = *pointerAt(d, rt.defer_link) {
		s.add(uintptr(d)+uintptr(rt.defer_fn), word, nil)
	}
	t.reachObjects(s)
	return s
}

// reachObjects makes roots of those objects on the stack that others lead to.
func (t *tracer) reachObjects(s *stack) {
	for i := 0; i < len(s.roots) && len(s.objects) > 0; i++ {
		t.eachPointer(s.roots[i], func(_, w uintptr) bool {
			for k, object := range s.objects {
				if object.holds(w) {
					s.objects[k] = s.objects[len(s.objects)-1]
					s.objects = s.objects[:len(s.objects)-1]
					s.add(object.low, object.size, nil)
					break
				}
			}
			return false
		})
	}
}
