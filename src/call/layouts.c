/* The layouts that the Lua half has declared to LuaJIT as well, as the compiler has laid them out. */
#include "layouts.h"

#include <stddef.h>

#include "ffi.h"
#include "plan.h"
#include "pure/pure.h"

struct field {
	const char *name;
	size_t offset;
};

/* Sets the struct's table in the table on the top. known: the bytes of it that Lua declares */
static void set_layout(lua_State *L, const char *name, size_t known, const struct field *fields, size_t n)
{
	lua_newtable(L);
	lua_pushnumber(L, (lua_Number)known);
	lua_setfield(L, -2, "size");
	lua_newtable(L);
	for (size_t i = 0; i < n; i++) {
		lua_pushnumber(L, (lua_Number)fields[i].offset);
		lua_setfield(L, -2, fields[i].name);
	}
	lua_setfield(L, -2, "offsets");
	lua_setfield(L, -2, name);
}

#define SET_LAYOUT(L, name, known, ...)                                                                                \
	set_layout(L, name, known, (const struct field[]){ __VA_ARGS__ },                                              \
		   sizeof((const struct field[]){ __VA_ARGS__ }) / sizeof(struct field))
#define FIELD(type, field)                                                                                             \
	{                                                                                                              \
#field, offsetof(struct type, field)                                                                   \
	}

void gl_push_layouts(lua_State *L)
{
	lua_newtable(L);
	SET_LAYOUT(L, "union gl_ffi_word", sizeof(union gl_ffi_word), { "u", offsetof(union gl_ffi_word, u) });
	/* `in` is a word of Lua's */
	SET_LAYOUT(L, "struct gl_ffi_call", offsetof(struct gl_ffi_call, calls),
		   { "in_", offsetof(struct gl_ffi_call, in) }, FIELD(gl_ffi_call, out), FIELD(gl_ffi_call, status),
		   FIELD(gl_ffi_call, busy), FIELD(gl_ffi_call, ints));
	SET_LAYOUT(L, "struct gl_ffi_entry", sizeof(struct gl_ffi_entry), FIELD(gl_ffi_entry, enter),
		   FIELD(gl_ffi_entry, func), FIELD(gl_ffi_entry, many), FIELD(gl_ffi_entry, far),
		   FIELD(gl_ffi_entry, many_far));
	SET_LAYOUT(L, "struct gl_handle", offsetof(struct gl_handle, is_open), FIELD(gl_handle, mark),
		   FIELD(gl_handle, caller), FIELD(gl_handle, id), FIELD(gl_handle, class));
	SET_LAYOUT(L, "struct gl_cell", sizeof(struct gl_cell), FIELD(gl_cell, status), FIELD(gl_cell, busy),
		   FIELD(gl_cell, ints), FIELD(gl_cell, floats));
}

void gl_push_statuses(lua_State *L)
{
	static const struct {
		const char *name;
		int value;
	} statuses[] = {
		{ "ffi_failed", GL_FFI_FAILED },
		{ "pure_deep", GL_PURE_DEEP },
		{ "pure_closed", GL_PURE_CLOSED },
	};

	lua_newtable(L);
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		lua_pushinteger(L, statuses[i].value);
		lua_setfield(L, -2, statuses[i].name);
	}
}
