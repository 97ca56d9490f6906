/* Shipped modules (see gom.h for the format). */
#include "gom.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "pool.h"

static const char magic[] = "goloader module ", no_path[] = ".";

enum { VERSION = 2, SIGNED_VERSION = 3, HASH_BYTES = 32, LONGEST_FIRST_LINE = 256 };

struct owned {
	struct gl_gom gom;
	struct gl_pool pool;
	uint8_t *bytes;         /* the whole file */
	const uint8_t *content; /* of it, behind the first line */
	size_t content_size;
	char signed_text[LONGEST_FIRST_LINE]; /* what of the first line a signature is of */
	uint8_t signature[GL_SIGNATURE_BYTES];
	char *text;   /* the manifest, cut into words */
	char **lines; /* those of the packages, imports and exports */
	size_t nlines;
};

static int corrupt(const struct owned *own, struct gl_error *err, const char *what)
{
	return gl_fail(err, GL_EFORMAT, "%s is corrupt: %s", own->gom.file, what);
}

/* ---- the file --------------------------------------------------------------------------------------------------- */

int gl_gom_is(const char *file, struct gl_error *err)
{
	char start[sizeof(magic) - 1];
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd >= 0 ? read(fd, start, sizeof(start)) : -1;

	bool is_folder = n < 0 && errno == EISDIR; /* whoever opens it says so */
	if (n < 0 && !is_folder) {
		gl_fail(err, GL_EIO, "%s: %s", file, strerror(errno));
	}
	if (fd >= 0) {
		close(fd);
	}
	if (is_folder) {
		return 0;
	}
	return n < 0 ? -1 : n == (ssize_t)sizeof(start) && memcmp(start, magic, sizeof(start)) == 0;
}

/* ---- words ------------------------------------------------------------------------------------------------------ */

/* Cuts the first word off; NULL when there is none. */
static char *next_word(char **rest)
{
	char *word = *rest, *end = strchr(word, ' ');

	if (*word == '\0' || end == word) {
		return NULL;
	}
	if (end == NULL) {
		*rest = word + strlen(word);
	} else {
		*end = '\0';
		*rest = end + 1;
	}
	return word;
}

static bool read_number(const char *word, size_t *n)
{
	size_t len = word == NULL ? 0 : strlen(word);

	*n = 0;
	if (len == 0 || len > 15 || strspn(word, "0123456789") != len) {
		return false;
	}
	*n = (size_t)strtoull(word, NULL, 10);
	return true;
}

static bool is_hex(const char *word, size_t len)
{
	return word != NULL && strlen(word) == len && strspn(word, "0123456789abcdef") == len;
}

/* ---- the manifest ----------------------------------------------------------------------------------------------- */

/* The end of a signed file's first line: whose signature it is, and the signature. The line is still whole in text. */
static bool read_signature(struct owned *own, char *rest, const char *text)
{
	const char *key = next_word(&rest);

	if (key == NULL || strlen(key) != GL_KEY_NAME_SIZE - 1 || strspn(key, "0123456789ABCDEF") != strlen(key) ||
	    !gl_base64_read(rest, own->signature, sizeof(own->signature))) {
		return false;
	}
	memcpy(own->gom.key, key, sizeof(own->gom.key));
	memcpy(own->signed_text, text, strlen(text) - strlen(rest) - 1);
	return true;
}

