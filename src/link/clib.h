/* The C parts of packages: a shared library that the C linker has made of them. */
#ifndef GL_LINK_CLIB_H
#define GL_LINK_CLIB_H

#include <stdbool.h>
#include <stdint.h>

#include "../error.h"
#include "../object/gom.h"

struct link;
struct lpkg;

struct clib *clib_open(const char *file, struct gl_error *err);
/* The same of a library in memory; from is for messages. */
struct clib *clib_open_bytes(const char *from, const uint8_t *bytes, size_t size, struct gl_error *err);
/* Appends the library's file, as it was when it was opened. */
int clib_read(const struct clib *lib, struct gl_bytes *out, struct gl_error *err);
void clib_close(struct clib *lib); /* lib may be NULL */
/* Does it know the addresses of the Go functions that it calls? */
bool clib_is_connected(const struct clib *lib);
/* A C symbol's address; 0 when the library and those it was linked with have none. */
uintptr_t clib_find(const struct clib *lib, const char *name);
/* The same for a symbol of a shared library that the import names itself. */
uintptr_t clib_find_dynamic(const struct gl_cgo_import *import);
/* Opens the library of the module's packages, if they have one, and gives their C symbols their addresses. */
int clib_bind(struct link *l, const char *file, bool is_program);
/* Tells the libraries of this load where Go's functions are, once everything has its address. */
void clib_connect(struct link *l);

/* ../ship.c. The C parts of a shipped module's own packages, and those of one of its archives (NULL: it has none). */
struct clib *ship_own_library(struct link *l);
struct clib *ship_shared_library(struct link *l, const struct lpkg *p);

#endif
