/* What happens at an unload: gl_module_unload. */
#include "../probes.h"
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void drop_profile(struct gl_module *mod)
{
	if (mod->reads_profile) {
		module_drop_profile_reader(mod->host);
		mod->reads_profile = false;
	}
}

/* A module that never came to be, or its shell. */
void module_free(struct gl_module *mod)
{
	if (mod != NULL) {
		drop_profile(mod);
		module_drop_uses(mod);
		HASH_CLEAR(hh, mod->names[0]);
		HASH_CLEAR(hh, mod->names[1]);
		module_free_declarations(mod->decls, mod->ndecls);
		gl_pool_free(&mod->pool);
		gl_pool_free(&mod->inits_pool);
		gl_pool_free(&mod->exports_pool);
		free(mod->name);
		module_trim_heap(mod);
		free(mod);
	}
}

/* ---- what goes -------------------------------------------------------------------------------------------------- */

static void set_part(struct gl_part *part, const struct gl_module *mod)
{
	size_t nmask = 0;
	uint8_t *mask = mod->variables == NULL ?
				NULL :
				lookup_mask_of(&mod->host->linker, mod->variables, mod->variables_size, &nmask);

	*part = (struct gl_part){ .moduledata = (void *)mod->moduledata,
				  .text = (void *)mod->text,
				  .etext = (void *)mod->etext,
				  .rodata = mod->base + mod->text_pages,
				  .strings = (void *)mod->strings,
				  .estrings = (void *)mod->estrings,
				  .erodata = mod->base + mod->text_pages + mod->rodata_pages,
				  .low = mod->base,
				  .high = mod->base + mod->size,
				  .variables = mod->variables,
				  .evariables = mod->variables + mod->variables_size,
				  .mask = mask,
				  .emask = mask + nmask };
}

static size_t count_parts(const struct gl_module *mod)
{
	size_t n = 1;

	for (const struct gl_module *m = mod->extensions; m != NULL; m = m->next) {
		n++;
	}
	return n;
}

static size_t set_parts(struct gl_part *parts, const struct gl_module *mod)
{
	size_t n = 0;

	/* without anything in it, it was never published */
	if (mod->base != NULL) {
		set_part(&parts[n++], mod);
	}
	for (const struct gl_module *m = mod->extensions; m != NULL; m = m->next) {
		set_part(&parts[n++], m);
	}
	return n;
}

/* What the runtime is to forget: the module, those that go along, and their extensions. The result is the caller's to
 * free. */
static struct gl_part *all_parts(const struct gl_module *mod, const struct gl_unload *how, size_t *n)
{
	size_t total = count_parts(mod);

	for (size_t i = 0; i < how->nalong; i++) {
		total += count_parts(how->along[i]);
	}
	struct gl_part *parts = calloc(total, sizeof(*parts));
	*n = parts == NULL ? 0 : set_parts(parts, mod);
	for (size_t i = 0; parts != NULL && i < how->nalong; i++) {
		*n += set_parts(parts + *n, how->along[i]);
	}
	return parts;
}

static void forget_module(struct gl_module *mod, enum what_stays stays, bool unproved)
{
	GL_PROBE2(unload, mod->name, mod->text);
	mod->unproved = unproved;
	*mod->link = mod->next;
	if (mod->next != NULL) {
		mod->next->link = mod->link;
	}
	/* first the table, which has entries in the extensions' memory */
	HASH_CLEAR(hh, mod->names[0]);
	HASH_CLEAR(hh, mod->names[1]);
	for (struct gl_module *m = mod->extensions, *next; m != NULL; m = next) {
		next = m->next;
		m->unproved = unproved;
		module_forget_caches(m);
		module_leave_memory(m, stays);
		module_free(m);
	}
	module_release_library(mod);
	drop_profile(mod);
	if (mod->base != NULL) {
		module_forget_caches(mod);
		module_leave_memory(mod, stays);
		mod->base = NULL;
	}
	mod->extensions = NULL;
	module_drop_uses(mod);
	mod->loaded = false;
	__atomic_add_fetch(&mod->host->unloaded, 1, __ATOMIC_RELEASE);
	mod->nexports = mod->nsymbols = mod->npackages = 0;
	/* the shell stays until Lua collects it, which may be long: it is small */
	module_free_declarations(mod->decls, mod->ndecls);
	mod->decls = NULL;
	gl_pool_free(&mod->pool);
}

