/* The Go types of functions and variables (see signature.h for where they come from).
 *
 * A function's DWARF is one entry with children: parameters, results, variables, blocks, inlined calls.
 *
 *     subprogram "main.Add"
 *         formal_parameter "a"    type: relocation to go:info.int
 *         formal_parameter "~r0"  variable_parameter (that is, a result)
 *         inlined_subroutine …    has parameters of its own, a level deeper
 *
 * A function that was inlined somewhere keeps names and types in an abstract entry (go:info.main.Add$abstract), and its
 * own children refer to those by offset. Children stand in the order of declaration (sortDeclsAndVars in
 * cmd/compile/internal/dwarfgen/dwarf.go, putAbstractVar and putvar in cmd/internal/dwarf/dwarf.go).
 *
 * The bytes are read with the host's own abbreviations, which its description lists. */
#include "signature.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "exportdata.h"

enum { TAG_FORMAL_PARAMETER = 0x05, TAG_SUBPROGRAM = 0x2e };
enum { AT_NAME = 0x03, AT_ABSTRACT_ORIGIN = 0x31, AT_TYPE = 0x49, AT_VARIABLE_PARAMETER = 0x4b, AT_TRAMPOLINE = 0x56 };
enum {
	FORM_ADDR = 0x01,
	FORM_DATA2 = 0x05,
	FORM_DATA4 = 0x06,
	FORM_DATA8 = 0x07,
	FORM_STRING = 0x08,
	FORM_BLOCK = 0x09,
	FORM_BLOCK1 = 0x0a,
	FORM_DATA1 = 0x0b,
	FORM_FLAG = 0x0c,
	FORM_SDATA = 0x0d,
	FORM_UDATA = 0x0f,
	FORM_REF_ADDR = 0x10,
	FORM_SEC_OFFSET = 0x17,
	FORM_EXPRLOC = 0x18,
	FORM_FLAG_PRESENT = 0x19,
	FORM_ADDRX = 0x1b
};

static const char type_prefix[] = "go:info.";

/* A signature and what its strings live in. */
struct owned {
	struct gl_signature sig;
	struct gl_pool pool;
};

/* The bytes of one DWARF symbol, read from front to back. */
struct die_reader {
	const struct gl_object *obj;
	const struct gl_abi *abi;
	uint32_t sym;
	const uint8_t *data;
	uint32_t size, pos;
	uint32_t reloc; /* the first relocation not yet passed */
	bool bad;
};

/* What a parameter's entry says. */
struct die {
	uint16_t tag;
	bool has_children, is_result, is_wrapper;
	struct gl_str name;
	uint32_t type; /* symbol of its type, UINT32_MAX where there is none */
	struct gl_str type_name;
	uint32_t origin;     /* symbol of its abstract entry, UINT32_MAX where there is none */
	uint32_t origin_off; /* bytes into it */
};

/* ---- entries ---------------------------------------------------------------------------------------------------- */

static bool reader_open(struct die_reader *r, const struct gl_object *obj, uint32_t sym, const struct gl_abi *abi)
{
	if (sym >= gl_object_nsyms(obj)) {
		return false;
	}
	*r = (struct die_reader){ .obj = obj, .abi = abi, .sym = sym };
	r->data = gl_object_data(obj, sym, &r->size);
	return true;
}

static uint64_t read_uleb(struct die_reader *r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; r->pos < r->size && shift < 64; shift += 7) {
		uint8_t b = r->data[r->pos++];
		v |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80) {
			return v;
		}
	}
	r->bad = true;
	return 0;
}

static void skip(struct die_reader *r, uint64_t n)
{
	if (n > r->size - r->pos) {
		r->bad = true;
		return;
	}
	r->pos += (uint32_t)n;
}

static struct gl_str read_cstring(struct die_reader *r)
{
	const uint8_t *p = r->data + r->pos, *end = memchr(p, '\0', r->size - r->pos);

	if (end == NULL) {
		r->bad = true;
		return (struct gl_str){ "", 0 };
	}
	r->pos += (uint32_t)(end - p) + 1;
	return (struct gl_str){ (const char *)p, (uint32_t)(end - p) };
}

/* The relocation at the current byte; false where there is none. The compiler writes them in order. */
static bool find_reloc(struct die_reader *r, struct gl_reloc *reloc)
{
	uint32_t n = gl_object_nrelocs(r->obj, r->sym);

	for (; r->reloc < n; r->reloc++) {
		*reloc = gl_object_reloc(r->obj, r->sym, r->reloc);
		if (reloc->size == 0 || reloc->off < (int64_t)r->pos) {
			continue;
		}
		return reloc->off == (int64_t)r->pos;
	}
	return false;
}

