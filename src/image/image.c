/* The host's ELF image and its symbols (see image.h). */
#include "image.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <link.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How the host's linker shortened the names of type symbols: always the first six bytes, in base64, of something made
 * of SHA-256 (cmd/link/internal/ld/lib.go, typeSymbolMangle; cmd/internal/notsha256 up to Go 1.23,
 * cmd/internal/hash after). Which one is found out by asking for a type that every host has. */
enum mangling {
	MANGLE_NOT,   /* Go <= 1.23: every bit inverted */
	MANGLE_SUM20, /* Go 1.24: hash.Sum20, the first bytes cut off */
	MANGLE_SUM32, /* Go >= 1.25: hash.Sum32, the first byte inverted */
	MANGLE_NONE   /* not mangled at all: a host that does not import "plugin" */
};

/* Where a symbol is, from the image's first address on, and its number in .symtab. */
struct symbol_at {
	uint32_t offset, number;
};

struct gl_image {
	char *path;
	uintptr_t base; /* what to add to a symbol's value */
	uintptr_t low, high;
	size_t tls_module;
	const uint8_t *notes; /* the segment with its build ids, or NULL */
	size_t notes_size;
	enum mangling mangling;

	const ElfW(Sym) * symtab;
	const char *strtab;

	/* .gnu.hash */
	uint32_t nbuckets, symoffset, bloom_size, bloom_shift;
	const ElfW(Addr) * bloom;
	const uint32_t *buckets, *chain;

	/* .symtab, mapped at the first need; sorted once somebody asks for an address */
	Elf *elf;
	Elf_Data *symbols, *names;
	size_t nsymbols;
	struct symbol_at *sorted;
	size_t nsorted;
	bool is_sorted;
};

/* The C library's own, which compilers call for thread-local variables (ELF Handling For TLS, section 3.4). */
extern void *__tls_get_addr(size_t index[2]);

/* ---- the mapped tables ------------------------------------------------------------------------------------------ */

static int find_segments(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct gl_image *img = arg;

	(void)size;
	bool is_mine = false;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		if (ph->p_type == PT_DYNAMIC && info->dlpi_addr + ph->p_vaddr == img->low) {
			is_mine = true;
		}
	}
	if (!is_mine) {
		return 0;
	}
	img->low = UINTPTR_MAX;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		if (ph->p_type == PT_NOTE && img->notes == NULL) {
			img->notes = (const uint8_t *)(info->dlpi_addr + ph->p_vaddr);
			img->notes_size = ph->p_memsz;
		}
		if (ph->p_type != PT_LOAD) {
			continue;
		}
		uintptr_t start = info->dlpi_addr + ph->p_vaddr;
		if (start < img->low) {
			img->low = start;
		}
		if (start + ph->p_memsz > img->high) {
			img->high = start + ph->p_memsz;
		}
	}
	img->tls_module = info->dlpi_tls_modid;
	return 1;
}

static uint32_t gnu_hash(const char *s, size_t n)
{
	uint32_t h = 5381;

	for (size_t i = 0; i < n; i++) {
		h = h * 33 + (unsigned char)s[i];
	}
	return h;
}

static const ElfW(Sym) * find_dynamic(const struct gl_image *img, const char *name, size_t len)
{
	if (img->nbuckets == 0) {
		return NULL;
	}
	uint32_t h = gnu_hash(name, len);
	unsigned bits = sizeof(ElfW(Addr)) * 8;
	ElfW(Addr) word = img->bloom[(h / bits) % img->bloom_size];
	if (((word >> (h % bits)) & (word >> ((h >> img->bloom_shift) % bits)) & 1) == 0) {
		return NULL;
	}
	uint32_t i = img->buckets[h % img->nbuckets];
	if (i < img->symoffset) {
		return NULL;
	}
	for (;; i++) {
		uint32_t c = img->chain[i - img->symoffset];
		if ((c | 1) == (h | 1)) {
			const ElfW(Sym) *sym = &img->symtab[i];
			const char *s = img->strtab + sym->st_name;
			if (sym->st_shndx != SHN_UNDEF && strncmp(s, name, len) == 0 && s[len] == '\0') {
				return sym;
			}
		}
		if ((c & 1) != 0) {
			return NULL;
		}
	}
}

