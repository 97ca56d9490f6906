/* Shipped modules: one file (x.gom) that holds the object code of a package and of all that one host lacks for it.
 *
 * It begins with a manifest in lines of text, which `head` shows and which is all that says what the file is:
 *
 *     goloader module 2 1263871 9f86d081884c7d65…          bytes behind this line, and their BLAKE2b-256
 *     go object linux amd64 go1.26.8 GOAMD64=v1 X:…         what its objects were made by, as each repeats
 *     host 5a3c9e… libgoloader_host.so                      the host it was resolved against (gl_host_id), its name
 *     godebug panicnil=1                                    of a program with //go:debug lines
 *     string main.version 312e32                            what -ldflags=-X gives to a variable, in hexadecimal
 *     package root 16f0… 20480 example.com/shop             role, fingerprint of its export data, bytes, path
 *     package shared 8c1d… 911360 net/http
 *     package shared 27e1… 51208 gopkg.in/yaml%2ev3 gopkg.in/yaml.v3@v3.0.1    and the version of a third party's
 *     import host 0b7e… fmt                                 imported, and not in this file
 *     export func example.com/shop Render func(cat string) (string, error)
 *     export const example.com/shop Max untyped int = 10
 *
 *     library shared 16384 net os/user                      their parts in C, linked: a shared library
 *
 * The first line of a signed one is longer, and its version is 3:
 *
 *     goloader module 3 1263871 9f86d081884c7d65… E7620F1842B4E81F MEUCIQ…     the key's number, and a signature
 *
 * The signature (Ed25519, base64) is of that line's bytes before the last space: of the content's size and hash, and so
 * of the content. Who reads checks both on bytes in memory, and takes nothing from the file afterwards.
 *
 * A package that defines nothing may have no path: then "." stands for it. An empty line ends it, and the packages'
 * archives follow in the order listed, one behind the other, then the libraries. Roles: a root's exports are the
 * module's; own packages belong to the module too; shared ones are the process's, one for all modules.
 *
 * Reading is separate from believing here too: every byte is hashed before a number in it is used, and the archives are
 * checked like any other when they are opened. */
#ifndef GL_GOM_H
#define GL_GOM_H

#include "object.h"
#include "signature.h"
#include "signed.h"
#include "writer.h"

enum gl_gom_role { GL_GOM_ROOT, GL_GOM_OWN, GL_GOM_SHARED };

struct gl_gom_package {
	enum gl_gom_role role;
	char fingerprint[17]; /* hexadecimal */
	const char *path;     /* as symbol names carry it */
	const char *version;  /* "gopkg.in/yaml.v3@v3.0.1", or NULL */
	const uint8_t *bytes; /* its archive */
	size_t size;
};

struct gl_gom_import {
	bool in_host;
	char fingerprint[17];
	const char *path;
};

struct gl_gom_export {
	enum gl_declaration_kind kind;
	const char *package, *name;
	const char *signature; /* its Go type, "?" where that is not known; a constant's value follows */
};

/* A string variable's value, given when the module was built. */
struct gl_gom_string {
	const char *name;
	const char *value; /* ended by a NUL that doesn't count */
	size_t size;
};

/* The parts in C of the module's own packages, or of some of the shared ones. */
struct gl_gom_library {
	bool is_own;
	const char *packages; /* paths, separated by spaces; those of the module's own aren't listed */
	const uint8_t *bytes;
	size_t size;
};

struct gl_gom {
	const char *file;
	const char *header; /* "go object linux amd64 …" */
	const char *host_id, *host_name;
	const char *godebug;        /* or NULL */
	char hash[65];              /* hexadecimal */
	size_t size;                /* bytes of the file */
	char key[GL_KEY_NAME_SIZE]; /* the number of the key that it says it is signed by, or "" */
	const struct gl_gom_package *packages;
	const struct gl_gom_import *imports;
	const struct gl_gom_export *exports;
	const struct gl_gom_library *libraries;
	const struct gl_gom_string *strings;
	size_t npackages, nimports, nexports, nlibraries, nstrings;
};

/* 1 if the file is a shipped module, by its first bytes, 0 if not; -1 with GL_EIO if it can't be read. */
int gl_gom_is(const char *file, struct gl_error *err);

/* Reads the file into memory of its own, so that nobody can change it any more, and checks its hash and its manifest.
 * Fails with GL_EIO, or GL_EFORMAT where it is truncated, corrupt or something else. */
struct gl_gom *gl_gom_open(const char *file, struct gl_error *err);
void gl_gom_close(struct gl_gom *gom);

/* Is it signed by one of the keys, or is its content one of the trusted? *by is the key, or NULL. Fails with GL_ETRUST.
 */
int gl_gom_verify(const struct gl_gom *gom, const struct gl_trust *trust, const struct gl_public_key **by,
		  struct gl_error *err);

/* Writes the file at once: another name first, then renamed. The packages' and libraries' bytes lie in payload;
 * file, hash, size and key of gom are not looked at. With a key it is signed. */
int gl_gom_write(const char *file, const struct gl_gom *gom, const struct gl_bytes *payload,
		 const struct gl_secret_key *key, struct gl_error *err);
/* Writes one that was opened, signed by this key and no other. */
int gl_gom_sign(const char *file, const struct gl_gom *gom, const struct gl_secret_key *key, struct gl_error *err);

#endif
