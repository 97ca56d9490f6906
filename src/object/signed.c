/* Keys and signatures (see signed.h). */
#include "signed.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the line of a public key holds. */
struct public_line {
	char algorithm[2]; /* "Ed" */
	uint8_t id[8];
	uint8_t bytes[32];
};

/* What the line of a secret key holds (minisign's seckey_struct). */
struct secret_line {
	char algorithm[2]; /* "Ed" */
	char kdf[2];       /* how its password becomes a key: zeros, there is none */
	char checksum[2];  /* "B2": BLAKE2b-256 of algorithm, id and bytes */
	uint8_t salt[32], limits[16];
	uint8_t id[8];
	uint8_t bytes[64];
	uint8_t sum[32];
};

enum { LONGEST_FILE = 4096, BASE64 = sodium_base64_VARIANT_ORIGINAL };

static const char algorithm[2] = { 'E', 'd' }, blake2b[2] = { 'B', '2' };

static void checksum(const struct secret_line *line, uint8_t sum[32])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, 32);
	crypto_generichash_update(&state, (const uint8_t *)line->algorithm, sizeof(line->algorithm));
	crypto_generichash_update(&state, line->id, sizeof(line->id));
	crypto_generichash_update(&state, line->bytes, sizeof(line->bytes));
	crypto_generichash_final(&state, sum, 32);
}

/* minisign prints the number as a little-endian integer. */
void gl_key_name(const uint8_t id[8], char out[GL_KEY_NAME_SIZE])
{
	for (int i = 0; i < 8; i++) {
		snprintf(out + (size_t)2 * i, 3, "%02X", id[7 - i]);
	}
}

void gl_key_text(const struct gl_public_key *key, char out[GL_KEY_TEXT_SIZE])
{
	struct public_line line;

	memcpy(line.algorithm, algorithm, sizeof(line.algorithm));
	memcpy(line.id, key->id, sizeof(line.id));
	memcpy(line.bytes, key->bytes, sizeof(line.bytes));
	sodium_bin2base64(out, GL_KEY_TEXT_SIZE, (const uint8_t *)&line, sizeof(line), BASE64);
}

/* ---- making -------------------------------------------------------------------------------------------------------
 */

static int write_new(const char *file, mode_t mode, const char *text, struct gl_error *err)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	size_t n = strlen(text);

	if (fd < 0) {
		return gl_fail(err, GL_EIO, "%s: %s", file,
			       errno == EEXIST ? "it is there already, and a key that is lost is lost for good" :
						 strerror(errno));
	}
	ssize_t written = write(fd, text, n);
	int why = written < 0 ? errno : ENOSPC;
	if (close(fd) != 0 || written != (ssize_t)n) {
		unlink(file);
		return gl_fail(err, GL_EIO, "%s: %s", file, strerror(why));
	}
	return 0;
}

int gl_key_make(const char *secret_file, const char *public_file, struct gl_public_key *made, struct gl_error *err)
{
	struct secret_line line = { 0 };
	char base64[sodium_base64_ENCODED_LEN(sizeof(line), BASE64)], text[sizeof(base64) + 128];
	char name[GL_KEY_NAME_SIZE], public_text[GL_KEY_TEXT_SIZE];

	if (sodium_init() < 0) {
		return gl_fail(err, GL_EIO, "no random numbers for a key");
	}
	randombytes_buf(line.id, sizeof(line.id));
	memcpy(line.algorithm, algorithm, sizeof(line.algorithm));
	memcpy(line.checksum, blake2b, sizeof(line.checksum));
	crypto_sign_keypair(made->bytes, line.bytes);
	memcpy(made->id, line.id, sizeof(made->id));
	checksum(&line, line.sum);
	gl_key_name(made->id, name);
	sodium_bin2base64(base64, sizeof(base64), (const uint8_t *)&line, sizeof(line), BASE64);
	snprintf(text, sizeof(text), "untrusted comment: goloader secret key %s\n%s\n", name, base64);
	int ret = write_new(secret_file, 0600, text, err);
	if (ret == 0) {
		gl_key_text(made, public_text);
		snprintf(text, sizeof(text), "untrusted comment: goloader public key %s\n%s\n", name, public_text);
		ret = write_new(public_file, 0644, text, err);
		if (ret != 0) {
			unlink(secret_file);
		}
	}
	sodium_memzero(&line, sizeof(line));
	sodium_memzero(base64, sizeof(base64));
	sodium_memzero(text, sizeof(text));
	return ret;
}

