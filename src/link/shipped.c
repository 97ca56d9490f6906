/* Opening a shipped module (object/gom.h) in place of objects: its own packages are the load's, and its archives serve
 * what those need.
 *
 * The host may be another than the one that it was made for. Everything is bound anew, by name, as in a load of
 * objects: the same Go has compiled both (the objects' header), each package that the module uses has to be the one
 * that it was compiled against (versions.c), and each symbol has to be somewhere (missing.c). */
#include "link.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void link_hex(char out[17], const uint8_t fingerprint[8])
{
	static const uint8_t none[8];
	const uint8_t *p = fingerprint != NULL ? fingerprint : none;

	for (int i = 0; i < 8; i++) {
		snprintf(out + (size_t)2 * i, 3, "%02x", p[i]);
	}
}

static int check_host(struct link *l, const struct gl_gom *gom)
{
	const char *want = l->linker->abi->object_header;
	char id[GL_IMAGE_ID_SIZE];

	if (strcmp(gom->header, want) != 0) {
		return gl_fail(l->err, GL_EMISMATCH, "%s was made by \"%s\", but the host needs \"%s\"", gom->file,
			       gom->header, want);
	}
	if (gl_image_id(l->linker->image, id, l->err) != 0) {
		return -1;
	}
	l->other_host = strcmp(gom->host_id, id) != 0;
	return 0;
}

static void add_text(struct gl_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What is loaded is what was checked: the file's bytes, in memory since. */
static int check_trust(struct link *l)
{
	const struct gl_public_key *by;

	if (l->linker->is_strict && !l->auditing && gl_gom_verify(l->gom, &l->linker->trust, &by, l->err) != 0) {
		if (l->err->code == GL_ETRUST) {
			add_text(l->err, ": this process loads only what is signed by a key that it trusts");
		}
		return -1;
	}
	return 0;
}

static void add_text(struct gl_error *err, const char *fmt, ...)
{
	size_t n = strlen(err->message);
	va_list args;

	va_start(args, fmt);
	vsnprintf(err->message + n, sizeof(err->message) - n, fmt, args);
	va_end(args);
}

void link_name_hosts(struct link *l)
{
	const struct gl_gom *gom = l->gom;
	bool lacks = false;

	if (gom == NULL || !l->other_host || (l->err->code != GL_EMISSING && l->err->code != GL_EVERSION)) {
		return;
	}
	add_text(l->err, "; %s was made for the host %s, and this one is %s", gom->file, gom->host_name,
		 gl_image_path(l->linker->image));
	for (size_t i = 0; l->err->code == GL_EMISSING && i < gom->nimports; i++) {
		const char *path = gom->imports[i].path;
		struct gl_str name = { path, (uint32_t)strlen(path) };
		if (gom->imports[i].in_host && link_host_has(l, name) == NULL) {
			add_text(l->err, lacks ? ", %s" : ", which lacks %s", path);
			lacks = true;
		}
	}
}

/* Opens one package out of the file. */
static int open_package(struct link *l, struct lpkg *p, const struct gl_gom_package *from)
{
	char hex[17];

	p->file = strdup(l->gom->file);
	p->version = from->version != NULL ? strdup(from->version) : NULL;
	if (p->file == NULL || (from->version != NULL && p->version == NULL)) {
		return gl_fail(l->err, GL_ENOMEM, "%s: out of memory", l->gom->file);
	}
	if (link_take_package(l, p,
			      gl_package_open_bytes(l->gom->file, from->bytes, from->size, from->path, l->linker->abi,
						    l->err)) != 0) {
		return -1;
	}
	link_hex(hex, lpkg_fingerprint(p));
	if (gl_package_nforeigns(p->pkg) > 0 || strcmp(hex, from->fingerprint) != 0) {
		return gl_fail(l->err, GL_EFORMAT, "%s is corrupt: package %s isn't what its manifest says",
			       l->gom->file, from->path);
	}
	return 0;
}

static int open_shared(struct link *l, const struct gl_gom_package *from)
{
	struct lpkg *p = NULL;

	HASH_FIND_STR(l->shipped, from->path, p);
	if (p != NULL) {
		return gl_fail(l->err, GL_EDUPLICATE, "%s has package %s twice", l->gom->file, from->path);
	}
	p = calloc(1, sizeof(*p));
	if (p == NULL || (p->path = strdup(from->path)) == NULL) {
		free(p);
		return gl_fail(l->err, GL_ENOMEM, "%s: out of memory", l->gom->file);
	}
	HASH_ADD_KEYPTR(hh, l->shipped, p->path, strlen(p->path), p);
	if (p->hh.tbl == NULL) {
		free((char *)p->path);
		free(p);
		return link_out_of_memory(l);
	}
	return open_package(l, p, from);
}

/* A package of the module's own that this host has, though the one it was made for had not: the host's serves, as it
 * would for objects (module/open.c), and what the host has dropped of it comes from the file. */
static int open_own_of_host(struct link *l, const struct gl_gom_package *from, const uint8_t *have)
{
	char hex[17];

	link_hex(hex, have);
	if (strcmp(hex, from->fingerprint) != 0) {
		return gl_fail(l->err, GL_EVERSION, "%s has another version of package %s than the host", l->gom->file,
			       from->path);
	}
	return open_shared(l, from);
}

static int open_own(struct link *l, const struct gl_gom_package *from)
{
	struct gl_str path = { from->path, (uint32_t)strlen(from->path) };
	const uint8_t *have =
		l->other_host && from->role == GL_GOM_OWN && !str_is(path, "main") ? link_host_has(l, path) : NULL;

	if (have != NULL) {
		return open_own_of_host(l, from, have);
	}

	struct lpkg *p = &l->packages[l->npackages++];

	for (const struct lpkg *other = l->packages; from->path[0] != '\0' && other < p; other++) {
		if (other->path != NULL && strcmp(other->path, from->path) == 0) {
			return gl_fail(l->err, GL_EDUPLICATE, "%s has package %s twice", l->gom->file, from->path);
		}
	}
	*p = (struct lpkg){ .is_module = true, .is_root = from->role == GL_GOM_ROOT };
	return open_package(l, p, from) != 0 || link_tie_own(l, p) != 0 ? -1 : 0;
}

int link_open_shipped(struct link *l, const char *file)
{
	l->gom = gl_gom_open(file, l->err);
	if (l->gom == NULL || check_trust(l) != 0 || check_host(l, l->gom) != 0) {
		return -1;
	}
	l->packages = calloc(l->gom->npackages + 1, sizeof(*l->packages));
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): shipped_clibs is an array of pointers */
	l->shipped_clibs = calloc(l->gom->nlibraries + 1, sizeof(*l->shipped_clibs));
	if (l->packages == NULL || l->shipped_clibs == NULL) {
		return gl_fail(l->err, GL_ENOMEM, "%s: out of memory", file);
	}
	for (size_t i = 0; i < l->gom->nlibraries; i++) {
		l->has_library = l->has_library || l->gom->libraries[i].is_own;
	}
	for (size_t i = 0; i < l->gom->npackages; i++) {
		const struct gl_gom_package *from = &l->gom->packages[i];
		if ((from->role == GL_GOM_SHARED ? open_shared(l, from) : open_own(l, from)) != 0) {
			return -1;
		}
	}
	return l->npackages > 0 ? 0 : gl_fail(l->err, GL_EFORMAT, "%s holds no package of a module", file);
}

