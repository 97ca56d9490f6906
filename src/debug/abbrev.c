/* How the entries of .debug_info begin (see abbrev.h). */
#include "abbrev.h"

/* An attribute and its form, and the end of an abbreviation's. */
#define ATTRIBUTE(attribute, form) DW_AT_##attribute, DW_FORM_##form
#define END 0, 0

/* Attributes of Go's own, whose numbers take two bytes: the kind of a type, and the types that it is made of
 * (cmd/internal/dwarf). Delve shows by them what a string, a slice or a map has in it. */
#define GO_KIND 0x80, 0x52, DW_FORM_data1
#define GO_KEY 0x81, 0x52, DW_FORM_ref4
#define GO_ELEM 0x82, 0x52, DW_FORM_ref4
#define TYPE_ATTRIBUTES ATTRIBUTE(name, strp), GO_KIND
#define GO_RUNTIME_TYPE 0x84, 0x52, DW_FORM_addr

#define FUNC_ATTRIBUTES                                                                                                \
	ATTRIBUTE(name, strp), ATTRIBUTE(low_pc, addr), ATTRIBUTE(high_pc, data4), ATTRIBUTE(decl_file, udata),        \
		ATTRIBUTE(decl_line, udata), ATTRIBUTE(frame_base, exprloc), ATTRIBUTE(external, flag_present)
#define INLINED_ATTRIBUTES ATTRIBUTE(abstract_origin, ref4), ATTRIBUTE(call_file, udata), ATTRIBUTE(call_line, udata)
#define LOCAL_ATTRIBUTES ATTRIBUTE(name, strp), ATTRIBUTE(decl_line, udata), ATTRIBUTE(type, ref4)
#define ARGUMENT_ATTRIBUTES LOCAL_ATTRIBUTES, ATTRIBUTE(variable_parameter, flag)

enum { HAS_NO_CHILDREN, HAS_CHILDREN };

