package host

/*
#include "call.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"unsafe"
)

// What Lua does not copy stays in Go, and Lua has a handle of it: a number, under which this file keeps the value alive
// until Lua has no use for it any more.
//
// A handle stands for a variable. A handle of a pointer stands for what that points to; a handle of anything else for a
// variable of its own, or for the part of another one, a field or an element, which it was read from.

// A held is what a handle stands for.
type held struct {
	class *class
	p     unsafe.Pointer // to a variable of the type class.typ
	gen   uint32
	kind  heldKind
	used  bool // somebody has asked for it since forgetUses
}

type heldKind uint8

const (
	heldNothing  heldKind = iota // released
	heldValue                    // of a class
	heldError                    // what an error table was made of: p is an *error
	heldIterator                 // p is an *iterator
	heldDropped                  // its module has gone
)

var handles = struct {
	sync.Mutex
	all     []held
	free    []uint32
	dropped map[uint32]string // types of what was dropped, for messages
}{dropped: map[uint32]string{}}

// goneError is what using a handle panics with that stands for nothing: its type, or "" where Lua has released it.
type goneError string

func hold(c *class, p unsafe.Pointer, kind heldKind) uint64 {
	handles.Lock()
	defer handles.Unlock()
	var i uint32
	if n := len(handles.free); n > 0 {
		i = handles.free[n-1]
		handles.free = handles.free[:n-1]
	} else {
		i = uint32(len(handles.all))
		handles.all = append(handles.all, held{})
	}
	h := &handles.all[i]
	h.class, h.p, h.kind = c, p, kind
	return uint64(h.gen)<<32 | uint64(i+1)
}

// find is what a handle stands for, if it still does.
func find(id uint64) (held, bool) {
	handles.Lock()
	defer handles.Unlock()
	if i := uint32(id) - 1; i < uint32(len(handles.all)) {
		handles.all[i].used = true
		h := handles.all[i]
		return h, h.gen == uint32(id>>32) && h.kind != heldNothing && h.kind != heldDropped
	}
	return held{}, false
}

// lookup is the same where it has to.
func lookup(id uint64) held {
	h, ok := find(id)
	if !ok {
		handles.Lock()
		defer handles.Unlock()
		panic(goneError(handles.dropped[uint32(id)-1]))
	}
	return h
}

// heldErrorOf is the Go value of an error table, which may be without one: then it is an error that says the same.
func heldErrorOf(id uint64, message string) error {
	if h, ok := find(id); ok && h.kind == heldError {
		return *(*error)(h.p)
	}
	return errors.New(message)
}

func holdError(err error) uint64 {
	kept := new(error)
	*kept = err
	return hold(nil, unsafe.Pointer(kept), heldError)
}

// goloader_release gives back handles that Lua has no use for any more.
//
//export goloader_release
func goloader_release(ids *C.uint64_t, n C.size_t) {
	release(unsafe.Slice((*uint64)(ids), n))
}

func release(ids []uint64) {
	var ranged []*sequence
	defer func() {
		for _, s := range ranged {
			s.leave()
		}
	}()
	handles.Lock()
	defer handles.Unlock()
	for _, id := range ids {
		i := uint32(id) - 1
		h := &handles.all[i]
		if h.gen == uint32(id>>32) && h.kind != heldNothing {
			switch h.kind {
			case heldDropped:
				delete(handles.dropped, i)
			case heldIterator:
				if s := (*iterator)(h.p).sequence; s != nil {
					ranged = append(ranged, s)
				}
			}
			*h = held{gen: h.gen + 1}
			handles.free = append(handles.free, i)
		}
	}
}

// goloader_handle_count is the number of handles that Lua has.
//
//export goloader_handle_count
func goloader_handle_count() C.size_t {
	handles.Lock()
	defer handles.Unlock()
	return C.size_t(len(handles.all) - len(handles.free))
}

// ---- into handles -----------------------------------------------------------------------------------------------

// handle writes a new handle of class c.
func (w *writer) handle(c *class, p unsafe.Pointer) {
	w.word(w.count(hold(c, p, heldValue)))
	w.word(c.id)
}

// count takes notice of a handle that is written next.
func (w *writer) count(id uint64) uint64 {
	w.handles = append(w.handles, id)
	w.places = append(w.places, uint64(w.buffer.len))
	return id
}

// hold writes a new handle of a value, which is no nil pointer.
func (w *writer) hold(v reflect.Value) {
	t := v.Type()
	c := classOf(t)
	if t.Kind() == reflect.Pointer {
		w.handle(c, v.UnsafePointer())
		return
	}
	p := setup.new(descriptor(t))
	value(t, p).Set(v)
	w.handle(c, p)
}

// goloader_ref makes a handle of a variable.
//
//export goloader_ref
func goloader_ref(c *C.struct_gl_call) {
	guard(&c.status, c.out, func() {
		n := planOf(c.plan).results[0].node
		if n.typ == nil {
			n.refuse()
		}
		w := writer{buffer: c.out}
		w.handle(classOf(reflect.PointerTo(n.typ)), c.addr)
		w.tail()
	})
}

// goloader_make makes a handle of a new variable of the type whose descriptor addr is, or of a value of the class whose
// number plan is.
//
//export goloader_make
func goloader_make(c *C.struct_gl_call) {
	guard(&c.status, c.out, func() {
		w := writer{buffer: c.out}
		if c.addr == nil {
			of := classByID(c.plan)
			w.handle(of, setup.new(descriptor(of.typ)))
		} else {
			w.handle(classOf(reflect.PointerTo(typeAt(c.addr))), setup.new(c.addr))
		}
		w.tail()
	})
}

// encodeHandle writes a value that stays in Go.
func (n *node) encodeHandle(w *writer, p unsafe.Pointer) {
	switch n.typ.Kind() {
	case reflect.Struct, reflect.Map:
	case reflect.Interface:
		if v := value(n.typ, p).Elem(); v.IsValid() && !isNil(v) {
			w.hold(v)
		} else {
			w.word(0)
		}
		return
	default:
		if *(*unsafe.Pointer)(p) == nil {
			w.word(0)
			return
		}
	}
	if n.class == nil {
		n.class = classOf(n.typ)
	}
	if n.typ.Kind() == reflect.Pointer {
		w.handle(n.class, *(*unsafe.Pointer)(p))
		return
	}
	q := n.alloc()
	value(n.typ, q).Set(value(n.typ, p))
	w.handle(n.class, q)
}

// keep writes the value of the variable at p as it is seen inside of what stays in Go: what has parts is a handle on
// itself, everything else is as it always is. whole: bytes are parts, too.
func (n *node) keep(w *writer, p unsafe.Pointer, whole bool) {
	switch n.kind {
	case C.GL_KIND_BYTES:
		if !whole {
			n.encode(w, p)
			return
		}
	case C.GL_KIND_SLICE, C.GL_KIND_ARRAY, C.GL_KIND_MAP, C.GL_KIND_STRUCT:
	case C.GL_KIND_HANDLE:
		if k := n.typ.Kind(); k != reflect.Struct && k != reflect.Map {
			n.encode(w, p)
			return
		}
	case C.GL_KIND_POINTER:
		q := *(*unsafe.Pointer)(p)
		switch {
		case q == nil:
			w.word(0)
		case n.typ != nil:
			w.handle(classOf(n.typ), q)
		case n.elem.typ != nil:
			w.handle(classOf(reflect.PointerTo(n.elem.typ)), q)
		default:
			n.refuse()
		}
		return
	case C.GL_KIND_ANY:
		w.keepAny(value(n.shape(), p).Elem())
		return
	default:
		n.encode(w, p)
		return
	}
	if n.typ == nil {
		n.refuse()
	}
	if n.class == nil {
		n.class = classOf(n.typ)
	}
	w.handle(n.class, p)
}

func (n *node) refuse() {
	panic(carryError(n.name + " has no handles: nothing in this process describes the type"))
}

func (w *writer) keepAny(v reflect.Value) {
	switch {
	case !v.IsValid(), v.Kind() <= reflect.Complex128, v.Kind() == reflect.String, v.Type() == timeType, isNil(v),
		asError(v) != nil:
		w.any(v)
	default:
		w.word(C.GL_TAG_HANDLE)
		w.hold(v)
	}
}

// ---- out of handles ---------------------------------------------------------------------------------------------

// self is the value that the handle was made of.
func (h *held) self() reflect.Value {
	if h.kind != heldValue {
		panic(carryError("an iterator is for pairs alone"))
	}
	if h.class.isPointer {
		return value(h.class.pointer(), unsafe.Pointer(&h.p))
	}
	return value(h.class.typ, h.p)
}

// as is the value as type t: what a handle stands for, or a pointer to it. It is not valid where neither fits.
func (h *held) as(t reflect.Type) reflect.Value {
	if h.kind == heldError {
		v := reflect.ValueOf((*error)(h.p)).Elem()
		if !v.Type().AssignableTo(t) {
			v = v.Elem()
		}
		if v.Type().AssignableTo(t) {
			return v
		}
		return reflect.Value{}
	}
	if h.kind != heldValue {
		return reflect.Value{}
	}
	if v := h.self(); v.Type().AssignableTo(t) {
		return v
	}
	if h.class.isPointer || t.Kind() == reflect.Interface && t.NumMethod() == 0 {
		if v := value(h.class.typ, h.p); v.Type().AssignableTo(t) {
			return v
		}
	} else if v := value(h.class.pointer(), unsafe.Pointer(&h.p)); v.Type().AssignableTo(t) {
		return v
	}
	return reflect.Value{}
}

// take reads the number of a handle, and sets the variable of type n at p to its value.
func (n *node) take(r *reader, p unsafe.Pointer) {
	h := lookup(r.word())
	if h.isPointerTo(n) {
		*(*unsafe.Pointer)(p) = h.p
		return
	}
	v := h.as(n.shape())
	if !v.IsValid() || n.typ == nil {
		panic(carryError(h.name() + " is no " + n.name)) // only when it was another one just now
	}
	value(n.typ, p).Set(v)
}

// classed reads a value of a class: what a table is that has its methods.
func (r *reader) classed() held {
	c := classByID(C.uint64_t(r.word()))
	c.open()
	h := held{kind: heldValue, class: c, p: c.value.alloc()}
	c.value.decode(r, h.p)
	return h
}

// takeClassed sets the variable of the interface n at p to such a value, or to a pointer to it where only that has the
// methods.
func (n *node) takeClassed(r *reader, p unsafe.Pointer) {
	h := r.classed()
	v := h.as(n.shape())
	if !v.IsValid() || n.typ == nil {
		r.fail(fmt.Sprintf("%s expected, got a table that is a %s", n.name, h.name()))
	}
	value(n.typ, p).Set(v)
}

// isPointerTo tells the most common case from the others: a handle of a pointer, where that pointer is wanted.
func (h *held) isPointerTo(n *node) bool {
	return h.kind == heldValue && h.class.isPointer && h.class.self == n.typ
}

// decodePointer reads a pointer that stays in Go.
func (n *node) decodePointer(r *reader) unsafe.Pointer {
	if int(r.w[r.at]) == byHandle {
		if h := lookup(uint64(r.w[r.at+1])); h.isPointerTo(n) {
			r.at += 2
			return h.p
		}
	}
	p := n.alloc()
	n.decode(r, p)
	return *(*unsafe.Pointer)(p)
}

func (h *held) name() string {
	if h.kind == heldError {
		return reflect.TypeOf(*(*error)(h.p)).String()
	}
	return h.class.self.String()
}
