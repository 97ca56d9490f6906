/* Looking into objects and loaded code: nm, listings, manifests of shipped modules. They need a description at most, no
 * running host. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../abi/abi.h"
#include "../call/handle.h"
#include "../disasm/disasm.h"
#include "../disasm/nm.h"
#include "../disasm/prove.h"
#include "../object/gom.h"
#include "../object/object.h"
#include "binding.h"

const char *const binding_kind_names[] = { [GL_DECLARES_FUNC] = "func",
					   [GL_DECLARES_VAR] = "var",
					   [GL_DECLARES_CONST] = "const",
					   [GL_DECLARES_TYPE] = "type" };

/* What C gives hangs on a userdata that frees it, since building tables of it can fail for want of memory. */
struct held {
	struct gl_abi *abi;
	struct gl_nm *nm;
	struct gl_listings *listings;
	struct gl_package *package;
	struct gl_gom *gom;
	struct gl_explanation why;
};

#define HELD "goloader.held"

static int held_gc(lua_State *L)
{
	struct held *held = luaL_checkudata(L, 1, HELD);

	gl_nm_free(held->nm);
	gl_listings_free(held->listings);
	gl_explanation_free(&held->why);
	gl_package_close(held->package);
	gl_abi_free(held->abi);
	gl_gom_close(held->gom);
	*held = (struct held){ 0 };
	return 0;
}

static struct held *push_held(lua_State *L)
{
	struct held *held = lua_newuserdata(L, sizeof(*held));

	*held = (struct held){ 0 };
	gl_lua_set_gc(L, HELD, held_gc);
	return held;
}

/* Frees at once what is big; the result is on the top. */
static int return_held(struct held *held)
{
	gl_nm_free(held->nm);
	gl_listings_free(held->listings);
	gl_explanation_free(&held->why);
	gl_package_close(held->package);
	gl_abi_free(held->abi);
	gl_gom_close(held->gom);
	*held = (struct held){ 0 };
	return 1;
}

/* core.nm(file, desc) -> { { name =, kind =, size =, abi =, export =, signature = }, … } */
int binding_nm(lua_State *L)
{
	const char *file = luaL_checkstring(L, 1), *desc = luaL_checkstring(L, 2);
	struct held *held = push_held(L);
	struct gl_error err;

	held->abi = gl_abi_read(desc, &err);
	if (held->abi == NULL || gl_nm_read(file, held->abi, &held->nm, &err) != 0) {
		return binding_fail(L, &err);
	}
	lua_createtable(L, (int)held->nm->n, 0);
	for (size_t i = 0; i < held->nm->n; i++) {
		const struct gl_nm_symbol *sym = &held->nm->symbols[i];

		lua_createtable(L, 0, 6);
		binding_set_string(L, "name", sym->name);
		lua_pushlstring(L, &sym->kind, 1);
		lua_setfield(L, -2, "kind");
		binding_set_integer(L, "size", (lua_Integer)sym->size);
		if (sym->abi >= 0) {
			binding_set_integer(L, "abi", sym->abi);
		}
		binding_set_bool(L, "export", sym->is_export);
		binding_set_string(L, "signature", sym->signature);
		lua_rawseti(L, -2, (int)i + 1);
	}
	return return_held(held);
}

/* A list of strings, as a field of the table on the top. */
static void set_strings(lua_State *L, const char *field, const char *const *strings, size_t n)
{
	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		lua_pushstring(L, strings[i]);
		lua_rawseti(L, -2, (int)i + 1);
	}
	lua_setfield(L, -2, field);
}

