/* The pure path on processors for which nobody has written it. */
#include "pure.h"

#if !defined(__x86_64__)

struct gl_pure_room *gl_pure_room_new(struct gl_host *host, struct gl_error *err)
{
	gl_fail(err, GL_EUNSUPPORTED, "%s: the pure path is not known on this processor", gl_host_path(host));
	return NULL;
}

void gl_pure_room_free(struct gl_pure_room *room) { (void)room; }

struct gl_pure *gl_pure_new(struct gl_pure_room *room, const struct gl_module *mod, uintptr_t addr,
			    const struct gl_pure_shape *shape, struct gl_proof **refused, struct gl_error *err)
{
	(void)room, (void)mod, (void)addr, (void)shape;
	*refused = NULL;
	gl_fail(err, GL_EUNSUPPORTED, "the pure path is not known on this processor");
	return NULL;
}

void gl_pure_close(struct gl_pure *pure) { (void)pure; }
void gl_pure_keep(struct gl_pure *pure) { (void)pure; }
void gl_pure_drop(struct gl_pure *pure) { (void)pure; }

#endif