/* clang-format off */
static const uint8_t abbreviations[] = {
	UNIT, DW_TAG_compile_unit, HAS_CHILDREN, ATTRIBUTE(producer, string), ATTRIBUTE(language, data1),
		ATTRIBUTE(name, string), ATTRIBUTE(comp_dir, string), ATTRIBUTE(low_pc, addr), ATTRIBUTE(high_pc, data8),
		ATTRIBUTE(stmt_list, sec_offset), END,
	FUNC, DW_TAG_subprogram, HAS_NO_CHILDREN, FUNC_ATTRIBUTES, END,
	FUNC_WITH_CHILDREN, DW_TAG_subprogram, HAS_CHILDREN, FUNC_ATTRIBUTES, END,
	ABSTRACT, DW_TAG_subprogram, HAS_NO_CHILDREN, ATTRIBUTE(name, strp), ATTRIBUTE(decl_line, udata),
		ATTRIBUTE(inline, data1), ATTRIBUTE(external, flag_present), END,
	INLINED_ONCE, DW_TAG_inlined_subroutine, HAS_CHILDREN, INLINED_ATTRIBUTES, ATTRIBUTE(low_pc, addr),
		ATTRIBUTE(high_pc, data4), END,
	INLINED_PARTS, DW_TAG_inlined_subroutine, HAS_CHILDREN, INLINED_ATTRIBUTES, ATTRIBUTE(ranges, sec_offset), END,

	LOCAL, DW_TAG_variable, HAS_NO_CHILDREN, LOCAL_ATTRIBUTES, ATTRIBUTE(location, exprloc), END,
	LOCAL_LIST, DW_TAG_variable, HAS_NO_CHILDREN, LOCAL_ATTRIBUTES, ATTRIBUTE(location, sec_offset), END,
	LOCAL_NOWHERE, DW_TAG_variable, HAS_NO_CHILDREN, LOCAL_ATTRIBUTES, END,
	ARGUMENT, DW_TAG_formal_parameter, HAS_NO_CHILDREN, ARGUMENT_ATTRIBUTES, ATTRIBUTE(location, exprloc), END,
	ARGUMENT_LIST, DW_TAG_formal_parameter, HAS_NO_CHILDREN, ARGUMENT_ATTRIBUTES,
		ATTRIBUTE(location, sec_offset), END,
	ARGUMENT_NOWHERE, DW_TAG_formal_parameter, HAS_NO_CHILDREN, ARGUMENT_ATTRIBUTES, END,
	SCOPE, DW_TAG_lexical_block, HAS_CHILDREN, ATTRIBUTE(ranges, sec_offset), END,

	BASE_TYPE, DW_TAG_base_type, HAS_NO_CHILDREN, TYPE_ATTRIBUTES, ATTRIBUTE(encoding, data1),
		ATTRIBUTE(byte_size, data1), END,
	POINTER_TYPE, DW_TAG_pointer_type, HAS_NO_CHILDREN, TYPE_ATTRIBUTES, ATTRIBUTE(type, ref4), END,
	BARE_POINTER, DW_TAG_pointer_type, HAS_NO_CHILDREN, TYPE_ATTRIBUTES, END,
	STRUCT_TYPE, DW_TAG_structure_type, HAS_CHILDREN, TYPE_ATTRIBUTES, ATTRIBUTE(byte_size, udata), END,
	SLICE_TYPE, DW_TAG_structure_type, HAS_CHILDREN, TYPE_ATTRIBUTES, GO_ELEM, ATTRIBUTE(byte_size, udata), END,
	MAP_TYPE, DW_TAG_typedef, HAS_NO_CHILDREN, TYPE_ATTRIBUTES, GO_KEY, GO_ELEM, ATTRIBUTE(type, ref4), END,
	CHAN_TYPE, DW_TAG_typedef, HAS_NO_CHILDREN, TYPE_ATTRIBUTES, GO_ELEM, ATTRIBUTE(type, ref4), END,
	STRUCT_ELSEWHERE, DW_TAG_structure_type, HAS_NO_CHILDREN, ATTRIBUTE(name, strp),
		ATTRIBUTE(declaration, flag_present), END,
	MEMBER, DW_TAG_member, HAS_NO_CHILDREN, ATTRIBUTE(name, strp), ATTRIBUTE(data_member_location, udata),
		ATTRIBUTE(type, ref4), END,
	ARRAY_TYPE, DW_TAG_array_type, HAS_CHILDREN, TYPE_ATTRIBUTES, ATTRIBUTE(type, ref4),
		ATTRIBUTE(byte_size, udata), END,
	ARRAY_RANGE, DW_TAG_subrange_type, HAS_NO_CHILDREN, ATTRIBUTE(count, udata), ATTRIBUTE(type, ref4), END,
	FUNC_TYPE, DW_TAG_subroutine_type, HAS_CHILDREN, TYPE_ATTRIBUTES, ATTRIBUTE(byte_size, udata), END,
	FUNC_TYPE_PARAMETER, DW_TAG_formal_parameter, HAS_NO_CHILDREN, ATTRIBUTE(variable_parameter, flag),
		ATTRIBUTE(type, ref4), END,
	TYPE_NAME, DW_TAG_typedef, HAS_NO_CHILDREN, TYPE_ATTRIBUTES, ATTRIBUTE(type, ref4), END,
	UNKNOWN_TYPE, DW_TAG_unspecified_type, HAS_NO_CHILDREN, ATTRIBUTE(name, strp), END,
	0,
};
/* clang-format on */

void put_abbreviations(struct bytes *b, bool runtime_types)
{
	static const uint8_t kind[] = { GO_KIND }, runtime_type[] = { GO_RUNTIME_TYPE };

	for (size_t i = 0; i < sizeof(abbreviations); i++) {
		put_8(b, abbreviations[i]);
		/* the kind, which nothing but types has, is the last of what all of them have */
		if (runtime_types && i + 1 >= sizeof(kind) &&
		    memcmp(abbreviations + i + 1 - sizeof(kind), kind, sizeof(kind)) == 0) {
			put(b, runtime_type, sizeof(runtime_type));
		}
	}
}