static void set_cgo(lua_State *L, const struct gl_cgo *cgo)
{
	lua_createtable(L, 0, 0);
	for (size_t i = 0, n = 0; i < cgo->nimports; i++) {
		if (cgo->imports[i].lib == NULL) {
			lua_pushstring(L, cgo->imports[i].remote);
			lua_rawseti(L, -2, (int)++n);
		}
	}
	lua_setfield(L, -2, "imports");
	lua_createtable(L, (int)cgo->nexports, 0);
	for (size_t i = 0; i < cgo->nexports; i++) {
		lua_pushstring(L, cgo->exports[i].remote);
		lua_rawseti(L, -2, (int)i + 1);
	}
	lua_setfield(L, -2, "exports");
	set_strings(L, "visible", cgo->visible, cgo->nvisible);
	set_strings(L, "ldflags", cgo->ldflags, cgo->nldflags);
}

/* { path =, imports = {…} } of a package. */
static void push_imports(lua_State *L, const struct gl_package *pkg)
{
	int n = 0;

	lua_createtable(L, 0, 3);
	binding_set_string(L, "path", gl_package_path(pkg));
	lua_newtable(L);
	for (uint32_t o = 0; o < gl_package_nobjects(pkg); o++) {
		const struct gl_object *obj = gl_package_object(pkg, o);
		for (uint32_t i = 0, nautolib = gl_object_nautolib(obj); i < nautolib; i++) {
			struct gl_str import = gl_object_autolib(obj, i);
			lua_pushlstring(L, import.p, import.n);
			lua_rawseti(L, -2, ++n);
		}
	}
	if (gl_package_cgo(pkg) != NULL || gl_package_nforeigns(pkg) > 0) {
		lua_pushliteral(L, "C");
		lua_rawseti(L, -2, ++n);
	}
	lua_setfield(L, -2, "imports");
}

/* core.imports(file, package|nil) -> { { path =, imports = {…}, shared = }, … }: what the objects of an archive, or of
 * all packages in a shipped module, say they import. Of "unsafe" nothing is left in an object. */
int binding_imports(lua_State *L)
{
	const char *file = luaL_checkstring(L, 1), *path = luaL_optstring(L, 2, NULL);
	struct held *held = push_held(L);
	struct gl_error err;

	lua_newtable(L);
	int is_shipped = gl_gom_is(file, &err);
	if (is_shipped < 0) {
		return binding_fail(L, &err);
	}
	if (!is_shipped) {
		held->package = gl_package_open(file, path, NULL, &err);
		if (held->package == NULL) {
			return binding_fail(L, &err);
		}
		push_imports(L, held->package);
		lua_rawseti(L, -2, 1);
		return return_held(held);
	}
	held->gom = gl_gom_open(file, &err);
	if (held->gom == NULL) {
		return binding_fail(L, &err);
	}
	for (size_t i = 0; i < held->gom->npackages; i++) {
		const struct gl_gom_package *package = &held->gom->packages[i];
		held->package = gl_package_open_bytes(file, package->bytes, package->size, package->path, NULL, &err);
		if (held->package == NULL) {
			return binding_fail(L, &err);
		}
		push_imports(L, held->package);
		binding_set_bool(L, "shared", package->role == GL_GOM_SHARED);
		lua_rawseti(L, -2, (int)i + 1);
		gl_package_close(held->package);
		held->package = NULL;
	}
	return return_held(held);
}

/* core.cgo(file) -> { members = { { name =, data = }, … }, ldflags = {…}, and names of symbols in C: imports = {…} that
 * Go refers to, exports = {…} that C refers to and Go defines, visible = {…} that other libraries may call } */
int binding_cgo(lua_State *L)
{
	const char *file = luaL_checkstring(L, 1);
	struct held *held = push_held(L);
	const struct gl_cgo none = { 0 };
	struct gl_error err;

	held->package = gl_package_open(file, NULL, NULL, &err);
	if (held->package == NULL) {
		return binding_fail(L, &err);
	}
	const struct gl_cgo *cgo = gl_package_cgo(held->package);
	lua_createtable(L, 0, 5);
	set_cgo(L, cgo != NULL ? cgo : &none);
	uint32_t n = gl_package_nforeigns(held->package);
	lua_createtable(L, (int)n, 0);
	for (uint32_t i = 0; i < n; i++) {
		const struct gl_foreign *member = gl_package_foreign(held->package, i);
		lua_createtable(L, 0, 2);
		binding_set_string(L, "name", member->name);
		lua_pushlstring(L, (const char *)member->data, member->size);
		lua_setfield(L, -2, "data");
		lua_rawseti(L, -2, (int)i + 1);
	}
	lua_setfield(L, -2, "members");
	return return_held(held);
}

