/* Signatures into plans: what the Go half makes of an export's type descriptors, in a form that calls can follow.
 *
 * The Go half reads the descriptors, with reflect, so that no layout of theirs is known here. What C adds is the way to
 * them: most types of a signature have a descriptor in the module or in the host, but the compiler writes none for a
 * composite type that is never put into an interface, a parameter []main.Product for example. Such a type is told by
 * its parts, and the Go half carries it all the same, since memory for a slice takes its element's descriptor only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../abi/runtime.h"
#include "../image/image.h"
#include "plan.h"

/* ---- the Go half ------------------------------------------------------------------------------------------------ */

static void tell_stack(void) { (void)gl_frames_write(); }

static int caller_set_up(struct gl_host *host, struct gl_error *err)
{
	void (*set_up)(struct gl_call_setup *) = gl_host_export(host, "goloader_call_setup");
	struct gl_call_setup setup = { .callback = gl_callback_call, .tell_stack = tell_stack };

	if (gl_runtime_fill_call(gl_host_names(host), &setup, err) != 0) {
		return -1;
	}
	set_up(&setup);
	if (setup.ints != GL_INT_REGS || setup.floats != GL_FLOAT_REGS) {
		return gl_fail(err, GL_EHOST,
			       "%s: passes arguments in %u integer and %u float registers, not in %d and %d",
			       gl_host_path(host), setup.ints, setup.floats, GL_INT_REGS, GL_FLOAT_REGS);
	}
	return 0;
}

struct gl_caller *gl_caller_new(lua_State *L, struct gl_error *err)
{
	lua_State *own = lua_newthread(L);
	int ref = luaL_ref(L, LUA_REGISTRYINDEX);
	struct gl_reading *reading = gl_reading_new(L);
	int reading_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	int protection_ref = gl_plan_new_protection(L);
	struct gl_caller *caller = calloc(1, sizeof(*caller));

	if (caller == NULL) {
		luaL_unref(L, LUA_REGISTRYINDEX, ref);
		luaL_unref(L, LUA_REGISTRYINDEX, reading_ref);
		luaL_unref(L, LUA_REGISTRYINDEX, protection_ref);
		gl_fail(err, GL_ENOMEM, "no memory to call Go with");
		return NULL;
	}
	caller->own = own;
	caller->own_ref = ref;
	caller->reading = reading;
	caller->reading_ref = reading_ref;
	caller->protection_ref = protection_ref;
	caller->users = 1;
	gl_reading_own(reading, caller);
	gl_frames_add_caller(caller);
	return caller;
}

int gl_caller_open(struct gl_caller *caller, struct gl_host *host, struct gl_error *err)
{
	const char *missing = NULL;

	caller->host = host;
	struct {
		const char *name;
		void *func; /* where its address goes */
	} exports[] = {
		{ "goloader_plan", &caller->plan.far },
		{ "goloader_plan_free", &caller->plan_free },
		{ "goloader_call", &caller->call.far },
		{ "goloader_call_fast", &caller->call_fast.far },
		{ "goloader_ffi", &caller->call_ffi[0].far },
		{ "goloader_ffi_pin", &caller->pin },
		{ "goloader_many", &caller->many.far },
		{ "goloader_ffi_many", &caller->ffi_many.far },
		{ "goloader_ffi_unpin", &caller->unpin },
		{ "goloader_ffi_drop", &caller->drop },
		{ "goloader_get", &caller->get.far },
		{ "goloader_set", &caller->set.far },
		{ "goloader_job_start", &caller->job_start.far },
		{ "goloader_job_cancel", &caller->job_cancel.far },
		{ "goloader_handle", &caller->handle.far },
		{ "goloader_class", &caller->class_of.far },
		{ "goloader_methods", &caller->methods.far },
		{ "goloader_method", &caller->method.far },
		{ "goloader_copy_plan", &caller->copy_plan.far },
		{ "goloader_ref", &caller->ref.far },
		{ "goloader_make", &caller->make.far },
		{ "goloader_release", &caller->release },
		{ "goloader_handle_count", &caller->handle_count },
	};
	for (size_t i = 0; i < sizeof(exports) / sizeof(exports[0]); i++) {
		void *func = gl_host_export(host, exports[i].name);

		if (func == NULL) {
			missing = exports[i].name;
		}
		memcpy(exports[i].func, &func, sizeof(func));
	}
	if (missing != NULL || gl_host_export(host, "goloader_call_setup") == NULL) {
		return gl_fail(err, GL_EHOST, "%s: no %s: a host must import goloader.dev/host", gl_host_path(host),
			       missing != NULL ? missing : "goloader_call_setup");
	}
	if (caller_set_up(host, err) != 0) {
		return -1;
	}
	gl_go_set_up(caller);
	return 0;
}

