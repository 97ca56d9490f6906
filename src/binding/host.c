/* Host handles: starting the Go runtime, naming archives, loading modules. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../abi/abi.h"
#include "../debug/debug.h"
#include "../host/runtime.h"
#include "../disasm/refer.h"
#include "../image/image.h"
#include "../module/audit.h"
#include "../object/file.h"
#include "../object/gom.h"
#include "binding.h"

#define HOST "goloader.host"

/* Finalizers run in any order when the Lua state is closed. */
struct binding_host *binding_check_host(lua_State *L, int idx)
{
	struct binding_host *h = luaL_checkudata(L, idx, HOST);

	if (h->caller == NULL) {
		luaL_error(L, "the Lua state is being closed");
	}
	return h;
}

/* core.host_start(path, desc|nil, bytes per sample of the memory profile|nil, for gdb?, for perf?, as
 * files?, for a program to be run?) -> host */
int binding_host_start(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1), *desc = luaL_optstring(L, 2, NULL);
	lua_Number profile = luaL_optnumber(L, 3, -1);
	struct gl_error err;
	struct binding_host *h = lua_newuserdata(L, sizeof(*h));

	*h = (struct binding_host){ 0 };
	luaL_getmetatable(L, HOST);
	lua_setmetatable(L, -2);
	/* Nothing of Lua's is done under the lock: an error would not give it back. */
	h->caller = gl_caller_new(L, &err);
	if (h->caller == NULL) {
		return binding_fail(L, &err);
	}
	gl_lock();
	bool has_files = !lua_toboolean(L, 6) || gl_debug_open_files(&err) == 0;
	gl_unlock();
	if (!has_files) {
		gl_caller_free(h->caller);
		h->caller = NULL;
		return binding_fail(L, &err);
	}
	h->state = binding_state_new();
	if (h->state == NULL) {
		gl_caller_free(h->caller);
		h->caller = NULL;
		gl_out_of_memory(&err, "starting %s", path);
		return binding_fail(L, &err);
	}
	gl_lock();
	h->host = gl_host_start(path, desc, lua_toboolean(L, 7), &err);
	bool started = h->host != NULL && gl_caller_open(h->caller, h->host, &err) == 0;
	if (started && profile >= 0) {
		gl_host_profile_memory(h->host, (int64_t)profile);
	}
	if (started) {
		gl_debug_choose(lua_toboolean(L, 4), lua_toboolean(L, 5));
	}
	if (started) {
		binding_unload_leftovers();
	}
	gl_unlock();
	if (!started) {
		gl_caller_free(h->caller);
		h->caller = NULL;
		return binding_fail(L, &err);
	}
	return 1;
}

/* core.host_self() -> path of a host that is there already, or nil */
int binding_host_self(lua_State *L)
{
	gl_lock();
	char *path = gl_host_self();
	gl_unlock();

	lua_pushstring(L, path); /* nil for NULL */
	free(path);
	return 1;
}

static int host_gc(lua_State *L)
{
	struct binding_host *h = luaL_checkudata(L, 1, HOST);

	binding_share_close(h);
	/* The Go runtime stays: it can't be stopped. */
	gl_caller_free(h->caller);
	h->caller = NULL;
	binding_state_leave(h->state, NULL, NULL);
	h->state = NULL;
	return 0;
}

static int host_info(lua_State *L)
{
	struct binding_host *h = binding_check_host(L, 1);
	const struct gl_abi *abi = gl_host_abi(h->host);
	char id[GL_IMAGE_ID_SIZE];
	struct gl_error err;

	if (gl_image_id(gl_host_image(h->host), id, &err) != 0) {
		id[0] = '\0';
	}
	lua_newtable(L);
	binding_set_string(L, "go_version", abi->go_version);
	binding_set_string(L, "goarch", abi->goarch);
	binding_set_string(L, "goamd64", abi->goamd64);
	binding_set_string(L, "goexperiment", abi->goexperiment);
	binding_set_string(L, "buildmode", abi->buildmode);
	binding_set_string(L, "object_header", abi->object_header);
	binding_set_string(L, "path", gl_host_path(h->host));
	binding_set_string(L, "id", id);
	return 1;
}

