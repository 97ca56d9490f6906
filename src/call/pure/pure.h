/* The pure path: calls that need no Go runtime, at the price of a call of a C function.
 *
 * A function of which src/disasm/prove.h shows that neither it nor what it calls needs the runtime is copied, with all
 * that it calls, out of the reach of the runtime: calls of runtime.panic… and of runtime.morestack are bound to stubs
 * there. A thunk of C's calling convention is its entry. No goroutine is entered, no scheduler asked, nothing is
 * encoded: strings and slices are lent where they lie, for as long as the call takes.
 *
 * A NaN that it returns is the one that C's NAN is: LuaJIT would take the bits of others for objects of its own
 * (lj_cconv.c: "Numbers are NOT canonicalized here").
 *
 * A call that fails (an index out of range, a nil dereference, a panic) has changed nothing: it says why in the cell,
 * and the caller calls again by another road, which gives Go's own panic. */
#ifndef GL_CALL_PURE_H
#define GL_CALL_PURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../disasm/prove.h"
#include "../../module/module.h"

enum gl_pure_status {
	GL_PURE_DONE,
	GL_PURE_BOUNDS, /* an index or a slice out of range */
	GL_PURE_DIVIDE, /* by zero */
	GL_PURE_NIL,    /* a nil dereference */
	GL_PURE_PANIC,  /* any other panic */
	GL_PURE_DEEP,   /* the stack has no room: final, no other road is to be taken */
	GL_PURE_CLOSED, /* the module was unloaded */
};

/* What a call leaves behind. LuaJIT knows this layout (lua/goloader/roads/pure.lua). */
struct gl_cell {
	uint64_t status;     /* set by a call that fails, never cleared by one that does not */
	uint32_t busy;       /* Lua's: what a call left here is still being taken */
	uint64_t ints[9];    /* where there are several results: by register, as Go counts them */
	uint64_t floats[15]; /* a float32 in the low half */
};

/* What the functions of one caller share: the stack they run on, their thunks. */
struct gl_pure_room;
struct gl_pure_room *gl_pure_room_new(struct gl_host *host, struct gl_error *err);
void gl_pure_room_free(struct gl_pure_room *room);

/* How a function is called: by the words of its parameters in their order, integers and addresses apart from floats,
 * as C passes uint64_t, const void *, double and float. */
struct gl_pure_shape {
	enum gl_word words[9];
	size_t nints, nfloats;             /* of the parameters */
	size_t int_results, float_results; /* the first of either is returned as C does; several are in the cell */
	uint32_t singles;                  /* bit i: float result i is a float32 */
};

struct gl_pure {
	void *entry;          /* a C function */
	struct gl_cell *cell; /* shared: to be read before another pure function is called */
	uint64_t *calls;      /* how many there were */
};

/* Proves and copies the function at addr; the caller keeps it. NULL with an error, or with the proof that does not hold
 * in *refused, which the caller frees. Not to be called while a function of the room runs. */
struct gl_pure *gl_pure_new(struct gl_pure_room *room, const struct gl_module *mod, uintptr_t addr,
			    const struct gl_pure_shape *shape, struct gl_proof **refused, struct gl_error *err);
/* Looks into any function: *proof says whether it could take the path and what forbids it, or the first thing that
 * does. */
int gl_pure_prove(struct gl_prover *prover, const struct gl_module *mod, uintptr_t addr,
		  const struct gl_pure_shape *shape, bool all_remarks, struct gl_proof **proof, struct gl_error *err);
/* Gives the copy back. Who still calls the entry finds GL_PURE_CLOSED in the cell; the entry itself stays for those who
 * keep it, and is another function's when nobody does. */
void gl_pure_close(struct gl_pure *pure);
void gl_pure_keep(struct gl_pure *pure);
void gl_pure_drop(struct gl_pure *pure);

#endif
