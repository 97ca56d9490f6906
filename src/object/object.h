/* Go objects, read only: what `go tool compile`, `go tool asm`, `go tool pack` and `go build` write.
 *
 * A file is an ar archive: __.PKGDEF (export data, which nobody here needs but for its first line), one or more
 * members in the goobj format (_go_.o from the compiler, one per assembly file), and the ELF objects of its C parts.
 * cmd/internal/goobj/objfile.go describes that format; it has been "\x00go120ld" since Go 1.20.
 *
 * Reading is separate from believing: opening a file checks every block's bounds, every index that a symbol,
 * relocation or aux holds, and every string, once. After that the accessors can't run out of the file. */
#ifndef GL_OBJECT_H
#define GL_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../abi/abi.h"
#include "../error.h"
#include "cgo.h"

/* A string inside the file: not terminated by NUL, lives as long as the object. */
struct gl_str {
	const char *p;
	uint32_t n;
};

/* cmd/internal/goobj: predeclared package indices (objfile.go, "Package Index") */
enum {
	GL_PKG_NONE = 0x7fffffff,     /* non-package symbols: by name */
	GL_PKG_HASHED64 = 0x7ffffffe, /* short content-addressable symbols */
	GL_PKG_HASHED = 0x7ffffffd,   /* content-addressable symbols */
	GL_PKG_BUILTIN = 0x7ffffffc,  /* predeclared runtime symbols, by number */
	GL_PKG_SELF = 0x7ffffffb,     /* symbols of this package */
	GL_PKG_INVALID = 0
};

enum { GL_ABI0 = 0, GL_ABIINTERNAL = 1, GL_ABISTATIC = 0xffff };

/* Sym.Flag and Sym.Flag2 */
enum {
	GL_SYM_DUPOK = 1 << 0,
	GL_SYM_LOCAL = 1 << 1,
	GL_SYM_TYPELINK = 1 << 2,
	GL_SYM_LEAF = 1 << 3,
	GL_SYM_NOSPLIT = 1 << 4,
	GL_SYM_REFLECTMETHOD = 1 << 5,
	GL_SYM_GOTYPE = 1 << 6
};
enum { GL_SYM2_USEDINIFACE = 1 << 0, GL_SYM2_ITAB = 1 << 1, GL_SYM2_DICT = 1 << 2, GL_SYM2_PKGINIT = 1 << 3 };

/* Aux types (goobj.AuxGotype …) */
enum {
	GL_AUX_GOTYPE = 0,
	GL_AUX_FUNCINFO,
	GL_AUX_FUNCDATA,
	GL_AUX_DWARFINFO,
	GL_AUX_DWARFLOC,
	GL_AUX_DWARFRANGES,
	GL_AUX_DWARFLINES,
	GL_AUX_PCSP,
	GL_AUX_PCFILE,
	GL_AUX_PCLINE,
	GL_AUX_PCINLINE,
	GL_AUX_PCDATA
};

struct gl_symref {
	uint32_t pkg; /* GL_PKG_…, or index into the object's package list */
	uint32_t sym;
};

struct gl_sym {
	struct gl_str name; /* empty for most content-addressable symbols' auxiliaries */
	uint16_t abi;       /* GL_ABI0, GL_ABIINTERNAL or GL_ABISTATIC */
	uint8_t type;       /* objabi.SymKind: compare with abi->STEXT, … */
	uint8_t flag, flag2;
	uint32_t size;  /* bytes in memory; may exceed its data, the rest is zero; 0 for some that are never placed */
	uint32_t align; /* bytes, 0 for the kind's default */
};

struct gl_reloc {
	int32_t off; /* bytes from the symbol's start */
	uint8_t size;
	uint16_t type; /* objabi.RelocType, with abi->R_WEAK as a flag bit */
	int64_t add;
	struct gl_symref sym; /* {0, 0}: none */
};

struct gl_aux {
	uint8_t type;
	struct gl_symref sym;
};

