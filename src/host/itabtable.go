package host

/*
#include <stdlib.h>
#include "runtime.h"
*/
import "C"

import (
	"sync/atomic"
	"unsafe"
)

// The runtime finds itabs in a hash table that it only ever adds to (runtime/iface.go, itabTableType). It probes: a
// hole where an itab was would hide those behind it. To fill the table anew takes time for each itab of all modules. So
// the place of one that goes is taken by an itab which nobody looks for, until one of a module comes by that can have
// the place: often the next version's, for which the hashes are the same.
//
// A table that grows takes over each itab once, and the runtime checks that it has as many then as it had: all such
// places count as one.

// nobodys is that itab, and in how many places of which table it is.
var nobodys struct {
	itab   unsafe.Pointer
	table  unsafe.Pointer
	places uintptr
}

// makeNobodys makes an itab of an interface type that is nowhere else: a copy.
func makeNobodys() {
	const size, interSize = 128, 80 // of an abi.InterfaceType
	inter := C.calloc(2, size)
	if inter == nil {
		panic("goloader: out of memory for an itab")
	}
	copy(unsafe.Slice((*byte)(inter), interSize), unsafe.Slice((*byte)(descriptor(errorType)), interSize))
	itab := unsafe.Add(inter, size)
	*wordAt(itab, rt.itab_inter), *wordAt(itab, rt.itab_type) = uintptr(inter), uintptr(descriptor(timeType))
	nobodys.itab = itab
}

// An itabTable is the runtime's, as it is now. Its lock is held, or the world is stopped.
type itabTable struct {
	table   unsafe.Pointer
	entries []uintptr
}

func openItabs() itabTable {
	table := *(*unsafe.Pointer)(rt.itab_table)
	if nobodys.table != table {
		nobodys.table = table
		nobodys.places = min(nobodys.places, 1) // it has grown
	}
	return itabTable{table, unsafe.Slice((*uintptr)(unsafe.Add(table, rt.table_entries)), *wordAt(table, rt.table_size))}
}

// hashOf is a type's hash.
func hashOf(typ uintptr) uint32 { return *(*uint32)(unsafe.Add(pointerTo(typ), rt.type_hash)) }

// probe calls do for the places where an itab may be, until it says that it is done.
func (t itabTable) probe(itab uintptr, do func(entry *uintptr) bool) {
	mask := uintptr(len(t.entries)) - 1
	p := pointerTo(itab)
	h := uintptr(hashOf(*wordAt(p, rt.itab_inter))^hashOf(*wordAt(p, rt.itab_type))) & mask // runtime.itabHashFunc
	for step := uintptr(1); !do(&t.entries[h]); step++ {
		h = (h + step) & mask
	}
}

// count notes that so many itabs came, of which so many in places of nobody's.
func (t itabTable) count(came, places int) {
	count := wordAt(t.table, rt.table_count)
	*count -= min(nobodys.places, 1)
	nobodys.places -= uintptr(places)
	*count += uintptr(came) + min(nobodys.places, 1)
}

// addItab is runtime.itabAdd. The table's lock is held.
func addItab(itab unsafe.Pointer) {
	t := openItabs()
	var place *uintptr
	if nobodys.places > 0 {
		t.probe(uintptr(itab), func(entry *uintptr) bool {
			if place == nil && *entry == uintptr(nobodys.itab) {
				place = entry
			}
			if *entry == uintptr(itab) {
				place = nil
			}
			return *entry == 0 || *entry == uintptr(itab)
		})
	}
	if place == nil {
		funcOf[func(unsafe.Pointer)](&rt.itab_add)(itab)
		return
	}
	atomic.StoreUintptr(place, uintptr(itab))
	t.count(1, 1)
}

// eachItab calls do for the places of itabs of types of what goes. A static one is only if it goes itself, as modules
// that use others keep these; others the runtime has made. What is not among them, which is nearly all of the table,
// takes a comparison or two.
func (t *tracer) eachItab(do func(entry *uintptr, isStatic bool)) {
	arena := region{uintptr(rt.arena_low), uintptr(rt.arena_high - rt.arena_low)}
	image := region{uintptr(rt.image_low), uintptr(rt.image_high - rt.image_low)}
	pages, entries := t.going.pages(), openItabs().entries
	for i, itab := range entries {
		switch {
		case itab == 0 || image.holds(itab):
		case arena.holds(itab):
			if pages.holds(itab) && t.going.hold(itab) {
				do(&entries[i], true)
			}
		case itab != uintptr(nobodys.itab):
			p := pointerTo(itab)
			if t.goes(*wordAt(p, rt.itab_inter)) || t.goes(*wordAt(p, rt.itab_type)) {
				do(&entries[i], false)
			}
		}
	}
}

// findItabs notes where those are, and which the runtime has made.
func (t *tracer) findItabs() {
	low, high := ^uintptr(0), uintptr(0)
	t.stay.need(*wordAt(*(*unsafe.Pointer)(rt.itab_table), rt.table_count))
	t.eachItab(func(entry *uintptr, isStatic bool) {
		t.places.push(entry)
		if isStatic {
			return
		}
		itab := pointerTo(*entry)
		t.itabs.push(deadItab{*entry, *wordAt(itab, rt.itab_inter), *wordAt(itab, rt.itab_type)})
		low, high = min(low, *entry), max(high, *entry+1)
	})
	if len(t.itabs.all) > 0 {
		t.around = region{low, high - low}
	}
	t.hasPlaces = true
}

// purgeItabs drops every itab that mentions a type of what goes, static ones and those the runtime made. The world is
// stopped: since findItabs, or, where that was called in a copy of the process, for the second time.
func (t *tracer) purgeItabs() {
	const mostPlaces = 16 // a part of the table: more make it slow
	table, found := openItabs(), 0
	drop := func(entry *uintptr, _ bool) {
		*entry = uintptr(nobodys.itab)
		found++
	}
	if t.hasPlaces {
		for _, entry := range t.places.all {
			drop(entry, false)
		}
	} else {
		t.eachItab(drop)
	}
	if found == 0 {
		return
	}
	table.count(-found, -found)
	if nobodys.places > uintptr(len(table.entries))/mostPlaces {
		t.fillItabs(table)
	}
}

// fillItabs fills the table anew.
func (t *tracer) fillItabs(table itabTable) {
	t.stay.empty()
	for _, itab := range table.entries {
		if itab != 0 && itab != uintptr(nobodys.itab) {
			t.stay.push(itab)
		}
	}
	clear(table.entries)
	for _, itab := range t.stay.all {
		table.probe(itab, func(entry *uintptr) bool {
			isFree := *entry == 0
			if isFree {
				*entry = itab
			}
			return isFree
		})
	}
	table.count(0, int(nobodys.places))
}
