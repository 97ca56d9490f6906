package host

/*
#include "call.h"
*/
import "C"

import (
	"fmt"
	"reflect"
	"runtime"
	"unsafe"

	"goloader.dev/host/internal/enter"
)

// C calls Go functions in two ways. goloader_call_fast is for signatures of numbers, strings and errors that fit into
// registers: C has put every word where it belongs. goloader_call is for all others: C has written the arguments as a
// stream, and a plan tells what to make of it.
//
// In both, whatever the function does ends here: a panic becomes a message with a traceback, and runtime.Goexit, which
// would end the calling thread's goroutine and with it the process, becomes an error.

// What the Go half knows of the runtime, from C.
var setup struct {
	reflectcall func(typ, fn, args unsafe.Pointer, size, result, frame uint32, regs *enter.Regs)
	new         func(typ unsafe.Pointer) unsafe.Pointer
	newArray    func(typ unsafe.Pointer, n int) unsafe.Pointer

	exportedMethods                       func(typ unsafe.Pointer) []method
	resolveName, resolveType, resolveText func(typ unsafe.Pointer, off int32) unsafe.Pointer

	code [7]unsafe.Pointer // what the functions above point to: closures that are nothing but code

	callback  *[0]byte // C's void (*)(struct gl_callback *)
	tellStack *[0]byte // C's void (*)(void)

	gPanic, panicLink, panicGoexit                int
	typeSize, typePtrBytes, typeGCData, typeBytes uintptr
}

//export goloader_call_setup
func goloader_call_setup(s *C.struct_gl_call_setup) {
	setup.code = [...]unsafe.Pointer{s.reflectcall, s.unsafe_New, s.unsafe_NewArray, s.exported_methods, s.resolve_name,
		s.resolve_type, s.resolve_text}
	for i, f := range [...]unsafe.Pointer{
		unsafe.Pointer(&setup.reflectcall), unsafe.Pointer(&setup.new), unsafe.Pointer(&setup.newArray),
		unsafe.Pointer(&setup.exportedMethods), unsafe.Pointer(&setup.resolveName), unsafe.Pointer(&setup.resolveType),
		unsafe.Pointer(&setup.resolveText),
	} {
		*(*unsafe.Pointer)(f) = unsafe.Pointer(&setup.code[i])
	}
	setup.callback, setup.tellStack = s.callback, s.tell_stack
	setup.gPanic, setup.panicLink, setup.panicGoexit = int(s.g_panic), int(s.panic_link), int(s.panic_goexit)
	setup.typeSize, setup.typePtrBytes = uintptr(s.type_size), uintptr(s.type_ptrbytes)
	setup.typeGCData, setup.typeBytes = uintptr(s.type_gcdata), uintptr(s.type_bytes)
	s.ints, s.floats = enter.IntRegs, enter.FloatRegs
}

//export goloader_call_fast
func goloader_call_fast(c *C.struct_gl_fast_call) {
	guard(&c.status, c.out, func() { callFast(c) })
}

// guard runs what C has asked for, and has C know how it ends: whatever it does, it ends here.
func guard(status *C.enum_gl_status, out *C.struct_gl_buffer, f func()) {
	done := false
	defer caught(status, out)
	defer left(&done)
	*status = C.GL_CALL_DONE
	f()
	done = true
}

func callFast(c *C.struct_gl_fast_call) {
	regs := (*enter.Regs)(unsafe.Pointer(&c.regs))
	if c.copies|c.strings == 0 && c.error < 0 && c.receiver < 0 {
		// Numbers only: the registers are loaded from and stored to C's memory, no pointer is among them.
		enter.Call(c.fn, regs, nil)
	} else {
		callCopying(c, regs)
	}
}

var nothing byte

// A function that does not keep a string (compilers know) finds a short one on the stack, as if its caller had made it
// for this call. Not in C's memory: the runtime takes what is not on the stack for what may be kept
// (runtime/string.go, concatstrings).
type lent struct {
	used  int
	words uint16 // bit i: word i is a place in bytes
	bytes [128]byte
}

// copy returns a word for the address of a copy of the n bytes at p, which is to be word i, and that address again if
// it is the collector's to know. nil stays nil, nothing else does. It is not inlined: what may be kept must not be made
// on the caller's stack.
//
//go:noinline
func (l *lent) copy(i int, p *byte, n int, isLent bool) (uintptr, unsafe.Pointer) {
	switch {
	case p == nil:
		return 0, nil
	case isLent && n > 0 && n <= len(l.bytes)-l.used:
		at := l.used
		copy(l.bytes[at:], unsafe.Slice(p, n))
		l.words |= 1 << i
		l.used += n
		return uintptr(at), nil
	}
	data := unsafe.Pointer(&nothing)
	if n > 0 {
		data = unsafe.Pointer(unsafe.SliceData(append([]byte(nil), unsafe.Slice(p, n)...)))
	}
	return uintptr(data), data
}