/* ---- who holds it ----------------------------------------------------------------------------------------------- */

static void name_variable(const struct gl_module *mod, uintptr_t addr, char *out, size_t size)
{
	const char *name = NULL;

	if (gl_module_symbolize(mod, addr, &name) >= 0) {
		snprintf(out, size, "variable %s", name);
		return;
	}
	for (const struct gl_module *m = mod->host->modules; m != NULL; m = m->next) {
		if (m != mod && gl_module_symbolize(m, addr, &name) >= 0) {
			snprintf(out, size, "variable %s of module %s", name, m->name);
			return;
		}
	}
	snprintf(out, size, "a variable of the runtime");
}

static const char *find_name(const struct gl_module *mod, uintptr_t addr)
{
	const char *name = NULL;

	if (gl_module_symbolize(mod, addr, &name) >= 0) {
		return name;
	}
	for (const struct gl_module *m = mod->extensions; m != NULL; m = m->next) {
		if (gl_module_symbolize(m, addr, &name) >= 0) {
			return name;
		}
	}
	return NULL;
}

/* What a reference leads to, in the module or in one that goes along. */
static const char *name_reference(const struct gl_module *mod, const struct gl_unload *how, uintptr_t addr)
{
	const char *name = find_name(mod, addr);

	for (size_t i = 0; name == NULL && i < how->nalong; i++) {
		name = find_name(how->along[i], addr);
	}
	return name != NULL ? name : "memory of it that has no name";
}

/* The symbol that an address is in, of any module's, of the resident store's or the host's. */
static const char *find_symbol(void *arg, uintptr_t addr, uintptr_t *offset)
{
	const struct gl_module *mod = arg;
	const struct gl_module *owner = gl_host_module_at(mod->host, addr);
	const char *name = NULL;
	int64_t at = gl_module_symbolize(owner, addr, &name);

	*offset = at < 0 ? 0 : (uintptr_t)at;
	return at < 0 ? NULL : name;
}

/* The same of an exported variable's type, of any module's. */
static uintptr_t find_variable_type(void *arg, uintptr_t addr, uintptr_t *offset)
{
	const struct gl_module *mod = arg;
	struct gl_module_symbol sym;

	for (const struct gl_module *m = mod->host->modules; m != NULL; m = m->next) {
		for (size_t i = 0; i < m->nexports; i++) {
			const struct gl_export *e = &m->exports[i];
			if (e->kind == GL_EXPORT_VAR && e->typed && e->addr <= addr &&
			    gl_module_find_symbol(m, e->addr, &sym) && addr - e->addr < sym.size) {
				*offset = addr - e->addr;
				return e->params[0].type;
			}
		}
	}
	return 0;
}

/* Says who holds on to the module. */
static int refuse_unload(struct gl_module *mod, struct gl_unload *how, struct gl_retired *r, struct gl_error *err)
{
	static const char *const whats[GL_HOLDER_HANDLE + 1] = {
		[GL_HOLDER_FINALIZER] = "a finalizer or cleanup",
		[GL_HOLDER_FINALIZED] = "an object that a finalizer will be called with",
		[GL_HOLDER_OBJECT] = "an object on the heap",
		[GL_HOLDER_TIMER] = "a timer"
	};
	const char *name = NULL, *what = whats[r->holder] != NULL ? whats[r->holder] : "somebody";
	char holder[1100], through[60] = "";

	if (r->holder == GL_HOLDER_NONE || r->holder == GL_HOLDER_HANDLE || r->holder == GL_HOLDER_CODE) {
		module_tell_found_way(mod->host, &how->way, r, NULL, NULL);
	}
	if (r->holder == GL_HOLDER_NONE || r->holder == GL_HOLDER_HANDLE) {
		return gl_fail(err, GL_EBUSY, "module %s can't be unloaded: %s", mod->name,
			       r->reason != NULL ? r->reason : "a goroutine is in its code");
	}
	if (r->holder == GL_HOLDER_CODE) {
		return gl_fail(
			err, GL_EBUSY,
			"module %s can't be unloaded: machine code that it made is in the runtime's list of modules",
			mod->name);
	}
	if (r->holder == GL_HOLDER_VARIABLE) {
		name_variable(mod, r->holder_at, holder, sizeof(holder));
		what = holder;
	}
	if (r->holder_through > 0) {
		snprintf(through, sizeof(through), ", by way of %zu object%s%s", r->holder_through,
			 r->holder_through == 1 ? "" : "s", r->way != NULL ? ": " : "");
	}
	if (r->word_name != NULL) {
		name = r->word_name;
	} else {
		name = name_reference(mod, how, r->holder_word);
	}
	/* a goroutine's text ends in its traceback */
	const char *text = r->reason != NULL ? r->reason : what, *line = strchr(text, '\n');
	uintptr_t offset = 0;
	const char *variable = r->holder == GL_HOLDER_VARIABLE ? find_symbol(mod, r->holder_at, &offset) : NULL;
	module_tell_found_way(mod->host, &how->way, r, variable, name);
	return gl_fail(err, GL_EBUSY, "module %s can't be unloaded: %.*s refers to %s%s%s%s", mod->name,
		       line != NULL ? (int)(line - text) : (int)strlen(text), text, name, through,
		       r->holder_through > 0 && r->way != NULL ? r->way : "", line != NULL ? line : "");
}

