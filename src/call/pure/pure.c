/* The pure path (see pure.h): copies of proven code, thunks into it, and ways out of it.
 *
 * A room (room.c) has one stack and blocks of thunks (thunks.c), and each function a block of the arena with its copy
 * (copy.c). Who is called, and what may be read, says callees.c.
 *
 * Ways out of a copy: it returns to its thunk; a stub for a panic sets the status and jumps to the thunk's end, which
 * takes the stack pointer it has saved; a fault (a nil dereference) is turned into the same by a signal handler
 * (faults.c); and where the stack is nearly used up, what would be the call of runtime.morestack does the same. A
 * function that needs more than a little of the stack first passes a soft guard there, which has the thunk give the
 * memory back at the end. */
#include "pure.h"

#include <stdlib.h>
#include <string.h>

#include "../../abi/abi.h"
#include "../../debug/debug.h"
#include "../../memory/arena.h"
#include "copy.h"
#include "faults.h"

#if defined(__x86_64__)

/* A place for a thunk. */
static struct pure *take_place(struct gl_pure_room *room, struct gl_error *err)
{
	if (room->unused != NULL) {
		struct pure *p = room->unused;
		room->unused = p->next;
		p->next = NULL;
		return p;
	}
	struct block *b = room->blocks;
	if ((b == NULL || b->nthunks == THUNKS_SIZE / THUNK_SIZE) && (b = pure_block_new(room, err)) == NULL) {
		return NULL;
	}
	struct pure *p = calloc(1, sizeof(*p));
	if (p == NULL) {
		gl_fail(err, GL_ENOMEM, "no memory for the pure path");
		return NULL;
	}
	p->room = room;
	p->block = b;
	p->thunk = &b->thunks[b->nthunks];
	p->thunk_code = pure_thunks_of(b) + (size_t)b->nthunks * THUNK_SIZE;
	b->nthunks++;
	return p;
}

static void give_place(struct pure *p)
{
	p->next = p->room->unused;
	p->room->unused = p;
}

static int write_thunk(struct pure *p, const struct text *t, struct gl_error *err)
{
	uint8_t *code = pure_thunks_of(p->block);

	if (t->failed) {
		return gl_fail(err, GL_EUNSUPPORTED, "a thunk of more than %d bytes", THUNK_SIZE);
	}
	if (gl_arena_protect(code, THUNKS_SIZE, GL_PROT_READ_WRITE, err) != 0) {
		return -1;
	}
	memset(p->thunk_code, HLT, THUNK_SIZE);
	memcpy(p->thunk_code, t->bytes, t->n);
	return gl_arena_protect(code, THUNKS_SIZE, GL_PROT_READ_EXEC, err);
}

/* Breakpoints in the functions are wanted in their copies, too. */
static void tell_debuggers(struct pure *p, const struct gl_proof *proof, const struct copy *c, size_t thunk_size)
{
	struct gl_debug_copy *copies = calloc(proof->nfuncs + 1, sizeof(*copies));
	size_t n = 0;

	for (size_t i = 0; copies != NULL && i < proof->nfuncs; i++) {
		copies[n++] = (struct gl_debug_copy){ .addr = pure_address_in(c, c->funcs[i]),
						      .size = proof->funcs[i].size,
						      .entry = proof->funcs[i].addr };
	}
	if (copies != NULL) {
		copies[n++] = (struct gl_debug_copy){ .addr = (uintptr_t)p->thunk_code,
						      .size = thunk_size,
						      .name = "goloader.pure_call" };
		p->debug = gl_debug_add_copies(copies, n, p->copy, p->copy_size);
	}
	free(copies);
}