/* ---- reading ------------------------------------------------------------------------------------------------------
 */

/* Reads a small file as text. Only the user is to know, or to choose, what is in a secret one. */
static int read_text(const char *file, bool is_secret, char text[LONGEST_FILE + 1], struct gl_error *err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), ret = -1;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0) {
		gl_fail(err, GL_EIO, "%s: %s", file, strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		gl_fail(err, GL_EIO, "%s is not a regular file", file);
	} else if (is_secret && st.st_uid == geteuid() && (st.st_mode & 077) != 0) {
		gl_fail(err, GL_ETRUST,
			"%s is a secret key, and others may read it or write it (mode %04o): chmod 600 %s", file,
			(unsigned int)st.st_mode & 07777, file);
	} else {
		ssize_t n = read(fd, text, LONGEST_FILE + 1);
		if (n < 0) {
			gl_fail(err, GL_EIO, "%s: %s", file, strerror(errno));
		} else if (n > LONGEST_FILE || memchr(text, '\0', (size_t)n) != NULL) {
			gl_fail(err, GL_EFORMAT, "%s is no key", file);
		} else {
			text[n] = '\0';
			ret = 0;
		}
	}
	if (fd >= 0) {
		close(fd);
	}
	return ret;
}

/* The line of base64 in a key's text: behind a comment, if there is one, and the only one. NULL: it is none such. */
static char *find_line(char *text)
{
	static const char comment[] = "untrusted comment:";
	char *line = text;

	if (strncmp(text, comment, sizeof(comment) - 1) == 0) {
		line = strchr(text, '\n');
		if (line == NULL) {
			return NULL;
		}
		line++;
	}
	size_t n = strcspn(line, "\r\n");
	if (n == 0 || strspn(line + n, "\r\n") != strlen(line + n)) {
		return NULL;
	}
	line[n] = '\0';
	return line;
}

/* libsodium passes bytes beyond ASCII for letters. */
bool gl_base64_read(const char *text, void *out, size_t size)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
	size_t n = 0, len = strlen(text);

	return strspn(text, letters) == len && sodium_base642bin(out, size, text, len, NULL, &n, NULL, BASE64) == 0 &&
	       n == size;
}

static bool decode_public(const char *text, struct gl_public_key *out)
{
	struct public_line line;

	if (!gl_base64_read(text, &line, sizeof(line)) || memcmp(line.algorithm, algorithm, sizeof(algorithm)) != 0) {
		return false;
	}
	memcpy(out->id, line.id, sizeof(out->id));
	memcpy(out->bytes, line.bytes, sizeof(out->bytes));
	return true;
}

int gl_key_read(const char *key, struct gl_public_key *out, struct gl_error *err)
{
	char text[LONGEST_FILE + 1];

	if (decode_public(key, out)) {
		return 0;
	}
	if (read_text(key, false, text, err) != 0) {
		return -1;
	}
	const char *line = find_line(text);
	if (line == NULL || !decode_public(line, out)) {
		return gl_fail(err, GL_EFORMAT,
			       "%s is no public key: a line of comment and one of base64 expected, as goloader keygen, "
			       "minisign and signify write them",
			       key);
	}
	return 0;
}

/* Is it as it was written? minisign writes no checksum where there is no password. What is public of the key follows
 * from what is secret. */
static bool is_whole(const struct secret_line *line)
{
	uint8_t sum[32], public[32], pair[64];

	checksum(line, sum);
	crypto_sign_seed_keypair(public, pair, line->bytes);
	bool is = sodium_memcmp(pair, line->bytes, sizeof(pair)) == 0 &&
		  (sodium_is_zero(line->sum, sizeof(sum)) == 1 || sodium_memcmp(sum, line->sum, sizeof(sum)) == 0);
	sodium_memzero(pair, sizeof(pair));
	return is;
}