static struct gl_str symref_name(const struct gl_object *obj, struct gl_symref ref)
{
	uint32_t local = gl_object_local(obj, ref);

	if (local == UINT32_MAX) {
		return gl_object_refname(obj, ref);
	}
	return local < gl_object_ntotal(obj) ? gl_object_sym(obj, local).name : (struct gl_str){ "", 0 };
}

static void skip_form(struct die_reader *r, uint16_t form)
{
	struct gl_reloc reloc;

	switch (form) {
	case FORM_ADDR: skip(r, 8); break;
	case FORM_DATA1:
	case FORM_FLAG: skip(r, 1); break;
	case FORM_DATA2: skip(r, 2); break;
	case FORM_DATA4:
	case FORM_REF_ADDR:
	case FORM_SEC_OFFSET: skip(r, 4); break;
	case FORM_DATA8: skip(r, 8); break;
	case FORM_FLAG_PRESENT: break;
	case FORM_STRING: read_cstring(r); break;
	case FORM_SDATA:
	case FORM_UDATA: read_uleb(r); break;
	case FORM_BLOCK:
	case FORM_EXPRLOC: skip(r, read_uleb(r)); break;
	case FORM_BLOCK1: skip(r, r->pos < r->size ? 1u + r->data[r->pos] : 1); break;
	case FORM_ADDRX:
		/* a number the linker will fill in: as wide as its relocation says (obj.(*LSym).WriteDwTxtAddrx) */
		if (find_reloc(r, &reloc)) {
			skip(r, reloc.size);
		} else {
			read_uleb(r);
		}
		break;
	default: r->bad = true;
	}
}

/* Reads the entry at the current byte, but for its children. Tag 0 ends a list of children. */
static struct die read_die(struct die_reader *r)
{
	struct die die = { .type = UINT32_MAX, .origin = UINT32_MAX };
	uint64_t code = read_uleb(r);

	if (code == 0 || r->bad) {
		return die;
	}
	const struct gl_abbrev *abbrev = gl_abi_abbrev(r->abi, code);
	if (abbrev == NULL) {
		r->bad = true;
		return die;
	}
	die.tag = abbrev->tag;
	die.has_children = abbrev->has_children;
	for (uint16_t i = 0; i < abbrev->nattrs && !r->bad; i++) {
		uint16_t attr = abbrev->attrs[i].attr, form = abbrev->attrs[i].form;
		struct gl_reloc reloc;

		die.is_wrapper = die.is_wrapper || attr == AT_TRAMPOLINE;
		if (attr == AT_NAME && form == FORM_STRING) {
			die.name = read_cstring(r);
		} else if (attr == AT_VARIABLE_PARAMETER && form == FORM_FLAG) {
			die.is_result = r->pos < r->size && r->data[r->pos] != 0;
			skip(r, 1);
		} else if ((attr == AT_TYPE || attr == AT_ABSTRACT_ORIGIN) && form == FORM_REF_ADDR &&
			   find_reloc(r, &reloc)) {
			if (attr == AT_TYPE) {
				die.type_name = symref_name(r->obj, reloc.sym);
			} else {
				die.origin = gl_object_local(r->obj, reloc.sym);
				die.origin_off = reloc.add >= 0 && reloc.add < UINT32_MAX ? (uint32_t)reloc.add : 0;
			}
			skip(r, 4);
		} else {
			skip_form(r, form);
		}
	}
	return die;
}

/* ---- a function's parameters --------------------------------------------------------------------------------------
 */

struct params {
	struct gl_sigparam *list;
	uint32_t n, cap;
	struct gl_pool *pool;
	bool partial; /* something could not be told: a type parameter, say */
	bool nomem;
};

static bool is_name(struct gl_str s, const char *name) { return strlen(name) == s.n && memcmp(name, s.p, s.n) == 0; }

