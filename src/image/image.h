/* The host seen from C: an ELF image in this process, its symbols, and how it was built.
 *
 * A host that imports "plugin" carries every Go symbol in .dynsym with a .gnu.hash table; both are mapped with the
 * image, so that a lookup is one hash probe in memory and nothing is read or built at start. What .dynsym lacks
 * (file-local symbols) is found in .symtab through libelf, read at the first need. */
#ifndef GL_IMAGE_H
#define GL_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../abi/abi.h"
#include "../error.h"

struct gl_image;

struct gl_image_sym {
	const char *name;
	uintptr_t addr; /* absolute; for a thread-local symbol the offset in its block */
	uint64_t size;
	bool is_func;
};

/* Describes the image that dlopen gave handle for; path is its file. */
struct gl_image *gl_image_open(void *handle, const char *path, struct gl_error *err);
void gl_image_free(struct gl_image *img);

/* Looks a symbol up by its Go name as objects write it, type symbols included (they are mangled in such hosts:
 * cmd/link/internal/ld/lib.go, typeSymbolMangle). False when the image has none. */
bool gl_image_lookup(struct gl_image *img, const char *name, size_t len, struct gl_image_sym *out);

/* The symbol that covers addr, for listings; false when there is none. */
bool gl_image_symbolize(struct gl_image *img, uintptr_t addr, struct gl_image_sym *out);

/* Calls fn for every symbol of .symtab (static ones included; .dynsym's where it was stripped) until it returns false.
 */
void gl_image_each(struct gl_image *img, bool (*fn)(const struct gl_image_sym *sym, void *arg), void *arg);

uintptr_t gl_image_low(const struct gl_image *img);  /* first mapped address */
uintptr_t gl_image_high(const struct gl_image *img); /* one past the last */
const char *gl_image_path(const struct gl_image *img);

/* What tells this very image from any other: 32 hexadecimal digits, made of its build ids, or of its file where it has
 * none that depends on its content. */
enum { GL_IMAGE_ID_SIZE = 33 };
int gl_image_id(const struct gl_image *img, char id[GL_IMAGE_ID_SIZE], struct gl_error *err);

/* Offset of runtime.tlsg (the g pointer) from the thread pointer, in bytes. Negative on amd64. */
int gl_image_tls_offset(struct gl_image *img, int64_t *offset, struct gl_error *err);

#endif
