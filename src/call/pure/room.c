/* Rooms (see room.h): one stack, and blocks of thunks. */
#include "room.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../../abi/runtime.h"
#include "../../memory/arena.h"

#if defined(__x86_64__)

enum {
	STACK_SIZE = 256 << 20,
	SOFT_SIZE = 1 << 20, /* of it: what is used beyond is given back at once */
	RESERVE = 32 << 10,  /* functions that check no stack have this much, and frames that are checked too late */
	ARGS_SIZE = 512,     /* above a function's return address */
};

uint64_t *pure_stackguard_of(struct block *b) { return (uint64_t *)(void *)(b->g + b->room->stackguard); }

void pure_settle(struct block *b)
{
	uint64_t *guard = pure_stackguard_of(b);

	if (*guard != b->soft) {
		*guard = b->soft;
		madvise(b->room->stack, STACK_SIZE - SOFT_SIZE, MADV_DONTNEED);
	}
}

struct gl_pure_room *gl_pure_room_new(struct gl_host *host, struct gl_error *err)
{
	int32_t stackguard = gl_runtime_stackguard(gl_host_abi(host));
	struct gl_pure_room *room = calloc(1, sizeof(*room));

	if (room == NULL) {
		gl_fail(err, GL_ENOMEM, "no memory for the pure path");
		return NULL;
	}
	room->host = host;
	room->stackguard = stackguard;
	if (stackguard < 0 || stackguard + 8 > G_SIZE) {
		gl_fail(err, GL_EUNSUPPORTED, "%s: where a goroutine keeps its stack guard is not known",
			gl_host_path(host));
		free(room);
		return NULL;
	}
	room->stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (room->stack == MAP_FAILED || mprotect(room->stack, GUARD_SIZE, PROT_NONE) != 0) {
		gl_fail(err, GL_ENOMEM, "the kernel refuses a stack for the pure path: %s", strerror(errno));
		if (room->stack != MAP_FAILED) {
			munmap(room->stack, STACK_SIZE);
		}
		free(room);
		return NULL;
	}
	return room;
}

void gl_pure_room_free(struct gl_pure_room *room)
{
	if (room == NULL) {
		return;
	}
	for (struct pure *p = room->unused, *next; p != NULL; p = next) {
		next = p->next;
		free(p);
	}
	gl_lock();
	for (struct block *b = room->blocks, *next; b != NULL; b = next) {
		next = b->next;
		gl_arena_give(gl_host_copies(room->host), b, gl_page_round(sizeof(*b)) + THUNKS_SIZE);
	}
	gl_unlock();
	munmap(room->stack, STACK_SIZE);
	gl_prover_close(room->prover);
	free(room);
}

uint8_t *pure_thunks_of(struct block *b) { return (uint8_t *)b + gl_page_round(sizeof(*b)); }

struct block *pure_block_new(struct gl_pure_room *room, struct gl_error *err)
{
	size_t data = gl_page_round(sizeof(struct block));
	struct block *b = gl_arena_take(gl_host_copies(room->host), data + THUNKS_SIZE, err);

	if (b == NULL) {
		return NULL;
	}
	uintptr_t top = (uintptr_t)room->stack + STACK_SIZE;
	b->room = room;
	b->stack_top = top - ARGS_SIZE;
	b->soft = top - SOFT_SIZE;
	b->hard = (uintptr_t)room->stack + GUARD_SIZE + RESERVE;
	b->nan = NAN;
	b->single_nan = NAN;
	*pure_stackguard_of(b) = b->soft;
	memset(pure_thunks_of(b), HLT, THUNKS_SIZE);
	if (gl_arena_protect(pure_thunks_of(b), THUNKS_SIZE, GL_PROT_READ_EXEC, err) != 0) {
		gl_arena_give(gl_host_copies(room->host), b, data + THUNKS_SIZE);
		return NULL;
	}
	b->next = room->blocks;
	room->blocks = b;
	return b;
}

#endif
