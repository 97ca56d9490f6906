/* A package's file, cut into its members (see object.h): export data, objects, and what C compilers have made. Nothing
 * is believed of a member before object.c has checked it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "goobj.h"

static const char ar_magic[8] = AR_MAGIC;

/* Objects as C compilers write them: ELF, or LLVM's bitcode (`clang -flto`), bare or in its wrapper. */
static bool is_foreign(const uint8_t *p, size_t size)
{
	static const uint8_t magics[][4] = { { 0x7f, 'E', 'L', 'F' },
					     { 'B', 'C', 0xc0, 0xde },
					     { 0xde, 0xc0, 0x17, 0x0b } };

	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
		if (size > sizeof(magics[i]) && memcmp(p, magics[i], sizeof(magics[i])) == 0) {
			return true;
		}
	}
	return false;
}

/* A member that is no Go object: C code, compiled by the C compiler. */
static int package_add_foreign(struct gl_package *pkg, const char *name, const uint8_t *p, size_t size,
			       struct gl_error *err)
{
	if (!is_foreign(p, size)) {
		return gl_fail(err, GL_EFORMAT,
			       "%s is corrupt: its member %s is neither a Go object nor one of a C compiler", pkg->file,
			       name);
	}
	struct gl_foreign *grown = realloc(pkg->foreigns, (pkg->nforeigns + 1) * sizeof(*grown));

	if (grown == NULL) {
		return gl_fail(err, GL_ENOMEM, "%s: out of memory", pkg->file);
	}
	pkg->foreigns = grown;
	struct gl_foreign *f = &pkg->foreigns[pkg->nforeigns++];
	*f = (struct gl_foreign){ .data = p, .size = size };
	snprintf(f->name, sizeof(f->name), "%s", name);
	return 0;
}

/* The cgo lines in the text before the object (cmd/link/internal/ld/go.go, ldpkg). */
static int package_read_cgo(struct gl_package *pkg, const uint8_t *text, size_t size, struct gl_error *err)
{
	static const char mark[] = "\n$$  // cgo\n", stop[] = "\n$$";
	const uint8_t *json = memmem(text, size, mark, sizeof(mark) - 1);

	if (json == NULL || pkg->cgo != NULL) {
		return 0;
	}
	json += sizeof(mark) - 1;
	size_t left = size - (size_t)(json - text);
	const uint8_t *end = memmem(json, left, stop, sizeof(stop) - 1);
	pkg->cgo = gl_cgo_read((const char *)json, end == NULL ? left : (size_t)(end - json), pkg->file, err);
	return pkg->cgo == NULL ? -1 : 0;
}

/* A Go member is text up to "\n!\n", the first line of which says what wrote it, then the goobj. */
static int package_add_object(struct gl_package *pkg, const char *name, const uint8_t *p, size_t size,
			      const struct gl_abi *abi, struct gl_error *err)
{
	static const char prefix[] = "go object ";
	const uint8_t *eol = memchr(p, '\n', size);
	const uint8_t *end = memmem(p, size, "\n!\n", 3);

	if (eol == NULL || end == NULL || size < sizeof(prefix) || memcmp(p, prefix, sizeof(prefix) - 1) != 0) {
		return package_add_foreign(pkg, name, p, size, err);
	}
	size_t len = (size_t)(eol - p);
	if ((abi != NULL && gl_abi_check_header(abi, pkg->file, (const char *)p, len, err) != 0) ||
	    package_read_cgo(pkg, p, (size_t)(end - p), err) != 0) {
		return -1;
	}
	if (pkg->header == NULL) {
		pkg->header = strndup((const char *)p, len);
		if (pkg->header == NULL) {
			return gl_fail(err, GL_ENOMEM, "%s: out of memory", pkg->file);
		}
	}
	struct gl_object *grown = realloc(pkg->objects, (pkg->nobjects + 1) * sizeof(*grown));
	if (grown == NULL) {
		return gl_fail(err, GL_ENOMEM, "%s: out of memory", pkg->file);
	}
	pkg->objects = grown;
	struct gl_object *obj = &pkg->objects[pkg->nobjects++];
	*obj = (struct gl_object){ .pkg = pkg, .text = p, .base = end + 3, .size = size - (size_t)(end + 3 - p) };
	snprintf(obj->member, sizeof(obj->member), "%s", name);
	if (object_open(obj, err) != 0) {
		return -1;
	}
	if ((obj->flags & OBJ_FLAG_UNLINKABLE) != 0) {
		return gl_fail(err, GL_EMISMATCH, "%s was compiled without a package path (-p): it can't be linked",
			       pkg->file);
	}
	return 0;
}

/* Empty members by which cmd/go tells the linker that C parts are beyond it (cmd/link/internal/ld/lib.go, loadobjfile).
 */
static bool is_note(const char *name)
{
	return strcmp(name, "preferlinkext") == 0 || strcmp(name, "dynimportfail") == 0;
}

