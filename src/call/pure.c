/* The pure path (see pure.h): copies of proven code, thunks into it, and ways out of it.
 *
 * A room has one stack and blocks of thunks, taken from the arena:
 *
 *     a page to be written   cell, a goroutine of which only the stack guard is ever read, a word and a count per thunk
 *     pages to be executed   thunks
 *
 * and each function a block with its copy: stubs, code, jump tables. All of it reaches each other by 32-bit offsets, as
 * the code reaches what it reads of the module and the host.
 *
 * Ways out of a copy: it returns to its thunk; a stub for a panic sets the status and jumps to the thunk's end, which
 * takes the stack pointer it has saved; a fault (a nil dereference) is turned into the same by a signal handler; and
 * where the stack is nearly used up, what would be the call of runtime.morestack does the same. A function that needs
 * more than a little of the stack first passes a soft guard there, which has the thunk give the memory back at the
 * end. */
#include "pure.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "../abi/abi.h"
#include "../image/image.h"
#include "../memory/arena.h"

/* ---- who lives where ------------------------------------------------------------------------------------------------
 */

struct known {
	const char *name; /* what follows "runtime.", or its beginning */
	enum gl_callee kind;
	int why;
	const char *does;
};

/* The first that fits wins. */
static const struct known knowns[] = {
	{ "morestack", GL_CALLEE_MORESTACK, 0, NULL },
	{ "panicCheck", GL_CALLEE_REFUSED, 0, "is a part of the runtime" },
	{ "panicIndex", GL_CALLEE_PANIC, GL_PURE_BOUNDS, NULL },
	{ "panicSlice", GL_CALLEE_PANIC, GL_PURE_BOUNDS, NULL },
	{ "panicBounds", GL_CALLEE_PANIC, GL_PURE_BOUNDS, NULL },
	{ "goPanic", GL_CALLEE_PANIC, GL_PURE_BOUNDS, NULL },
	{ "panicdivide", GL_CALLEE_PANIC, GL_PURE_DIVIDE, NULL },
	{ "panicmem", GL_CALLEE_PANIC, GL_PURE_NIL, NULL },
	{ "panicnil", GL_CALLEE_PANIC, GL_PURE_NIL, NULL },
	{ "panic", GL_CALLEE_PANIC, GL_PURE_PANIC, NULL },
	{ "gopanic", GL_CALLEE_PANIC, GL_PURE_PANIC, NULL },
	{ "throw", GL_CALLEE_PANIC, GL_PURE_PANIC, NULL },
	{ "fatal", GL_CALLEE_PANIC, GL_PURE_PANIC, NULL },
	{ "newobject", GL_CALLEE_REFUSED, 0, "allocates" },
	{ "malloc", GL_CALLEE_REFUSED, 0, "allocates" },
	{ "makeslice", GL_CALLEE_REFUSED, 0, "allocates" },
	{ "growslice", GL_CALLEE_REFUSED, 0, "allocates" },
	{ "moveSlice", GL_CALLEE_REFUSED, 0, "allocates" },
	{ "concat", GL_CALLEE_REFUSED, 0, "allocates" },
	{ "slicebyte", GL_CALLEE_REFUSED, 0, "allocates" },
	{ "slicerune", GL_CALLEE_REFUSED, 0, "allocates" },
	{ "stringto", GL_CALLEE_REFUSED, 0, "allocates" },
	{ "intstring", GL_CALLEE_REFUSED, 0, "allocates" },
	{ "convT", GL_CALLEE_REFUSED, 0, "allocates what an interface holds" },
	{ "gcWriteBarrier", GL_CALLEE_REFUSED, 0, "tells the collector of a pointer that is stored" },
	{ "wb", GL_CALLEE_REFUSED, 0, "tells the collector of pointers that are stored" },
	{ "typed", GL_CALLEE_REFUSED, 0, "tells the collector of pointers that are stored" },
	{ "makemap", GL_CALLEE_REFUSED, 0, "makes a map" },
	{ "map", GL_CALLEE_REFUSED, 0, "works on a map" },
	{ "makechan", GL_CALLEE_REFUSED, 0, "makes a channel" },
	{ "chan", GL_CALLEE_REFUSED, 0, "works on a channel" },
	{ "closechan", GL_CALLEE_REFUSED, 0, "works on a channel" },
	{ "select", GL_CALLEE_REFUSED, 0, "works on channels" },
	{ "block", GL_CALLEE_REFUSED, 0, "waits for ever" },
	{ "newproc", GL_CALLEE_REFUSED, 0, "starts a goroutine" },
	{ "defer", GL_CALLEE_REFUSED, 0, "keeps account of deferred calls" },
	{ "gorecover", GL_CALLEE_REFUSED, 0, "recovers from panics" },
	{ "assert", GL_CALLEE_REFUSED, 0, "looks into an interface" },
	{ "typeAssert", GL_CALLEE_REFUSED, 0, "looks into an interface" },
	{ "interface", GL_CALLEE_REFUSED, 0, "looks into an interface" },
	{ "iface", GL_CALLEE_REFUSED, 0, "looks into an interface" },
	{ "eface", GL_CALLEE_REFUSED, 0, "looks into an interface" },
	{ "print", GL_CALLEE_REFUSED, 0, "writes to standard error" },
	{ "race", GL_CALLEE_REFUSED, 0, "reports to the race detector" },
	/* what is code like any other */
	{ "memmove", GL_CALLEE_CODE, 0, NULL },
	{ "memclrNoHeapPointers", GL_CALLEE_CODE, 0, NULL },
	{ "memequal", GL_CALLEE_CODE, 0, NULL },
	{ "cmpstring", GL_CALLEE_CODE, 0, NULL },
	{ "decoderune", GL_CALLEE_CODE, 0, NULL },
	{ "countrunes", GL_CALLEE_CODE, 0, NULL },
	{ "duff", GL_CALLEE_CODE, 0, NULL },
	{ "fmin", GL_CALLEE_CODE, 0, NULL },
	{ "fmax", GL_CALLEE_CODE, 0, NULL },
	{ "forbits", GL_CALLEE_CODE, 0, NULL },
	{ "fandbits", GL_CALLEE_CODE, 0, NULL },
	{ "", GL_CALLEE_REFUSED, 0, "is a part of the runtime" },
};

