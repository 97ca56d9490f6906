/* The kinds of Go's types (internal/abi/type.go): numbers that reflect has published since Go 1. */
#ifndef GL_ABI_KINDS_H
#define GL_ABI_KINDS_H

enum go_kind {
	KIND_INVALID, /* of a type of which nobody knows more than the name */
	KIND_BOOL,
	KIND_INT,
	KIND_INT64 = 6,
	KIND_UINT,
	KIND_UINTPTR = 12,
	KIND_FLOAT32,
	KIND_FLOAT64,
	KIND_COMPLEX64,
	KIND_COMPLEX128,
	KIND_ARRAY,
	KIND_CHAN,
	KIND_FUNC,
	KIND_INTERFACE,
	KIND_MAP,
	KIND_POINTER,
	KIND_SLICE,
	KIND_STRING,
	KIND_STRUCT,
	KIND_UNSAFE_POINTER
};

#endif
