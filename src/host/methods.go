package host

/*
#include "call.h"
*/
import "C"

import (
	"reflect"
	"unsafe"
)

// Methods are found as reflect finds them, but not by it: reflect.Type.Method makes a function type that has the
// receiver as a parameter, and keeps it for ever.

// A method is an internal/abi.Method: offsets from where its type's module has them.
type method struct {
	name, typ int32
	ifn, tfn  int32 // code: called by way of an interface, or directly
}

// isThere tells whether the linker has kept the method. Its code may well be the first of a module's, at offset 0.
func (m *method) isThere() bool { return m.typ != 0 && m.typ != -1 && m.tfn != -1 }

// nameOf reads an internal/abi.Name: a byte of flags, the length in bytes of seven bits, then the name.
func (m *method) nameOf(t unsafe.Pointer) string {
	p := setup.resolveName(t, m.name)
	n, shift, i := 0, 0, uintptr(1)
	for ; ; i++ {
		b := *(*uint8)(unsafe.Add(p, i))
		n |= int(b&0x7f) << shift
		if shift += 7; b < 0x80 {
			break
		}
	}
	return unsafe.String((*byte)(unsafe.Add(p, i+1)), n)
}

// receivers are the types whose methods a class's handles have: pointers to what they stand for, before that itself.
func (c *class) receivers() (types [2]reflect.Type) {
	if c.isPointer || c.typ.Name() != "" {
		types[0] = c.pointer()
	}
	if c.typ.Kind() != reflect.Interface {
		types[1] = c.typ
	}
	return types
}

func (c *class) hasMethods() bool {
	for _, t := range c.receivers() {
		if t != nil && len(setup.exportedMethods(descriptor(t))) > 0 {
			return true
		}
	}
	return false
}

// method finds a method, and the type that it is a method of.
func (c *class) method(name string) (*method, reflect.Type) {
	for _, t := range c.receivers() {
		if t == nil {
			continue
		}
		if m, t := methodNamed(t, name); m != nil {
			return m, t
		}
	}
	return nil, nil
}

func methodNamed(t reflect.Type, name string) (*method, reflect.Type) {
	methods := setup.exportedMethods(descriptor(t))
	for i := range methods {
		if m := &methods[i]; m.isThere() && m.nameOf(descriptor(t)) == name {
			return m, t
		}
	}
	return nil, nil
}

// ---- tables that have methods -------------------------------------------------------------------------------------

const (
	keepsMethods = iota + 1
	keepsNone
)

// isTable tells whether values of the type are tables in Lua. A struct with state that a table lacks is a handle, which
// has methods of its own.
func isTable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		return t != timeType && !hides(t)
	case reflect.Slice:
		return t.Elem().Kind() != reflect.Uint8
	case reflect.Map:
		return canBeKey(t.Key())
	}
	return t.Kind() == reflect.Array
}

// methodsOf is the number of the class whose methods tables of a type have; 0 where they have none.
func methodsOf(t reflect.Type) uint64 {
	switch t.Kind() {
	case reflect.Struct, reflect.Slice, reflect.Map, reflect.Array:
	default:
		return 0
	}
	if t.Name() == "" {
		return 0
	}
	c := classOf(t)
	if c.keeps.Load() == 0 {
		keeps := int32(keepsNone)
		if isTable(t) && c.hasMethods() {
			keeps = keepsMethods
		}
		c.keeps.Store(keeps)
	}
	if c.keeps.Load() == keepsNone {
		return 0
	}
	return c.id
}

// isFlat tells whether a copy of a value by way of Lua shares all that the value shares with others: without a slice, a
// map, or a pointer to what is copied as well.
func (n *node) isFlat() bool {
	switch n.kind {
	case C.GL_KIND_BYTES, C.GL_KIND_SLICE, C.GL_KIND_MAP, C.GL_KIND_POINTER, C.GL_KIND_ANY:
		return false
	case C.GL_KIND_ARRAY:
		return n.elem.isFlat()
	case C.GL_KIND_STRUCT:
		for _, f := range n.fields {
			if !f.isFlat() {
				return false
			}
		}
	}
	return true
}

// goloader_methods lists the methods of a class's values, or of a type that is declared.
//
//export goloader_methods
func goloader_methods(req *C.struct_gl_methods_request) {
	guard(&req.status, req.out, func() {
		var c *class
		if req.id != 0 {
			c = classByID(req.id)
		} else {
			c = &class{typ: typeAt(req.descriptor)}
			c.self = c.typ
		}
		w := writer{buffer: req.out}
		w.string(c.typ.String())
		if c.typ.Kind() == reflect.Interface {
			w.bool(false)
			w.interfaceMethods(c.typ)
			return
		}
		isFlat := false
		if req.id != 0 {
			c.open()
			isFlat = c.value.isFlat()
		}
		w.bool(isFlat)
		w.methods(c)
	})
}

func (w *writer) interfaceMethods(t reflect.Type) {
	at, n := w.buffer.len, uint64(0)
	w.word(0)
	for i := 0; i < t.NumMethod(); i++ {
		if m := t.Method(i); m.IsExported() {
			w.string(m.Name)
			w.string(m.Type.String())
			w.bool(true)
			n++
		}
	}
	w.patch(at, n)
}

func (w *writer) methods(c *class) {
	at, n := w.buffer.len, uint64(0)
	w.word(0)
	t := c.pointer()
	for _, m := range setup.exportedMethods(descriptor(t)) {
		if !m.isThere() {
			continue
		}
		name := m.nameOf(descriptor(t))
		byValue, _ := methodNamed(c.typ, name)
		w.string(name)
		w.string(typeAt(setup.resolveType(descriptor(t), m.typ)).String())
		w.bool(byValue != nil)
		n++
	}
	w.patch(at, n)
}

// goloader_method finds a method, and plans its calls.
//
//export goloader_method
func goloader_method(req *C.struct_gl_method_request) {
	guard(&req.status, req.out, func() {
		if req.handle != 0 {
			lookup(uint64(req.handle))
		}
		c := classByID(req.id)
		if req.len == 0 {
			if c.typ.Kind() == reflect.Func {
				planFunc(req, nil, c.typ)
			}
			return
		}
		name := unsafe.String((*byte)(unsafe.Pointer(req.name)), int(req.len))
		m, t := c.method(name)
		if req.by_value {
			m, t = methodNamed(c.typ, name)
		}
		if m != nil {
			req.addr, req.by_pointer = setup.resolveText(descriptor(t), m.tfn), C.bool(t == c.pointer())
			planFunc(req, t, typeAt(setup.resolveType(descriptor(t), m.typ)))
		}
	})
}

// planFunc plans calls of a function of type t, or of a method, which has a receiver as well.
func planFunc(req *C.struct_gl_method_request, receiver, t reflect.Type) {
	c := newCompiler(nil)
	var params, results []*node
	if receiver != nil {
		params = append(params, c.typ(receiver))
	}
	for i := 0; i < t.NumIn(); i++ {
		params = append(params, c.typ(t.In(i)))
	}
	for i := 0; i < t.NumOut(); i++ {
		results = append(results, c.typ(t.Out(i)))
	}
	c.borrow(req, params, results)
	w := writer{buffer: req.out}
	w.bool(t.IsVariadic())
	w.string(t.String())
}
