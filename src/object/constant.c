/* Values of constants.
 *
 * A constant of Go is exact: an integer of up to 512 bits, a fraction of two integers, or, where that would be too
 * long, a floating-point number of 512 bits. Export data holds it so (internal/pkgbits/encoder.go, scalar):
 *
 *     bool      1 byte
 *     string    its bytes
 *     int64     a number in LEB128, its sign in the lowest bit
 *     big.Int   the bytes of its absolute value, the highest first; is it negative?
 *     big.Rat   two of these: numerator, denominator
 *     big.Float as text, with a mantissa of hexadecimal digits and an exponent of 2: "0x.9184e72ap+44"
 *
 * How a value is held says nothing of its type: 2 of a float64 is an int64 here. What leaves this file is what a
 * variable of the type would hold. An untyped constant becomes a 64-bit integer or a float64, which hold most of them;
 * of those that they can't hold exactly (integers) or at all, there is only the text. */
#include "constant.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VAL_BOOL, VAL_STRING, VAL_INT64, VAL_BIG_INT, VAL_BIG_RAT, VAL_BIG_FLOAT };

enum {
	/* go/constant goes over to big.Float where a part of a fraction would take more (maxExp) */
	MAX_INT_BYTES = 512,
	MAX_LIMBS = MAX_INT_BYTES / 4,
	MAX_FLOAT_TEXT = 1024,
	/* bytes of a string that a text shows (go/constant, stringVal.String) */
	MAX_SHOWN = 72
};

/* A big integer's absolute value: 32 bits a limb, the lowest first. */
struct big {
	uint32_t limbs[MAX_LIMBS];
	int n; /* the highest one is not 0 */
	bool is_negative;
};

struct scalar {
	uint32_t code;
	bool is_true;
	int64_t i;
	struct big num, den;
	const uint8_t *bytes; /* of a string, or of a big.Float's text */
	size_t size;
};

/* ---- big integers ----------------------------------------------------------------------------------------------- */

static void read_big(struct elem *e, struct big *b)
{
	size_t size;
	const uint8_t *p = pkgbits_bytes(e, &size);

	*b = (struct big){ 0 };
	if (size > MAX_INT_BYTES) {
		e->d->bad = true;
		return;
	}
	for (size_t i = 0; i < size; i++) {
		b->limbs[i / 4] |= (uint32_t)p[size - 1 - i] << i % 4 * 8;
	}
	for (b->n = (int)(size + 3) / 4; b->n > 0 && b->limbs[b->n - 1] == 0;) {
		b->n--;
	}
	b->is_negative = pkgbits_bool(e);
}

static void set_big(struct big *b, int64_t i)
{
	uint64_t u = i < 0 ? -(uint64_t)i : (uint64_t)i;

	*b = (struct big){ .limbs = { (uint32_t)u, (uint32_t)(u >> 32) }, .is_negative = i < 0 };
	b->n = b->limbs[1] != 0 ? 2 : b->limbs[0] != 0 ? 1 : 0;
}

static int big_bits(const struct big *b) { return b->n == 0 ? 0 : 32 * b->n - __builtin_clz(b->limbs[b->n - 1]); }

static bool big_bit(const struct big *b, int i) { return (b->limbs[i / 32] >> i % 32 & 1) != 0; }

/* r = 2r + bit, where that is less than 2d for some d of fewer limbs than there is room for */
static void shift_in(uint32_t *r, int n, bool bit)
{
	uint32_t carry = bit;

	for (int i = 0; i < n; i++) {
		uint32_t next = r[i] >> 31;
		r[i] = r[i] << 1 | carry;
		carry = next;
	}
}

