/* Address space near the host, from which modules are placed; and W^X.
 *
 * Go code reaches its targets by 32-bit offsets, and a module's type descriptors reach the host's by signed offsets
 * that must not point above the module (runtime.resolveTypeOff). So the arena is reserved *before* the host is loaded:
 * the kernel places the host below it. */
#ifndef GL_ARENA_H
#define GL_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "../error.h"

struct gl_arena;

/* Reserves size bytes of address space (no memory). */
struct gl_arena *gl_arena_reserve(size_t size, struct gl_error *err);
/* The same, wherever a hole is in [low, high): for a host that is already loaded. Takes less than size when there is no
 * hole that large. */
struct gl_arena *gl_arena_reserve_between(uintptr_t low, uintptr_t high, size_t size, struct gl_error *err);
/* Makes an arena of its own of the upper size bytes (whole pages) of one that nothing has been taken from. */
struct gl_arena *gl_arena_split(struct gl_arena *arena, size_t size, struct gl_error *err);
void gl_arena_free(struct gl_arena *arena);

uintptr_t gl_arena_low(const struct gl_arena *arena);
uintptr_t gl_arena_high(const struct gl_arena *arena);

/* Takes size bytes (a multiple of the page size), readable and writable, zeroed. NULL with GL_ENOMEM when the arena
 * is full or the kernel refuses. */
void *gl_arena_take(struct gl_arena *arena, size_t size, struct gl_error *err);
/* Gives a block back, or a part of one (whole pages): its memory is returned to the kernel at once, its addresses rest
 * before they are used again, as long as others are free. Takes and gives cost O(log n) with n free ranges. */
void gl_arena_give(struct gl_arena *arena, void *block, size_t size);
/* The same for a block that somebody may still refer to: its addresses are used again when there are no others. */
void gl_arena_abandon(struct gl_arena *arena, void *block, size_t size);

/* The smallest blocks of an arena of variables, and what their sizes are multiples of. */
enum { GL_SMALL_BLOCK = 64 };
/* Makes an arena of size bytes (whole pages) of another one, which must outlive it: its blocks may be smaller than
 * pages, lie close together, and are never protected. Pages with nothing in use take no memory. */
struct gl_arena *gl_arena_of_variables(struct gl_arena *from, size_t size, struct gl_error *err);
/* The end of the highest block that has ever been taken. */
uintptr_t gl_arena_reached(const struct gl_arena *arena);
/* How many bytes of it nobody has, those that rest included; and how many blocks of memory it takes to know of them,
 * which grow in number with what rests. */
size_t gl_arena_unused(const struct gl_arena *arena, size_t *blocks);

enum gl_protection { GL_PROT_READ_EXEC, GL_PROT_READ, GL_PROT_READ_WRITE };
/* Changes the protection of whole pages of a block. There is no protection that is writable and executable. */
int gl_arena_protect(void *start, size_t size, enum gl_protection prot, struct gl_error *err);

size_t gl_page_size(void);
size_t gl_page_round(size_t size);

#endif
