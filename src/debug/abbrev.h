/* The numbers of DWARF's that are written here, and the abbreviations of entries. */
#ifndef GL_DEBUG_ABBREV_H
#define GL_DEBUG_ABBREV_H

#include "bytes.h"

enum {
	DW_TAG_array_type = 0x01,
	DW_TAG_formal_parameter = 0x05,
	DW_TAG_lexical_block = 0x0b,
	DW_TAG_member = 0x0d,
	DW_TAG_pointer_type = 0x0f,
	DW_TAG_compile_unit = 0x11,
	DW_TAG_structure_type = 0x13,
	DW_TAG_subroutine_type = 0x15,
	DW_TAG_typedef = 0x16,
	DW_TAG_inlined_subroutine = 0x1d,
	DW_TAG_subrange_type = 0x21,
	DW_TAG_base_type = 0x24,
	DW_TAG_subprogram = 0x2e,
	DW_TAG_variable = 0x34,
	DW_TAG_unspecified_type = 0x3b,

	DW_AT_location = 0x02,
	DW_AT_name = 0x03,
	DW_AT_byte_size = 0x0b,
	DW_AT_stmt_list = 0x10,
	DW_AT_low_pc = 0x11,
	DW_AT_high_pc = 0x12,
	DW_AT_language = 0x13,
	DW_AT_comp_dir = 0x1b,
	DW_AT_inline = 0x20,
	DW_AT_producer = 0x25,
	DW_AT_abstract_origin = 0x31,
	DW_AT_count = 0x37,
	DW_AT_data_member_location = 0x38,
	DW_AT_decl_file = 0x3a,
	DW_AT_decl_line = 0x3b,
	DW_AT_declaration = 0x3c,
	DW_AT_encoding = 0x3e,
	DW_AT_external = 0x3f,
	DW_AT_frame_base = 0x40,
	DW_AT_type = 0x49,
	DW_AT_variable_parameter = 0x4b,
	DW_AT_ranges = 0x55,
	DW_AT_call_file = 0x58,
	DW_AT_call_line = 0x59,

	DW_FORM_addr = 0x01,
	DW_FORM_data4 = 0x06,
	DW_FORM_data8 = 0x07,
	DW_FORM_string = 0x08,
	DW_FORM_data1 = 0x0b,
	DW_FORM_flag = 0x0c,
	DW_FORM_strp = 0x0e,
	DW_FORM_udata = 0x0f,
	DW_FORM_ref4 = 0x13,
	DW_FORM_sec_offset = 0x17,
	DW_FORM_exprloc = 0x18,
	DW_FORM_flag_present = 0x19,

	DW_LANG_Go = 0x16,
	DW_INL_inlined = 1,
	DW_OP_call_frame_cfa = 0x9c,
	DW_ATE_boolean = 0x02,
	DW_ATE_complex_float = 0x03,
	DW_ATE_float = 0x04,
	DW_ATE_signed = 0x05,
	DW_ATE_unsigned = 0x07,

	DW_CFA_nop = 0x00,
	DW_CFA_advance_loc1 = 0x02,
	DW_CFA_advance_loc2 = 0x03,
	DW_CFA_advance_loc4 = 0x04,
	DW_CFA_same_value = 0x08,
	DW_CFA_def_cfa = 0x0c,
	DW_CFA_def_cfa_offset = 0x0e,
	DW_CFA_advance_loc = 0x40, /* and how far */
	DW_CFA_offset = 0x80,      /* and the register */

	DW_LNS_advance_pc = 2,
	DW_LNS_advance_line = 3,
	DW_LNS_set_file = 4,
	DW_LNE_end_sequence = 1,
	DW_LNE_set_address = 2
};

enum abbreviation {
	UNIT = 1,
	FUNC,
	FUNC_WITH_CHILDREN,
	ABSTRACT,      /* what was inlined somewhere */
	INLINED_ONCE,  /* there, in one piece */
	INLINED_PARTS, /* there, in several */
	LOCAL,         /* a variable that is in one place, */
	LOCAL_LIST,    /* in several, */
	LOCAL_NOWHERE, /* in none */
	ARGUMENT,
	ARGUMENT_LIST,
	ARGUMENT_NOWHERE,
	SCOPE, /* a block with variables */
	BASE_TYPE,
	POINTER_TYPE,
	BARE_POINTER,
	STRUCT_TYPE,
	SLICE_TYPE, /* a struct, */
	MAP_TYPE,   /* and pointers to structs, with what they have for elements */
	CHAN_TYPE,
	STRUCT_ELSEWHERE, /* only its name is known here */
	MEMBER,
	ARRAY_TYPE,
	ARRAY_RANGE,
	FUNC_TYPE,
	FUNC_TYPE_PARAMETER,
	TYPE_NAME,
	UNKNOWN_TYPE
};

/* With Go's runtime_type for types, of an address: where the descriptor is, from the first of the module's. */
void put_abbreviations(struct bytes *b, bool runtime_types);

#endif
