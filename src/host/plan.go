package host

/*
#include "call.h"
*/
import "C"

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"
	"unsafe"

	"goloader.dev/host/internal/enter"
)

// A plan is what the Go half knows of one signature: a tree of nodes for each parameter and result, and the registers
// or stack slots they travel in. It is made once, from type descriptors, and holds on to nothing of the module but
// their addresses; C frees it before the module goes.
//
// Everything here works on memory and descriptors. What reflect would do with less code (New, Call, PointerTo,
// FuncOf) is avoided where it enters a type into one of reflect's caches, which are never emptied and would refer to
// the module after it was unloaded.
type plan struct {
	params, results []place
	frame           frame
	resultPtrs      uint32 // bit i: integer register i holds a pointer on return
	floatless       bool   // nothing travels in a float register
	scoped          bool   // a parameter may hold what ends with the call (scope.go)
	types           []*node
	borrowed        bool // made for a class: it goes with what it mentions, whoever still has its number
	used            use
}

// A place is how one parameter or result travels.
type place struct {
	*node
	regs  []step  // by registers, or, where there are none,
	stack uintptr // by the stack: offset in the frame
}

// A step carries one word of a value by a register.
type step struct {
	off  uintptr // in the value
	size uint8   // bytes
	kind stepKind
	reg  int
}

type stepKind uint8

const (
	stepInt stepKind = iota
	stepPointer
	stepFloat
)

// A frame is the stack part of a call: internal/abi/abi.go and reflect/abi.go, newAbiDesc.
type frame struct {
	typ    unsafe.Pointer // nil when nothing goes by the stack
	size   uintptr        // of parameters and results
	result uintptr        // offset of the results
	spill  uintptr        // what the callee may use for its register arguments
}

// A node is one type, compiled.
type node struct {
	kind   uintptr // C.GL_KIND_…
	index  int     // in the answer to C
	name   string
	desc   unsafe.Pointer // its descriptor, or one of the same shape
	typ    reflect.Type   // nil when the process has no descriptor of it
	bits   int            // of a number
	size   uintptr
	align  uintptr
	elem   *node
	key    *node
	len    int
	fields []field
	form   *node // of what stays in Go: what Lua can make one of, nil where it can't
	class  *class

	methods   uint64 // of what is a table: the number of the class whose methods it has, or 0
	isPointer bool   // stays in Go, and is one
}

type field struct {
	name string
	off  uintptr
	*node
}

var (
	contextType  = reflect.TypeOf((*context.Context)(nil)).Elem()
	errorType    = reflect.TypeOf((*error)(nil)).Elem()
	anyType      = reflect.TypeOf((*any)(nil)).Elem()
	timeType     = reflect.TypeOf(time.Time{})
	bytesType    = reflect.TypeOf([]byte(nil))
	pointerType  = reflect.TypeOf(unsafe.Pointer(nil))
	stringerType = reflect.TypeOf((*interface{ String() string })(nil)).Elem()
)

// descriptor returns the address of t's descriptor.
func descriptor(t reflect.Type) unsafe.Pointer {
	return (*[2]unsafe.Pointer)(unsafe.Pointer(&t))[1]
}

// typeAt returns the type that the descriptor at p describes.
func typeAt(p unsafe.Pointer) reflect.Type {
	var v any
	// Only the type word of v is ever looked at.
	(*[2]unsafe.Pointer)(unsafe.Pointer(&v))[0] = p
	return reflect.TypeOf(v)
}

// shape returns n's type, or one that lies in memory and registers just so.
func (n *node) shape() reflect.Type {
	if n.typ != nil {
		return n.typ
	}
	return typeAt(n.desc)
}

// ---- compiling --------------------------------------------------------------------------------------------------

type compiler struct {
	exprs []C.struct_gl_type_expr
	nodes []*node
	known map[reflect.Type]*node
	forms map[reflect.Type]*node
	deep  bool // copies all that can be copied
}

func newCompiler(exprs []C.struct_gl_type_expr) *compiler {
	return &compiler{exprs: exprs, known: map[reflect.Type]*node{}, forms: map[reflect.Type]*node{}}
}

func (c *compiler) add(n *node) *node {
	n.index = len(c.nodes)
	c.nodes = append(c.nodes, n)
	return n
}