/* Pushes the type's name, or returns 0. */
static int push_variable_type(lua_State *L, const struct gl_abi *abi, const struct gl_object *obj, const char *name,
			      size_t len)
{
	for (uint32_t i = 0, n = gl_object_nsyms(obj); i < n; i++) {
		struct gl_str own = gl_object_sym(obj, i).name;

		if (own.n != len || memcmp(own.p, name, len) != 0) {
			continue;
		}
		for (uint32_t j = 0, nauxs = gl_object_nauxs(obj, i); j < nauxs; j++) {
			struct gl_aux aux = gl_object_aux(obj, i, j);
			struct gl_str type = gl_object_symref_name(obj, aux.sym);
			if (aux.type != GL_AUX_GOTYPE) {
				continue;
			}
			if (aux.sym.pkg == GL_PKG_BUILTIN && aux.sym.sym < abi->nbuiltins) {
				lua_pushstring(L, abi->builtins[aux.sym.sym].name);
				return 1;
			}
			lua_pushlstring(L, type.p, type.n);
			return type.n > 0;
		}
	}
	return 0;
}

/* core.variable_type(file, symbol, desc) -> "type:string" of an archive's variable; nil where it has no such variable
 */
int binding_variable_type(lua_State *L)
{
	size_t len;
	const char *file = luaL_checkstring(L, 1), *name = luaL_checklstring(L, 2, &len),
		   *desc = luaL_checkstring(L, 3);
	struct held *held = push_held(L);
	struct gl_error err;
	int is_found = 0;

	held->abi = gl_abi_read(desc, &err);
	held->package = held->abi == NULL ? NULL : gl_package_open(file, NULL, held->abi, &err);
	if (held->package == NULL) {
		return binding_fail(L, &err);
	}
	for (uint32_t i = 0; !is_found && i < gl_package_nobjects(held->package); i++) {
		is_found = push_variable_type(L, held->abi, gl_package_object(held->package, i), name, len);
	}
	if (!is_found) {
		lua_pushnil(L);
	}
	return return_held(held);
}

static void set_packages(lua_State *L, const struct gl_gom *gom)
{
	static const char *const roles[] = { "root", "own", "shared" };

	lua_createtable(L, (int)gom->npackages, 0);
	for (size_t i = 0; i < gom->npackages; i++) {
		const struct gl_gom_package *p = &gom->packages[i];
		lua_createtable(L, 0, 5);
		binding_set_string(L, "path", p->path);
		binding_set_string(L, "role", roles[p->role]);
		binding_set_string(L, "fingerprint", p->fingerprint);
		binding_set_string(L, "version", p->version);
		binding_set_integer(L, "size", (lua_Integer)p->size);
		lua_rawseti(L, -2, (int)i + 1);
	}
	lua_setfield(L, -2, "packages");
}

static void set_imports(lua_State *L, const struct gl_gom *gom)
{
	lua_createtable(L, (int)gom->nimports, 0);
	for (size_t i = 0; i < gom->nimports; i++) {
		lua_createtable(L, 0, 3);
		binding_set_string(L, "path", gom->imports[i].path);
		binding_set_string(L, "fingerprint", gom->imports[i].fingerprint);
		binding_set_bool(L, "in_host", gom->imports[i].in_host);
		lua_rawseti(L, -2, (int)i + 1);
	}
	lua_setfield(L, -2, "imports");
}