/* Subtracts d from r where r isn't less; r has a limb more than d. */
static bool subtract(uint32_t *r, const struct big *d)
{
	if (r[d->n] == 0) {
		for (int i = d->n; i-- > 0;) {
			if (r[i] != d->limbs[i]) {
				if (r[i] < d->limbs[i]) {
					return false;
				}
				break;
			}
		}
	}
	uint64_t borrow = 0;
	for (int i = 0; i <= d->n; i++) {
		uint64_t less = (i < d->n ? d->limbs[i] : 0) + borrow;
		borrow = r[i] < less;
		r[i] = (uint32_t)(r[i] - less);
	}
	return true;
}

/* Its digits, in the room given, which a number of MAX_INT_BYTES fits. */
static void big_digits(struct big b, char *out, size_t room)
{
	char digits[MAX_INT_BYTES * 5 / 2];
	size_t n = sizeof(digits);

	digits[--n] = '\0';
	do {
		uint64_t rest = 0;
		for (int i = b.n; i-- > 0;) {
			rest = rest << 32 | b.limbs[i];
			b.limbs[i] = (uint32_t)(rest / 10);
			rest %= 10;
		}
		digits[--n] = (char)('0' + rest);
		while (b.n > 0 && b.limbs[b.n - 1] == 0) {
			b.n--;
		}
	} while (b.n > 0);
	snprintf(out, room, "%s%s", b.is_negative ? "-" : "", digits + n);
}

/* ---- floating-point numbers ------------------------------------------------------------------------------------- */

/* Numbers are handed to the C library as hexadecimal text, which it rounds correctly, to the nearest even one. There is
 * no point in it, which might be a comma in some locale. */
static long double parse_float(bool is_negative, const char *digits, int64_t exponent, double *near)
{
	char text[MAX_FLOAT_TEXT + 64];

	snprintf(text, sizeof(text), "%s0x%sp%" PRId64, is_negative ? "-" : "", digits, exponent);
	*near = strtod(text, NULL);
	return strtold(text, NULL);
}

/* The quotient of two big integers: its first 64 bits and more, and whether anything follows them. */
static long double divide(struct pkgbits *d, const struct big *num, const struct big *den, double *near)
{
	uint32_t rest[MAX_LIMBS + 1] = { 0 };
	/* zeros behind the numerator's bits, for 65 bits of the quotient at least */
	int shift = 65 + big_bits(den) - big_bits(num);
	uint64_t quotient = 0;
	int64_t exponent = 0;
	bool sticky = false;
	char digits[24];

	shift = shift > 0 ? shift : 0;
	d->steps += (uint32_t)(big_bits(num) + shift) * (uint32_t)(den->n + 1) / 64;
	if (den->n == 0 || d->steps > MAX_STEPS) {
		d->bad = true;
		*near = 0;
		return 0;
	}
	for (int i = big_bits(num) + shift; i-- > 0;) {
		shift_in(rest, den->n + 1, i >= shift && big_bit(num, i - shift));
		bool bit = subtract(rest, den);
		if (quotient >> 63 != 0) {
			exponent++;
			sticky = sticky || bit;
		} else {
			quotient = quotient << 1 | bit;
		}
	}
	for (int i = 0; i < den->n; i++) {
		sticky = sticky || rest[i] != 0;
	}
	snprintf(digits, sizeof(digits), "%" PRIx64 "%c", quotient, sticky ? '1' : '0');
	return parse_float(num->is_negative, digits, exponent - shift - 4, near);
}

/* big.Float's text: "-0x.9184e72ap+44", or "0" */
static long double read_big_float(struct pkgbits *d, const struct scalar *s, double *near)
{
	char text[MAX_FLOAT_TEXT + 1] = "", digits[MAX_FLOAT_TEXT + 1] = "", *end;
	bool is_negative;

	*near = 0;
	if (s->size > MAX_FLOAT_TEXT || memchr(s->bytes, '\0', s->size) != NULL) {
		d->bad = true;
		return 0;
	}
	memcpy(text, s->bytes, s->size);
	const char *p = text;
	is_negative = *p == '-';
	p += is_negative;
	if (strcmp(p, "0") == 0) {
		return 0;
	}
	size_t n = strncmp(p, "0x.", 3) == 0 ? strspn(p + 3, "0123456789abcdef") : 0;
	if (n == 0 || p[3 + n] != 'p') {
		d->bad = true;
		return 0;
	}
	memcpy(digits, p + 3, n);
	long long exponent = strtoll(p + 3 + n + 1, &end, 10);
	if (end == p + 3 + n + 1 || *end != '\0' || llabs(exponent) > INT32_MAX) {
		d->bad = true;
		return 0;
	}
	return parse_float(is_negative, digits, exponent - 4 * (int64_t)n, near);
}

