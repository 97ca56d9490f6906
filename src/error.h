/* One error for the whole library: a code to branch on and one line a person can act on.
 *
 * An error is filled in where the fact is known and passed up unchanged. Every fallible function takes a
 * `struct gl_error *` as its last parameter and returns -1 or NULL after filling it in; the pointer is never NULL. */
#ifndef GL_ERROR_H
#define GL_ERROR_H

enum gl_code {
	GL_OK = 0,
	GL_EIO,          /* a file could not be opened, read or mapped */
	GL_EFORMAT,      /* a file is not what it claims to be: truncated, corrupt, foreign */
	GL_EMISMATCH,    /* a file is well formed, but made for another Go, processor or set of flags */
	GL_EVERSION,     /* the process has another version of a package, which the module shares */
	GL_EMISSING,     /* symbols that nobody defines; the message names them and who needs them */
	GL_ELIBRARY,     /* a shared library can't be loaded; the message is the dynamic linker's */
	GL_ECGO,         /* packages have parts in C that nobody has linked yet */
	GL_EDUPLICATE,   /* two objects of one module define the same symbol or package */
	GL_EUNSUPPORTED, /* a relocation, symbol kind or type that this version does not carry */
	GL_ENOMEM,       /* memory, or address space near the host */
	GL_EHOST,        /* the host could not be started, or lacks what is needed */
	GL_ELIMIT,       /* a limit of the process under which Go would end it */
	GL_EBUSY,        /* a module is still in use; the message says by whom */
	GL_EPANIC,       /* Go code panicked; the message is the panic's, with its traceback */
	GL_ETYPE,        /* a value does not fit the Go type it is meant for */
	GL_ECLOSED,      /* the module was unloaded */
	GL_ETRUST,       /* nobody whom the process trusts has signed it, or a secret key can be read by others */
};

struct gl_error {
	enum gl_code code;
	char message[8192]; /* one line, but for tracebacks, which follow it */
};

/* Sets code and message (printf-style, cut at the buffer's end) and returns -1, so that
 * `return gl_fail(err, …)` reads well. */
int gl_fail(struct gl_error *err, enum gl_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The message for memory that is short: gl_out_of_memory(err, "noting exports") is "out of memory while noting
 * exports". Sets GL_ENOMEM and returns -1. */
int gl_out_of_memory(struct gl_error *err, const char *doing, ...) __attribute__((format(printf, 2, 3)));

/* The code's name as Lua sees it in `err.code`: "mismatch", "missing", … */
const char *gl_code_name(enum gl_code code);

#endif