static bool starts_with(const char *s, const char *start) { return strncmp(s, start, strlen(start)) == 0; }

/* Who is called by nearly every function: to know them by their addresses saves reading the host's table of symbols. */
static const char *const frequent[] = {
	"runtime.morestack_noctxt.abi0",
	"runtime.morestack.abi0",
	"runtime.panicBounds",
	"runtime.panicIndex",
	"runtime.panicIndexU",
	"runtime.panicSliceB",
	"runtime.panicSliceAcap",
	"runtime.panicdivide",
	"runtime.panicshift",
	"runtime.gopanic",
};
enum { NFREQUENT = sizeof(frequent) / sizeof(frequent[0]) };

struct world {
	const struct gl_module *mod;
	uintptr_t frequent[NFREQUENT];
};

static void find_frequent(struct world *w)
{
	struct gl_image *image = gl_host_image(gl_module_host(w->mod));

	for (size_t i = 0; i < NFREQUENT; i++) {
		struct gl_image_sym sym;
		w->frequent[i] = gl_image_lookup(image, frequent[i], strlen(frequent[i]), &sym) ? sym.addr : 0;
	}
}

static void know_runtime(struct gl_routine *code)
{
	const struct known *k = knowns;

	while (!starts_with(code->name + strlen("runtime."), k->name)) {
		k++;
	}
	code->kind = k->kind;
	code->why = k->why;
	code->does = k->does;
}

static bool find_code(void *arg, uintptr_t addr, struct gl_routine *code)
{
	const struct world *w = arg;
	struct gl_module_symbol sym;

	for (size_t i = 0; i < NFREQUENT; i++) {
		if (w->frequent[i] == addr) {
			*code = (struct gl_routine){ .name = frequent[i], .addr = addr, .end = addr + 1 };
			know_runtime(code);
			return true;
		}
	}
	if (!gl_module_find_symbol(w->mod, addr, &sym) || (sym.kind | 32) != 't' || sym.size == 0) {
		return false;
	}
	*code = (struct gl_routine){
		.name = sym.name, .addr = sym.addr, .end = sym.addr + sym.size, .kind = GL_CALLEE_CODE
	};
	if (starts_with(sym.name, "runtime.")) {
		know_runtime(code);
	}
	return true;
}

static bool is_constant(void *arg, uintptr_t addr, size_t size)
{
	const struct gl_module *mod = ((const struct world *)arg)->mod;
	const struct gl_image *image = gl_host_image(gl_module_host(mod));
	struct gl_module_symbol sym;

	if (addr >= gl_image_low(image) && addr < gl_image_high(image)) {
		/* its jump tables and dictionaries: the linker names them, in memory that is sealed once it is
		 * relocated */
		return gl_module_find_symbol(mod, addr, &sym) && addr + size <= sym.addr + sym.size &&
		       (strstr(sym.name, ".jump") != NULL || strstr(sym.name, "..dict.") != NULL);
	}
	return gl_module_find_symbol(mod, addr, &sym) && (sym.kind | 32) == 'r' && addr + size <= sym.addr + sym.size;
}