void gl_caller_free(struct gl_caller *caller)
{
	if (caller != NULL) {
		gl_jobs_close(caller);
		luaL_unref(caller->own, LUA_REGISTRYINDEX, caller->reading_ref);
		gl_caller_drop(caller);
	}
}

/* Another thread may take them out likewise: each is taken once. */
size_t gl_caller_take_released(struct gl_caller *caller, uint64_t *handles)
{
	size_t n = 0;

	for (size_t i = 0; i < GL_RELEASED; i++) {
		uint64_t handle = __atomic_load_n(&caller->released[i], __ATOMIC_RELAXED);
		if (handle != 0) {
			handle = __atomic_exchange_n(&caller->released[i], 0, __ATOMIC_ACQ_REL);
		}
		if (handle != 0) {
			handles[n++] = handle;
		}
	}
	return n;
}

void gl_caller_flush(struct gl_caller *caller)
{
	uint64_t handles[GL_RELEASED];
	size_t n = caller->nreleased > 0 ? gl_caller_take_released(caller, handles) : 0;

	caller->nreleased = 0;
	if (n > 0) {
		gl_go_release(caller, handles, n);
	}
}

size_t gl_caller_handles(struct gl_caller *caller)
{
	gl_caller_flush(caller);
	return gl_go_count_handles(caller);
}

void gl_caller_release(struct gl_caller *caller, uint64_t handle)
{
	__atomic_store_n(&caller->released[caller->nreleased++], handle, __ATOMIC_RELEASE);
	if (caller->nreleased == GL_RELEASED) {
		gl_caller_flush(caller);
	}
}

void gl_caller_drop(struct gl_caller *caller)
{
	if (--caller->users == 0) {
		gl_caller_flush(caller);
		gl_frames_drop_caller(caller);
		gl_functions_free(caller);
		gl_pure_room_free(caller->pure);
		luaL_unref(caller->own, LUA_REGISTRYINDEX, caller->protection_ref);
		luaL_unref(caller->own, LUA_REGISTRYINDEX, caller->own_ref);
		free(caller->in.p);
		free(caller->out.p);
		free(caller->text.p);
		free(caller);
	}
}

/* ---- types by their names -----------------------------------------------------------------------------------------
 */

/* The expressions of one request. Names in them are cut out of the compiler's and freed with them. */
struct exprs {
	const struct gl_module *mod;
	struct gl_host *host;
	struct gl_type_expr *list;
	uint32_t n, cap;
};

static int64_t add_expr(struct exprs *x, struct gl_type_expr expr)
{
	if (x->n == x->cap) {
		uint32_t cap = x->cap * 2 + 8;
		struct gl_type_expr *list = realloc(x->list, cap * sizeof(*list));

		if (list == NULL) {
			free((char *)expr.name);
			return -1;
		}
		x->list = list;
		x->cap = cap;
	}
	x->list[x->n] = expr;
	return x->n++;
}

static void free_exprs(struct exprs *x)
{
	for (uint32_t i = 0; i < x->n; i++) {
		free((char *)x->list[i].name);
	}
	free(x->list);
}

