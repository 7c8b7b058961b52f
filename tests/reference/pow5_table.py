#!/usr/bin/env python3
"""Writes server/pow5.def: 5^q for q in [-64, 45] as 128-bit fractions.

Row q holds floor(5^q * 2^(127 - floor(log2(5^q)))), so the top bit is always set and the error is
less than one unit in the last place (none at all for q >= 0).

    python3 tests/reference/pow5_table.py > server/pow5.def
"""
FIRST, LAST = -64, 45


def row(q):
    if q >= 0:
        return 5**q << (128 - (5**q).bit_length())
    power = 5**-q
    bits = 127 + power.bit_length()
    value = (1 << bits) // power
    assert value.bit_length() in (128, 129)
    return value >> (value.bit_length() - 128)


def main():
    print("/* POW5(high 64 bits, low 64 bits): 5^q, q = %d ... %d. Made by" % (FIRST, LAST))
    print(" * tests/reference/pow5_table.py. */")
    for q in range(FIRST, LAST + 1):
        value = row(q)
        print("POW5(0x%016x, 0x%016x) /* %d */" % (value >> 64, value & (2**64 - 1), q))


main()