static int64_t symbolize(const void *arg, uintptr_t addr, const char **name)
{
	return gl_module_symbolize(((const struct world *)arg)->mod, addr, name);
}

int gl_pure_prove(struct gl_prover *prover, const struct gl_module *mod, uintptr_t addr,
		  const struct gl_pure_shape *shape, bool all_remarks, struct gl_proof **proof, struct gl_error *err)
{
	const struct gl_abi *abi = gl_host_abi(gl_module_host(mod));
	struct world world = { .mod = mod };
	struct gl_prove_env env = {
		.find_code = find_code,
		.is_constant = is_constant,
		.symbolize = symbolize,
		.arg = &world,
		.stackguard = gl_abi_field(abi, "runtime.g", "stackguard0"),
	};

	find_frequent(&world);
	return gl_prove(prover, &env, addr, shape->words, shape->nints, all_remarks, proof, err);
}

const char *gl_pure_status_text(enum gl_pure_status status)
{
	switch (status) {
	case GL_PURE_DONE: return "done";
	case GL_PURE_BOUNDS: return "index out of range";
	case GL_PURE_DIVIDE: return "integer divide by zero";
	case GL_PURE_NIL: return "invalid memory address or nil pointer dereference";
	case GL_PURE_PANIC: return "panic";
	case GL_PURE_DEEP: return "stack overflow: recursion deeper than 256 MB on the pure path";
	case GL_PURE_CLOSED: return "its module was unloaded";
	}
	return "?";
}

#if defined(__x86_64__)

/* ---- rooms ----------------------------------------------------------------------------------------------------------
 */

enum {
	STACK_SIZE = 256 << 20,
	SOFT_SIZE = 1 << 20, /* of it: what is used beyond is given back at once */
	GUARD_SIZE = 64 << 10,
	RESERVE = 32 << 10, /* functions that check no stack have this much, and frames that are checked too late */
	ARGS_SIZE = 512,    /* above a function's return address */
	G_SIZE = 512,
	THUNKS_SIZE = 15 << 12, /* bytes of code that go with a page of data */
	HLT = 0xf4,       /* an instruction of one byte that faults: where a copy gives up, and where it has nothing */
	THUNK_SIZE = 640, /* bytes of code at most */
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

/* Where code lies that is a copy, for the signal handler: never freed, since that may be looking. */
struct region {
	_Atomic uintptr_t low, high;
	uintptr_t fail; /* where a fault goes on */
	uint64_t *status;
	uintptr_t guard_low, guard_high;
	struct region *next;
};

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
	uint32_t keepers;
	struct pure *next; /* of those unused */
};

static uint64_t *stackguard_of(struct block *b) { return (uint64_t *)(void *)(b->g + b->room->stackguard); }

/* After a call that went deep: its memory is given back, and the guard is where it was. Thunks call this. */
static void settle(struct block *b)
{
	uint64_t *guard = stackguard_of(b);

	if (*guard != b->soft) {
		*guard = b->soft;
		madvise(b->room->stack, STACK_SIZE - SOFT_SIZE, MADV_DONTNEED);
	}
}

struct gl_pure_room *gl_pure_room_new(struct gl_host *host, struct gl_error *err)
{
	int32_t stackguard = gl_abi_field(gl_host_abi(host), "runtime.g", "stackguard0");
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
		gl_arena_give(gl_host_arena(room->host), b, gl_page_round(sizeof(*b)) + THUNKS_SIZE);
	}
	gl_unlock();
	munmap(room->stack, STACK_SIZE);
	gl_prover_close(room->prover);
	free(room);
}

static uint8_t *thunks_of(struct block *b) { return (uint8_t *)b + gl_page_round(sizeof(*b)); }

static struct block *block_new(struct gl_pure_room *room, struct gl_error *err)
{
	size_t data = gl_page_round(sizeof(struct block));
	struct block *b = gl_arena_take(gl_host_arena(room->host), data + THUNKS_SIZE, err);

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
	*stackguard_of(b) = b->soft;
	memset(thunks_of(b), HLT, THUNKS_SIZE);
	if (gl_arena_protect(thunks_of(b), THUNKS_SIZE, GL_PROT_READ_EXEC, err) != 0) {
		gl_arena_give(gl_host_arena(room->host), b, data + THUNKS_SIZE);
		return NULL;
	}
	b->next = room->blocks;
	room->blocks = b;
	return b;
}

/* ---- faults ---------------------------------------------------------------------------------------------------------
 */

static _Atomic(struct region *) regions;
static const int fault_signals[] = { SIGSEGV, SIGBUS, SIGFPE };
static struct sigaction before[sizeof(fault_signals) / sizeof(fault_signals[0])];

