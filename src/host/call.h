/* What the C half (src/call) and the Go half (src/host) of a call say to each other.
 *
 * Values cross as a stream of 64-bit words in memory that C owns. An argument stream is written by C, complete, before
 * Go is entered; a result stream is written by Go, complete, before it returns. So neither side's errors unwind the
 * other's frames, and no pointer to either side's garbage-collected memory is kept by the other.
 *
 *     bool, integers   one word (two's complement)
 *     floats           the bits of a float64
 *     complex          two floats
 *     string, bytes,   length in bytes, then the bytes, padded to whole words
 *       time
 *     slice            number of elements, then the elements
 *     array            number of elements, then the elements
 *     map              number of entries, then key and value of each
 *                      (of bytes, a slice or a map as an argument, a length of -1 is Go's nil)
 *     struct           its exported fields in order; as an argument the number of those that are there, then each one's
 *                      index and value
 *     pointer          a word: is it there? then what it points to
 *     error            a word: is it there? as an argument then a string, before which GL_TAG_ERROR in place of the
 *                      word has the value's number in Go; or as a handle by its class. As a result message and type,
 *                      two strings, whether a time was over, and that number
 *     handle           0 for nil; as a result then its number, its class, and whether Go has a class for it; as an
 *                      argument 1 and the value in the form that tables have, or GL_BY_CLASS, the number of a class
 *                      and a value of that
 *     any              a tag (enum gl_tag), then what the tag says
 *     func             as a result like a handle; as an argument the number of a Lua function, 0 for nil; then what
 *                      messages call it, a string
 *     context.Context  as a result like a handle; as an argument a word: is it there? then is there a timeout? and the
 *                      timeout, is there a deadline? and the deadline, both in seconds; number of values, then for
 *                      each its key, a string, and what it is, as any
 *
 * As an argument each of these but numbers and strings may be a handle's value instead: then the first word is
 * GL_BY_HANDLE, and the handle's number follows. */
#ifndef GL_HOST_CALL_H
#define GL_HOST_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gl_kind {
	GL_KIND_NONE, /* Lua can't carry it: the type's name says what, completing "has type …" */
	GL_KIND_BOOL,
	GL_KIND_INT,
	GL_KIND_UINT,
	GL_KIND_FLOAT,
	GL_KIND_COMPLEX,
	GL_KIND_STRING,
	GL_KIND_BYTES,
	GL_KIND_TIME,
	GL_KIND_SLICE,
	GL_KIND_ARRAY,
	GL_KIND_MAP,
	GL_KIND_STRUCT,
	GL_KIND_POINTER,
	GL_KIND_ERROR,
	GL_KIND_ANY,
	GL_KIND_CONTEXT,
	GL_KIND_FUNC,   /* its fields are parameters and results, len the number of parameters; bits: 1 when variadic */
	GL_KIND_HANDLE, /* stays in Go. Its length: may it be nil? Its element: the form of a table that makes one */
};

#define GL_BY_HANDLE ((uint64_t)-2)
#define GL_BY_CLASS ((uint64_t)-3)

enum gl_tag {
	GL_TAG_NIL,
	GL_TAG_BOOL,
	GL_TAG_INT,
	GL_TAG_UINT,
	GL_TAG_FLOAT,
	GL_TAG_COMPLEX,
	GL_TAG_STRING,
	GL_TAG_LIST,    /* number of elements, each tagged */
	GL_TAG_MAP,     /* number of entries, key and value tagged */
	GL_TAG_ERROR,   /* as an error that is there */
	GL_TAG_HANDLE,  /* number and class */
	GL_TAG_METHODS, /* the number of the class whose methods it has, then a list or a map, tagged; as an argument
			 * the number of the class, then a value of it */
};

enum gl_status {
	GL_CALL_DONE,
	GL_CALL_PANICKED, /* the stream holds the message; the number of parts of a traceback, and their texts */
	GL_CALL_EXITED,   /* the function called runtime.Goexit */
	GL_CALL_LUA,      /* a Lua function that it called has failed; the stream is that of GL_CALLBACK_ERROR, then a
			   * number of frames, and of each its function, file and line */
	GL_CALL_TYPE,     /* the stream holds a string: which value could not be carried and why */
	GL_CALL_ARGUMENT, /* the stream holds the number of a parameter, and a string: what is wrong with it */
	GL_CALL_GONE,     /* the stream holds a string: the type of a handle whose module has gone, or "" */
};

