/* The list of archives beside the host. */
#ifndef GL_LINK_IMPORTCFG_H
#define GL_LINK_IMPORTCFG_H

#include <stddef.h>

/* NULL when it can't be read. Strings are the list's own. */
struct importcfg *importcfg_read(const char *name);
const char *importcfg_find(const struct importcfg *cfg, const char *path); /* a file; NULL when it isn't listed */
const char *importcfg_path(const struct importcfg *cfg, size_t i);         /* of line i; NULL behind the last */

#endif
