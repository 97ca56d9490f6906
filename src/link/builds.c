/* Other builds of the host's packages.
 *
 * Flags for all packages, build tags and CGO_ENABLED give a program another build of the standard library than the host
 * has: compiled from the same source, with the same layouts, but with symbols numbered another way. What was compiled
 * against such a build is bound to the host's own symbols by name. The names are found where the numbers were given:
 * in the archives of that build. From there also comes what the host's build has not at all: what is in files that it
 * was compiled without, counters of coverage, instances of generic functions.
 */
#include "builds.h"

#include "link.h"

#include <stdlib.h>
#include <string.h>

struct other_build {
	char *file;
	struct gl_symnames *names; /* NULL until they are asked for */
	bool failed;               /* the file can't be read, or is no object for this host */
	uint32_t search;           /* the last search that came by */
	struct other_build *next;  /* of the same package */
};

struct other_builds {
	char *path; /* the package's import path, spelled plainly; the key */
	struct other_build *first;
	UT_hash_handle hh;
};

static struct other_builds *builds_of(const struct linker *linker, const char *path)
{
	struct other_builds *found = NULL;

	HASH_FIND_STR(linker->other_builds, path, found);
	return found;
}

static struct other_builds *new_builds(struct linker *linker, const char *path)
{
	struct other_builds *of = calloc(1, sizeof(*of));

	if (of == NULL || (of->path = strdup(path)) == NULL) {
		free(of);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, linker->other_builds, of->path, strlen(of->path), of);
	if (of->hh.tbl == NULL) {
		free(of->path);
		free(of);
		return NULL;
	}
	return of;
}

int linker_add_build(struct linker *linker, const char *import_path, const char *file, struct gl_error *err)
{
	struct other_builds *of = builds_of(linker, import_path);

	for (struct other_build *b = of == NULL ? NULL : of->first; b != NULL; b = b->next) {
		if (strcmp(b->file, file) == 0) {
			b->failed = b->failed && b->names == NULL ? false : b->failed; /* it may be there by now */
			return 0;
		}
	}
	struct other_build *b = calloc(1, sizeof(*b));
	if (b == NULL || (b->file = strdup(file)) == NULL ||
	    (of == NULL && (of = new_builds(linker, import_path)) == NULL)) {
		if (b != NULL) {
			free(b->file);
		}
		free(b);
		return gl_fail(err, GL_ENOMEM, "%s: out of memory", file);
	}
	b->next = of->first;
	of->first = b;
	return 0;
}

static bool has_fingerprint(struct linker *linker, struct other_build *b, const uint8_t fingerprint[8])
{
	struct gl_error ignored;

	if (b->names == NULL && !b->failed) {
		b->names = gl_symnames_open(b->file, linker->abi, &ignored);
		b->failed = b->names == NULL;
	}
	return b->names != NULL && memcmp(gl_object_fingerprint(gl_symnames_object(b->names)), fingerprint, 8) == 0;
}

static struct other_build *find_build(struct linker *linker, const char *path, const uint8_t fingerprint[8])
{
	struct other_builds *of = builds_of(linker, path);
	struct other_build *b = of == NULL ? NULL : of->first;

	while (b != NULL && !has_fingerprint(linker, b, fingerprint)) {
		b = b->next;
	}
	return b;
}

const char *linker_build_file(struct linker *linker, const char *path, const uint8_t fingerprint[8])
{
	struct other_build *b = find_build(linker, path, fingerprint);

	return b == NULL ? NULL : b->file;
}

const struct gl_symnames *linker_find_build(struct linker *linker, const char *path, const uint8_t fingerprint[8])
{
	struct other_build *b = find_build(linker, path, fingerprint);

	return b == NULL ? NULL : b->names;
}

const uint8_t *linker_search_build(struct linker *linker, const char *path, const uint8_t fingerprint[8],
				   const char *wanted, uint32_t search)
{
	struct other_build *b = find_build(linker, path, fingerprint);

	if (b == NULL || b->search == search) {
		return NULL;
	}
	b->search = search;
	const struct gl_object *obj = gl_symnames_object(b->names);
	const uint8_t *found = NULL;
	for (uint32_t i = 0, n = gl_object_nautolib(obj); i < n && found == NULL; i++) {
		char lib[LONGEST_IMPORT + 1];
		struct gl_str name = gl_object_autolib(obj, i);
		if (name.n > LONGEST_IMPORT) {
			continue;
		}
		memcpy(lib, name.p, name.n);
		lib[name.n] = '\0';
		const uint8_t *of_lib = gl_object_autolib_fingerprint(obj, i);
		found = strcmp(lib, wanted) == 0 ? of_lib : linker_search_build(linker, lib, of_lib, wanted, search);
	}
	return found;
}