static void add_param(struct params *ps, const struct die *die)
{
	size_t prefix = sizeof(type_prefix) - 1;

	/* a result that lives on the heap or that recover may change has two entries before Go 1.27 */
	for (uint32_t i = 0; i < ps->n; i++) {
		if (strcmp(ps->list[i].name, "_") != 0 && is_name(die->name, ps->list[i].name)) {
			return;
		}
	}

	if (die->type_name.n <= prefix || memcmp(die->type_name.p, type_prefix, prefix) != 0) {
		ps->partial = true; /* a type parameter has an entry of the function's own */
		return;
	}
	if (ps->n == ps->cap) {
		uint32_t cap = ps->cap * 2 + 8;
		struct gl_sigparam *grown = realloc(ps->list, cap * sizeof(*grown));
		if (grown == NULL) {
			ps->nomem = true;
			return;
		}
		ps->list = grown;
		ps->cap = cap;
	}
	struct gl_sigparam *p = &ps->list[ps->n++];
	*p = (struct gl_sigparam){ .is_result = die->is_result };
	p->name = gl_pool_string(ps->pool, die->name.p, die->name.n);
	p->type = gl_pool_string(ps->pool, die->type_name.p + prefix, die->type_name.n - prefix);
	if (p->name == NULL || p->type == NULL) {
		ps->nomem = true;
	}
}

/* Collects the parameters that are children of the entry just read. Those that refer to an abstract entry have no name
 * and are skipped, as that one has given them already. */
static void collect(struct die_reader *r, struct params *ps)
{
	for (uint32_t depth = 1; depth > 0 && !r->bad;) {
		struct die die = read_die(r);
		if (die.tag == 0) {
			depth--;
			continue;
		}
		if (depth == 1 && die.tag == TAG_FORMAL_PARAMETER && die.name.n > 0) {
			add_param(ps, &die);
		}
		if (die.has_children) {
			depth++;
		}
	}
}

static uint32_t find_aux(const struct gl_object *obj, uint32_t sym, uint8_t type, uint32_t nth)
{
	uint32_t n = gl_object_nauxs(obj, sym);

	for (uint32_t i = 0; i < n; i++) {
		struct gl_aux aux = gl_object_aux(obj, sym, i);
		if (aux.type == type && nth-- == 0) {
			return gl_object_local(obj, aux.sym);
		}
	}
	return UINT32_MAX;
}

/* Counts the parameters that the function's traceback data describes, blank ones included, or returns -1 where the
 * list was cut (it holds ten words at most). internal/abi/type.go, "TraceArgs". */
static int64_t count_traced(const struct gl_object *obj, uint32_t sym, const struct gl_abi *abi)
{
	enum { LAST = 0xff, START = 0xfe, END = 0xfd, CUT = 0xfc, FAR = 0xfb };
	uint32_t info = find_aux(obj, sym, GL_AUX_FUNCDATA, (uint32_t)abi->FUNCDATA_ArgInfo), size;
	int64_t count = 0;
	int depth = 0;

	if (info >= gl_object_nsyms(obj)) {
		return 0;
	}
	const uint8_t *p = gl_object_data(obj, info, &size);
	for (uint32_t i = 0; i < size; i++) {
		switch (p[i]) {
		case LAST: return count;
		case START: count += depth++ == 0; break;
		case END: depth--; break;
		case CUT:
			if (depth == 0) {
				return -1;
			}
			break;
		case FAR: count += depth == 0; break;
		default: count += depth == 0; i++; /* the size follows the offset */
		}
	}
	return size == 0 ? 0 : -1;
}

/* Does the function range over a function? Then its unnamed results are called #rv1, …, and DWARF leaves them out. The
 * loop's body is a function of its own, F-range1, which F mentions or has inlined. */
static bool ranges_over_func(const struct gl_object *obj, uint32_t sym)
{
	static const char suffix[] = "-range";
	struct gl_str fn = gl_object_sym(obj, sym).name;
	uint32_t nrelocs = gl_object_nrelocs(obj, sym);
	struct gl_funcinfo fi = { 0 };

	if (!gl_object_funcinfo(obj, sym, &fi)) {
		fi.ninltree = 0;
	}
	for (uint32_t i = 0; i < nrelocs + fi.ninltree; i++) {
		struct gl_symref ref =
			i < nrelocs ? gl_object_reloc(obj, sym, i).sym : gl_funcinfo_inlnode(&fi, i - nrelocs).func;
		struct gl_str name = symref_name(obj, ref);
		if (name.n > fn.n + sizeof(suffix) - 1 && memcmp(name.p, fn.p, fn.n) == 0 &&
		    memcmp(name.p + fn.n, suffix, sizeof(suffix) - 1) == 0) {
			return true;
		}
	}
	return false;
}

