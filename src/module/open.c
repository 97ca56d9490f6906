/* Opening the files that a load or a shipping is given: each is a package, and checked. And what either hands back to
 * its caller when it lacks something that the caller may help with. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* If the host contains the dependency, too, its copy serves the module: Go's linker has dropped from it what the host
 * does not use, and that is taken from the file, as from any archive. */
static int take_from_host(struct link *l, const struct lpkg *p, enum gl_twice twice, bool *taken)
{
	struct gl_str path = { p->path, (uint32_t)strlen(p->path) };
	const uint8_t *have = link_host_has(l, path), *given = lpkg_fingerprint(p);

	*taken = false;
	if (have == NULL || given == NULL || twice == GL_TWICE_ALWAYS || str_is(path, "main")) {
		return 0;
	}
	if (memcmp(have, given, 8) != 0) {
		return twice == GL_TWICE_OTHER ?
			       0 :
			       gl_fail(l->err, GL_EVERSION, "%s is another version of package %s than the host %s has",
				       p->file, p->path, gl_image_path(l->linker->image));
	}
	*taken = true;
	return linker_add_archive(l->linker, gl_package_path(p->pkg), p->file, NULL, l->err) == NULL ? -1 : 0;
}

static int check_package(struct link *l, const struct lpkg *p)
{
	for (const struct lpkg *other = l->packages; other < p; other++) {
		if (p->path[0] != '\0' && strcmp(other->path, p->path) == 0) {
			return gl_fail(l->err, GL_EDUPLICATE, "%s and %s are both package %s", other->file, p->file,
				       p->path);
		}
	}
	return 0;
}

/* A second scheduler and collector in one process would work on goroutines and memory of the first. */
static int refuse_runtime(struct link *l, const struct lpkg *p)
{
	return strcmp(p->path, "runtime") != 0 ?
		       0 :
		       gl_fail(l->err, GL_EUNSUPPORTED, "%s is Go's runtime, of which a process has one: the host's",
			       p->file);
}

/* Makes the packages of the modules that this one uses known, before its own: a file that is given of one of those
 * packages is not the module's own, but supplies what the used module itself had no need of. */
static int tie_uses(struct link *l)
{
	for (uint32_t i = 0; i < l->nuses; i++) {
		for (uint32_t k = 0; k < l->uses[i].npackages; k++) {
			const struct known_package *p = &l->uses[i].packages[k];
			if (link_tie_package(l, TIE_USED, p->path, p->fingerprint) != 0) {
				return -1;
			}
		}
	}
	return 0;
}

/* If a module that this one uses already contains the package, the package's C code is in that module's library: its C
 * symbols are bound to that one. */
static void find_library(struct link *l, struct lpkg *p)
{
	for (uint32_t i = 0; p->is_used && i < l->nuses; i++) {
		for (uint32_t k = 0; k < l->uses[i].npackages; k++) {
			if (strcmp(l->uses[i].packages[k].path, p->path) == 0) {
				p->clib = l->uses[i].clib;
			}
		}
	}
	if (p->clib == NULL && !l->has_library && !l->auditing && gl_package_nforeigns(p->pkg) > 0) {
		link_note_unlinked(l, p);
	}
}

/* A package that stays the process's, which must be the one that the file declares. */
static int check_shared(struct link *l, struct lpkg *p)
{
	const uint8_t *have = link_host_has(l, (struct gl_str){ p->path, (uint32_t)strlen(p->path) });
	const uint8_t *given = lpkg_fingerprint(p);

	p->is_shared = true;
	return have == NULL || given == NULL || memcmp(have, given, 8) == 0 ?
		       0 :
		       gl_fail(l->err, GL_EVERSION, "%s is another version of package %s than the host %s has", p->file,
			       p->path, gl_image_path(l->linker->image));
}

/* Has the file to be looked into before it is taken for an object? To open a file takes a tenth of what it takes to
 * load a small one. */
static bool must_ask(const struct link *l, const char *file)
{
	size_t len = strlen(file);

	return l->linker->is_strict || (len > 4 && strcmp(file + len - 4, ".gom") == 0);
}