/* The first line, cut into words. *size is how many bytes it says follow it. */
static int read_first_line(struct owned *own, char *line, size_t *size, struct gl_error *err)
{
	char text[LONGEST_FIRST_LINE], *rest = line + sizeof(magic) - 1;
	size_t version;

	memcpy(text, line, strlen(line) + 1);
	if (!read_number(next_word(&rest), &version)) {
		return corrupt(own, err, "its first line has no version");
	}
	if (version != VERSION && version != SIGNED_VERSION) {
		return gl_fail(err, GL_EMISMATCH,
			       "%s is of version %zu of its format, this goloader reads versions %d and %d",
			       own->gom.file, version, VERSION, SIGNED_VERSION);
	}
	bool has_size = read_number(next_word(&rest), size);
	const char *hash = version == VERSION ? rest : next_word(&rest);
	if (!has_size || !is_hex(hash, 2 * HASH_BYTES)) {
		return corrupt(own, err, "its first line has no size and hash");
	}
	memcpy(own->gom.hash, hash, sizeof(own->gom.hash));
	if (version == SIGNED_VERSION && !read_signature(own, rest, text)) {
		return corrupt(own, err, "its first line has no signature");
	}
	return 0;
}

/* The first line and the hash: from here on every byte is as it was written. */
static int check_content(struct owned *own, struct gl_error *err)
{
	size_t most = own->gom.size < LONGEST_FIRST_LINE ? own->gom.size : LONGEST_FIRST_LINE;
	uint8_t sum[HASH_BYTES], *eol = memchr(own->bytes, '\n', most);
	char hex[2 * HASH_BYTES + 1];
	size_t want = 0;

	if (own->gom.size < sizeof(magic) - 1 || memcmp(own->bytes, magic, sizeof(magic) - 1) != 0) {
		return gl_fail(err, GL_EFORMAT, "%s is no shipped module: it doesn't start with \"%s\"", own->gom.file,
			       magic);
	}
	if (eol == NULL) {
		return corrupt(own, err, "its first line has no end");
	}
	*eol = '\0';
	if (strlen((char *)own->bytes) != (size_t)(eol - own->bytes)) {
		return corrupt(own, err, "its first line is no text");
	}
	if (read_first_line(own, (char *)own->bytes, &want, err) != 0) {
		return -1;
	}
	size_t have = own->gom.size - (size_t)(eol + 1 - own->bytes);
	if (have != want) {
		return gl_fail(err, GL_EFORMAT, "%s is %s: %zu bytes follow its first line, which says %zu",
			       own->gom.file, have < want ? "truncated" : "corrupt", have, want);
	}
	crypto_generichash(sum, sizeof(sum), eol + 1, have, NULL, 0);
	sodium_bin2hex(hex, sizeof(hex), sum, sizeof(sum));
	if (strcmp(hex, own->gom.hash) != 0) {
		return gl_fail(err, GL_EFORMAT, "%s is corrupt: its hash is %s, its first line says %s", own->gom.file,
			       hex, own->gom.hash);
	}
	own->content = eol + 1;
	own->content_size = have;
	return 0;
}

/* Cuts the manifest into lines: the object header, the host, then the others, up to the empty one. */
static int cut_lines(struct owned *own, const uint8_t *start, size_t size, size_t *manifest, struct gl_error *err)
{
	const uint8_t *end = memmem(start, size, "\n\n", 2);
	size_t n = end == NULL ? 0 : (size_t)(end - start), cap = 0;

	if (end == NULL || memchr(start, '\0', n) != NULL) {
		return corrupt(own, err, "its manifest has no end");
	}
	*manifest = n + 2;
	own->text = strndup((const char *)start, n);
	if (own->text == NULL) {
		return gl_fail(err, GL_ENOMEM, "%s: out of memory", own->gom.file);
	}
	for (char *line = own->text; line != NULL;) {
		char *eol = strchr(line, '\n');
		if (eol != NULL) {
			*eol = '\0';
		}
		if (own->nlines == cap) {
			cap = cap * 2 + 64;
			char **grown = realloc(own->lines, cap * sizeof(*grown));
			if (grown == NULL) {
				return gl_fail(err, GL_ENOMEM, "%s: out of memory", own->gom.file);
			}
			own->lines = grown;
		}
		own->lines[own->nlines++] = line;
		line = eol == NULL ? NULL : eol + 1;
	}
	return 0;
}

