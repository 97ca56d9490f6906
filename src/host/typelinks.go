package host

/*
#include <stdlib.h>
#include "runtime.h"
*/
import "C"

import (
	"reflect"
	"sort"
	"sync/atomic"
	"unsafe"
)

// Who asks reflect for a type that the compiler may have made (*T, []T, func(T)) must get that one. reflect looks for
// it by its string, in a sorted list that each moduledata has (typesByString). A thousand modules would be a thousand
// lists to look through, and a thousand moduledatas for the collector to look at. So the types of small modules are in
// lists that many of them share, each of a moduledata that has nothing else.
//
// The runtime reads such a list without a lock: up to Go 1.26 a slice in the moduledata, of offsets. Its three words
// can't be changed at once, so that only one of them ever is: there is a new array for each change, of the same length,
// and the last type fills what is left of it. Go's collector has the old one for as long as somebody looks through it.

// mostTypes is how long a list is, and at least as many as a small module may have (src/link/lookup.h).
const mostTypes = 512

// A typeList is one list.
type typeList struct {
	moduledata unsafe.Pointer
	types      []uintptr // up to Go 1.26 as many as there are, sorted by string
	offsets    []int32   // the same as the runtime has it
	pointers   []unsafe.Pointer
}

// typeLists are all lists; modules is locked.
var typeLists []*typeList

// addTypes has reflect find a module's types, which are sorted by string.
func addTypes(types []unsafe.Pointer) {
	if len(types) == 0 {
		return
	}
	for _, l := range typeLists {
		if len(l.types)+len(types) <= mostTypes {
			l.add(types)
			return
		}
	}
	md := C.calloc(1, C.size_t(rt.moduledata_size))
	if md == nil {
		panic("goloader: out of memory for a list of types")
	}
	*wordAt(md, rt.moduledata_types) = uintptr(rt.arena_low)
	l := &typeList{moduledata: md}
	typeLists = append(typeLists, l)
	l.add(types)
	link(md)
}

func typeString(typ uintptr) string { return typeAt(pointerTo(typ)).String() }

func (l *typeList) add(types []unsafe.Pointer) {
	merged := make([]uintptr, 0, len(l.types)+len(types))
	rest := l.types
	for _, typ := range types {
		name := typeString(uintptr(typ))
		n := sort.Search(len(rest), func(i int) bool { return typeString(rest[i]) >= name })
		merged = append(append(merged, rest[:n]...), uintptr(typ))
		rest = rest[n:]
	}
	l.types = append(merged, rest...)
	l.tell()
}

// tell has the runtime see the list as it is now.
func (l *typeList) tell() {
	if rt.moduledata_typelinks >= 0 {
		offsets := make([]int32, mostTypes)
		l.fill(offsets)
		slice := unsafe.Add(l.moduledata, rt.moduledata_typelinks)
		atomic.StoreUintptr((*uintptr)(slice), uintptr(unsafe.Pointer(unsafe.SliceData(offsets))))
		*wordAt(slice, C.int32_t(word)), *wordAt(slice, 2*C.int32_t(word)) = mostTypes, mostTypes
		l.offsets = offsets // now: as long as the runtime may come to the old one, the collector has to know it
		return
	}
	l.pointers = make([]unsafe.Pointer, len(l.types))
	for i, typ := range l.types {
		l.pointers[i] = pointerTo(typ)
	}
	lock := funcOf[func(unsafe.Pointer)](&rt.lock)
	unlock := funcOf[func(unsafe.Pointer)](&rt.unlock)
	lock(rt.module_to_typelinks_lock)
	known := (*map[unsafe.Pointer][]unsafe.Pointer)(rt.module_to_typelinks)
	if *known == nil {
		*known = map[unsafe.Pointer][]unsafe.Pointer{}
	}
	(*known)[l.moduledata] = l.pointers
	unlock(rt.module_to_typelinks_lock)
}

// fill writes the offsets. Where there is no type any more it is one of the host's.
func (l *typeList) fill(offsets []int32) {
	last := uintptr(descriptor(reflect.TypeOf((*int)(nil))))
	for i := range offsets {
		if i < len(l.types) {
			last = l.types[i]
		}
		offsets[i] = int32(last - uintptr(rt.arena_low))
	}
}

// dropTypes takes out what goes. The world is stopped, and nobody is looking through a list.
func (t *tracer) dropTypes() {
	for _, l := range typeLists {
		n := 0
		for _, typ := range l.types {
			if !t.goes(typ) {
				l.types[n] = typ
				n++
			}
		}
		if n < len(l.types) {
			l.types = l.types[:n]
			l.fill(l.offsets)
		}
	}
}

// forgetTypelinks drops what Go 1.27's runtime.moduleTypelinks remembers: of a module, by its moduledata's address, and
// in lists, which have fewer types now.
func forgetTypelinks(going parts) {
	if rt.module_to_typelinks == nil {
		return
	}
	lock := funcOf[func(unsafe.Pointer)](&rt.lock)
	unlock := funcOf[func(unsafe.Pointer)](&rt.unlock)
	lock(rt.module_to_typelinks_lock)
	for i := range going {
		delete(*(*map[unsafe.Pointer][]unsafe.Pointer)(rt.module_to_typelinks), going[i].moduledata)
	}
	unlock(rt.module_to_typelinks_lock)
	for _, l := range typeLists {
		if len(l.types) < len(l.pointers) {
			l.tell()
		}
	}
}