static void chain(int sig, siginfo_t *info, void *context)
{
	for (size_t i = 0; i < sizeof(fault_signals) / sizeof(fault_signals[0]); i++) {
		if (fault_signals[i] != sig) {
			continue;
		}
		if (before[i].sa_flags & SA_SIGINFO) {
			before[i].sa_sigaction(sig, info, context);
		} else if (before[i].sa_handler == SIG_DFL) {
			signal(sig, SIG_DFL); /* it faults again, and ends the process */
		} else if (before[i].sa_handler != SIG_IGN) {
			before[i].sa_handler(sig);
		}
	}
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	uintptr_t pc = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP], at = (uintptr_t)info->si_addr;
	enum { DIRECTION = 1 << 10 };
	enum gl_pure_status status = sig == SIGFPE ? GL_PURE_DIVIDE : GL_PURE_NIL;

	for (struct region *r = atomic_load(&regions); r != NULL; r = r->next) {
		if (pc >= atomic_load(&r->low) && pc < atomic_load(&r->high)) {
			if (*(const uint8_t *)pc == HLT) {
				status = GL_PURE_PANIC;
			} else if (sig == SIGSEGV && at >= r->guard_low && at < r->guard_high) {
				status = GL_PURE_DEEP;
			}
			*r->status = status;
			uc->uc_mcontext.gregs[REG_RIP] = (greg_t)r->fail;
			uc->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)DIRECTION;
			return;
		}
	}
	chain(sig, info, context);
}

/* Go's handler may have been set anew since (os/signal does that), so this looks each time. */
static int catch_faults(struct gl_error *err)
{
	for (size_t i = 0; i < sizeof(fault_signals) / sizeof(fault_signals[0]); i++) {
		struct sigaction now, ours = { .sa_sigaction = on_fault };
		if (sigaction(fault_signals[i], NULL, &now) != 0) {
			return gl_fail(err, GL_EHOST, "sigaction: %s", strerror(errno));
		}
		if (now.sa_flags & SA_SIGINFO && now.sa_sigaction == on_fault) {
			continue;
		}
		before[i] = now;
		ours.sa_mask = now.sa_mask;
		ours.sa_flags = (now.sa_flags & ~SA_RESETHAND) | SA_SIGINFO | SA_ONSTACK;
		if (sigaction(fault_signals[i], &ours, NULL) != 0) {
			return gl_fail(err, GL_EHOST, "sigaction: %s", strerror(errno));
		}
	}
	return 0;
}

static struct region *region_new(void)
{
	for (struct region *r = atomic_load(&regions); r != NULL; r = r->next) {
		if (atomic_load(&r->high) == 0) {
			return r;
		}
	}
	struct region *r = calloc(1, sizeof(*r));
	if (r != NULL) {
		r->next = atomic_load(&regions);
		atomic_store(&regions, r);
	}
	return r;
}

static void region_set(struct region *r, uintptr_t low, uintptr_t high)
{
	/* empty while it changes */
	atomic_store(&r->low, UINTPTR_MAX);
	atomic_store(&r->high, high);
	atomic_store(&r->low, low);
}

/* ---- machine code ---------------------------------------------------------------------------------------------------
 */

/* Code on its way to `at`. */
struct text {
	uint8_t *at;
	uint8_t bytes[THUNK_SIZE];
	size_t n;
	bool failed;
};

static void put(struct text *t, const void *bytes, size_t n)
{
	if (n > sizeof(t->bytes) - t->n) {
		t->failed = true;
		return;
	}
	memcpy(t->bytes + t->n, bytes, n);
	t->n += n;
}

#define PUT(t, ...) put(t, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void put32(struct text *t, int64_t n)
{
	int32_t word = (int32_t)n;

	t->failed |= word != n;
	put(t, &word, sizeof(word));
}

static void put64(struct text *t, uint64_t n) { put(t, &n, sizeof(n)); }

/* The last four bytes of an instruction: the offset to an address, of which `behind` more bytes follow. */
static void put_offset(struct text *t, uintptr_t to, size_t behind)
{
	put32(t, (int64_t)(to - ((uintptr_t)t->at + t->n + 4 + behind)));
}

static void put_offset_of(struct text *t, const void *to) { put_offset(t, (uintptr_t)to, 0); }

static void put_jump(struct text *t, uintptr_t to)
{
	PUT(t, 0xe9);
	put_offset(t, to, 0);
}

/* movq $status, cell.status; jmp to */
static void put_failure(struct text *t, struct block *b, enum gl_pure_status status, uintptr_t to)
{
	PUT(t, 0x48, 0xc7, 0x05);
	put_offset(t, (uintptr_t)&b->cell.status, 4);
	put32(t, status);
	put_jump(t, to);
}