/* host:add_archive(import_path, file[, version]) -> true */
static int host_add_archive(lua_State *L)
{
	struct binding_host *h = binding_check_host(L, 1);
	const char *path = luaL_checkstring(L, 2), *file = luaL_checkstring(L, 3),
		   *version = luaL_optstring(L, 4, NULL);
	struct gl_error err;

	gl_lock();
	bool added = gl_host_add_archive(h->host, path, file, version, &err) == 0;
	gl_unlock();
	if (!added) {
		return binding_fail(L, &err);
	}
	lua_pushboolean(L, 1);
	return 1;
}

/* host:add_build(import_path, file) -> true */
static int host_add_build(lua_State *L)
{
	struct binding_host *h = binding_check_host(L, 1);
	const char *path = luaL_checkstring(L, 2), *file = luaL_checkstring(L, 3);
	struct gl_error err;

	gl_lock();
	bool added = gl_host_add_build(h->host, path, file, &err) == 0;
	gl_unlock();
	if (!added) {
		return binding_fail(L, &err);
	}
	lua_pushboolean(L, 1);
	return 1;
}

/* host:add_library({ archive, … }, file) -> true */
static int host_add_library(lua_State *L)
{
	struct binding_host *h = binding_check_host(L, 1);
	const char *file = luaL_checkstring(L, 3);
	struct gl_error err;

	luaL_checktype(L, 2, LUA_TTABLE);
	size_t n = lua_rawlen(L, 2);
	luaL_argcheck(L, n > 0 && n < 100000, 2, "a list of archives expected");
	const char **archives = lua_newuserdata(L, n * sizeof(*archives));
	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(L, 2, (int)i + 1);
		archives[i] = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
		luaL_argcheck(L, archives[i] != NULL, 2, "a list of archives expected");
		lua_pop(L, 1); /* the list keeps it alive */
	}
	gl_lock();
	bool added = gl_host_add_library(h->host, archives, n, file, &err) == 0;
	gl_unlock();
	if (!added) {
		return binding_fail(L, &err);
	}
	lua_pushboolean(L, 1);
	return 1;
}

/* The field of the table at idx, as a string or NULL; the table keeps it alive. */
static const char *string_field(lua_State *L, int idx, const char *name)
{
	lua_getfield(L, idx, name);
	const char *s = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
	lua_pop(L, 1);
	return s;
}

/* The modules of the list on the top, which it takes away; the array is Lua's, at the top instead. One that was
 * unloaded, as another Lua state may do at any time with one that it shares, is refused under the lock. */
static void read_uses(lua_State *L, struct gl_load_options *options)
{
	size_t n = lua_istable(L, -1) ? lua_rawlen(L, -1) : 0;
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): uses is an array of pointers */
	struct gl_module **uses = lua_newuserdata(L, (n + 1) * sizeof(*uses));

	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(L, -2, (int)i + 1);
		uses[i] = binding_used_module(L, -1);
		lua_pop(L, 1);
	}
	lua_remove(L, -2);
	options->uses = uses;
	options->nuses = n;
}

/* The list of { name, value } on the top, which it takes away but for an array, which is Lua's; the list keeps the
 * strings alive. */
static void read_strings(lua_State *L, struct gl_load_options *options)
{
	size_t n = lua_istable(L, -1) ? lua_rawlen(L, -1) : 0;
	struct gl_gom_string *strings = lua_newuserdata(L, (n + 1) * sizeof(*strings));

	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(L, -2, (int)i + 1);
		luaL_checktype(L, -1, LUA_TTABLE);
		lua_rawgeti(L, -1, 1);
		lua_rawgeti(L, -2, 2);
		strings[i].name = luaL_checkstring(L, -2);
		strings[i].value = luaL_checklstring(L, -1, &strings[i].size);
		lua_pop(L, 3);
	}
	lua_remove(L, -2);
	options->strings = strings;
	options->nstrings = n;
}

