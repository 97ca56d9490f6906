package host

/*
#include "runtime.h"
*/
import "C"

import (
	"math/bits"
	"unsafe"
)

// Go's heap as a trace sees it: spans of equal objects, which of these are allocated, and where in an object the
// pointers are.

// A span is a runtime.mspan in use: equal objects, side by side. It has what is needed of the mspan, in one line of the
// processor's cache.
type span struct {
	base, size, count uintptr
	first             uintptr        // number of its first object, over all spans
	allocated         unsafe.Pointer // a bit for each object
	free              uint32         // objects before this one are allocated in any case
	inverse           uint32         // of the size: 2^32 divided by it, 0 where there is one object
	noscan            bool
	mspan             unsafe.Pointer
}

// indexOf is the number of the object that p leads into, as runtime.(*mspan).divideByElemSize finds it.
func (s *span) indexOf(p uintptr) uintptr { return uintptr(uint64(p-s.base) * uint64(s.inverse) >> 32) }

// An object is known by its span's number and its own number there.
type object struct{ span, i uint32 }

// indexAt reads a field that became narrower in Go 1.22.
func indexAt(mspan unsafe.Pointer, offset C.int32_t) uintptr {
	if rt.mspan_index_size == 2 {
		return uintptr(*(*uint16)(unsafe.Add(mspan, offset)))
	}
	return *wordAt(mspan, offset)
}

// sweep sweeps spans that the collector has left to be swept, so many at most; true: none is left. Who allocates sweeps
// spans (runtime/mcentral.go, cacheSpan; mheap.go, reclaim), and one that has nothing left may be another one a moment
// later: sweeping must be over before they are looked at.
func sweep(most int) bool {
	for sweepOne := funcOf[func() uintptr](&rt.sweep_one); sweepOne() != ^uintptr(0); most-- {
		if most == 0 {
			return false
		}
	}
	return true
}

// findSpans lists the spans in use, all of them swept.
func (t *tracer) findSpans() bool {
	low, high, objects := ^uintptr(0), uintptr(0), uintptr(0)
	for _, mspan := range *(*[]unsafe.Pointer)(rt.allspans) {
		size := *wordAt(mspan, rt.mspan_elemsize)
		if *(*uint8)(unsafe.Add(mspan, rt.mspan_state)) != uint8(rt.span_in_use) || size == 0 {
			continue
		}
		s := span{
			base: *wordAt(mspan, rt.mspan_start), size: size, count: indexAt(mspan, rt.mspan_nelems), first: objects,
			noscan: *(*uint8)(unsafe.Add(mspan, rt.mspan_class))&1 != 0, mspan: mspan,
			allocated: *pointerAt(mspan, rt.mspan_alloc_bits), free: uint32(indexAt(mspan, rt.mspan_freeindex)),
		}
		if s.count > 1 {
			s.inverse = ^uint32(0)/uint32(size) + 1
		}
		t.spans.push(s)
		objects += s.count
		low, high = min(low, s.base), max(high, s.base+*wordAt(mspan, rt.mspan_npages)<<uint(rt.page_shift))
	}
	t.heap = region{low, high - low}
	if low > high {
		t.heap = region{}
	}
	t.marks.take(objects)
	t.queue.need(objects)
	t.reached.need(objects)
	t.pages.take(t.heap.size >> uint(rt.page_shift))
	if t.notesPath && objects < 1<<32 {
		t.parents.take(objects)
		t.hops.need(mostHops)
	}
	if t.isShort() {
		return false
	}
	for n := range t.spans.all {
		first := (t.spans.all[n].base - low) >> uint(rt.page_shift)
		for i := uintptr(0); i < *wordAt(t.spans.all[n].mspan, rt.mspan_npages); i++ {
			t.pages.all[first+i] = uint32(n) + 1
		}
	}
	return true
}

// isAllocated is the opposite of runtime.(*mspan).isFree.
func (s *span) isAllocated(i uintptr) bool {
	return i < uintptr(s.free) || *(*uint8)(unsafe.Add(s.allocated, i/8))>>(i%8)&1 != 0
}

func (t *tracer) spanOf(p uintptr) *span {
	if t.heap.holds(p) {
		if n := t.pages.all[(p-t.heap.low)>>uint(rt.page_shift)]; n != 0 {
			return &t.spans.all[n-1]
		}
	}
	return nil
}

// pointers walks over an object's pointers: runtime.typePointers, or before Go 1.22 runtime.heapBits.
type pointers struct{ elem, addr, mask, typ uintptr }

func (s *span) pointersOf(object uintptr) pointers {
	if rt.type_pointers_of != nil {
		return funcOf[func(unsafe.Pointer, uintptr) pointers](&rt.type_pointers_of)(s.mspan, object)
	}
	return funcOf[func(addr, size uintptr) pointers](&rt.heap_bits_for)(object, s.size)
}

// next is where the next pointer is, before an address; 0: there is none.
func (it *pointers) next(limit uintptr) (at uintptr) {
	switch {
	case rt.type_pointers_of == nil:
		*it, at = funcOf[func(pointers) (pointers, uintptr)](&rt.next_pointer)(*it)
	case it.mask != 0: // (typePointers).nextFast
		at = it.addr + uintptr(bits.TrailingZeros64(uint64(it.mask)))*word
		it.mask &= it.mask - 1
	case it.typ != 0:
		*it, at = funcOf[func(pointers, uintptr) (pointers, uintptr)](&rt.next_pointer)(*it, limit)
	}
	return at
}

// holdsG tells whether an object is a runtime.g. In front of pointers those have stack pointers, dead ones of stacks
// that may have become something else since.
func (s *span) holdsG(object uintptr) bool {
	return s.size >= uintptr(rt.g_size) && load(object+uintptr(rt.g_sched_g)) == object
}

// findTypes finds types that go in the spans of large objects, which Go 1.22 and 1.23 read once more when they sweep a
// dead object: in spans without pointers too, where it is what an earlier object has left there. A living object, known
// where all have been looked for, keeps its type: that may stay, and without it the object's pointers aren't followed.
func (t *tracer) findTypes(looked bool) {
	if rt.mspan_large_type < 0 {
		return
	}
	for _, mspan := range *(*[]unsafe.Pointer)(rt.allspans) {
		if !t.going.hold(*wordAt(mspan, rt.mspan_large_type)) {
			continue
		}
		s := t.spanOf(*wordAt(mspan, rt.mspan_start))
		isObject := s != nil && s.mspan == mspan && s.count == 1 && !s.noscan
		if !isObject || looked && t.marks.all[s.first] != markReached {
			t.types.push(mspan)
		}
	}
}

// forgetTypes takes them out. What has a type that goes now, and had one before, has it of old: nobody can make such an
// object any more.
func (t *tracer) forgetTypes() {
	for _, mspan := range t.types.all {
		if typ := wordAt(mspan, rt.mspan_large_type); t.going.hold(*typ) {
			*typ = 0
		}
	}
}
