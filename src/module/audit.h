/* What a module can reach: every symbol that its exports and init functions need, as a load would find them, and by way
 * of whom. Nothing is loaded, and no code of the module's runs. */
#ifndef GL_MODULE_AUDIT_H
#define GL_MODULE_AUDIT_H

#include "../object/pool.h"
#include "module.h"

enum gl_audit_where {
	GL_AUDIT_MODULE, /* the module's own */
	GL_AUDIT_SHARED, /* of a package that the module brings, to be shared by all */
	GL_AUDIT_HOST,   /* the host's */
	GL_AUDIT_ABSENT  /* nobody's: only referred to weakly */
};

struct gl_audit_symbol {
	const char *name;    /* "" for most content-addressable symbols */
	const char *package; /* that defines it, as symbol names carry it; NULL: the host's */
	uint32_t by; /* number of the symbol that needs it, or UINT32_MAX: it is exported, or an init function */
	enum gl_audit_where where;
	bool is_func, is_builtin; /* builtin: compilers refer to it on their own */
	bool is_assembly, is_c;
};

struct gl_audit {
	struct gl_audit_symbol *symbols;
	size_t n;
	struct gl_pool pool;
};

/* Arguments as gl_module_ship's; a shipped module may be given, too, whoever has signed it. Fails as a load does, and
 * tells what is missing as it. On success *audit is to be freed. */
int gl_module_audit(struct gl_host *host, const char *const *files, const char *const *import_paths, size_t nfiles,
		    const struct gl_load_options *opts, struct gl_audit *audit, struct gl_error *err);
void gl_audit_free(struct gl_audit *audit);

#endif
