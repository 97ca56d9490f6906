/* Go's memory profile costs memory for ever: the runtime keeps a record of each place that ever allocated what it has
 * sampled (runtime/mprof.go, stkbucket), places are known by their addresses, and a module that is loaded anew has new
 * ones. Go's linker switches the profile off in a program that can't read it, one that has no use for
 * runtime.MemProfile (cmd/link/internal/ld/lib.go, runtime.disableMemoryProfiling). A host has everything, so it is we
 * who do that: the profile is off from the host's start on, and on while a module is loaded that has a use for it.
 *
 * It is left alone where somebody has chosen: by the option of goloader.host, by GODEBUG=memprofilerate, or by being
 * the host itself, a program that has its own reasons. */
#include "internal.h"

#include <string.h>

static void set_rate(struct gl_host *host, int64_t bytes)
{
	__atomic_store_n(host->vars.profile_rate, bytes, __ATOMIC_RELAXED);
}

static int64_t rate(const struct gl_host *host) { return __atomic_load_n(host->vars.profile_rate, __ATOMIC_RELAXED); }

void host_begin_profile(struct gl_host *host, bool was_there)
{
	if (host->vars.profile_rate != NULL) {
		host->profile_is_ours = !was_there;
		host->usual_rate = rate(host);
	}
	if (host->profile_is_ours) {
		set_rate(host, 0);
	}
}

void gl_host_profile_memory(struct gl_host *host, int64_t bytes)
{
	if (host->vars.profile_rate != NULL) {
		host->profile_is_ours = false;
		set_rate(host, bytes);
	}
}

/* What leads to runtime.MemProfile: itself, and what of the standard library calls it; some of that isn't exported, but
 * what calls it may be inlined. A package that is only imported for what its init functions do is asked for by its
 * inittask. */
static const char *const readers[] = {
	"runtime.MemProfile",        "runtime/pprof.Lookup",           "runtime/pprof.Profiles",
	"runtime/pprof.NewProfile",  "runtime/pprof.WriteHeapProfile", "runtime/pprof.lockProfiles",
	"runtime/pprof.heapProfile", "runtime/pprof.allocsProfile",    "runtime/pprof.countHeap",
	"runtime/pprof.writeHeap",   "runtime/pprof.writeAlloc",       "runtime/pprof.writeHeapInternal",
	"net/http/pprof..inittask",
};

static bool refers_to(const struct link *l, enum unit_id view, const char *name)
{
	struct lsym *s = NULL;

	for (int abi = 0; abi < 2 && s == NULL; abi++) {
		HASH_FIND(hh, l->by_name[view][abi], name, strlen(name), s);
	}
	return s != NULL;
}

bool module_reads_profile(const struct link *l, enum unit_id view)
{
	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
		if (refers_to(l, view, readers[i])) {
			return true;
		}
	}
	return false;
}

void module_add_profile_reader(struct gl_host *host)
{
	if (host->nprofile_readers++ == 0 && host->profile_is_ours && rate(host) == 0) {
		set_rate(host, host->usual_rate);
	}
}

void module_drop_profile_reader(struct gl_host *host)
{
	if (--host->nprofile_readers == 0 && host->profile_is_ours && rate(host) == host->usual_rate) {
		set_rate(host, 0);
	}
}

void gl_module_read_profile(struct gl_module *mod, bool reads)
{
	if (mod->reads_profile == reads) {
		return;
	}
	mod->reads_profile = reads;
	if (reads) {
		module_add_profile_reader(mod->host);
	} else {
		module_drop_profile_reader(mod->host);
	}
}
