/* What a module can reach (see audit.h):
 *
 *     audit:   open > read > resolve > note
 *
 * Resolve marks everything that is needed (link/mark.c), and each symbol knows who asked for it first. */
#include "audit.h"

#include <string.h>

#include "internal.h"

static bool is_builtin(const struct gl_abi *abi, struct gl_str name)
{
	for (uint32_t i = 0; i < abi->nbuiltins; i++) {
		if (str_is(name, abi->builtins[i].name)) {
			return true;
		}
	}
	return false;
}

static enum gl_audit_where where_of(const struct lsym *sym)
{
	if (sym->state == SYM_ABSENT) {
		return GL_AUDIT_ABSENT;
	}
	if (sym->state != SYM_PLACED) {
		return GL_AUDIT_HOST;
	}
	return sym->unit == UNIT_MODULE ? GL_AUDIT_MODULE : GL_AUDIT_SHARED;
}

static int note(struct link *l, const struct lsym *sym, struct gl_audit *audit)
{
	struct gl_audit_symbol *at = &audit->symbols[audit->n++];
	const char *package = sym->obj != NULL && sym->obj->pkg != NULL ? sym->obj->pkg->path : NULL;

	*at = (struct gl_audit_symbol){ .by = sym->referrer,
					.where = where_of(sym),
					.is_func = sym->is_func || sym->section == SEC_TEXT,
					.is_c = sym->is_far,
					.is_builtin = is_builtin(l->linker->abi, sym->name),
					.is_assembly = sym->section == SEC_TEXT && sym->obj != NULL &&
						       gl_object_from_assembly(sym->obj->obj) };
	at->name = gl_pool_string(&audit->pool, sym->name.p, sym->name.n);
	if (package != NULL && at->where <= GL_AUDIT_SHARED) {
		at->package = gl_pool_string(&audit->pool, package, strlen(package));
	}
	return at->name == NULL ? gl_out_of_memory(l->err, "auditing") : 0;
}

static int note_all(struct link *l, struct gl_audit *audit)
{
	audit->symbols = gl_pool_take(&audit->pool, ((size_t)l->nsyms + 1) * sizeof(*audit->symbols));
	if (audit->symbols == NULL) {
		return gl_out_of_memory(l->err, "auditing");
	}
	for (uint32_t i = 0; i < l->nsyms; i++) {
		if (note(l, link_sym(l, i), audit) != 0) {
			return -1;
		}
	}
	return 0;
}

static int open_files(struct link *l, const char *const *files, const char *const *import_paths, size_t nfiles,
		      const struct gl_load_options *opts)
{
	int is_shipped = nfiles == 1 ? gl_gom_is(files[0], l->err) : 0;

	if (is_shipped < 0) {
		return -1;
	}
	return is_shipped ? link_open_shipped(l, files[0]) : module_open_packages(l, files, import_paths, nfiles, opts);
}

int gl_module_audit(struct gl_host *host, const char *const *files, const char *const *import_paths, size_t nfiles,
		    const struct gl_load_options *opts, struct gl_audit *audit, struct gl_error *err)
{
	struct link l = { .linker = &host->linker, .err = err, .shipping = true, .auditing = true };
	struct exports ex = { 0 };
	int ret = -1;

	*audit = (struct gl_audit){ 0 };
	module_begin(host);
	if (gl_host_check(host, err) == 0 && open_files(&l, files, import_paths, nfiles, opts) == 0 &&
	    module_root_exports(&l, &ex) == 0) {
		module_root_main(&l);
		ret = link_resolve(&l);
	}
	if (ret != 0) {
		link_name_hosts(&l);
		module_hand_over_wants(host, &l);
	} else {
		ret = note_all(&l, audit);
	}
	module_free_exports(&ex, l.npackages);
	link_free(&l);
	if (ret != 0) {
		gl_audit_free(audit);
	}
	return ret;
}

void gl_audit_free(struct gl_audit *audit)
{
	gl_pool_free(&audit->pool);
	*audit = (struct gl_audit){ 0 };
}