static bool read_package(char *rest, struct gl_gom_package *p)
{
	static const char *const roles[] = { "root", "own", "shared" };
	const char *role = next_word(&rest), *fingerprint = next_word(&rest);
	int found = -1;

	for (int i = 0; role != NULL && i < 3; i++) {
		found = strcmp(role, roles[i]) == 0 ? i : found;
	}
	bool has_size = read_number(next_word(&rest), &p->size);
	p->path = next_word(&rest);
	if (p->path != NULL && strcmp(p->path, no_path) == 0) {
		p->path = "";
	}
	p->version = *rest == '\0' ? NULL : rest;
	if (found < 0 || !is_hex(fingerprint, 16) || !has_size || p->path == NULL) {
		return false;
	}
	p->role = (enum gl_gom_role)found;
	memcpy(p->fingerprint, fingerprint, sizeof(p->fingerprint));
	return true;
}

static bool read_import(char *rest, struct gl_gom_import *import)
{
	const char *where = next_word(&rest), *fingerprint = next_word(&rest);

	if (where == NULL || !is_hex(fingerprint, 16) || *rest == '\0') {
		return false;
	}
	import->in_host = strcmp(where, "host") == 0;
	memcpy(import->fingerprint, fingerprint, sizeof(import->fingerprint));
	import->path = rest;
	return import->in_host || strcmp(where, "none") == 0;
}

static bool read_library(char *rest, struct gl_gom_library *library)
{
	const char *role = next_word(&rest);

	library->is_own = role != NULL && strcmp(role, "own") == 0;
	bool has_size = read_number(next_word(&rest), &library->size);
	library->packages = rest;
	return role != NULL && has_size && (library->is_own || strcmp(role, "shared") == 0);
}

static bool read_string(struct owned *own, char *rest, struct gl_gom_string *string)
{
	size_t size = 0;

	string->name = next_word(&rest);
	char *value = gl_pool_take(&own->pool, strlen(rest) / 2 + 1);
	if (string->name == NULL || value == NULL ||
	    sodium_hex2bin((unsigned char *)value, strlen(rest) / 2, rest, strlen(rest), NULL, &size, NULL) != 0) {
		return false;
	}
	string->value = value;
	string->size = size;
	return 2 * size == strlen(rest);
}

static const char *const export_kinds[] = { [GL_DECLARES_FUNC] = "func",
					    [GL_DECLARES_VAR] = "var",
					    [GL_DECLARES_CONST] = "const",
					    [GL_DECLARES_TYPE] = "type" };

static bool read_export(char *rest, struct gl_gom_export *export)
{
	const char *kind = next_word(&rest);

	export->package = next_word(&rest);
	export->name = next_word(&rest);
	export->signature = rest;
	if (kind == NULL || export->package == NULL || export->name == NULL || *rest == '\0') {
		return false;
	}
	for (int i = 0; i <= GL_DECLARES_TYPE; i++) {
		if (strcmp(kind, export_kinds[i]) == 0) {
			export->kind = (enum gl_declaration_kind)i;
			return true;
		}
	}
	return false;
}