/* Memory of malloc's that Go may grow. */
struct gl_buffer {
	uint64_t *p;
	size_t len, cap; /* words */
	/* Of a call that is done: how many handles its stream has. Behind the stream, at p[len] and on, is where in it
	 * they are, in the order in which they are read. */
	size_t nhandles;
};

/* A call by registers alone: src/host/internal/enter has this layout too. */
#if defined(__aarch64__)
#define GL_INT_REGS 16
#define GL_FLOAT_REGS 16
#else
#define GL_INT_REGS 9
#define GL_FLOAT_REGS 15
#endif
struct gl_regs {
	uint64_t ints[GL_INT_REGS];
	uint64_t floats[GL_FLOAT_REGS];
	uint64_t ptrs[GL_INT_REGS]; /* Go's */
	uint8_t return_is_ptr[8];
};

struct gl_fast_call {
	void *fn; /* the function's code */
	struct gl_regs regs;
	uint32_t copies; /* bit i: words i and i+1 are address and length of bytes, of which the function gets a copy */
	uint32_t lent;   /* those of them that the function does not keep */
	uint32_t strings; /* results: words i and i+1 are a string or slice of bytes: becomes its place in out, in words
			   */
	int32_t error; /* results: the first word of an error: becomes its place in out, or 0 for nil; -1: there is none
			*/
	int32_t receiver; /* the word that is a handle's number, in place of the pointer it stands for; -1: none is */
	enum gl_status status;
	struct gl_buffer *out; /* its first word is never used: a place of 0 means nil */
};

/* A call on the general road, or the reading or writing of a variable. */
struct gl_call {
	uint64_t plan;
	void *addr; /* a function's code, a variable's address */
	const struct gl_buffer *in;
	struct gl_buffer *out;
	enum gl_status status;
	void *caller;    /* for Lua functions that it is given */
	bool keep;       /* results stay in Go as handles, but for what Lua has no need of one for */
	uint64_t handle; /* of a function value to be called, in place of addr; 0: none */
};

/* A type as C describes it to Go. Most types have a descriptor; composite types that no code ever put into an
 * interface may have none, and are told by their parts. */
enum gl_type_op {
	GL_TYPE_DESCRIPTOR,
	GL_TYPE_SLICE,
	GL_TYPE_POINTER,
	GL_TYPE_ARRAY,
	GL_TYPE_MAP,
	GL_TYPE_FUNC,
	GL_TYPE_VARIADIC, /* a func whose last parameter is */
	GL_TYPE_PART,     /* of a func: a parameter or result */
	GL_TYPE_UNKNOWN
};
#define GL_TYPE_LAST UINT32_MAX
struct gl_type_expr {
	enum gl_type_op op;
	void *descriptor; /* GL_TYPE_DESCRIPTOR */
	const char *name; /* GL_TYPE_UNKNOWN: as the compiler names it */
	uint64_t len;     /* GL_TYPE_ARRAY; GL_TYPE_FUNC, VARIADIC: number of parameters */
	/* indices of the parts: GL_TYPE_SLICE, POINTER, ARRAY, PART: elem; GL_TYPE_MAP: key and elem;
	 * GL_TYPE_FUNC, VARIADIC, PART: key, the next part, parameters before results; or GL_TYPE_LAST */
	uint32_t key, elem;
};

/* What goloader_plan gets; its answer comes in out:
 *     number of types, then for each: kind, bits, length, the class whose methods its tables have (0: none), key, elem
 *         (indices), name, number of fields, name and type of each
 *     for each parameter and then each result: type, its first register or -1 when it goes by the stack */
struct gl_plan_request {
	const struct gl_type_expr *exprs;
	const uint32_t *params; /* nparams + nresults indices of exprs; a variable is one result */
	uint32_t nexprs, nparams, nresults;
	struct gl_buffer *out;
	uint64_t plan; /* out: the handle, for gl_call and goloader_plan_free */
};

struct gl_callback;

/* ---- handles -------------------------------------------------------------------------------------------------------
 */

/* What the values of a class are. */
enum gl_shape {
	GL_SHAPE_OTHER,
	GL_SHAPE_STRUCT,
	GL_SHAPE_LIST, /* a slice or an array */
	GL_SHAPE_MAP,
	GL_SHAPE_CHAN,
	GL_SHAPE_FUNC,
	GL_SHAPE_SEQ,  /* a function to range over, which yields nothing, */
	GL_SHAPE_SEQ1, /* a value, */
	GL_SHAPE_SEQ2, /* or two */
};

