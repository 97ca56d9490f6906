/* Delve finds the type of an interface's value by the descriptor that its first word leads to. It goes through the
 * runtime's list of modules until one has the address among its types, takes the file that has the code at that
 * module's text, and there the entry whose runtime_type is as far from the first type (pkg/proc/types.go,
 * RuntimeTypeToDIE).
 *
 * In the runtime's list one module stands for all of ours (link/lookup.h), whose text is the host's. So Delve has a
 * list of its own: programs that goloader makes tell debuggers that the `next` of a moduledata is where its pluginpath
 * is (host/mkhost/modulelist.go). The runtime never reads where an empty plugin path points to. Nobody but a debugger
 * reads the list, while the process stands still. */
#include "modules.h"

#include <stdlib.h>
#include <string.h>

#include "../abi/abi.h"

/* A moduledata that is empty but for what Delve reads. */
struct listed {
	uint8_t moduledata[1];
};

static struct {
	const struct gl_abi *abi;
	uint8_t *first; /* NULL: there is no list */
} list;

static uintptr_t field(const uint8_t *moduledata, int64_t offset)
{
	uintptr_t v;

	memcpy(&v, moduledata + offset, sizeof(v));
	return v;
}

static void set_field(uint8_t *moduledata, int64_t offset, uintptr_t v) { memcpy(moduledata + offset, &v, sizeof(v)); }

void modules_begin(const struct gl_abi *abi, uintptr_t firstmoduledata)
{
	list.abi = abi;
	list.first = NULL;
	/* a program has no plugin path, the second word of which is its length */
	if (firstmoduledata != 0 && abi->moduledata.pluginpath >= 0 &&
	    field((uint8_t *)firstmoduledata, abi->moduledata.pluginpath + (int64_t)sizeof(uintptr_t)) == 0) {
		list.first = (uint8_t *)firstmoduledata;
	}
}

struct listed *modules_add(uintptr_t moduledata, uintptr_t function)
{
	const struct gl_abi *abi = list.abi;
	uint8_t *entry = list.first != NULL ? calloc(1, abi->moduledata.size) : NULL;

	if (entry == NULL) {
		return NULL;
	}
	set_field(entry, abi->moduledata.types, field((uint8_t *)moduledata, abi->moduledata.types));
	set_field(entry, abi->moduledata.etypes, field((uint8_t *)moduledata, abi->moduledata.etypes));
	set_field(entry, abi->moduledata.etext, field((uint8_t *)moduledata, abi->moduledata.etext));
	set_field(entry, abi->moduledata.text, function);
	set_field(entry, abi->moduledata.pluginpath, field(list.first, abi->moduledata.pluginpath));
	set_field(list.first, abi->moduledata.pluginpath, (uintptr_t)entry);
	return (struct listed *)entry;
}

void modules_remove(struct listed *listed)
{
	if (listed == NULL) {
		return;
	}
	for (uint8_t *at = list.first; at != NULL; at = (uint8_t *)field(at, list.abi->moduledata.pluginpath)) {
		if (field(at, list.abi->moduledata.pluginpath) == (uintptr_t)listed) {
			set_field(at, list.abi->moduledata.pluginpath,
				  field(listed->moduledata, list.abi->moduledata.pluginpath));
			break;
		}
	}
	free(listed);
}
