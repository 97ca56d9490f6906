/* The symbols of a load. */
#ifndef GL_LINK_SYMBOL_H
#define GL_LINK_SYMBOL_H

#include "../abi/abi.h"
#include "../hash.h"
#include "../object/object.h"

struct link;

/* Which of the units of link.h. Also the *view*: from which of them a reference is made. */
enum unit_id { UNIT_MODULE, UNIT_USED, UNIT_RESIDENT, NUNITS };

/* Sections of a unit, in the order of their addresses. SEC_COVER: the counters of -cover, which the runtime reads as
 * one array (runtime/covercounter.go). SEC_FUZZ: those of code that is fuzzed, which package internal/fuzz reads so. */
enum section {
	SEC_NONE,
	SEC_TEXT,
	SEC_RODATA,
	SEC_NOPTRDATA,
	SEC_DATA,
	SEC_BSS,
	SEC_NOPTRBSS,
	SEC_COVER,
	SEC_FUZZ,
	NSECTIONS
};

enum symstate {
	SYM_ABSENT, /* nobody defines it */
	SYM_FIXED,  /* it lives in the host, or in a unit linked before: addr is final */
	SYM_PLACED, /* it is defined by this load; addr is known after lay out */
	SYM_TLS     /* runtime.tlsg: no address, but a distance from the thread pointer */
};

/* What a symbol made by the linker itself consists of. */
enum synthetic {
	SYNTH_NONE,
	SYNTH_FUNCVAL,    /* F·f: one word, F's address */
	SYNTH_TRAMPOLINE, /* a jump to a function out of an offset's reach */
	SYNTH_MAIN        /* calls main.main, under the name of who calls it natively: runtime.main */
};

enum { SYNTH_CODE_SIZE = 16 /* bytes of a trampoline, or of what calls main */ };

struct lobj;

struct lsym {
	struct gl_str name; /* empty for content-addressable and file-local symbols */
	uint8_t hash[16];   /* of a content-addressable symbol */
	/* The object that defines it, and its number there; of a C symbol the object that imports it. NULL for all
	 * other symbols that are synthetic or SYM_FIXED. */
	const struct lobj *obj;
	uint32_t idx;
	uint32_t referrer; /* symbol that asked for it first, for messages; NO_SYM for a root */
	uint32_t target;   /* of a synthetic symbol: what it stands for */
	uint32_t alias;    /* the symbol that this one stands for, found under another view or ABI; or NO_SYM */
	uint8_t want_abi;  /* GL_ABI0 or GL_ABIINTERNAL: which of a function's two entries is meant */
	uint8_t state, section, unit, synthetic;
	bool marked, is_func;
	bool missing;           /* it is in the list of those that nobody defines */
	bool is_far;            /* a C symbol, whose address a call instruction may not reach */
	bool by_name;           /* found by its name, and that isn't local to an object */
	uint32_t tramp[NUNITS]; /* of a function: the trampolines to it; NO_SYM */
	uint32_t size, align;
	uintptr_t addr;
	uint32_t self; /* its own number in link->syms */
	uint32_t func; /* its place in its unit's function table */
	UT_hash_handle hh;
};

#define NO_SYM UINT32_MAX
#define TRAMP_WANTED (NO_SYM - 1) /* in lsym.tramp, while layout looks for those that are needed */

/* A symbol that an earlier load placed, and that others may refer to by name. */
struct known_sym {
	char *name;
	uint8_t want_abi;
	bool is_func;
	uint32_t size;
	uintptr_t addr;
	UT_hash_handle hh;
};

struct lsym *link_sym(const struct link *l, uint32_t s);
/* A fresh symbol; NO_SYM when memory is short. */
uint32_t link_new_sym(struct link *l);
/* Code made by the linker, standing for target; NO_SYM when memory is short. */
uint32_t link_new_synthetic(struct link *l, enum synthetic kind, uint32_t target, enum unit_id unit);
/* What a program's goroutine starts with: programs look at their callers and expect runtime.main below main.main. */
uint32_t link_add_main(struct link *l, uint32_t main);
enum section link_section(const struct gl_abi *abi, uint8_t type);

#endif
