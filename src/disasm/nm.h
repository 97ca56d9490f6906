/* The symbols of a Go object, as nm(1) lists them, and what it exports. */
#ifndef GL_NM_H
#define GL_NM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../abi/abi.h"

struct gl_nm_symbol {
	const char *name; /* "type:main.P"; nameless ones, which only other symbols point to, are left out */
	char kind;      /* T text, R read-only data, D data, B zeroed data, U defined elsewhere; lower case: it is known
			   in its own object only; - for what is exported and no symbol: constants, types, generic
			   functions */
	uint64_t size;  /* bytes; 0 for U and - */
	int abi;        /* of a function: 0 or 1 (ABIInternal), as in cmd/internal/obj; -1 for anything else */
	bool is_export; /* Lua sees it as a field of the loaded module */
	const char *signature; /* an export's Go type: "func(a int) error", "map[string]int", "untyped int = 10"; NULL
				  where unknown */
};

struct gl_nm {
	const struct gl_nm_symbol *symbols; /* by name */
	size_t n;
};

/* Lists the symbols of the object at path, or of all packages of a shipped module. Fails as gl_package_open does. */
int gl_nm_read(const char *path, const struct gl_abi *abi, struct gl_nm **out, struct gl_error *err);
void gl_nm_free(struct gl_nm *nm);

#endif
