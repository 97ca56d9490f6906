/* The short way from C into Go (src/host/enter.go, src/host/internal/enter/cross.go), and the calls that take it from
 * machine code that LuaJIT has compiled (src/call/ffi.c, lua/goloader/roads/ffi.lua). */
#ifndef GL_HOST_ENTER_H
#define GL_HOST_ENTER_H

#include <stdbool.h>
#include <stdint.h>

#include "call.h"

/* Calls by FFI differ in what travels. */
enum gl_ffi_sort {
	GL_FFI_ANY,
	GL_FFI_WORDS,    /* no floats */
	GL_FFI_TEXT,     /* func(string) string */
	GL_FFI_INTEGRAL, /* only integers and bools, as many as there are registers, and one result at most: Lua puts
			  * the arguments into ints itself */
	GL_FFI_READ,     /* a field of what a handle stands for: nothing is called */
	GL_FFI_WRITE,
	GL_FFI_SORTS
};

/* What the short way needs to know of the runtime; offsets in bytes, -1 where this Go has no such field. */
struct gl_enter_setup {
	void *exitsyscall, *reentersyscall; /* func(); func(pc, sp[, bp] uintptr) */
	int32_t g_m, g_stack, g_sched, g_syscallsp, g_syscallpc, g_syscallbp, g_lockedm;
	int32_t m_g0, m_curg, m_incgo, m_isextra, m_is_extra_in_c, m_ncgo, m_locked_int, m_locked_ext, m_lockedg;
	int32_t m_p, m_oldp, m_syscalltick, p_schedtick, p_syscalltick;
	/* out */
	int (*enter)(void *arg, const void *func); /* enter.FromC; NULL: there is no short way */
	uint8_t *forked; /* to be set in the child of a fork, where Go does not run: then enter does nothing */
	/* functions to enter: goloader_call, goloader_call_fast, goloader_many, goloader_handle, goloader_job_start,
	 * and goloader_ffi, each sort */
	const void *call, *call_fast, *many, *handle, *job_start, *ffi[GL_FFI_SORTS], *ffi_many;
};

/* How one word of a call by FFI is carried. */
enum gl_ffi_kind {
	GL_FFI_BOOL,
	GL_FFI_INT,
	GL_FFI_UINT,
	GL_FFI_FLOAT,
	GL_FFI_STRING, /* two words in: address and length */
	GL_FFI_BYTES,  /* the same; address 0 is nil */
	GL_FFI_ERROR,  /* of a result: the last */
	GL_FFI_HANDLE, /* a handle's number, in place of the pointer it stands for: the first, of a method or a field */
};

struct gl_ffi_place {
	int64_t low, high; /* of an integer or a bool: what Lua can give, numbers that a double holds exactly */
	uint8_t kind;      /* enum gl_ffi_kind */
	uint8_t bits;      /* of a number */
	uint8_t reg;       /* the first register */
	bool is_lent;      /* a string that the function does not keep */
};

#define GL_FFI_MAX_WORDS 12
#define GL_FFI_RESULTS 4

enum gl_ffi_status {
	GL_FFI_DONE,    /* out holds the results */
	GL_FFI_ODD,     /* out holds them, but some need C: gl_ffi_finish */
	GL_FFI_FAILED,  /* panicked, or exited: gl_ffi_finish raises that */
	GL_FFI_REFUSED, /* an argument does not fit, Go was not asked: the C API road says which and why */
};

union gl_ffi_word {
	double d;
	int64_t i;
	uint64_t u;
	const char *s;
};

/* One function's calls from one Lua state. lua/goloader/roads/ffi.lua declares how it begins to LuaJIT, too. */
struct gl_ffi_call {
	/* a float, or an integer or bool of which Lua has made sure that it fits; of a string two words, address and
	 * length; nothing where ints has them already */
	union gl_ffi_word in[GL_FFI_MAX_WORDS];
	/* result i: words 2i and 2i+1: a number, and the integer that it stands for; address and length of a string;
	 * for an error the second says whether there is one */
	union gl_ffi_word out[2 * GL_FFI_RESULTS];
	uint32_t status;            /* enum gl_ffi_status */
	uint32_t busy;              /* Lua's: arguments are being put here, or results taken */
	uint64_t ints[GL_INT_REGS]; /* registers: of an integral call before and after it, else of a call without floats
				     */
	uint64_t calls, bytes_in, bytes_out;
	uint64_t in_company; /* of calls, those that entered Go together with one before them */
	/* set by C */
	void *fn;        /* NULL: the module was unloaded; a field has none, but is not NULL */
	uint64_t offset; /* of a field, bytes */
	uint64_t pins;   /* number of the Go half's memory that keeps results till Lua has them */
	uint8_t nparams, nresults;
	uint8_t is_int; /* returns a signed integer of 64 bits */
	uint8_t sort;   /* enum gl_ffi_sort */
	uint16_t return_is_ptr;
	struct gl_ffi_place params[GL_FFI_MAX_WORDS], results[GL_FFI_RESULTS];
	enum gl_status failure; /* GL_FFI_FAILED: how */
	struct gl_buffer *text;
	/* of the caller: Lua functions that Go has now. Nothing calls them from here, so that while there are any it is
	 * the C API road that is taken. */
	const uint32_t *functions;
};

#endif