/* ---- unload ----------------------------------------------------------------------------------------------------- */

/* Where the walk takes place is for the Go half to choose, unless the environment says. */
static enum gl_where chosen_place(void)
{
	const char *where = getenv("GOLOADER_UNLOAD");

	if (where != NULL && strcmp(where, "stopped") == 0) {
		return GL_WHERE_STOPPED;
	}
	return where != NULL && strcmp(where, "snapshot") == 0 ? GL_WHERE_SNAPSHOT : GL_WHERE_BEST;
}

static void count_walks(struct gl_unload_stats *stats, const struct gl_retired *r)
{
	stats->snapshots += r->snapshots;
	stats->failed_snapshots += r->failed_snapshots;
	stats->stops += r->stops;
	stats->voided += r->voided;
	stats->pause_ns = r->pause_ns;
}

uint64_t gl_host_unloaded(const struct gl_host *host) { return __atomic_load_n(&host->unloaded, __ATOMIC_ACQUIRE); }

struct gl_unload_stats gl_host_unload_stats(const struct gl_host *host) { return host->unloads; }

/* Makes the runtime forget the module and gives its memory back; nothing has happened when it fails. */
int module_retire(struct gl_module *mod, struct gl_unload *how, struct gl_error *err)
{
	struct gl_host *host = mod->host;
	struct gl_retired r = { .prove = how->prove,
				.where = chosen_place(),
				.drop_handles = how->drop_handles,
				.symbol = find_symbol,
				.variable_type = find_variable_type,
				.symbols = mod };
	struct gl_part *parts = all_parts(mod, how, &r.nparts);
	struct type_cache *caches = module_all_caches(host, mod, &r.ncaches);
	struct gl_kept *kept = module_list_kept(mod, how, &r.nkept);
	int busy = 0;

	if (parts != NULL && caches != NULL && kept != NULL) {
		r.parts = parts;
		r.caches = caches;
		r.kept = kept;
		busy = r.nparts == 0 ? 0 : host->retire(&r);
		count_walks(&host->unloads, &r);
		if (busy == 0 && r.nparts > 0 && how->prove != GL_PROVE_NOTHING) {
			module_settle_kept(mod, how, kept, r.nkept);
		}
	}
	bool is_short = parts == NULL || caches == NULL || kept == NULL;
	free(parts);
	free(kept);
	if (is_short) {
		return gl_out_of_memory(err, "unloading %s", mod->name);
	}
	if (busy == -2) {
		return gl_out_of_memory(err, "looking for what refers to module %s", mod->name);
	}
	if (busy < 0) {
		return gl_fail(err, GL_EHOST, "module %s can't be unloaded: this Go's worldStop has an unknown size",
			       mod->name);
	}
	/* a finalizer's object may be one that Lua alone still holds, and a goroutine in the middle of a function may
	 * wait for Lua, which has left the loop over it */
	how->held_by_handle = busy > 0 && (r.holder == GL_HOLDER_HANDLE || r.holder == GL_HOLDER_FINALIZER ||
					   r.holder == GL_HOLDER_FINALIZED || r.ranges != 0);
	if (busy > 0) {
		refuse_unload(mod, how, &r, err);
		module_free_found_way(&r);
		return -1;
	}
	module_note_itabs(mod, r.itabs, r.nitabs);
	free(r.itabs);
	bool unproved = how->prove == GL_PROVE_NOTHING;
	enum what_stays stays = r.constants_stay == 0 ? NOTHING_STAYS : STRINGS_STAY;
	for (size_t i = 0; i < how->nalong; i++) {
		forget_module(how->along[i], stays, unproved);
	}
	forget_module(mod, stays, unproved);
	return 0;
}