static void put_settle(struct text *t, struct block *b)
{
	PUT(t, 0x48, 0x8d, 0x3d); /* lea b, %rdi */
	put_offset_of(t, b);
	PUT(t, 0x48, 0xb8); /* mov $settle, %rax */
	put64(t, (uintptr_t)settle);
	PUT(t, 0xff, 0xd0); /* call *%rax */
}

enum { AX, CX, DX, BX, SP, BP, SI, DI }; /* and r8 to r15, as the processor counts */

static void put_push(struct text *t, int reg)
{
	if (reg >= 8) {
		PUT(t, 0x41);
	}
	PUT(t, (uint8_t)(0x50 | (reg & 7)));
}

static void put_pop(struct text *t, int reg)
{
	if (reg >= 8) {
		PUT(t, 0x41);
	}
	PUT(t, (uint8_t)(0x58 | (reg & 7)));
}

/* mov from, to */
static void put_move(struct text *t, int to, int from)
{
	PUT(t, (uint8_t)(0x48 | (from >= 8 ? 4 : 0) | (to >= 8 ? 1 : 0)), 0x89,
	    (uint8_t)(0xc0 | (from & 7) << 3 | (to & 7)));
}

/* mov reg, at */
static void put_store(struct text *t, int reg, const void *at)
{
	PUT(t, (uint8_t)(reg >= 8 ? 0x4c : 0x48), 0x89, (uint8_t)(0x05 | (reg & 7) << 3));
	put_offset_of(t, at);
}

/* mov at, reg */
static void put_load(struct text *t, int reg, const void *at)
{
	PUT(t, (uint8_t)(reg >= 8 ? 0x4c : 0x48), 0x8b, (uint8_t)(0x05 | (reg & 7) << 3));
	put_offset_of(t, at);
}

/* movsd %xmm…, at */
static void put_store_float(struct text *t, int reg, const void *at)
{
	PUT(t, 0xf2);
	if (reg >= 8) {
		PUT(t, 0x44);
	}
	PUT(t, 0x0f, 0x11, (uint8_t)(0x05 | (reg & 7) << 3));
	put_offset_of(t, at);
}

/* A NaN becomes *nan: ucomisd %xmm…, %xmm…; jnp over the next; movsd nan, %xmm… (or ucomiss, movss) */
static void put_plain_nan(struct text *t, int reg, bool single, const void *nan)
{
	uint8_t both = (uint8_t)(0xc0 | (reg & 7) << 3 | (reg & 7)), one = (uint8_t)(0x05 | (reg & 7) << 3);

	if (!single) {
		PUT(t, 0x66);
	}
	if (reg >= 8) {
		PUT(t, 0x45, 0x0f, 0x2e, both, 0x7b, 9);
		PUT(t, single ? 0xf3 : 0xf2, 0x44, 0x0f, 0x10, one);
	} else {
		PUT(t, 0x0f, 0x2e, both, 0x7b, 8);
		PUT(t, single ? 0xf3 : 0xf2, 0x0f, 0x10, one);
	}
	put_offset_of(t, nan);
}

/* movsd %xmm…, off(%rsp), or back */
static void put_spill_float(struct text *t, int reg, uint8_t off, bool back)
{
	PUT(t, 0xf2);
	if (reg >= 8) {
		PUT(t, 0x44);
	}
	PUT(t, 0x0f, back ? 0x10 : 0x11, (uint8_t)(0x44 | (reg & 7) << 3), 0x24, off);
}

/* ---- thunks ---------------------------------------------------------------------------------------------------------
 */

/* Go's argument registers (cmd/compile/abi-internal.md), and what C's caller finds unchanged. */
static const uint8_t go_ints[] = { AX, BX, CX, DI, SI, 8, 9, 10, 11 };
static const uint8_t kept_by_c[] = { BX, BP, 12, 13, 14, 15 };
enum { MOST_FLOATS = 8, MOST_RESULT_FLOATS = 15 };

struct ends {
	uintptr_t fail, deep, closed;
};

/* C's words to Go's registers: rdi, rsi, rdx, rcx, r8, r9, then the stack, of which `pushed` words are the thunk's. */
static void put_arguments(struct text *t, size_t n, size_t pushed)
{
	static const uint8_t moves[][3] = { { AX, DI, 1 }, { BX, SI, 2 }, { DI, CX, 4 },
					    { CX, DX, 3 }, { SI, 8, 5 },  { 8, 9, 6 } };

	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		if (n >= moves[i][2]) {
			put_move(t, moves[i][0], moves[i][1]);
		}
	}
	for (size_t i = 6; i < n; i++) { /* mov …(%rsp), %r9 to %r11 */
		PUT(t, 0x4c, 0x8b, (uint8_t)(0x44 | (go_ints[i] & 7) << 3), 0x24, (uint8_t)(8 * (pushed + 1 + i - 6)));
	}
}

