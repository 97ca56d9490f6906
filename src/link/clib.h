/* The C parts of packages: a shared library that the C linker has made of them. */
#ifndef GL_LINK_CLIB_H
#define GL_LINK_CLIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../error.h"
#include "../object/gom.h"

struct gl_thread;
struct link;
struct lpkg;

struct clib *clib_open(const char *file, struct gl_error *err);
/* The same of a library in memory; from is for messages. */
struct clib *clib_open_bytes(const char *from, const uint8_t *bytes, size_t size, struct gl_error *err);
/* Appends the library's file, as it was when it was opened. */
int clib_read(const struct clib *lib, struct gl_bytes *out, struct gl_error *err);
/* Closes a library that nobody has used yet, or that must go. lib may be NULL. */
void clib_close(struct clib *lib);
/* What the Go runtime knows of threads and signals. */
struct clib_go {
	const struct gl_thread *threads; /* those that it has made, or that have called Go */
	size_t nthreads;
	const uint32_t *handled;    /* by signal: has its own handler been installed? */
	const uintptr_t *forwarded; /* by signal: the handler that was there before */
};
/* Does a thread run a library's code, or does it handle a signal? Then who (size bytes) gets a text that says so.
 * clib_users.c tells how that is found out. */
bool clib_is_used(struct clib *lib, const struct clib_go *go, char *who, size_t size);
/* Where it lies; the next of those that are kept; and whether Go's memory was found to lead there when it was last
 * looked through. */
void clib_span(const struct clib *lib, uintptr_t *low, uintptr_t *high);
struct clib *clib_next(const struct clib *lib);
void clib_set_go_refers(struct clib *lib, bool refers);
/* Closes a library whose module is gone, if nobody can be found who may still use it. Otherwise it goes to the list of
 * those that are kept, which are looked at again whenever another one is released. lib may be NULL. */
void clib_release(struct clib *lib, struct clib **kept, const struct clib_go *go);
/* Does it know the addresses of the Go functions that it calls? */
bool clib_is_connected(const struct clib *lib);
/* A C symbol's address; 0 when the library and those it was linked with have none. */
uintptr_t clib_find(const struct clib *lib, const char *name);
/* The same for a symbol of a shared library that the import names itself. */
uintptr_t clib_find_dynamic(const struct gl_cgo_import *import);
/* Is it the address of a function in a shared library? */
bool clib_is_function(uintptr_t addr);
/* Opens the library of the module's packages, if they have one, and gives their C symbols their addresses. */
int clib_bind(struct link *l, const char *file, bool is_program);
/* Tells the libraries of this load where Go's functions are, once everything has its address. */
void clib_connect(struct link *l);

#endif
