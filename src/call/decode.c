/* Streams of words into Lua values (call.h of src/host says what a stream is, call.h here what becomes of each type).
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plan.h"

/* Keys in the registry, by their addresses */
static const char make_key = 0, split_key = 0, error_key = 0;

void gl_lua_set_int64(lua_State *L, int make, int split)
{
	make = lua_absindex(L, make);
	split = lua_absindex(L, split);
	lua_pushvalue(L, make);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &make_key);
	lua_pushvalue(L, split);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &split_key);
}

void gl_lua_set_error_metatable(lua_State *L, int idx)
{
	lua_pushvalue(L, idx);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &error_key);
}

void gl_lua_push_error(lua_State *L, const char *code, const char *message, size_t len)
{
	lua_createtable(L, 0, 3);
	lua_pushstring(L, code);
	lua_setfield(L, -2, "code");
	lua_pushlstring(L, message, len);
	lua_setfield(L, -2, "message");
	lua_rawgetp(L, LUA_REGISTRYINDEX, &error_key);
	if (lua_istable(L, -1)) {
		lua_setmetatable(L, -2);
	} else {
		lua_pop(L, 1);
	}
}

bool gl_lua_split(lua_State *L, int idx, uint64_t *bits, bool *is_unsigned)
{
	idx = lua_absindex(L, idx);
	luaL_checkstack(L, 4, NULL);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &split_key);
	if (!lua_isfunction(L, -1)) {
		lua_pop(L, 1);
		return false;
	}
	lua_pushvalue(L, idx);
	lua_call(L, 1, 3);
	bool is_one = lua_isnumber(L, -3);
	if (is_one) {
		*bits = (uint64_t)lua_tonumber(L, -3) | (uint64_t)lua_tonumber(L, -2) << 32;
		*is_unsigned = lua_toboolean(L, -1);
	}
	lua_pop(L, 3);
	return is_one;
}

static void push_digits(lua_State *L, uint64_t bits, bool is_unsigned)
{
	char digits[24];
	int n = is_unsigned ? snprintf(digits, sizeof(digits), "%" PRIu64, bits) :
			      snprintf(digits, sizeof(digits), "%" PRId64, (int64_t)bits);

	lua_pushlstring(L, digits, (size_t)n);
}

void gl_lua_make(lua_State *L, uint64_t bits, bool is_unsigned)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &make_key);
	if (!lua_isfunction(L, -1)) {
		lua_pop(L, 1);
		push_digits(L, bits, is_unsigned);
		return;
	}
	lua_pushnumber(L, (lua_Number)(bits & UINT32_MAX));
	lua_pushnumber(L, (lua_Number)(bits >> 32));
	lua_pushboolean(L, is_unsigned);
	lua_call(L, 3, 1);
}

#define EXACT ((int64_t)1 << 53)

/* Can a Lua number, or on Lua 5.3 and later an integer, hold it? */
static bool is_number(uint64_t bits, bool is_unsigned)
{
#if LUA_VERSION_NUM >= 503
	return !is_unsigned || bits <= INT64_MAX;
#else
	return is_unsigned ? bits <= (uint64_t)EXACT : (int64_t)bits <= EXACT && (int64_t)bits >= -EXACT;
#endif
}

static void push_number(lua_State *L, uint64_t bits, bool is_unsigned)
{
#if LUA_VERSION_NUM >= 503
	(void)is_unsigned;
	lua_pushinteger(L, (lua_Integer)bits);
#else
	lua_pushnumber(L, is_unsigned ? (lua_Number)bits : (lua_Number)(int64_t)bits);
#endif
}

void gl_lua_push_int(lua_State *L, uint64_t bits, bool is_unsigned)
{
	if (is_number(bits, is_unsigned)) {
		push_number(L, bits, is_unsigned);
	} else {
		gl_lua_make(L, bits, is_unsigned);
	}
}

/* Cdata are keys by their identity, so that big keys are strings. */
static void push_int_key(lua_State *L, uint64_t bits, bool is_unsigned)
{
	if (is_number(bits, is_unsigned)) {
		push_number(L, bits, is_unsigned);
	} else {
		push_digits(L, bits, is_unsigned);
	}
}

/* Registers hold a small integer's bits with anything above them. */
static uint64_t extend(uint64_t word, const struct type *type)
{
	switch (type->bits) {
	case 8: return type->kind == GL_KIND_INT ? (uint64_t)(int8_t)word : (uint8_t)word;
	case 16: return type->kind == GL_KIND_INT ? (uint64_t)(int16_t)word : (uint16_t)word;
	case 32: return type->kind == GL_KIND_INT ? (uint64_t)(int32_t)word : (uint32_t)word;
	default: return word;
	}
}

