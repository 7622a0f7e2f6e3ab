/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers from JSON and from text: exact, or refused with the reason. */
#include "ingest/number.h"

#include "ingest/digits.h"

#define COUNT_DIGITS_FAST 18 /* cannot overflow int64 */
#define EXPONENT_MAX 100000
#define TEN_TO_37 ((u128)10000000000000000000u * 1000000000000000000u)

static bool word_is_null(struct slice text)
{
    switch (text.bytes) {
    case 0:
        return true;
    case 1:
        return text.p[0] == '-';
    case 2:
        return memcmp(text.p, "NA", 2) == 0;
    case 4:
        return memcmp(text.p, "None", 4) == 0 || memcmp(text.p, "null", 4) == 0;
    default:
        return false;
    }
}

static bool word_is_not_finite(struct slice text)
{
    static const char *const words[] = {"NaN", "nan",  "Infinity", "-Infinity",
                                        "inf", "-inf", "+Infinity"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (slice_is(text, words[i]))
            return true;
    return false;
}

/* The parts of [+-]digits[.digits][e[+-]digits]. */
struct parts {
    bool negative;
    struct slice whole, fraction;
    long exponent;
};

static struct slice digits_take(const char **p, const char *end)
{
    const char *start = *p;
    *p = digits_end(start, end);
    return (struct slice){start, (size_t)(*p - start)};
}

static bool exponent_take(const char **p, const char *end, long *exponent)
{
    bool negative = false;
    ++*p;
    if (*p < end && (**p == '+' || **p == '-'))
        negative = *(*p)++ == '-';
    struct slice digits = digits_take(p, end);
    for (size_t i = 0; i < digits.bytes && *exponent < EXPONENT_MAX; i++)
        *exponent = *exponent * 10 + (digits.p[i] - '0');
    if (negative)
        *exponent = -*exponent;
    return digits.bytes > 0;
}

static bool parts_parse(struct slice text, struct parts *parts)
{
    const char *p = text.p, *end = text.p + text.bytes;
    *parts = (struct parts){0};
    if (p < end && (*p == '-' || *p == '+'))
        parts->negative = *p++ == '-';
    parts->whole = digits_take(&p, end);
    if (p < end && *p == '.') {
        p++;
        parts->fraction = digits_take(&p, end);
    }
    if (parts->whole.bytes + parts->fraction.bytes == 0)
        return false;
    if (p < end && (*p == 'e' || *p == 'E') && !exponent_take(&p, end, &parts->exponent))
        return false;
    return p == end;
}

/* Keeps the leading digits that fit, half up; false: too large for any decimal. */
static bool parts_round(const struct parts *parts, struct decimal *out)
{
    u128 coef = 0;
    long scale = (long)parts->fraction.bytes - parts->exponent;
    size_t total = parts->whole.bytes + parts->fraction.bytes, taken = 0, i = 0;
    int next = 0;

    for (; i < total; i++) {
        size_t in_fraction = i - parts->whole.bytes;
        int digit =
            (i < parts->whole.bytes ? parts->whole.p[i] : parts->fraction.p[in_fraction]) - '0';
        long scale_so_far = scale - (long)(total - i - 1);
        if (taken == DECIMAL_DIGITS_MAX - 1 || scale_so_far > DECIMAL_SCALE_MAX) {
            next = digit;
            break;
        }
        coef = coef * 10 + (unsigned)digit;
        taken += coef > 0;
    }
    scale -= (long)(total - i);
    coef += next >= 5;
    for (; scale < 0; scale++) {
        if (coef >= TEN_TO_37) /* times ten would have more than 38 digits */
            return false;
        coef *= 10;
    }
    for (; scale > DECIMAL_SCALE_MAX && coef > 0; scale--)
        coef /= 10;
    while (scale > 0 && coef % 10 == 0 && coef > 0) {
        coef /= 10;
        scale--;
    }
    *out = (struct decimal){coef, (uint8_t)(coef ? scale : 0), coef && parts->negative};
    return true;
}

enum number_result number_decimal(struct slice text, struct decimal *out)
{
    struct parts parts;
    if (decimal_parse(text, out, NULL))
        return NUMBER_OK;
    if (word_is_null(text))
        return NUMBER_NULL;
    if (word_is_not_finite(text))
        return NUMBER_BAD;
    if (!parts_parse(text, &parts))
        return NUMBER_NONE;
    return parts_round(&parts, out) ? NUMBER_OK : NUMBER_BAD;
}

enum number_result number_count(struct slice text, int64_t *count)
{
    int64_t v = 0;
    size_t i = 0;
    while (i < text.bytes && i < COUNT_DIGITS_FAST && (unsigned)(text.p[i] - '0') <= 9)
        v = v * 10 + (text.p[i++] - '0');
    if (i == text.bytes && i > 0) {
        *count = v;
        return NUMBER_OK;
    }
    struct decimal d;
    enum number_result result = number_decimal(text, &d);
    if (result != NUMBER_OK)
        return result;
    if (d.negative || d.scale > 0 || d.coef > (u128)INT64_MAX)
        return NUMBER_BAD;
    *count = (int64_t)d.coef;
    return NUMBER_OK;
}