// callCopying calls with registers of its own, since pointers to Go's memory must be where the collector sees them.
func callCopying(c *C.struct_gl_fast_call, given *enter.Regs) {
	// What C left in Ptrs is nothing that the collector may see.
	regs := enter.Regs{Ints: given.Ints, Floats: given.Floats, ReturnIsPtr: given.ReturnIsPtr}
	var l lent
	for i, bits := 0, c.copies; bits != 0; i, bits = i+1, bits>>1 {
		if bits&1 != 0 {
			p := *(**byte)(unsafe.Pointer(&given.Ints[i]))
			regs.Ints[i], regs.Ptrs[i] = l.copy(i, p, int(given.Ints[i+1]), c.lent>>i&1 != 0)
		}
	}
	regs.Lent = l.words
	if i := c.receiver; i >= 0 {
		regs.Ptrs[i] = lookup(uint64(regs.Ints[i])).p
		regs.Ints[i] = uintptr(regs.Ptrs[i])
	}
	enter.Call(c.fn, &regs, unsafe.Pointer(&l.bytes))

	w := writer{buffer: c.out}
	w.word(0)
	for i, bits := 0, c.strings; bits != 0; i, bits = i+1, bits>>1 {
		if bits&1 != 0 {
			n := regs.Ints[i+1]
			regs.Ints[i] = uintptr(w.buffer.len)
			w.string(unsafe.String((*byte)(regs.Ptrs[i]), n))
		}
	}
	if c.error >= 0 {
		i := int(c.error)
		if tab := regs.Ints[i]; tab != 0 {
			regs.Ints[i] = uintptr(w.buffer.len)
			w.error(errorOf(tab, regs.Ptrs[i+1]))
			w.tail()
		}
	}
	given.Ints, given.Floats = regs.Ints, regs.Floats
}

// errorOf makes an error of its words: its itab, which is not the collector's, and its data, which is.
func errorOf(tab uintptr, data unsafe.Pointer) (err error) {
	e := (*struct {
		tab  uintptr
		data unsafe.Pointer
	})(unsafe.Pointer(&err))
	e.tab, e.data = tab, data
	return err
}

//export goloader_call
func goloader_call(c *C.struct_gl_call) {
	guard(&c.status, c.out, func() { planOf(c.plan).call(c) })
}

// function is the closure that is to be called, nil where it is code at an address alone.
func function(c *C.struct_gl_call) unsafe.Pointer {
	if c.handle == 0 {
		return nil
	}
	return *(*unsafe.Pointer)(lookup(uint64(c.handle)).p)
}

func (p *plan) call(c *C.struct_gl_call) {
	in := reader{w: unsafe.Slice(c.in.p, c.in.len)}
	if p.scoped {
		in.scope = newCallScope(c.caller)
		defer in.scope.end()
	}
	out, done := writer{buffer: c.out}, false
	defer out.end(&done)
	var regs enter.Regs
	stack := p.decodeParams(&in, &regs)
	p.enter(c.addr, function(c), &regs, stack)
	p.encodeResults(&out, &regs, stack, bool(c.keep))
	done = true
}

// decodeParams puts the arguments where the function expects them: in registers and on the stack that it returns.
func (p *plan) decodeParams(in *reader, regs *enter.Regs) (stack unsafe.Pointer) {
	if p.frame.size > 0 {
		stack = setup.new(p.frame.typ)
	}
	for i := range p.params {
		q := &p.params[i]
		in.param = i + 1
		switch {
		case q.regs == nil:
			q.decode(in, unsafe.Add(stack, q.stack))
		case q.kind == C.GL_KIND_STRING:
			v := in.string()
			reg := q.regs[0].reg
			regs.Ptrs[reg] = unsafe.Pointer(unsafe.StringData(v))
			regs.Ints[reg], regs.Ints[reg+1] = uintptr(regs.Ptrs[reg]), uintptr(len(v))
		case q.inOneRegister():
			regs.Ints[q.regs[0].reg] = uintptr(in.word())
		case q.isPointer:
			// What C's memory holds is a number: the pointer comes from where the collector sees it.
			reg := q.regs[0].reg
			regs.Ptrs[reg] = q.decodePointer(in)
			regs.Ints[reg] = uintptr(regs.Ptrs[reg])
		default:
			v := q.alloc()
			q.decode(in, v)
			for _, s := range q.regs {
				s.load(regs, v)
			}
		}
	}
	regs.Floatless = p.floatless
	for i := range regs.ReturnIsPtr {
		regs.ReturnIsPtr[i] = uint8(p.resultPtrs >> (8 * i))
	}
	return stack
}

