/* The host's symbols. */
#ifndef GL_LINK_HOSTSYMS_H
#define GL_LINK_HOSTSYMS_H

#include "../image/image.h"
#include "../object/object.h"

struct link;
struct linker;

/* Finds a function of that ABI in the host, or a variable. */
bool host_lookup(struct link *l, const char *name, size_t len, uint8_t want_abi, struct gl_image_sym *out);
/* What the host's own tables say of the function at addr (its runtime._func); NULL when it has none. */
const uint8_t *host_func(const struct linker *linker, uintptr_t addr);
/* Is the package linked into the host? With which fingerprint (8 bytes)? NULL: it isn't. */
const uint8_t *link_host_has(struct link *l, struct gl_str path);

#endif
