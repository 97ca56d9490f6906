/* What `require "goloader.core"` returns. */
#include <stdio.h>
#include <sodium.h>
#include <string.h>

#include "../abi/abi.h"
#include "../call/layouts.h"
#include "../call/profiler.h"
#include "../debug/debug.h"
#include "binding.h"

int binding_fail(lua_State *L, const struct gl_error *err)
{
	lua_pushnil(L);
	gl_lua_push_error(L, gl_code_name(err->code), err->message, strlen(err->message));
	return 2;
}

void binding_new_class(lua_State *L, const char *name, const luaL_Reg *methods)
{
	luaL_newmetatable(L, name);
	gl_lua_setfuncs(L, methods);
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
}

void binding_set_string(lua_State *L, const char *key, const char *value)
{
	lua_pushstring(L, value); /* nil for NULL */
	lua_setfield(L, -2, key);
}

void binding_set_integer(lua_State *L, const char *key, lua_Integer value)
{
	lua_pushinteger(L, value);
	lua_setfield(L, -2, key);
}

void binding_set_number(lua_State *L, const char *key, double value)
{
	lua_pushnumber(L, (lua_Number)value);
	lua_setfield(L, -2, key);
}

void binding_set_bool(lua_State *L, const char *key, bool value)
{
	lua_pushboolean(L, value);
	lua_setfield(L, -2, key);
}

/* core.set_int64(make, split) */
static int set_int64(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	luaL_checktype(L, 2, LUA_TFUNCTION);
	gl_lua_set_int64(L, 1, 2);
	return 0;
}

/* core.layouts() -> the layouts that Lua declares, too, by the names of types */
static int layouts(lua_State *L)
{
	gl_push_layouts(L);
	return 1;
}

/* core.statuses() -> the statuses of calls that Lua tells apart, by name */
static int statuses(lua_State *L)
{
	gl_push_statuses(L);
	return 1;
}

/* core.set_array(array) */
static int set_array(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	gl_lua_set_array(L, 1);
	return 0;
}

/* core.same(value) -> what stands in the place of an array of that value */
static int make_same(lua_State *L)
{
	luaL_checkany(L, 1);
	lua_settop(L, 1);
	gl_lua_make_same(L);
	return 1;
}

/* core.same_value(value) -> whether it is that, and the value in it */
static int same_value(lua_State *L)
{
	bool is_same = gl_lua_push_same(L, 1);

	lua_pushboolean(L, is_same);
	if (!is_same) {
		return 1;
	}
	lua_insert(L, -2);
	return 2;
}

/* core.set_seconds(function(text) -> seconds, or nil and why not) */
static int set_seconds(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	gl_lua_set_seconds(L, 1);
	return 0;
}

/* core.set_error_metatable(table) */
static int set_error_metatable(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	gl_lua_set_error_metatable(L, 1);
	return 0;
}

/* core.use_signal_stacks(): to be called when a signal handler has been installed */
static int use_signal_stacks(lua_State *L)
{
	(void)L;
	gl_signals_use_stacks();
	return 0;
}

/* core.headers_agree(header, want) -> whether what made an object that begins with the one makes what suits the other
 */
static int headers_agree(lua_State *L)
{
	size_t len, want_len;
	const char *header = luaL_checklstring(L, 1, &len), *want = luaL_checklstring(L, 2, &want_len);

	lua_pushboolean(L, gl_abi_headers_agree(header, len, want, want_len));
	return 1;
}

/* core.hash(string, …) -> BLAKE2b over the strings and their lengths, in hexadecimal */
static int hash(lua_State *L)
{
	crypto_generichash_state state;
	char hex[2 * crypto_generichash_BYTES + 1];
	int n = lua_gettop(L);

	binding_hash_begin(&state);
	for (int i = 1; i <= n; i++) {
		size_t len;
		const char *s = luaL_checklstring(L, i, &len);
		binding_hash_add(&state, s, len);
	}
	binding_hash_end(&state, hex);
	lua_pushstring(L, hex);
	return 1;
}

/* For those who attach a debugger to a process and "call goloader_debug()": it learns of all loaded code. */
__attribute__((visibility("default"))) void goloader_debug(void);
void goloader_debug(void)
{
	gl_lock();
	gl_debug_choose(true, false);
	gl_unlock();
}

/* core.debugs() -> true where a debugger is told of variables, of which DWARF in objects knows */
static int debugs(lua_State *L)
{
	gl_lock();
	lua_pushboolean(L, gl_debug_wants_variables());
	gl_unlock();
	return 1;
}

/* core.dump_on(number of a signal) */
static int dump_on(lua_State *L)
{
	gl_dump_on(L, (int)luaL_checkinteger(L, 1));
	return 0;
}

