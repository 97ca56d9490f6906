package host

/*
#include "runtime.h"
*/
import "C"

import (
	"strings"
	"sync"
	"unsafe"
)

// The package unique has a map of values for each type, and the runtime has to tell it of values that are garbage: it
// refers to types and code of modules, but is a cache of theirs that nobody else asks. So it goes with them.

func uniqueMap() unsafe.Pointer {
	if rt.unique_maps_indirect != 0 {
		return *(*unsafe.Pointer)(rt.unique_maps)
	}
	return rt.unique_maps
}

// openUnique finds the maps of types that go.
func (c *caches) openUnique() {
	if rt.unique_maps == nil || rt.unique_all == nil || rt.unique_delete == nil {
		return
	}
	if rt.unique_cleanup_funcs != nil {
		// Go 1.23 and 1.24: it walks its maps on a goroutine of its own
		all, funcs := (*sync.Mutex)(rt.unique_cleanup_mu), (*sync.Mutex)(rt.unique_cleanup_funcs_mu)
		all.Lock()
		funcs.Lock()
		c.unlocks = append(c.unlocks, func() {
			funcs.Unlock()
			all.Unlock()
		})
	}
	all := funcOf[func(unsafe.Pointer) func(func(typ unsafe.Pointer, m any) bool)](&rt.unique_all)
	remove := funcOf[func(m, typ unsafe.Pointer, old any) bool](&rt.unique_delete)
	c.weak = append(c.weak, region{uintptr(rt.unique_maps), uintptr(rt.unique_maps_size)})
	if uniqueMap() == nil {
		return
	}
	c.unique = all(uniqueMap())
	c.unique(func(typ unsafe.Pointer, m any) bool {
		if typeMentions(typeAt(typ), c.going) {
			c.uniqueGone = append(c.uniqueGone, uniqueEntry{typ, m})
		}
		return true
	})
	// Its goroutine must not find them any more when it goes on.
	c.unlocks = append(c.unlocks, func() {
		for _, e := range c.uniqueGone {
			if c.retired {
				remove(uniqueMap(), e.typ, e.m)
			}
		}
	})
}

// dropUnique has nothing called when unique values turn out to be garbage, of what is code that goes. The world is
// stopped. Should the module stay, a dead value stays in its map until its place is needed.
func (t *tracer) dropUnique() {
	dropUniqueFuncs(t.going)
	if rt.kind_cleanup < 0 {
		return
	}
	for _, mspan := range *(*[]unsafe.Pointer)(rt.allspans) {
		for s := *pointerAt(mspan, rt.mspan_specials); s != nil; s = *pointerAt(s, rt.special_next) {
			if isCleanup(s) && dropCleanup(t.going, s) {
				t.cleanups.push(cleanup{*wordAt(mspan, rt.mspan_start), s})
			}
		}
	}
}

func dropUniqueFuncs(going parts) {
	if rt.unique_cleanup_funcs == nil {
		return
	}
	funcs := (*[]func())(rt.unique_cleanup_funcs)
	keep := (*funcs)[:0]
	for _, f := range *funcs {
		if !going.captured(*(*unsafe.Pointer)(unsafe.Pointer(&f)), 0) {
			keep = append(keep, f)
		}
	}
	clear((*funcs)[len(keep):])
	*funcs = keep
}

// A cleanup is what the runtime notes of an object that one belongs to: where the object's span begins, and the note.
type cleanup struct {
	span uintptr
	note unsafe.Pointer
}

// isThere tells whether the note is still one: the cleanup has not been called, nor is it about to be.
func (c cleanup) isThere() bool {
	mspan := funcOf[func(uintptr) unsafe.Pointer](&rt.span_of_heap)(c.span)
	if mspan == nil {
		return false
	}
	for s := *pointerAt(mspan, rt.mspan_specials); s != nil; s = *pointerAt(s, rt.special_next) {
		if s == c.note {
			return isCleanup(s)
		}
	}
	return false
}

func isCleanup(special unsafe.Pointer) bool {
	return C.int32_t(*(*byte)(unsafe.Add(special, rt.special_kind))) == rt.kind_cleanup
}

// dropCleanup makes a cleanup do nothing where it is unique's, and theirs that go: a function, or since Go 1.26 an
// adapter that is called with a function and its argument.
func dropCleanup(going parts, special unsafe.Pointer) bool {
	funcs := unsafe.Slice((*unsafe.Pointer)(unsafe.Add(special, rt.special_size)), rt.cleanup_funcs)
	theirs, unique := false, false
	for _, fn := range funcs {
		theirs = theirs || going.captured(fn, 1)
		unique = unique || isUnique(fn, 1)
	}
	if !theirs || !unique {
		return false
	}
	nothing := func(_, _ unsafe.Pointer) {}
	for i := range funcs {
		*(*uintptr)(unsafe.Pointer(&funcs[i])) = *(*uintptr)(unsafe.Pointer(&nothing)) // no memory of the collector's
	}
	return true
}

// captured tells whether a function value is theirs: its code, or what it has captured, down to a depth.
func (ps parts) captured(fn unsafe.Pointer, depth int) bool {
	if ps.hold(uintptr(fn)) {
		return true
	}
	for _, w := range wordsOf(fn) {
		if ps.hold(w) || depth > 0 && ps.captured(*(*unsafe.Pointer)(unsafe.Pointer(&w)), depth-1) {
			return true
		}
	}
	return false
}

func isUnique(fn unsafe.Pointer, depth int) bool {
	words := wordsOf(fn)
	if len(words) == 0 {
		return false
	}
	if strings.HasPrefix(nameOf(words[0]), "unique.") {
		return true
	}
	for _, w := range words[1:] {
		if depth > 0 && isUnique(*(*unsafe.Pointer)(unsafe.Pointer(&w)), depth-1) {
			return true
		}
	}
	return false
}

// nameOf is the name of the function that starts at an address, as the runtime finds it. Unlike runtime.FuncForPC it
// allocates nothing.
func nameOf(entry uintptr) string {
	md := moduleAt(entry)
	if md == nil {
		return ""
	}
	i, found := functionAt(md, entry)
	if !found {
		return ""
	}
	table := *(*[]byte)(unsafe.Add(md, rt.moduledata_pclntable))
	names := *(*[]byte)(unsafe.Add(md, rt.moduledata_funcnametab))
	fn := unsafe.Pointer(&table[functab(md)[i].funcoff])
	name := unsafe.Pointer(&names[*(*int32)(unsafe.Add(fn, rt.func_name))])
	n := 0
	for *(*byte)(unsafe.Add(name, n)) != 0 {
		n++
	}
	return unsafe.String((*byte)(name), n)
}

// wordsOf is the heap object that p points into, or what there is of it up to 512 bytes; nil when it is none.
func wordsOf(p unsafe.Pointer) []uintptr {
	mspan := funcOf[func(uintptr) unsafe.Pointer](&rt.span_of_heap)(uintptr(p))
	if mspan == nil {
		return nil
	}
	size := *wordAt(mspan, rt.mspan_elemsize)
	offset := (uintptr(p) - *wordAt(mspan, rt.mspan_start)) % size
	return unsafe.Slice((*uintptr)(unsafe.Add(p, -int(offset))), min(size, 512)/word)
}
