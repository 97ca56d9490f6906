/* Who vouches for a shipped module: keys, and signatures made with them (Ed25519, by libsodium).
 *
 * Files of keys are those of minisign, and public ones those of OpenBSD's signify, too: a line of comment, and a line
 * of base64 with "Ed", the key's number (8 bytes) and the key. Secret ones are not encrypted (`minisign -G -W`): what
 * signs modules is a build that nobody sits at, and the file's mode guards it. */
#ifndef GL_SIGNED_H
#define GL_SIGNED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../error.h"

enum {
	GL_KEY_NAME_SIZE = 17,  /* the key's number as people read it, 16 hexadecimal digits, and NUL */
	GL_KEY_TEXT_SIZE = 57,  /* the line of base64 of a public key, and NUL */
	GL_SIGNATURE_BYTES = 64 /* Ed25519 */
};

struct gl_public_key {
	uint8_t id[8];
	uint8_t bytes[32];
};

struct gl_secret_key {
	uint8_t id[8];
	uint8_t bytes[64];
};

/* What a process loads: shipped modules that are signed by one of the keys, and those whose content has one of the
 * hashes (struct gl_gom.hash). */
struct gl_trust {
	struct gl_public_key *keys;
	size_t nkeys;
	char (*hashes)[65];
	size_t nhashes;
};

/* Makes a key and two files, which must not be there yet; the secret one can be read by its owner only. */
int gl_key_make(const char *secret_file, const char *public_file, struct gl_public_key *made, struct gl_error *err);
/* Reads a public key: a file's name, or the line of base64 itself. */
int gl_key_read(const char *key, struct gl_public_key *out, struct gl_error *err);
/* Reads a secret key; to be forgotten with gl_key_forget. A file of the user's own that others can read, or write, is
 * refused (GL_ETRUST), as ssh does. */
int gl_key_read_secret(const char *file, struct gl_secret_key *out, struct gl_error *err);
void gl_key_forget(struct gl_secret_key *key);

/* Decodes base64 of so many bytes, written in the one way that there is. */
bool gl_base64_read(const char *text, void *out, size_t size);

void gl_key_name(const uint8_t id[8], char out[GL_KEY_NAME_SIZE]);
void gl_key_text(const struct gl_public_key *key, char out[GL_KEY_TEXT_SIZE]);

void gl_key_sign(const struct gl_secret_key *key, const char *text, size_t n, uint8_t signature[GL_SIGNATURE_BYTES]);
bool gl_key_verify(const struct gl_public_key *key, const char *text, size_t n,
		   const uint8_t signature[GL_SIGNATURE_BYTES]);

/* Adds what other trusts to trust; false when there is no memory. */
bool gl_trust_add(struct gl_trust *trust, const struct gl_trust *other);
/* Do both have the same keys? */
bool gl_trust_same_keys(const struct gl_trust *a, const struct gl_trust *b);

#endif
