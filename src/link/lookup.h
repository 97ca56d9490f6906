/* How the runtime finds functions, names and types of modules, however many there are.
 *
 * To find what code an address belongs to (each frame of a traceback, of a stack that grows, of one that the collector
 * scans), or to what an offset in a type leads (each method of an itab that it makes), the runtime goes through its
 * list of moduledatas until one has the address (runtime/symtab.go, findmoduledatap; type.go, resolveTypeOff). With a
 * thousand modules that is what a traceback's time goes to.
 *
 * So the list has, directly behind the host's, one moduledata that stands for the whole arena. All offsets in modules'
 * tables are distances from one base address, its own, so that they mean the same seen from it and from the module's
 * own moduledata. What leads from an address to a module's tables is its findfunctab, which has a place for each page:
 *
 *     findfunctab    of the page that the address lies in: where in ftab to start
 *     ftab           the whole arena, taken for an array of entries: the place is that of the module's own entries
 *     pclntable, funcnametab, cutab, filetab, pctab    the whole arena, too
 *
 * It is marked as bad, which has the runtime leave it out where it goes through modules for what they have (variables
 * for the collector, types, itabs: runtime.modulesinit): there the modules' own count. */
#ifndef GL_LINK_LOOKUP_H
#define GL_LINK_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

#include "../error.h"

struct linker;
struct unit;

struct lookup {
	uintptr_t base;       /* where it lies itself, below all modules */
	uintptr_t moduledata; /* which the runtime is to be told of */
	uint8_t *buckets;     /* findfunctab, zero for pages without functions */
	uint32_t none;        /* the _func for those, from the base on */
};

/* Takes its memory from the linker's arena, the first that is taken there. */
int lookup_open(struct linker *linker, struct gl_error *err);
/* Has functions be found by address; after the module's tables are written, before anybody runs them. */
void lookup_add(struct linker *linker, const struct unit *u);
/* No function is found on these pages any more; before their memory goes. */
void lookup_remove(struct linker *linker, const uint8_t *text, size_t size);
/* The part of findfunctab that begins with a page. */
uintptr_t lookup_buckets(const struct linker *linker, uintptr_t page);

#endif
