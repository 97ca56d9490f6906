/* What an interface asks for, in export data (internal to this room). */
#ifndef GL_INTERFACE_H
#define GL_INTERFACE_H

#include "pkgbits.h"

struct method {
	const char *pkg, *name; /* pkg: whose name it is, which tells apart those that are not exported */
	const char *signature;  /* "(string) error" */
	bool exported;
};

struct methods {
	struct method *list; /* in the order of types.CompareSyms, in which names of types have them */
	uint32_t n, cap;
	const char **terms; /* of a constraint: "~int | ~string", "comparable" */
	uint32_t nterms, cap_terms;
	bool is_implicit; /* the constraint was written without "interface" */
};

/* Reads the interface that follows, with all that is embedded in it, into *ms, to be freed with interface_free. The
 * strings live as long as the reading. */
void interface_read(struct elem *e, struct methods *ms);
void interface_free(struct methods *ms);

#endif