func (c *compiler) expr(i int) *node {
	e := &c.exprs[i]
	switch e.op {
	case C.GL_TYPE_DESCRIPTOR:
		return c.typ(typeAt(e.descriptor))
	case C.GL_TYPE_SLICE:
		elem := c.expr(int(e.elem))
		return c.add(&node{
			kind: C.GL_KIND_SLICE, name: C.GoString(e.name), elem: elem, desc: descriptor(bytesType),
			size: 3 * word, align: word,
		})
	case C.GL_TYPE_POINTER:
		elem := c.expr(int(e.elem))
		return c.add(&node{
			kind: C.GL_KIND_POINTER, name: C.GoString(e.name), elem: elem, desc: descriptor(pointerType),
			size: word, align: word,
		})
	case C.GL_TYPE_ARRAY:
		elem := c.expr(int(e.elem))
		if elem.typ != nil && isHost(elem.typ) {
			return c.typ(reflect.ArrayOf(int(e.len), elem.typ))
		}
	case C.GL_TYPE_MAP:
		key, elem := c.expr(int(e.key)), c.expr(int(e.elem))
		if key.typ != nil && elem.typ != nil && key.typ.Comparable() && isHost(key.typ) && isHost(elem.typ) {
			return c.typ(reflect.MapOf(key.typ, elem.typ))
		}
	case C.GL_TYPE_FUNC, C.GL_TYPE_VARIADIC:
		if t := c.made(i); t != nil {
			return c.typ(t)
		}
	}
	return c.add(&node{kind: C.GL_KIND_NONE, name: C.GoString(e.name) + " (which nothing in this process describes)"})
}

// made returns the type of an expression, made by reflect where no descriptor is known; nil when that can't be. It is
// for functions, which need the types of all their parts. What reflect remembers of it is purged when the module goes.
func (c *compiler) made(i int) reflect.Type {
	e := &c.exprs[i]
	switch e.op {
	case C.GL_TYPE_DESCRIPTOR:
		return typeAt(e.descriptor)
	case C.GL_TYPE_SLICE, C.GL_TYPE_POINTER, C.GL_TYPE_ARRAY, C.GL_TYPE_MAP:
		elem := c.made(int(e.elem))
		switch {
		case elem == nil:
			return nil
		case e.op == C.GL_TYPE_SLICE:
			return reflect.SliceOf(elem)
		case e.op == C.GL_TYPE_POINTER:
			return reflect.PointerTo(elem)
		case e.op == C.GL_TYPE_ARRAY:
			return reflect.ArrayOf(int(e.len), elem)
		}
		if key := c.made(int(e.key)); key != nil && key.Comparable() {
			return reflect.MapOf(key, elem)
		}
	case C.GL_TYPE_FUNC, C.GL_TYPE_VARIADIC:
		var parts []reflect.Type
		for next := e.key; next != C.GL_TYPE_LAST; next = c.exprs[next].key {
			t := c.made(int(c.exprs[next].elem))
			if t == nil || len(parts) == 128 { // reflect makes no larger ones
				return nil
			}
			parts = append(parts, t)
		}
		return reflect.FuncOf(parts[:e.len], parts[e.len:], e.op == C.GL_TYPE_VARIADIC)
	}
	return nil
}

// isHost tells whether t mentions no type that a module declares, so that it may enter reflect's caches.
func isHost(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array, reflect.Slice, reflect.Pointer:
		return t.Name() == "" && isHost(t.Elem())
	case reflect.Map:
		return t.Name() == "" && isHost(t.Key()) && isHost(t.Elem())
	}
	return t.PkgPath() == "" && t.Name() != "" || t == anyType || t == timeType
}

