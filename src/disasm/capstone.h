/* capstone, loaded at the first listing.
 *
 * Its tables are 3 MB of pointers that the dynamic linker must relocate, page by page: a process that lists nothing
 * shall not pay for them, in memory or at start. */
#ifndef GL_CAPSTONE_H
#define GL_CAPSTONE_H

#include <capstone/capstone.h>

#include "../error.h"

struct capstone {
	void *library;
	csh handle;
	cs_err (*open)(cs_arch arch, cs_mode mode, csh *handle);
	cs_err (*close)(csh *handle);
	cs_err (*option)(csh handle, cs_opt_type type, size_t value);
	const char *(*strerror)(cs_err code);
	cs_insn *(*malloc)(csh handle);
	void (*free)(cs_insn *insn, size_t count);
	bool (*disasm_iter)(csh handle, const uint8_t **code, size_t *size, uint64_t *address, cs_insn *insn);
	bool (*insn_group)(csh handle, const cs_insn *insn, unsigned int group);
};

/* Opens a decoder that also tells operands and groups. Fails with GL_EUNSUPPORTED when capstone is not installed or
 * knows no such processor. */
int capstone_open(struct capstone *cs, cs_arch arch, cs_mode mode, struct gl_error *err);
void capstone_close(struct capstone *cs);

#endif