/* FuncInfo (cmd/internal/goobj/funcinfo.go), decoded on the fly from its aux symbol's data */
struct gl_funcinfo {
	uint32_t args, locals;
	uint8_t func_id, func_flag;
	int32_t start_line;
	uint32_t nfiles;   /* files this function's line table names */
	uint32_t ninltree; /* nodes of the inlining tree */
	const uint8_t *files, *inltree;
};

struct gl_inlnode {
	int32_t parent;
	uint32_t file;
	int32_t line;
	struct gl_symref func;
	int32_t parent_pc;
};

/* One goobj member. Symbols are numbered 0 … nsyms-1 over the four defining blocks in this order: SymbolDefs,
 * Hashed64Defs, HashedDefs, NonPkgDefs; NonPkgRefs (no definition, name only) follow up to ntotal-1. */
struct gl_object;

struct gl_package; /* an archive: one package, its members */

/* Opens and checks the archive at path. Objects that were not compiled for the host whose abi this is (NULL: any will
 * do) are refused with GL_EMISMATCH and both sides named. The file is read: what becomes of it later does not matter.
 * import_path overrides the package path; NULL takes it from the object (its `-p`). */
struct gl_package *gl_package_open(const char *path, const char *import_path, const struct gl_abi *abi,
				   struct gl_error *err);
/* The same of a file that nobody writes to, as those of Go's build cache and beside the host, whose names are sums of
 * what is in them: it stays mapped until gl_package_close, so that processes share it. */
struct gl_package *gl_package_map(const char *path, const char *import_path, const struct gl_abi *abi,
				  struct gl_error *err);
/* The same of an archive in memory, which must outlive the package; name is for messages. */
struct gl_package *gl_package_open_bytes(const char *name, const uint8_t *bytes, size_t size, const char *import_path,
					 const struct gl_abi *abi, struct gl_error *err);
void gl_package_close(struct gl_package *pkg);

/* The names of the symbols that a package's own object numbers, and nothing else: objects refer to each other's symbols
 * by number, and name only those that they also call or address. Opening checks the header alone, so that asking for
 * one name costs no reading of the whole. */
struct gl_symnames;
struct gl_symnames *gl_symnames_open(const char *path, const struct gl_abi *abi, struct gl_error *err);
void gl_symnames_close(struct gl_symnames *names);
/* n is 0 when there is no such symbol, or when the object isn't the one that fingerprint (of the importer's autolib
 * entry, 8 bytes) was taken of. */
struct gl_str gl_symnames_get(const struct gl_symnames *names, const uint8_t fingerprint[8], uint32_t i);
/* The object, of which only the fingerprint and the imports may be asked for. */
const struct gl_object *gl_symnames_object(const struct gl_symnames *names);

const char *gl_package_file(const struct gl_package *pkg);   /* the path it was opened by */
const char *gl_package_path(const struct gl_package *pkg);   /* import path, as symbol names carry it ("main") */
const char *gl_package_header(const struct gl_package *pkg); /* "go object linux amd64 …" */
size_t gl_package_size(const struct gl_package *pkg);        /* bytes of the file */
uint32_t gl_package_nobjects(const struct gl_package *pkg);
struct gl_object *gl_package_object(const struct gl_package *pkg, uint32_t i);

/* A member that is no Go object, unread and unchecked: what the C compiler made of a package's C parts. */
struct gl_foreign {
	char name[17];
	const uint8_t *data;
	size_t size;
};
uint32_t gl_package_nforeigns(const struct gl_package *pkg);
const struct gl_foreign *gl_package_foreign(const struct gl_package *pkg, uint32_t i);
/* What the Go object says of C; NULL where it says nothing. */
const struct gl_cgo *gl_package_cgo(const struct gl_package *pkg);

/* The export data in __.PKGDEF, up to that member's end, unread and unchecked; NULL where there is none
 * (`compile -linkobj`, assembly). */
const uint8_t *gl_package_exports(const struct gl_package *pkg, size_t *size);

