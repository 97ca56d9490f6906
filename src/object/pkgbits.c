/* Elements of export data: the unified format of Go 1.20 and later.
 *
 * A package is a table of elements in ten sections: strings, packages, names, types, objects, and so on. An element
 * starts with the list of the elements it refers to, and what follows are small numbers, each in LEB128:
 *
 *     version  flags  end of each section  end of each element | elements … | fingerprint
 *     element: n  (section, index) × n  body
 *
 * Facts come from internal/pkgbits (decoder.go, version.go), cmd/compile/internal/importer/ureader.go and
 * cmd/compile/internal/noder/writer.go, Go 1.21 to 1.27. The format carries its own version; a version from the future
 * is left alone, and then DWARF types the package. */
#include "pkgbits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct dict no_dict;

static uint32_t get32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

void *pkgbits_take(struct pkgbits *d, size_t size)
{
	void *p = gl_pool_take(&d->temp, size);

	if (p == NULL) {
		d->bad = d->nomem = true;
	}
	return p;
}

uint64_t pkgbits_uvarint(struct elem *e)
{
	uint64_t v = 0;

	for (unsigned shift = 0; e->p < e->end && shift < 64 && !e->d->bad; shift += 7) {
		uint8_t b = *e->p++;
		v |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80) {
			return v;
		}
	}
	e->d->bad = true;
	return 0;
}

/* A count or index: each thing counted takes a byte at least. */
uint32_t pkgbits_len(struct elem *e)
{
	uint64_t v = pkgbits_uvarint(e);

	if (v > UINT32_MAX) {
		e->d->bad = true;
		return 0;
	}
	return (uint32_t)v;
}

bool pkgbits_bool(struct elem *e)
{
	if (e->d->bad || e->p >= e->end || *e->p > 1) {
		e->d->bad = true;
		return false;
	}
	return *e->p++ != 0;
}

static bool elem_bytes(struct pkgbits *d, enum pkgbits_section sec, uint32_t idx, const uint8_t **p,
		       const uint8_t **end)
{
	uint32_t first = sec > 0 ? d->section_end[sec - 1] : 0;

	if (d->bad || idx >= d->section_end[sec] - first) {
		d->bad = true;
		return false;
	}
	idx += first;
	uint32_t from = idx > 0 ? get32(d->ends + 4 * ((size_t)idx - 1)) : 0;
	uint32_t to = get32(d->ends + 4 * (size_t)idx);
	if (from > to || to > d->elems_size) {
		d->bad = true;
		return false;
	}
	*p = d->elems + from;
	*end = d->elems + to;
	return true;
}

struct elem pkgbits_open(struct pkgbits *d, enum pkgbits_section sec, uint32_t idx, const struct dict *dict)
{
	static const uint8_t nothing[1];
	struct elem e = { .d = d, .dict = dict, .p = nothing, .end = nothing };

	if (++d->steps > MAX_STEPS) {
		d->bad = true;
	}
	if (elem_bytes(d, sec, idx, &e.p, &e.end)) {
		e.nrefs = pkgbits_len(&e);
		e.refs = e.seen = e.p;
		for (uint32_t i = 0; i < e.nrefs && !d->bad; i++) {
			pkgbits_uvarint(&e);
			pkgbits_uvarint(&e);
		}
	}
	return e;
}

/* The element that the next number refers to, through the list of references. */
uint32_t pkgbits_ref(struct elem *e, enum pkgbits_section sec)
{
	uint32_t want = pkgbits_len(e);

	if (e->d->bad || want >= e->nrefs) {
		e->d->bad = true;
		return 0;
	}
	/* bodies mostly refer forwards, so that going on from the last one saves reading the list again and again */
	if (want < e->seen_ref) {
		e->seen_ref = 0;
		e->seen = e->refs;
	}
	struct elem list = { .d = e->d, .p = e->seen, .end = e->end };
	for (; e->seen_ref < want; e->seen_ref++) {
		pkgbits_uvarint(&list);
		pkgbits_uvarint(&list);
	}
	e->seen = list.p;
	if (pkgbits_len(&list) != (uint32_t)sec) {
		e->d->bad = true;
	}
	return pkgbits_len(&list);
}

bool pkgbits_is_string(struct elem *e, const char *s)
{
	const uint8_t *p, *end;
	uint32_t idx = pkgbits_ref(e, SEC_STRING);

	return elem_bytes(e->d, SEC_STRING, idx, &p, &end) && (size_t)(end - p) == strlen(s) &&
	       memcmp(p, s, strlen(s)) == 0;
}

const uint8_t *pkgbits_bytes(struct elem *e, size_t *n)
{
	static const uint8_t nothing[1];
	const uint8_t *p, *end;
	uint32_t idx = pkgbits_ref(e, SEC_STRING);

	*n = 0;
	if (!elem_bytes(e->d, SEC_STRING, idx, &p, &end)) {
		return nothing;
	}
	*n = (size_t)(end - p);
	return p;
}