static void put_thunk(struct text *t, struct block *b, struct thunk *thunk, const struct gl_pure_shape *shape,
		      const struct gl_proof *proof, struct ends *ends)
{
	uint32_t written = proof->written | (shape->nints > 1 ? 1U << BX : 0) | (proof->checks_stack ? 1U << 14 : 0);
	bool to_cell = shape->int_results + shape->float_results > 1;
	size_t pushed = 0;

	for (size_t i = 0; i < sizeof(kept_by_c); i++) {
		if (written >> kept_by_c[i] & 1) {
			put_push(t, kept_by_c[i]);
			pushed++;
		}
	}
	put_arguments(t, shape->nints, pushed);
	put_store(t, SP, &b->saved_sp);
	if (proof->checks_stack) {
		put_load(t, SP, &b->stack_top);
		PUT(t, 0x4c, 0x8d, 0x35); /* lea g, %r14 */
		put_offset_of(t, b->g);
	} else {
		PUT(t, 0x48, 0x81, 0xec); /* sub $…, %rsp */
		put32(t, (int64_t)((proof->args + 15) & ~(size_t)15) + (pushed % 2 == 0 ? 8 : 0));
	}
	PUT(t, 0x45, 0x0f, 0x57, 0xff); /* xorps %xmm15, %xmm15 */
	PUT(t, 0x48, 0xff, 0x05);       /* incq calls */
	put_offset_of(t, &thunk->calls);
	PUT(t, 0xff, 0x15); /* call *code */
	put_offset_of(t, &thunk->code);

	uintptr_t back = (uintptr_t)t->at + t->n;
	for (size_t i = 0; i < shape->float_results; i++) {
		bool single = shape->singles >> i & 1;
		put_plain_nan(t, (int)i, single, single ? (const void *)&b->single_nan : &b->nan);
	}
	for (size_t i = 0; to_cell && i < shape->int_results; i++) {
		put_store(t, go_ints[i], &b->cell.ints[i]);
	}
	for (size_t i = 0; to_cell && i < shape->float_results; i++) {
		put_store_float(t, (int)i, &b->cell.floats[i]);
	}
	uintptr_t tail = (uintptr_t)t->at + t->n;
	put_load(t, SP, &b->saved_sp);
	if (proof->sets_direction) {
		PUT(t, 0xfc); /* cld */
	}
	for (size_t i = sizeof(kept_by_c); i-- > 0;) {
		if (written >> kept_by_c[i] & 1) {
			put_pop(t, kept_by_c[i]);
		}
	}
	PUT(t, 0xc3);

	/* A failure, from wherever the stack pointer is. */
	ends->fail = (uintptr_t)t->at + t->n;
	put_load(t, SP, &b->saved_sp);
	PUT(t, 0x48, 0x83, 0xe4, 0xf0); /* and $-16, %rsp */
	put_settle(t, b);
	put_jump(t, tail);

	/* There is no copy any more. */
	ends->closed = (uintptr_t)t->at + t->n;
	put_failure(t, b, GL_PURE_CLOSED, tail);

	/* Returns here instead of behind the call, having been deep in the stack. */
	ends->deep = (uintptr_t)t->at + t->n;
	for (size_t i = 0; proof->checks_stack && i < sizeof(go_ints); i++) {
		put_push(t, go_ints[i]);
	}
	if (proof->checks_stack) {
		PUT(t, 0x48, 0x83, 0xec, 0x78); /* sub $120, %rsp: aligned, since nine words were pushed */
		for (int i = 0; i < MOST_RESULT_FLOATS; i++) {
			put_spill_float(t, i, (uint8_t)(8 * i), false);
		}
		put_settle(t, b);
		for (int i = 0; i < MOST_RESULT_FLOATS; i++) {
			put_spill_float(t, i, (uint8_t)(8 * i), true);
		}
		PUT(t, 0x48, 0x83, 0xc4, 0x78); /* add $120, %rsp */
		for (size_t i = sizeof(go_ints); i-- > 0;) {
			put_pop(t, go_ints[i]);
		}
		put_jump(t, back);
	}
}

/* ---- copies ---------------------------------------------------------------------------------------------------------
 */

enum { STUB_SIZE = 64, STUBS = GL_PURE_CLOSED + 1 };