/* Parameters before results, as calls want them; both keep their order. */
static int finish(struct owned *own, struct params *ps, struct gl_error *err)
{
	struct gl_sigparam *list = gl_pool_take(&own->pool, (ps->n + 1) * sizeof(*list));

	if (ps->nomem || list == NULL) {
		return gl_fail(err, GL_ENOMEM, "out of memory");
	}
	for (int results = 0; results < 2; results++) {
		for (uint32_t i = 0; i < ps->n; i++) {
			struct gl_sigparam *param = &list[own->sig.nparams + own->sig.nresults];
			uint32_t *n = results != 0 ? &own->sig.nresults : &own->sig.nparams;
			if (ps->list[i].is_result != (results != 0)) {
				continue;
			}
			*param = ps->list[i];
			if (param->name[0] == '~') {
				/* an unnamed result, ~r and its place: a gap means that one was dropped */
				ps->partial = ps->partial || strtoul(param->name + 2, NULL, 10) != *n;
				param->name = "";
			}
			++*n;
		}
	}
	own->sig.params = list;
	return 0;
}

static int read_dwarf(struct owned *own, const struct gl_object *obj, uint32_t sym, const struct gl_abi *abi,
		      struct gl_error *err)
{
	struct params ps = { .pool = &own->pool };
	struct die_reader r, abstract;
	int ret = -1;

	if (gl_object_from_assembly(obj)) {
		return 0; /* it has an entry, but the assembler knows no types */
	}
	if (!reader_open(&r, obj, find_aux(obj, sym, GL_AUX_DWARFINFO, 0), abi) || r.size == 0) {
		return 0;
	}
	struct die fn = read_die(&r);
	if (fn.tag != TAG_SUBPROGRAM) {
		r.bad = true;
	}
	if (!r.bad && fn.origin != UINT32_MAX) {
		if (!reader_open(&abstract, obj, fn.origin, abi)) {
			r.bad = true;
		} else {
			read_die(&abstract);
			collect(&abstract, &ps);
			r.bad = abstract.bad;
		}
	}
	if (!r.bad && fn.has_children) {
		collect(&r, &ps);
	}
	if (r.bad) {
		struct gl_str name = gl_object_sym(obj, sym).name;
		gl_fail(err, GL_EFORMAT, "%s: the DWARF of %.*s is corrupt at byte %u",
			gl_package_file(gl_object_package(obj)), (int)(name.n < 200 ? name.n : 200), name.p, r.pos);
		goto done;
	}
	if (finish(own, &ps, err) != 0) {
		goto done;
	}
	/* a wrapper around assembly has no parameters in DWARF */
	own->sig.typed = !ps.partial && !fn.is_wrapper && !ranges_over_func(obj, sym) &&
			 count_traced(obj, sym, abi) == (int64_t)own->sig.nparams;
	if (!own->sig.typed) {
		own->sig = (struct gl_signature){ 0 };
	}
	ret = 0;
done:
	free(ps.list);
	return ret;
}

int gl_signature_read(const struct gl_object *obj, uint32_t sym, const struct gl_abi *abi, struct gl_signature **out,
		      struct gl_error *err)
{
	struct owned *own = calloc(1, sizeof(*own));

	*out = NULL;
	if (own == NULL) {
		return gl_fail(err, GL_ENOMEM, "out of memory");
	}
	if (read_dwarf(own, obj, sym, abi, err) != 0) {
		gl_signature_free(&own->sig);
		return -1;
	}
	*out = &own->sig;
	return 0;
}

void gl_signature_free(struct gl_signature *sig)
{
	struct owned *own = (struct owned *)(void *)sig;

	if (own != NULL) {
		gl_pool_free(&own->pool);
		free(own);
	}
}

/* ---- as text ---------------------------------------------------------------------------------------------------- */

static void add_params(struct gl_text *t, const struct gl_sigparam *list, uint32_t n, bool variadic)
{
	bool named = false;

	for (uint32_t i = 0; i < n; i++) {
		named = named || list[i].name[0] != '\0';
	}
	for (uint32_t i = 0; i < n; i++) {
		const char *type = list[i].type;
		gl_text_puts(t, i > 0 ? ", " : "");
		if (named) {
			gl_text_puts(t, list[i].name[0] != '\0' ? list[i].name : "_");
			gl_text_puts(t, " ");
		}
		if (variadic && i + 1 == n && strncmp(type, "[]", 2) == 0) {
			gl_text_puts(t, "...");
			type += 2;
		}
		gl_text_puts(t, type);
	}
}