const char *pkgbits_string(struct elem *e, size_t *n)
{
	const uint8_t *p = pkgbits_bytes(e, n);
	char *s = gl_pool_string(&e->d->temp, (const char *)p, *n);
	if (s == NULL || memchr(s, '\0', *n) != NULL) {
		e->d->nomem = e->d->nomem || s == NULL;
		e->d->bad = true;
		*n = 0;
		return "";
	}
	return s;
}

void pkgbits_skip_pos(struct elem *e)
{
	if (pkgbits_bool(e)) {
		pkgbits_ref(e, SEC_POSBASE);
		pkgbits_uvarint(e);
		pkgbits_uvarint(e);
	}
}

/* Adds a path as symbol names carry it (objabi.PathToPrefix). */
static void add_prefix(struct gl_text *t, const char *path)
{
	const char *slash = strrchr(path, '/');

	for (const char *p = path; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;
		if (c <= ' ' || (c == '.' && (slash == NULL || p > slash)) || c == '%' || c == '"' || c >= 0x7f) {
			char hex[4];
			snprintf(hex, sizeof(hex), "%%%02x", c);
			gl_text_puts(t, hex);
		} else {
			gl_text_add(t, p, 1);
		}
	}
}

/* What a text became, kept with the data's other temporary strings. */
const char *pkgbits_text(struct pkgbits *d, struct gl_text *t)
{
	char *p = gl_text_take(t);
	char *s = p != NULL ? gl_pool_string(&d->temp, p, strlen(p)) : NULL;

	free(p);
	if (s == NULL) {
		d->bad = true;
		d->nomem = d->nomem || !t->is_long;
		return "";
	}
	return s;
}

const char *pkgbits_keep(struct pkgbits *d, const char *s)
{
	char *kept = gl_pool_string(d->keep, s, strlen(s));

	if (kept == NULL) {
		d->bad = d->nomem = true;
		return "";
	}
	return kept;
}

void pkgbits_add_quoted(struct gl_text *t, const uint8_t *s, size_t n)
{
	static const char plain[] = "\a\b\f\n\r\t\v\\\"", letters[] = "abfnrtv\\\"";

	gl_text_puts(t, "\"");
	for (size_t i = 0; i < n; i++) {
		const char *found = memchr(plain, s[i], sizeof(plain) - 1);
		char buf[8];
		if (found != NULL) {
			snprintf(buf, sizeof(buf), "\\%c", letters[found - plain]);
		} else if (s[i] < ' ' || s[i] == 0x7f) {
			snprintf(buf, sizeof(buf), "\\x%02x", s[i]);
		} else {
			snprintf(buf, sizeof(buf), "%c", s[i]);
		}
		gl_text_puts(t, buf);
	}
	gl_text_puts(t, "\"");
}

/* A package's path in symbol names; "builtin" for the universe. */
const char *pkgbits_pkg(struct elem *e)
{
	uint32_t idx = pkgbits_ref(e, SEC_PKG), npkgs = e->d->section_end[SEC_PKG] - e->d->section_end[SEC_PKG - 1];

	if (e->d->bad || idx >= npkgs) {
		e->d->bad = true;
		return "";
	}
	if (e->d->pkgs[idx] == NULL) {
		struct elem pkg = pkgbits_open(e->d, SEC_PKG, idx, &no_dict);
		struct gl_text t = { 0 };
		size_t n;
		const char *path = pkgbits_string(&pkg, &n);
		add_prefix(&t, path);
		e->d->pkgs[idx] = n > 0 ? pkgbits_text(e->d, &t) : e->d->self;
		free(t.p);
	}
	return e->d->pkgs[idx];
}

/* A position and an identifier that nobody asks for. */
void pkgbits_skip_ident(struct elem *e)
{
	pkgbits_skip_pos(e);
	pkgbits_ref(e, SEC_PKG);
	pkgbits_ref(e, SEC_STRING);
}

bool pkgbits_header(struct pkgbits *d, const uint8_t *p, size_t size)
{
	const uint8_t *end = p + size;

	/* 'u' for the unified format; Go 1.19 and earlier wrote others */
	if (size < 5 || *p++ != 'u') {
		return false;
	}
	d->version = get32(p);
	p += 4;
	if (d->version > VERSION_KNOWN) {
		return false;
	}
	if (d->version >= VERSION_FLAGS) {
		if (end - p < 4 || (get32(p) & FLAG_SYNC_MARKERS) != 0) {
			return false; /* for debugging the compiler (-d=syncframes) */
		}
		p += 4;
	}
	if (end - p < 4 * NSEC) {
		d->bad = true;
		return true;
	}
	uint32_t last = 0;
	for (int i = 0; i < NSEC; i++, p += 4) {
		d->section_end[i] = get32(p);
		if (d->section_end[i] < last) {
			d->bad = true;
			return true;
		}
		last = d->section_end[i];
	}
	if (last == 0 || last > (size_t)(end - p) / 4) {
		d->bad = true;
		return true;
	}
	d->ends = p;
	d->elems = p + 4 * (size_t)last;
	d->elems_size = get32(d->elems - 4);
	if (d->elems_size + FINGERPRINT_SIZE > (size_t)(end - d->elems)) {
		d->bad = true;
	}
	return true;
}