void gl_decode_int(lua_State *L, uint64_t word, const struct type *type)
{
	gl_lua_push_int(L, extend(word, type), type->kind == GL_KIND_UINT);
}

static double read_float(const uint64_t **at)
{
	double v;

	memcpy(&v, (*at)++, sizeof(v));
	return v;
}

const char *gl_read_string(const uint64_t **at, size_t *len)
{
	*len = *(*at)++;
	const char *s = (const char *)*at;
	*at += (*len + 7) / 8;
	return s;
}

static void push_string(lua_State *L, const uint64_t **at)
{
	size_t len;
	const char *s = gl_read_string(at, &len);

	lua_pushlstring(L, s, len);
}

static void push_complex(lua_State *L, const uint64_t **at)
{
	lua_createtable(L, 2, 0);
	for (int i = 1; i <= 2; i++) {
		lua_pushnumber(L, read_float(at));
		lua_rawseti(L, -2, i);
	}
}

void gl_decode_error(lua_State *L, const uint64_t **at, struct gl_caller *caller)
{
	size_t len;
	const char *message = gl_read_string(at, &len);

	gl_lua_push_error(L, "go", message, len);
	push_string(L, at);
	lua_setfield(L, -2, "type");
	if (*(*at)++ != 0) {
		lua_pushliteral(L, "timeout");
		lua_setfield(L, -2, "code");
	}
	gl_error_bind(L, caller, at);
}

void gl_decode_handle(lua_State *L, const uint64_t **at, struct gl_caller *caller)
{
	uint64_t id = (*at)[0];

	if (id == 0) {
		lua_pushnil(L);
		*at += 1;
		return;
	}
	struct gl_handle *h = gl_handle_new(L, caller, (*at)[1]);
	h->id = id;
	*at += 2;
}

/* A table's first size may be a guess, not a promise: sizes of a stream are Go's lengths, which fit its memory. */
static int hint(uint64_t n) { return n > INT32_MAX / 2 ? 0 : (int)n; }

/* Turns the value on the top into one that is a key of its own. */
static void make_key_of_top(lua_State *L)
{
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_pushliteral(L, "nil");
	} else if (lua_type(L, -1) == LUA_TNUMBER && isnan(lua_tonumber(L, -1))) {
		lua_pop(L, 1);
		lua_pushliteral(L, "nan");
	}
}

static void decode_any(lua_State *L, const uint64_t **at, struct gl_caller *caller);

static void decode_any_key(lua_State *L, const uint64_t **at, struct gl_caller *caller)
{
	if (**at == GL_TAG_INT || **at == GL_TAG_UINT) {
		push_int_key(L, (*at)[1], **at == GL_TAG_UINT);
		*at += 2;
	} else {
		decode_any(L, at, caller);
		make_key_of_top(L);
	}
}

static void decode_any_map(lua_State *L, const uint64_t **at, struct gl_caller *caller)
{
	uint64_t n = *(*at)++;

	lua_createtable(L, 0, hint(n));
	for (uint64_t i = 0; i < n; i++) {
		decode_any_key(L, at, caller);
		decode_any(L, at, caller);
		lua_rawset(L, -3);
	}
}

static void decode_any(lua_State *L, const uint64_t **at, struct gl_caller *caller)
{
	luaL_checkstack(L, 4, "a result nests too deep");
	uint64_t tag = *(*at)++;
	switch ((enum gl_tag)tag) {
	case GL_TAG_NIL: lua_pushnil(L); break;
	case GL_TAG_BOOL: lua_pushboolean(L, *(*at)++ != 0); break;
	case GL_TAG_INT: gl_lua_push_int(L, *(*at)++, false); break;
	case GL_TAG_UINT: gl_lua_push_int(L, *(*at)++, true); break;
	case GL_TAG_FLOAT: lua_pushnumber(L, read_float(at)); break;
	case GL_TAG_COMPLEX: push_complex(L, at); break;
	case GL_TAG_STRING: push_string(L, at); break;
	case GL_TAG_ERROR: gl_decode_error(L, at, caller); break;
	case GL_TAG_HANDLE: gl_decode_handle(L, at, caller); break;
	case GL_TAG_LIST: {
		uint64_t n = *(*at)++;
		lua_createtable(L, hint(n), 0);
		for (uint64_t i = 1; i <= n; i++) {
			decode_any(L, at, caller);
			lua_rawseti(L, -2, (int)i);
		}
		break;
	}
	case GL_TAG_MAP: decode_any_map(L, at, caller); break;
	case GL_TAG_METHODS: {
		uint64_t class = *(*at)++;
		decode_any(L, at, caller);
		gl_push_methods(L, caller, class);
		lua_setmetatable(L, -2);
		break;
	}
	}
}

