/* How the runtime finds functions, names, types and variables of modules, however many there are.
 *
 * To find what code an address belongs to (each frame of a traceback, of a stack that grows, of one that the collector
 * scans), or to what an offset in a type leads (each method of an itab that it makes), the runtime goes through its
 * list of moduledatas until one has the address (runtime/symtab.go, findmoduledatap; type.go, resolveTypeOff). With a
 * thousand modules that is what a traceback's time goes to.
 *
 * So the list has, directly behind the host's, one moduledata that stands for the whole arena. All offsets in modules'
 * tables are distances from the same places, its own, so that they mean the same seen from it and from the module's own
 * moduledata: those of code from where the host's begins, all others from its base. What leads from an address to a
 * module's tables is its findfunctab, which has a place for each page:
 *
 *     findfunctab    of the page that the address lies in: where in ftab to start
 *     ftab           the entries of all modules, each module's in one piece
 *     pclntable, funcnametab, cutab, filetab, pctab    the whole arena
 *
 * Programs go through ftab, too: to find a function by its name (those that replace functions for a test), by way of
 * what runtime.findfunc returns, or from runtime.firstmoduledata on. So it has nothing but entries, up to its end.
 * Those that are no module's are of no function: its first two, what rounds up a module's, and zeros where a module's
 * were.
 *
 * It is marked as bad, which has the runtime leave it out where it goes through modules for what they have: variables
 * for the collector, types (runtime.modulesinit).
 *
 * There a second one counts, for the variables of all small modules. They lie in one range, with one mask that says
 * where pointers are, so that the collector does not go from module to module. The types are in lists that Go makes
 * (src/host/typelinks.go). So the runtime is told of a module's own moduledata only where the module is large. Ours is
 * there all the same: of the functions on a page, `owners` says which. */
#ifndef GL_LINK_LOOKUP_H
#define GL_LINK_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../error.h"

struct linker;
struct unit;

/* What a small module has: bytes of variables, and types that reflect is to find. */
enum { LOOKUP_MOST_DATA = 16 << 10, LOOKUP_MOST_TYPES = 128 };

struct gl_arena;

struct lookup {
	uintptr_t base;       /* where it lies itself, below all modules */
	uintptr_t text;       /* what offsets of code are counted from: where the host's begins */
	uintptr_t moduledata; /* which the runtime is to be told of */
	uint8_t *buckets;     /* findfunctab, zero for pages without functions */
	uint32_t none;        /* the _func for those, from the base on */

	struct gl_arena *functions; /* ftab */
	bool has_host;              /* the host's functions are in it, too */
	struct gl_arena *variables; /* of small modules */
	uintptr_t roots;            /* their moduledata, which the runtime is to be told of, too */
	uint8_t *mask;              /* where pointers are: a bit for each word */

	uintptr_t *owners; /* for each page from the base on the moduledata of the module whose code it has, or 0 */
};

/* Takes its memory from the linker's arena, the first that is taken there. */
int lookup_open(struct linker *linker, struct gl_error *err);
/* Frees nothing of the arena's, which goes as a whole. */
void lookup_close(struct lookup *lookup);
/* Has functions be found by address; after the module's tables are written, before anybody runs them. */
void lookup_add(struct linker *linker, const struct unit *u);
/* Takes memory for the entries of so many functions; NULL when there is no room for more. */
uint8_t *lookup_take_functions(struct linker *linker, uint32_t nfuncs, size_t *size, struct gl_error *err);
void lookup_drop_functions(struct linker *linker, uint8_t *block, size_t size, bool abandoned);
/* Has ftab lead to the host's functions, too: a program's own moduledata has those of the runtime. For programs that
 * can ask for it, as it takes 8 bytes a function. */
int lookup_add_host(struct linker *linker, struct gl_error *err);
/* No function is found on these pages any more; before their memory goes, and that of their entries. */
void lookup_remove(struct linker *linker, const uint8_t *text, size_t size);
/* The part of findfunctab that begins with a page. */
uintptr_t lookup_buckets(const struct linker *linker, uintptr_t page);

/* Takes zeroed memory for a module's variables (a multiple of GL_SMALL_BLOCK); NULL when there is no room for more. The
 * collector looks for pointers in it where the mask has a bit, which begins with the variable at `from`. */
void *lookup_take_variables(struct linker *linker, size_t size);
uint8_t *lookup_mask(const struct linker *linker, uintptr_t *from);
/* The part of the mask for a block. */
uint8_t *lookup_mask_of(const struct linker *linker, const uint8_t *block, size_t size, size_t *n);
/* Gives a block back, which the collector no longer looks at. abandoned: somebody may still refer to it. */
void lookup_drop_variables(struct linker *linker, uint8_t *block, size_t size, bool abandoned);

#endif