/* A number's value, and in near the nearest float64, which may be infinite. */
static long double float_of(struct pkgbits *d, const struct scalar *s, double *near)
{
	static const struct big one = { .limbs = { 1 }, .n = 1 };

	*near = 0;
	switch (s->code) {
	case VAL_INT64:
	case VAL_BIG_INT: return divide(d, &s->num, &one, near);
	case VAL_BIG_RAT: return divide(d, &s->num, &s->den, near);
	case VAL_BIG_FLOAT: return read_big_float(d, s, near);
	default: d->bad = true; return 0;
	}
}

/* The shortest digits that read as the same number: "0.1". */
static void add_float(struct gl_text *t, const struct scalar *s, double near, long double exact)
{
	char buf[64] = "";

	if (isinf(exact)) {
		gl_text_add(t, (const char *)s->bytes, s->size); /* nothing else is that large */
		return;
	}
	if (isinf(near)) {
		snprintf(buf, sizeof(buf), "%.6Lg", exact);
	}
	for (int digits = 15; !isinf(near) && digits <= 17; digits++) {
		snprintf(buf, sizeof(buf), "%.*g", digits, near);
		if (strtod(buf, NULL) == near) {
			break;
		}
	}
	for (char *p = buf; *p != '\0'; p++) {
		*p = *p == ',' ? '.' : *p; /* some locales have a comma there */
	}
	gl_text_puts(t, buf);
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

static void read_scalar(struct elem *e, struct scalar *s)
{
	*s = (struct scalar){ .code = pkgbits_len(e) };
	switch (s->code) {
	case VAL_BOOL: s->is_true = pkgbits_bool(e); break;
	case VAL_STRING:
	case VAL_BIG_FLOAT: s->bytes = pkgbits_bytes(e, &s->size); break;
	case VAL_INT64: {
		uint64_t u = pkgbits_uvarint(e);
		s->i = (int64_t)((u >> 1) ^ -(u & 1));
		set_big(&s->num, s->i);
		break;
	}
	case VAL_BIG_INT: read_big(e, &s->num); break;
	case VAL_BIG_RAT:
		read_big(e, &s->num);
		read_big(e, &s->den);
		break;
	default: e->d->bad = true;
	}
}

static void set_int(struct pkgbits *d, const struct scalar *s, struct gl_constant *out, struct gl_text *t)
{
	char digits[MAX_INT_BYTES * 5 / 2 + 1];
	const struct big *b = &s->num;

	if (s->code != VAL_INT64 && s->code != VAL_BIG_INT) {
		d->bad = true;
		return;
	}
	big_digits(*b, digits, sizeof(digits));
	gl_text_puts(t, digits);
	uint64_t low = b->limbs[0] | (uint64_t)b->limbs[1] << 32;
	if (b->n <= 2 && (!b->is_negative ? low <= INT64_MAX : low <= (uint64_t)INT64_MAX + 1)) {
		out->kind = GL_CONSTANT_INT;
		out->bits = b->is_negative ? -low : low;
		return;
	}
	if (b->n <= 2 && !b->is_negative) {
		out->kind = GL_CONSTANT_UINT;
		out->bits = low;
		return;
	}
	/* more than 64 bits, which only an untyped one has: a float64 where that is the same number */
	int low_zeros = 0;
	while (!big_bit(b, low_zeros)) {
		low_zeros++;
	}
	float_of(d, s, &out->re);
	out->kind = big_bits(b) - low_zeros <= 53 && isfinite(out->re) ? GL_CONSTANT_FLOAT : GL_CONSTANT_HUGE;
}

static void set_float(struct pkgbits *d, const struct scalar *s, struct gl_constant *out, struct gl_text *t)
{
	long double exact = float_of(d, s, &out->re);

	out->kind = isfinite(out->re) ? GL_CONSTANT_FLOAT : GL_CONSTANT_HUGE;
	add_float(t, s, out->re, exact);
}

static void set_complex(struct pkgbits *d, const struct scalar *re, const struct scalar *im, struct gl_constant *out,
			struct gl_text *t)
{
	long double exact_re = float_of(d, re, &out->re), exact_im = float_of(d, im, &out->im);

	out->kind = isfinite(out->re) && isfinite(out->im) ? GL_CONSTANT_COMPLEX : GL_CONSTANT_HUGE;
	gl_text_puts(t, "(");
	add_float(t, re, out->re, exact_re);
	gl_text_puts(t, " + ");
	add_float(t, im, out->im, exact_im);
	gl_text_puts(t, "i)");
}

static void set_string(struct pkgbits *d, const struct scalar *s, struct gl_constant *out, struct gl_text *t)
{
	size_t n = s->size < MAX_SHOWN ? s->size : MAX_SHOWN;

	if (s->code != VAL_STRING) {
		d->bad = true;
		return;
	}
	out->kind = GL_CONSTANT_STRING;
	out->size = s->size;
	out->string = gl_pool_string(d->keep, (const char *)s->bytes, s->size);
	if (out->string == NULL) {
		d->bad = d->nomem = true;
		return;
	}
	while (n > 0 && n < s->size && (s->bytes[n] & 0xc0) == 0x80) {
		n--; /* no half of a letter */
	}
	pkgbits_add_quoted(t, s->bytes, n);
	gl_text_puts(t, n < s->size ? "…" : "");
}

static enum constant_class class_of(const struct scalar *s)
{
	static const enum constant_class classes[] = { CLASS_BOOL, CLASS_STRING, CLASS_INT,
						       CLASS_INT,  CLASS_FLOAT,  CLASS_FLOAT };

	return s->code < sizeof(classes) / sizeof(classes[0]) ? classes[s->code] : CLASS_UNKNOWN;
}

void constant_read(struct elem *e, enum constant_class class, struct gl_constant *out)
{
	struct scalar value, imaginary = { .code = VAL_INT64 };
	struct gl_text t = { 0 };
	bool is_complex = pkgbits_bool(e);

	*out = (struct gl_constant){ .kind = GL_CONSTANT_HUGE };
	read_scalar(e, &value);
	if (is_complex) {
		read_scalar(e, &imaginary);
	}
	if (is_complex && class != CLASS_COMPLEX && class != CLASS_UNKNOWN) {
		e->d->bad = true;
	}
	if (e->d->bad) {
		return;
	}
	switch (class != CLASS_UNKNOWN ? class : is_complex ? CLASS_COMPLEX : class_of(&value)) {
	case CLASS_BOOL:
		e->d->bad = value.code != VAL_BOOL;
		out->kind = GL_CONSTANT_BOOL;
		out->bits = value.is_true;
		gl_text_puts(&t, value.is_true ? "true" : "false");
		break;
	case CLASS_STRING: set_string(e->d, &value, out, &t); break;
	case CLASS_INT: set_int(e->d, &value, out, &t); break;
	case CLASS_FLOAT: set_float(e->d, &value, out, &t); break;
	case CLASS_COMPLEX: set_complex(e->d, &value, &imaginary, out, &t); break;
	default: e->d->bad = true;
	}
	out->text = pkgbits_keep(e->d, pkgbits_text(e->d, &t));
}