static int read_lines(struct owned *own, struct gl_error *err)
{
	struct gl_gom *gom = &own->gom;
	struct gl_gom_package *packages = gl_pool_take(&own->pool, own->nlines * sizeof(*packages));
	struct gl_gom_import *imports = gl_pool_take(&own->pool, own->nlines * sizeof(*imports));
	struct gl_gom_export *exports = gl_pool_take(&own->pool, own->nlines * sizeof(*exports));
	struct gl_gom_library *libraries = gl_pool_take(&own->pool, own->nlines * sizeof(*libraries));
	struct gl_gom_string *strings = gl_pool_take(&own->pool, own->nlines * sizeof(*strings));

	if (packages == NULL || imports == NULL || exports == NULL || libraries == NULL || strings == NULL) {
		return gl_fail(err, GL_ENOMEM, "%s: out of memory", gom->file);
	}
	char *rest = own->nlines > 1 ? own->lines[1] : NULL;
	const char *word = rest == NULL ? NULL : next_word(&rest);
	gom->header = own->lines[0];
	gom->host_id = word != NULL && strcmp(word, "host") == 0 ? next_word(&rest) : NULL;
	gom->host_name = rest;
	if (gom->host_id == NULL) {
		return corrupt(own, err, "its manifest names no host");
	}
	for (size_t i = 2; i < own->nlines; i++) {
		bool ok = false;
		rest = own->lines[i];
		word = next_word(&rest);
		if (word != NULL && strcmp(word, "package") == 0) {
			ok = read_package(rest, &packages[gom->npackages++]);
		} else if (word != NULL && strcmp(word, "import") == 0) {
			ok = read_import(rest, &imports[gom->nimports++]);
		} else if (word != NULL && strcmp(word, "export") == 0) {
			ok = read_export(rest, &exports[gom->nexports++]);
		} else if (word != NULL && strcmp(word, "godebug") == 0) {
			ok = *rest != '\0';
			gom->godebug = rest;
		} else if (word != NULL && strcmp(word, "string") == 0) {
			ok = read_string(own, rest, &strings[gom->nstrings++]);
		} else if (word != NULL && strcmp(word, "library") == 0) {
			ok = read_library(rest, &libraries[gom->nlibraries++]);
		}
		if (!ok) {
			return gl_fail(err, GL_EFORMAT, "%s is corrupt: line %zu of its manifest", gom->file, i + 2);
		}
	}
	gom->packages = packages;
	gom->imports = imports;
	gom->exports = exports;
	gom->libraries = libraries;
	gom->strings = strings;
	return 0;
}

/* Gives each package and each library its bytes. */
static int cut_payload(struct owned *own, const uint8_t *p, size_t size, struct gl_error *err)
{
	struct gl_gom_package *packages = (struct gl_gom_package *)own->gom.packages;   /* ours */
	struct gl_gom_library *libraries = (struct gl_gom_library *)own->gom.libraries; /* ours */
	size_t n = own->gom.npackages;

	for (size_t i = 0; i < n + own->gom.nlibraries; i++) {
		size_t part = i < n ? packages[i].size : libraries[i - n].size;
		if (part > size) {
			return corrupt(own, err, "its parts are longer than the file");
		}
		*(i < n ? &packages[i].bytes : &libraries[i - n].bytes) = p;
		p += part;
		size -= part;
	}
	return size == 0 ? 0 : corrupt(own, err, "bytes follow its last part");
}

struct gl_gom *gl_gom_open(const char *file, struct gl_error *err)
{
	struct owned *own = calloc(1, sizeof(*own));
	size_t manifest = 0;

	if (own == NULL || (own->gom.file = strdup(file)) == NULL) {
		gl_fail(err, GL_ENOMEM, "%s: out of memory", file);
		goto fail;
	}
	if (file_read(own->gom.file, &own->bytes, &own->gom.size, err) != 0) {
		goto fail;
	}
	if (check_content(own, err) != 0 || cut_lines(own, own->content, own->content_size, &manifest, err) != 0 ||
	    read_lines(own, err) != 0 ||
	    cut_payload(own, own->content + manifest, own->content_size - manifest, err) != 0) {
		goto fail;
	}
	return &own->gom;

fail:
	gl_gom_close(own == NULL ? NULL : &own->gom);
	return NULL;
}

void gl_gom_close(struct gl_gom *gom)
{
	struct owned *own = (struct owned *)(void *)gom;

	if (own != NULL) {
		gl_pool_free(&own->pool);
		free(own->lines);
		free(own->text);
		free(own->bytes);
		free((char *)own->gom.file);
		free(own);
	}
}

/* ---- signatures ------------------------------------------------------------------------------------------------- */

