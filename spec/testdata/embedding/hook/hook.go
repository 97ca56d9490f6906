// Package hook runs Lua in a Go program, and lets modules call back into the Lua that called them.
package hook

/*
#cgo CFLAGS: -I/usr/include/luajit-2.1
#cgo LDFLAGS: -lluajit-5.1
#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>

static int run(lua_State *L, const char *file)
{
	return luaL_loadfile(L, file) || lua_pcall(L, 0, 0, 0);
}

static int call(lua_State *L, const char *function, int n)
{
	lua_getglobal(L, function);
	lua_pushinteger(L, n);
	return lua_pcall(L, 1, 1, 0);
}

static const char *text(lua_State *L)
{
	lua_getglobal(L, "tostring");
	lua_insert(L, -2);
	return lua_pcall(L, 1, 1, 0) == 0 ? lua_tostring(L, -1) : "?";
}

static void pop(lua_State *L) { lua_settop(L, -2); }
*/
import "C"

import (
	"errors"
	"unsafe"
)

// A State is a Lua state, for one goroutine at a time.
type State struct{ l *C.lua_State }

// Current is the state that runs; there is one in this program that calls back.
var Current State

// Run runs a file.
func Run(file string) error {
	s := State{C.luaL_newstate()}
	C.luaL_openlibs(s.l)
	if Current.l == nil {
		Current = s
	}
	name := C.CString(file)
	defer C.free(unsafe.Pointer(name))
	if C.run(s.l, name) != 0 {
		return errors.New(s.pop())
	}
	C.lua_close(s.l)
	return nil
}

// Call calls a global function of Lua.
func Call(function string, n int) (string, error) {
	name := C.CString(function)
	defer C.free(unsafe.Pointer(name))
	if C.call(Current.l, name, C.int(n)) != 0 {
		return "", errors.New(Current.pop())
	}
	return Current.pop(), nil
}

func (s State) pop() string {
	text := C.GoString(C.text(s.l))
	C.pop(s.l)
	return text
}
