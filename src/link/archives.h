/* Archives of what the host lacks. */
#ifndef GL_LINK_ARCHIVES_H
#define GL_LINK_ARCHIVES_H

#include "package.h"

struct linker;

/* Archives of what the host lacks. link_archive finds one; link_open_archive opens it too: NULL when there is none. One
 * whose file has gone (Go trims its build cache) counts as none, so that the caller is asked for another; one that
 * can't be used fails the load. version, for messages, may be NULL. */
struct lpkg *linker_add_archive(struct linker *linker, const char *import_path, const char *file, const char *version,
				struct gl_error *err);
/* Notes, once its symbols are published, that the resident store holds some of p's. */
void linker_note_resident(struct linker *linker, const struct lpkg *p);
/* The archives that serve this load, by path. */
struct lpkg *link_archives(const struct link *l);
/* The same, with all that the list beside the host names. */
struct lpkg *link_all_archives(struct link *l);
struct lpkg *link_archive(struct link *l, struct gl_str path);
struct lpkg *link_open_archive(struct link *l, struct gl_str path);
/* Opens an archive of a package beside the one that link_archive finds: of another build. */
struct lpkg *link_open_other_archive(struct link *l, const char *import_path, const char *file);

#endif
