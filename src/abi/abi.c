/* Reads a host's description.
 *
 * The file is a few thousand lines of the kind
 *
 *     field <tab> runtime.moduledata <tab> pcHeader <tab> 0 <tab> 8
 *
 * and a process reads it at every start, so it is read with one pass and no table: the text stays in memory, cut into
 * strings where it lies, and the lines that are looked up by name (const, field, struct) are kept in the order of their
 * keys, which is everything before the numbers. The writer sorts them, the reader sorts only what is not.
 *
 * A description is made by our own build, but it is a file, and what it says decides where the library writes in the
 * runtime's memory: so every number is checked, an offset against the size of its struct, and a fact that is stated
 * twice is an error. */
#include "abi.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Far above what any release has; what matters is that sums of two such numbers overflow nowhere. */
#define MAX_FILE (64 << 20)
#define MAX_STRUCT_SIZE (64 << 20)
#define MAX_ABBREVS 4096
#define MAX_ATTRS 256

/* A line "kind <tab> name… <tab> numbers", with the tab before the numbers replaced by NUL. */
struct fact {
	const char *key; /* "field\truntime.g\tgoid", "struct\truntime.g", "const\tR_CALL" */
	int64_t value;   /* offset, size or value, all non-negative */
	int64_t size;    /* of a field */
	uint32_t line;
};

struct gl_abi_text {
	char *bytes;
	struct fact *facts;
	size_t nfacts;
	struct gl_builtin *builtins;
	struct gl_abbrev *abbrevs; /* by code, from 1 */
	size_t nabbrevs;
	struct gl_abbrev_attr *attrs; /* of all abbreviations, one after the other */
	size_t nattrs;
};

/* ---- the lists of abi.h as tables ---------------------------------------------------------------------------- */

enum need { REQUIRED, OPTIONAL };

struct known_field {
	const char *names; /* alternatives, separated by '|' */
	size_t at;         /* of the int in struct gl_abi */
	enum need need;
};

struct known_struct {
	const char *names;
	size_t at; /* of the size_t in struct gl_abi */
	const struct known_field *fields;
	size_t nfields;
};

/* clang-format off */
#define X(s, field, names, need) { names, offsetof(struct gl_abi, s.field), need },
#define S(s, names, FIELDS, size) static const struct known_field s##_fields[] = { FIELDS(X, s) };
GL_ABI_STRUCTS(S)
#undef S
#undef X

