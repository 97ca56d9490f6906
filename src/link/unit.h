/* What a load places, in a block of memory each, or two. */
#ifndef GL_LINK_UNIT_H
#define GL_LINK_UNIT_H

#include "symbol.h"

struct linker;

/* The function tables, built before the unit has addresses: offsets within buf. */
struct pclntab {
	uint8_t *buf;
	size_t size;
	size_t names, cutab, files, pctab, functab, trees;
	uint32_t ncutab, ninlined; /* entries; of all trees */
};

/* A unit once laid out. Addresses are final as soon as base is set. */
struct unit {
	enum unit_id id;
	uint32_t *order; /* symbols by section and address */
	uint32_t norder;
	uint32_t *funcs; /* those in the text section, by address */
	uint32_t nfuncs;
	uint32_t ntypelinks, nitabs;       /* the first symbols of the rodata section, in this order */
	uint32_t sec_first[NSECTIONS + 1]; /* where each section starts in order */

	uint8_t *base; /* the block taken from the arena: text pages, rodata pages, data pages */
	size_t size;
	uint8_t *variables; /* instead of data pages, where those would be few (lookup.h); or NULL */
	size_t variables_size;
	uint8_t *ftab; /* the entries of its functions, among those of all modules (lookup.h) */
	size_t ftab_size;
	uintptr_t sec_start[NSECTIONS];
	size_t sec_size[NSECTIONS];
	size_t text_pages, rodata_pages, data_pages;
	size_t typelinks_end, itabs_start, itabs_end; /* from the start of rodata */

	/* GOT: one word for each symbol reached through it, in rodata */
	struct got_slot *got;
	uint32_t ngot;
	uintptr_t got_start;

	/* built by describe, in rodata behind the symbols */
	struct pclntab pclntab;
	size_t tables_size;
	uintptr_t tables_start;

	uintptr_t strings;    /* the last of rodata's symbols, from here on */
	uintptr_t moduledata; /* in the data pages, behind the sections; without those, the last of rodata's tables */
	uintptr_t text_end;
};

#define GOT_TLS NO_SYM

struct got_slot {
	uint32_t sym;   /* GOT_TLS: the thread-local offset, which is no symbol's address */
	uint32_t index; /* its place among the words */
	UT_hash_handle hh;
};

/* layout.c. Gives each marked symbol its section and its place, adds trampolines, takes memory from the arena. */
int link_layout(struct link *l, enum unit_id id);
/* Once all units are laid out: puts internal/fuzz's variables before and behind the counters of the module's code. */
void link_bound_counters(struct link *l);
void unit_release(struct linker *linker, struct unit *u);
void unit_free(struct unit *u);

/* relocate.c. Copies the symbols' bytes and patches their references. */
int link_relocate(struct link *l, enum unit_id id);

/* pclntab.c. Builds what the runtime needs to walk the unit's stacks, once symbols have offsets (rodata_off: where the
 * tables will lie in rodata); then copies it to its place. */
int pclntab_build(struct link *l, struct unit *u, size_t rodata_off);
void pclntab_write(const struct link *l, struct unit *u);
/* A source file's name as tracebacks have it, of what the object calls it; the caller frees it. NULL: memory is short.
 */
char *link_expand_file(const struct linker *linker, struct gl_str file);

/* moduledata.c. GC masks, typelinks, itabs and the moduledata itself: the size of what of them is in rodata, behind the
 * pclntab; then their content. name (what runtime messages call the module) must outlive the unit. */
size_t moduledata_tables_size(const struct link *l, const struct unit *u);
int moduledata_write(struct link *l, struct unit *u, const char *name);
/* A field of a moduledata, by its offset; a negative one is of a field that this Go has not. */
void moduledata_put(uintptr_t md, int field, uint64_t v);
void moduledata_put_slice(uintptr_t md, int field, uintptr_t p, size_t n);
/* What offsets in function tables and types are counted from: the same in all modules, and in the moduledata that
 * stands for them (lookup.h). */
void moduledata_put_bases(const struct linker *linker, uintptr_t md);

static inline size_t round_up(size_t n, size_t align) { return (n + align - 1) & ~(align - 1); }

#endif