/* Leaves on the stack what the options refer to. */
static void read_options(lua_State *L, int idx, struct gl_load_options *options)
{
	static const char *const twice[] = { "refuse", "other", "always", NULL };

	*options = (struct gl_load_options){ .run_init = true };
	if (lua_isnoneornil(L, idx)) {
		return;
	}
	luaL_checktype(L, idx, LUA_TTABLE);
	lua_getfield(L, idx, "run_init");
	options->run_init = lua_isnil(L, -1) || lua_toboolean(L, -1);
	lua_getfield(L, idx, "ndeps");
	options->ndeps = (size_t)lua_tonumber(L, -1);
	lua_getfield(L, idx, "is_shared");
	options->is_shared = lua_toboolean(L, -1);
	lua_pop(L, 3);
	lua_getfield(L, idx, "debug");
	options->keeps_variables = lua_toboolean(L, -1);
	lua_pop(L, 1);
	options->library = string_field(L, idx, "library");
	options->godebug = string_field(L, idx, "godebug");
	options->key = string_field(L, idx, "key");
	lua_getfield(L, idx, "twice");
	options->twice = (enum gl_twice)luaL_checkoption(L, -1, "refuse", twice);
	lua_pop(L, 1);
	lua_getfield(L, idx, "uses");
	read_uses(L, options);
	lua_getfield(L, idx, "strings");
	read_strings(L, options);
}

/* The list of { file =, package = } at idx. Its two columns are Lua's and stay on the stack, so that no error leaks
 * them. Returns the number of files. */
static size_t read_files(lua_State *L, int idx, const char ***files, const char ***packages)
{
	luaL_checktype(L, idx, LUA_TTABLE);
	size_t n = lua_rawlen(L, idx);
	luaL_argcheck(L, n > 0 && n < 100000, idx, "a list of files expected");
	*files = lua_newuserdata(L, n * sizeof(**files));
	*packages = lua_newuserdata(L, n * sizeof(**packages));
	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(L, idx, (int)i + 1);
		luaL_argcheck(L, lua_istable(L, -1), idx, "every file is a table with the field 'file'");
		(*files)[i] = string_field(L, -1, "file");
		(*packages)[i] = string_field(L, -1, "package");
		luaL_argcheck(L, (*files)[i] != NULL, idx, "every file is a table with the field 'file'");
		lua_pop(L, 1);
	}
	return n;
}

/* What a load, a shipping or an audit came to. */
struct outcome {
	struct gl_error err;
	bool are_archives;
	size_t nlacks;
	char *lacks; /* what it lacks, packages or files whose C parts are to be linked, each ended by NUL */
};

static void note_lacks(struct outcome *outcome, const char *const *list, size_t n)
{
	struct gl_text text = { 0 };

	for (size_t i = 0; i < n; i++) {
		gl_text_add(&text, list[i], strlen(list[i]) + 1);
	}
	outcome->nlacks = n;
	outcome->lacks = gl_text_take(&text);
	if (n > 0 && outcome->lacks == NULL) {
		gl_out_of_memory(&outcome->err, "listing what is missing");
	}
}

/* Under the lock: the host has the lists until its next load. */
static void note_failure(struct outcome *outcome, const struct gl_host *host)
{
	const char *const *list;
	size_t n;

	if (outcome->err.code == GL_EMISSING) {
		n = gl_host_missing(host, &list);
		note_lacks(outcome, list, n);
	} else if (outcome->err.code == GL_ECGO) {
		n = gl_host_unlinked(host, &list, &outcome->are_archives);
		note_lacks(outcome, list, n);
	}
}

/* Pushes nil and the error, with a list of what was lacking. */
static int push_failure(lua_State *L)
{
	struct outcome *outcome = lua_touserdata(L, 1);
	enum gl_code code = outcome->err.code;
	const char *at = outcome->lacks;

	luaL_checkstack(L, 8, NULL);
	binding_fail(L, &outcome->err);
	if (code == GL_EMISSING || code == GL_ECGO) {
		lua_createtable(L, (int)outcome->nlacks, 0);
		for (size_t i = 0; i < outcome->nlacks; i++) {
			lua_pushstring(L, at);
			lua_rawseti(L, -2, (int)i + 1);
			at += strlen(at) + 1;
		}
		lua_setfield(L, -2, code == GL_EMISSING ? "packages" : "files");
	}
	if (code == GL_ECGO) {
		binding_set_bool(L, "archives", outcome->are_archives);
	}
	if (code == GL_EVERSION) {
		binding_set_bool(L, "other_version", 1);
	}
	return 2;
}

/* Nothing of Lua's is done under the lock: memory may be short, which raises, and the collector may call finalizers,
 * which may wait for a thread that wants the lock. What tells of a failure is pushed before it is taken, so that
 * telling can be called in a protected way afterwards, and what was noted is given back whatever comes of it. */
