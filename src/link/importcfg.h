/* The list of archives beside the host. */
#ifndef GL_LINK_IMPORTCFG_H
#define GL_LINK_IMPORTCFG_H

#include <stddef.h>

/* NULL when it can't be read. */
struct importcfg *importcfg_read(const char *name);
char *importcfg_find(const struct importcfg *cfg,
		     const char *path); /* a file; NULL when none is listed. To be freed. */
/* Of line i; NULL behind the last. It is the list's own. */
const char *importcfg_path(const struct importcfg *cfg, size_t i);

#endif
