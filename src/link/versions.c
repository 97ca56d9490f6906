/* Versions: is each package compiled against those others that this process has? */
#include "link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Another Go release's, or flags for all packages (-gcflags=all=), may give the host's standard library other export
 * data than the one compiled against; its release is checked by the objects' header. */
static bool is_standard(const struct link *l, struct gl_str path)
{
	char dir[1200], plain[LONGEST_IMPORT + 1]; /* "v1%2e0%2e0" is spelled as symbol names spell it */

	if (path.n > LONGEST_IMPORT) {
		return false;
	}
	link_plain_path(path, plain);
	int n = snprintf(dir, sizeof(dir), "%s/src/%s", l->linker->goroot, plain);

	return n > 0 && (size_t)n < sizeof(dir) && access(dir, F_OK) == 0;
}

static const char *name_of(const struct lpkg *p) { return p->version != NULL ? p->version : p->file; }

void linker_note_resident(struct linker *linker, const struct lpkg *p)
{
	struct resident_package *known = NULL;
	const uint8_t *fingerprint = lpkg_fingerprint(p);

	HASH_FIND_STR(linker->resident_packages, p->path, known);
	if (known != NULL) {
		known->clib = known->clib != NULL ? known->clib : p->clib;
	}
	if (known != NULL || fingerprint == NULL) {
		return;
	}
	known = calloc(1, sizeof(*known));
	if (known == NULL) {
		return;
	}
	known->path = strdup(p->path);
	known->from = strdup(name_of(p));
	known->clib = p->clib;
	memcpy(known->fingerprint, fingerprint, 8);
	if (known->path != NULL && known->from != NULL) {
		HASH_ADD_KEYPTR(hh, linker->resident_packages, known->path, strlen(known->path), known);
	}
	if (known->hh.tbl == NULL) {
		free(known->path); /* short of memory: the check is left out */
		free(known->from);
		free(known);
	}
}

static int refuse_import(struct link *l, const struct lpkg *p, struct gl_str path, const char *where, const char *have,
			 const char *wanted)
{
	char plain[LONGEST_IMPORT + 1], import[LONGEST_IMPORT + 1];
	struct gl_str by = { p->path, (uint32_t)strnlen(p->path, LONGEST_IMPORT) };

	path.n = path.n < LONGEST_IMPORT ? path.n : LONGEST_IMPORT;
	link_plain_path(by, plain);
	link_plain_path(path, import);
	return gl_fail(l->err, GL_EVERSION, "%s (%s) was compiled against another version of %s%s%s%s than %s%s%s%s",
		       plain, name_of(p), import, wanted != NULL ? " (" : "", wanted != NULL ? wanted : "",
		       wanted != NULL ? ")" : "", where, have != NULL ? " (" : "", have != NULL ? have : "",
		       have != NULL ? ")" : "");
}

static int check_import(struct link *l, const struct lpkg *p, struct gl_str path, const uint8_t *fingerprint)
{
	struct tied_package *t = NULL;
	struct lpkg *archive = NULL;
	struct resident_package *resident = NULL;
	const uint8_t *have;

	if (p->is_module) {
		HASH_FIND(hh, l->ties, path.p, path.n, t);
	}
	if (t != NULL) {
		if (t->fingerprint == NULL || memcmp(t->fingerprint, fingerprint, 8) == 0) {
			return 0;
		}
		return refuse_import(l, p, path,
				     t->tie == TIE_OWN ? "is loaded with it" : "the module that it uses has", NULL,
				     NULL);
	}
	HASH_FIND(hh, link_archives(l), path.p, path.n, archive);
	HASH_FIND(hh, l->linker->resident_packages, path.p, path.n, resident);
	have = link_host_has(l, path);
	if (have != NULL) {
		if (memcmp(have, fingerprint, 8) == 0 || is_standard(l, path)) {
			return 0;
		}
		return refuse_import(l, p, path, "the host has", NULL, archive == NULL ? NULL : archive->version);
	}
	const char *from = resident != NULL ? resident->from : archive == NULL ? NULL : name_of(archive);
	have = resident != NULL                        ? resident->fingerprint :
	       archive == NULL || archive->pkg == NULL ? NULL :
							 lpkg_fingerprint(archive);
	if (have == NULL || memcmp(have, fingerprint, 8) == 0 || is_standard(l, path)) {
		return 0;
	}
	return refuse_import(l, p, path, "this process has", from,
			     archive == NULL ? NULL :
			     l->gom != NULL  ? archive->version :
					       archive->offered);
}

const uint8_t *link_bound_fingerprint(struct link *l, const struct gl_object *obj, uint32_t i)
{
	char buf[3 * LONGEST_IMPORT + 1];
	struct gl_str path = link_import_path(obj, i, buf);
	const uint8_t *have = link_host_has(l, path);
	struct tied_package *t = NULL;
	struct lpkg *archive = NULL;

	HASH_FIND(hh, l->ties, path.p, path.n, t);
	if (t == NULL && have == NULL) {
		HASH_FIND(hh, link_archives(l), path.p, path.n, archive);
		have = archive == NULL || archive->pkg == NULL ? NULL : lpkg_fingerprint(archive);
	}
	return t != NULL || have == NULL ? gl_object_autolib_fingerprint(obj, i) : have;
}

int link_check_imports(struct link *l, struct lpkg *p)
{
	for (uint32_t o = 0; o < p->nobjs; o++) {
		const struct gl_object *obj = p->objs[o].obj;
		for (uint32_t i = 0, n = gl_object_nautolib(obj); i < n; i++) {
			char buf[3 * LONGEST_IMPORT + 1];
			if (check_import(l, p, link_import_path(obj, i, buf), gl_object_autolib_fingerprint(obj, i)) !=
			    0) {
				return -1;
			}
		}
	}
	return 0;
}