static void set_libraries(lua_State *L, const struct gl_gom *gom)
{
	lua_createtable(L, (int)gom->nlibraries, 0);
	for (size_t i = 0; i < gom->nlibraries; i++) {
		lua_createtable(L, 0, 3);
		binding_set_string(L, "role", gom->libraries[i].is_own ? "own" : "shared");
		binding_set_string(L, "packages", gom->libraries[i].packages);
		binding_set_integer(L, "size", (lua_Integer)gom->libraries[i].size);
		lua_rawseti(L, -2, (int)i + 1);
	}
	lua_setfield(L, -2, "libraries");
}

/* The variables' values by name, as the field strings. */
static void set_values(lua_State *L, const struct gl_gom *gom)
{
	lua_createtable(L, 0, (int)gom->nstrings);
	for (size_t i = 0; i < gom->nstrings; i++) {
		lua_pushlstring(L, gom->strings[i].value, gom->strings[i].size);
		lua_setfield(L, -2, gom->strings[i].name);
	}
	lua_setfield(L, -2, "strings");
}

static void set_exports(lua_State *L, const struct gl_gom *gom)
{
	lua_createtable(L, (int)gom->nexports, 0);
	for (size_t i = 0; i < gom->nexports; i++) {
		lua_createtable(L, 0, 4);
		binding_set_string(L, "name", gom->exports[i].name);
		binding_set_string(L, "package", gom->exports[i].package);
		binding_set_string(L, "kind", binding_kind_names[gom->exports[i].kind]);
		binding_set_string(L, "signature", gom->exports[i].signature);
		lua_rawseti(L, -2, (int)i + 1);
	}
	lua_setfield(L, -2, "exports");
}

/* core.manifest(file) -> { header =, host = { id =, name = }, hash =, key =, size =, godebug =, strings =,
 * packages =, libraries =, imports =, exports = } */
int binding_manifest(lua_State *L)
{
	const char *file = luaL_checkstring(L, 1);
	struct held *held = push_held(L);
	struct gl_error err;

	held->gom = gl_gom_open(file, &err);
	if (held->gom == NULL) {
		return binding_fail(L, &err);
	}
	lua_createtable(L, 0, 10);
	binding_set_string(L, "header", held->gom->header);
	binding_set_string(L, "hash", held->gom->hash);
	if (held->gom->key[0] != '\0') {
		binding_set_string(L, "key", held->gom->key);
	}
	binding_set_string(L, "godebug", held->gom->godebug);
	binding_set_integer(L, "size", (lua_Integer)held->gom->size);
	lua_createtable(L, 0, 2);
	binding_set_string(L, "id", held->gom->host_id);
	binding_set_string(L, "name", held->gom->host_name);
	lua_setfield(L, -2, "host");
	set_packages(L, held->gom);
	set_imports(L, held->gom);
	set_libraries(L, held->gom);
	set_values(L, held->gom);
	set_exports(L, held->gom);
	return return_held(held);
}

static void push_insns(lua_State *L, const struct gl_listing *listing)
{
	lua_createtable(L, (int)listing->n, 0);
	for (size_t i = 0; i < listing->n; i++) {
		const struct gl_insn *insn = &listing->insns[i];
		char text[2 * sizeof(insn->bytes) + 1] = "";

		lua_createtable(L, 0, 5);
		for (size_t j = 0; j < insn->size && j < sizeof(insn->bytes); j++) {
			snprintf(text + 2 * j, 3, "%02x", insn->bytes[j]);
		}
		binding_set_string(L, "bytes", text);
		snprintf(text, sizeof(text), "%" PRIx64, insn->addr);
		binding_set_string(L, "addr", text);
		binding_set_string(L, "mnemonic", insn->mnemonic);
		binding_set_string(L, "operands", insn->operands);
		if (insn->comment[0] != '\0') {
			binding_set_string(L, "comment", insn->comment);
		}
		lua_rawseti(L, -2, (int)i + 1);
	}
}