char *gl_signature_string(const struct gl_signature *sig)
{
	struct gl_text t = { 0 };

	if (!sig->typed) {
		gl_text_puts(&t, "func(…)");
		return gl_text_take(&t);
	}
	gl_text_puts(&t, "func(");
	add_params(&t, sig->params, sig->nparams, sig->variadic);
	gl_text_puts(&t, ")");
	if (sig->nresults > 0) {
		const struct gl_sigparam *results = sig->params + sig->nparams;
		bool parens = sig->nresults > 1 || results[0].name[0] != '\0';
		gl_text_puts(&t, parens ? " (" : " ");
		add_params(&t, results, sig->nresults, false);
		gl_text_puts(&t, parens ? ")" : "");
	}
	return gl_text_take(&t);
}

/* ---- from text ----------------------------------------------------------------------------------------------------
 */

/* One item of a parameter list as it stands between commas: "a int", "int", "xs ...string". */
struct item {
	const char *p, *end;
	const char *type; /* where its type starts, when a name stands before it; NULL otherwise */
};

static int wrong(const char *text, const char *at, const char *what, struct gl_error *err)
{
	return gl_fail(err, GL_ETYPE, "signature \"%.200s\", column %zu: %s", text, (size_t)(at - text) + 1, what);
}

static const char *skip_space(const char *p)
{
	while (*p == ' ' || *p == '\t') {
		p++;
	}
	return p;
}

static bool is_letter(char c) { return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80; }

/* The end of a struct tag or other quoted text. */
static const char *skip_quoted(const char *p)
{
	char quote = *p++;

	while (*p != '\0' && *p != quote) {
		p += *p == '\\' && quote == '"' && p[1] != '\0' ? 2 : 1;
	}
	return *p == quote ? p + 1 : p;
}

/* The end of what starts at p: the first ',' or ')' that is in no bracket. NULL where brackets don't match. */
static const char *item_end(const char *p)
{
	char open[64];
	size_t depth = 0;

	for (; *p != '\0'; p++) {
		if (*p == '"' || *p == '`') {
			p = skip_quoted(p) - 1;
		} else if (*p == '(' || *p == '[' || *p == '{') {
			if (depth == sizeof(open)) {
				return NULL;
			}
			open[depth++] = *p;
		} else if (*p == ')' || *p == ']' || *p == '}') {
			if (depth == 0) {
				return *p == ')' ? p : NULL;
			}
			char want = *p == ')' ? '(' : *p == ']' ? '[' : '{';
			if (open[--depth] != want) {
				return NULL;
			}
		} else if (*p == ',' && depth == 0) {
			return p;
		}
	}
	return depth == 0 ? p : NULL;
}

/* Words that start a type, so that what stands before a space is not a parameter's name. */
static bool starts_type(const char *p, size_t n)
{
	static const char *const words[] = { "chan", "func", "interface", "map", "struct" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i]) == n && memcmp(words[i], p, n) == 0) {
			return true;
		}
	}
	return false;
}

/* Copies a type, with byte, rune and any as symbols name them. */
static const char *type_string(struct gl_pool *pool, const char *p, const char *end, const char *before)
{
	static const char *const alias[][2] = { { "byte", "uint8" }, { "rune", "int32" }, { "any", "interface {}" } };
	struct gl_text t = { 0 };

	gl_text_puts(&t, before);
	while (p < end) {
		const char *word = p;
		if (*p == '"' || *p == '`') {
			p = skip_quoted(p);
		} else if (is_letter(*p)) {
			/* a path, too, is one word: "shop/list.byte" is no byte */
			while (p < end && (is_letter(*p) || *p == '.' || *p == '/' || *p == '%' || *p == '-')) {
				p++;
			}
			size_t i;
			for (i = 0; i < 3; i++) {
				if (strlen(alias[i][0]) == (size_t)(p - word) &&
				    memcmp(alias[i][0], word, (size_t)(p - word)) == 0) {
					gl_text_puts(&t, alias[i][1]);
					break;
				}
			}
			if (i < 3) {
				continue;
			}
		} else {
			p++;
		}
		gl_text_add(&t, word, (size_t)(p - word));
	}
	char *s = gl_text_take(&t);
	char *kept = s != NULL ? gl_pool_string(pool, s, strlen(s)) : NULL;
	free(s);
	return kept;
}

enum { MAX_ITEMS = 256 };

/* Parses what stands between parentheses; *pp is behind the opening one and moves behind the closing one. */
static int parse_list(const char *text, const char **pp, struct owned *own, struct params *ps, bool results,
		      struct gl_error *err)
{
	struct item items[MAX_ITEMS];
	uint32_t n = 0;
	bool named = false;
	const char *p = skip_space(*pp);

