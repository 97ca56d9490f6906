/* Ties: does a symbol's name mention a package of the module at hand, or of a module that it uses?
 *
 * "type:map[string]main.T" is a type of the module that has package main, though it is no symbol of that package: its
 * descriptor goes when the module goes, and in another module the same name means another type. So every name is taken
 * apart into words, and each word's package is looked up among those that are tied to a module. */
#include "link.h"

#include <stdlib.h>
#include <string.h>

static bool is_path_char(char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || (unsigned char)c >= 0x80 || c == '/' ||
	       c == '_' || c == '-' || c == '%' || c == '~' || c == '+';
}

int link_tie_package(struct link *l, enum tie tie, const char *path, const uint8_t *fingerprint)
{
	size_t n = strlen(path);
	struct tied_package *t = NULL;

	HASH_FIND(hh, l->ties, path, n, t);
	if (n == 0 || t != NULL) {
		return 0; /* a package has one owner, and that is who was named first */
	}
	t = calloc(1, sizeof(*t));
	if (t == NULL) {
		return link_out_of_memory(l);
	}
	*t = (struct tied_package){ .path = path, .tie = tie, .fingerprint = fingerprint };
	HASH_ADD_KEYPTR(hh, l->ties, t->path, n, t);
	if (t->hh.tbl == NULL) {
		free(t);
		return link_out_of_memory(l);
	}
	l->package_filter[n % 64] |= UINT64_C(1) << ((unsigned char)path[n - 1] % 64);
	return 0;
}

int link_tie_own(struct link *l, struct lpkg *p)
{
	const uint8_t *fingerprint = lpkg_fingerprint(p);
	struct tied_package *t = NULL;

	HASH_FIND_STR(l->ties, p->path, t);
	if (t == NULL || t->tie == TIE_OWN) {
		return link_tie_package(l, TIE_OWN, p->path, fingerprint);
	}
	if (p->is_root) {
		return gl_fail(l->err, GL_EDUPLICATE, "%s is package %s, which a module has that it is to use", p->file,
			       p->path);
	}
	if (fingerprint != NULL && memcmp(fingerprint, t->fingerprint, 8) != 0) {
		return gl_fail(l->err, GL_EVERSION, "%s is another version of package %s than the module to use has",
			       p->file, p->path);
	}
	p->is_used = true;
	return 0;
}

/* What stands before a path without being part of one: "go:itab.", "type:noalg.", "type:.eq.". */
static struct gl_str skip_prefix(struct gl_str name)
{
	static const char *const prefixes[] = { "go:itab.", "type:noalg.", "type:." };
	uint32_t skip = 0;

	for (int i = 0; i < 3 && skip == 0; i++) {
		skip = str_starts(name, prefixes[i]) ? (uint32_t)strlen(prefixes[i]) : 0;
	}
	if (skip > 0 && name.p[skip - 2] == ':') {
		const char *dot = memchr(name.p + skip, '.', name.n - skip);
		skip = dot == NULL ? skip : (uint32_t)(dot - name.p) + 1;
	}
	return (struct gl_str){ name.p + skip, name.n - skip };
}

enum tie link_tie(const struct link *l, struct gl_str name)
{
	enum tie tie = TIE_NONE;

	name = skip_prefix(name);
	/* A name is made of words ("a/b.T", "map", "x.(*T).f"); in each, a path ends at the first dot behind the last
	 * slash. */
	for (const char *p = name.p, *end = name.p + name.n; p < end; p++) {
		const char *start = p, *dot = NULL;
		while (start < end && *start == '.') {
			start++; /* ...T, of a variadic parameter */
		}
		for (p = start; p < end && (is_path_char(*p) || *p == '.'); p++) {
			if (*p == '/') {
				dot = NULL;
			} else if (*p == '.' && dot == NULL) {
				dot = p;
			}
		}
		size_t n = dot == NULL ? 0 : (size_t)(dot - start);
		if (n == 0 || (l->package_filter[n % 64] >> ((unsigned char)dot[-1] % 64) & 1) == 0) {
			continue;
		}
		struct tied_package *t = NULL;
		HASH_FIND(hh, l->ties, start, n, t);
		if (t != NULL && t->tie == TIE_OWN) {
			return TIE_OWN;
		}
		tie = t != NULL ? TIE_USED : tie;
	}
	return tie;
}
