#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints cases for test_decimal.c, one a line: operation, operands, expected result ("!" = refused).

Python's decimal and fractions modules are the oracle. The seed is fixed: the same cases each time.
"""
import decimal
import random
import re
import struct

R = random.Random(20241101)
C = decimal.Context(prec=2000, Emin=-10**12, Emax=10**12)
ATTO = decimal.Decimal(1).scaleb(-18)
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\Z", re.ASCII)


def plain(d):
    """The canonical text of a decimal within the limits, None beyond them."""
    if d == 0:
        return "0"
    d = d.normalize(C)
    _, digits, exponent = d.as_tuple()
    if len(digits) + max(exponent, 0) > 38 or exponent < -40:
        return None
    return format(d, "f")


def line(op, operands, result):
    print(op, *operands, "!" if result is None else result)


def number(digits_max=38, scale_max=40):
    """Text of a decimal within the limits, of any size, often with a short or round coefficient."""
    digits = R.choice([1, 2, 3, R.randint(1, 9), R.randint(1, digits_max)])
    coef = R.choice([R.randrange(10**digits), 10**digits - 1, 10 ** (digits - 1), 5 * 10 ** (digits - 1)])
    d = decimal.Decimal(R.choice([1, 1, 1, -1]) * coef).scaleb(-R.randint(0, scale_max), C)
    return d if plain(d) else number(digits_max, scale_max)


def numeral():
    """Text that is, or nearly is, a number."""
    whole = R.choice(["", "0", "00"]) + "".join(R.choices("0123456789", k=R.choice([0, 1, 3, 20, 38])))
    if R.random() < 0.2:
        whole += "0" * R.randint(1, 60)
    text = R.choice(["", "", "", "-", "+"]) + whole
    if R.random() < 0.6:
        text += "." + "0" * R.choice([0, 0, 3, 25, 39]) + "".join(R.choices("0123456789", k=R.choice([0, 1, 5, 18])))
        text += "0" * R.choice([0, 0, 0, 30])
    if R.random() < 0.4:
        text += R.choice("eE") + R.choice(["", "-", "+"]) + str(R.choice([0, 1, 7, 18, 40, 99, 10**12]))
    if R.random() < 0.1:
        at = R.randint(0, len(text))
        text = text[:at] + R.choice(["x", "-", ".", "e", "_", "NaN", "inf"]) + text[at:]
    return text


def parsed(text):
    if not NUMBER.match(text):
        return None
    mantissa, _, exponent = text.lower().partition("e")
    d = C.create_decimal(mantissa)
    return plain(d.scaleb(max(-10**6, min(10**6, int(exponent or 0))), C))


def money(product):
    q = product.quantize(ATTO, decimal.ROUND_HALF_EVEN, C)
    return plain(q) if abs(q) < 10**20 else None


def factors():
    """Tokens times a rate, products close to a tie, or anything."""
    kind = R.random()
    if kind < 0.5:
        rate = decimal.Decimal(R.randrange(10 ** R.randint(1, 6))).scaleb(-R.randint(6, 24))
        return [decimal.Decimal(R.randrange(10 ** R.randint(1, 9))), rate, decimal.Decimal(R.choice(["1", "0.5", "1.1", "0.1"]))]
    if kind < 0.7:
        half = decimal.Decimal(R.randrange(10 ** R.randint(1, 12)) * 10 + 5).scaleb(-19)
        nudge = R.choice([0, 0, 1, -1]) * decimal.Decimal(1).scaleb(-R.randint(20, 40))
        return [R.choice([1, -1]) * C.add(half, nudge)]
    return [number(R.choice([3, 10, 38]), R.choice([2, 40])) for _ in range(R.randint(1, 6))]


def main():
    for _ in range(4000):
        text = numeral()
        if text and " " not in text:
            line("parse", [text], parsed(text))
    for _ in range(3000):
        a, b = number(), number()
        if R.random() < 0.2:
            b = C.add(-a, number(3))
            if plain(b) is None:
                continue
        x, y = plain(a), plain(b)
        line("add", [x, y], plain(C.add(a, b)))
        line("mul", [x, y], plain(C.multiply(a, b)))
        line("cmp", [x, y], (a > b) - (a < b))
    for _ in range(6000):
        fs = factors()
        product = decimal.Decimal(1)
        for f in fs:
            product = C.multiply(product, f)
        line("product", [len(fs)] + [plain(f) for f in fs], money(product))
    for _ in range(3000):
        v = R.choice([R.random() * 10 ** R.randint(-15, 20), float(number(9)), R.randrange(10**6) * 1e-7,
                      struct.unpack("<d", struct.pack("<Q", R.getrandbits(64)))[0]])
        if v == v and abs(v) != float("inf"):
            line("double", [v.hex()], plain(decimal.Decimal(repr(v))))


main()