/* What stands for runtime.morestack: past the soft guard the function may go on to the hard one. */
static void put_morestack(struct text *t, struct block *b, const struct ends *ends, uintptr_t too_deep)
{
	put_push(t, AX);
	put_load(t, AX, &b->hard);
	PUT(t, 0x48, 0x39, 0x05); /* cmp %rax, guard */
	put_offset_of(t, stackguard_of(b));
	PUT(t, 0x0f, 0x84); /* je */
	put_offset(t, too_deep, 0);
	put_store(t, AX, stackguard_of(b));
	put_push(t, CX);
	put_load(t, CX, &b->stack_top);
	PUT(t, 0x48, 0x8d, 0x05); /* lea deep, %rax */
	put_offset(t, ends->deep, 0);
	PUT(t, 0x48, 0x89, 0x41, 0xf8); /* mov %rax, -8(%rcx) */
	put_pop(t, CX);
	put_pop(t, AX);
	PUT(t, 0xc3);
}

struct copy {
	uint8_t *base;
	size_t stubs[STUBS], morestack; /* offsets */
	size_t *funcs, *tables;
};

/* Where everything goes; returns the size. */
static size_t lay_copy(const struct gl_proof *proof, struct copy *c)
{
	size_t at = 0;

	for (int i = 0; i < STUBS; i++, at += STUB_SIZE) {
		c->stubs[i] = at;
	}
	c->morestack = at;
	at += 2 * (size_t)STUB_SIZE;
	for (size_t i = 0; i < proof->nfuncs; i++) {
		c->funcs[i] = at;
		at = (at + proof->funcs[i].size + 15) & ~(size_t)15;
	}
	for (size_t i = 0; i < proof->ntables; i++) {
		c->tables[i] = at;
		at += 8 * (size_t)proof->tables[i].n;
	}
	return gl_page_round(at);
}

static uintptr_t address_in(const struct copy *c, size_t off) { return (uintptr_t)c->base + off; }

/* Does the instruction refer to what the proof says, by the bytes that will be changed? */
static bool is_told(const uint8_t *insn, const struct gl_fact *fact)
{
	int32_t off;

	if (fact->at == 0 || fact->at + sizeof(off) > fact->size) {
		return false;
	}
	memcpy(&off, insn + fact->at, sizeof(off));
	return (uintptr_t)insn + fact->size + (uintptr_t)(intptr_t)off == fact->target;
}

static int set_offset(uint8_t *insn, const struct gl_fact *fact, uintptr_t target, struct gl_error *err)
{
	int64_t off = (int64_t)(target - ((uintptr_t)insn + fact->size));
	int32_t word = (int32_t)off;

	if (word != off) {
		return gl_fail(err, GL_EUNSUPPORTED, "a reference that is out of a copy's reach");
	}
	memcpy(insn + fact->at, &word, sizeof(word));
	return 0;
}

static int copy_insn(const struct copy *c, uint8_t *to, const uint8_t *from, const struct gl_fact *fact,
		     const struct block *b, struct gl_error *err)
{
	static const uint8_t lea_r14[] = { 0x4c, 0x8d, 0x35 };
	struct gl_fact lea = { .size = 7, .at = 3 };

	memcpy(to, from, fact->size);
	if (fact->ref >= GL_REF_DATA && fact->ref <= GL_REF_TABLE && !is_told(from, fact)) {
		return gl_fail(err, GL_EUNSUPPORTED, "a reference that can't be told anew");
	}
	switch (fact->ref) {
	case GL_REF_NONE: return 0;
	case GL_REF_DATA: return set_offset(to, fact, fact->target, err);
	case GL_REF_CODE: return set_offset(to, fact, address_in(c, c->funcs[fact->index]), err);
	case GL_REF_PANIC: return set_offset(to, fact, address_in(c, c->stubs[fact->index]), err);
	case GL_REF_MORESTACK: return set_offset(to, fact, address_in(c, c->morestack), err);
	case GL_REF_TABLE: return set_offset(to, fact, address_in(c, c->tables[fact->index]), err);
	case GL_REF_G:
		memset(to, 0x90, fact->size);
		memcpy(to, lea_r14, sizeof(lea_r14));
		return set_offset(to, &lea, (uintptr_t)b->g, err);
	case GL_REF_GIVE_UP: *to = HLT; return 0;
	case GL_REF_DROPPED: memset(to, 0x90, fact->size); return 0;
	}
	return 0;
}

