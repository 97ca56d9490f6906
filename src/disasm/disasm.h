/* Listings of machine code, with a name for everything it calls and refers to.
 *
 * Code is listed before relinking, as it stands in an object, where relocations name what an instruction refers to; or
 * after, as it runs in this process, where addresses are looked up again. */
#ifndef GL_DISASM_H
#define GL_DISASM_H

#include <stddef.h>
#include <stdint.h>

#include "../abi/abi.h"
#include "../object/object.h"

struct gl_insn {
	uint64_t addr; /* in an object: bytes from the function's start */
	uint8_t size;
	uint8_t bytes[16];
	const char *mnemonic;
	const char *operands;
	const char *comment; /* in an object "R_CALL fmt.Println", in memory "fmt.Println"; "+0x1c" for a jump to
				that place in the same function; "" where there is nothing to say */
};

struct gl_listing {
	const char *name;
	const struct gl_insn *insns;
	size_t n;
};

struct gl_listings {
	const struct gl_listing *list;
	size_t n;
};

/* Lists the functions of the Go object at path: the one that symbol names ("main.Render", or "Render" for short), or
 * all for NULL, by offset in the file. Fails with GL_EMISSING when there is no such function, and as gl_package_open.
 */
int gl_disasm_file(const char *path, const char *symbol, const struct gl_abi *abi, struct gl_listings **out,
		   struct gl_error *err);

/* Finds the symbol that covers addr: sets *name and returns the offset into it, or -1. */
typedef int64_t gl_symbolize_fn(const void *arg, uintptr_t addr, const char **name);

/* Lists the size bytes of code at addr in this process. */
int gl_disasm_memory(const char *goarch, const char *name, uintptr_t addr, size_t size, gl_symbolize_fn *symbolize,
		     const void *arg, struct gl_listings **out, struct gl_error *err);

void gl_listings_free(struct gl_listings *listings);

#endif