func (c *compiler) typ(t reflect.Type) *node {
	if n := c.known[t]; n != nil {
		return n
	}
	n := c.add(&node{name: t.String(), desc: descriptor(t), typ: t, size: t.Size(), align: uintptr(t.Align())})
	c.known[t] = n
	n.bits = int(t.Size() * 8)
	if t != contextType && c.stays(t) {
		n.kind = C.GL_KIND_HANDLE
		n.form = c.form(t)
		n.isPointer = t.Kind() == reflect.Pointer
		return n
	}
	switch t.Kind() {
	case reflect.Bool:
		n.kind = C.GL_KIND_BOOL
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n.kind = C.GL_KIND_INT
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		n.kind = C.GL_KIND_UINT
	case reflect.Float32, reflect.Float64:
		n.kind = C.GL_KIND_FLOAT
	case reflect.Complex64, reflect.Complex128:
		n.kind = C.GL_KIND_COMPLEX
	case reflect.String:
		n.kind = C.GL_KIND_STRING
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			n.kind = C.GL_KIND_BYTES
		} else {
			n.kind = C.GL_KIND_SLICE
		}
		n.elem = c.typ(t.Elem())
	case reflect.Array:
		n.kind = C.GL_KIND_ARRAY
		n.elem, n.len = c.typ(t.Elem()), t.Len()
	case reflect.Map:
		n.kind = C.GL_KIND_MAP
		n.key, n.elem = c.typ(t.Key()), c.typ(t.Elem())
	case reflect.Pointer:
		n.kind = C.GL_KIND_POINTER
		n.elem = c.typ(t.Elem())
	case reflect.Func:
		n.kind = C.GL_KIND_FUNC
		n.bits, n.len = 0, t.NumIn()
		if t.IsVariadic() {
			n.bits = 1
		}
		for i := 0; i < t.NumIn(); i++ {
			n.fields = append(n.fields, field{"", 0, c.typ(t.In(i))})
		}
		for i := 0; i < t.NumOut(); i++ {
			n.fields = append(n.fields, field{"", 0, c.typ(t.Out(i))})
		}
	case reflect.Interface:
		switch t {
		case errorType:
			n.kind = C.GL_KIND_ERROR
		case contextType:
			n.kind = C.GL_KIND_CONTEXT
		default:
			n.kind = C.GL_KIND_ANY
		}
	case reflect.Struct:
		if t == timeType {
			n.kind = C.GL_KIND_TIME
		} else {
			c.structure(n, t)
		}
	}
	n.methods = methodsOf(t)
	return n
}

func (c *compiler) structure(n *node, t reflect.Type) {
	n.kind = C.GL_KIND_STRUCT
	for i := 0; i < t.NumField(); i++ {
		if f := t.Field(i); f.IsExported() {
			n.fields = append(n.fields, field{f.Name, f.Offset, c.typ(f.Type)})
		}
	}
}

// stays tells whether values of a type stay in Go, for Lua to have handles of: what has hidden state or behaviour, and
// what no table can be like. So do functions and contexts; but as arguments these can be Lua's, and have kinds of their
// own.
func (c *compiler) stays(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Func:
		return false
	case reflect.Chan, reflect.UnsafePointer:
		return true
	case reflect.Map:
		return !canBeKey(t.Key())
	}
	return !c.deep && stays(t)
}

func stays(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return true
	case reflect.Map:
		return !canBeKey(t.Key())
	case reflect.Interface:
		return t.NumMethod() > 0 && t != errorType
	case reflect.Struct:
		return hides(t)
	case reflect.Pointer:
		switch e := t.Elem(); e.Kind() {
		case reflect.Pointer, reflect.Interface:
			return true
		case reflect.Struct:
			return e != timeType && (t.NumMethod() > 0 || hides(e))
		default:
			return t.NumMethod() > 0 || stays(e)
		}
	}
	return false
}

// hides tells whether a value of the type holds a struct with fields that a copy of it in Lua would lack.
func hides(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return hides(t.Elem())
	case reflect.Struct:
		for i := 0; i < t.NumField() && t != timeType; i++ {
			if f := t.Field(i); !f.IsExported() && f.Name != "_" || hides(f.Type) {
				return true
			}
		}
	}
	return false
}

// form is what a value which stays in Go can be made of: a type of tables, or for a pointer what it points to.
func (c *compiler) form(t reflect.Type) *node {
	if n := c.forms[t]; n != nil {
		return n
	}
	if t.Kind() == reflect.Pointer {
		switch e := t.Elem(); e.Kind() {
		case reflect.Struct:
			return c.form(e)
		case reflect.Pointer, reflect.Interface, reflect.Func:
			return nil
		default:
			if c.stays(e) {
				return nil
			}
			return c.typ(e)
		}
	}
	n := &node{name: t.String(), desc: descriptor(t), typ: t, size: t.Size(), align: uintptr(t.Align())}
	switch t.Kind() {
	case reflect.Struct:
		c.forms[t] = c.add(n)
		c.structure(n, t)
	case reflect.Map:
		c.forms[t] = c.add(n)
		n.kind = C.GL_KIND_MAP
		n.key, n.elem = c.typ(t.Key()), c.typ(t.Elem())
	default:
		return nil
	}
	return n
}

