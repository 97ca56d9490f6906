/* FFI arrays as arguments: `double[n]`, `uint8_t[n]` and their like, as LuaJIT programs hold many numbers. What a cdata
 * is only Lua can tell, so it is asked (lua/goloader/roads/arrays.lua). */
#include <stdio.h>
#include <string.h>

#include "plan.h"

/* Key in the registry, by its address */
static const char array_key = 0;

void gl_lua_set_array(lua_State *L, int array)
{
	lua_pushvalue(L, array);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &array_key);
}

struct array {
	const uint8_t *p;
	size_t n;
	char elem[8]; /* its Go type */
};

static bool find_array(lua_State *L, int idx, struct array *array)
{
	idx = lua_absindex(L, idx);
	luaL_checkstack(L, 4, NULL);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &array_key);
	if (!lua_isfunction(L, -1)) {
		lua_pop(L, 1);
		return false;
	}
	lua_pushvalue(L, idx);
	lua_call(L, 1, 3);
	bool is_one = lua_isstring(L, -3);
	if (is_one) {
		snprintf(array->elem, sizeof(array->elem), "%s", lua_tostring(L, -3));
		array->n = (size_t)lua_tonumber(L, -2);
		array->p = (const uint8_t *)(uintptr_t)lua_tonumber(L, -1); /* an address has 47 bits */
	}
	lua_pop(L, 3);
	return is_one;
}

/* LuaJIT does not tell char from int8_t. */
static bool is_bytes(const struct array *array)
{
	return strcmp(array->elem, "uint8") == 0 || strcmp(array->elem, "int8") == 0;
}

static bool is_of(const struct array *array, const struct type *elem)
{
	static const char *const kinds[] = {
		[GL_KIND_BOOL] = "bool", [GL_KIND_INT] = "int", [GL_KIND_UINT] = "uint", [GL_KIND_FLOAT] = "float"
	};
	char name[8];

	if (elem->kind >= sizeof(kinds) / sizeof(kinds[0]) || kinds[elem->kind] == NULL) {
		return false;
	}
	if (elem->kind == GL_KIND_BOOL) {
		return strcmp(array->elem, "bool") == 0;
	}
	snprintf(name, sizeof(name), "%s%d", kinds[elem->kind], elem->bits);
	return strcmp(array->elem, name) == 0 || (is_bytes(array) && strcmp(name, "uint8") == 0);
}

/* The word of a stream for the element at p. */
static uint64_t word_of(const uint8_t *p, const struct type *elem)
{
	uint64_t word = 0;
	float f;
	double d;

	if (elem->kind == GL_KIND_FLOAT && elem->bits == 32) {
		memcpy(&f, p, sizeof(f));
		d = f;
		memcpy(&word, &d, sizeof(d));
		return word;
	}
	memcpy(&word, p, (size_t)elem->bits / 8);
	if (elem->kind == GL_KIND_INT && elem->bits < 64) {
		int unused = 64 - elem->bits;
		word = (uint64_t)((int64_t)(word << unused) >> unused);
	}
	return word;
}

bool gl_bytes_of_array(lua_State *L, int idx, const char **s, size_t *len)
{
	struct array array;

	if (!find_array(L, idx, &array) || !is_bytes(&array)) {
		return false;
	}
	*s = (const char *)array.p;
	*len = array.n;
	return true;
}

bool gl_encode_array(struct encoder *e, int idx, const struct type *type, const struct path *path)
{
	struct array array;

	if (!find_array(e->L, idx, &array)) {
		return false;
	}
	if (!is_of(&array, type->elem)) {
		gl_encode_fail(e, path, "%s expected, got an FFI array of %s", type->name, array.elem);
	}
	if (type->kind == GL_KIND_ARRAY && array.n != type->len) {
		gl_encode_fail(e, path, "%s expected, got an FFI array of %d", type->name, (int)array.n);
	}
	gl_encode_raw(e, array.n);
	size_t size = (size_t)type->elem->bits / 8;
	for (size_t i = 0; i < array.n; i++) {
		gl_encode_raw(e, word_of(array.p + i * size, type->elem));
	}
	return true;
}