static void prepare_failure(lua_State *L, struct outcome *outcome)
{
	luaL_checkstack(L, 8, NULL);
	lua_pushcfunction(L, push_failure);
	lua_pushlightuserdata(L, outcome);
}

/* What prepare_failure pushed is on the top. Returns the number of results. */
static int tell_failure(lua_State *L, struct outcome *outcome)
{
	int status = lua_pcall(L, 1, 2, 0);

	free(outcome->lacks);
	return status == 0 ? 2 : lua_error(L);
}

/* host:load({ { file =, package = }, … }, { run_init = true, ndeps = 0, twice = "refuse", uses = { module… },
 * library = file, is_shared = false }) -> module (see struct gl_load_options) */
static int host_load(lua_State *L)
{
	struct binding_host *h = binding_check_host(L, 1);
	struct gl_load_options options;
	const char **files, **packages;

	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 3);
	read_options(L, 3, &options);
	size_t n = read_files(L, 2, &files, &packages);
	struct binding_module *module = binding_push_module(L, 1);
	int at = lua_gettop(L);
	struct outcome outcome = { 0 };
	prepare_failure(L, &outcome);
	gl_lock();
	binding_unload_leftovers();
	struct gl_module *mod = gl_module_load(h->host, files, packages, n, &options, &outcome.err);
	bool failed = mod == NULL || binding_fill_module(module, mod, files[n - 1], &outcome.err) != 0;
	if (failed) {
		note_failure(&outcome, h->host);
	}
	gl_unlock();
	gl_host_give_back(h->host);
	if (failed) {
		return tell_failure(L, &outcome);
	}
	lua_settop(L, at);
	return 1;
}

/* ---- loading beside Lua ------------------------------------------------------------------------------------------ */

/* A shipped module that is loaded, and initialised, by a thread. The thread and Lua both have it; who lets go last
 * frees it. */
struct beside {
	int users;
	struct gl_host *host;
	struct gl_module *mod;
	struct gl_error err;
	const char *copy_of; /* NULL, or what the file is to be made from first */
	char file[];         /* and copy_of */
};

struct beside_ref {
	struct beside *load; /* NULL once it was taken */
};

#define BESIDE "goloader.load"

static void let_go(struct beside *load)
{
	if (__atomic_sub_fetch(&load->users, 1, __ATOMIC_ACQ_REL) == 0) {
		free(load);
	}
}

static void load_beside(void *arg)
{
	struct beside *load = arg;
	const char *file = load->file, *package = NULL;
	struct gl_load_options options = { .run_init = true };

	if (load->copy_of == NULL || file_copy(load->copy_of, file, &load->err) == 0) {
		gl_lock();
		binding_unload_leftovers();
		load->mod = gl_module_load(load->host, &file, &package, 1, &options, &load->err);
		gl_unlock();
		gl_host_give_back(load->host);
	}
	let_go(load);
}

/* What nobody asks for any more is loaded all the same, and stays: a Lua state that ends in the middle. */
static int beside_gc(lua_State *L)
{
	struct beside_ref *ref = luaL_checkudata(L, 1, BESIDE);

	if (ref->load != NULL) {
		let_go(ref->load);
	}
	ref->load = NULL;
	return 0;
}

/* host:load_start(file[, file that it is made from first, as a copy]) -> a job, and what host:load_finish takes when
 * that is done */
static int host_load_start(lua_State *L)
{
	struct binding_host *h = binding_check_host(L, 1);
	size_t len, copy_len = 0;
	const char *file = luaL_checklstring(L, 2, &len), *copy_of = luaL_optlstring(L, 3, NULL, &copy_len);
	struct gl_error err;
	struct gl_job **job = binding_push_plain_job(L, 1);
	struct beside_ref *ref = lua_newuserdata(L, sizeof(*ref));

	ref->load = NULL;
	luaL_getmetatable(L, BESIDE);
	lua_setmetatable(L, -2);
	struct beside *load = calloc(1, sizeof(*load) + len + 1 + copy_len + 1);
	if (load == NULL) {
		gl_out_of_memory(&err, "loading %s", file);
		return binding_fail(L, &err);
	}
	*load = (struct beside){ .users = 2, .host = h->host };
	memcpy(load->file, file, len + 1);
	if (copy_of != NULL) {
		load->copy_of = memcpy(load->file + len + 1, copy_of, copy_len + 1);
	}
	*job = gl_job_start_thread(h->caller, "load", load_beside, load, true, &err);
	if (*job == NULL) {
		free(load);
		return binding_fail(L, &err);
	}
	ref->load = load;
	return 2;
}

