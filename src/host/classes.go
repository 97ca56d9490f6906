package host

/*
#include "call.h"
*/
import "C"

import (
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"
)

// A class is what Go knows of the handles of one type: which fields and methods there are, and what travels when they
// are used. Classes are made when the first handle of a type is, and forgotten when the type's module goes.
type class struct {
	id        uint64
	self      reflect.Type // of the values: *shop.Counter
	typ       reflect.Type // of the variables that its handles stand for: shop.Counter
	isPointer bool
	used      use
	keeps     atomic.Int32 // do tables of its values have methods? keepsMethods, or keepsNone; 0: nobody has asked

	opened           sync.Once
	compiler         *compiler
	value, key, elem *node
	fields           []member
}

// A member is a field, of the struct itself or of one that is embedded in it.
type member struct {
	name  string
	steps []uintptr // offsets, with a pointer to be followed between two
	node  *node
}

var classes = struct {
	sync.RWMutex
	byType map[reflect.Type]*class
	byID   map[uint64]*class
	last   uint64 // numbers are never given twice: Lua keeps what it knows of a class by its number
}{byType: map[reflect.Type]*class{}, byID: map[uint64]*class{}}

func classOf(t reflect.Type) *class {
	classes.RLock()
	c := classes.byType[t]
	classes.RUnlock()
	if c != nil {
		return c
	}
	classes.Lock()
	defer classes.Unlock()
	if c = classes.byType[t]; c != nil {
		return c
	}
	classes.last++
	c = &class{id: classes.last, self: t, typ: t, isPointer: t.Kind() == reflect.Pointer}
	c.used.Store(true)
	if c.isPointer {
		c.typ = t.Elem()
	}
	classes.byType[t] = c
	classes.byID[c.id] = c
	return c
}

func classByID(id C.uint64_t) *class {
	classes.RLock()
	defer classes.RUnlock()
	c := classes.byID[uint64(id)]
	if c == nil {
		panic(carryError("the module of this handle's type was unloaded"))
	}
	c.used.note()
	return c
}

// pointer is the type of pointers to what the handles stand for. It may be one that reflect makes.
func (c *class) pointer() reflect.Type {
	if c.isPointer {
		return c.self
	}
	return reflect.PointerTo(c.typ)
}

func (c *class) shape() C.enum_gl_shape {
	switch c.typ.Kind() {
	case reflect.Struct:
		return C.GL_SHAPE_STRUCT
	case reflect.Slice, reflect.Array:
		return C.GL_SHAPE_LIST
	case reflect.Map:
		return C.GL_SHAPE_MAP
	case reflect.Chan:
		return C.GL_SHAPE_CHAN
	case reflect.Func:
		if n := valuesOf(c.typ); n >= 0 {
			return C.GL_SHAPE_SEQ + C.enum_gl_shape(n)
		}
		return C.GL_SHAPE_FUNC
	}
	return C.GL_SHAPE_OTHER
}

// open compiles the types of what is in it.
func (c *class) open() {
	c.opened.Do(func() {
		c.compiler = newCompiler(nil)
		switch c.typ.Kind() {
		case reflect.Struct:
			c.openFields()
		case reflect.Map:
			c.key, c.elem = c.compiler.typ(c.typ.Key()), c.compiler.typ(c.typ.Elem())
		case reflect.Slice, reflect.Array, reflect.Chan:
			c.elem = c.compiler.typ(c.typ.Elem())
		case reflect.Func:
			c.openValues(valuesOf(c.typ))
		}
		// What is set as a whole is made of the table that an argument is made of.
		c.value = c.compiler.typ(c.typ)
		c.compiler.check()
	})
}

// openValues compiles what a function to range over yields: the last of n values is the element.
func (c *class) openValues(n int) {
	if n == 2 {
		c.key = c.compiler.typ(c.typ.In(0).In(0))
	}
	if n > 0 {
		c.elem = c.compiler.typ(c.typ.In(0).In(n - 1))
	}
}

func (c *class) openFields() {
	for _, f := range reflect.VisibleFields(c.typ) {
		if !f.IsExported() {
			continue
		}
		m := member{name: f.Name, steps: []uintptr{0}, node: c.compiler.typ(f.Type)}
		t := c.typ
		for _, i := range f.Index {
			if t.Kind() == reflect.Pointer {
				t = t.Elem()
				m.steps = append(m.steps, 0)
			}
			step := t.Field(i)
			m.steps[len(m.steps)-1] += step.Offset
			t = step.Type
		}
		c.fields = append(c.fields, m)
	}
}

// offset is where the field lies in the struct, -1 where a pointer leads to it.
func (m *member) offset() uint64 {
	if len(m.steps) > 1 {
		return ^uint64(0)
	}
	return uint64(m.steps[0])
}

// find finds the field in the struct at p; nil where the struct that has it is embedded by a pointer, which is nil.
func (m *member) find(p unsafe.Pointer) unsafe.Pointer {
	for i, off := range m.steps {
		if i > 0 {
			if p = *(*unsafe.Pointer)(p); p == nil {
				return nil
			}
		}
		p = unsafe.Add(p, off)
	}
	return p
}

// at is the same for a field that has to be there.
func (m *member) at(p unsafe.Pointer) unsafe.Pointer {
	if p = m.find(p); p == nil {
		panic(carryError("no " + m.name + ": the struct that has it is embedded by a pointer, which is nil"))
	}
	return p
}

//export goloader_class
func goloader_class(req *C.struct_gl_class_request) {
	guard(&req.status, req.out, func() {
		if req.handle != 0 {
			lookup(uint64(req.handle))
		}
		c := classByID(req.id)
		c.open()
		w := writer{buffer: req.out}
		w.word(uint64(c.shape()))
		w.bool(c.hasMethods())
		w.string(c.self.String())
		c.compiler.describe(&w)
		w.word(c.key.number())
		w.word(c.elem.number())
		w.word(c.value.number())
		w.word(uint64(len(c.fields)))
		for i := range c.fields {
			w.string(c.fields[i].name)
			w.word(c.fields[i].node.number())
			w.word(c.fields[i].offset())
		}
		req.plan = C.uint64_t(addPlan(&plan{types: c.compiler.nodes, borrowed: true}))
	})
}

// goloader_copy_plan makes a plan of one result: all that can be copied of what a class's handles stand for.
//
//export goloader_copy_plan
func goloader_copy_plan(req *C.struct_gl_method_request) {
	guard(&req.status, req.out, func() {
		lookup(uint64(req.handle))
		c := newCompiler(nil)
		c.deep = true
		c.borrow(req, nil, []*node{c.typ(classByID(req.id).typ)})
	})
}

// borrow makes a plan that goes with what it mentions.
func (c *compiler) borrow(req *C.struct_gl_method_request, params, results []*node) {
	w := writer{buffer: req.out}
	p := c.plan(&w, params, results)
	p.borrowed = true
	req.nparams, req.nresults = C.uint32_t(len(params)), C.uint32_t(len(results))
	req.plan = C.uint64_t(addPlan(p))
}

// canBeCopied tells whether a value of the type has a form in Lua, though it has a handle if nobody asks for that.
func canBeCopied(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return false
	case reflect.Map:
		return canBeKey(t.Key())
	}
	return true
}

func (p *plan) mentions(going parts) bool {
	for _, n := range p.types {
		if n.typ != nil && typeMentions(n.typ, going) {
			return true
		}
	}
	return false
}
