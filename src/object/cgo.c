/* The cgo lines of a package (see cgo.h): a cursor over the JSON, and what each kind of line says. */
#include "cgo.h"

#include <stdlib.h>
#include <string.h>

#include "pool.h"

enum { MAX_WORDS = 4 };

struct cgo {
	struct gl_cgo face; /* first, so that gl_cgo_free finds the rest */
	struct gl_pool pool;
};

struct cursor {
	const char *p, *end;
	struct gl_pool *pool;
	bool no_memory;
};

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

static void skip_space(struct cursor *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\n' || *c->p == '\t' || *c->p == '\r')) {
		c->p++;
	}
}

static bool take(struct cursor *c, char wanted)
{
	skip_space(c);
	if (c->p == c->end || *c->p != wanted) {
		return false;
	}
	c->p++;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	return (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* The four digits behind "\u"; -1 when they aren't. */
static int take_hex4(struct cursor *c)
{
	int v = 0;

	for (int i = 0; i < 4; i++) {
		int digit = c->p < c->end ? hex_digit(*c->p) : -1;
		if (digit < 0) {
			return -1;
		}
		v = v * 16 + digit;
		c->p++;
	}
	return v;
}

/* Go's encoder escapes control characters, "<", ">", "&" and U+2028 and U+2029 this way; whatever lies beyond the first
 * plane it writes as it is. */
static char *put_utf8(char *w, int v)
{
	if (v < 0x80) {
		*w++ = (char)v;
	} else if (v < 0x800) {
		*w++ = (char)(0xc0 | v >> 6);
		*w++ = (char)(0x80 | (v & 0x3f));
	} else {
		*w++ = (char)(0xe0 | v >> 12);
		*w++ = (char)(0x80 | (v >> 6 & 0x3f));
		*w++ = (char)(0x80 | (v & 0x3f));
	}
	return w;
}

static char *take_escape(struct cursor *c, char *w)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char kind = c->p < c->end ? *c->p++ : '\0';
	const char *at = kind == '\0' ? NULL : strchr(from, kind);

	if (at != NULL) {
		*w++ = to[at - from];
		return w;
	}
	int v = kind == 'u' ? take_hex4(c) : -1;
	return v > 0 ? put_utf8(w, v) : NULL;
}

/* A string, terminated by NUL; NULL when there is none here. */
static const char *take_string(struct cursor *c)
{
	if (!take(c, '"')) {
		return NULL;
	}
	const char *stop = c->p;
	while (stop < c->end && *stop != '"') {
		stop += *stop == '\\' && stop + 1 < c->end ? 2 : 1;
	}
	/* no escape is shorter than what it stands for */
	char *s = gl_pool_take(c->pool, (size_t)(stop - c->p) + 1), *w = s;
	if (s == NULL) {
		c->no_memory = true;
		return NULL;
	}
	while (c->p < c->end && *c->p != '"') {
		char ch = *c->p++;
		if (ch == '\0') {
			return NULL;
		}
		if (ch != '\\') {
			*w++ = ch;
		} else if ((w = take_escape(c, w)) == NULL) {
			return NULL;
		}
	}
	return take(c, '"') ? s : NULL;
}

/* One line: an array of one to four strings. */
static bool take_line(struct cursor *c, const char *words[MAX_WORDS], size_t *n)
{
	*n = 0;
	if (!take(c, '[')) {
		return false;
	}
	do {
		const char *word = take_string(c);
		if (word == NULL || *n == MAX_WORDS) {
			return false;
		}
		words[(*n)++] = word;
	} while (take(c, ','));
	return take(c, ']');
}

/* ---- lines ------------------------------------------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
	const struct gl_cgo_import *x = a, *y = b;
	int cmp = strcmp(x->name, y->name);

	/* what the C parts define has precedence over what a shared library has */
	return cmp != 0 ? cmp : (x->lib != NULL) - (y->lib != NULL);
}