static int write_copy(const struct gl_proof *proof, const struct copy *c, size_t size, struct block *b,
		      const struct ends *ends, struct gl_error *err)
{
	memset(c->base, HLT, size);
	for (int i = 0; i < STUBS; i++) {
		struct text t = { .at = c->base + c->stubs[i] };
		put_failure(&t, b, (enum gl_pure_status)i, ends->fail);
		memcpy(c->base + c->stubs[i], t.bytes, t.n);
	}
	struct text t = { .at = c->base + c->morestack };
	put_morestack(&t, b, ends, address_in(c, c->stubs[GL_PURE_DEEP]));
	if (t.failed || t.n > 2 * STUB_SIZE) {
		return gl_fail(err, GL_EUNSUPPORTED, "thunks are out of reach");
	}
	memcpy(c->base + c->morestack, t.bytes, t.n);
	for (size_t i = 0; i < proof->nfuncs; i++) {
		const struct gl_proved *f = &proof->funcs[i];
		for (size_t k = 0; k < f->nfacts; k++) {
			const struct gl_fact *fact = &f->facts[k];
			if (copy_insn(c, c->base + c->funcs[i] + fact->off, (const uint8_t *)f->addr + fact->off, fact,
				      b, err) != 0) {
				return -1;
			}
		}
	}
	for (size_t i = 0; i < proof->ntables; i++) {
		const struct gl_jump_table *table = &proof->tables[i];
		for (uint32_t k = 0; k < table->n; k++) {
			uintptr_t target;
			memcpy(&target, (const uint8_t *)table->addr + 8 * (size_t)k, sizeof(target));
			target += address_in(c, c->funcs[table->func]) - proof->funcs[table->func].addr;
			memcpy(c->base + c->tables[i] + 8 * (size_t)k, &target, sizeof(target));
		}
	}
	return 0;
}

/* ---- functions ------------------------------------------------------------------------------------------------------
 */

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
	if ((b == NULL || b->nthunks == THUNKS_SIZE / THUNK_SIZE) && (b = block_new(room, err)) == NULL) {
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
	p->thunk_code = thunks_of(b) + (size_t)b->nthunks * THUNK_SIZE;
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
	uint8_t *code = thunks_of(p->block);

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

static int make(struct pure *p, const struct gl_proof *proof, const struct gl_pure_shape *shape, struct gl_error *err)
{
	struct text t = { .at = p->thunk_code };
	struct ends ends;
	struct copy c = { .funcs = calloc(proof->nfuncs + 1, sizeof(size_t)),
			  .tables = calloc(proof->ntables + 1, sizeof(size_t)) };
	int ret = -1;

	p->region = region_new();
	if (c.funcs == NULL || c.tables == NULL || p->region == NULL) {
		gl_fail(err, GL_ENOMEM, "no memory for the pure path");
		goto done;
	}
	p->copy_size = lay_copy(proof, &c);
	p->copy = gl_arena_take(gl_host_arena(p->room->host), p->copy_size, err);
	if (p->copy == NULL) {
		goto done;
	}
	c.base = p->copy;
	put_thunk(&t, p->block, p->thunk, shape, proof, &ends);
	if (write_thunk(p, &t, err) != 0 || write_copy(proof, &c, p->copy_size, p->block, &ends, err) != 0 ||
	    gl_arena_protect(p->copy, p->copy_size, GL_PROT_READ_EXEC, err) != 0 || catch_faults(err) != 0) {
		goto done;
	}
	p->closed_code = ends.closed;
	p->thunk->code = address_in(&c, c.funcs[0]);
	p->thunk->calls = 0;
	p->pub = (struct gl_pure){ .entry = p->thunk_code, .cell = &p->block->cell, .calls = &p->thunk->calls };
	p->region->fail = ends.fail;
	p->region->status = &p->block->cell.status;
	p->region->guard_low = (uintptr_t)p->room->stack;
	p->region->guard_high = (uintptr_t)p->room->stack + GUARD_SIZE;
	region_set(p->region, (uintptr_t)p->copy, (uintptr_t)p->copy + p->copy_size);
	ret = 0;
done:
	free(c.funcs);
	free(c.tables);
	return ret;
}

static void give_copy(struct pure *p)
{
	if (p->region != NULL) {
		atomic_store(&p->region->low, UINTPTR_MAX);
		atomic_store(&p->region->high, 0);
		p->region = NULL;
	}
	if (p->copy != NULL) {
		gl_arena_give(gl_host_arena(p->room->host), p->copy, p->copy_size);
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

#else

struct gl_pure_room *gl_pure_room_new(struct gl_host *host, struct gl_error *err)
{
	gl_fail(err, GL_EUNSUPPORTED, "%s: the pure path is not known on this processor", gl_host_path(host));
	return NULL;
}

void gl_pure_room_free(struct gl_pure_room *room) { (void)room; }

struct gl_pure *gl_pure_new(struct gl_pure_room *room, const struct gl_module *mod, uintptr_t addr,
			    const struct gl_pure_shape *shape, struct gl_proof **refused, struct gl_error *err)
{
	(void)room, (void)mod, (void)addr, (void)shape;
	*refused = NULL;
	gl_fail(err, GL_EUNSUPPORTED, "the pure path is not known on this processor");
	return NULL;
}

void gl_pure_close(struct gl_pure *pure) { (void)pure; }
void gl_pure_keep(struct gl_pure *pure) { (void)pure; }
void gl_pure_drop(struct gl_pure *pure) { (void)pure; }

#endif