/* The module's own types come first: the host may have a package of the same path. */
static void *find_type(const struct exprs *x, const char *name, size_t len)
{
	const struct gl_module_symbol *symbols;
	size_t n = gl_module_symbols(x->mod, &symbols);
	char symbol[1024];
	struct gl_image_sym sym;
	int size = snprintf(symbol, sizeof(symbol), "type:%.*s", (int)len, name);

	if (size < 0 || (size_t)size >= sizeof(symbol)) {
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		if (strcmp(symbols[i].name, symbol) == 0) {
			return (void *)symbols[i].addr;
		}
	}
	return gl_image_lookup(gl_host_image(x->host), symbol, (size_t)size, &sym) ? (void *)sym.addr : NULL;
}

/* Length of the key's type in a name that began with "map[": up to the bracket that closes it. */
static size_t key_length(const char *name, size_t len)
{
	size_t depth = 1;

	for (size_t i = 0; i < len; i++) {
		depth += name[i] == '[';
		depth -= name[i] == ']';
		if (depth == 0) {
			return i;
		}
	}
	return len;
}

static int64_t expr_of_name(struct exprs *x, const char *name, size_t len);

/* Length of what comes before the comma or bracket that ends the first type of a list. */
static size_t part_length(const char *list, size_t len)
{
	size_t depth = 0, i = 0;

	for (; i < len; i++) {
		if (strchr("([{", list[i]) != NULL) {
			depth++;
		} else if (strchr(")]}", list[i]) != NULL) {
			if (depth-- == 0) {
				break;
			}
		} else if (list[i] == ',' && depth == 0) {
			break;
		}
	}
	return i;
}

/* Where the types of a func's signature begin and end. */
struct span {
	const char *name;
	size_t len;
};

/* Splits "string, ...int) (bool, error)" into types, at most max of them; returns how many are parameters, or -1. */
static int split_signature(const char *name, size_t len, struct span *parts, size_t max, size_t *n)
{
	int nparams = -1;
	bool has_list = true;

	*n = 0;
	while (len > 0 && *n < max) {
		size_t size = part_length(name, len);

		if (size > 0) {
			parts[(*n)++] = (struct span){ name, size };
		}
		name += size;
		len -= size;
		if (len > 0 && name[0] == ')' && nparams < 0) {
			nparams = (int)*n;
			has_list = len > 2 && name[1] == ' ' && name[2] == '(';
			size = has_list ? 3 : len > 1 ? 2 : 1;
		} else {
			size = len > 1 && name[0] == ',' ? 2 : len > 0;
		}
		name += size;
		len -= size;
	}
	return len == 0 ? nparams : -1;
}

/* The expression for "func(string, ...int) (bool, error)", which comes without "func(". */
static int64_t expr_of_func(struct exprs *x, const char *name, size_t len, struct gl_type_expr expr)
{
	struct span parts[64];
	size_t n;
	int nparams = split_signature(name, len, parts, sizeof(parts) / sizeof(parts[0]), &n);

	if (nparams >= 0) {
		expr.op = GL_TYPE_FUNC;
		expr.len = (uint64_t)nparams;
		expr.key = GL_TYPE_LAST;
		for (size_t i = n; i-- > 0;) {
			bool is_variadic = parts[i].len > 3 && strncmp(parts[i].name, "...", 3) == 0;
			int64_t elem;

			if (is_variadic) {
				elem = expr_of_name(x, parts[i].name + 3, parts[i].len - 3);
				expr.op = GL_TYPE_VARIADIC;
				elem = elem < 0 ? -1 :
						  add_expr(x, (struct gl_type_expr){
								      .op = GL_TYPE_SLICE,
								      .name = strndup(parts[i].name, parts[i].len),
								      .elem = (uint32_t)elem });
			} else {
				elem = expr_of_name(x, parts[i].name, parts[i].len);
			}
			int64_t part = elem < 0 ? -1 :
						  add_expr(x, (struct gl_type_expr){ .op = GL_TYPE_PART,
										     .key = expr.key,
										     .elem = (uint32_t)elem });
			if (part < 0) {
				free((char *)expr.name);
				return -1;
			}
			expr.key = (uint32_t)part;
		}
	}
	return add_expr(x, expr);
}

