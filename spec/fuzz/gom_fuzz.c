/* Fuzzing what shipped modules are read and written by. The input is a file without its first line, which would hold
 * off everything that follows by its hash: the right one is put in front. What the reader gives can be touched;
 * packages that open are written anew, with every symbol kept, and must open again. Signed, the same input must be
 * verified, and must not be with any one byte of the first line changed, nor with another's signature. Keys are read
 * from it as well. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
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
	sink += (size_t)gl_gom_is(path, &err);
	struct gl_gom *gom = gl_gom_open(path, &err);
	if (gom != NULL) {
		touch_gom(gom);
		gl_gom_close(gom);
	}
	close(fd);
}

/* ---- signatures ------------------------------------------------------------------------------------------------- */

static struct gl_secret_key secret;
static struct gl_public_key public;

static bool verifies(const uint8_t *first, size_t nfirst, const uint8_t *data, size_t size)
{
	struct gl_trust trust = { .keys = &public, .nkeys = 1 };
	const struct gl_public_key *by;
	struct gl_error err;
	char path[64];
	int fd = memfd_create("gom", MFD_CLOEXEC);

	if (fd < 0 || write(fd, first, nfirst) != (ssize_t)nfirst || write(fd, data, size) != (ssize_t)size) {
		abort();
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	struct gl_gom *gom = gl_gom_open(path, &err);
	bool is = gom != NULL && gl_gom_verify(gom, &trust, &by, &err) == 0;
	gl_gom_close(gom);
	close(fd);
	return is;
}

/* data opens as a module's content: what is signed is verified, and nothing like it. */
static void check_signature(const char *text, const uint8_t *data, size_t size, uint32_t random)
{
	uint8_t signature[GL_SIGNATURE_BYTES];
	char first[256], base64[89];
	size_t n = strlen(text);

	gl_key_sign(&secret, text, n, signature);
	sodium_bin2base64(base64, sizeof(base64), signature, sizeof(signature), sodium_base64_VARIANT_ORIGINAL);
	size_t nfirst = (size_t)snprintf(first, sizeof(first), "%s %s\n", text, base64);
	if (!verifies((uint8_t *)first, nfirst, data, size)) {
		abort();
	}
	first[random % nfirst] ^= (char)(1U << (random >> 29));
	if (verifies((uint8_t *)first, nfirst, data, size)) {
		abort();
	}
	gl_key_sign(&secret, text, n - 1, signature); /* of something else */
	sodium_bin2base64(base64, sizeof(base64), signature, sizeof(signature), sodium_base64_VARIANT_ORIGINAL);
	nfirst = (size_t)snprintf(first, sizeof(first), "%s %s\n", text, base64);
	if (verifies((uint8_t *)first, nfirst, data, size)) {
		abort();
	}
}

static void sign(const uint8_t *data, size_t size, const char *hex, uint32_t random)
{
	char text[256], name[GL_KEY_NAME_SIZE], first[256];
	struct gl_error err;

	if (public.id[0] == 0) {
		memset(public.id, 'k', sizeof(public.id));
		memset(secret.id, 'k', sizeof(secret.id));
		crypto_sign_seed_keypair(public.bytes, secret.bytes,
					 (const uint8_t *)"a seed of thirty-two bytes, look");
	}
	snprintf(first, sizeof(first), "goloader module 2 %zu %s\n", size, hex);
	int fd = memfd_create("gom", MFD_CLOEXEC);
	char path[64];
	if (fd < 0 || write(fd, first, strlen(first)) != (ssize_t)strlen(first) ||
	    write(fd, data, size) != (ssize_t)size) {
		abort();
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	struct gl_gom *gom = gl_gom_open(path, &err);
	if (gom != NULL) {
		gl_key_name(public.id, name);
		snprintf(text, sizeof(text), "goloader module 3 %zu %s %s", size, hex, name);
		check_signature(text, data, size, random);
	}
	gl_gom_close(gom);
	close(fd);
}

static void read_keys(const uint8_t *data, size_t size)
{
	struct gl_public_key key;
	struct gl_secret_key mine;
	struct gl_error err;
	char path[64], *text = strndup((const char *)data, size);
	int fd = memfd_create("key", MFD_CLOEXEC);

	if (fd < 0 || text == NULL || fchmod(fd, 0600) != 0 || write(fd, data, size) != (ssize_t)size) {
		abort();
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	sink += gl_key_read(path, &key, &err) == 0;
	sink += gl_key_read(text, &key, &err) == 0;
	sink += gl_key_read_secret(path, &mine, &err) == 0;
	free(text);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t sum[32];
	uint32_t random;
	char hex[65], first[256];

	crypto_generichash(sum, sizeof(sum), data, size, NULL, 0);
	sodium_bin2hex(hex, sizeof(hex), sum, sizeof(sum));
	snprintf(first, sizeof(first), "goloader module 2 %zu %s\n", size, hex);
	read_file(first, data, size);
	read_file("", data, size);
	memcpy(&random, sum, sizeof(random));
	sign(data, size, hex, random);
	if (size < 8192) {
		read_keys(data, size);
	}
	return 0;
}