static int read_dynamic(struct gl_image *img, const struct link_map *map, struct gl_error *err)
{
	const uint32_t *hash = NULL;

	for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++) {
		/* glibc relocates these in place, other C libraries don't */
		uintptr_t p = d->d_un.d_ptr < map->l_addr ? d->d_un.d_ptr + map->l_addr : d->d_un.d_ptr;
		switch (d->d_tag) {
		case DT_GNU_HASH: hash = (const uint32_t *)p; break;
		case DT_SYMTAB: img->symtab = (const ElfW(Sym) *)p; break;
		case DT_STRTAB: img->strtab = (const char *)p; break;
		default: break;
		}
	}
	if (hash == NULL || img->symtab == NULL || img->strtab == NULL) {
		return gl_fail(err, GL_EHOST, "%s has no dynamic symbol table with a GNU hash", img->path);
	}
	img->nbuckets = hash[0];
	img->symoffset = hash[1];
	img->bloom_size = hash[2];
	img->bloom_shift = hash[3];
	img->bloom = (const ElfW(Addr) *)(hash + 4);
	img->buckets = (const uint32_t *)(img->bloom + img->bloom_size);
	img->chain = img->buckets + img->nbuckets;
	return 0;
}

/* ---- names of types --------------------------------------------------------------------------------------------- */

static void base64_six(const uint8_t in[6], char out[8])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (int i = 0; i < 2; i++) {
		uint32_t v = (uint32_t)in[3 * i] << 16 | (uint32_t)in[3 * i + 1] << 8 | in[3 * i + 2];
		for (int k = 0; k < 4; k++) {
			out[4 * i + k] = digits[v >> (18 - 6 * k) & 63];
		}
	}
}