/* The file's name was another, but it is a shipped module. */
static int open_shipped_after_all(struct link *l, struct lpkg *p)
{
	char *file = p->file;

	p->file = NULL;
	lpkg_close(p);
	free(l->packages);
	l->packages = NULL;
	l->npackages = 0;
	l->has_library = false;
	int ret = link_open_shipped(l, file);
	free(file);
	return ret;
}

int module_open_packages(struct link *l, const char *const *files, const char *const *import_paths, size_t nfiles,
			 const struct gl_load_options *opts)
{
	if (nfiles == 0) {
		return gl_fail(l->err, GL_EIO, "no object to load");
	}
	if (tie_uses(l) != 0) {
		return -1;
	}
	bool may_be_shipped = nfiles == 1 && !l->shipping, is_asked = may_be_shipped && must_ask(l, files[0]);
	int is_shipped = is_asked ? gl_gom_is(files[0], l->err) : 0;
	if (is_shipped < 0) {
		return -1;
	}
	if (l->linker->is_strict && !l->shipping && (opts->is_shared || !is_shipped)) {
		return gl_fail(l->err, GL_ETRUST,
			       "%s is no shipped module: this process loads only those, signed by a key that it trusts",
			       files[nfiles - 1]);
	}
	if (is_shipped) {
		return link_open_shipped(l, files[0]);
	}
	l->packages = calloc(nfiles, sizeof(*l->packages));
	if (l->packages == NULL) {
		return gl_out_of_memory(l->err, "opening %s", files[0]);
	}
	l->has_library = opts->library != NULL;
	for (size_t i = 0; i < nfiles; i++) {
		struct lpkg *p = &l->packages[l->npackages];
		bool taken = false;
		*p = (struct lpkg){ .is_module = true, .is_root = i >= opts->ndeps };
		l->npackages++;
		p->file = strdup(files[i]);
		if (p->file == NULL) {
			return gl_out_of_memory(l->err, "opening %s", files[i]);
		}
		if (link_open_package(l, p, files[i], import_paths != NULL ? import_paths[i] : NULL) != 0) {
			struct gl_error ignored;
			return may_be_shipped && !is_asked && gl_gom_is(files[i], &ignored) > 0 ?
				       open_shipped_after_all(l, p) :
				       -1;
		}
		if (check_package(l, p) != 0 || (!p->is_root && take_from_host(l, p, opts->twice, &taken) != 0)) {
			return -1;
		}
		if (opts->is_shared) {
			if (check_shared(l, p) != 0) {
				return -1;
			}
		} else if (taken) {
			lpkg_close(p);
			l->npackages--;
		} else if (refuse_runtime(l, p) != 0 || link_tie_own(l, p) != 0) {
			return -1;
		} else {
			find_library(l, p);
		}
	}
	return l->nunlinked > 0 ? link_report_unlinked(l) : 0;
}

/* ---- what the caller may help with ------------------------------------------------------------------------------- */

static void free_strings(char ***list, size_t *n)
{
	for (size_t i = 0; i < *n; i++) {
		free((*list)[i]);
	}
	free(*list);
	*list = NULL;
	*n = 0;
}

/* Drops what an earlier load or shipping has left for its caller. */
void module_begin(struct gl_host *host)
{
	free_strings(&host->missing, &host->nmissing);
	free_strings(&host->unlinked, &host->nunlinked);
}

/* The caller may compile the packages that are missing, or link the C parts, and try again. */
void module_hand_over_wants(struct gl_host *host, struct link *l)
{
	host->missing = l->missing_packages;
	host->nmissing = l->nmissing_packages;
	l->missing_packages = NULL;
	l->nmissing_packages = 0;

	host->unlinked = calloc(l->nunlinked + 1, sizeof(char *));
	for (uint32_t i = 0; host->unlinked != NULL && i < l->nunlinked; i++) {
		host->unlinked[i] = strdup(l->unlinked[i]->file);
		if (host->unlinked[i] == NULL) {
			break;
		}
		host->nunlinked++;
		host->unlinked_archives = !l->unlinked[i]->is_module;
	}
}