static int package_read_members(struct gl_package *pkg, const struct gl_abi *abi, struct gl_error *err)
{
	size_t pos = sizeof(ar_magic);

	if (pkg->map == NULL) {
		return gl_fail(err, GL_EFORMAT, "%s is empty", pkg->file);
	}
	if (pkg->size < sizeof(ar_magic) || memcmp(pkg->map, ar_magic, sizeof(ar_magic)) != 0) {
		/* `go tool asm` writes the object bare, with no archive around it */
		if (pkg->size > 10 && memcmp(pkg->map, "go object ", 10) == 0) {
			return package_add_object(pkg, "(object)", pkg->map, pkg->size, abi, err);
		}
		size_t length = strlen(pkg->file);
		bool is_source = length > 3 && strcmp(pkg->file + length - 3, ".go") == 0;
		return gl_fail(err, GL_EFORMAT,
			       "%s is no Go object: it starts with neither \"!<arch>\" nor \"go object\"%s", pkg->file,
			       is_source ? "; Go source is compiled by host:build" : "");
	}
	while (pos + ENTRY_SIZE <= pkg->size) {
		const char *entry = (const char *)pkg->map + pos;
		char name[17] = "", digits[11] = "";
		char *stop;

		memcpy(name, entry, 16);
		memcpy(digits, entry + 48, 10);
		for (size_t i = sizeof(name) - 1; i-- > 0 && (name[i] == ' ' || name[i] == '/');) {
			name[i] = '\0';
		}
		unsigned long size = strtoul(digits, &stop, 10);
		if (memcmp(entry + 58, "`\n", 2) != 0 || stop == digits || size > pkg->size - pos - ENTRY_SIZE) {
			return gl_fail(err, GL_EFORMAT, "%s is truncated or corrupt: archive entry at byte %zu",
				       pkg->file, pos);
		}
		if (strcmp(name, "__.PKGDEF") == 0 && pkg->exports == NULL) {
			/* cmd/compile/internal/noder/export.go */
			static const char mark[] = "\n$$B\n";
			const uint8_t *def = pkg->map + pos + ENTRY_SIZE,
				      *found = memmem(def, size, mark, sizeof(mark) - 1);
			if (found != NULL) {
				pkg->exports = found + sizeof(mark) - 1;
				pkg->exports_size = size - (size_t)(pkg->exports - def);
			}
		}
		if (strcmp(name, "__.PKGDEF") != 0 && !is_note(name) &&
		    package_add_object(pkg, name, pkg->map + pos + ENTRY_SIZE, size, abi, err) != 0) {
			return -1;
		}
		pos += ENTRY_SIZE + size + (size & 1);
	}
	if (pos < pkg->size) {
		return gl_fail(err, GL_EFORMAT, "%s is truncated: %zu bytes after the last archive entry", pkg->file,
			       pkg->size - pos);
	}
	return 0;
}

/* Of a name that may tell its package, what begins with the package: a package of nothing but types has no other
 * symbols than type:path.Name and type:*path.Name. */
static struct gl_str without_type_prefix(struct gl_str name)
{
	static const char prefix[] = "type:";

	if (name.n > sizeof(prefix) && memcmp(name.p, prefix, sizeof(prefix) - 1) == 0) {
		uint32_t skip = sizeof(prefix) - 1 + (name.p[sizeof(prefix) - 1] == '*');
		return (struct gl_str){ name.p + skip, name.n - skip };
	}
	return name;
}

/* The package path as symbol names carry it: up to the first dot behind the last slash. Objects don't store it
 * elsewhere (dots in the path's last element are escaped: cmd/internal/objabi.PathToPrefix). */
static int package_find_path(struct gl_package *pkg, struct gl_error *err)
{
	for (uint32_t o = 0; o < pkg->nobjects; o++) {
		const struct gl_object *obj = &pkg->objects[o];
		for (uint32_t i = 0; i < obj->nsyms; i++) {
			struct gl_sym sym = gl_object_sym(obj, i);
			struct gl_str name = without_type_prefix(sym.name);
			if (sym.abi == GL_ABISTATIC || (sym.flag & GL_SYM_DUPOK) != 0 || gl_object_is_hashed(obj, i) ||
			    (!obj->nsymdef ? false : i >= obj->nsymdef) || name.n == 0 ||
			    memchr(name.p, ':', name.n) != NULL) {
				continue;
			}
			uint32_t start = 0;
			for (uint32_t k = 0; k < name.n && name.p[k] != '[' && name.p[k] != '('; k++) {
				if (name.p[k] == '/') {
					start = k + 1;
				}
			}
			const char *dot = memchr(name.p + start, '.', name.n - start);
			if (dot != NULL && dot != name.p) {
				pkg->path = strndup(name.p, (size_t)(dot - name.p));
				return pkg->path != NULL ? 0 : gl_fail(err, GL_ENOMEM, "%s: out of memory", pkg->file);
			}
		}
	}
	/* nothing but imports: a package of constants, or an empty one */
	pkg->path = strdup("");
	return pkg->path != NULL ? 0 : gl_fail(err, GL_ENOMEM, "%s: out of memory", pkg->file);
}

