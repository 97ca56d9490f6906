/* What the names of symbols tell.
 *
 * Import paths are escaped in symbol names ("gopkg.in/yaml%2ev3"). */
#include "names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool str_is(struct gl_str s, const char *lit) { return strlen(lit) == s.n && memcmp(s.p, lit, s.n) == 0; }

bool str_starts(struct gl_str s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

bool str_ends(struct gl_str s, const char *suffix)
{
	size_t n = strlen(suffix);

	return s.n >= n && memcmp(s.p + s.n - n, suffix, n) == 0;
}

/* A descriptor of a type, of which the process must have one: "type:map[string]int", not its helpers, whose names go on
 * with a dot ("type:.eq.", "type:.namedata."). */
static bool is_type_name(struct gl_str name) { return str_starts(name, "type:") && name.n > 5 && name.p[5] != '.'; }

static bool is_itab_name(struct gl_str name) { return str_starts(name, "go:itab."); }

/* Is it a shape: what the compiler makes of a type argument, for code that several types share? Nobody compares these,
 * as code that asks for a type finds the real one in its dictionary. A long one is named by its hash, which does not
 * say whether it mentions a module's type (cmd/compile/internal/noder/reader.go, shapify). */
static bool is_shape_name(struct gl_str name) { return memmem(name.p, name.n, "go.shape.", 9) != NULL; }

bool link_is_unique(struct gl_str name) { return (is_type_name(name) && !is_shape_name(name)) || is_itab_name(name); }

bool link_is_pointer_name(struct gl_str type)
{
	return str_starts(type, "type:*") || str_starts(type, "type:map[") || str_starts(type, "type:chan ") ||
	       str_starts(type, "type:<-chan ") || str_starts(type, "type:func(");
}

struct gl_str link_package_of(struct gl_str name)
{
	if (is_type_name(name)) {
		name.p += 5;
		name.n -= 5;
		while (name.n > 0 && name.p[0] == '*') {
			name.p++;
			name.n--;
		}
	} else if (str_starts(name, "go:builtin.")) {
		return (struct gl_str){ "runtime", 7 }; /* error.Error, whose wrapper the runtime's object holds */
	} else if (str_starts(name, "go:")) {
		return (struct gl_str){ name.p, 0 };
	}
	uint32_t start = 0, i = 0;
	for (; i < name.n && name.p[i] != '[' && name.p[i] != '(' && name.p[i] != '{' && name.p[i] != ' '; i++) {
		if (name.p[i] == '/') {
			start = i + 1;
		}
	}
	const char *dot = memchr(name.p + start, '.', i - start);
	return (struct gl_str){ name.p, dot == NULL ? 0 : (uint32_t)(dot - name.p) };
}

/* "gopkg.in/yaml.v3" is "gopkg.in/yaml%2ev3" in symbol names (cmd/internal/objabi.PathToPrefix): dots behind the last
 * slash, control characters, '"' and bytes that are no ASCII are escaped. So is '%', which no import path has
 * (cmd/go, module.CheckImportPath): a path that has one is left as it is, for it is escaped already. */
static size_t escape_path(struct gl_str path, char *out /* 3 * path.n + 1 bytes */)
{
	const char *slash = memrchr(path.p, '/', path.n);
	char *w = out;

	for (const char *p = path.p; p < path.p + path.n; p++) {
		unsigned char c = (unsigned char)*p;
		if (c <= ' ' || (c == '.' && (slash == NULL || p > slash)) || c == '"' || c >= 0x7f) {
			w += sprintf(w, "%%%02x", c);
		} else {
			*w++ = *p;
		}
	}
	*w = '\0';
	return (size_t)(w - out);
}

char *link_escape_path(const char *path)
{
	size_t n = strlen(path);
	char *out = malloc(3 * n + 1);

	if (out != NULL) {
		escape_path((struct gl_str){ path, (uint32_t)n }, out);
	}
	return out;
}

/* What obj's import number i is called in symbol names; longer ones than any file system can hold are left alone. */
struct gl_str link_import_path(const struct gl_object *obj, uint32_t i, char buf[3 * LONGEST_IMPORT + 1])
{
	struct gl_str path = gl_object_autolib(obj, i);

	return path.n > LONGEST_IMPORT ? path : (struct gl_str){ buf, (uint32_t)escape_path(path, buf) };
}

void link_plain_path(struct gl_str path, char *out)
{
	for (uint32_t i = 0; i < path.n; i++) {
		unsigned hex;
		if (path.p[i] == '%' && i + 2 < path.n && sscanf(path.p + i + 1, "%2x", &hex) == 1) {
			*out++ = (char)hex;
			i += 2;
		} else {
			*out++ = path.p[i];
		}
	}
	*out = '\0';
}