/* Index of the expression for the type of that name, -1 when memory is short. */
static int64_t expr_of_name(struct exprs *x, const char *name, size_t len)
{
	struct gl_type_expr expr = { .op = GL_TYPE_DESCRIPTOR, .descriptor = find_type(x, name, len) };
	int64_t key = 0, elem = 0;
	char *digits_end = NULL;

	if (expr.descriptor != NULL) {
		return add_expr(x, expr);
	}
	expr.op = GL_TYPE_UNKNOWN;
	if (len > 2 && strncmp(name, "[]", 2) == 0) {
		expr.op = GL_TYPE_SLICE;
		elem = expr_of_name(x, name + 2, len - 2);
	} else if (len > 1 && name[0] == '*') {
		expr.op = GL_TYPE_POINTER;
		elem = expr_of_name(x, name + 1, len - 1);
	} else if (len > 4 && strncmp(name, "map[", 4) == 0) {
		size_t n = key_length(name + 4, len - 4);
		if (4 + n + 1 < len) {
			expr.op = GL_TYPE_MAP;
			key = expr_of_name(x, name + 4, n);
			elem = expr_of_name(x, name + 4 + n + 1, len - 4 - n - 1);
		}
	} else if (len > 3 && name[0] == '[') {
		expr.len = strtoull(name + 1, &digits_end, 10);
		if (digits_end > name + 1 && digits_end + 1 < name + len && *digits_end == ']') {
			expr.op = GL_TYPE_ARRAY;
			elem = expr_of_name(x, digits_end + 1, len - (size_t)(digits_end + 1 - name));
		}
	}
	expr.name = strndup(name, len);
	if (key < 0 || elem < 0 || expr.name == NULL) {
		free((char *)expr.name);
		return -1;
	}
	if (len > 5 && strncmp(name, "func(", 5) == 0) {
		return expr_of_func(x, name + 5, len - 5, expr);
	}
	expr.key = (uint32_t)key;
	expr.elem = (uint32_t)elem;
	return add_expr(x, expr);
}

static int64_t expr_of_param(struct exprs *x, const struct gl_param *param)
{
	if (param->type != 0) {
		return add_expr(x,
				(struct gl_type_expr){ .op = GL_TYPE_DESCRIPTOR, .descriptor = (void *)param->type });
	}
	return expr_of_name(x, param->type_name, strlen(param->type_name));
}

/* ---- the answer ---------------------------------------------------------------------------------------------------
 */

char *gl_read_name(const uint64_t **at)
{
	size_t len;
	const char *s = gl_read_string(at, &len);

	return strndup(s, len);
}

static int read_type(struct gl_plan *plan, struct type *type, const uint64_t **at)
{
	type->kind = (enum gl_kind) * (*at)++;
	type->bits = (int)*(*at)++;
	type->len = *(*at)++;
	type->class = *(*at)++;
	type->key = &plan->types[*(*at)++];
	type->elem = &plan->types[*(*at)++];
	type->caller = plan->caller;
	type->name = gl_read_name(at);
	size_t nfields = *(*at)++;
	type->fields = calloc(nfields + 1, sizeof(*type->fields));
	if (type->name == NULL || type->fields == NULL) {
		return -1;
	}
	for (; type->nfields < nfields; type->nfields++) {
		struct type_field *field = &type->fields[type->nfields];

		field->name = gl_read_name(at);
		field->type = &plan->types[*(*at)++];
		if (field->name == NULL) {
			return -1;
		}
	}
	return 0;
}

