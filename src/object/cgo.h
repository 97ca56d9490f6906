/* What the compiler tells the linker of a package that imports "C": its "//go:cgo_…" lines, most of them written by
 * cmd/cgo, which stand as JSON in the text before the Go object (cmd/compile/internal/gc/obj.go; the reader to compare
 * with is cmd/link/internal/ld/go.go, loadcgo and setCgoAttr). */
#ifndef GL_CGO_H
#define GL_CGO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../error.h"

/* A C symbol that the Go object refers to, by a variable of the same name that it declares. */
struct gl_cgo_import {
	const char *name;   /* in the Go object */
	const char *remote; /* in C */
	const char *lib; /* the shared library that has it; NULL: the package's C parts, or what they are linked with */
};

/* A Go symbol that the C parts refer to. */
struct gl_cgo_export {
	const char *name;   /* in the Go object */
	const char *remote; /* in C */
};

struct gl_cgo {
	struct gl_cgo_import *imports; /* by name, one of each */
	size_t nimports;
	struct gl_cgo_export *exports;
	size_t nexports;
	const char **ldflags; /* for the C linker, in order */
	size_t nldflags;
	const char **visible; /* C functions that are exported Go functions: other libraries may call them */
	size_t nvisible;
};

/* Reads the lines, an array of arrays of strings; file is for messages. Unknown lines are passed over. */
struct gl_cgo *gl_cgo_read(const char *json, size_t size, const char *file, struct gl_error *err);
void gl_cgo_free(struct gl_cgo *cgo);
/* cgo may be NULL. The result is NULL when the name is no import. */
const struct gl_cgo_import *gl_cgo_find_import(const struct gl_cgo *cgo, const char *name, size_t n);
const struct gl_cgo_export *gl_cgo_find_export(const struct gl_cgo *cgo, const char *name, size_t n);

#endif