int package_map(struct gl_package *pkg, int flags, struct gl_error *err)
{
	struct stat st;
	int fd = open(pkg->file, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		return gl_fail(err, GL_EIO, "%s: %s", pkg->file, strerror(errno));
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return gl_fail(err, GL_EIO, "%s is not a regular file", pkg->file);
	}
	if (st.st_size == 0) {
		close(fd);
		return gl_fail(err, GL_EFORMAT, "%s is empty", pkg->file);
	}
	pkg->size = (size_t)st.st_size;
	pkg->map = mmap(NULL, pkg->size, PROT_READ, MAP_PRIVATE | flags, fd, 0);
	int saved = errno;
	close(fd);
	if (pkg->map == MAP_FAILED || pkg->map == NULL) {
		pkg->map = NULL;
		gl_fail(err, GL_EIO, "%s: %s", pkg->file, strerror(saved));
		return -1;
	}
	return 0;
}

static int package_read(struct gl_package *pkg, struct gl_error *err)
{
	if (file_read(pkg->file, &pkg->copy, &pkg->size, err) != 0) {
		return -1;
	}
	pkg->map = pkg->copy;
	return pkg->size == 0 ? gl_fail(err, GL_EFORMAT, "%s is empty", pkg->file) : 0;
}

enum source { READ, MAPPED, BORROWED };

static struct gl_package *package_open(enum source source, const char *path, const uint8_t *bytes, size_t size,
				       const char *import_path, const struct gl_abi *abi, struct gl_error *err)
{
	struct gl_package *pkg = calloc(1, sizeof(*pkg));

	if (pkg == NULL || (pkg->file = strdup(path)) == NULL) {
		gl_fail(err, GL_ENOMEM, "%s: out of memory", path);
		goto fail;
	}
	pkg->map = bytes;
	pkg->size = size;
	pkg->borrowed = source == BORROWED;
	/* all of a mapped file is going to be read */
	if ((source == READ && package_read(pkg, err) != 0) ||
	    (source == MAPPED && package_map(pkg, MAP_POPULATE, err) != 0) ||
	    package_read_members(pkg, abi, err) != 0) {
		goto fail;
	}
	if (pkg->nobjects == 0) {
		gl_fail(err, GL_EFORMAT, "%s holds no Go object", pkg->file);
		goto fail;
	}
	/* realloc may have moved the objects, but never the package */
	if (import_path != NULL) {
		pkg->path = strdup(import_path);
		if (pkg->path == NULL) {
			gl_fail(err, GL_ENOMEM, "%s: out of memory", path);
			goto fail;
		}
	} else if (package_find_path(pkg, err) != 0) {
		goto fail;
	}
	return pkg;

fail:
	gl_package_close(pkg);
	return NULL;
}

struct gl_package *gl_package_open(const char *path, const char *import_path, const struct gl_abi *abi,
				   struct gl_error *err)
{
	return package_open(READ, path, NULL, 0, import_path, abi, err);
}

struct gl_package *gl_package_map(const char *path, const char *import_path, const struct gl_abi *abi,
				  struct gl_error *err)
{
	return package_open(MAPPED, path, NULL, 0, import_path, abi, err);
}

struct gl_package *gl_package_open_bytes(const char *name, const uint8_t *bytes, size_t size, const char *import_path,
					 const struct gl_abi *abi, struct gl_error *err)
{
	return package_open(BORROWED, name, bytes, size, import_path, abi, err);
}

void gl_package_close(struct gl_package *pkg)
{
	if (pkg == NULL) {
		return;
	}
	for (uint32_t i = 0; i < pkg->nobjects; i++) {
		free(pkg->objects[i].refname_table);
	}
	free(pkg->objects);
	free(pkg->foreigns);
	gl_cgo_free(pkg->cgo);
	if (pkg->map != NULL && pkg->copy == NULL && !pkg->borrowed) {
		munmap((void *)pkg->map, pkg->size);
	}
	free(pkg->copy);
	free(pkg->header);
	free(pkg->path);
	free(pkg->file);
	free(pkg);
}

const char *gl_package_file(const struct gl_package *pkg) { return pkg->file; }
const char *gl_package_path(const struct gl_package *pkg) { return pkg->path; }
const char *gl_package_header(const struct gl_package *pkg) { return pkg->header; }
size_t gl_package_size(const struct gl_package *pkg) { return pkg->size; }
uint32_t gl_package_nobjects(const struct gl_package *pkg) { return pkg->nobjects; }
struct gl_object *gl_package_object(const struct gl_package *pkg, uint32_t i) { return &pkg->objects[i]; }
uint32_t gl_package_nforeigns(const struct gl_package *pkg) { return pkg->nforeigns; }
const struct gl_foreign *gl_package_foreign(const struct gl_package *pkg, uint32_t i) { return &pkg->foreigns[i]; }
const struct gl_cgo *gl_package_cgo(const struct gl_package *pkg) { return pkg->cgo; }

const uint8_t *gl_package_exports(const struct gl_package *pkg, size_t *size)
{
	*size = pkg->exports_size;
	return pkg->exports;
}
