package host

/*
#include "runtime.h"
*/
import "C"

import (
	"encoding/binary"
	"math/bits"
	"sort"
	"unsafe"
)

// What is in use whatever else is: variables, what is on goroutines' stacks (stacks.go), and finalizers. Tracing begins
// with the pointers in these. Most words of them are variables of the host's that lead nowhere, so words are told apart
// 64 at a time.

// A root is a range of words that are in use whatever else is.
type root struct {
	region
	mask     *uint8 // a bit for each word: is it a pointer? nil: any may be one
	alone    bool   // there is no need to look at types in front of the pointers
	anything bool   // nobody knows what the words are: one may be the address of a function, about to be called
	kind     C.enum_gl_holder
	goid     uint64
	pc       uintptr        // where the frame goes on
	typ      unsafe.Pointer // of the object that has a finalizer: a pointer's
}

// weakVariables are those out of which what goes will be taken: the runtime's first table of itabs, what reflect has
// made at run time, and each module's list of types. Lua's handles are looked at in the end.
func weakVariables() []region {
	weak := []region{
		{uintptr(rt.itab_table_init), uintptr(rt.table_entries) + *wordAt(rt.itab_table_init, rt.table_size)*word},
		{uintptr(unsafe.Pointer(&handles)), unsafe.Sizeof(handles)},
		{uintptr(unsafe.Pointer(&typeLists)), unsafe.Sizeof(typeLists)},
	}
	if rt.reflect_offs != nil {
		weak = append(weak, region{uintptr(rt.reflect_offs), uintptr(max(rt.reflect_offs_m, rt.reflect_offs_minv)) + word})
	}
	if rt.module_to_typelinks != nil {
		weak = append(weak, region{uintptr(rt.module_to_typelinks), word})
	}
	return weak
}

// A filter tells words apart that may matter from those that don't: where they lead. There are few places, since each
// word of all variables is compared with each.
type filter [4]region

func (f *filter) passes(w uintptr) bool {
	return f[0].holds(w) || f[1].holds(w) || f[2].holds(w) || f[3].holds(w)
}

var everywhere = filter{{0, ^uintptr(0)}}

// filter lets pass what leads to the heap, or to what matters outside of it: the pages of what goes and its variables,
// which may lie far from each other with all other modules in between; itabs, and what stayed of others. Where that is
// one place more than there is room for, those are taken together that are nearest to each other.
func (t *tracer) filter() *filter {
	var places [4]region
	n := 0
	for _, r := range [...]region{t.going.pages(), t.going.blocks(), t.around, t.keptIn} {
		if r.size > 0 {
			places[n] = r
			n++
		}
	}
	for ; n >= len(t.into); n-- {
		first, second, least := 0, 1, ^uintptr(0)
		for i := range places[:n] {
			for k := range places[:i] {
				if size := places[i].around(places[k]).size; size < least {
					first, second, least = k, i, size
				}
			}
		}
		places[first] = places[first].around(places[second])
		places[second] = places[n-1]
	}
	t.into = filter{t.heap}
	copy(t.into[1:], places[:n])
	return &t.into
}

// eachPointer calls do for every pointer of a root that a filter lets pass, and for the types in front of pointers,
// until do says that it is done. Most of a root's words are variables of the host's that lead nowhere, or into the
// host's own data.
func (t *tracer) eachPointer(r root, into *filter, do func(at, w uintptr) bool) bool {
	words := r.size / word
	wasPointer := uint64(1) // in front of the first word is nothing of the root's
	for first := uintptr(0); first < words; first += 64 {
		here, pointers, fronted := r.low+first*word, ^uint64(0), uint64(0)
		if r.mask != nil {
			pointers = maskAt(r.mask, first, words)
			if !r.alone {
				fronted = pointers &^ (pointers<<1 | wasPointer)
			}
			wasPointer = pointers >> 63
		}
		if left := words - first; left < 64 {
			pointers &= 1<<left - 1
		}
		if r.kind == C.GL_HOLDER_VARIABLE && pointers != 0 {
			pointers &^= t.weakWords(here)
		}
		for ; pointers != 0; pointers &= pointers - 1 {
			i := uintptr(bits.TrailingZeros64(pointers))
			at := here + i*word
			if w := load(at); w != 0 && into.passes(w) && do(at, w) {
				return true
			}
			if fronted>>i&1 == 0 {
				continue
			}
			if w := load(at - word); w != 0 && into.passes(w) && t.isType(w) && do(at-word, w) {
				return true
			}
		}
	}
	return false
}

func (t *tracer) setWeak(weak []region) {
	sort.Slice(weak, func(i, k int) bool { return weak[i].low < weak[k].low })
	t.weak, t.weakIn = weak, weak[0]
	for _, r := range weak {
		t.weakIn = t.weakIn.around(r)
	}
}

