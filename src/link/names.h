/* What the names of symbols tell. */
#ifndef GL_LINK_NAMES_H
#define GL_LINK_NAMES_H

#include <stdbool.h>

#include "../object/object.h"

bool str_is(struct gl_str s, const char *lit);
bool str_starts(struct gl_str s, const char *prefix);
bool str_ends(struct gl_str s, const char *suffix);

/* Must the process have but one of it? Descriptors are compared by address, and so are itabs, which the compiler makes
 * content-addressable all the same. */
bool link_is_unique(struct gl_str name);
/* The package a symbol belongs to, as a span of its name: up to the first dot behind the last slash, before any type
 * arguments or receiver. For a descriptor that of the named type it describes. n is 0 where there is none. */
struct gl_str link_package_of(struct gl_str name);
/* Does a descriptor's name say that a value of the type is one pointer, so that a GC mask can do without it? */
bool link_is_pointer_name(struct gl_str type);

enum { LONGEST_IMPORT = 1000 };

/* What obj's import number i is called in symbol names; longer ones than any file system can hold are left alone. */
struct gl_str link_import_path(const struct gl_object *obj, uint32_t i, char buf[3 * LONGEST_IMPORT + 1]);
/* An import path as symbols' names have it; the caller frees it. NULL when memory is short. */
char *link_escape_path(const char *path);
/* Writes an import path as the go command spells it; out holds path.n + 1 bytes. */
void link_plain_path(struct gl_str path, char *out);

#endif
