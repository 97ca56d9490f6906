/* Fuzzing what shipped modules are read and written by. The input is a file without its first line, which would hold
 * off everything that follows by its hash: the right one is put in front. What the reader gives can be touched;
 * packages that open are written anew, with every symbol kept, and must open again. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "object/gom.h"
#include "object/object.h"
#include "object/writer.h"
#include "host.h"

static volatile size_t sink; /* what is read must be read indeed */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void touch(const char *s) { sink += s != NULL ? strlen(s) : 0; }

static struct gl_str no_name(void *arg, const struct gl_object *obj, struct gl_symref ref)
{
	(void)arg;
	return gl_object_refname(obj, ref);
}

/* Names may overlap in a hostile file, and would be many times as long behind each other. */
static size_t names_size(const struct gl_object *obj)
{
	size_t n = 0;

	for (uint32_t i = 0; i < gl_object_ntotal(obj); i++) {
		n += gl_object_sym(obj, i).name.n;
	}
	for (uint32_t i = 0; i < gl_object_nrefnames(obj); i++) {
		n += gl_object_refname_at(obj, i).n;
	}
	for (uint32_t i = 0; i < gl_object_nfiles(obj); i++) {
		n += gl_object_file(obj, i).n;
	}
	for (uint32_t i = 0; i < gl_object_npkgs(obj); i++) {
		n += gl_object_pkg(obj, i).n;
	}
	for (uint32_t i = 0; i < gl_object_nautolib(obj); i++) {
		n += gl_object_autolib(obj, i).n;
	}
	return n;
}

static void write_again(const struct gl_package *pkg, uint8_t how)
{
	uint32_t nobjects = gl_package_nobjects(pkg);
	const uint8_t **symbols = calloc(nobjects, sizeof(*symbols));
	struct gl_keep keep = { .abi = abi, .symbols = symbols, .exports = true, .name = no_name };
	struct gl_bytes out = { 0 };
	struct gl_error err;
	size_t names = 0;

	for (uint32_t o = 0; o < nobjects; o++) {
		const struct gl_object *obj = gl_package_object(pkg, o);
		uint8_t *kept = malloc((size_t)gl_object_ntotal(obj) + 1);
		memset(kept, how, (size_t)gl_object_ntotal(obj) + 1);
		symbols[o] = kept;
		names += names_size(obj);
	}
	if (names < 16 << 20) {
		if (gl_package_write(pkg, &keep, &out, &err) != 0) {
			abort();
		}
		struct gl_package *again = gl_package_open_bytes("again", out.p, out.n, "again", NULL, &err);
		if (again == NULL || gl_package_nobjects(again) != nobjects) {
			fprintf(stderr, "%s\n", err.message);
			abort();
		}
		gl_package_close(again);
	}
	for (uint32_t o = 0; o < nobjects; o++) {
		free((void *)symbols[o]);
	}
	free(symbols);
	free(out.p);
}

static void touch_gom(const struct gl_gom *gom)
{
	struct gl_error err;

	touch(gom->header);
	touch(gom->host_id);
	touch(gom->host_name);
	touch(gom->godebug);
	for (size_t i = 0; i < gom->nimports; i++) {
		touch(gom->imports[i].path);
	}
	for (size_t i = 0; i < gom->nexports; i++) {
		touch(gom->exports[i].package);
		touch(gom->exports[i].name);
		touch(gom->exports[i].signature);
	}
	for (size_t i = 0; i < gom->nstrings; i++) {
		touch(gom->strings[i].name);
		sink += strlen(gom->strings[i].value) + gom->strings[i].size;
	}
	for (size_t i = 0; i < gom->nlibraries; i++) {
		touch(gom->libraries[i].packages);
		for (size_t k = 0; k < gom->libraries[i].size; k++) {
			sink += gom->libraries[i].bytes[k];
		}
	}
	for (size_t i = 0; i < gom->npackages; i++) {
		const struct gl_gom_package *p = &gom->packages[i];
		touch(p->path);
		touch(p->version);
		struct gl_package *pkg = gl_package_open_bytes(gom->file, p->bytes, p->size, p->path, NULL, &err);
		if (pkg != NULL) {
			write_again(pkg, GL_KEEP_BODY);
			write_again(pkg, GL_KEEP_INFO);
			gl_package_close(pkg);
		}
	}
}

static void read_file(const char *first, const uint8_t *data, size_t size)
{
	int fd = memfd_create("gom", MFD_CLOEXEC);
	char path[64];
	struct gl_error err;

	if (fd < 0 || write(fd, first, strlen(first)) != (ssize_t)strlen(first) ||
	    write(fd, data, size) != (ssize_t)size) {
		abort();
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	sink += gl_gom_is(path);
	struct gl_gom *gom = gl_gom_open(path, &err);
	if (gom != NULL) {
		touch_gom(gom);
		gl_gom_close(gom);
	}
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t sum[32];
	char hex[65], first[256];

	crypto_generichash(sum, sizeof(sum), data, size, NULL, 0);
	sodium_bin2hex(hex, sizeof(hex), sum, sizeof(sum));
	snprintf(first, sizeof(first), "goloader module 2 %zu %s\n", size, hex);
	read_file(first, data, size);
	read_file("", data, size);
	return 0;
}
