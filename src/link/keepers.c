/* Keepers: what keeps all that it is given for as long as the process lives.
 *
 * A module that has registered a driver, a codec or a handler with a package that others share leaves a pointer to its
 * code there, and nobody can take it back. So the module stays: unloading it is refused, with the name of what it
 * calls. Registries of types are not meant (encoding/gob's, say), for they are purged of a module's entries. */
#include "link.h"

#include <string.h>

/* The compiler puts a small function's body where it is called: then what it fills is met instead. */
static const struct {
	const char *name;
	const char *called; /* NULL: by its name */
} keepers[] = {
	{ "archive/zip.RegisterCompressor", NULL },
	{ "archive/zip.RegisterDecompressor", NULL },
	{ "archive/zip.compressors", "archive/zip.RegisterCompressor" },
	{ "archive/zip.decompressors", "archive/zip.RegisterDecompressor" },
	{ "crypto.RegisterHash", NULL },
	{ "crypto.hashes", "crypto.RegisterHash" },
	{ "database/sql.Register", NULL },
	{ "expvar.Publish", NULL },
	{ "expvar.NewFloat", NULL },
	{ "expvar.NewInt", NULL },
	{ "expvar.NewMap", NULL },
	{ "expvar.NewString", NULL },
	{ "image.RegisterFormat", NULL },
	{ "mime.AddExtensionType", NULL },
	{ "net/http.Handle", NULL },
	{ "net/http.HandleFunc", NULL },
	{ "net/http.DefaultServeMux", "net/http.Handle" },
	{ "runtime.addCleanup", "runtime.AddCleanup" },
	{ "runtime.lastmoduledatap", "the runtime's list of modules" },
	{ "runtime/pprof.NewProfile", NULL },
};

static bool refers_to(const struct link *l, enum unit_id view, const char *name)
{
	const struct lsym *sym = NULL;

	HASH_FIND(hh, l->by_name[view][GL_ABIINTERNAL], name, strlen(name), sym);
	return sym != NULL;
}

bool link_sets_finalizers(const struct link *l, enum unit_id view)
{
	return refers_to(l, view, "runtime.SetFinalizer");
}

const char *link_keeper(const struct link *l, enum unit_id view)
{
	for (size_t i = 0; i < sizeof(keepers) / sizeof(*keepers); i++) {
		if (refers_to(l, view, keepers[i].name)) {
			return keepers[i].called != NULL ? keepers[i].called : keepers[i].name;
		}
	}
	return NULL;
}