/* ---- its C parts ------------------------------------------------------------------------------------------------ */

struct clib *link_shipped_own_library(struct link *l)
{
	for (size_t i = 0; i < l->gom->nlibraries; i++) {
		const struct gl_gom_library *library = &l->gom->libraries[i];
		if (library->is_own) {
			return clib_open_bytes(l->gom->file, library->bytes, library->size, l->err);
		}
	}
	return NULL; /* has_library said that there is one */
}

static bool has_word(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = words; (p = strstr(p, word)) != NULL; p += n) {
		if ((p == words || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0')) {
			return true;
		}
	}
	return false;
}

/* What an earlier load brought of a package serves: its C parts have their variables, too. */
struct clib *link_shipped_library(struct link *l, const struct lpkg *p)
{
	struct resident_package *resident = NULL;
	struct lpkg *archive = NULL;

	HASH_FIND_STR(l->linker->resident_packages, p->path, resident);
	HASH_FIND_STR(l->linker->archives, p->path, archive);
	if (resident != NULL && resident->clib != NULL) {
		return resident->clib;
	}
	if (archive != NULL && archive->clib != NULL) {
		return archive->clib;
	}
	for (size_t i = 0; i < l->gom->nlibraries && !l->failed; i++) {
		const struct gl_gom_library *library = &l->gom->libraries[i];
		if (library->is_own || !has_word(library->packages, p->path)) {
			continue;
		}
		if (l->shipped_clibs[i] == NULL) {
			l->shipped_clibs[i] = clib_open_bytes(l->gom->file, library->bytes, library->size, l->err);
			l->failed = l->shipped_clibs[i] == NULL;
		}
		for (struct lpkg *other = l->shipped; other != NULL; other = other->hh.next) {
			if (other->clib == NULL && has_word(library->packages, other->path)) {
				other->clib = l->shipped_clibs[i];
			}
		}
		return l->shipped_clibs[i];
	}
	return NULL;
}

/* The libraries stay with the resident packages that they belong to. */
void link_keep_shipped_libraries(struct link *l)
{
	for (size_t i = 0; l->gom != NULL && i < l->gom->nlibraries; i++) {
		l->shipped_clibs[i] = NULL;
	}
}