/* core.disasm(file, desc, symbol|nil) -> { { name =, instructions = { … } }, … } */
int binding_disasm(lua_State *L)
{
	const char *file = luaL_checkstring(L, 1), *desc = luaL_checkstring(L, 2);
	const char *symbol = luaL_optstring(L, 3, NULL);
	struct held *held = push_held(L);
	struct gl_error err;

	held->abi = gl_abi_read(desc, &err);
	if (held->abi == NULL || gl_disasm_file(file, symbol, held->abi, &held->listings, &err) != 0) {
		return binding_fail(L, &err);
	}
	lua_createtable(L, (int)held->listings->n, 0);
	for (size_t i = 0; i < held->listings->n; i++) {
		lua_createtable(L, 0, 2);
		binding_set_string(L, "name", held->listings->list[i].name);
		push_insns(L, &held->listings->list[i]);
		lua_setfield(L, -2, "instructions");
		lua_rawseti(L, -2, (int)i + 1);
	}
	return return_held(held);
}

static int64_t symbolize(const void *arg, uintptr_t addr, const char **name)
{
	return gl_module_symbolize(arg, addr, name);
}

/* The function called that: by an export's short name, or by a symbol's whole one. An export may lie in the host. */
static bool find_function(const struct gl_module *mod, const char *name, struct gl_module_symbol *found)
{
	const struct gl_module_symbol *symbols;
	const struct gl_export *exports;
	size_t n = gl_module_symbols(mod, &symbols), nexports = gl_module_exports(mod, &exports);

	for (size_t i = 0; i < nexports; i++) {
		if (exports[i].kind == GL_EXPORT_FUNC && strcmp(exports[i].name, name) == 0) {
			gl_lock(); /* what others load meanwhile is looked through, too */
			bool is_found = gl_module_find_symbol(mod, exports[i].addr, found);
			gl_unlock();
			return is_found;
		}
	}
	for (size_t i = 0; i < n; i++) {
		bool is_text = symbols[i].kind == 't' || symbols[i].kind == 'T';

		if (is_text && strcmp(symbols[i].name, name) == 0) {
			*found = symbols[i];
			return true;
		}
	}
	return false;
}

static void push_reasons(lua_State *L, const struct gl_reasons *why)
{
	lua_createtable(L, (int)why->n, 0);
	for (size_t i = 0; i < why->n; i++) {
		lua_pushstring(L, why->list[i]);
		lua_rawseti(L, -2, (int)i + 1);
	}
}

/* Sets the field remark of the instructions in the table on the top that forbid a faster road. */
static void set_remarks(lua_State *L, const struct gl_proof *proof, size_t func, const struct gl_listing *listing)
{
	for (size_t i = 0; i < proof->nremarks; i++) {
		for (size_t k = 0; k < listing->n && proof->remarks[i].func == func; k++) {
			if (listing->insns[k].addr == proof->remarks[i].addr) {
				lua_rawgeti(L, -1, (int)k + 1);
				binding_set_string(L, "remark", proof->remarks[i].text);
				lua_pop(L, 1);
			}
		}
	}
}

static bool has_remarks(const struct gl_proof *proof, size_t func)
{
	for (size_t i = 0; i < proof->nremarks; i++) {
		if (proof->remarks[i].func == func) {
			return true;
		}
	}
	return false;
}

/* The function, then of those that it calls the ones whose code forbids something. */
static int push_functions(lua_State *L, struct held *held, const struct gl_module *mod, struct gl_error *err)
{
	const struct gl_proof *proof = held->why.proof;
	const char *goarch = gl_host_abi(gl_module_host(mod))->goarch;
	int n = 0;

	lua_newtable(L);
	for (size_t i = 0; i < proof->nfuncs; i++) {
		const struct gl_proved *f = &proof->funcs[i];
		if (i > 0 && !has_remarks(proof, i)) {
			continue;
		}
		gl_listings_free(held->listings);
		held->listings = NULL;
		gl_lock();
		bool listed =
			gl_disasm_memory(goarch, f->name, f->addr, f->size, symbolize, mod, &held->listings, err) == 0;
		gl_unlock();
		if (!listed) {
			return -1;
		}
		lua_createtable(L, 0, 2);
		binding_set_string(L, "name", f->name);
		push_insns(L, &held->listings->list[0]);
		set_remarks(L, proof, i, &held->listings->list[0]);
		lua_setfield(L, -2, "instructions");
		lua_rawseti(L, -2, ++n);
	}
	return 0;
}