// weakWords are those of 64 words from an address on that are of variables which aren't followed.
func (t *tracer) weakWords(low uintptr) (weak uint64) {
	high := low + 64*word
	if high <= t.weakIn.low || t.weakIn.low+t.weakIn.size <= low {
		return 0
	}
	for i := range t.weak {
		r := &t.weak[i]
		if r.low >= high {
			break // they are in order
		}
		if end := r.low + r.size; low < end {
			first, last := (max(r.low, low)-low+word-1)/word, (min(end, high)-low+word-1)/word
			weak |= (^uint64(0) >> (64 - (last - first))) << first
		}
	}
	return weak
}

func isPointer(mask *uint8, i uintptr) bool {
	return *(*uint8)(unsafe.Add(unsafe.Pointer(mask), i/8))>>(i%8)&1 != 0
}

// maskAt returns the mask's bits for 64 words of so many, from one on that is a multiple of 64.
func maskAt(mask *uint8, first, words uintptr) (pointers uint64) {
	at := unsafe.Add(unsafe.Pointer(mask), first/8)
	if words-first >= 64 {
		return binary.LittleEndian.Uint64(unsafe.Slice((*byte)(at), 8))
	}
	for i := uintptr(0); first+i < words; i += 8 {
		pointers |= uint64(*(*uint8)(unsafe.Add(at, i/8))) << i
	}
	return pointers
}

// eachVariables calls do for what each module has of variables, and the mask that says which words are pointers, until
// do says that it is done. Those of what goes are left out.
func (ps parts) eachVariables(do func(root) bool) bool {
	for md := rt.firstmoduledata; md != nil; md = *pointerAt(md, rt.moduledata_next) {
		for _, section := range [...]struct{ start, end, mask C.int32_t }{
			{rt.moduledata_data, rt.moduledata_edata, rt.moduledata_gcdatamask},
			{rt.moduledata_bss, rt.moduledata_ebss, rt.moduledata_gcbssmask},
		} {
			low, high := *wordAt(md, section.start), *wordAt(md, section.end)
			// a bitvector: n, bytedata
			mask := (*uint8)(*pointerAt(md, section.mask+C.int32_t(word)))
			if ps.eachOther(region{low, high - low}, func(r region) bool {
				return do(root{region: r, mask: (*uint8)(unsafe.Add(unsafe.Pointer(mask), (r.low-low)/word/8)),
					kind: C.GL_HOLDER_VARIABLE})
			}) {
				return true
			}
		}
	}
	return false
}

// eachRoot calls do until it says that it is done.
func (t *tracer) eachRoot(do func(root) bool) bool {
	if t.going.eachVariables(do) {
		return true
	}
	if eachGoroutine(t.self, func(g unsafe.Pointer, goid uint64) bool {
		t.findStack(g, goid)
		for i := range t.roots.all {
			if do(t.roots.all[i]) {
				return true
			}
		}
		return false
	}) {
		return true
	}
	for i := range rt.pending {
		p := &rt.pending[i]
		if p.first == nil {
			continue
		}
		for block := *(*unsafe.Pointer)(p.first); block != nil; block = *pointerAt(block, p.alllink) {
			count := uintptr(*(*uint32)(unsafe.Add(block, p.count)))
			items := region{uintptr(block) + uintptr(p.items), count * uintptr(p.item_size)}
			if do(root{region: items, kind: C.GL_HOLDER_FINALIZER}) {
				return true
			}
		}
	}
	for i := range t.spans.all {
		for s := *pointerAt(t.spans.all[i].mspan, rt.mspan_specials); s != nil; s = *pointerAt(s, rt.special_next) {
			if do(specialRoot(s)) {
				return true
			}
		}
	}
	return false
}

// specialRoot is what the runtime's note of an object refers to (runtime/mheap.go, special): a finalizer's function,
// the type of its argument, and the object's; a cleanup's functions and argument. All lie behind what notes have in
// common.
func specialRoot(s unsafe.Pointer) root {
	r := root{region: region{uintptr(s) + uintptr(rt.special_size), 0}, kind: C.GL_HOLDER_FINALIZER}
	switch int64(*(*uint8)(unsafe.Add(s, rt.special_kind))) {
	case int64(rt.kind_finalizer):
		r.size = uintptr(rt.special_finalizer_size - rt.special_size)
		r.typ = *pointerAt(s, rt.special_finalizer_size-C.int32_t(word))
	case int64(rt.kind_cleanup):
		r.size = uintptr(rt.cleanup_funcs) * word
	}
	return r
}

// offsetOf is where in its span the object is that a note is about: 16 bits up to Go 1.23, then a word.
func offsetOf(special unsafe.Pointer) uintptr {
	if rt.special_kind-rt.special_offset == 2 {
		return uintptr(*(*uint16)(unsafe.Add(special, rt.special_offset)))
	}
	return *wordAt(special, rt.special_offset)
}
