/* What the files of resolve share: a reference is resolved to a symbol (resolve.c), which is bound to where it lives
 * (bind.c), and marked, with all that it refers to in turn (mark.c). */
#ifndef GL_LINK_RESOLVE_H
#define GL_LINK_RESOLVE_H

#include "../grow.h"
#include "link.h"

/* link.c. Appends to a growing array; without memory the load is marked as failed, and the caller goes on to the next
 * check. */
void link_push(struct link *l, uint32_t **array, uint32_t *n, uint32_t *cap, uint32_t v);

/* resolve.c. The symbol of a name. obj and idx are the definition in the object at hand; obj is NULL when it has none.
 */
uint32_t link_resolve_name(struct link *l, struct gl_str name, uint8_t want_abi, enum unit_id view,
			   const struct lobj *obj, uint32_t idx, uint32_t referrer);
/* Symbol number i of the object, which must have been touched: defined there or named there. */
uint32_t link_resolve_local(struct link *l, struct lobj *obj, uint32_t i, enum unit_id view, uint32_t referrer);
/* Makes an object's caches for the view. */
int link_touch(struct link *l, struct lobj *obj, enum unit_id view);

/* bind.c. */
void link_bind(struct link *l, uint32_t self, enum unit_id view, const struct lobj *obj, uint32_t idx, enum tie tie);
/* Makes symbol number idx of obj the definition of s. */
void link_place(struct link *l, struct lsym *s, const struct lobj *obj, uint32_t idx, enum unit_id unit);
/* Binds s to what an earlier load placed under its name, if anything. */
bool link_bind_known(struct lsym *s, struct known_sym *const *names);
/* Binds s to the host, or else to the resident store. */
bool link_bind_fixed(struct link *l, struct lsym *s);

/* Does the object that is being read define this symbol itself, so that no look-up is needed? */
bool link_defines_itself(const struct lobj *obj, uint32_t idx);

/* csyms.c. Who imports the C symbol that symbol number i of obj is, where obj does not say so itself: a variable or
 * function without content, declared to be of that name by go:linkname, while another package of the program has the
 * cgo line. Go's linker knows each name once, and takes it so (cmd/link/internal/ld/go.go, setCgoAttr). NULL: nobody.
 */
const struct gl_cgo_import *link_find_c_import(struct link *l, const struct lobj *obj, uint32_t i,
					       const struct lobj **owner);
/* A C symbol, as one object sees it: each module has its own. */
uint32_t link_resolve_c(struct link *l, const struct lobj *obj, const struct gl_cgo_import *import, struct gl_str name,
			uint32_t referrer);

/* mark.c. */
/* All Go functions that the package exports to C. */
void link_root_go_exports(struct link *l, struct lpkg *p);

/* missing.c. */
void link_note_missing(struct link *l, uint32_t s);
void link_note_missing_package(struct link *l, struct gl_str path);
/* Drops what has been found after all. */
void link_forget_found(struct link *l);
/* Fails with GL_EMISSING. */
int link_report_missing(struct link *l);

#endif