static int read_secret(const char *file, const char *text, struct gl_secret_key *out, struct gl_error *err)
{
	struct secret_line line;
	int ret = -1;

	if (text == NULL || !gl_base64_read(text, &line, sizeof(line)) ||
	    memcmp(line.algorithm, algorithm, sizeof(algorithm)) != 0 ||
	    memcmp(line.checksum, blake2b, sizeof(blake2b)) != 0) {
		gl_fail(err, GL_EFORMAT, "%s is no secret key, as goloader keygen and minisign write them", file);
	} else if (line.kdf[0] != 0 || line.kdf[1] != 0) {
		gl_fail(err, GL_EUNSUPPORTED,
			"%s needs a password, which nobody can give here: minisign -C -W -s %s takes it away", file,
			file);
	} else {
		ret = is_whole(&line) ? 0 : gl_fail(err, GL_EFORMAT, "%s is corrupt: its parts don't fit", file);
		memcpy(out->id, line.id, sizeof(out->id));
		memcpy(out->bytes, line.bytes, sizeof(out->bytes));
	}
	sodium_memzero(&line, sizeof(line));
	return ret;
}

int gl_key_read_secret(const char *file, struct gl_secret_key *out, struct gl_error *err)
{
	char text[LONGEST_FILE + 1];
	int ret = read_text(file, true, text, err) == 0 ? read_secret(file, find_line(text), out, err) : -1;

	sodium_memzero(text, sizeof(text));
	if (ret != 0) {
		gl_key_forget(out); /* which may have part of a key */
	}
	return ret;
}

void gl_key_forget(struct gl_secret_key *key) { sodium_memzero(key, sizeof(*key)); }

/* ---- signatures ---------------------------------------------------------------------------------------------------
 */

void gl_key_sign(const struct gl_secret_key *key, const char *text, size_t n, uint8_t signature[GL_SIGNATURE_BYTES])
{
	crypto_sign_detached(signature, NULL, (const uint8_t *)text, n, key->bytes);
}

bool gl_key_verify(const struct gl_public_key *key, const char *text, size_t n,
		   const uint8_t signature[GL_SIGNATURE_BYTES])
{
	return crypto_sign_verify_detached(signature, (const uint8_t *)text, n, key->bytes) == 0;
}

/* ---- whom a process trusts ----------------------------------------------------------------------------------------
 */

static bool has_key(const struct gl_trust *trust, const struct gl_public_key *key)
{
	for (size_t i = 0; i < trust->nkeys; i++) {
		if (memcmp(trust->keys[i].bytes, key->bytes, sizeof(key->bytes)) == 0 &&
		    memcmp(trust->keys[i].id, key->id, sizeof(key->id)) == 0) {
			return true;
		}
	}
	return false;
}

static bool has_all_keys(const struct gl_trust *a, const struct gl_trust *b)
{
	for (size_t i = 0; i < b->nkeys; i++) {
		if (!has_key(a, &b->keys[i])) {
			return false;
		}
	}
	return true;
}

bool gl_trust_same_keys(const struct gl_trust *a, const struct gl_trust *b)
{
	return has_all_keys(a, b) && has_all_keys(b, a);
}

bool gl_trust_add(struct gl_trust *trust, const struct gl_trust *other)
{
	struct gl_public_key *keys = realloc(trust->keys, (trust->nkeys + other->nkeys + 1) * sizeof(*keys));

	if (keys == NULL) {
		return false;
	}
	trust->keys = keys;
	char(*hashes)[65] = realloc(trust->hashes, (trust->nhashes + other->nhashes + 1) * sizeof(*hashes));
	if (hashes == NULL) {
		return false;
	}
	trust->hashes = hashes;
	for (size_t i = 0; i < other->nkeys; i++) {
		if (!has_key(trust, &other->keys[i])) {
			keys[trust->nkeys++] = other->keys[i];
		}
	}
	for (size_t i = 0; i < other->nhashes; i++) {
		memcpy(hashes[trust->nhashes++], other->hashes[i], sizeof(*hashes));
	}
	return true;
}