// enter calls the code, or the closure where there is one.
func (p *plan) enter(code, closure unsafe.Pointer, regs *enter.Regs, stack unsafe.Pointer) {
	if closure == nil && p.frame.size == 0 {
		enter.Call(code, regs, nil)
		return
	}
	if closure == nil {
		closure = unsafe.Pointer(&code)
	}
	setup.reflectcall(p.frame.typ, hide(closure), stack, uint32(p.frame.size), uint32(p.frame.result),
		uint32(p.frame.size+p.frame.spill), (*enter.Regs)(hide(unsafe.Pointer(regs))))
}

// hide keeps the compiler from seeing that a function gets this pointer: one that it does not know, but that does not
// keep it (runtime.noescape).
//
//go:nosplit
func hide(p unsafe.Pointer) unsafe.Pointer {
	x := uintptr(p)
	return *(*unsafe.Pointer)(unsafe.Pointer(&x))
}

// encodeResults writes what the function has left in registers and on the stack. keep: it stays in Go.
func (p *plan) encodeResults(out *writer, regs *enter.Regs, stack unsafe.Pointer, keep bool) {
	for i := range p.results {
		q := &p.results[i]
		switch {
		case keep:
			v := q.alloc()
			if q.regs == nil && q.size > 0 {
				value(q.shape(), v).Set(value(q.shape(), unsafe.Add(stack, q.stack)))
			}
			for _, s := range q.regs {
				s.store(regs, v)
			}
			q.keep(out, v, true)
		case q.regs == nil:
			q.encode(out, unsafe.Add(stack, q.stack))
		case q.kind == C.GL_KIND_STRING:
			reg := q.regs[0].reg
			out.string(unsafe.String((*byte)(regs.Ptrs[reg]), regs.Ints[reg+1]))
		case q.inOneRegister():
			out.word(q.extend(uint64(regs.Ints[q.regs[0].reg])))
		default:
			v := q.alloc()
			for _, s := range q.regs {
				s.store(regs, v)
			}
			q.encode(out, v)
		}
	}
}

// inOneRegister tells whether the value is a word that needs no memory on its way to its register or back.
func (q *place) inOneRegister() bool {
	return q.kind == C.GL_KIND_INT || q.kind == C.GL_KIND_UINT || q.kind == C.GL_KIND_BOOL
}

// load puts one word of the value at p into its register.
func (s step) load(regs *enter.Regs, p unsafe.Pointer) {
	p = unsafe.Add(p, s.off)
	switch {
	case s.kind == stepPointer:
		regs.Ptrs[s.reg] = *(*unsafe.Pointer)(p)
		regs.Ints[s.reg] = uintptr(regs.Ptrs[s.reg])
	case s.kind == stepFloat && s.size == 4:
		regs.Floats[s.reg] = uint64(*(*uint32)(p))
	case s.kind == stepFloat:
		regs.Floats[s.reg] = *(*uint64)(p)
	case s.size == 1:
		regs.Ints[s.reg] = uintptr(*(*uint8)(p))
	case s.size == 2:
		regs.Ints[s.reg] = uintptr(*(*uint16)(p))
	case s.size == 4:
		regs.Ints[s.reg] = uintptr(*(*uint32)(p))
	default:
		regs.Ints[s.reg] = *(*uintptr)(p)
	}
}

// store takes one word of the value at p from its register.
func (s step) store(regs *enter.Regs, p unsafe.Pointer) {
	p = unsafe.Add(p, s.off)
	switch {
	case s.kind == stepPointer:
		*(*unsafe.Pointer)(p) = regs.Ptrs[s.reg]
	case s.kind == stepFloat && s.size == 4:
		*(*uint32)(p) = uint32(regs.Floats[s.reg])
	case s.kind == stepFloat:
		*(*uint64)(p) = regs.Floats[s.reg]
	case s.size == 1:
		*(*uint8)(p) = uint8(regs.Ints[s.reg])
	case s.size == 2:
		*(*uint16)(p) = uint16(regs.Ints[s.reg])
	case s.size == 4:
		*(*uint32)(p) = uint32(regs.Ints[s.reg])
	default:
		*(*uintptr)(p) = regs.Ints[s.reg]
	}
}

// ---- variables --------------------------------------------------------------------------------------------------

//export goloader_get
func goloader_get(c *C.struct_gl_call) {
	guard(&c.status, c.out, func() {
		w, done := writer{buffer: c.out}, false
		defer w.end(&done)
		planOf(c.plan).results[0].encode(&w, c.addr)
		done = true
	})
}

