/* What debuggers are to be told of a load's functions beyond what the runtime's tables say. */
#ifndef GL_LINK_VARIABLES_H
#define GL_LINK_VARIABLES_H

#include "link.h"

struct variables;

/* Arguments and variables of the unit's functions, once they have their addresses; of those whose objects have DWARF.
 * all_types: and all types whose descriptors lie in the unit, since values of interfaces may be of any.
 * NULL when there are none, or memory is short: nothing depends on it. The result is freed with variables_free. */
struct variables *link_variables(struct link *l, enum unit_id id, bool all_types);

#endif