/* core.profiler(step): LuaJIT's profiler "starts", has "started", "was started" before Go was; or it "stops", has
 * "stopped" */
static int profiler(lua_State *L)
{
	static const char *const steps[] = { "starts", "started", "was started", "stops", "stopped", NULL };

	switch (luaL_checkoption(L, 1, NULL, steps)) {
	case 0: gl_profiler_starts(); break;
	case 1: gl_profiler_started(); break;
	case 2: gl_profiler_was_started(); break;
	case 3: gl_profiler_stops(); break;
	default: gl_profiler_stopped(); break;
	}
	return 0;
}

/* core.set_own_sources("@/usr/share/lua/5.1/goloader/"): errors are raised where functions of other files have called
 */
static int set_own_sources(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TSTRING);
	gl_lua_set_own_sources(L, 1);
	return 0;
}

/* core.keep_names(): addresses of what is unloaded are known to find_code, too */
static int keep_names(lua_State *L)
{
	(void)L;
	gl_lock();
	gl_debug_keep_names();
	gl_unlock();
	return 0;
}

/* core.find_code(address) -> the module, then function, file, line and first line of each function that the code there
 * is of, the innermost first, each followed by a zero byte; or nil where it is no loaded code */
static int find_code(lua_State *L)
{
	enum { MOST = 16 };
	uintptr_t addr = (uintptr_t)luaL_checknumber(L, 1);
	struct gl_debug_frame frames[MOST];
	char label[200], text[MOST * 600];
	size_t at = 0;

	gl_lock();
	size_t n = gl_debug_find(addr, label, sizeof(label), frames, MOST);
	if (n > 0) {
		at = (size_t)snprintf(text, sizeof(text), "%s", label) + 1;
	}
	for (size_t i = 0; i < n && at + 550 < sizeof(text); i++) {
		const char *file = frames[i].file != NULL ? frames[i].file : "";
		at += (size_t)snprintf(text + at, 550, "%.200s%c%.300s%c%d%c%d", frames[i].function, 0, file, 0,
				       (int)frames[i].line, 0, (int)frames[i].first_line) +
		      1;
	}
	gl_unlock();
	if (n == 0) {
		return 0;
	}
	lua_pushlstring(L, text, at);
	return 1;
}

__attribute__((visibility("default"))) int luaopen_goloader_core(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "host_start", binding_host_start },
		{ "host_self", binding_host_self },
		{ "set_follower", binding_set_follower },
		{ "nm", binding_nm },
		{ "manifest", binding_manifest },
		{ "keygen", binding_keygen },
		{ "key", binding_key },
		{ "sign", binding_sign },
		{ "verify", binding_verify },
		{ "cgo", binding_cgo },
		{ "variable_type", binding_variable_type },
		{ "imports", binding_imports },
		{ "disasm", binding_disasm },
		{ "hash", hash },
		{ "sum", binding_sum },
		{ "stamp", binding_stamp },
		{ "headers_agree", headers_agree },
		{ "use_signal_stacks", use_signal_stacks },
		{ "debugs", debugs },
		{ "dump_on", dump_on },
		{ "profiler", profiler },
		{ "keep_names", keep_names },
		{ "find_code", find_code },
		{ "clock", binding_clock },
		{ "func_class", binding_func_class },
		{ "set_int64", set_int64 },
		{ "layouts", layouts },
		{ "statuses", statuses },
		{ "set_array", set_array },
		{ "set_seconds", set_seconds },
		{ "same", make_same },
		{ "same_value", same_value },
		{ "set_error_metatable", set_error_metatable },
		{ "set_own_sources", set_own_sources },
		{ "error_is", binding_error_is },
		{ "error_as", binding_error_as },
		{ "error_unwrap", binding_error_unwrap },
		{ "handle_class", binding_handle_class },
		{ "set_method_maker", binding_set_method_maker },
		{ "method_ffi", binding_method_ffi },
		{ "handle_classes", binding_handle_classes },
		{ "handle_members", binding_handle_members },
		{ "field_ffi", binding_field_ffi },
		{ "ffi_finish", binding_ffi_finish },
		{ NULL, NULL },
	};

#if LUA_VERSION_NUM >= 502
	luaL_checkversion(L); /* a second Lua in the process may have lent its functions */
#endif
	binding_open_host(L);
	binding_open_module(L);
	binding_open_func(L);
	binding_open_job(L);
	binding_open_handle(L);
	binding_open_sums(L);
	lua_newtable(L);
	gl_lua_setfuncs(L, functions);
	/* Waiting is written in Lua: a C function can't go on after it has yielded. */
	luaL_getmetatable(L, "goloader.job");
	lua_setfield(L, -2, "job_class");
	return 1;
}