// check marks the types that can't be carried because a part of them can't. It takes as many rounds as such a part is
// deep, since types may contain themselves.
func (c *compiler) check() {
	for again := true; again; {
		again = false
		for _, n := range c.nodes {
			if n.kind == C.GL_KIND_NONE {
				continue
			}
			why := ""
			if n.key != nil && n.key.kind == C.GL_KIND_NONE {
				why = "key has type " + n.key.name
			} else if n.elem != nil && n.elem.kind == C.GL_KIND_NONE {
				why = "element has type " + n.elem.name
			}
			for i := 0; i < len(n.fields) && why == ""; i++ {
				if f := n.fields[i]; f.kind == C.GL_KIND_NONE {
					why = n.role(i) + " has type " + f.node.name
				}
			}
			if why != "" {
				n.kind = C.GL_KIND_NONE
				n.name += " (its " + why + ")"
				again = true
			}
		}
	}
}

// role says what the field i of a struct or of a func is.
func (n *node) role(i int) string {
	switch {
	case n.kind != C.GL_KIND_FUNC:
		return "field " + n.fields[i].name
	case i < n.len:
		return fmt.Sprintf("parameter %d", i+1)
	}
	return fmt.Sprintf("result %d", i-n.len+1)
}

// canBeKey tells whether values of this type are the same key in a Lua table when they are the same in a Go map.
func canBeKey(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Complex64, reflect.Complex128:
		return false
	case reflect.Interface:
		return t.NumMethod() == 0
	}
	return t.Kind() <= reflect.Float64 || t.Kind() == reflect.String
}

// ---- where values travel ----------------------------------------------------------------------------------------

const word = unsafe.Sizeof(uintptr(0))

func align(n, to uintptr) uintptr {
	return (n + to - 1) &^ (to - 1)
}

// An assigner gives registers to values, by the rules of src/cmd/compile/abi-internal.md ("Function call argument and
// result passing").
type assigner struct {
	ints, floats int
	steps        []step
}

func (a *assigner) int(off uintptr, size uintptr, kind stepKind) bool {
	if a.ints == enter.IntRegs {
		return false
	}
	a.steps = append(a.steps, step{off, uint8(size), kind, a.ints})
	a.ints++
	return true
}

func (a *assigner) float(off uintptr, size uintptr) bool {
	if a.floats == enter.FloatRegs {
		return false
	}
	a.steps = append(a.steps, step{off, uint8(size), stepFloat, a.floats})
	a.floats++
	return true
}

func (a *assigner) typ(t reflect.Type, off uintptr) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Chan, reflect.Map, reflect.Func, reflect.UnsafePointer:
		return a.int(off, word, stepPointer)
	case reflect.Float32, reflect.Float64:
		return a.float(off, t.Size())
	case reflect.Complex64, reflect.Complex128:
		return a.float(off, t.Size()/2) && a.float(off+t.Size()/2, t.Size()/2)
	case reflect.String:
		return a.int(off, word, stepPointer) && a.int(off+word, word, stepInt)
	case reflect.Interface:
		// The first word is a type or an itab, which the collector does not need to see. Who unloads modules does: of a
		// job that has not begun, nobody else has its arguments' types.
		return a.int(off, word, stepPointer) && a.int(off+word, word, stepPointer)
	case reflect.Slice:
		return a.int(off, word, stepPointer) && a.int(off+word, word, stepInt) && a.int(off+2*word, word, stepInt)
	case reflect.Array:
		return t.Len() == 0 || t.Len() == 1 && a.typ(t.Elem(), off)
	case reflect.Struct:
		for i := 0; i < t.NumField(); i++ {
			if f := t.Field(i); !a.typ(f.Type, off+f.Offset) {
				return false
			}
		}
		return true
	}
	return a.int(off, t.Size(), stepInt)
}