//export goloader_set
func goloader_set(c *C.struct_gl_call) {
	guard(&c.status, c.out, func() {
		n := planOf(c.plan).results[0].node
		v := n.alloc()
		n.decode(&reader{w: unsafe.Slice(c.in.p, c.in.len), param: 1}, v)
		// Set has the write barriers that a variable outside the heap needs too.
		value(n.shape(), c.addr).Set(value(n.shape(), v))
	})
}

// ---- what ends a call before its time ----------------------------------------------------------------------------

// exited is what runtime.Goexit becomes.
type exited struct{}

// left is deferred around a call. Neither panic nor return runs it undone: then it is runtime.Goexit that does, and
// only a panic that an older frame recovers gets past it; but the runtime sees to it that no panic does, unless it
// forgets that this goroutine is exiting (runtime/panic.go, recovery; gopanic before Go 1.22).
func left(done *bool) {
	if !*done {
		leave(recover(), unsafe.Pointer(done))
	}
}

// leave panics, with what the panic was that a call was left by; or, where that is nil and Goexit did it, with exited.
// The call's function has a variable at frame. A panic may come out of what Goexit runs, and ends the call instead.
func leave(r any, frame unsafe.Pointer) {
	exits := forgetGoexit(frame)
	if r != nil {
		switch r.(type) {
		case carryError, argumentError, goneError, // these have no place in Go
			panicked: // elsewhere, on a goroutine that was waited for
			panic(r)
		case *luaError: // Lua knows where it has happened, but not what of Go it has come through
			panic(panicked{value: r, frames: callersOfLua()})
		}
		panic(panicked{value: r, parts: traceback()})
	}
	if exits {
		panic(exited{})
	}
}

// forgetGoexit has the runtime forget that this goroutine is exiting, and tells whether it was. What the runtime knows
// of it lies in the frame of Goexit: those above `frame` are of calls that this one was made in, by what they deferred.
func forgetGoexit(frame unsafe.Pointer) (forgotten bool) {
	if setup.gPanic < 0 || setup.panicLink < 0 || setup.panicGoexit < 0 {
		return false
	}
	p := *(*unsafe.Pointer)(unsafe.Add(enter.G(), setup.gPanic))
	for p != nil && uintptr(p) < uintptr(frame) {
		if goexit := (*bool)(unsafe.Add(p, setup.panicGoexit)); *goexit {
			*goexit, forgotten = false, true
		}
		p = *(*unsafe.Pointer)(unsafe.Add(p, setup.panicLink))
	}
	return forgotten
}

// panicked is a panic's value with the place where it happened: parts of a traceback, or frames (traceback.go).
type panicked struct {
	value  any
	parts  []string
	frames []runtime.Frame
}

// caught is deferred by what C calls, and tells C how the call ended.
func caught(status *C.enum_gl_status, out *C.struct_gl_buffer) {
	if r := recover(); r != nil {
		ended(r, status, out)
	}
}

// ended writes down what ended a call.
func ended(r any, status *C.enum_gl_status, out *C.struct_gl_buffer) {
	out.len, out.nhandles = 0, 0
	w := writer{buffer: out}
	p, ok := r.(panicked)
	if !ok {
		p.value = r
	}
	switch v := p.value.(type) {
	case exited:
		*status = C.GL_CALL_EXITED
	case carryError:
		*status = C.GL_CALL_TYPE
		w.string(string(v))
	case argumentError:
		*status = C.GL_CALL_ARGUMENT
		w.word(uint64(v.param))
		w.string(v.what)
	case *luaError:
		*status = C.GL_CALL_LUA
		w.word(v.number)
		w.word(v.serial)
		w.string(v.text)
		w.frames(p.frames)
	case goneError:
		*status = C.GL_CALL_GONE
		w.string(string(v))
	default:
		*status = C.GL_CALL_PANICKED
		if !ok {
			p.parts = traceback()
		}
		w.string(panicText(p.value))
		w.word(uint64(len(p.parts)))
		for _, part := range p.parts {
			w.string(part)
		}
	}
}

// panicText says what Go would print of a panic's value (runtime/error.go, printpanicval).
func panicText(v any) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text = fmt.Sprintf("%T, whose own method panicked", v)
		}
	}()
	r := reflect.ValueOf(v)
	if err := asError(r); err != nil {
		return err.Error()
	}
	if r.Type().Implements(stringerType) && !isNil(r) {
		var s interface{ String() string }
		reflect.ValueOf(&s).Elem().Set(r)
		return s.String()
	}
	if s, ok := v.(string); ok {
		return s
	}
	if r.Type().PkgPath() == "" && r.Kind() <= reflect.Complex128 {
		return fmt.Sprint(v)
	}
	if r.Kind() == reflect.String {
		return fmt.Sprintf("%T(%q)", v, v)
	}
	return fmt.Sprintf("%T(%+v)", v, v)
}
