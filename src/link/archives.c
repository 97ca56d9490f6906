/* The archives of packages that the host lacks, wholly or in part. */
#include "link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Closes what is open of an archive, of which nothing was taken. */
static void close_archive(struct lpkg *p)
{
	HASH_CLEAR(hh, p->abi0);
	HASH_CLEAR(hh, p->plain);
	gl_pool_free(&p->defs);
	free(p->objs);
	gl_package_close(p->pkg);
	gl_symnames_close(p->names);
	p->objs = NULL;
	p->nobjs = 0;
	p->pkg = NULL;
	p->names = NULL;
	p->indexed = p->checked = false;
}

/* An archive in use stays: symbols of the resident store have come from it. Another that is offered for the same
 * package may be the same anew, or another version; whoever needs that is told (link_check_imports). */
static void offer(const struct linker *linker, struct lpkg *p, char *file, char *version)
{
	struct resident_package *resident = NULL;

	HASH_FIND_STR(linker->resident_packages, p->path, resident);
	if (resident == NULL && p->clib == NULL && strcmp(p->file, file) != 0) {
		close_archive(p); /* it was only looked into, or shipped */
	}
	if (p->pkg != NULL) {
		free(p->offered);
		p->offered = version != NULL ? version : file;
		free(version != NULL ? file : NULL);
		return;
	}
	free(p->file);
	free(p->version);
	p->file = file;
	p->version = version;
	p->names_failed = false;
}

struct lpkg *linker_add_archive(struct linker *linker, const char *import_path, const char *file, const char *version,
				struct gl_error *err)
{
	char *path = link_escape_path(import_path), *file_copy = strdup(file);
	char *version_copy = version == NULL ? NULL : strdup(version);
	struct lpkg *p = NULL;

	if (path == NULL || file_copy == NULL || (version != NULL && version_copy == NULL)) {
		goto fail;
	}
	HASH_FIND_STR(linker->archives, path, p);
	if (p != NULL) {
		free(path);
		offer(linker, p, file_copy, version_copy);
		return p;
	}
	p = calloc(1, sizeof(*p));
	if (p == NULL) {
		goto fail;
	}
	p->path = path;
	p->file = file_copy;
	p->version = version_copy;
	HASH_ADD_KEYPTR(hh, linker->archives, p->path, strlen(p->path), p);
	if (p->hh.tbl == NULL) {
		free(p);
		goto fail;
	}
	return p;

fail:
	free(path);
	free(file_copy);
	free(version_copy);
	gl_fail(err, GL_ENOMEM, "%s: out of memory", file);
	return NULL;
}

/* Reads the list beside the host, the first time that somebody asks for it. NULL: there is none. */
static const struct importcfg *read_list(struct linker *linker)
{
	if (linker->importcfg != NULL) {
		linker->listed = importcfg_read(linker->importcfg);
		free(linker->importcfg);
		linker->importcfg = NULL;
	}
	return linker->listed;
}

/* Takes an archive over from that list. What can't be read is as if it weren't there: the symbols that stay missing
 * then are named. */
static struct lpkg *add_listed(struct linker *linker, const char *path)
{
	struct gl_error ignored;
	const struct importcfg *list = read_list(linker);
	char *file = list == NULL ? NULL : importcfg_find(list, path);
	struct lpkg *p = file == NULL ? NULL : linker_add_archive(linker, path, file, NULL, &ignored);

	free(file);
	return p;
}

/* Takes key, which is no import path. */
static struct lpkg *add_other_archive(struct linker *linker, char *key, const char *import_path, const char *file)
{
	struct lpkg *p = calloc(1, sizeof(*p));

	if (p != NULL && (p->path = link_escape_path(import_path)) != NULL && (p->file = strdup(file)) != NULL) {
		HASH_ADD_KEYPTR(hh, linker->archives, key, strlen(key), p);
	}
	if (p == NULL || p->hh.tbl == NULL) {
		free(key);
		free(p == NULL ? NULL : (char *)p->path);
		free(p == NULL ? NULL : p->file);
		free(p);
		return NULL;
	}
	return p;
}

struct lpkg *link_open_other_archive(struct link *l, const char *import_path, const char *file)
{
	struct linker *linker = l->linker;
	struct lpkg *p = NULL;
	char *key = NULL;

	if (access(file, R_OK) != 0) {
		return NULL;
	}
	if (asprintf(&key, "%s in %s", import_path, file) < 0) { /* which is no import path */
		link_out_of_memory(l);
		return NULL;
	}
	HASH_FIND_STR(linker->archives, key, p);
	if (p != NULL) {
		free(key);
	} else if ((p = add_other_archive(linker, key, import_path, file)) == NULL) {
		link_out_of_memory(l);
		return NULL;
	}
	if (p->pkg == NULL && link_map_archive(l, p) != 0) {
		l->failed = true;
		return NULL;
	}
	return p;
}

struct lpkg *link_archives(const struct link *l) { return l->gom != NULL ? l->shipped : l->linker->archives; }

struct lpkg *link_archive(struct link *l, struct gl_str path)
{
	struct lpkg *p = NULL;
	char plain[LONGEST_IMPORT + 1];

	if (path.n == 0) {
		return NULL; /* an unnamed type, say */
	}
	HASH_FIND(hh, link_archives(l), path.p, path.n, p);
	if (p == NULL && l->gom == NULL && path.n <= LONGEST_IMPORT) {
		link_plain_path(path, plain);
		p = add_listed(l->linker, plain);
	}
	return p;
}

struct lpkg *link_all_archives(struct link *l)
{
	struct linker *linker = l->linker;

	const struct importcfg *list = l->gom == NULL ? read_list(linker) : NULL;

	for (const char *path; list != NULL && (path = importcfg_path(list, linker->nlisted)) != NULL;
	     linker->nlisted++) {
		char *prefix = link_escape_path(path);
		if (prefix != NULL) {
			link_archive(l, (struct gl_str){ prefix, (uint32_t)strlen(prefix) });
		}
		free(prefix);
	}
	return link_archives(l);
}

struct lpkg *link_open_archive(struct link *l, struct gl_str path)
{
	struct lpkg *p = link_archive(l, path);

	if (p == NULL) {
		return NULL;
	}
	if (p->pkg == NULL && access(p->file, R_OK) != 0) {
		return NULL;
	}
	if (p->pkg == NULL && link_map_archive(l, p) != 0) {
		l->failed = true;
		return NULL;
	}
	return p;
}
