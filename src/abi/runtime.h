/* All that the library knows of the runtime by name: its functions and variables, the fields of its structs, its
 * numbers, and how wide what is read of them is. Names are in runtime.c and nowhere else; what differs from one Go to
 * the next is said there.
 *
 * Nothing is guessed: addresses come from the host's symbols, everything else from its description. A Go that has
 * renamed, moved or widened what is needed is refused, and the message names what is missing. */
#ifndef GL_ABI_RUNTIME_H
#define GL_ABI_RUNTIME_H

#include <stdatomic.h>

#include "../host/enter.h"
#include "../host/runtime.h"
#include "abi.h"

/* Where names are looked up. */
struct gl_runtime_names {
	const struct gl_abi *abi;
	const char *host; /* its path, for messages */
	/* A symbol of the host: its address, and its size unless size is NULL; 0 when there is none. */
	uintptr_t (*find)(const void *arg, const char *name, uint64_t *size);
	const void *arg;
};

/* What only the C half looks at; NULL where this Go has no such thing. */
struct gl_runtime_vars {
	/* how many threads the runtime keeps for calls from C (extraMLength), how many of C's have called
	 * (extraMInUse), and how many threads and goroutines of its own do nothing for programs (sched.nmsys,
	 * sched.ngsys) */
	_Atomic uint32_t *extra_threads, *foreign_threads;
	int32_t *system_threads, *system_goroutines;
	int64_t *profile_rate;      /* MemProfileRate */
	const void *default_goroot; /* a Go string: what "$GOROOT" in file names stands for */
	void *stack_bound;          /* _cgo_getstackbound */
	uintptr_t zerobase;
	uintptr_t before_main, after_main; /* the Go half's, called around main.main */
};

/* Fails with GL_EMISMATCH when the description is not of this host: one left over from another build may have the sizes
 * and offsets of another Go. To be asked before anything else. */
int gl_runtime_check_version(const struct gl_runtime_names *names, struct gl_error *err);
/* Fails with GL_EHOST. */
int gl_runtime_fill(const struct gl_runtime_names *names, struct gl_runtime *rt, struct gl_runtime_vars *vars,
		    struct gl_error *err);
/* What the short way needs; false when this Go lacks something of it: then there is no short way. */
bool gl_runtime_fill_enter(const struct gl_runtime_names *names, struct gl_enter_setup *setup);
/* Fails with GL_EHOST. */
int gl_runtime_fill_call(const struct gl_runtime_names *names, struct gl_call_setup *setup, struct gl_error *err);

/* Where a goroutine (a runtime.g) keeps its stack guard, which functions compare their stack pointer with; -1 when that
 * is not known. */
int32_t gl_runtime_stackguard(const struct gl_abi *abi);

/* Variables of the standard library that remember types for ever: a sync.Map each, at this offset in the variable of
 * this name. False: it is no such variable. */
bool gl_runtime_type_map(const struct gl_abi *abi, const char *name, size_t *offset);
/* The name of number i of them; NULL behind the last. */
const char *gl_runtime_type_map_name(size_t i);

/* What call sites keep of type assertions, since Go 1.22: the compiler's variables "pkg..typeAssert.3" and
 * "pkg..interfaceSwitch.0" (cmd/compile/internal/ssagen), with the offset of the cache in each and the empty cache that
 * it starts with. A kind that this Go lacks has no empty one. */
struct gl_cache_kind {
	const char *mark; /* in the variable's name */
	size_t offset;
	uintptr_t empty;
};
enum { GL_CACHE_KINDS = 2 };
void gl_runtime_cache_kinds(const struct gl_runtime_names *names, struct gl_cache_kind kinds[GL_CACHE_KINDS]);

#endif