/* A class is what handles of one type have in common. The answer to a request for one comes in out:
 *     shape, has it methods?, name; types as goloader_plan gives them; then indices of types: key, element, what its
 *     handles stand for; the number of its fields, name, type and offset of each, -1 where a pointer leads to it */
struct gl_class_request {
	uint64_t id, handle; /* of the class, and a handle of it; 0: of its values' tables */
	struct gl_buffer *out;
	uint64_t plan; /* out: for GL_OP_FITS, and goloader_plan_free */
	enum gl_status status;
};

/* Which methods there are of values of a class, or of the type at descriptor where id is 0. The answer comes in out:
 *     the type's name; can a method change nothing but what its receiver points to? the number of methods; of each its
 *     name, its signature, and has it the value itself as its receiver? */
struct gl_methods_request {
	uint64_t id;
	void *descriptor;
	struct gl_buffer *out;
	enum gl_status status;
};

/* A method of a class, by its name, or what a function value takes and returns, by "". The answer comes in out, as
 * goloader_plan gives it, with the receiver as the first parameter; behind it: is it variadic? and its signature. */
struct gl_method_request {
	uint64_t id, handle; /* of the class, and a handle of it; 0: of its values' tables */
	bool by_value;       /* the one that has the value itself as its receiver */
	const char *name;
	size_t len;
	struct gl_buffer *out;
	uint32_t nparams, nresults; /* out */
	void *addr;                 /* out: its code; NULL when there is no such method */
	bool by_pointer;            /* out: its receiver is a pointer to what a handle of the class stands for */
	uint64_t plan;              /* out */
	enum gl_status status;
};

enum gl_op {
	GL_OP_COPY,  /* the value, copied out; plan says how (goloader_copy_plan) */
	GL_OP_GET,   /* the value as it is read from inside another one */
	GL_OP_VALUE, /* the value as it is as a result, copied out one level deep */
	GL_OP_SET,   /* takes the value from in */
	GL_OP_FIELD, /* number n */
	GL_OP_SET_FIELD,
	GL_OP_NEXT_FIELD, /* the first from n on that is there; result: the number behind it, or 0 */
	GL_OP_INDEX,      /* element n, from 0 */
	GL_OP_SET_INDEX,
	GL_OP_KEY, /* the key is in in; result: is it there? */
	GL_OP_SET_KEY,
	GL_OP_DELETE_KEY,
	GL_OP_LEN,        /* result */
	GL_OP_TEXT,       /* a string */
	GL_OP_EQUAL,      /* to handle n? result */
	GL_OP_FITS,       /* can it be used as type n of plan? result */
	GL_OP_CLASS_FITS, /* the same for values of the class whose number stands in place of the handle's */
	GL_OP_SEND,       /* within seconds, < 0: for ever; result: enum gl_chan */
	GL_OP_RECEIVE,
	GL_OP_CLOSE,
	GL_OP_ITERATE, /* result: the number of a handle, for GL_OP_NEXT: */
	GL_OP_NEXT,    /* at most n keys and values; result: how many */
	/* of errors, from here on: */
	GL_OP_IS,     /* errors.Is(it, handle n)? result */
	GL_OP_AS,     /* the error in its chain with the type of the name in in, as a value read from inside */
	GL_OP_UNWRAP, /* an error */
};

enum gl_chan { GL_CHAN_DONE, GL_CHAN_CLOSED, GL_CHAN_TIMEOUT };

struct gl_handle_op {
	enum gl_op op;
	enum gl_status status;
	uint64_t handle, n, plan;
	double seconds;
	const struct gl_buffer *in;
	struct gl_buffer *out;
	int64_t result;
};

/* What the Go half needs to know of the runtime that only C can find out. */
struct gl_call_setup {
	void (*callback)(struct gl_callback *); /* calls a Lua function */
	void (*tell_stack)(void);               /* writes which functions of Lua have called Go on this thread */
	/* functions' code (ABIInternal) */
	void *reflectcall, *unsafe_New, *unsafe_NewArray;
	void *exported_methods;                           /* internal/abi.(*Type).ExportedMethods */
	void *resolve_name, *resolve_type, *resolve_text; /* reflect.resolveNameOff, … */
	/* offsets in bytes: of runtime.g and runtime._panic, -1 when unknown; of internal/abi.Type */
	int32_t g_panic, panic_link, panic_goexit;
	int32_t type_size, type_ptrbytes, type_gcdata, type_bytes;
	uint32_t ints, floats; /* out: registers that carry arguments, to be compared with gl_regs */
};

#endif