static const struct known_struct known_structs[] = {
#define S(s, names, FIELDS, size) \
	{ names, offsetof(struct gl_abi, s.size), s##_fields, sizeof(s##_fields) / sizeof(s##_fields[0]) },
	GL_ABI_STRUCTS(S)
#undef S
};

static const struct known_field known_consts[] = {
#define X(name, need) { #name, offsetof(struct gl_abi, name), need },
	GL_ABI_CONSTS(X)
#undef X
};

static const struct {
	const char *kind; /* the line's first part */
	size_t at;        /* of the string in struct gl_abi */
} known_headers[] = {
	{ "go", offsetof(struct gl_abi, go_version) },
	{ "goarch", offsetof(struct gl_abi, goarch) },
	{ "goamd64", offsetof(struct gl_abi, goamd64) },
	{ "goexperiment", offsetof(struct gl_abi, goexperiment) },
	{ "buildmode", offsetof(struct gl_abi, buildmode) },
	{ "header", offsetof(struct gl_abi, object_header) },
};
/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char **header_at(struct gl_abi *abi, size_t i)
{
	return (const char **)((char *)abi + known_headers[i].at);
}

/* ---- reading lines -------------------------------------------------------------------------------------------- */

struct reader {
	const char *path;
	uint32_t line;
	struct gl_abi *abi;
	struct gl_error *err;
};

static int malformed(const struct reader *rd, const char *what)
{
	return gl_fail(rd->err, GL_EFORMAT, "%s:%u: %s", rd->path, rd->line, what);
}

/* Cuts the part up to the next sep off *rest. NULL when nothing is left; the last part ends the string. */
static char *cut(char **rest, char sep)
{
	char *part = *rest;

	if (part == NULL)
		return NULL;
	char *end = strchr(part, sep);
	if (end != NULL)
		*end++ = '\0';
	*rest = end;
	return part;
}

/* Reads a whole string as a number, decimal or 0x…, from 0 to max. */
static bool number(const char *text, int64_t max, int64_t *value)
{
	char *end;

	if (text == NULL || *text < '0' || *text > '9')
		return false;
	errno = 0;
	long long n = strtoll(text, &end, 0);
	if (errno != 0 || *end != '\0' || n > max)
		return false;
	*value = n;
	return true;
}

static int read_builtin(struct reader *rd, char *rest)
{
	struct gl_abi *abi = rd->abi;
	int64_t index, kind;
	const char *index_text = cut(&rest, '\t'), *name = cut(&rest, '\t'), *kind_text = cut(&rest, '\t');

	if (!number(index_text, UINT32_MAX, &index) || name == NULL || *name == '\0' || !number(kind_text, 1, &kind) ||
	    rest != NULL)
		return malformed(rd, "a builtin is an index, a name, and 0 or 1");
	if (index != abi->nbuiltins)
		return malformed(rd, "builtins are not in the order of their indices");
	abi->text->builtins[abi->nbuiltins++] = (struct gl_builtin){ .name = name, .abi = (int)kind };
	return 0;
}

static int read_abbrev(struct reader *rd, char *rest)
{
	struct gl_abi_text *text = rd->abi->text;
	int64_t code, tag, children, attr, form;
	const char *code_text = cut(&rest, '\t'), *tag_text = cut(&rest, '\t'), *children_text = cut(&rest, '\t');

	if (!number(code_text, MAX_ABBREVS, &code) || !number(tag_text, UINT16_MAX, &tag) ||
	    !number(children_text, 1, &children) || rest == NULL)
		return malformed(rd, "an abbreviation is a code, a tag, 0 or 1, and attributes");
	if ((size_t)code != text->nabbrevs + 1)
		return malformed(rd, "abbreviations are not in the order of their codes");

	struct gl_abbrev *abbrev = &text->abbrevs[text->nabbrevs++];
	abbrev->tag = (uint16_t)tag;
	abbrev->has_children = children != 0;
	abbrev->attrs = &text->attrs[text->nattrs];
	for (char *pair = cut(&rest, ' '); pair != NULL && *pair != '\0'; pair = cut(&rest, ' ')) {
		const char *attr_text = cut(&pair, ':');
		if (!number(attr_text, UINT16_MAX, &attr) || !number(pair, UINT16_MAX, &form) || attr == 0 || form == 0)
			return malformed(rd, "an abbreviation's attribute is two numbers with a colon between them");
		if (abbrev->nattrs == MAX_ATTRS)
			return malformed(rd, "an abbreviation has too many attributes");
		text->attrs[text->nattrs++] = (struct gl_abbrev_attr){ (uint16_t)attr, (uint16_t)form };
		abbrev->nattrs++;
	}
	return 0;
}

/* key is the whole line; its names have been cut off it already, up to rest. Puts the tabs inside the key back. */
static int add_fact(struct reader *rd, char *key, const char *key_end, int64_t value, int64_t size)
{
	struct gl_abi_text *text = rd->abi->text;

	for (char *p = key; p != key_end; p++)
		if (*p == '\0')
			*p = '\t';
	text->facts[text->nfacts++] = (struct fact){ key, value, size, rd->line };
	return 0;
}

static int read_const(struct reader *rd, char *line, char *rest)
{
	const char *name = cut(&rest, '\t'), *value_text = cut(&rest, '\t');
	int64_t value;

	if (name == NULL || *name == '\0' || value_text == NULL || rest != NULL)
		return malformed(rd, "a constant is a name and a number");
	/* Numbers that no int holds and negative ones are no kinds, indices or flags: nobody asks for them. */
	if (!number(value_text[0] == '-' ? value_text + 1 : value_text, INT64_MAX, &value))
		return malformed(rd, "a constant is a name and a number");
	if (value_text[0] == '-' || value > INT_MAX)
		return 0;
	return add_fact(rd, line, name + strlen(name), value, 0);
}

static int read_struct(struct reader *rd, char *line, char *rest)
{
	const char *name = cut(&rest, '\t'), *size_text = cut(&rest, '\t');
	int64_t size;

	if (name == NULL || *name == '\0' || !number(size_text, MAX_STRUCT_SIZE, &size) || rest != NULL)
		return malformed(rd, "a struct is a name and a size");
	return add_fact(rd, line, name + strlen(name), size, 0);
}

static int read_field(struct reader *rd, char *line, char *rest)
{
	const char *strukt = cut(&rest, '\t'), *name = cut(&rest, '\t');
	const char *offset_text = cut(&rest, '\t'), *size_text = cut(&rest, '\t');
	int64_t offset, size;

	if (strukt == NULL || *strukt == '\0' || name == NULL || *name == '\0' ||
	    !number(offset_text, MAX_STRUCT_SIZE, &offset) || !number(size_text, MAX_STRUCT_SIZE, &size) ||
	    rest != NULL)
		return malformed(rd, "a field is a struct, a name, an offset and a size");
	return add_fact(rd, line, name + strlen(name), offset, size);
}

static int read_line(struct reader *rd, char *line)
{
	struct gl_abi *abi = rd->abi;
	char *rest = line;
	const char *kind = cut(&rest, '\t');

	if (rest == NULL)
		return malformed(rd, "a line of a description has parts separated by tabs");
	if (strcmp(kind, "field") == 0)
		return read_field(rd, line, rest);
	if (strcmp(kind, "struct") == 0)
		return read_struct(rd, line, rest);
	if (strcmp(kind, "const") == 0)
		return read_const(rd, line, rest);
	if (strcmp(kind, "builtin") == 0)
		return read_builtin(rd, rest);
	if (strcmp(kind, "abbrev") == 0)
		return read_abbrev(rd, rest);

	for (size_t i = 0; i < COUNT(known_headers); i++) {
		if (strcmp(kind, known_headers[i].kind) != 0)
			continue;
		const char **value = header_at(abi, i);
		if (*value != NULL)
			return gl_fail(rd->err, GL_EFORMAT, "%s:%u: \"%s\" is given a second time", rd->path, rd->line,
				       kind);
		*value = rest;
		return 0;
	}
	return gl_fail(rd->err, GL_EFORMAT, "%s:%u: unknown kind of line \"%s\"", rd->path, rd->line, kind);
}

/* ---- look-ups ------------------------------------------------------------------------------------------------- */

/* Compares a fact's key with "kind\ta" or "kind\ta\tb" (b NULL for none); a and b end where their length says. */
static int compare_key(const char *key, const char *const *parts, const size_t *lens, size_t nparts)
{
	for (size_t i = 0; i < nparts; i++) {
		int order = strncmp(key, parts[i], lens[i]);
		if (order != 0)
			return order;
		key += lens[i];
		char want = i + 1 < nparts ? '\t' : '\0';
		if (*key != want)
			return (unsigned char)*key < (unsigned char)want ? -1 : 1;
		key++;
	}
	return 0;
}

static const struct fact *find_n(const struct gl_abi_text *text, const char *kind, const char *a, size_t alen,
				 const char *b, size_t blen)
{
	const char *parts[] = { kind, a, b };
	const size_t lens[] = { strlen(kind), alen, blen };
	size_t low = 0, high = text->nfacts;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = compare_key(text->facts[mid].key, parts, lens, b != NULL ? 3 : 2);
		if (order == 0)
			return &text->facts[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static const struct fact *find(const struct gl_abi_text *text, const char *kind, const char *a, const char *b)
{
	return find_n(text, kind, a, strlen(a), b, b != NULL ? strlen(b) : 0);
}

/* As find, for the first of several names that the description has; strukt, when not NULL, is a struct's fact. */
static const struct fact *find_any(const struct gl_abi_text *text, const char *kind, const struct fact *strukt,
				   const char *names)
{
	const struct fact *found = NULL;

	while (found == NULL && *names != '\0') {
		size_t len = strcspn(names, "|");
		if (strukt != NULL) {
			const char *name = strukt->key + strlen("struct\t");
			found = find_n(text, kind, name, strlen(name), names, len);
		} else {
			found = find_n(text, kind, names, len, NULL, 0);
		}
		names += len + (names[len] == '|');
	}
	return found;
}

int gl_abi_field(const struct gl_abi *abi, const char *strukt, const char *field)
{
	const struct fact *fact = find(abi->text, "field", strukt, field);

	return fact != NULL ? (int)fact->value : -1;
}

int gl_abi_field_size(const struct gl_abi *abi, const char *strukt, const char *field)
{
	const struct fact *fact = find(abi->text, "field", strukt, field);

	return fact != NULL ? (int)fact->size : -1;
}

int64_t gl_abi_struct_size(const struct gl_abi *abi, const char *strukt)
{
	const struct fact *fact = find(abi->text, "struct", strukt, NULL);

	return fact != NULL ? fact->value : -1;
}

int64_t gl_abi_const(const struct gl_abi *abi, const char *name)
{
	const struct fact *fact = find(abi->text, "const", name, NULL);

	return fact != NULL ? fact->value : -1;
}

const struct gl_abbrev *gl_abi_abbrev(const struct gl_abi *abi, uint64_t code)
{
	return code >= 1 && code <= abi->text->nabbrevs ? &abi->text->abbrevs[code - 1] : NULL;
}

/* ---- the whole ------------------------------------------------------------------------------------------------ */

/* Returns the file's bytes with a NUL behind them. */
static char *read_file(const char *path, size_t *size, struct gl_error *err)
{
	struct stat st;
	char *bytes = NULL;

	FILE *file = fopen(path, "rbe");
	if (file == NULL) {
		gl_fail(err, GL_EIO, "%s: %s (a host's description is written when the host is built)", path,
			strerror(errno));
		return NULL;
	}
	if (fstat(fileno(file), &st) != 0) {
		gl_fail(err, GL_EIO, "%s: %s", path, strerror(errno));
		goto fail;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > MAX_FILE) {
		gl_fail(err, GL_EFORMAT, "%s: no description: not a file, or of more than 64 MB", path);
		goto fail;
	}
	bytes = malloc((size_t)st.st_size + 1);
	if (bytes == NULL) {
		gl_out_of_memory(err, "reading %s, of %lld bytes", path, (long long)st.st_size);
		goto fail;
	}
	*size = fread(bytes, 1, (size_t)st.st_size, file);
	if (ferror(file)) {
		gl_fail(err, GL_EIO, "%s: %s", path, strerror(errno));
		goto fail;
	}
	bytes[*size] = '\0';
	fclose(file);
	return bytes;

fail:
	free(bytes);
	fclose(file);
	return NULL;
}

/* Makes room for as many of everything as there can be: a line holds one fact, an attribute has a colon. */
static int text_alloc(struct gl_abi_text *text, size_t size, struct gl_error *err)
{
	size_t nlines = 1, ncolons = 1;

	for (size_t i = 0; i < size; i++) {
		nlines += text->bytes[i] == '\n';
		ncolons += text->bytes[i] == ':';
	}
	text->facts = calloc(nlines, sizeof(*text->facts));
	text->builtins = calloc(nlines, sizeof(*text->builtins));
	text->abbrevs = calloc(nlines, sizeof(*text->abbrevs));
	text->attrs = calloc(ncolons, sizeof(*text->attrs));
	if (text->facts == NULL || text->builtins == NULL || text->abbrevs == NULL || text->attrs == NULL)
		return gl_out_of_memory(err, "reading a description of %zu lines", nlines);
	return 0;
}

static int compare_facts(const void *a, const void *b)
{
	return strcmp(((const struct fact *)a)->key, ((const struct fact *)b)->key);
}

/* Beyond this point facts are in the order of their keys, and no key is there twice. */
static int sort_facts(const struct reader *rd)
{
	struct gl_abi_text *text = rd->abi->text;
	bool sorted = true;

	for (size_t i = 1; i < text->nfacts && sorted; i++)
		sorted = compare_facts(&text->facts[i - 1], &text->facts[i]) < 0;
	if (sorted)
		return 0;
	qsort(text->facts, text->nfacts, sizeof(*text->facts), compare_facts);
	for (size_t i = 1; i < text->nfacts; i++) {
		const struct fact *a = &text->facts[i - 1], *b = &text->facts[i];
		if (strcmp(a->key, b->key) == 0)
			return gl_fail(rd->err, GL_EFORMAT, "%s:%u: states again what line %u states: %s", rd->path,
				       a->line > b->line ? a->line : b->line, a->line > b->line ? b->line : a->line,
				       a->key);
	}
	return 0;
}

/* A list of names in a message, cut with "…" where it grows too long. */
struct missing {
	char names[2048];
	size_t len;
};

static void missing_add(struct missing *list, const char *strukt, const char *name)
{
	if (list->len >= sizeof(list->names) - 128)
		return;
	list->len += (size_t)snprintf(list->names + list->len, sizeof(list->names) - list->len, "%s%.60s%s%.40s",
				      list->len > 0 ? ", " : "", strukt, *strukt != '\0' ? "." : "", name);
	if (list->len >= sizeof(list->names) - 128)
		list->len += (size_t)snprintf(list->names + list->len, sizeof(list->names) - list->len, ", …");
}

static int fill_struct(const struct reader *rd, const struct known_struct *known, struct missing *missing)
{
	const struct gl_abi_text *text = rd->abi->text;
	char *base = (char *)rd->abi;
	const struct fact *strukt = find_any(text, "struct", NULL, known->names);

	if (strukt != NULL)
		*(size_t *)(base + known->at) = (size_t)strukt->value;
	for (size_t i = 0; i < known->nfields; i++) {
		const struct known_field *want = &known->fields[i];
		const struct fact *field = strukt != NULL ? find_any(text, "field", strukt, want->names) : NULL;
		int *offset = (int *)(base + want->at);

		*offset = -1;
		if (field == NULL) {
			if (want->need == REQUIRED)
				missing_add(missing, known->names, want->names);
			continue;
		}
		if (field->value > strukt->value || field->size > strukt->value - field->value)
			return gl_fail(rd->err, GL_EFORMAT,
				       "%s:%u: %s of %s is %lld bytes at %lld, but the struct has %lld", rd->path,
				       field->line, want->names, known->names, (long long)field->size,
				       (long long)field->value, (long long)strukt->value);
		*offset = (int)field->value;
	}
	return 0;
}

/* Beyond this point every member of abi has its value. */
static int fill(const struct reader *rd)
{
	struct gl_abi *abi = rd->abi;
	struct missing missing = { .len = 0 };

	for (size_t i = 0; i < COUNT(known_headers); i++)
		if (*header_at(abi, i) == NULL)
			missing_add(&missing, "", known_headers[i].kind);
	if (abi->nbuiltins == 0)
		missing_add(&missing, "", "builtin");
	for (size_t i = 0; i < COUNT(known_structs); i++)
		if (fill_struct(rd, &known_structs[i], &missing) != 0)
			return -1;
	for (size_t i = 0; i < COUNT(known_consts); i++) {
		const struct fact *fact = find_any(abi->text, "const", NULL, known_consts[i].names);
		if (fact == NULL && known_consts[i].need == REQUIRED)
			missing_add(&missing, "", known_consts[i].names);
		*(int *)((char *)abi + known_consts[i].at) = fact != NULL ? (int)fact->value : -1;
	}
	if (missing.len > 0)
		return gl_fail(rd->err, GL_EHOST, "%s: lacks what this library needs to know of %s: %s", rd->path,
			       abi->go_version != NULL ? abi->go_version : "the host", missing.names);
	return 0;
}

struct gl_abi *gl_abi_read(const char *path, struct gl_error *err)
{
	static const char first_line[] = "goloader-description\t1";
	struct reader rd = { .path = path, .line = 1, .err = err };
	size_t size;

	rd.abi = calloc(1, sizeof(*rd.abi));
	struct gl_abi_text *text = calloc(1, sizeof(*text));
	if (rd.abi == NULL || text == NULL) {
		free(text);
		gl_out_of_memory(err, "reading %s", path);
		goto fail;
	}
	rd.abi->text = text;
	text->bytes = read_file(path, &size, err);
	if (text->bytes == NULL)
		goto fail;
	if (memchr(text->bytes, '\0', size) != NULL) {
		gl_fail(err, GL_EFORMAT, "%s: a NUL byte in what should be text", path);
		goto fail;
	}
	if (text_alloc(text, size, err) != 0)
		goto fail;

	/* The writer ends every line, so a file that was cut off inside one shows. */
	bool whole = size > 0 && text->bytes[size - 1] == '\n';
	char *rest = text->bytes;
	if (strcmp(cut(&rest, '\n'), first_line) != 0) {
		gl_fail(err, GL_EFORMAT, "%s: no host description of version 1: its first line is not \"%s\"", path,
			first_line);
		goto fail;
	}
	if (!whole) {
		gl_fail(err, GL_EFORMAT, "%s: its last line is cut off", path);
		goto fail;
	}
	for (char *line = cut(&rest, '\n'); line != NULL; line = cut(&rest, '\n')) {
		rd.line++;
		if (*line != '\0' && read_line(&rd, line) != 0)
			goto fail;
	}
	rd.abi->builtins = text->builtins;
	if (sort_facts(&rd) != 0 || fill(&rd) != 0)
		goto fail;
	return rd.abi;

fail:
	gl_abi_free(rd.abi);
	return NULL;
}

void gl_abi_free(struct gl_abi *abi)
{
	if (abi == NULL)
		return;
	if (abi->text != NULL) {
		free(abi->text->bytes);
		free(abi->text->facts);
		free(abi->text->builtins);
		free(abi->text->abbrevs);
		free(abi->text->attrs);
		free(abi->text);
	}
	free(abi);
}
