/* Signatures from DWARF.
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
#include "params.h"

#include <stdlib.h>
#include <string.h>

#include "dwarf.h"

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
				die.type_name = gl_object_symref_name(r->obj, reloc.sym);
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

/* ---- a function's parameters ------------------------------------------------------------------------------------- */

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
	params_add(ps, (struct gl_sigparam){
			       .name = gl_pool_string(ps->pool, die->name.p, die->name.n),
			       .type = gl_pool_string(ps->pool, die->type_name.p + prefix, die->type_name.n - prefix),
			       .is_result = die->is_result });
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
		struct gl_str name = gl_object_symref_name(obj, ref);
		if (name.n > fn.n + sizeof(suffix) - 1 && memcmp(name.p, fn.p, fn.n) == 0 &&
		    memcmp(name.p + fn.n, suffix, sizeof(suffix) - 1) == 0) {
			return true;
		}
	}
	return false;
}

int dwarf_read(struct owned_signature *own, const struct gl_object *obj, uint32_t sym, const struct gl_abi *abi,
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
	if (params_finish(own, &ps, err) != 0) {
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
	struct owned_signature *own = calloc(1, sizeof(*own));

	*out = NULL;
	if (own == NULL) {
		return gl_fail(err, GL_ENOMEM, "out of memory");
	}
	if (dwarf_read(own, obj, sym, abi, err) != 0) {
		gl_signature_free(&own->sig);
		return -1;
	}
	*out = &own->sig;
	return 0;
}
