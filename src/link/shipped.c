/* Opening a shipped module (object/gom.h) in place of objects: its own packages are the load's, and its archives serve
 * what those need. */
#include "link.h"

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
	const char *want = l->linker->abi->object_header, *path = gl_image_path(l->linker->image);
	char id[GL_IMAGE_ID_SIZE];

	if (strcmp(gom->header, want) != 0) {
		return gl_fail(l->err, GL_EMISMATCH, "%s was made by \"%s\", but the host needs \"%s\"", gom->file,
			       gom->header, want);
	}
	if (gl_image_id(l->linker->image, id, l->err) != 0) {
		return -1;
	}
	if (strcmp(gom->host_id, id) != 0) {
		return gl_fail(l->err, GL_EMISMATCH, "%s was made for the host %s (%s), but this host is %s (%s)",
			       gom->file, gom->host_id, gom->host_name, id, path);
	}
	return 0;
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

static int open_own(struct link *l, const struct gl_gom_package *from)
{
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
	if (l->gom == NULL || check_host(l, l->gom) != 0) {
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
