package host

/*
#include <stdlib.h>
#include "runtime.h"
*/
import "C"

import (
	"reflect"
	"unsafe"
)

// Where a program converts one interface to another, the runtime makes the itab that it needs, in memory that it never
// gives back (runtime/iface.go, getitab). Each load of a module would cost some of that for ever. So when a module has
// gone, C is told of its itabs, by which types they were for; and when a module comes that has types of those names,
// the same itabs are made for them in the same memory, before anybody asks for them.

// report hands C the itabs of what goes, which nobody refers to any more. C frees the list.
func report(r *C.struct_gl_retired, itabs []deadItab) {
	if len(itabs) == 0 {
		return
	}
	p := (*C.struct_gl_itab)(C.calloc(C.size_t(len(itabs)), C.size_t(unsafe.Sizeof(C.struct_gl_itab{}))))
	if p == nil {
		return
	}
	r.itabs, r.nitabs = p, C.size_t(len(itabs))
	list := unsafe.Slice(p, len(itabs))
	for i, m := range itabs {
		list[i] = C.struct_gl_itab{memory: C.uintptr_t(m.at), inter: C.uintptr_t(m.inter), _type: C.uintptr_t(m.typ),
			methods: C.size_t(typeAt(pointerTo(m.inter)).NumMethod())}
	}
}

// A deadItab is one that the runtime has made for what goes.
type deadItab struct{ at, inter, typ uintptr }

func pointerTo(p uintptr) unsafe.Pointer { return unsafe.Add(unsafe.Pointer(nil), p) }

// goloader_make_itabs makes itabs where others were, for the same interfaces and types by name. What can't be made so,
// or is there already, isn't: its memory stays to be used.
//
//export goloader_make_itabs
func goloader_make_itabs(itabs *C.struct_gl_itab, n C.size_t) {
	modules.Lock()
	defer modules.Unlock()
	all := unsafe.Slice(itabs, n)
	fits := make([]bool, n)
	for i, m := range all {
		inter := typeAt(pointerTo(uintptr(m.inter)))
		hasMethods := *(*uint8)(unsafe.Add(pointerTo(uintptr(m._type)), rt.type_tflag))&uint8(rt.tflag_uncommon) != 0
		fits[i] = hasMethods && inter.Kind() == reflect.Interface && inter.NumMethod() == int(m.methods) && m.methods > 0
	}
	find := funcOf[func(table, inter, typ unsafe.Pointer) unsafe.Pointer](&rt.itab_find)
	// an older one has no second parameter
	initialise := funcOf[func(itab unsafe.Pointer, first bool) string](&rt.itab_init)
	lock := funcOf[func(unsafe.Pointer)](&rt.lock)
	unlock := funcOf[func(unsafe.Pointer)](&rt.unlock)
	lock(rt.itab_lock)
	for i := range all {
		m := &all[i]
		inter, typ, itab := pointerTo(uintptr(m.inter)), pointerTo(uintptr(m._type)), pointerTo(uintptr(m.memory))
		if !fits[i] || find(*(*unsafe.Pointer)(rt.itab_table), inter, typ) != nil {
			continue
		}
		clear(unsafe.Slice((*byte)(itab), uintptr(rt.itab_size)+uintptr(m.methods-1)*word))
		*wordAt(itab, rt.itab_inter), *wordAt(itab, rt.itab_type) = uintptr(m.inter), uintptr(m._type)
		initialise(itab, true)
		addItab(itab)
		m.is_made = 1
	}
	unlock(rt.itab_lock)
}
