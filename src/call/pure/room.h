/* A room: the stack on which functions of the pure path run, and blocks of thunks, taken from the arena:
 *
 *     a page to be written   cell, a goroutine of which only the stack guard is ever read, a word and a count per thunk
 *     pages to be executed   thunks
 *
 * All of it and the copies reach each other by 32-bit offsets, as the code reaches what it reads of the module and the
 * host. */
#ifndef GL_CALL_PURE_ROOM_H
#define GL_CALL_PURE_ROOM_H

#include "faults.h"
#include "pure.h"

enum {
	GUARD_SIZE = 64 << 10, /* at the stack's low end: what touches it has used up the stack */
	G_SIZE = 512,
	THUNKS_SIZE = 15 << 12, /* bytes of code that go with a page of data */
	THUNK_SIZE = 640,       /* bytes of code at most */
	HLT = 0xf4, /* an instruction of one byte that faults: where a copy gives up, and where it has nothing */
};

struct thunk {
	uintptr_t code; /* where it goes on: the copy, or what says that there is none any more */
	uint64_t calls;
};

/* The page of data before some thunks. */
struct block {
	struct gl_cell cell;
	uint8_t g[G_SIZE];
	uint64_t saved_sp, stack_top, soft, hard;
	double nan;
	float single_nan;
	struct gl_pure_room *room;
	struct block *next;
	uint32_t nthunks;
	struct thunk thunks[THUNKS_SIZE / THUNK_SIZE];
};

struct gl_pure_room {
	struct gl_host *host;
	uint8_t *stack; /* with its guard */
	int32_t stackguard;
	struct block *blocks;
	struct gl_prover *prover; /* kept open: functions come by the module */
	struct pure *unused;      /* places of thunks that nobody keeps */
};

/* A function that has a place for its thunk. */
struct pure {
	struct gl_pure pub;
	struct gl_pure_room *room;
	struct block *block;
	struct thunk *thunk;
	uint8_t *thunk_code;
	uintptr_t closed_code; /* what the thunk leads to when there is no copy */
	uint8_t *copy;
	size_t copy_size;
	struct region *region;
	struct gl_debug_code *debug; /* what debuggers know of the copy */
	uint32_t keepers;
	struct pure *next; /* of those unused */
};

/* A block with room for thunks, first in room->blocks. */
struct block *pure_block_new(struct gl_pure_room *room, struct gl_error *err);
uint8_t *pure_thunks_of(struct block *b);
uint64_t *pure_stackguard_of(struct block *b);
/* After a call that went deep: its memory is given back, and the guard is where it was. Thunks call this. */
void pure_settle(struct block *b);

#endif