int gl_plan_read_types(struct gl_plan *plan, const uint64_t **at)
{
	size_t ntypes = *(*at)++;

	plan->types = calloc(ntypes + 1, sizeof(*plan->types));
	if (plan->types == NULL) {
		return -1;
	}
	for (; plan->ntypes < ntypes; plan->ntypes++) {
		if (read_type(plan, &plan->types[plan->ntypes], at) != 0) {
			plan->ntypes++; /* what it has is to be freed */
			return -1;
		}
	}
	return 0;
}

int gl_plan_read_places(struct gl_plan *plan, const uint64_t **at)
{
	plan->places = calloc(plan->nplaces + 1, sizeof(*plan->places));
	if (plan->places == NULL) {
		return -1;
	}
	for (size_t i = 0; i < plan->nplaces; i++) {
		plan->places[i].type = &plan->types[*(*at)++];
		plan->places[i].reg = (int)*(*at)++;
		bool is_last = plan->export->kind == GL_EXPORT_FUNC && i >= plan->nparams && i + 1 == plan->nplaces;
		plan->has_error = is_last && plan->places[i].type->kind == GL_KIND_ERROR;
	}
	return 0;
}

/* Says why the plan can't be followed, if it can't. */
int gl_plan_find_refusal(struct gl_plan *plan)
{
	const struct gl_export *export = plan->export;
	char text[1024];

	for (size_t i = 0; i < plan->nplaces; i++) {
		if (plan->places[i].type->kind != GL_KIND_NONE) {
			continue;
		}
		const char *given = export->params[i].name, *name = given != NULL ? given : "",
			   *type = plan->places[i].type->name;
		const char *role = export->kind == GL_EXPORT_VAR ? "variable" :
				   i < plan->nparams             ? "parameter" :
								   "result";
		if (export->kind == GL_EXPORT_VAR) {
			snprintf(text, sizeof(text), "%s: has type %s, which Lua can't carry yet", export->name, type);
		} else if (name[0] == '\0' || strcmp(name, "_") == 0 || name[0] == '~') {
			snprintf(text, sizeof(text), "%s: %s %zu has type %s, which Lua can't carry yet", export->name,
				 role, i < plan->nparams ? i + 1 : i - plan->nparams + 1, type);
		} else {
			snprintf(text, sizeof(text), "%s: %s '%s' has type %s, which Lua can't carry yet", export->name,
				 role, name, type);
		}
		plan->refusal = strdup(text);
		return plan->refusal == NULL ? -1 : 0;
	}
	return 0;
}

/* Can the fast road be taken? It carries words that lie in registers, and bytes that two or three words tell of. */
void gl_plan_find_road(struct gl_plan *plan)
{
	bool is_fast = plan->refusal == NULL && plan->export->kind == GL_EXPORT_FUNC && !plan->export->variadic;

	plan->error = -1;
	for (size_t i = 0; i < plan->nplaces && is_fast; i++) {
		const struct place *place = &plan->places[i];
		bool is_result = i >= plan->nparams;

		if (i < plan->receiver) {
			is_fast = plan->by_pointer && place->reg >= 0;
			continue;
		}
		switch (place->type->kind) {
		case GL_KIND_BOOL:
		case GL_KIND_INT:
		case GL_KIND_UINT:
		case GL_KIND_FLOAT: is_fast = place->reg >= 0; break;
		case GL_KIND_STRING:
		case GL_KIND_BYTES:
			is_fast = place->reg >= 0;
			if (is_fast && is_result) {
				plan->strings |= 1U << place->reg;
				plan->return_is_ptr[place->reg / 8] |= (uint8_t)(1U << place->reg % 8);
			} else if (is_fast) {
				plan->copies |= 1U << place->reg;
				plan->lent |= (uint32_t)plan->export->params[i].is_lent << place->reg;
			}
			break;
		case GL_KIND_ERROR:
			is_fast = is_result && i + 1 == plan->nplaces && place->reg >= 0;
			if (is_fast) {
				plan->error = place->reg;
				plan->return_is_ptr[(place->reg + 1) / 8] |= (uint8_t)(1U << (place->reg + 1) % 8);
			}
			break;
		default: is_fast = false; break;
		}
	}
	plan->fast = is_fast;
}

