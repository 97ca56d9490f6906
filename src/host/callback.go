package host

/*
#include <stdlib.h>
#include "callback.h"

static void call_lua(void (*call)(struct gl_callback *), struct gl_callback *callback) { call(callback); }
*/
import "C"

import (
	"reflect"
	"runtime"
	"unsafe"

	"goloader.dev/host/internal/enter"
)

// A Lua function that is an argument becomes a Go function, made by reflect, which calls Lua: on the thread that the
// call came from, and while that is under way. Anywhere else it panics. It refers to nothing of Lua's but by a number,
// so that whoever keeps it keeps a shell.
//
// No side unwinds the other's frames. An error in Lua is caught there, and raised anew by a Go panic with a luaError;
// a panic that reaches the function C has called is caught there, and raised anew by Lua.
type luaFunc struct {
	scope  *scope
	number uint64
	name   string // "the Lua function passed as 'f'"
	node   *node
}

// luaError is what Go panics with, in the place of an error in Lua.
type luaError struct {
	number, serial uint64 // of the error's value, which only Lua has
	text           string
}

func (e *luaError) Error() string {
	return e.text
}

// callbackError is what a Lua function panics with that can't be called.
type callbackError string

func (e callbackError) Error() string {
	return string(e)
}

// function reads a function into the variable of type n at p.
func (r *reader) function(n *node, p unsafe.Pointer) {
	number := r.word()
	switch int(number) {
	case 0:
		return
	case byHandle:
		n.take(r, p)
		return
	}
	f := &luaFunc{scope: r.scope, number: number, name: r.string(), node: n}
	value(n.typ, p).Set(reflect.MakeFunc(n.typ, f.call))
}

func (f *luaFunc) call(args []reflect.Value) []reflect.Value {
	s := f.scope
	switch {
	case s.ended.Load():
		panic(callbackError(f.name + " was called after the call that it was given to had ended"))
	case uintptr(enter.G()) != s.g:
		panic(callbackError(f.name + " was called from another goroutine than it was given to"))
	}
	c := C.struct_gl_callback{
		caller: s.caller, number: C.uint64_t(f.number), stream: s.stream,
		name: C.uintptr_t(uintptr(unsafe.Pointer(unsafe.StringData(f.name)))), name_len: C.size_t(len(f.name)),
	}
	s.stream = C.struct_gl_buffer{} // functions that Lua calls meanwhile may call back too
	defer func() { s.give(c.stream) }()
	f.encodeArguments(&writer{buffer: &c.stream}, args)
	C.call_lua(setup.callback, &c)
	runtime.KeepAlive(f)

	in := reader{w: unsafe.Slice(c.stream.p, c.stream.len), scope: s, from: f}
	switch c.status {
	case C.GL_CALLBACK_AWAY:
		panic(callbackError(f.name + " was called by a function that was not called by Lua's C API"))
	case C.GL_CALLBACK_ERROR:
		panic(&luaError{in.word(), in.word(), in.string()})
	}
	return f.decodeResults(&in)
}

func (f *luaFunc) encodeArguments(out *writer, args []reflect.Value) {
	out.buffer.len = 0
	for i, arg := range args {
		n := f.node.fields[i].node
		p := n.alloc()
		value(n.typ, p).Set(arg)
		n.encode(out, p)
	}
}

func (f *luaFunc) decodeResults(in *reader) []reflect.Value {
	nodes := f.node.fields[f.node.len:]
	results := make([]reflect.Value, len(nodes))
	failed := in.word() != 0
	for i := range nodes {
		n := nodes[i].node
		p := n.alloc()
		in.result = i + 1
		if !failed || i+1 == len(nodes) {
			n.decode(in, p)
		}
		results[i] = value(n.typ, p)
	}
	return results
}

// give keeps a stream's memory for the next call of a Lua function.
func (s *scope) give(stream C.struct_gl_buffer) {
	if s.stream.p != nil {
		C.free(unsafe.Pointer(stream.p))
		return
	}
	s.stream = stream
}