// assign gives n registers, or leaves the assigner as it was.
func (a *assigner) assign(n *node) ([]step, bool) {
	before := *a
	a.steps = nil
	if !a.typ(n.shape(), 0) {
		*a = before
		return nil, false
	}
	return a.steps, true
}

// places finds where each value travels, from the stack offset given, and the offset after the last.
func places(nodes []*node, stack uintptr) ([]place, uintptr) {
	var a assigner
	all := make([]place, len(nodes))
	for i, n := range nodes {
		all[i].node = n
		if n.size == 0 {
			// Nothing travels, but the next one on the stack is aligned.
			stack = align(stack, n.align)
			all[i].stack = stack
		} else if steps, ok := a.assign(n); ok {
			all[i].regs = steps
		} else {
			stack = align(stack, n.align)
			all[i].stack = stack
			stack += n.size
		}
	}
	return all, stack
}

// layout fills in where the plan's parameters and results travel.
func (p *plan) layout(params, results []*node) {
	var end uintptr
	p.params, end = places(params, 0)
	p.frame.result = align(end, word)
	p.results, end = places(results, p.frame.result)
	p.frame.size = align(end, word)
	for i := range p.params {
		if q := &p.params[i]; q.regs != nil {
			p.frame.spill = align(p.frame.spill, q.align) + q.size
		}
	}
	p.frame.spill = align(p.frame.spill, word)
	for _, q := range p.results {
		for _, s := range q.regs {
			if s.kind == stepPointer {
				p.resultPtrs |= 1 << s.reg
			}
		}
	}
	p.floatless = true
	for _, list := range [2][]place{p.params, p.results} {
		for _, q := range list {
			for _, s := range q.regs {
				p.floatless = p.floatless && s.kind != stepFloat
			}
		}
	}
	if p.frame.size > 0 {
		ptrs := make([]byte, (p.frame.size/word+7)/8)
		for _, list := range [2][]place{p.params, p.results} {
			for _, q := range list {
				if q.regs == nil && q.size > 0 {
					markPointers(ptrs, q.shape(), q.stack)
				}
			}
		}
		p.frame.typ = frameType(p.frame.size, ptrs)
	}
}

// markPointers sets a bit for each word of a value at off that the collector must see (reflect/type.go, addTypeBits).
func markPointers(ptrs []byte, t reflect.Type, off uintptr) {
	mark := func(off uintptr) { ptrs[off/word/8] |= 1 << (off / word % 8) }
	switch t.Kind() {
	case reflect.Pointer, reflect.Chan, reflect.Map, reflect.Func, reflect.UnsafePointer, reflect.String, reflect.Slice:
		mark(off)
	case reflect.Interface:
		mark(off)
		mark(off + word)
	case reflect.Array:
		for i := 0; i < t.Len(); i++ {
			markPointers(ptrs, t.Elem(), off+uintptr(i)*t.Elem().Size())
		}
	case reflect.Struct:
		for i := 0; i < t.NumField(); i++ {
			markPointers(ptrs, t.Field(i).Type, off+t.Field(i).Offset)
		}
	}
}

// A frame in memory needs a type of its own, so that the collector finds the pointers in it. Large objects refer to
// their type until they are swept, so frame types are never freed; but plans of the same shape share one, and a
// program has few shapes.
var frameTypes = struct {
	sync.Mutex
	m map[string]unsafe.Pointer
}{m: map[string]unsafe.Pointer{}}

func frameType(size uintptr, ptrs []byte) unsafe.Pointer {
	frameTypes.Lock()
	defer frameTypes.Unlock()
	key := string(append(ptrs, byte(size/word%8))) // with the bytes' number this tells the size
	if t := frameTypes.m[key]; t != nil {
		return t
	}
	last := uintptr(0)
	for i := uintptr(0); i < size/word; i++ {
		if ptrs[i/8]>>(i%8)&1 != 0 {
			last = (i + 1) * word
		}
	}
	// A copy of a struct type's descriptor, made to describe the frame. Types with and without pointers differ in
	// more than the mask in some versions, so that the model is of the same sort.
	model := descriptor(reflect.TypeOf(struct {
		p *byte
		n uintptr
	}{}))
	if last == 0 {
		model = descriptor(reflect.TypeOf(struct{ m, n uintptr }{}))
	}
	buf := make([]unsafe.Pointer, (setup.typeBytes+word-1)/word)
	t := unsafe.Pointer(&buf[0])
	copy(unsafe.Slice((*byte)(t), setup.typeBytes), unsafe.Slice((*byte)(model), setup.typeBytes))
	*(*uintptr)(unsafe.Add(t, setup.typeSize)) = size
	*(*uintptr)(unsafe.Add(t, setup.typePtrBytes)) = last
	mask := make([]byte, len(ptrs)+int(word))
	copy(mask, ptrs)
	*(**byte)(unsafe.Add(t, setup.typeGCData)) = &mask[0]
	frameTypes.m[key] = t
	return t
}

