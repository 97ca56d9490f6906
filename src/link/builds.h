/* Other builds of packages that the host has. */
#ifndef GL_LINK_BUILDS_H
#define GL_LINK_BUILDS_H

#include "../error.h"

#include <stdint.h>

struct linker;
struct gl_symnames;

/* file is the package's archive in one of them. */
int linker_add_build(struct linker *linker, const char *import_path, const char *file, struct gl_error *err);
/* The archive of the build of a package, its path spelled plainly, that has this fingerprint; NULL: nobody told of it.
 */
const char *linker_build_file(struct linker *linker, const char *path, const uint8_t fingerprint[8]);
/* The names in it; the archive is not opened for that. */
const struct gl_symnames *linker_find_build(struct linker *linker, const char *path, const uint8_t fingerprint[8]);
/* Which version of the package `wanted` that build was compiled against, told by the fingerprint in its imports, or in
 * those of what it imports; NULL if none of them imports it. search is a new number, ++linker->searches: by it the
 * search knows the builds that it has been to. */
const uint8_t *linker_search_build(struct linker *linker, const char *path, const uint8_t fingerprint[8],
				   const char *wanted, uint32_t search);

#endif