static void mangle_part(enum mangling how, const char *s, size_t n, char out[8])
{
	uint8_t sum[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(sum, (const unsigned char *)s, n);
	switch (how) {
	case MANGLE_NOT:
		for (int i = 0; i < 6; i++) {
			sum[i] = (uint8_t)~sum[i];
		}
		break;
	case MANGLE_SUM20: memmove(sum, sum + 4, 6); break;
	case MANGLE_SUM32: sum[0] ^= 0xff; break;
	default: break;
	}
	base64_six(sum, out);
}

/* The linker's rule: types by their whole name, instantiated symbols whose arguments hold an "@" by those. Returns the
 * length written to out (which holds len + 16 bytes), 0 where the name is kept. */
static size_t mangle(enum mangling how, const char *name, size_t len, char *out)
{
	bool is_type = len > 5 && memcmp(name, "type:", 5) == 0;
	bool has_at = memchr(name, '@', len) != NULL;

	if ((!is_type && !has_at) || (len >= 13 && memcmp(name, "type:runtime.", 13) == 0) ||
	    (len >= 10 && memcmp(name, "go:string.", 10) == 0) || (len <= 14 && !has_at)) {
		return 0;
	}
	if (is_type) {
		size_t n = name[5] == '.' ? 6 : 5;
		memcpy(out, "type:.", n);
		mangle_part(how, name + 5, len - 5, out + n);
		return n + 8;
	}
	const char *open = memchr(name, '[', len), *shut = memrchr(name, ']', len);
	if (open == NULL) {
		return 0;
	}
	if (shut == NULL || shut <= open) {
		shut = name + len;
	}
	size_t head = (size_t)(open + 1 - name);
	memcpy(out, name, head);
	mangle_part(how, open + 1, (size_t)(shut - open - 1), out + head);
	memcpy(out + head + 8, shut, (size_t)(name + len - shut));
	return head + 8 + (size_t)(name + len - shut);
}

static enum mangling find_mangling(const struct gl_image *img)
{
	static const char probe[] = "type:*errors.errorString";
	char out[sizeof(probe) + 16];

	for (int how = 0; how < MANGLE_NONE; how++) {
		size_t n = mangle((enum mangling)how, probe, sizeof(probe) - 1, out);
		if (find_dynamic(img, out, n) != NULL) {
			return (enum mangling)how;
		}
	}
	return MANGLE_NONE;
}

/* ---- .symtab ---------------------------------------------------------------------------------------------------- */

/* Maps the file for its symbol table: the full one, or .dynsym where that was stripped. A file that has gone or changed
 * leaves the table empty, which costs listings their names and nothing else. */
static void map_symtab(struct gl_image *img)
{
	Elf_Scn *best = NULL, *scn = NULL;
	GElf_Shdr shdr, best_shdr = { 0 };
	int fd = img->elf == NULL ? open(img->path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0 || elf_version(EV_CURRENT) == EV_NONE) {
		return;
	}
	img->elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	while (img->elf != NULL && (scn = elf_nextscn(img->elf, scn)) != NULL) {
		if (gelf_getshdr(scn, &shdr) != NULL && (shdr.sh_type == SHT_SYMTAB || shdr.sh_type == SHT_DYNSYM) &&
		    (best == NULL || shdr.sh_type == SHT_SYMTAB)) {
			best = scn;
			best_shdr = shdr;
		}
	}
	Elf_Scn *strscn = best != NULL ? elf_getscn(img->elf, best_shdr.sh_link) : NULL;
	img->symbols = best != NULL ? elf_getdata(best, NULL) : NULL;
	img->names = strscn != NULL ? elf_getdata(strscn, NULL) : NULL;
	if (img->symbols != NULL && img->names != NULL && best_shdr.sh_entsize != 0) {
		img->nsymbols = img->symbols->d_size / best_shdr.sh_entsize;
	}
	close(fd);
}

/* Reads a symbol of it. False: there is none that an address could be in. */
static bool read_symbol(const struct gl_image *img, size_t i, struct gl_image_sym *out)
{
	GElf_Sym sym;

	if (gelf_getsym(img->symbols, (int)i, &sym) == NULL || sym.st_shndx == SHN_UNDEF ||
	    sym.st_name >= img->names->d_size) {
		return false;
	}
	const char *name = (const char *)img->names->d_buf + sym.st_name;
	int type = GELF_ST_TYPE(sym.st_info);
	*out = (struct gl_image_sym){
		.name = name, .addr = img->base + sym.st_value, .size = sym.st_size, .is_func = type == STT_FUNC
	};
	return (type == STT_FUNC || type == STT_OBJECT || type == STT_NOTYPE) &&
	       memchr(name, '\0', img->names->d_size - sym.st_name) != NULL;
}

static int by_offset(const void *a, const void *b)
{
	const struct symbol_at *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Sorts the symbols by address, for those who ask for one. */
static void sort_symtab(struct gl_image *img)
{
	struct gl_image_sym sym;

	map_symtab(img);
	img->sorted = img->nsymbols > 0 ? calloc(img->nsymbols, sizeof(*img->sorted)) : NULL;
	for (size_t i = 0; img->sorted != NULL && i < img->nsymbols; i++) {
		if (read_symbol(img, i, &sym) && sym.addr >= img->low && sym.addr < img->high) {
			img->sorted[img->nsorted++] =
				(struct symbol_at){ .offset = (uint32_t)(sym.addr - img->low), .number = (uint32_t)i };
		}
	}
	if (img->nsorted > 0) {
		qsort(img->sorted, img->nsorted, sizeof(*img->sorted), by_offset);
	}
}

/* ---- identity --------------------------------------------------------------------------------------------------- */

/* Adds the build ids that depend on the image's content to the hash: GNU's, which the C linker makes of it, and Go's,
 * when the go command made it (cmd/go/internal/work/buildid.go; other build systems write a fixed word). */
static bool hash_notes(const struct gl_image *img, crypto_generichash_state *state)
{
	const uint8_t *p = img->notes, *end = p == NULL ? NULL : p + img->notes_size;
	bool found = false;

	while (p != NULL && (size_t)(end - p) >= sizeof(ElfW(Nhdr))) {
		ElfW(Nhdr) note;
		memcpy(&note, p, sizeof(note));
		size_t name_size = ((size_t)note.n_namesz + 3) & ~(size_t)3;
		size_t size = ((size_t)note.n_descsz + 3) & ~(size_t)3;
		const uint8_t *name = p + sizeof(note);
		if (name_size > (size_t)(end - name) || size > (size_t)(end - name) - name_size) {
			break;
		}
		const uint8_t *id = name + name_size;
		bool is_gnu = note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(name, "GNU", 4) == 0;
		bool is_go = note.n_type == 4 && note.n_namesz == 4 && memcmp(name, "Go\0", 4) == 0 &&
			     memchr(id, '/', note.n_descsz) != NULL;
		if (is_gnu || is_go) {
			crypto_generichash_update(state, id, note.n_descsz);
			found = true;
		}
		p = id + size;
	}
	return found;
}

static int hash_file(const struct gl_image *img, crypto_generichash_state *state, struct gl_error *err)
{
	uint8_t buf[1 << 16];
	ssize_t n = 0;
	int fd = open(img->path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0) {
		crypto_generichash_update(state, buf, (size_t)n);
	}
	int saved = errno;
	if (fd >= 0) {
		close(fd);
	}
	return fd < 0 || n < 0 ? gl_fail(err, GL_EIO, "%s: %s", img->path, strerror(saved)) : 0;
}

int gl_image_id(const struct gl_image *img, char id[GL_IMAGE_ID_SIZE], struct gl_error *err)
{
	uint8_t sum[(GL_IMAGE_ID_SIZE - 1) / 2];
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, sizeof(sum));
	if (!hash_notes(img, &state) && hash_file(img, &state, err) != 0) {
		return -1;
	}
	crypto_generichash_final(&state, sum, sizeof(sum));
	sodium_bin2hex(id, GL_IMAGE_ID_SIZE, sum, sizeof(sum));
	return 0;
}

/* ---- the face --------------------------------------------------------------------------------------------------- */

struct gl_image *gl_image_open(void *handle, const char *path, struct gl_error *err)
{
	struct gl_image *img = calloc(1, sizeof(*img));
	struct link_map *map = NULL;

	if (img == NULL || (img->path = strdup(path)) == NULL) {
		gl_fail(err, GL_ENOMEM, "%s: out of memory", path);
		goto fail;
	}
	if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) {
		gl_fail(err, GL_EHOST, "%s: %s", path, dlerror());
		goto fail;
	}
	img->base = map->l_addr;
	img->low = (uintptr_t)map->l_ld; /* find_segments knows the image by its dynamic section */
	if (dl_iterate_phdr(find_segments, img) != 1) {
		gl_fail(err, GL_EHOST, "%s: the loader knows no such image", path);
		goto fail;
	}
	if (read_dynamic(img, map, err) != 0) {
		goto fail;
	}
	img->mangling = find_mangling(img);
	return img;

fail:
	gl_image_free(img);
	return NULL;
}