/* Does the line name a C symbol to bind to? "_" stands for a library that is only to be there. */
static bool add_line(struct gl_cgo *cgo, const char *const words[MAX_WORDS], size_t n)
{
	const char *kind = words[0], *name = n > 1 ? words[1] : NULL, *remote = n > 2 ? words[2] : name;

	if (name == NULL) {
		return false;
	}
	if (strcmp(kind, "cgo_import_static") == 0) {
		cgo->imports[cgo->nimports++] = (struct gl_cgo_import){ .name = name, .remote = name };
	} else if (strcmp(kind, "cgo_import_dynamic") == 0) {
		cgo->imports[cgo->nimports++] =
			(struct gl_cgo_import){ .name = name, .remote = remote, .lib = n > 3 ? words[3] : "" };
	} else if (strcmp(kind, "cgo_export_static") == 0) {
		cgo->exports[cgo->nexports++] = (struct gl_cgo_export){ .name = name, .remote = remote };
	} else if (strcmp(kind, "cgo_export_dynamic") == 0) {
		cgo->visible[cgo->nvisible++] = remote;
	} else if (strcmp(kind, "cgo_ldflag") == 0) {
		cgo->ldflags[cgo->nldflags++] = name;
	}
	return true;
}

static void sort_imports(struct gl_cgo *cgo)
{
	size_t kept = 0;

	qsort(cgo->imports, cgo->nimports, sizeof(*cgo->imports), by_name);
	for (size_t i = 0; i < cgo->nimports; i++) {
		if (kept == 0 || strcmp(cgo->imports[kept - 1].name, cgo->imports[i].name) != 0) {
			cgo->imports[kept++] = cgo->imports[i];
		}
	}
	cgo->nimports = kept;
}

struct gl_cgo *gl_cgo_read(const char *json, size_t size, const char *file, struct gl_error *err)
{
	struct cgo *cgo = calloc(1, sizeof(*cgo));
	size_t lines = 1;

	if (cgo == NULL) {
		gl_fail(err, GL_ENOMEM, "%s: out of memory", file);
		return NULL;
	}
	struct cursor c = { .p = json, .end = json + size, .pool = &cgo->pool };
	for (size_t i = 0; i < size; i++) {
		lines += json[i] == '[';
	}
	struct gl_cgo *face = &cgo->face;
	face->imports = gl_pool_take(&cgo->pool, lines * sizeof(*face->imports));
	face->exports = gl_pool_take(&cgo->pool, lines * sizeof(*face->exports));
	face->ldflags = gl_pool_take(&cgo->pool, lines * sizeof(*face->ldflags));
	face->visible = gl_pool_take(&cgo->pool, lines * sizeof(*face->visible));
	if (face->imports == NULL || face->exports == NULL || face->ldflags == NULL || face->visible == NULL) {
		c.no_memory = true;
		goto fail;
	}
	if (!take(&c, '[')) {
		goto fail;
	}
	if (!take(&c, ']')) {
		do {
			const char *words[MAX_WORDS];
			size_t n;
			if (!take_line(&c, words, &n) || !add_line(face, words, n)) {
				goto fail;
			}
		} while (take(&c, ','));
		if (!take(&c, ']')) {
			goto fail;
		}
	}
	sort_imports(face);
	return face;

fail:
	if (c.no_memory) {
		gl_fail(err, GL_ENOMEM, "%s: out of memory", file);
	} else {
		gl_fail(err, GL_EFORMAT, "%s is corrupt: its cgo lines are no list of lists of strings, at byte %zu",
			file, (size_t)(c.p - json));
	}
	gl_cgo_free(face);
	return NULL;
}

void gl_cgo_free(struct gl_cgo *cgo)
{
	struct cgo *whole = (struct cgo *)cgo;

	if (whole != NULL) {
		gl_pool_free(&whole->pool);
		free(whole);
	}
}

const struct gl_cgo_import *gl_cgo_find_import(const struct gl_cgo *cgo, const char *name, size_t n)
{
	size_t low = 0, high = cgo == NULL ? 0 : cgo->nimports;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int cmp = strncmp(cgo->imports[mid].name, name, n);
		if (cmp == 0 && cgo->imports[mid].name[n] == '\0') {
			return &cgo->imports[mid];
		}
		if (cmp < 0) {
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	return NULL;
}

const struct gl_cgo_export *gl_cgo_find_export(const struct gl_cgo *cgo, const char *name, size_t n)
{
	for (size_t i = 0; cgo != NULL && i < cgo->nexports; i++) {
		if (strncmp(cgo->exports[i].name, name, n) == 0 && cgo->exports[i].name[n] == '\0') {
			return &cgo->exports[i];
		}
	}
	return NULL;
}
