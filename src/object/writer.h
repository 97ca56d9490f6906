/* Go objects, written: the part of a package that a module needs, as an archive that gl_package_open_bytes reads.
 *
 * What is kept of a symbol is said beforehand. Symbols get new numbers; a reference to one that is not kept becomes a
 * reference by name, and every symbol of another package is named, so that nobody has to ask that package's archive
 * what its numbers mean. */
#ifndef GL_WRITER_H
#define GL_WRITER_H

#include "object.h"

/* What is kept of a symbol. */
enum {
	GL_KEEP_BODY = 1 << 0, /* all of it: data, relocations, auxiliaries */
	GL_KEEP_INFO = 1 << 1  /* of a function that was inlined everywhere: its name and its FuncInfo */
};

/* Growing bytes. After a failure (no memory, or beyond 4 GiB) they stay failed, and what is added is lost. */
struct gl_bytes {
	uint8_t *p;
	size_t n, cap;
	bool failed;
};
void gl_bytes_add(struct gl_bytes *bytes, const void *p, size_t n);

/* How one package is to be written. */
struct gl_keep {
	const struct gl_abi *abi;
	const uint8_t *const *symbols; /* per object of the package and symbol: GL_KEEP_… */
	bool exports;                  /* its export data too */
	bool all_files;                /* files that only debugging information has the numbers of, too */
	/* The name of another package's symbol; n is 0 when nobody knows. */
	struct gl_str (*name)(void *arg, const struct gl_object *obj, struct gl_symref ref);
	/* The fingerprint that import i shall have; NULL: as it is. */
	const uint8_t *(*fingerprint)(void *arg, const struct gl_object *obj, uint32_t i);
	void *arg;
};

/* Appends pkg as an archive. Symbols of its own object that a kept one needs, and that nobody could find by name, must
 * be kept too. Fails with GL_ENOMEM. */
int gl_package_write(const struct gl_package *pkg, const struct gl_keep *keep, struct gl_bytes *out,
		     struct gl_error *err);

/* Is an auxiliary of that type written with its symbol? Debugging information is only where its symbol is kept. */
bool gl_writer_keeps_aux(uint8_t type);

#endif
