/* What of each object has to be shipped. */
#ifndef GL_LINK_PRUNE_H
#define GL_LINK_PRUNE_H

#include "package.h"

/* What of each object has to be shipped, once everything is resolved. */
struct kept {
	const struct lobj *obj;
	uint8_t *symbols; /* per symbol: GL_KEEP_… */
	UT_hash_handle hh;
};
int link_keep(struct link *l, struct kept **kept);
void kept_free(struct kept *kept);

#endif