	while (*p != ')') {
		const char *end = item_end(p);
		if (end == NULL || *end == '\0') {
			return wrong(text, p, "brackets don't match", err);
		}
		if (n == MAX_ITEMS) {
			return wrong(text, p, "too many parameters", err);
		}
		struct item *it = &items[n++];
		*it = (struct item){ p, end, NULL };
		while (it->end > p && (it->end[-1] == ' ' || it->end[-1] == '\t')) {
			it->end--;
		}
		if (it->end == p) {
			return wrong(text, p, "a parameter is missing", err);
		}
		const char *word = p;
		while (is_letter(*word)) {
			word++;
		}
		const char *rest = skip_space(word);
		if (word > p && word < it->end && rest > word && rest < it->end &&
		    !starts_type(p, (size_t)(word - p))) {
			it->type = rest;
			named = true;
		}
		p = skip_space(*end == ',' ? end + 1 : end);
	}
	*pp = p + 1;

	/* "a, b int": a name alone takes the type of the next that has one */
	for (uint32_t i = 0; i < n; i++) {
		uint32_t from = i;
		while (named && from < n && items[from].type == NULL) {
			from++;
		}
		if (from == n) {
			return wrong(text, items[i].p, "a type is missing", err);
		}
		const char *type = named ? items[from].type : items[i].p;
		const char *before = "";
		if (strncmp(type, "...", 3) == 0) {
			if (results || i + 1 != n) {
				return wrong(text, type, "only the last parameter can be variadic", err);
			}
			own->sig.variadic = true;
			type = skip_space(type + 3);
			before = "[]";
		}
		if (type >= items[from].end) {
			return wrong(text, type, "a type is missing", err);
		}
		const char *name_end = items[i].type == NULL ? items[i].end : items[i].p;
		while (items[i].type != NULL && is_letter(*name_end)) {
			name_end++;
		}
		for (const char *c = items[i].p; named && c < name_end; c++) {
			if (!is_letter(*c)) {
				return wrong(text, c, "not a parameter's name", err);
			}
		}
		if (ps->n == ps->cap) {
			uint32_t cap = ps->cap * 2 + 8;
			struct gl_sigparam *grown = realloc(ps->list, cap * sizeof(*grown));
			if (grown == NULL) {
				return gl_fail(err, GL_ENOMEM, "out of memory");
			}
			ps->list = grown;
			ps->cap = cap;
		}
		struct gl_sigparam *param = &ps->list[ps->n++];
		*param = (struct gl_sigparam){ .is_result = results };
		param->name = gl_pool_string(&own->pool, items[i].p, named ? (size_t)(name_end - items[i].p) : 0);
		param->type = type_string(&own->pool, type, items[from].end, before);
		if (param->name == NULL || param->type == NULL) {
			return gl_fail(err, GL_ENOMEM, "out of memory");
		}
	}
	return 0;
}

static int parse(const char *text, struct owned *own, struct params *ps, struct gl_error *err)
{
	const char *p = skip_space(text);

	if (strncmp(p, "func", 4) == 0) {
		p = skip_space(p + 4);
	}
	if (*p != '(') {
		return wrong(text, p, "\"(\" expected", err);
	}
	p++;
	if (parse_list(text, &p, own, ps, false, err) != 0) {
		return -1;
	}
	p = skip_space(p);
	if (*p == '(') {
		p++;
		if (parse_list(text, &p, own, ps, true, err) != 0) {
			return -1;
		}
		p = skip_space(p);
		if (*p != '\0') {
			return wrong(text, p, "something follows the results", err);
		}
	} else if (*p != '\0') {
		const char *end = item_end(p);
		if (end == NULL || *end != '\0') {
			return wrong(text, end != NULL ? end : p, "one result, or results in parentheses expected",
				     err);
		}
		while (end > p && (end[-1] == ' ' || end[-1] == '\t')) {
			end--;
		}
		struct gl_sigparam *grown = realloc(ps->list, (ps->n + 1) * sizeof(*grown));
		if (grown == NULL) {
			return gl_fail(err, GL_ENOMEM, "out of memory");
		}
		ps->list = grown;
		ps->cap = ps->n + 1;
		const char *type = type_string(&own->pool, p, end, "");
		ps->list[ps->n++] = (struct gl_sigparam){ .name = "", .type = type, .is_result = true };
		if (ps->list[ps->n - 1].type == NULL) {
			return gl_fail(err, GL_ENOMEM, "out of memory");
		}
	}
	return 0;
}

