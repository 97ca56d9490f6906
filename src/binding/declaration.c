/* What Lua gets of a declaration: the parameters of a function, the fields and methods of a type, a constant's value.
 */
#include "../object/signature.h"
#include "binding.h"

/* Makes { name =, key = value } element i, from 0 on, of the list on the top. */
static void set_named(lua_State *L, uint32_t i, const char *name, const char *key, const char *value)
{
	lua_createtable(L, 0, 2);
	binding_set_string(L, "name", name);
	binding_set_string(L, key, value);
	lua_rawseti(L, -2, (int)i + 1);
}

static void set_params(lua_State *L, const char *key, const struct gl_param *params, uint32_t n)
{
	lua_createtable(L, (int)n, 0);
	for (uint32_t i = 0; i < n; i++) {
		set_named(L, i, params[i].name, "type", params[i].type_name);
	}
	lua_setfield(L, -2, key);
}

/* The same of a generic function: what its types are, is not known to the process. */
static void set_generic_params(lua_State *L, const char *key, const struct gl_sigparam *params, uint32_t n)
{
	lua_createtable(L, (int)n, 0);
	for (uint32_t i = 0; i < n; i++) {
		set_named(L, i, params[i].name, "type", params[i].type);
	}
	lua_setfield(L, -2, key);
}

static void set_type_params(lua_State *L, const struct gl_signature *sig)
{
	if (sig->ntype_params == 0) {
		return;
	}
	lua_createtable(L, (int)sig->ntype_params, 0);
	for (uint32_t i = 0; i < sig->ntype_params; i++) {
		set_named(L, i, sig->type_params[i].name, "constraint", sig->type_params[i].constraint);
	}
	lua_setfield(L, -2, "type_params");
}

void binding_push_export(lua_State *L, const struct gl_export *export)
{
	const struct gl_signature *sig = &export->decl->signature;
	bool is_func = export->decl->kind == GL_DECLARES_FUNC;
	uint32_t nparams = is_func && export->typed ? sig->nparams : 0;
	uint32_t nresults = is_func && export->typed ? sig->nresults : 0;

	lua_createtable(L, 0, 8);
	binding_set_string(L, "name", export->name);
	binding_set_string(L, "package", export->package);
	binding_set_string(L, "kind", binding_kind_names[export->decl->kind]);
	binding_set_string(L, "signature", export->signature);
	set_type_params(L, sig);
	if (export->kind == GL_EXPORT_GENERIC) {
		set_generic_params(L, "params", sig->params, nparams);
		set_generic_params(L, "results", sig->params + nparams, nresults);
	} else {
		set_params(L, "params", export->params, nparams);
		set_params(L, "results", export->params + nparams, nresults);
	}
	binding_set_bool(L, "variadic", export->variadic);
	binding_set_bool(L, "typed", export->typed);
	if (export->decl->constant != NULL) {
		binding_set_string(L, "value", export->decl->constant->text);
	}
}

int binding_push_constant(lua_State *L, const struct gl_constant *c)
{
	switch (c->kind) {
	case GL_CONSTANT_BOOL: lua_pushboolean(L, c->bits != 0); return 1;
	case GL_CONSTANT_STRING: lua_pushlstring(L, c->string, c->size); return 1;
	case GL_CONSTANT_INT: gl_lua_push_int(L, c->bits, false); return 1;
	case GL_CONSTANT_UINT: gl_lua_push_int(L, c->bits, true); return 1;
	case GL_CONSTANT_FLOAT: lua_pushnumber(L, c->re); return 1;
	case GL_CONSTANT_COMPLEX:
		lua_createtable(L, 2, 0);
		lua_pushnumber(L, c->re);
		lua_rawseti(L, -2, 1);
		lua_pushnumber(L, c->im);
		lua_rawseti(L, -2, 2);
		return 1;
	default: return 0;
	}
}

static void set_fields(lua_State *L, const struct gl_typedecl *type)
{
	lua_createtable(L, (int)type->nfields, 0);
	for (uint32_t i = 0; i < type->nfields; i++) {
		lua_createtable(L, 0, 4);
		binding_set_string(L, "name", type->fields[i].name);
		binding_set_string(L, "type", type->fields[i].type);
		binding_set_string(L, "tag", type->fields[i].tag);
		binding_set_bool(L, "embedded", type->fields[i].is_embedded);
		lua_rawseti(L, -2, (int)i + 1);
	}
	lua_setfield(L, -2, "fields");
}

static void set_methods(lua_State *L, const struct gl_typedecl *type)
{
	lua_createtable(L, (int)type->nmethods, 0);
	for (uint32_t i = 0; i < type->nmethods; i++) {
		lua_createtable(L, 0, 3);
		binding_set_string(L, "name", type->methods[i].name);
		binding_set_string(L, "signature", type->methods[i].signature);
		binding_set_bool(L, "by_pointer", type->methods[i].by_pointer);
		lua_rawseti(L, -2, (int)i + 1);
	}
	lua_setfield(L, -2, "methods");
}

void binding_push_type(lua_State *L, const struct gl_export *export)
{
	const struct gl_typedecl *type = export->decl->type;

	lua_createtable(L, 0, 8);
	binding_set_string(L, "name", export->name);
	binding_set_string(L, "package", export->package);
	binding_set_string(L, "signature", export->signature);
	binding_set_string(L, "underlying", type->underlying);
	binding_set_bool(L, "alias", type->is_alias);
	set_fields(L, type);
	set_methods(L, type);
	set_type_params(L, &export->decl->signature);
}