/* host:load_finish(what load_start gave) -> module */
static int host_load_finish(lua_State *L)
{
	struct beside_ref *ref = luaL_checkudata(L, 2, BESIDE);
	struct beside *load = ref->load;
	struct gl_error err;

	luaL_argcheck(L, load != NULL, 2, "a load that is done expected");
	lua_settop(L, 2);
	struct binding_module *module = binding_push_module(L, 1);
	if (load->mod != NULL && binding_fill_module(module, load->mod, load->file, &err) == 0) {
		ref->load = NULL;
		let_go(load);
		return 1;
	}
	if (load->mod == NULL) {
		err = load->err;
	}
	ref->load = NULL;
	let_go(load);
	return binding_fail(L, &err);
}

/* host:ship({ { file =, package = }, … }, out, { ndeps = 0, twice = "refuse", library = file, godebug = settings,
 * strings = { { name, value }, … }, key = file, debug = true }) -> true */
static int host_ship(lua_State *L)
{
	struct binding_host *h = binding_check_host(L, 1);
	const char *out = luaL_checkstring(L, 3);
	struct gl_load_options options;
	const char **files, **packages;

	lua_settop(L, 4);
	read_options(L, 4, &options);
	size_t n = read_files(L, 2, &files, &packages);
	struct outcome outcome = { 0 };
	prepare_failure(L, &outcome);
	gl_lock();
	bool failed = gl_module_ship(h->host, files, packages, n, &options, out, &outcome.err) != 0;
	if (failed) {
		note_failure(&outcome, h->host);
	}
	gl_unlock();
	if (failed) {
		return tell_failure(L, &outcome);
	}
	lua_pushboolean(L, 1);
	return 1;
}

/* ---- looking at what a module can do ----------------------------------------------------------------------------- */

#define AUDIT "goloader.audit"

static int audit_gc(lua_State *L)
{
	gl_audit_free(luaL_checkudata(L, 1, AUDIT));
	return 0;
}

static void push_audit_symbol(lua_State *L, const struct gl_audit_symbol *sym)
{
	static const char *const where[] = { "module", "shared", "host", "absent" };

	lua_createtable(L, 0, 5);
	binding_set_string(L, "name", sym->name);
	binding_set_string(L, "package", sym->package);
	binding_set_string(L, "where", where[sym->where]);
	if (sym->by != UINT32_MAX) {
		binding_set_integer(L, "by", (lua_Integer)sym->by + 1);
	}
	const struct {
		const char *name;
		bool is;
	} flags[] = { { "func", sym->is_func },
		      { "builtin", sym->is_builtin },
		      { "assembly", sym->is_assembly },
		      { "c", sym->is_c } };
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (flags[i].is) {
			binding_set_bool(L, flags[i].name, true);
		}
	}
}

/* host:audit({ { file =, package = }, … }, options as ship's) -> { { name =, package =, where =, by = number, func =,
 * builtin =, assembly =, c = }, … }: what the module needs (module/audit.h) */
static int host_audit(lua_State *L)
{
	struct binding_host *h = binding_check_host(L, 1);
	struct gl_load_options options;
	const char **files, **packages;

	lua_settop(L, 3);
	read_options(L, 3, &options);
	size_t n = read_files(L, 2, &files, &packages);
	struct gl_audit *audit = lua_newuserdata(L, sizeof(*audit));
	*audit = (struct gl_audit){ 0 };
	luaL_getmetatable(L, AUDIT);
	lua_setmetatable(L, -2);
	int at = lua_gettop(L);
	struct outcome outcome = { 0 };
	prepare_failure(L, &outcome);
	gl_lock();
	bool failed = gl_module_audit(h->host, files, packages, n, &options, audit, &outcome.err) != 0;
	if (failed) {
		note_failure(&outcome, h->host);
	}
	gl_unlock();
	if (failed) {
		return tell_failure(L, &outcome);
	}
	lua_settop(L, at);
	lua_createtable(L, (int)audit->n, 0);
	for (size_t i = 0; i < audit->n; i++) {
		push_audit_symbol(L, &audit->symbols[i]);
		lua_rawseti(L, -2, (int)i + 1);
	}
	gl_audit_free(audit);
	return 1;
}

