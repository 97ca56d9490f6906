/* Signatures from DWARF (internal to this room). */
#ifndef GL_DWARF_H
#define GL_DWARF_H

#include "params.h"

/* The signature of the function that is symbol sym of obj, into own; as gl_signature_read. */
int dwarf_read(struct owned_signature *own, const struct gl_object *obj, uint32_t sym, const struct gl_abi *abi,
	       struct gl_error *err);

#endif
