/* What the readers of signatures share: parameters, as they are found (internal to this room). */
#ifndef GL_PARAMS_H
#define GL_PARAMS_H

#include "pool.h"
#include "signature.h"

/* A signature and what its strings live in. */
struct owned_signature {
	struct gl_signature sig;
	struct gl_pool pool;
};

struct params {
	struct gl_sigparam *list;
	uint32_t n, cap;
	struct gl_pool *pool;
	bool partial; /* something could not be told: a type parameter, say */
	bool nomem;
};

/* Adds a parameter whose strings are in the pool (or NULL, where there was no memory for them). */
void params_add(struct params *ps, struct gl_sigparam param);
/* Makes the signature of what was found. */
int params_finish(struct owned_signature *own, struct params *ps, struct gl_error *err);

#endif
