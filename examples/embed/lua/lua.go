// Package lua runs LuaJIT inside a Go program.
package lua

/*
#cgo CFLAGS: -I/usr/include/luajit-2.1
#cgo LDFLAGS: -lluajit-5.1
#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>

static int call(lua_State *L, const char *function, const char *arg)
{
	lua_getglobal(L, function);
	lua_pushstring(L, arg);
	return lua_pcall(L, 1, 1, 0);
}

// The value on the top as text, in its place: an error may be a table.
static const char *text(lua_State *L)
{
	lua_getglobal(L, "tostring");
	lua_insert(L, -2);
	return lua_pcall(L, 1, 1, 0) == 0 && lua_isstring(L, -1) ? lua_tostring(L, -1) : "a value that is no text";
}

static int run(lua_State *L, const char *file)
{
	return luaL_loadfile(L, file) || lua_pcall(L, 0, 0, 0);
}
*/
import "C"

import (
	"errors"
	"sync"
	"unsafe"
)

// A State is a Lua state. Its calls take turns.
type State struct {
	mu sync.Mutex
	l  *C.lua_State
}

// Run runs a Lua file in a new state.
func Run(file string) (*State, error) {
	l := C.luaL_newstate()
	if l == nil {
		return nil, errors.New("no memory for a Lua state")
	}
	C.luaL_openlibs(l)
	s := &State{l: l}
	name := C.CString(file)
	defer C.free(unsafe.Pointer(name))
	if C.run(l, name) != 0 {
		defer C.lua_close(l)
		return nil, errors.New(s.pop())
	}
	return s, nil
}

// Call calls a global function with one string, and answers what it returns as text.
func (s *State) Call(function, arg string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cfunction, carg := C.CString(function), C.CString(arg)
	defer C.free(unsafe.Pointer(cfunction))
	defer C.free(unsafe.Pointer(carg))
	if C.call(s.l, cfunction, carg) != 0 {
		return "", errors.New(s.pop())
	}
	return s.pop(), nil
}

// pop takes the value on the top of the stack.
func (s *State) pop() string {
	text := C.GoString(C.text(s.l))
	C.lua_settop(s.l, -2)
	return text
}