/* What explains a function to Lua; plan: nothing is known of its types where that is NULL. */
static int explain(lua_State *L, const struct gl_module *mod, const struct gl_module_symbol *sym, const char *name,
		   const struct gl_plan *plan)
{
	struct gl_error err;
	struct held *held = push_held(L);

	gl_lock();
	bool looked = plan != NULL ? gl_plan_explain(plan, mod, &held->why, &err) == 0 :
				     gl_code_explain(mod, sym->addr, &held->why, &err) == 0;
	gl_unlock();
	if (!looked) {
		return binding_fail(L, &err);
	}
	lua_createtable(L, 0, 6);
	binding_set_string(L, "name", sym->name);
	if (plan != NULL) {
		binding_set_string(L, "export", name);
	}
	push_reasons(L, &held->why.ffi);
	lua_setfield(L, -2, "ffi");
	push_reasons(L, &held->why.pure);
	lua_setfield(L, -2, "pure");
	binding_set_bool(L, "holds", held->why.proof->holds);
	if (push_functions(L, held, mod, &err) != 0) {
		return binding_fail(L, &err);
	}
	lua_setfield(L, -2, "functions");
	return return_held(held);
}

/* module:explain(name) -> { name =, export = (its name to Lua, or nil), ffi =, pure = (reasons by its types), holds =,
 * functions = (with a remark at each instruction that forbids the pure path) } */
int binding_explain(lua_State *L, const struct gl_module *mod, const char *name, const struct gl_plan *plan)
{
	struct gl_module_symbol sym;
	struct gl_error err;

	if (!find_function(mod, name, &sym)) {
		gl_fail(&err, GL_EMISSING, "the module has no function %s", name);
		return binding_fail(L, &err);
	}
	return explain(L, mod, &sym, name, plan);
}

int binding_explain_method(lua_State *L, const struct gl_host *host, const struct gl_plan *plan)
{
	const char *name;
	uintptr_t addr = gl_method_address(plan, &name);
	struct gl_module_symbol sym;
	struct gl_error err;

	gl_lock();
	const struct gl_module *mod = gl_host_module_at(host, addr);
	bool found = gl_module_find_symbol(mod, addr, &sym);
	gl_unlock(); /* the handle's type keeps its module */
	if (!found) {
		gl_fail(&err, GL_EMISSING, "nothing is known of the code of %s", name);
		return binding_fail(L, &err);
	}
	return explain(L, mod, &sym, name, plan);
}

/* module:disassemble(name) -> { { addr =, bytes =, mnemonic =, operands =, comment = }, … } */
int binding_disassemble(lua_State *L, const struct gl_module *mod, const char *name)
{
	struct gl_module_symbol sym;
	const struct gl_abi *abi = gl_host_abi(gl_module_host(mod));
	struct gl_error err;

	if (!find_function(mod, name, &sym)) {
		gl_fail(&err, GL_EMISSING, "the module has no function %s", name);
		return binding_fail(L, &err);
	}
	struct held *held = push_held(L);
	gl_lock(); /* names come from everywhere */
	bool listed =
		gl_disasm_memory(abi->goarch, sym.name, sym.addr, sym.size, symbolize, mod, &held->listings, &err) == 0;
	gl_unlock();
	if (!listed) {
		return binding_fail(L, &err);
	}
	push_insns(L, &held->listings->list[0]);
	return return_held(held);
}
