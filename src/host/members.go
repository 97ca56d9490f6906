package host

/*
#include "call.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"reflect"
	"time"
	"unsafe"
)

// What Lua does with a handle other than calling it or passing it on. All of it is one entry, since each is little: the
// value is looked up, and something is read from it or written to it.

//export goloader_handle
func goloader_handle(op *C.struct_gl_handle_op) {
	guard(&op.status, op.out, func() { handle(op) })
}

func handle(op *C.struct_gl_handle_op) {
	if op.op == C.GL_OP_CLASS_FITS {
		h := held{kind: heldValue, class: classByID(op.handle)}
		t := planOf(op.plan).types[op.n].typ
		op.result = truth(t != nil && h.as(t).IsValid())
		return
	}
	found, ok := find(uint64(op.handle))
	if ok && found.kind == heldValue && (op.op == C.GL_OP_FIELD || op.op == C.GL_OP_SET_FIELD) {
		found.class.doField(op, found.p)
		return
	}
	h := found // on the heap, which a field's reader does without
	w, done := writer{buffer: op.out}, false
	defer w.end(&done)
	switch {
	case !ok && op.op >= C.GL_OP_IS: // an error that has lost its value is still an error, though like no other
	case !ok:
		lookup(uint64(op.handle))
	case h.kind == heldValue:
		h.do(op, &w)
	default:
		h.doOther(op, &w)
	}
	done = true
}

func (h *held) do(op *C.struct_gl_handle_op, w *writer) {
	c := h.class
	var r reader
	if op.in != nil {
		r.w = unsafe.Slice(op.in.p, op.in.len)
	}
	n := int(op.n)
	switch op.op {
	case C.GL_OP_COPY:
		w.deep = true
		planOf(op.plan).results[0].encode(w, h.p)
	case C.GL_OP_GET:
		c.open()
		c.value.keep(w, h.p, false)
	case C.GL_OP_VALUE:
		c.open()
		c.value.encode(w, h.p)
	case C.GL_OP_SET:
		c.open()
		c.value.assign(&r, h.p)
	case C.GL_OP_NEXT_FIELD:
		c.open()
		op.result = C.int64_t(h.nextField(n, w))
	case C.GL_OP_INDEX:
		c.elem.keep(w, h.element(n), false)
	case C.GL_OP_SET_INDEX:
		c.elem.assign(&r, h.element(n))
	case C.GL_OP_KEY, C.GL_OP_SET_KEY, C.GL_OP_DELETE_KEY:
		op.result = h.doKey(op.op, &r, w)
	case C.GL_OP_LEN:
		op.result = C.int64_t(h.length())
	case C.GL_OP_TEXT:
		w.string(h.text())
	case C.GL_OP_EQUAL:
		other := lookup(uint64(op.n))
		op.result = truth(h.equals(&other))
	case C.GL_OP_FITS:
		t := planOf(op.plan).types[n].typ
		op.result = truth(t != nil && h.as(t).IsValid())
	case C.GL_OP_SEND, C.GL_OP_RECEIVE, C.GL_OP_CLOSE:
		op.result = h.doChan(op, &r, w)
	case C.GL_OP_ITERATE:
		op.result = C.int64_t(h.iterate())
	case C.GL_OP_IS, C.GL_OP_AS, C.GL_OP_UNWRAP:
		v := h.as(errorType)
		if !v.IsValid() {
			panic(carryError("it is no error"))
		}
		doError(v.Interface().(error), op, &r, w)
	}
}

// doField reads or sets a field of the struct at p.
func (c *class) doField(op *C.struct_gl_handle_op, p unsafe.Pointer) {
	c.open()
	f := &c.fields[op.n]
	if op.op == C.GL_OP_FIELD {
		w, done := writer{buffer: op.out}, false
		defer w.end(&done)
		f.node.keep(&w, f.at(p), false)
		done = true
	} else {
		f.node.assign(&reader{w: unsafe.Slice(op.in.p, op.in.len)}, f.at(p))
	}
}

func (h *held) doOther(op *C.struct_gl_handle_op, w *writer) {
	var r reader
	if op.in != nil {
		r.w = unsafe.Slice(op.in.p, op.in.len)
	}
	switch {
	case h.kind == heldIterator && op.op == C.GL_OP_NEXT:
		op.result = C.int64_t((*iterator)(h.p).next(w, int(op.n)))
	case h.kind == heldError && op.op == C.GL_OP_FITS:
		t := planOf(op.plan).types[op.n].typ
		op.result = truth(t != nil && h.as(t).IsValid())
	case op.op == C.GL_OP_EQUAL:
		op.result = 0
	case h.kind == heldError:
		doError(*(*error)(h.p), op, &r, w)
	default:
		panic(carryError("an iterator is for pairs alone"))
	}
}

func truth(b bool) C.int64_t {
	if b {
		return 1
	}
	return 0
}

// assign reads a value of type n, and sets the variable at p to it: with the write barriers that a variable outside the
// heap needs too, and not before all of it has been read.
func (n *node) assign(r *reader, p unsafe.Pointer) {
	switch n.kind {
	case C.GL_KIND_BOOL, C.GL_KIND_INT, C.GL_KIND_UINT, C.GL_KIND_FLOAT, C.GL_KIND_STRING:
		n.decode(r, p) // there is nothing that could be wrong with it
		return
	}
	v := n.alloc()
	n.decode(r, v)
	value(n.shape(), p).Set(value(n.shape(), v))
}

// nextField writes the first field from number n on that is there, and returns the number behind it; 0 where there is
// none.
func (h *held) nextField(n int, w *writer) int {
	for fields := h.class.fields; n < len(fields); n++ {
		if p := fields[n].find(h.p); p != nil {
			fields[n].node.keep(w, p, false)
			return n + 1
		}
	}
	return 0
}

// ---- lists ------------------------------------------------------------------------------------------------------

func (h *held) element(i int) unsafe.Pointer {
	h.class.open()
	v := value(h.class.typ, h.p)
	if k := v.Kind(); k != reflect.Slice && k != reflect.Array {
		panic(carryError("it has no elements"))
	}
	if i < 0 || i >= v.Len() {
		panic(carryError(fmt.Sprintf("index %d is out of range: it has %d elements", i+1, v.Len())))
	}
	if v.Kind() == reflect.Array {
		return unsafe.Add(h.p, uintptr(i)*h.class.elem.size)
	}
	return unsafe.Add((*slice)(h.p).p, uintptr(i)*h.class.elem.size)
}

func (h *held) length() int {
	v := value(h.class.typ, h.p)
	switch v.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map, reflect.Chan, reflect.String:
		return v.Len()
	}
	panic(carryError("it has no length"))
}

// ---- maps -------------------------------------------------------------------------------------------------------

func (h *held) doKey(op C.enum_gl_op, r *reader, w *writer) C.int64_t {
	c := h.class
	c.open()
	m := value(c.typ, h.p)
	if m.Kind() != reflect.Map {
		panic(carryError("it has no keys"))
	}
	keyp := c.key.alloc()
	c.key.decode(r, keyp)
	key := value(c.typ.Key(), keyp)
	c.key.checkKey(r, key)
	if op == C.GL_OP_KEY {
		v := m.MapIndex(key)
		if !v.IsValid() {
			return 0
		}
		c.elem.keepValue(w, v)
		return 1
	}
	if m.IsNil() {
		if op == C.GL_OP_DELETE_KEY {
			return 0
		}
		panic(carryError("it is nil: a map has to be set before it takes keys"))
	}
	elem := reflect.Value{}
	if op == C.GL_OP_SET_KEY {
		elemp := c.elem.alloc()
		c.elem.decode(r, elemp)
		elem = value(c.typ.Elem(), elemp)
	}
	m.SetMapIndex(key, elem)
	return 1
}

// keepValue writes a value that has no address: a map's, or one that was received or yielded. It gets a variable of its
// own.
func (n *node) keepValue(w *writer, v reflect.Value) {
	p := n.alloc()
	value(n.shape(), p).Set(v)
	n.keep(w, p, false)
}

// An iterator goes through a list or a map, or through what comes out of a channel or of a function to range over.
type iterator struct {
	of       held
	at       int // of a list: how many were read
	keys     *reflect.MapIter
	sequence *sequence
	done     bool
}

func (h *held) iterate() uint64 {
	h.class.open()
	it := &iterator{of: *h}
	switch v := value(h.class.typ, h.p); v.Kind() {
	case reflect.Slice, reflect.Array:
	case reflect.Map:
		it.keys = v.MapRange()
	case reflect.Chan:
		checkChannel(v, reflect.RecvDir)
	default:
		if valuesOf(h.class.typ) < 0 {
			panic(carryError("it can't be iterated over"))
		}
		it.sequence = newSequence(h.class.typ, *(*unsafe.Pointer)(h.p))
	}
	return hold(h.class, unsafe.Pointer(it), heldIterator)
}

// next writes up to max elements, with their keys before them if they have any; of what comes out of a channel or a
// function one, since the next may take long to come.
func (it *iterator) next(w *writer, max int) (n int) {
	c := it.of.class
	switch c.typ.Kind() {
	case reflect.Map:
		for ; n < max && !it.done; n++ {
			if it.done = !it.keys.Next(); it.done {
				break
			}
			c.key.keepValue(w, it.keys.Key())
			c.elem.keepValue(w, it.keys.Value())
		}
	case reflect.Chan:
		if v, ok := value(c.typ, it.of.p).Recv(); ok {
			c.elem.keepValue(w, v)
			n = 1
		}
	case reflect.Func:
		if values, ok := it.sequence.next(); ok {
			for i, v := range values {
				if i < len(values)-1 {
					c.key.keepValue(w, v)
				} else {
					c.elem.keepValue(w, v)
				}
			}
			n = 1
		}
	default:
		for len := it.of.length(); n < max && it.at < len; n++ {
			c.elem.keep(w, it.of.element(it.at), false)
			it.at++
		}
	}
	return n
}

// ---- channels ---------------------------------------------------------------------------------------------------

// checkChannel is for who would wait, or panic, otherwise.
func checkChannel(v reflect.Value, dir reflect.ChanDir) {
	if v.Kind() != reflect.Chan {
		panic(carryError("it is no channel"))
	}
	if v.Type().ChanDir()&dir == 0 {
		panic(carryError("the channel goes the other way"))
	}
	if v.IsNil() {
		panic(carryError("the channel is nil: nothing ever comes out of it, and nothing goes in"))
	}
}

func (h *held) doChan(op *C.struct_gl_handle_op, r *reader, w *writer) C.int64_t {
	h.class.open()
	v := value(h.class.typ, h.p)
	sends := reflect.SelectCase{Dir: reflect.SelectRecv, Chan: v}
	if op.op == C.GL_OP_RECEIVE {
		checkChannel(v, reflect.RecvDir)
	} else {
		checkChannel(v, reflect.SendDir)
	}
	switch op.op {
	case C.GL_OP_CLOSE:
		return closeChan(v)
	case C.GL_OP_SEND:
		p := h.class.elem.alloc()
		h.class.elem.decode(r, p)
		sends.Dir, sends.Send = reflect.SelectSend, value(h.class.typ.Elem(), p)
	}
	received, ok, result := within(float64(op.seconds), sends)
	if result == C.GL_CHAN_DONE && op.op == C.GL_OP_RECEIVE {
		if !ok {
			return C.GL_CHAN_CLOSED
		}
		h.class.elem.keepValue(w, received)
	}
	return result
}

// within waits for a channel no longer than that, or for ever if seconds is negative.
func within(seconds float64, c reflect.SelectCase) (v reflect.Value, ok bool, result C.int64_t) {
	defer func() {
		if r := recover(); r != nil {
			if err, isError := r.(error); isError && err.Error() == "send on closed channel" {
				result = C.GL_CHAN_CLOSED
				return
			}
			panic(r)
		}
	}()
	cases := []reflect.SelectCase{c, {Dir: reflect.SelectDefault}}
	i, v, ok := reflect.Select(cases)
	switch {
	case i == 0:
		return v, ok, C.GL_CHAN_DONE
	case seconds < 0:
		_, v, ok = reflect.Select(cases[:1])
		return v, ok, C.GL_CHAN_DONE
	case seconds == 0:
		return v, false, C.GL_CHAN_TIMEOUT
	}
	timer := time.NewTimer(time.Duration(min(seconds, 1e9) * 1e9))
	defer timer.Stop()
	cases[1] = reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(timer.C)}
	if i, v, ok = reflect.Select(cases); i == 1 {
		return v, false, C.GL_CHAN_TIMEOUT
	}
	return v, ok, C.GL_CHAN_DONE
}

func closeChan(v reflect.Value) (result C.int64_t) {
	defer func() {
		if r := recover(); r != nil {
			result = C.GL_CHAN_CLOSED
		}
	}()
	v.Close()
	return C.GL_CHAN_DONE
}

// ---- equality ---------------------------------------------------------------------------------------------------

func (h *held) equals(other *held) bool {
	if other.kind != heldValue {
		return false
	}
	if h.class.self != other.class.self {
		return false
	}
	if h.p == other.p || h.class.isPointer {
		return h.p == other.p
	}
	switch v := value(h.class.typ, h.p); v.Kind() {
	case reflect.Map, reflect.Func, reflect.Slice:
		return *(*unsafe.Pointer)(h.p) == *(*unsafe.Pointer)(other.p) && (v.Kind() != reflect.Slice ||
			(*slice)(h.p).len == (*slice)(other.p).len)
	default:
		return canCompare(v) && v.Equal(value(h.class.typ, other.p))
	}
}

// ---- errors -----------------------------------------------------------------------------------------------------

// doError is errors.Is, As and Unwrap. What an error table without a Go value answers, Lua knows.
func doError(err error, op *C.struct_gl_handle_op, r *reader, w *writer) {
	switch op.op {
	case C.GL_OP_IS:
		other, ok := find(uint64(op.n))
		if !ok {
			return
		}
		if v := other.as(errorType); v.IsValid() {
			var target error
			reflect.ValueOf(&target).Elem().Set(v)
			op.result = truth(errors.Is(err, target))
		}
	case C.GL_OP_AS:
		if found := findError(err, r.string()); found != nil {
			op.result = 1
			w.hold(reflect.ValueOf(found))
		}
	case C.GL_OP_UNWRAP:
		if inner := errors.Unwrap(err); inner != nil {
			op.result = 1
			w.error(inner)
		}
	default:
		panic(carryError("it is an error, and nothing else"))
	}
}

// findError finds the first error of a chain that has the type of that name, as errors.As does by the type itself.
func findError(err error, name string) error {
	for err != nil {
		if reflect.TypeOf(err).String() == name {
			return err
		}
		switch wrapper := err.(type) {
		case interface{ Unwrap() []error }:
			for _, inner := range wrapper.Unwrap() {
				if found := findError(inner, name); found != nil {
					return found
				}
			}
			return nil
		default:
			err = errors.Unwrap(err)
		}
	}
	return nil
}
