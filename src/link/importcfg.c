/* The list of archives that lies beside a host, in the form of the compiler's -importcfg: "packagefile path=file"
 * lines. Files' names begin where the list lies, so that the host can be moved with what belongs to it.
 *
 * There are hundreds of lines, and a load asks for a few packages: the lines are sorted, and that is all.
 */
#include "link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct line {
	const char *path, *file;
};

struct importcfg {
	char *text; /* in which paths and files end with NUL */
	char *dir;  /* where the list lies, with a slash behind it */
	size_t nlines;
	struct line lines[]; /* by path */
};

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->path, ((const struct line *)b)->path);
}

/* The whole of a file, with a NUL behind it; NULL when it can't be read. */
static char *read_text(const char *name)
{
	FILE *f = fopen(name, "re");
	char *text = NULL;
	size_t n = 0;

	/* an empty file has no delimiter, and no text */
	if (f != NULL && getdelim(&text, &n, '\0', f) < 0) {
		free(text);
		text = NULL;
	}
	if (f != NULL) {
		fclose(f);
	}
	return text;
}

/* The directory part of a file's name, up to its last slash. */
static char *dir_of(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash == NULL ? strdup("") : strndup(name, (size_t)(slash + 1 - name));
}

struct importcfg *importcfg_read(const char *name)
{
	static const char keyword[] = "packagefile ";
	char *text = read_text(name), *next = text, *dir = dir_of(name);
	size_t most = 1;

	for (const char *p = text; p != NULL && (p = strchr(p, '\n')) != NULL; p++) {
		most++;
	}
	struct importcfg *cfg =
		text == NULL || dir == NULL ? NULL : malloc(sizeof(*cfg) + most * sizeof(cfg->lines[0]));
	if (cfg == NULL) {
		free(text);
		free(dir);
		return NULL;
	}
	*cfg = (struct importcfg){ .text = text, .dir = dir };
	for (char *line; (line = strsep(&next, "\n")) != NULL;) {
		char *path = line + sizeof(keyword) - 1, *eq;
		if (strncmp(line, keyword, sizeof(keyword) - 1) != 0 || (eq = strchr(path, '=')) == NULL) {
			continue;
		}
		*eq = '\0';
		cfg->lines[cfg->nlines++] = (struct line){ .path = path, .file = eq + 1 };
	}
	qsort(cfg->lines, cfg->nlines, sizeof(cfg->lines[0]), by_path);
	return cfg;
}

char *importcfg_find(const struct importcfg *cfg, const char *path)
{
	const struct line key = { .path = path };
	const struct line *l = bsearch(&key, cfg->lines, cfg->nlines, sizeof(key), by_path);
	char *file = NULL;

	if (l == NULL || asprintf(&file, "%s%s", l->file[0] == '/' ? "" : cfg->dir, l->file) < 0) {
		return NULL;
	}
	return file;
}

const char *importcfg_path(const struct importcfg *cfg, size_t i)
{
	return i < cfg->nlines ? cfg->lines[i].path : NULL;
}