int gl_signature_parse(const char *text, struct gl_signature **out, struct gl_error *err)
{
	struct owned *own = calloc(1, sizeof(*own));
	struct params ps = { 0 };

	*out = NULL;
	if (own == NULL) {
		return gl_fail(err, GL_ENOMEM, "out of memory");
	}
	ps.pool = &own->pool;
	if (parse(text, own, &ps, err) != 0 || finish(own, &ps, err) != 0) {
		free(ps.list);
		gl_signature_free(&own->sig);
		return -1;
	}
	free(ps.list);
	own->sig.typed = true;
	*out = &own->sig;
	return 0;
}

/* ---- a package's exports ------------------------------------------------------------------------------------------
 */

struct owned_declarations {
	struct gl_declarations decls;
	struct gl_pool pool;
	struct gl_declaration *list;
};

static bool is_text(const struct gl_abi *abi, uint8_t type)
{
	return type == abi->STEXT || (abi->STEXTFIPS >= 0 && type == abi->STEXTFIPS);
}

static bool is_data(const struct gl_abi *abi, uint8_t type)
{
	const int kinds[] = { abi->SNOPTRDATA, abi->SNOPTRDATAFIPS, abi->SDATA,
			      abi->SDATAFIPS,  abi->SBSS,           abi->SNOPTRBSS };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i] == type) {
			return true;
		}
	}
	return false;
}

/* The identifier in a symbol's name, when it is that of an exported function or variable of the package; n is 0
 * otherwise. Methods have a dot or a parenthesis more, instances of generic functions a bracket, closures and wrappers
 * a dot or a hyphen. */
static struct gl_str exported_name(struct gl_str sym, const char *path, size_t path_len)
{
	struct gl_str none = { "", 0 };

	if (sym.n < path_len + 2 || memcmp(sym.p, path, path_len) != 0 || sym.p[path_len] != '.') {
		return none;
	}
	struct gl_str name = { sym.p + path_len + 1, sym.n - (uint32_t)path_len - 1 };
	for (uint32_t i = 0; i < name.n; i++) {
		/* U+00B7, the dot that local types and linker-made symbols carry */
		if (!is_letter(name.p[i]) || (i + 1 < name.n && memcmp(name.p + i, "\xc2\xb7", 2) == 0)) {
			return none;
		}
	}
	return exportdata_is_exported(name.p, name.n) ? name : none;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct gl_declaration *)a)->name, ((const struct gl_declaration *)b)->name);
}

/* Calls enter by ABIInternal; what assembly defines has a wrapper for it from the compiler. */
static bool can_be_declared(const struct gl_abi *abi, const struct gl_object *obj, uint32_t s, struct gl_sym sym)
{
	return (is_text(abi, sym.type) ? sym.abi == GL_ABIINTERNAL : is_data(abi, sym.type)) &&
	       !gl_object_is_hashed(obj, s);
}

/* Gives each declaration its symbol, and drops those that have none here. */
static void bind_symbols(struct owned_declarations *own, uint32_t n, const char *path, const struct gl_package *pkg,
			 const struct gl_abi *abi)
{
	size_t path_len = strlen(path);

	for (uint32_t i = 0; i < n; i++) {
		own->list[i].sym = UINT32_MAX;
	}
	for (uint32_t o = 0; o < gl_package_nobjects(pkg); o++) {
		const struct gl_object *obj = gl_package_object(pkg, o);
		uint32_t nsyms = gl_object_nsyms(obj);
		for (uint32_t s = 0; s < nsyms; s++) {
			struct gl_sym sym = gl_object_sym(obj, s);
			bool text = is_text(abi, sym.type);
			if (!can_be_declared(abi, obj, s, sym)) {
				continue;
			}
			struct gl_str name = exported_name(sym.name, path, path_len);
			uint32_t lo = 0, hi = name.n > 0 ? n : 0;
			while (lo < hi) {
				uint32_t mid = lo + (hi - lo) / 2;
				const char *have = own->list[mid].name;
				int c = strncmp(have, name.p, name.n);
				c = c == 0 && have[name.n] != '\0' ? 1 : c;
				if (c == 0) {
					if (own->list[mid].is_func == text) {
						own->list[mid].object = o;
						own->list[mid].sym = s;
					}
					break;
				}
				if (c < 0) {
					lo = mid + 1;
				} else {
					hi = mid;
				}
			}
		}
	}
	for (uint32_t i = 0; i < n; i++) {
		if (own->list[i].sym != UINT32_MAX) {
			own->list[own->decls.n++] = own->list[i];
		}
	}
}

/* A variable's type, from the symbol of its descriptor. */
static int read_variable(struct owned_declarations *own, const struct gl_object *obj, struct gl_declaration *decl,
			 struct gl_error *err)
{
	static const char prefix[] = "type:";
	uint32_t n = gl_object_nauxs(obj, decl->sym);