int gl_gom_verify(const struct gl_gom *gom, const struct gl_trust *trust, const struct gl_public_key **by,
		  struct gl_error *err)
{
	const struct owned *own = (const struct owned *)(const void *)gom;
	char name[GL_KEY_NAME_SIZE];
	bool is_known = false;

	*by = NULL;
	for (size_t i = 0; i < trust->nhashes; i++) {
		if (strcmp(gom->hash, trust->hashes[i]) == 0) {
			return 0;
		}
	}
	if (gom->key[0] == '\0') {
		return gl_fail(err, GL_ETRUST, "%s is not signed", gom->file);
	}
	for (size_t i = 0; i < trust->nkeys; i++) {
		gl_key_name(trust->keys[i].id, name);
		if (strcmp(gom->key, name) != 0) {
			continue;
		}
		is_known = true;
		if (gl_key_verify(&trust->keys[i], own->signed_text, strlen(own->signed_text), own->signature)) {
			*by = &trust->keys[i];
			return 0;
		}
	}
	return is_known ? gl_fail(err, GL_ETRUST, "%s has a signature that is not of key %s, or not of this file",
				  gom->file, gom->key) :
			  gl_fail(err, GL_ETRUST, "%s is signed by key %s, which is not trusted", gom->file, gom->key);
}

/* The first line of a file with this content. */
static void write_first_line(char first[LONGEST_FIRST_LINE], const uint8_t *content, size_t size,
			     const struct gl_secret_key *key)
{
	uint8_t sum[HASH_BYTES], signature[GL_SIGNATURE_BYTES];
	char hex[2 * HASH_BYTES + 1], name[GL_KEY_NAME_SIZE];
	char base64[sodium_base64_ENCODED_LEN(sizeof(signature), sodium_base64_VARIANT_ORIGINAL)];

	crypto_generichash(sum, sizeof(sum), content, size, NULL, 0);
	sodium_bin2hex(hex, sizeof(hex), sum, sizeof(sum));
	if (key == NULL) {
		snprintf(first, LONGEST_FIRST_LINE, "%s%d %zu %s\n", magic, VERSION, size, hex);
		return;
	}
	gl_key_name(key->id, name);
	size_t n =
		(size_t)snprintf(first, LONGEST_FIRST_LINE, "%s%d %zu %s %s", magic, SIGNED_VERSION, size, hex, name);
	gl_key_sign(key, first, n, signature);
	sodium_bin2base64(base64, sizeof(base64), signature, sizeof(signature), sodium_base64_VARIANT_ORIGINAL);
	snprintf(first + n, LONGEST_FIRST_LINE - n, " %s\n", base64);
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static void add_line(struct gl_bytes *out, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		gl_bytes_add(out, words[i], strlen(words[i]));
		gl_bytes_add(out, i + 1 < n ? " " : "\n", 1);
	}
}