// ---- the plans that C holds -------------------------------------------------------------------------------------

var plans = struct {
	sync.RWMutex
	all  []*plan // by handle, less one
	free []int
}{}

// gonePlan is in the place of a plan whose types have gone.
var gonePlan = &plan{}

func planOf(handle C.uint64_t) *plan {
	plans.RLock()
	defer plans.RUnlock()
	p := plans.all[handle-1]
	if p == gonePlan {
		panic(carryError("the module whose types this call mentions was unloaded"))
	}
	if p.borrowed {
		p.used.note()
	}
	return p
}

//export goloader_plan
func goloader_plan(req *C.struct_gl_plan_request) {
	c := newCompiler(unsafe.Slice(req.exprs, req.nexprs))
	all := make([]*node, req.nparams+req.nresults)
	for i, e := range unsafe.Slice(req.params, len(all)) {
		all[i] = c.expr(int(e))
	}
	w := writer{buffer: req.out}
	req.plan = C.uint64_t(addPlan(c.plan(&w, all[:req.nparams], all[req.nparams:])))
}

// plan makes a plan and describes it to C.
func (c *compiler) plan(w *writer, params, results []*node) *plan {
	c.check()
	p := &plan{types: c.nodes}
	complete := true
	all := append(params[:len(params):len(params)], results...)
	for _, n := range all {
		complete = complete && n.kind != C.GL_KIND_NONE
	}
	if complete {
		p.layout(params, results)
		for _, n := range c.nodes {
			p.scoped = p.scoped || n.kind == C.GL_KIND_CONTEXT || n.kind == C.GL_KIND_FUNC
		}
	}
	c.describe(w)
	places := append(p.params[:len(p.params):len(p.params)], p.results...)
	for i, n := range all {
		w.word(uint64(n.index))
		reg := -1
		if complete && len(places[i].regs) > 0 {
			reg = places[i].regs[0].reg
		}
		w.word(uint64(reg))
	}
	return p
}

// describe tells C of all types.
func (c *compiler) describe(w *writer) {
	w.word(uint64(len(c.nodes)))
	for _, n := range c.nodes {
		w.word(uint64(n.kind))
		w.word(uint64(n.bits))
		if n.kind == C.GL_KIND_HANDLE {
			w.bool(n.typ.Kind() != reflect.Struct)
			w.word(0)
			w.word(0)
			// what has no form names itself
			if n.form == nil {
				w.word(uint64(n.index))
			} else {
				w.word(n.form.number())
			}
		} else {
			w.word(uint64(n.len))
			w.word(n.methods)
			w.word(n.key.number())
			w.word(n.elem.number())
		}
		w.string(n.name)
		w.word(uint64(len(n.fields)))
		for _, f := range n.fields {
			w.string(f.name)
			w.word(uint64(f.index))
		}
	}
}

// addPlan gives a plan a number.
func addPlan(p *plan) int {
	p.used.Store(true)
	plans.Lock()
	defer plans.Unlock()
	if n := len(plans.free); n > 0 {
		i := plans.free[n-1]
		plans.all[i] = p
		plans.free = plans.free[:n-1]
		return i + 1
	}
	plans.all = append(plans.all, p)
	return len(plans.all)
}

// number is an index for C, where 0 is never looked at.
func (n *node) number() uint64 {
	if n == nil {
		return 0
	}
	return uint64(n.index)
}

//export goloader_plan_free
func goloader_plan_free(handle C.uint64_t) {
	plans.Lock()
	defer plans.Unlock()
	plans.all[handle-1] = nil
	plans.free = append(plans.free, int(handle-1))
}
