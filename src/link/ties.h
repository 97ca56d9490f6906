/* To whom a name belongs that mentions certain packages. */
#ifndef GL_LINK_TIES_H
#define GL_LINK_TIES_H

#include <stdint.h>

#include "../hash.h"
#include "../object/object.h"

struct link;
struct lpkg;

enum tie { TIE_NONE, TIE_USED, TIE_OWN };

struct tied_package {
	const char *path;
	enum tie tie;
	const uint8_t *fingerprint; /* of the package as it is in the process, or will be */
	UT_hash_handle hh;
};

/* Does the name mention one of the module's packages, or of those it uses? ("main.T" inside "type:map[string]main.T",
 * not inside "example/domain.T".) */
enum tie link_tie(const struct link *l, struct gl_str name);
/* Makes it known that names which mention the package belong to the module, or to one that it uses. */
int link_tie_package(struct link *l, enum tie tie, const char *path, const uint8_t *fingerprint);
/* The same of a package that the load was given: it is the module's own, or completes what a used module has of it. */
int link_tie_own(struct link *l, struct lpkg *p);

#endif