#define LINE(out, ...)                                                                                                 \
	add_line(out, (const char *const[]){ __VA_ARGS__ },                                                            \
		 sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

static void add_string(struct gl_bytes *out, const struct gl_gom_string *string)
{
	size_t size = 2 * string->size + 1;
	char *hex = malloc(size);

	if (hex == NULL) {
		out->failed = true;
		return;
	}
	sodium_bin2hex(hex, size, (const unsigned char *)string->value, string->size);
	LINE(out, "string", string->name, hex);
	free(hex);
}

static void add_manifest(struct gl_bytes *out, const struct gl_gom *gom)
{
	static const char *const roles[] = { "root", "own", "shared" };
	char size[24];

	LINE(out, gom->header);
	LINE(out, "host", gom->host_id, gom->host_name);
	if (gom->godebug != NULL) {
		LINE(out, "godebug", gom->godebug);
	}
	for (size_t i = 0; i < gom->nstrings; i++) {
		add_string(out, &gom->strings[i]);
	}
	for (size_t i = 0; i < gom->npackages; i++) {
		const struct gl_gom_package *p = &gom->packages[i];
		const char *path = p->path[0] != '\0' ? p->path : no_path;
		snprintf(size, sizeof(size), "%zu", p->size);
		if (p->version != NULL) {
			LINE(out, "package", roles[p->role], p->fingerprint, size, path, p->version);
		} else {
			LINE(out, "package", roles[p->role], p->fingerprint, size, path);
		}
	}
	for (size_t i = 0; i < gom->nimports; i++) {
		const struct gl_gom_import *import = &gom->imports[i];
		LINE(out, "import", import->in_host ? "host" : "none", import->fingerprint, import->path);
	}
	for (size_t i = 0; i < gom->nexports; i++) {
		const struct gl_gom_export *export = &gom->exports[i];
		LINE(out, "export", export_kinds[export->kind], export->package, export->name, export->signature);
	}
	for (size_t i = 0; i < gom->nlibraries; i++) {
		const struct gl_gom_library *library = &gom->libraries[i];
		snprintf(size, sizeof(size), "%zu", library->size);
		LINE(out, "library", library->is_own ? "own" : "shared", size, library->packages);
	}
	gl_bytes_add(out, "\n", 1);
}

/* Opens a new file beside the one that is to be written, readable for whom the user's umask says. Nobody else may write
 * to it: nginx's umask would let everybody. */
static FILE *open_beside(const char *file, char *name, size_t size)
{
	int fd = -1;

	for (unsigned int i = 0; fd < 0 && i < 1000; i++) {
		int n = snprintf(name, size, "%s.%ld-%x", file, (long)getpid(), randombytes_random());
		if (n < 0 || (size_t)n >= size) {
			errno = ENAMETOOLONG;
			return NULL;
		}
		fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (fd < 0 && errno != EEXIST) {
			return NULL;
		}
	}
	FILE *f = fd < 0 ? NULL : fdopen(fd, "wb");
	if (f == NULL && fd >= 0) {
		close(fd);
		unlink(name);
	}
	return f;
}

/* Whoever opens the file meanwhile sees the old one, or the new one whole. */
static int write_all(const char *file, const uint8_t *content, size_t size, const struct gl_secret_key *key,
		     struct gl_error *err)
{
	char name[4096], first[LONGEST_FIRST_LINE];
	struct stat st;

	if (stat(file, &st) == 0 && !S_ISREG(st.st_mode)) { /* a device would be replaced */
		return gl_fail(err, GL_EIO, "%s is there, and is not a regular file", file);
	}
	write_first_line(first, content, size, key);
	FILE *f = open_beside(file, name, sizeof(name));
	if (f == NULL) {
		return gl_fail(err, GL_EIO, "%s: %s", file, strerror(errno));
	}
	bool ok = fputs(first, f) >= 0 && fwrite(content, 1, size, f) == size;
	ok = fclose(f) == 0 && ok;
	if (!ok || rename(name, file) != 0) {
		gl_fail(err, GL_EIO, "%s: %s", file, strerror(errno));
		unlink(name);
		return -1;
	}
	return 0;
}

int gl_gom_write(const char *file, const struct gl_gom *gom, const struct gl_bytes *payload,
		 const struct gl_secret_key *key, struct gl_error *err)
{
	struct gl_bytes body = { 0 };

	add_manifest(&body, gom);
	gl_bytes_add(&body, payload->p, payload->n);
	if (body.failed || payload->failed) {
		free(body.p);
		return gl_fail(err, GL_ENOMEM, "%s: out of memory", file);
	}
	int ret = write_all(file, body.p, body.n, key, err);
	free(body.p);
	return ret;
}

int gl_gom_sign(const char *file, const struct gl_gom *gom, const struct gl_secret_key *key, struct gl_error *err)
{
	const struct owned *own = (const struct owned *)(const void *)gom;

	return write_all(file, own->content, own->content_size, key, err);
}
