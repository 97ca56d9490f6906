#include "capstone.h"

#include <dlfcn.h>

#define STRING_OF(x) #x
#define STRING(x) STRING_OF(x)

/* The one whose header this was compiled with: the ABI goes by the major version. */
static const char soname[] = "libcapstone.so." STRING(CS_API_MAJOR);

int capstone_open(struct capstone *cs, cs_arch arch, cs_mode mode, struct gl_error *err)
{
	*cs = (struct capstone){ .library = dlopen(soname, RTLD_NOW | RTLD_LOCAL) };
	if (cs->library == NULL) {
		return gl_fail(err, GL_EUNSUPPORTED, "listings need capstone: %s", dlerror());
	}
	const struct {
		void **function;
		const char *name;
	} functions[] = {
		{ (void **)&cs->open, "cs_open" },
		{ (void **)&cs->close, "cs_close" },
		{ (void **)&cs->option, "cs_option" },
		{ (void **)&cs->strerror, "cs_strerror" },
		{ (void **)&cs->malloc, "cs_malloc" },
		{ (void **)&cs->free, "cs_free" },
		{ (void **)&cs->disasm_iter, "cs_disasm_iter" },
		{ (void **)&cs->insn_group, "cs_insn_group" },
	};
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		*functions[i].function = dlsym(cs->library, functions[i].name);
		if (*functions[i].function == NULL) {
			gl_fail(err, GL_EUNSUPPORTED, "%s has no %s", soname, functions[i].name);
			dlclose(cs->library);
			return -1;
		}
	}
	cs_err failed = cs->open(arch, mode, &cs->handle);
	if (failed != CS_ERR_OK) {
		gl_fail(err, GL_EUNSUPPORTED, "capstone: %s", cs->strerror(failed));
		dlclose(cs->library);
		return -1;
	}
	cs->option(cs->handle, CS_OPT_DETAIL, CS_OPT_ON);
	return 0;
}

void capstone_close(struct capstone *cs)
{
	cs->close(&cs->handle);
	dlclose(cs->library);
}
