#include "error.h"

#include <stdarg.h>
#include <stdio.h>

int gl_fail(struct gl_error *err, enum gl_code code, const char *fmt, ...)
{
	va_list ap;

	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->message, sizeof(err->message), fmt, ap);
	va_end(ap);
	return -1;
}

int gl_out_of_memory(struct gl_error *err, const char *doing, ...)
{
	char text[4096];
	va_list ap;

	va_start(ap, doing);
	vsnprintf(text, sizeof(text), doing, ap);
	va_end(ap);
	return gl_fail(err, GL_ENOMEM, "out of memory while %s", text);
}

const char *gl_code_name(enum gl_code code)
{
	switch (code) {
	case GL_OK: return "ok";
	case GL_EIO: return "io";
	case GL_EFORMAT: return "format";
	case GL_EMISMATCH:
	case GL_EVERSION: return "mismatch"; /* of which err.other_version tells the second */
	case GL_EMISSING: return "missing";
	case GL_ELIBRARY: return "library";
	case GL_ECGO: return "cgo";
	case GL_EDUPLICATE: return "duplicate";
	case GL_EUNSUPPORTED: return "unsupported";
	case GL_ENOMEM: return "memory";
	case GL_EHOST: return "host";
	case GL_ELIMIT: return "limit";
	case GL_EBUSY: return "busy";
	case GL_EPANIC: return "panic";
	case GL_ETYPE: return "type";
	case GL_ECLOSED: return "closed";
	case GL_ETRUST: return "trust";
	}
	return "unknown";
}