struct gl_plan *gl_plan_new(struct gl_caller *caller, const struct gl_module *mod, const struct gl_export *export,
			    struct gl_error *err)
{
	struct gl_plan *plan = calloc(1, sizeof(*plan));
	struct exprs exprs = { .mod = mod, .host = caller->host };
	struct gl_buffer out = { 0 };
	uint32_t *indices = NULL;

	if (plan == NULL) {
		goto no_memory;
	}
	plan->caller = caller;
	plan->mod = mod;
	plan->export = export;
	plan->refs = 1;
	plan->name = strdup(export->name);
	if (plan->name == NULL) {
		goto no_memory;
	}
	if (!export->typed) {
		char text[1024];
		snprintf(text, sizeof(text),
			 "%s: its object says nothing of its type (it was compiled with -dwarf=false)", export->name);
		plan->refusal = strdup(text);
		if (plan->refusal == NULL) {
			goto no_memory;
		}
		return plan;
	}
	plan->nparams = export->kind == GL_EXPORT_FUNC ? export->nparams : 0;
	plan->nresults = export->kind == GL_EXPORT_FUNC ? export->nresults : 1;
	plan->nplaces = (size_t)plan->nparams + plan->nresults;
	indices = calloc(plan->nplaces + 1, sizeof(*indices));
	if (indices == NULL) {
		goto no_memory;
	}
	for (size_t i = 0; i < plan->nplaces; i++) {
		int64_t index = expr_of_param(&exprs, &export->params[i]);

		if (index < 0) {
			goto no_memory;
		}
		indices[i] = (uint32_t)index;
	}
	struct gl_plan_request request = {
		.exprs = exprs.list,
		.params = indices,
		.nexprs = exprs.n,
		.nparams = plan->nparams,
		.nresults = plan->nresults,
		.out = &out,
	};
	gl_signals_use_stacks();
	if (!gl_go(caller, &caller->plan, &request)) {
		gl_host_check(caller->host, err);
		goto fail;
	}
	plan->handle = request.plan;
	const uint64_t *at = out.p;
	if (gl_plan_read_types(plan, &at) != 0 || gl_plan_read_places(plan, &at) != 0 ||
	    gl_plan_find_refusal(plan) != 0) {
		goto no_memory;
	}
	gl_plan_find_road(plan);
	goto done;
no_memory:
	gl_fail(err, GL_ENOMEM, "%s: no memory for its signature", export->name);
fail:
	gl_plan_free(plan);
	plan = NULL;
done:
	free(indices);
	free(out.p);
	free_exprs(&exprs);
	return plan;
}

/* The fields' names as Lua strings, and which field has which: by its address, since Lua has every short string once.
 */
void gl_type_make_keys(lua_State *L, const struct type *constant)
{
	struct type *type = (struct type *)constant; /* of a plan, which nobody else looks at now */
	uint32_t mask = 1;

	while (mask < 2 * type->nfields) {
		mask = mask * 2 + 1;
	}
	type->by_key = calloc((size_t)mask + 1, sizeof(*type->by_key));
	if (type->by_key == NULL) {
		luaL_error(L, "no memory for the fields of %s", type->name);
		return; /* not reached */
	}
	type->mask = mask;
	for (size_t i = 0; i < type->nfields; i++) {
		struct type_field *field = &type->fields[i];

		lua_pushstring(L, field->name);
		field->key = gl_key_at(L, -1);
		field->ref = luaL_ref(L, LUA_REGISTRYINDEX);
		uint32_t at = gl_key_hash(field->key);
		while (type->by_key[at & mask] != 0) {
			at++;
		}
		type->by_key[at & mask] = (uint32_t)i + 1;
	}
}