/* Appends a name to a buffer of numbers and names, each ended by NUL: Lua's tables are made of it afterwards, for its
 * errors must not come in the middle of a listing. */
static bool add_reference(size_t i, const char *symbol, void *arg)
{
	struct gl_text *text = arg;
	char number[24];

	snprintf(number, sizeof(number), "%zu", i);
	gl_text_add(text, number, strlen(number) + 1);
	gl_text_add(text, symbol, strlen(symbol) + 1);
	return text->failed == 0;
}

/* host:references({ function, … }) -> "number\0symbol\0…", of each function by its number, the first being 0: what
 * functions of the host refer to */
static int host_references(lua_State *L)
{
	struct binding_host *h = binding_check_host(L, 1);
	struct gl_text text = { 0 };
	struct gl_error err;

	luaL_checktype(L, 2, LUA_TTABLE);
	size_t n = lua_rawlen(L, 2);
	const char **functions = lua_newuserdata(L, (n + 1) * sizeof(*functions));
	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(L, 2, (int)i + 1);
		luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 2, "a list of names expected");
		functions[i] = lua_tostring(L, -1);
		lua_pop(L, 1); /* the list keeps it alive */
	}
	gl_lock();
	int ret = gl_refer_each(gl_host_image(h->host), functions, n, add_reference, &text, &err);
	gl_unlock();
	size_t size = text.n;
	char *words = gl_text_take(&text);
	if (ret == 0 && words == NULL && size > 0) {
		ret = gl_out_of_memory(&err, "listing what the host's functions refer to");
	}
	if (ret != 0) {
		free(words);
		return binding_fail(L, &err);
	}
	lua_pushlstring(L, words != NULL ? words : "", words != NULL ? size : 0);
	free(words);
	return 1;
}

static int host_stats(lua_State *L)
{
	struct binding_host *h = binding_check_host(L, 1);

	lua_newtable(L);
	binding_set_integer(L, "modules", (lua_Integer)h->nmodules);
	binding_set_integer(L, "handles", (lua_Integer)gl_caller_handles(h->caller));
	return 1;
}

/* host:runtime_stats() -> { heap_bytes =, … }, numbers of Go's runtime */
static int host_runtime_stats(lua_State *L)
{
	struct binding_host *h = binding_check_host(L, 1);
	void (*fill)(struct gl_runtime_stats *) =
		(void (*)(struct gl_runtime_stats *))gl_host_export(h->host, "goloader_runtime_stats");
	struct gl_runtime_stats s = { 0 };
	struct gl_error err;

	if (gl_host_check(h->host, &err) != 0) {
		return binding_fail(L, &err);
	}
	fill(&s);
	const struct {
		const char *name;
		uint64_t value;
	} fields[] = {
		{ "heap_bytes", s.heap_bytes },       { "heap_objects", s.heap_objects },
		{ "system_bytes", s.system_bytes },   { "allocated_bytes", s.allocated_bytes },
		{ "next_gc_bytes", s.next_gc_bytes }, { "gc_cycles", s.gc_cycles },
		{ "gc_pause_ns", s.gc_pause_ns },     { "last_pause_ns", s.last_pause_ns },
		{ "goroutines", s.goroutines },
	};
	lua_newtable(L);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		binding_set_integer(L, fields[i].name, (lua_Integer)fields[i].value);
	}
	return 1;
}

/* host:unused() -> bytes of the address space for modules that nobody has, blocks of memory that know of them */
static int host_unused(lua_State *L)
{
	const struct gl_host *host = binding_check_host(L, 1)->host;

	gl_lock();
	size_t blocks, n = gl_host_unused(host, &blocks);
	gl_unlock();
	lua_pushinteger(L, (lua_Integer)n);
	lua_pushinteger(L, (lua_Integer)blocks);
	return 2;
}

