package host

/*
#include <stdlib.h>
#include "call.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"
	"unsafe"
)

// Values cross between Lua and Go as streams of words (call.h says how). This file turns streams into Go values in
// memory and back.

// carryError is what decoding and encoding panic with when a value can't be carried.
type carryError string

// argumentError is the same for an argument, when it shows only here that there is no such Go value: which parameter's,
// and what is wrong with it.
type argumentError struct {
	param int
	what  string
}

// Values nest this deep at most, a pointer and what it points to being two: a longer chain is a cycle in all
// likelihood.
const maxDepth = 2000

// ---- memory of any type -----------------------------------------------------------------------------------------

// alloc returns zeroed memory for a value of type n.
func (n *node) alloc() unsafe.Pointer {
	return setup.new(n.desc)
}

// value returns the variable of type t at p, as reflect.NewAt(t, p).Elem() would; but that needs the pointer type, and
// makes it for ever where there is none.
func value(t reflect.Type, p unsafe.Pointer) reflect.Value {
	var model byte
	v := reflect.ValueOf(&model).Elem()
	// reflect.Value is type, pointer, flags; the flags' low bits are the kind (reflect/value.go).
	w := (*struct {
		typ, ptr unsafe.Pointer
		flag     uintptr
	})(unsafe.Pointer(&v))
	w.typ, w.ptr = descriptor(t), p
	w.flag = w.flag&^31 | uintptr(t.Kind())
	return v
}

type slice struct {
	p        unsafe.Pointer
	len, cap int
}

// ---- decoding ---------------------------------------------------------------------------------------------------

const (
	absent   = -1 // the length of a nil slice, map or []byte
	byHandle = -2 // instead of a length: what follows is the number of a handle that has the value
	byClass  = -3 // what follows is the number of a class, and a value of it
)

type reader struct {
	w      []C.uint64_t
	at     int      // what was read
	scope  *scope   // of a plan that is scoped
	param  int      // which argument it is, from 1
	from   *luaFunc // or whose results
	result int      // and which
}

// fail says what is wrong with what is being read.
func (r *reader) fail(what string) {
	switch {
	case r.param > 0:
		panic(argumentError{r.param - 1, what})
	case r.from != nil:
		panic(carryError(fmt.Sprintf("result %d of %s: %s", r.result, r.from.name, what)))
	}
	panic(carryError(what))
}

func (r *reader) word() uint64 {
	w := r.w[r.at]
	r.at++
	return uint64(w)
}

func (r *reader) float() float64 {
	return math.Float64frombits(r.word())
}

func (r *reader) bytes(n int) []byte {
	words := (n + 7) / 8
	b := r.w[r.at : r.at+words]
	r.at += words
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&b[0])), n)
}

func (r *reader) string() string {
	return string(r.bytes(int(r.word())))
}

// decode reads a value of type n into the zeroed memory at p.
func (n *node) decode(r *reader, p unsafe.Pointer) {
	switch n.kind {
	case C.GL_KIND_BOOL:
		*(*bool)(p) = r.word() != 0
	case C.GL_KIND_INT, C.GL_KIND_UINT:
		switch v := r.word(); n.bits {
		case 8:
			*(*uint8)(p) = uint8(v)
		case 16:
			*(*uint16)(p) = uint16(v)
		case 32:
			*(*uint32)(p) = uint32(v)
		default:
			*(*uint64)(p) = v
		}
	case C.GL_KIND_FLOAT:
		if v := math.Float64frombits(r.word()); n.bits == 32 {
			*(*float32)(p) = float32(v)
		} else {
			*(*float64)(p) = v
		}
	case C.GL_KIND_COMPLEX:
		re, im := math.Float64frombits(r.word()), math.Float64frombits(r.word())
		if n.bits == 64 {
			*(*complex64)(p) = complex64(complex(re, im))
		} else {
			*(*complex128)(p) = complex(re, im)
		}
	case C.GL_KIND_STRING:
		*(*string)(p) = r.string()
	case C.GL_KIND_BYTES:
		switch len := int(r.word()); len {
		case absent:
		case byHandle:
			n.take(r, p)
		default:
			*(*[]byte)(p) = append([]byte{}, r.bytes(len)...)
		}
	case C.GL_KIND_TIME:
		n.decodeTime(r, p)
	case C.GL_KIND_SLICE:
		switch len := int(r.word()); len {
		case absent:
		case byHandle:
			n.take(r, p)
		default:
			s := (*slice)(p)
			s.p, s.len, s.cap = setup.newArray(n.elem.desc, len), len, len
			n.elem.decodeList(r, s.p, len)
		}
	case C.GL_KIND_ARRAY:
		if int(r.word()) == byHandle {
			n.take(r, p)
		} else {
			n.elem.decodeList(r, p, n.len)
		}
	case C.GL_KIND_MAP:
		n.decodeMap(r, p)
	case C.GL_KIND_STRUCT:
		count := int(r.word())
		if count == byHandle {
			n.take(r, p)
		}
		for ; count > 0; count-- {
			f := &n.fields[r.word()]
			f.decode(r, unsafe.Add(p, f.off))
		}
	case C.GL_KIND_POINTER:
		switch int(r.word()) {
		case 0:
		case byHandle:
			n.take(r, p)
		default:
			q := n.elem.alloc()
			n.elem.decode(r, q)
			*(*unsafe.Pointer)(p) = q
		}
	case C.GL_KIND_HANDLE:
		switch int(r.word()) {
		case 0:
		case byHandle:
			n.take(r, p)
		case byClass:
			n.takeClassed(r, p)
		default:
			if n.typ.Kind() == reflect.Pointer {
				q := n.form.alloc()
				n.form.decode(r, q)
				*(*unsafe.Pointer)(p) = q
			} else {
				n.form.decode(r, p)
			}
		}
	case C.GL_KIND_ERROR:
		switch int(r.word()) {
		case 0:
		case byHandle:
			n.take(r, p)
		case byClass:
			n.takeClassed(r, p)
		case C.GL_TAG_ERROR:
			id := r.word()
			*(*error)(p) = heldErrorOf(id, r.string())
		default:
			*(*error)(p) = errors.New(r.string())
		}
	case C.GL_KIND_CONTEXT:
		r.context(n, p)
	case C.GL_KIND_FUNC:
		r.function(n, p)
	case C.GL_KIND_ANY:
		if v := r.any(); v != nil {
			value(n.shape(), p).Set(reflect.ValueOf(v))
		}
	}
}

// Seconds since 1970 are a time, too.
func (n *node) decodeTime(r *reader, p unsafe.Pointer) {
	switch int(r.word()) {
	case byHandle:
		n.take(r, p)
	case C.GL_TAG_FLOAT:
		seconds, fraction := math.Modf(math.Float64frombits(r.word()))
		*(*time.Time)(p) = time.Unix(int64(seconds), int64(fraction*1e9)).UTC()
	default:
		s := r.string()
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			r.fail(fmt.Sprintf("%q is no time like %q", s, time.RFC3339Nano))
		}
		*(*time.Time)(p) = t
	}
}

// isWord tells whether values of this type lie in memory as they lie in a stream.
func (n *node) isWord() bool {
	return n.bits == 64 && (n.kind == C.GL_KIND_INT || n.kind == C.GL_KIND_UINT || n.kind == C.GL_KIND_FLOAT)
}

func (n *node) decodeList(r *reader, p unsafe.Pointer, len int) {
	if n.isWord() {
		r.at += copy(unsafe.Slice((*C.uint64_t)(p), len), r.w[r.at:])
		return
	}
	for i := 0; i < len; i++ {
		n.decode(r, unsafe.Add(p, uintptr(i)*n.size))
	}
}

func (n *node) decodeMap(r *reader, p unsafe.Pointer) {
	count := int(r.word())
	switch count {
	case absent:
		return
	case byHandle:
		n.take(r, p)
		return
	}
	m := reflect.MakeMapWithSize(n.typ, count)
	keyp, elemp := n.key.alloc(), n.elem.alloc()
	key, elem := value(n.typ.Key(), keyp), value(n.typ.Elem(), elemp)
	for i := 0; i < count; i++ {
		key.SetZero()
		n.key.decode(r, keyp)
		n.key.checkKey(r, key)
		elem.SetZero()
		n.elem.decode(r, elemp)
		m.SetMapIndex(key, elem)
	}
	*(*unsafe.Pointer)(p) = m.UnsafePointer()
}

// checkKey sees to it that a map takes the key: what an interface in it holds may be nothing to compare.
func (n *node) checkKey(r *reader, key reflect.Value) {
	switch n.kind {
	case C.GL_KIND_ANY, C.GL_KIND_HANDLE, C.GL_KIND_STRUCT, C.GL_KIND_ARRAY:
		if !canCompare(key) {
			if key.Kind() == reflect.Interface {
				key = key.Elem()
			}
			r.fail(key.Type().String() + " is no key: Go can't compare two of them")
		}
	}
}

// canCompare is reflect.Value.Comparable, which up to Go 1.21 takes nil for nothing to compare.
func canCompare(v reflect.Value) bool {
	can := v.Type().Comparable()
	switch v.Kind() {
	case reflect.Interface:
		return v.IsNil() || canCompare(v.Elem())
	case reflect.Array:
		for i := 0; i < v.Len() && can; i++ {
			can = canCompare(v.Index(i))
		}
	case reflect.Struct:
		for i := 0; i < v.NumField() && can; i++ {
			can = canCompare(v.Field(i))
		}
	}
	return can
}

func (r *reader) any() any {
	switch tag := r.word(); tag {
	case C.GL_TAG_BOOL:
		return r.word() != 0
	case C.GL_TAG_INT:
		return int64(r.word())
	case C.GL_TAG_UINT:
		return r.word()
	case C.GL_TAG_FLOAT:
		return math.Float64frombits(r.word())
	case C.GL_TAG_STRING:
		return r.string()
	case C.GL_TAG_LIST:
		list := make([]any, r.word())
		for i := range list {
			list[i] = r.any()
		}
		return list
	case C.GL_TAG_MAP:
		n := int(r.word())
		m := make(map[string]any, n)
		for i := 0; i < n; i++ {
			key, _ := r.any().(string)
			m[key] = r.any()
		}
		return m
	case C.GL_TAG_HANDLE:
		h := lookup(r.word())
		return h.self().Interface()
	case C.GL_TAG_METHODS:
		h := r.classed()
		return h.self().Interface()
	case C.GL_TAG_ERROR:
		id := r.word()
		return heldErrorOf(id, r.string())
	}
	return nil
}

// ---- encoding ---------------------------------------------------------------------------------------------------

// A writer appends to a buffer that C owns.
type writer struct {
	buffer  *C.struct_gl_buffer
	depth   int
	deep    bool     // copies all that can be copied
	handles []uint64 // the numbers of those that it has written
	places  []uint64 // and where in the stream
	tables  int      // how many it becomes in Lua, at least
}

// end is deferred by who writes what Lua gets only when all is done.
func (w *writer) end(done *bool) {
	if !*done {
		release(w.handles)
	} else if len(w.places) > 0 {
		w.tail()
	}
}

// tail writes behind the stream where in it handles are: those that Lua does not come to read, C gives back.
func (w *writer) tail() {
	for _, place := range w.places {
		w.word(place)
	}
	w.buffer.len -= C.size_t(len(w.places))
	w.buffer.nhandles = C.size_t(len(w.places))
}

// grow makes room for n words and returns the first.
func (w *writer) grow(n int) unsafe.Pointer {
	b := w.buffer
	if uintptr(b.cap-b.len) < uintptr(n) {
		cap := (uintptr(b.len) + uintptr(n)) * 2
		p := C.realloc(unsafe.Pointer(b.p), C.size_t(cap*8))
		if p == nil {
			panic(carryError(fmt.Sprintf("no memory for a result of %d bytes", cap*8)))
		}
		b.p, b.cap = (*C.uint64_t)(p), C.size_t(cap)
	}
	p := unsafe.Add(unsafe.Pointer(b.p), uintptr(b.len)*8)
	b.len += C.size_t(n)
	return p
}

func (w *writer) word(v uint64) {
	if b := w.buffer; b.len < b.cap {
		*(*uint64)(unsafe.Add(unsafe.Pointer(b.p), uintptr(b.len)*8)) = v
		b.len++
		return
	}
	*(*uint64)(w.grow(1)) = v
}

// patch sets a word that is there already.
func (w *writer) patch(at C.size_t, v uint64) {
	*(*uint64)(unsafe.Add(unsafe.Pointer(w.buffer.p), uintptr(at)*8)) = v
}

func (w *writer) bool(v bool) {
	if v {
		w.word(1)
	} else {
		w.word(0)
	}
}

func (w *writer) float(v float64) {
	w.word(math.Float64bits(v))
}

func (w *writer) string(s string) {
	p := w.grow(1 + (len(s)+7)/8)
	*(*uint64)(p) = uint64(len(s))
	copy(unsafe.Slice((*byte)(unsafe.Add(p, 8)), len(s)), s)
}

func (w *writer) error(err error) {
	w.string(err.Error())
	w.string(reflect.TypeOf(err).String())
	w.bool(isTimeout(err))
	w.word(w.count(holdError(err)))
}

// isTimeout tells whether an error says that a time was over: a context's, a connection's, a file's.
func isTimeout(err error) bool {
	var late interface{ Timeout() bool }
	return errors.As(err, &late) && late.Timeout()
}

// maxTables is how many tables one result can become. A graph that shares its parts is a tree in Lua, and can have more
// branches than there is memory.
const maxTables = 1 << 24

// maxList is how many elements a table of LuaJIT holds (LJ_MAX_ASIZE in lj_def.h), and maxEmpty how many of those that
// take no memory in Go a list can have: in Lua each is a table.
const maxList, maxEmpty = 1 << 28, 1 << 20

// table takes notice of one more table.
func (w *writer) table() {
	if w.tables++; w.tables > maxTables {
		panic(carryError(fmt.Sprintf("a result becomes more than %d tables: are parts of it shared?", maxTables)))
	}
}

// list takes notice of a table of n elements, each of that size.
func (w *writer) list(n int, size uintptr) {
	max := maxList
	if size == 0 {
		max = maxEmpty
	}
	if n > max {
		panic(carryError(fmt.Sprintf("a result has a list of %d elements of %d bytes: a table can have %d of them",
			n, size, max)))
	}
	w.table()
}

func (w *writer) enter() {
	w.table()
	if w.depth++; w.depth > maxDepth {
		panic(carryError(fmt.Sprintf("a result nests deeper than %d levels: is it cyclic?", maxDepth/2)))
	}
}

// extend makes a word of an integer whose upper bits are anything.
func (n *node) extend(v uint64) uint64 {
	unused := 64 - n.bits
	if n.kind == C.GL_KIND_INT {
		return uint64(int64(v) << unused >> unused)
	}
	return v << unused >> unused
}

// encode writes the value of type n at p.
func (n *node) encode(w *writer, p unsafe.Pointer) {
	switch n.kind {
	case C.GL_KIND_BOOL:
		w.bool(*(*bool)(p))
	case C.GL_KIND_INT, C.GL_KIND_UINT:
		switch n.bits {
		case 8:
			w.word(n.extend(uint64(*(*uint8)(p))))
		case 16:
			w.word(n.extend(uint64(*(*uint16)(p))))
		case 32:
			w.word(n.extend(uint64(*(*uint32)(p))))
		default:
			w.word(*(*uint64)(p))
		}
	case C.GL_KIND_FLOAT:
		if n.bits == 32 {
			w.float(float64(*(*float32)(p)))
		} else {
			w.float(*(*float64)(p))
		}
	case C.GL_KIND_COMPLEX:
		v := complex128(0)
		if n.bits == 64 {
			v = complex128(*(*complex64)(p))
		} else {
			v = *(*complex128)(p)
		}
		w.float(real(v))
		w.float(imag(v))
	case C.GL_KIND_STRING:
		w.string(*(*string)(p))
	case C.GL_KIND_BYTES:
		b := *(*[]byte)(p)
		w.string(unsafe.String(unsafe.SliceData(b), len(b)))
	case C.GL_KIND_TIME:
		w.string((*time.Time)(p).Format(time.RFC3339Nano))
	case C.GL_KIND_SLICE:
		s := (*slice)(p)
		w.word(uint64(s.len))
		n.elem.encodeList(w, s.p, s.len)
	case C.GL_KIND_ARRAY:
		w.word(uint64(n.len))
		n.elem.encodeList(w, p, n.len)
	case C.GL_KIND_MAP:
		n.encodeMap(w, p)
	case C.GL_KIND_STRUCT:
		w.enter()
		for _, f := range n.fields {
			f.encode(w, unsafe.Add(p, f.off))
		}
		w.depth--
	case C.GL_KIND_POINTER:
		q := *(*unsafe.Pointer)(p)
		w.bool(q != nil)
		if q != nil {
			// Pointers may lead round without a struct too: type P *P.
			w.enter()
			n.elem.encode(w, q)
			w.depth--
		}
	case C.GL_KIND_ERROR:
		err := *(*error)(p)
		w.bool(err != nil)
		if err != nil {
			w.error(err)
		}
	case C.GL_KIND_ANY:
		w.any(value(n.shape(), p).Elem())
	case C.GL_KIND_CONTEXT, C.GL_KIND_FUNC, C.GL_KIND_HANDLE:
		n.encodeHandle(w, p)
	}
}

func (n *node) encodeList(w *writer, p unsafe.Pointer, len int) {
	w.list(len, n.size)
	if n.isWord() {
		copy(unsafe.Slice((*uint64)(w.grow(len)), len), unsafe.Slice((*uint64)(p), len))
		return
	}
	w.enter()
	for i := 0; i < len; i++ {
		n.encode(w, unsafe.Add(p, uintptr(i)*n.size))
	}
	w.depth--
}

func (n *node) encodeMap(w *writer, p unsafe.Pointer) {
	m := value(n.typ, p)
	// The number is known when the last entry is written: another goroutine's insertion is Go's own error.
	at := w.buffer.len
	w.word(0)
	if m.Len() == 0 {
		return
	}
	w.enter()
	keyp, elemp := n.key.alloc(), n.elem.alloc()
	key, elem := value(n.typ.Key(), keyp), value(n.typ.Elem(), elemp)
	count := uint64(0)
	for iter := m.MapRange(); iter.Next(); count++ {
		key.SetIterKey(iter)
		elem.SetIterValue(iter)
		n.key.encode(w, keyp)
		n.elem.encode(w, elemp)
	}
	w.patch(at, count)
	w.depth--
}

// any writes a value of a type that only shows at run time.
func (w *writer) any(v reflect.Value) {
	if !v.IsValid() {
		w.word(C.GL_TAG_NIL)
		return
	}
	w.enter()
	defer func() { w.depth-- }()
	t := v.Type()
	if t == timeType {
		w.tagged(C.GL_TAG_STRING, v.Interface().(time.Time).Format(time.RFC3339Nano))
		return
	}
	if err := asError(v); err != nil {
		w.word(C.GL_TAG_ERROR)
		w.error(err)
		return
	}
	if stays(t) && !(w.deep && canBeCopied(t)) {
		if isNil(v) {
			w.word(C.GL_TAG_NIL)
			return
		}
		w.word(C.GL_TAG_HANDLE)
		w.hold(v)
		return
	}
	if methods := methodsOf(t); methods != 0 {
		w.word(C.GL_TAG_METHODS)
		w.word(methods)
	}
	switch t.Kind() {
	case reflect.Bool:
		w.word(C.GL_TAG_BOOL)
		w.bool(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		w.word(C.GL_TAG_INT)
		w.word(uint64(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		w.word(C.GL_TAG_UINT)
		w.word(v.Uint())
	case reflect.Float32, reflect.Float64:
		w.word(C.GL_TAG_FLOAT)
		w.float(v.Float())
	case reflect.Complex64, reflect.Complex128:
		w.word(C.GL_TAG_COMPLEX)
		w.float(real(v.Complex()))
		w.float(imag(v.Complex()))
	case reflect.String:
		w.tagged(C.GL_TAG_STRING, v.String())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			b := v.Bytes()
			w.tagged(C.GL_TAG_STRING, unsafe.String(unsafe.SliceData(b), len(b)))
			return
		}
		fallthrough
	case reflect.Array:
		w.list(v.Len(), t.Elem().Size())
		w.word(C.GL_TAG_LIST)
		w.word(uint64(v.Len()))
		for i := 0; i < v.Len(); i++ {
			w.any(v.Index(i))
		}
	case reflect.Map:
		w.word(C.GL_TAG_MAP)
		w.word(uint64(v.Len()))
		for iter := v.MapRange(); iter.Next(); {
			w.any(iter.Key())
			w.any(iter.Value())
		}
	case reflect.Struct:
		w.word(C.GL_TAG_MAP)
		at := w.buffer.len
		w.word(0)
		count := uint64(0)
		for i := 0; i < t.NumField(); i++ {
			if f := t.Field(i); f.IsExported() {
				w.tagged(C.GL_TAG_STRING, f.Name)
				w.any(v.Field(i))
				count++
			}
		}
		w.patch(at, count)
	case reflect.Pointer, reflect.Interface:
		w.any(v.Elem())
	}
}

func (w *writer) tagged(tag uint64, s string) {
	w.word(tag)
	w.string(s)
}

// asError returns v as an error when its type is one, else nil. Converting by reflect, not by a type assertion, keeps
// the module's types out of the assertion's cache.
func asError(v reflect.Value) error {
	var err error
	if v.Type().Implements(errorType) && !isNil(v) {
		reflect.ValueOf(&err).Elem().Set(v)
	}
	return err
}

func isNil(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return v.IsNil()
	}
	return false
}
