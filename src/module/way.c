/* Who keeps a module that was to go, and by way of what: for programs what the message of a refused unload is for
 * people. */
#include "internal.h"
#include "../link/names.h"

#include <stdlib.h>
#include <string.h>

void gl_way_free(struct gl_way *way)
{
	for (size_t i = 0; i < way->n; i++) {
		struct gl_way_step *s = &way->steps[i];
		free(s->name);
		free(s->shared);
		free(s->type);
		free(s->field);
		free(s->function);
		free(s->file);
	}
	free(way->steps);
	*way = (struct gl_way){ 0 };
}

static char *copy(const char *text) { return text != NULL ? strdup(text) : NULL; }

/* A way of so many steps, all empty; none without memory. */
static struct gl_way_step *make(struct gl_way *way, size_t n)
{
	gl_way_free(way);
	way->steps = calloc(n, sizeof(*way->steps));
	way->n = way->steps != NULL ? n : 0;
	return way->steps;
}

void gl_way_tell(struct gl_way *way, const char *kind, const char *name)
{
	if (make(way, 1) != NULL) {
		way->steps[0] = (struct gl_way_step){ .kind = kind, .name = copy(name), .offset = -1 };
	}
}

static const char *kind_of(const struct gl_retired *r)
{
	static const char *const kinds[] = {
		[GL_HOLDER_NONE] = "goroutine",        [GL_HOLDER_VARIABLE] = "variable",
		[GL_HOLDER_STACK] = "stack",           [GL_HOLDER_FINALIZER] = "finalizer",
		[GL_HOLDER_FINALIZED] = "finalized",   [GL_HOLDER_OBJECT] = "unknown",
		[GL_HOLDER_TIMER] = "timer",           [GL_HOLDER_GOROUTINE] = "goroutine record",
		[GL_HOLDER_CODE] = "code at run time", [GL_HOLDER_HANDLE] = "handle"
	};

	return kinds[r->holder];
}

/* The import path of the package that a variable belongs to, if that is none of the standard library's and lies where
 * modules share it; the caller frees it. */
static char *find_shared_package(const struct gl_host *host, uintptr_t addr)
{
	const struct gl_module_symbol *s = NULL;

	for (const struct gl_module *m = host->resident; s == NULL && m != NULL; m = m->next) {
		s = module_find_own_symbol(m, addr);
	}
	if (s == NULL) {
		return NULL;
	}
	struct gl_str package = link_package_of((struct gl_str){ s->name, strlen(s->name) });
	const char *slash = memchr(package.p, '/', package.n);
	/* the first element of a path that is not the standard library's has a dot (cmd/go,
	 * modload.isStandardImportPath) */
	if (slash == NULL || memchr(package.p, '.', (size_t)(slash - package.p)) == NULL) {
		return NULL;
	}
	char *path = malloc(package.n + 1);
	if (path != NULL) {
		link_plain_path(package, path);
	}
	return path;
}

void module_tell_found_way(const struct gl_host *host, struct gl_way *way, struct gl_retired *r, const char *name,
			   const char *reference)
{
	bool has_reference = reference != NULL;
	struct gl_way_step *step = make(way, 1 + r->npath + has_reference);

	if (step == NULL) {
		return;
	}
	*step++ = (struct gl_way_step){ .kind = kind_of(r),
					.name = copy(name),
					.shared = find_shared_package(host, r->holder_at),
					.type = copy(r->holder_type),
					.field = copy(r->holder_field),
					.function = copy(r->function),
					.file = copy(r->file),
					.line = r->line,
					.goroutine = r->goroutine,
					.address = r->holder_at,
					.offset = -1 };
	for (size_t i = 0; i < r->npath; i++) {
		struct gl_step *s = &r->path[i];
		*step++ = (struct gl_way_step){ .kind = "object",
						.type = copy(s->type),
						.field = copy(s->field),
						.address = s->address,
						.size = s->size,
						.offset = s->offset,
						.omitted = i == r->npath / 2 ? r->omitted : 0 };
	}
	if (has_reference) {
		*step = (struct gl_way_step){
			.kind = "reference", .name = copy(reference), .address = r->holder_word, .offset = -1
		};
	}
}

void module_free_found_way(struct gl_retired *r)
{
	for (size_t i = 0; i < r->npath; i++) {
		free(r->path[i].type);
		free(r->path[i].field);
	}
	free(r->path);
	free(r->way);
	free(r->function);
	free(r->file);
	free(r->holder_type);
	free(r->holder_field);
	free(r->reason);
	free(r->word_name);
}