static int make(struct pure *p, const struct gl_proof *proof, const struct gl_pure_shape *shape, struct gl_error *err)
{
	struct text t = { .at = p->thunk_code };
	struct ends ends;
	struct copy c = { .funcs = calloc(proof->nfuncs + 1, sizeof(size_t)),
			  .tables = calloc(proof->ntables + 1, sizeof(size_t)) };
	int ret = -1;

	p->region = pure_region_new();
	if (c.funcs == NULL || c.tables == NULL || p->region == NULL) {
		gl_fail(err, GL_ENOMEM, "no memory for the pure path");
		goto done;
	}
	p->copy_size = pure_lay_copy(proof, &c);
	p->copy = gl_arena_take(gl_host_copies(p->room->host), p->copy_size, err);
	if (p->copy == NULL) {
		goto done;
	}
	c.base = p->copy;
	put_thunk(&t, p->block, p->thunk, shape, proof, &ends);
	if (write_thunk(p, &t, err) != 0 || pure_write_copy(proof, &c, p->copy_size, p->block, &ends, err) != 0 ||
	    gl_arena_protect(p->copy, p->copy_size, GL_PROT_READ_EXEC, err) != 0 || pure_catch_faults(err) != 0) {
		goto done;
	}
	p->closed_code = ends.closed;
	p->thunk->code = pure_address_in(&c, c.funcs[0]);
	p->thunk->calls = 0;
	p->pub = (struct gl_pure){ .entry = p->thunk_code, .cell = &p->block->cell, .calls = &p->thunk->calls };
	p->region->fail = ends.fail;
	p->region->status = &p->block->cell.status;
	p->region->guard_low = (uintptr_t)p->room->stack;
	p->region->guard_high = (uintptr_t)p->room->stack + GUARD_SIZE;
	pure_region_set(p->region, (uintptr_t)p->copy, (uintptr_t)p->copy + p->copy_size);
	tell_debuggers(p, proof, &c, t.n);
	ret = 0;
done:
	free(c.funcs);
	free(c.tables);
	return ret;
}

static void give_copy(struct pure *p)
{
	if (p->region != NULL) {
		pure_region_clear(p->region);
		p->region = NULL;
	}
	gl_debug_remove(p->debug);
	p->debug = NULL;
	if (p->copy != NULL) {
		gl_arena_give(gl_host_copies(p->room->host), p->copy, p->copy_size);
		p->copy = NULL;
	}
}

static struct pure *new_locked(struct gl_pure_room *room, const struct gl_module *mod, uintptr_t addr,
			       const struct gl_pure_shape *shape, struct gl_proof **proof, struct gl_error *err)
{
	if (room->prover == NULL) {
		room->prover = gl_prover_open(gl_host_abi(room->host)->goarch, err);
	}
	if (room->prover == NULL || gl_pure_prove(room->prover, mod, addr, shape, false, proof, err) != 0) {
		return NULL;
	}
	if (!(*proof)->holds) {
		gl_fail(err, GL_EUNSUPPORTED, "%s", (*proof)->remarks[0].text);
		return NULL;
	}
	struct pure *p = take_place(room, err);
	if (p != NULL && make(p, *proof, shape, err) != 0) {
		give_copy(p);
		give_place(p);
		return NULL;
	}
	return p;
}

struct gl_pure *gl_pure_new(struct gl_pure_room *room, const struct gl_module *mod, uintptr_t addr,
			    const struct gl_pure_shape *shape, struct gl_proof **refused, struct gl_error *err)
{
	struct gl_proof *proof = NULL;

	gl_lock();
	struct pure *p = new_locked(room, mod, addr, shape, &proof, err);
	gl_unlock();
	*refused = NULL;
	if (proof != NULL && !proof->holds) {
		*refused = proof;
	} else {
		gl_proof_free(proof);
	}
	if (p == NULL) {
		return NULL;
	}
	p->keepers = 1;
	return &p->pub;
}

void gl_pure_close(struct gl_pure *pure)
{
	struct pure *p = (struct pure *)(void *)pure;

	p->thunk->code = p->closed_code;
	gl_lock();
	give_copy(p);
	gl_unlock();
}

void gl_pure_keep(struct gl_pure *pure) { ((struct pure *)(void *)pure)->keepers++; }

void gl_pure_drop(struct gl_pure *pure)
{
	struct pure *p = (struct pure *)(void *)pure;

	if (--p->keepers == 0) {
		gl_pure_close(pure);
		give_place(p);
	}
}

#endif
