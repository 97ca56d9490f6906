/* The goobj format as both its reader and its writer know it (cmd/internal/goobj/objfile.go; internal to this room). */
#ifndef GL_GOOBJ_H
#define GL_GOOBJ_H

#include "object.h"

/* "Blocks" */
enum {
	BLK_AUTOLIB,
	BLK_PKGIDX,
	BLK_FILE,
	BLK_SYMDEF,
	BLK_HASHED64DEF,
	BLK_HASHEDDEF,
	BLK_NONPKGDEF,
	BLK_NONPKGREF,
	BLK_REFFLAGS,
	BLK_HASH64,
	BLK_HASH,
	BLK_RELOCIDX,
	BLK_AUXIDX,
	BLK_DATAIDX,
	BLK_RELOC,
	BLK_AUX,
	BLK_DATA,
	BLK_REFNAME,
	BLK_END,
	NBLK
};

/* sizes in bytes of what the blocks hold (the same file) */
enum {
	STRINGREF_SIZE = 8,
	AUTOLIB_SIZE = STRINGREF_SIZE + 8,
	SYM_SIZE = STRINGREF_SIZE + 2 + 1 + 1 + 1 + 4 + 4,
	HASH64_SIZE = 8,
	HASH_SIZE = 16,
	RELOC_SIZE = 4 + 1 + 2 + 8 + 8,
	AUX_SIZE = 1 + 8,
	REFNAME_SIZE = 8 + STRINGREF_SIZE,
	REFFLAGS_SIZE = 8 + 1 + 1,
	HEADER_SIZE = 8 + 8 + 4 + 4 * NBLK,
	FUNCINFO_SIZE = 4 * 6, /* with no file and no inlined call (funcinfo.go) */
	INLNODE_SIZE = 4 * 6,
	ENTRY_SIZE = 60 /* of an archive's entry header */
};

enum { OBJ_FLAG_FROM_ASSEMBLY = 1 << 2, OBJ_FLAG_UNLINKABLE = 1 << 3 };

#define GOOBJ_MAGIC "\0go120ld"
#define AR_MAGIC "!<arch>\n"

/* One goobj as it was opened. */
struct gl_object {
	struct gl_package *pkg;
	char member[64];
	const uint8_t *text; /* what stands before the goobj: who wrote it, cgo lines, up to "\n!\n" */
	const uint8_t *base; /* the goobj header */
	uint64_t size;       /* bytes from base to the member's end */
	uint32_t flags;
	uint32_t off[NBLK];

	uint32_t nsymdef, nhashed64, nhashed, nnonpkgdef, nnonpkgref;
	uint32_t nsyms, ntotal;
	uint32_t npkgs, nautolib, nfiles, nrefnames;

	uint32_t *refname_table; /* open addressing: 1 + number of the refname, 0 is empty */
	uint32_t refname_mask;
};

/* A package's file as it was opened. */
struct gl_package {
	char *file;
	char *path;
	char *header;
	const uint8_t *map;
	size_t size;
	uint8_t *copy;          /* what map points to, where the file was read; NULL where it is mapped */
	bool borrowed;          /* the bytes are the caller's */
	const uint8_t *exports; /* export data, NULL where there is none */
	size_t exports_size;
	struct gl_object *objects;
	uint32_t nobjects;
	struct gl_cgo *cgo; /* NULL where the package has no cgo lines */
	struct gl_foreign *foreigns;
	uint32_t nforeigns;
};

/* Maps the file that pkg names, with flags for mmap. */
int package_map(struct gl_package *pkg, int flags, struct gl_error *err);
/* Checks the object that is at base, size bytes, and fills in the rest. */
int object_open(struct gl_object *obj, struct gl_error *err);

#endif