void gl_image_free(struct gl_image *img)
{
	if (img == NULL) {
		return;
	}
	free(img->sorted);
	elf_end(img->elf);
	free(img->path);
	free(img);
}

bool gl_image_lookup(struct gl_image *img, const char *name, size_t len, struct gl_image_sym *out)
{
	char small[512];
	char *buf = len + 16 <= sizeof(small) ? small : malloc(len + 16);

	if (buf == NULL) {
		return false;
	}
	size_t n = mangle(img->mangling, name, len, buf);
	const ElfW(Sym) *sym =
		n > 0 && img->mangling != MANGLE_NONE ? find_dynamic(img, buf, n) : find_dynamic(img, name, len);
	if (buf != small) {
		free(buf);
	}
	if (sym == NULL) {
		return false;
	}
	bool is_tls = ELF64_ST_TYPE(sym->st_info) == STT_TLS;
	*out = (struct gl_image_sym){ .name = img->strtab + sym->st_name,
				      .addr = (is_tls ? 0 : img->base) + sym->st_value,
				      .size = sym->st_size,
				      .is_func = ELF64_ST_TYPE(sym->st_info) == STT_FUNC };
	return true;
}

bool gl_image_symbolize(struct gl_image *img, uintptr_t addr, struct gl_image_sym *out)
{
	if (addr < img->low || addr >= img->high) {
		return false;
	}
	if (!img->is_sorted) {
		img->is_sorted = true;
		sort_symtab(img);
	}
	size_t low = 0, high = img->nsorted;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (img->low + img->sorted[mid].offset <= addr) {
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	/* several symbols may start at one address; the first that covers addr wins */
	for (size_t i = low; i > 0 && low - i < 64; i--) {
		if (read_symbol(img, img->sorted[i - 1].number, out) &&
		    (addr < out->addr + out->size || addr == out->addr)) {
			return true;
		}
	}
	return false;
}

void gl_image_each(struct gl_image *img, bool (*fn)(const struct gl_image_sym *sym, void *arg), void *arg)
{
	struct gl_image_sym sym;

	map_symtab(img);
	for (size_t i = 0; i < img->nsymbols; i++) {
		if (read_symbol(img, i, &sym) && !fn(&sym, arg)) {
			return;
		}
	}
}

uintptr_t gl_image_low(const struct gl_image *img) { return img->low; }
uintptr_t gl_image_high(const struct gl_image *img) { return img->high; }
const char *gl_image_path(const struct gl_image *img) { return img->path; }

int gl_image_tls_offset(struct gl_image *img, int64_t *offset, struct gl_error *err)
{
	struct gl_image_sym sym;

	/* cmd/link gives runtime.tlsg a place in the image's thread-local block and reaches it by the initial-exec
	 * model, so that the block lies at the same distance from every thread's thread pointer. dl_iterate_phdr tells
	 * the block's address only once it was used; asking for it as a compiler would makes sure of that. */
	if (img->tls_module == 0 || !gl_image_lookup(img, "runtime.tlsg", 12, &sym)) {
		return gl_fail(err, GL_EHOST, "%s has no thread-local runtime.tlsg: not a Go host?", img->path);
	}
	size_t index[2] = { img->tls_module, sym.addr };
	*offset = (int64_t)((uintptr_t)__tls_get_addr(index) - (uintptr_t)__builtin_thread_pointer());
	return 0;
}