static bool goes_along(const struct gl_unload *how, const struct gl_module *mod)
{
	for (size_t i = 0; i < how->nalong; i++) {
		if (how->along[i] == mod) {
			return true;
		}
	}
	return false;
}

/* What a refusal's message says behind "module … can't be unloaded: ". */
static const char *reason_in(const struct gl_error *err)
{
	static const char end[] = "unloaded: ";
	const char *at = strstr(err->message, end);

	return at != NULL ? at + strlen(end) : err->message;
}

static int unload(struct gl_module *mod, struct gl_unload *how, struct gl_error *err)
{
	if (!mod->loaded) {
		return gl_fail(err, GL_ECLOSED, "module %s was unloaded", mod->name);
	}
	if (gl_host_check(mod->host, err) != 0) {
		return -1;
	}
	for (const struct gl_module *m = mod->host->modules; mod->nusers > 0 && m != NULL; m = m->next) {
		if (module_is_using(m, mod) && !goes_along(how, m)) {
			gl_way_tell(&how->way, "module", m->name);
			return gl_fail(err, GL_EBUSY, "module %s can't be unloaded: module %s uses it", mod->name,
				       m->name);
		}
	}
	for (size_t i = 0; how->prove != GL_PROVE_NOTHING && i < how->nalong; i++) {
		if (module_check_library(how->along[i], mod, err) != 0) {
			gl_way_tell(&how->way, "library", reason_in(err));
			return -1;
		}
	}
	if (how->prove != GL_PROVE_NOTHING && module_check_library(mod, mod, err) != 0) {
		gl_way_tell(&how->way, "library", reason_in(err));
		return -1;
	}
	int ret = module_retire(mod, how, err);
	module_release_rested(mod->host);
	return ret;
}

/* Of several Lua states that have a module one may have unloaded what another one wants to go along. */
static void drop_unloaded(struct gl_unload *how)
{
	size_t n = 0;

	for (size_t i = 0; i < how->nalong; i++) {
		if (how->along[i]->loaded) {
			how->along[n++] = how->along[i];
		}
	}
	how->nalong = n;
}

int gl_module_unload(struct gl_module *mod, struct gl_unload *how, struct gl_error *err)
{
	drop_unloaded(how);
	int ret = unload(mod, how, err);

	if (ret != 0) {
		GL_PROBE2(refusal, mod->name, err->message);
	}
	return ret;
}

int gl_module_close(struct gl_module *mod, struct gl_unload *how, struct gl_error *err)
{
	if (!mod->loaded) {
		return gl_fail(err, GL_ECLOSED, "module %s was unloaded", mod->name);
	}
	if (gl_host_check(mod->host, err) != 0) {
		return -1;
	}
	size_t n;
	drop_unloaded(how);
	struct gl_part *parts = all_parts(mod, how, &n);
	if (parts == NULL) {
		return gl_out_of_memory(err, "unloading %s by force", mod->name);
	}
	int ret = n == 0 ? 0 : mod->host->close(parts, n, mod->name);
	free(parts);
	if (ret > 0) {
		return gl_fail(err, GL_EBUSY,
			       "module %s can't be unloaded by force: a goroutine stands where a function begins",
			       mod->name);
	}
	if (ret < 0) {
		return gl_fail(err, GL_EUNSUPPORTED, "module %s can't be unloaded by force: its code can't be changed",
			       mod->name);
	}
	mod->is_closed = true;
	for (size_t i = 0; i < how->nalong; i++) {
		how->along[i]->is_closed = true;
	}
	return 0;
}

void gl_module_free(struct gl_module *mod)
{
	if (mod != NULL && !mod->loaded) {
		module_free(mod);
	}
}