	for (uint32_t i = 0; i < n; i++) {
		struct gl_aux aux = gl_object_aux(obj, decl->sym, i);
		if (aux.type != GL_AUX_GOTYPE) {
			continue;
		}
		struct gl_str name = symref_name(obj, aux.sym);
		if (name.n <= sizeof(prefix) - 1 || memcmp(name.p, prefix, sizeof(prefix) - 1) != 0) {
			return 0;
		}
		struct gl_sigparam *param = gl_pool_take(&own->pool, sizeof(*param));
		if (param == NULL) {
			return gl_fail(err, GL_ENOMEM, "out of memory");
		}
		param->name = "";
		param->type = gl_pool_string(&own->pool, name.p + sizeof(prefix) - 1, name.n - (sizeof(prefix) - 1));
		if (param->type == NULL) {
			return gl_fail(err, GL_ENOMEM, "out of memory");
		}
		decl->signature = (struct gl_signature){ .params = param, .nparams = 1, .typed = true };
	}
	return 0;
}

/* Without export data: the symbols say what there is, DWARF of which type. */
static int read_from_symbols(struct owned_declarations *own, const struct gl_package *pkg, const struct gl_abi *abi,
			     struct gl_error *err)
{
	const char *path = gl_package_path(pkg);
	size_t path_len = strlen(path);
	uint32_t cap = 0;

	for (uint32_t o = 0; o < gl_package_nobjects(pkg); o++) {
		const struct gl_object *obj = gl_package_object(pkg, o);
		uint32_t nsyms = gl_object_nsyms(obj);
		for (uint32_t s = 0; s < nsyms; s++) {
			struct gl_sym sym = gl_object_sym(obj, s);
			bool text = is_text(abi, sym.type);
			if (!can_be_declared(abi, obj, s, sym)) {
				continue;
			}
			struct gl_str name = exported_name(sym.name, path, path_len);
			if (name.n == 0) {
				continue;
			}
			if (own->decls.n == cap) {
				cap = cap * 2 + 16;
				struct gl_declaration *grown = realloc(own->list, cap * sizeof(*grown));
				if (grown == NULL) {
					return gl_fail(err, GL_ENOMEM, "out of memory");
				}
				own->list = grown;
			}
			struct gl_declaration *decl = &own->list[own->decls.n++];
			*decl = (struct gl_declaration){ .is_func = text, .object = o, .sym = s };
			decl->name = gl_pool_string(&own->pool, name.p, name.n);
			if (decl->name == NULL) {
				return gl_fail(err, GL_ENOMEM, "out of memory");
			}
			if (!text) {
				if (read_variable(own, obj, decl, err) != 0) {
					return -1;
				}
				continue;
			}
			struct owned one = { .pool = own->pool };
			int ret = read_dwarf(&one, obj, s, abi, err);
			own->pool = one.pool;
			decl->signature = one.sig;
			if (ret != 0) {
				return -1;
			}
		}
	}
	return 0;
}

int gl_declarations_read(const struct gl_package *pkg, const struct gl_abi *abi, struct gl_declarations **out,
			 struct gl_error *err)
{
	struct owned_declarations *own = calloc(1, sizeof(*own));
	const char *path;
	uint32_t n;

	*out = NULL;
	if (own == NULL) {
		return gl_fail(err, GL_ENOMEM, "out of memory");
	}
	int found = exportdata_read(pkg, &own->pool, &own->list, &n, &path, err);
	if (found < 0) {
		goto fail;
	}
	if (found > 0) {
		if (n > 0) {
			qsort(own->list, n, sizeof(*own->list), compare_names);
		}
		bind_symbols(own, n, path, pkg, abi);
	} else {
		if (read_from_symbols(own, pkg, abi, err) != 0) {
			goto fail;
		}
		if (own->decls.n > 0) {
			qsort(own->list, own->decls.n, sizeof(*own->list), compare_names);
		}
	}
	own->decls.list = own->list;
	*out = &own->decls;
	return 0;

fail:
	gl_declarations_free(&own->decls);
	return -1;
}

void gl_declarations_free(struct gl_declarations *decls)
{
	struct owned_declarations *own = (struct owned_declarations *)(void *)decls;

	if (own != NULL) {
		gl_pool_free(&own->pool);
		free(own->list);
		free(own);
	}
}

bool gl_is_exported(const char *name, size_t n) { return exportdata_is_exported(name, n); }