static void decode_key(lua_State *L, const uint64_t **at, const struct type *type)
{
	if (type->kind == GL_KIND_INT || type->kind == GL_KIND_UINT) {
		push_int_key(L, *(*at)++, type->kind == GL_KIND_UINT);
	} else if (type->kind == GL_KIND_ANY) {
		decode_any_key(L, at, type->caller);
	} else {
		gl_decode(L, at, type);
		make_key_of_top(L);
	}
}

/* Gives the table on the top the methods of its type, if that has any. */
static void set_methods(lua_State *L, const struct type *constant)
{
	struct type *type = (struct type *)constant; /* of a plan, which nobody else looks at now */

	if (type->class == 0) {
		return;
	}
	if (type->methods == 0) {
		gl_push_methods(L, type->caller, type->class);
		type->methods = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	lua_rawgeti(L, LUA_REGISTRYINDEX, type->methods);
	lua_setmetatable(L, -2);
}

void gl_decode(lua_State *L, const uint64_t **at, const struct type *type)
{
	switch (type->kind) {
	case GL_KIND_NONE: lua_pushnil(L); break; /* never called: its plan refuses */
	case GL_KIND_BOOL: lua_pushboolean(L, *(*at)++ != 0); break;
	case GL_KIND_INT:
	case GL_KIND_UINT: gl_lua_push_int(L, *(*at)++, type->kind == GL_KIND_UINT); break;
	case GL_KIND_FLOAT: lua_pushnumber(L, read_float(at)); break;
	case GL_KIND_COMPLEX: push_complex(L, at); break;
	case GL_KIND_STRING:
	case GL_KIND_BYTES:
	case GL_KIND_TIME: push_string(L, at); break;
	case GL_KIND_ANY: decode_any(L, at, type->caller); break;
	case GL_KIND_SLICE:
	case GL_KIND_ARRAY: {
		luaL_checkstack(L, 5, "a result nests too deep");
		uint64_t n = *(*at)++;
		lua_createtable(L, hint(n), 0);
		for (uint64_t i = 1; i <= n; i++) {
			gl_decode(L, at, type->elem);
			lua_rawseti(L, -2, (int)i);
		}
		set_methods(L, type);
		break;
	}
	case GL_KIND_MAP: {
		luaL_checkstack(L, 5, "a result nests too deep");
		uint64_t n = *(*at)++;
		lua_createtable(L, 0, hint(n));
		for (uint64_t i = 0; i < n; i++) {
			decode_key(L, at, type->key);
			gl_decode(L, at, type->elem);
			lua_rawset(L, -3);
		}
		set_methods(L, type);
		break;
	}
	case GL_KIND_STRUCT:
		luaL_checkstack(L, 5, "a result nests too deep");
		lua_createtable(L, 0, (int)type->nfields);
		if (type->by_key == NULL) {
			gl_type_make_keys(L, type);
		}
		for (size_t i = 0; i < type->nfields; i++) {
			lua_rawgeti(L, LUA_REGISTRYINDEX, type->fields[i].ref);
			gl_decode(L, at, type->fields[i].type);
			lua_rawset(L, -3);
		}
		set_methods(L, type);
		break;
	case GL_KIND_POINTER:
		if (*(*at)++ != 0) {
			gl_decode(L, at, type->elem);
		} else {
			lua_pushnil(L);
		}
		break;
	case GL_KIND_ERROR:
		if (*(*at)++ != 0) {
			gl_decode_error(L, at, type->caller);
		} else {
			lua_pushnil(L);
		}
		break;
	case GL_KIND_CONTEXT:
	case GL_KIND_FUNC:
	case GL_KIND_HANDLE: gl_decode_handle(L, at, type->caller); break;
	}
}

void gl_decode_kept(lua_State *L, const uint64_t **at, const struct type *type, bool whole)
{
	switch (type->kind) {
	case GL_KIND_SLICE:
	case GL_KIND_ARRAY:
	case GL_KIND_MAP:
	case GL_KIND_STRUCT:
	case GL_KIND_POINTER: gl_decode_handle(L, at, type->caller); break;
	case GL_KIND_BYTES:
		if (whole) {
			gl_decode_handle(L, at, type->caller);
			break;
		}
		/* fall through */
	default: gl_decode(L, at, type); break;
	}
}
