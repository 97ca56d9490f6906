/* Functions as the Go runtime knows them (runtime/symtab.go): read from the tables of a moduledata, which the linker
 * has written (link/pclntab.c; of the host: cmd/link/internal/ld/pcln.go). */
#ifndef GL_DEBUG_FUNCTAB_H
#define GL_DEBUG_FUNCTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gl_abi;

struct functab {
	const struct gl_abi *abi;
	const uint8_t *names, *cutab, *files, *pctab, *funcs, *index;
	const uint8_t *funcdata; /* from where offsets of funcdata count */
	size_t nfuncs;
	uintptr_t text, end; /* its code */
};

struct func {
	const struct functab *tab;
	const uint8_t *p;      /* its _func */
	uintptr_t entry, next; /* its code; where that of the next function begins */
};

/* A table that has a value for each stretch of a function's code. */
struct pcvalue {
	const uint8_t *p;
	uint32_t until; /* where the value ends to hold, from the function's entry */
	int32_t value;
};

void functab_open(struct functab *tab, const struct gl_abi *abi, uintptr_t moduledata);
struct func functab_func(const struct functab *tab, size_t i);
/* The function that begins at an address. */
bool functab_find(const struct functab *tab, uintptr_t entry, struct func *f);

const char *func_name(const struct func *f);
/* The name of a file by its number in the function's object; NULL where that has none. */
const char *func_file(const struct func *f, int32_t number);
int32_t func_start_line(const struct func *f);

/* Tables of values, which func_values begins and pcvalue_next steps through; false at the end. */
enum values { VALUES_SP, VALUES_FILE, VALUES_LINE, VALUES_INLINED };
struct pcvalue func_values(const struct func *f, enum values which);
bool pcvalue_next(struct pcvalue *v);
/* The value at an offset from the function's entry; -1 where there is none. */
int32_t func_value_at(const struct func *f, enum values which, uint32_t off);

/* Node number i of the tree of what was inlined into the function. */
struct inlined {
	const char *name;
	uint32_t parent_pc; /* where it was called, from the function's entry: in the function, or in another node */
	int32_t start_line;
};
struct inlined func_inlined(const struct func *f, int32_t i);

#endif