const struct gl_package *gl_object_package(const struct gl_object *obj);
const char *gl_object_member(const struct gl_object *obj); /* "_go_.o", "asm_amd64.o" */
bool gl_object_from_assembly(const struct gl_object *obj);
uint32_t gl_object_nsyms(const struct gl_object *obj);  /* defined */
uint32_t gl_object_ntotal(const struct gl_object *obj); /* defined and referenced by name */
uint32_t gl_object_npkgs(const struct gl_object *obj);
struct gl_str gl_object_pkg(const struct gl_object *obj, uint32_t i); /* 1 … npkgs-1; 0 is no package */
uint32_t gl_object_nautolib(const struct gl_object *obj);
struct gl_str gl_object_autolib(const struct gl_object *obj, uint32_t i); /* import path of an imported package */
/* The fingerprint of that package's export data, 8 bytes: what the importer was compiled against. */
const uint8_t *gl_object_autolib_fingerprint(const struct gl_object *obj, uint32_t i);
/* That of the object's own package, which its importers must carry; zeros in what assembly made. */
const uint8_t *gl_object_fingerprint(const struct gl_object *obj);
uint32_t gl_object_nfiles(const struct gl_object *obj);
struct gl_str gl_object_file(const struct gl_object *obj, uint32_t i);

struct gl_sym gl_object_sym(const struct gl_object *obj, uint32_t i); /* i < ntotal */
/* The number in this object that ref means, or UINT32_MAX where it names another package's symbol or a builtin. */
uint32_t gl_object_local(const struct gl_object *obj, struct gl_symref ref);
/* The name of another package's symbol (from the RefName block); n is 0 when the object has none. */
struct gl_str gl_object_refname(const struct gl_object *obj, struct gl_symref ref);
/* The name of what ref means, in this object or another package's; n is 0 when the object does not tell. */
static inline struct gl_str gl_object_symref_name(const struct gl_object *obj, struct gl_symref ref)
{
	uint32_t local = gl_object_local(obj, ref);

	if (local == UINT32_MAX) {
		return gl_object_refname(obj, ref);
	}
	return local < gl_object_ntotal(obj) ? gl_object_sym(obj, local).name : (struct gl_str){ "", 0 };
}
/* A referenced name in two steps, for those who keep something per referenced symbol: its place in the RefName block, 0
 * … nrefnames-1 (UINT32_MAX: none), and the name there. */
uint32_t gl_object_nrefnames(const struct gl_object *obj);
uint32_t gl_object_find_ref(const struct gl_object *obj, struct gl_symref ref);
struct gl_str gl_object_refname_at(const struct gl_object *obj, uint32_t i);
/* First number of each block, for telling content-addressable symbols apart. */
bool gl_object_is_hashed(const struct gl_object *obj, uint32_t i);
bool gl_object_is_nonpkg(const struct gl_object *obj, uint32_t i);
/* A content-addressable symbol's hash: 16 bytes, the short ones padded with zeros. */
void gl_object_hash(const struct gl_object *obj, uint32_t i, uint8_t hash[16]);

const uint8_t *gl_object_data(const struct gl_object *obj, uint32_t i, uint32_t *size);
uint32_t gl_object_nrelocs(const struct gl_object *obj, uint32_t i);
struct gl_reloc gl_object_reloc(const struct gl_object *obj, uint32_t i, uint32_t j);
uint32_t gl_object_nauxs(const struct gl_object *obj, uint32_t i);
struct gl_aux gl_object_aux(const struct gl_object *obj, uint32_t i, uint32_t j);
/* Marker relocations tell the Go linker's dead-code pass what to keep; nothing is patched for them, and since all
 * methods of every type that is kept are kept, they tell us nothing. */
bool gl_reloc_is_marker(const struct gl_abi *abi, int type);

/* FuncInfo that is a symbol's data; false when it is broken. */
bool gl_funcinfo_read(const uint8_t *p, uint32_t size, struct gl_funcinfo *fi);
/* The FuncInfo of symbol i; false when it has none (data symbols, some assembly). */
bool gl_object_funcinfo(const struct gl_object *obj, uint32_t i, struct gl_funcinfo *fi);
uint32_t gl_funcinfo_file(const struct gl_funcinfo *fi, uint32_t k);
struct gl_inlnode gl_funcinfo_inlnode(const struct gl_funcinfo *fi, uint32_t k);

#endif