static void free_type(struct type *type)
{
	for (size_t i = 0; i < type->nfields; i++) {
		if (type->fields[i].key != NULL) {
			luaL_unref(type->caller->own, LUA_REGISTRYINDEX, type->fields[i].ref);
		}
		free(type->fields[i].name);
	}
	if (type->methods != 0) {
		luaL_unref(type->caller->own, LUA_REGISTRYINDEX, type->methods);
	}
	free(type->fields);
	free(type->by_key);
	free(type->name);
}

static void forget_in_go(struct gl_plan *plan)
{
	if (plan->handle != 0) {
		gl_go_free_plan(plan->caller, plan->handle);
		plan->handle = 0;
	}
}

void gl_plan_clear(struct gl_plan *plan)
{
	forget_in_go(plan);
	for (size_t i = 0; i < plan->ntypes; i++) {
		free_type(&plan->types[i]);
	}
	free(plan->types);
	free(plan->places);
	free(plan->refusal);
	plan->types = NULL;
	plan->ntypes = 0;
	plan->places = NULL;
	plan->refusal = NULL;
}

void gl_plan_close_roads(struct gl_plan *plan)
{
	gl_plan_counters(plan); /* which has what was counted there */
	gl_ffi_close(plan);
	gl_plan_pure_free(plan);
}

void gl_plan_free(struct gl_plan *plan)
{
	if (plan == NULL) {
		return;
	}
	gl_ffi_close(plan);
	gl_plan_pure_free(plan);
	forget_in_go(plan);
	plan->export = NULL;
	gl_plan_release(plan);
}

void gl_plan_release(struct gl_plan *plan)
{
	if (--plan->refs == 0) {
		gl_plan_drop_jobs(plan);
		gl_plan_clear(plan);
		free(plan->name);
		free(plan);
	}
}

void gl_plan_tell_entered(struct gl_plan *plan, uint32_t *entering) { plan->entering = entering; }

bool gl_plan_is_used(const struct gl_plan *plan)
{
	const struct gl_ffi_call *ffi = plan->ffi;
	const struct gl_pure *pure = plan->pure;
	const uint32_t *jobs = __atomic_load_n(&plan->jobs, __ATOMIC_ACQUIRE);

	return __atomic_load_n(&plan->calls, __ATOMIC_ACQUIRE) > 0 ||
	       (jobs != NULL && __atomic_load_n(jobs, __ATOMIC_ACQUIRE) > 1) ||
	       (ffi != NULL && __atomic_load_n(&ffi->busy, __ATOMIC_ACQUIRE) != 0) ||
	       (pure != NULL && __atomic_load_n(&pure->cell->busy, __ATOMIC_ACQUIRE) != 0);
}

void gl_plan_forget(struct gl_plan *plan)
{
	if (plan->ffi != NULL) {
		gl_go_drop(plan->caller, plan->ffi->pins);
	}
	forget_in_go(plan);
}

struct gl_counters *gl_plan_counters(struct gl_plan *plan)
{
	struct gl_counters *c = &plan->counters;
	struct gl_ffi_call *ffi = plan->ffi;

	/* The faster roads count for themselves, but for panics, which gl_plan_check_call sees. */
	if (ffi != NULL) {
		c->calls += ffi->calls;
		c->crossings += ffi->calls - ffi->in_company;
		c->bytes_in += ffi->bytes_in;
		c->bytes_out += ffi->bytes_out;
		ffi->calls = ffi->in_company = ffi->bytes_in = ffi->bytes_out = 0;
	}
	if (plan->pure != NULL) {
		c->calls += *plan->pure->calls;
		*plan->pure->calls = 0;
	}
	return c;
}

void gl_plan_use_general_road(struct gl_plan *plan) { plan->fast = false; }