/* host:unload_stats() -> { snapshots =, … }, of all unloads of the process */
static int host_unload_stats(lua_State *L)
{
	struct gl_unload_stats s = gl_host_unload_stats(binding_check_host(L, 1)->host);

	lua_newtable(L);
	binding_set_integer(L, "snapshots", (lua_Integer)s.snapshots);
	binding_set_integer(L, "failed_snapshots", (lua_Integer)s.failed_snapshots);
	binding_set_integer(L, "stops", (lua_Integer)s.stops);
	binding_set_integer(L, "voided", (lua_Integer)s.voided);
	binding_set_number(L, "pause_ms", (double)s.pause_ns / 1e6);
	return 1;
}

/* host:tidy() -> how many modules of closed Lua states are left, after those have been unloaded that can be */
static int host_tidy(lua_State *L)
{
	const struct binding_host *h = binding_check_host(L, 1);

	gl_lock();
	gl_callers_flush(h->caller);
	size_t n = binding_tidy_leftovers();
	gl_unlock();
	lua_pushinteger(L, (lua_Integer)n);
	return 1;
}

/* host:modules() -> { { name =, number =, since =, bytes =, users =, forced =, left =, shared =, states = }, … }, of
 * all modules of the process; left: by all Lua states that had it, which are closed */
static int host_modules(lua_State *L)
{
	const struct gl_host *host = binding_check_host(L, 1)->host;
	struct gl_module_info *list = NULL;
	size_t there = 0, n = 0;

	/* Lua's memory, which may be short, is not asked for under the lock. */
	do {
		n = there;
		list = lua_newuserdata(L, (n + 1) * sizeof(*list));
		gl_lock();
		there = gl_host_modules(host, list, n);
		gl_unlock();
	} while (there > n);
	lua_createtable(L, (int)there, 0);
	for (size_t i = 0; i < there; i++) {
		lua_createtable(L, 0, 9);
		binding_set_string(L, "name", list[i].name);
		binding_set_integer(L, "number", (lua_Integer)list[i].number);
		binding_set_integer(L, "since", (lua_Integer)list[i].since);
		binding_set_integer(L, "bytes", (lua_Integer)list[i].bytes);
		binding_set_integer(L, "users", (lua_Integer)list[i].users);
		binding_set_bool(L, "forced", list[i].is_closed);
		gl_lock();
		bool is_left = binding_is_left_behind(list[i].number);
		gl_unlock();
		binding_set_bool(L, "left", is_left);
		binding_share_describe(L, list[i].number);
		lua_rawseti(L, -2, (int)i + 1);
	}
	return 1;
}

void binding_open_host(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{ "info", host_info },
		{ "add_archive", host_add_archive },
		{ "add_build", host_add_build },
		{ "add_library", host_add_library },
		{ "load", host_load },
		{ "load_start", host_load_start },
		{ "load_finish", host_load_finish },
		{ "method_job", binding_method_job },
		{ "ship", host_ship },
		{ "audit", host_audit },
		{ "references", host_references },
		{ "trust", binding_trust },
		{ "is_strict", binding_is_strict },
		{ "stats", host_stats },
		{ "runtime_stats", host_runtime_stats },
		{ "unload_stats", host_unload_stats },
		{ "unused", host_unused },
		{ "modules", host_modules },
		{ "tidy", host_tidy },
		{ "shared", binding_share_find },
		{ "unmake", binding_share_unmake },
		{ "jobs_fd", binding_jobs_fd },
		{ "jobs_listen", binding_jobs_listen },
		{ "jobs_accept", binding_jobs_accept },
		{ "jobs_ring", binding_jobs_ring },
		{ "jobs_step", binding_jobs_step },
		{ "jobs_poll", binding_jobs_poll },
		{ "jobs_ready", binding_jobs_ready },
		{ "jobs_set_timer", binding_jobs_set_timer },
		{ "sums_start", binding_sums_start },
		{ "sums_finish", binding_sums_finish },
		{ "__gc", host_gc },
		{ NULL, NULL },
	};

	static const luaL_Reg beside_methods[] = { { "__gc", beside_gc }, { NULL, NULL } };

	binding_new_class(L, HOST, methods);
	binding_new_class(L, BESIDE, beside_methods);

	static const luaL_Reg audit_methods[] = { { "__gc", audit_gc }, { NULL, NULL } };

	binding_new_class(L, AUDIT, audit_methods);
}
