/* The way by which something keeps a module, as Lua gets it (error.path of an unload that was refused). */
#include <inttypes.h>
#include <stdio.h>

#include "binding.h"

static void set_known(lua_State *L, const char *key, int64_t value, bool is_known)
{
	if (is_known) {
		binding_set_integer(L, key, (lua_Integer)value);
	}
}

/* A list of steps: { kind =, name =, shared =, type =, field =, func =, file =, line =, goroutine =, address =, size =,
 * offset =, omitted = } */
void binding_push_way(lua_State *L, const struct gl_way *way)
{
	lua_createtable(L, (int)way->n, 0);
	for (size_t i = 0; i < way->n; i++) {
		const struct gl_way_step *s = &way->steps[i];
		char address[24];

		lua_createtable(L, 0, 6);
		binding_set_string(L, "kind", s->kind);
		binding_set_string(L, "name", s->name);
		binding_set_string(L, "shared", s->shared);
		binding_set_string(L, "type", s->type);
		binding_set_string(L, "field", s->field);
		binding_set_string(L, "func", s->function);
		binding_set_string(L, "file", s->file);
		set_known(L, "line", s->line, s->line > 0);
		set_known(L, "goroutine", (int64_t)s->goroutine, s->goroutine > 0);
		set_known(L, "size", (int64_t)s->size, s->size > 0);
		set_known(L, "offset", (int64_t)s->offset, s->offset >= 0);
		set_known(L, "omitted", (int64_t)s->omitted, s->omitted > 0);
		snprintf(address, sizeof(address), "%" PRIxPTR, s->address);
		binding_set_string(L, "address", s->address != 0 ? address : NULL);
		lua_rawseti(L, -2, (int)i + 1);
	}
}
