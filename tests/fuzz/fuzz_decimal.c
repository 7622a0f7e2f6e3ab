/* SPDX-License-Identifier: Apache-2.0 */
/* seeds: tests/fuzz/seeds/decimal */
/* Two numbers, a line each: reading, printing and arithmetic agree with themselves. */
#include "core/decimal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void expect(bool ok)
{
    if (!ok)
        abort();
}

static bool same(const struct decimal *a, const struct decimal *b)
{
    return a->coef == b->coef && a->scale == b->scale && a->negative == b->negative;
}

static void check_text(const struct decimal *d)
{
    char text[DECIMAL_TEXT_MAX];
    struct decimal again;
    size_t length = decimal_format(d, text);
    expect(decimal_parse((struct slice){text, length}, &again, NULL) && same(d, &again));
}

/* a + b - b is a; the order of operands does not matter. */
static void check_sum(const struct decimal *a, const struct decimal *b)
{
    struct decimal sum, other, back, minus = *b;
    bool fits = decimal_add(a, b, &sum);
    expect(decimal_add(b, a, &other) == fits);
    if (!fits)
        return;
    check_text(&sum);
    expect(same(&sum, &other));
    minus.negative = !b->negative && b->coef > 0;
    if (decimal_add(&sum, &minus, &back))
        expect(same(&back, a));
    if (!b->negative)
        expect(decimal_cmp(a, &sum) == (b->coef > 0 ? -1 : 0));
}

/* A product that a decimal holds is rounded as that decimal is. */
static void check_product(const struct decimal *a, const struct decimal *b)
{
    struct decimal product;
    struct money direct, rounded;
    const struct decimal *pair[] = {a, b}, *single[] = {&product};
    if (!decimal_mul(a, b, &product))
        return;
    check_text(&product);
    bool fits = money_product(pair, 2, &direct);
    expect(money_product(single, 1, &rounded) == fits);
    if (!fits)
        return;
    expect(direct.atto == rounded.atto);
    struct decimal amount = money_decimal(direct);
    check_text(&amount);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const uint8_t *end = bytes > 0 ? memchr(data, '\n', bytes) : NULL;
    size_t first = end ? (size_t)(end - data) : bytes;
    struct decimal a, b = DECIMAL_ONE;
    if (!decimal_parse((struct slice){(const char *)data, first}, &a, NULL))
        return 0;
    if (end && !decimal_parse((struct slice){(const char *)end + 1, bytes - first - 1}, &b, NULL))
        return 0;
    check_text(&a);
    check_sum(&a, &b);
    check_product(&a, &b);
    expect(decimal_cmp(&a, &b) == -decimal_cmp(&b, &a));
    expect((decimal_cmp(&a, &b) == 0) == same(&a, &b));
    return 0;
}
