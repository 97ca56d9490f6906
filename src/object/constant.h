/* Values of constants, as export data holds them (internal to this room). */
#ifndef GL_CONSTANT_H
#define GL_CONSTANT_H

#include "pkgbits.h"
#include "signature.h"

/* What a constant's type is underneath: which values it can have. */
enum constant_class { CLASS_UNKNOWN, CLASS_BOOL, CLASS_STRING, CLASS_INT, CLASS_FLOAT, CLASS_COMPLEX };

/* Reads the value that follows, of a type of that class. Its strings are taken from the data's keep. The data is bad
 * where the value is none of the class. */
void constant_read(struct elem *e, enum constant_class class, struct gl_constant *out);

#endif
