#!/usr/bin/env python3
"""The cut, written a second time from docs/reference/cut.md, to hold the first one against.

cut.py --salt SALT ID...         u and bucket of ids
cut.py --vectors N               N lines of tests/vectors/cut.tsv: salt, id, u, bucket
cut.py --check FILE              recomputes such lines; exit 1 at the first that differs
"""
import argparse
import hashlib
import random
import sys

MASK = (1 << 64) - 1


def rotate(value, bits):
    return ((value << bits) | (value >> (64 - bits))) & MASK


def siphash24(key, data):
    """SipHash-2-4 (J.-P. Aumasson, D. J. Bernstein, INDOCRYPT 2012)."""
    k0 = int.from_bytes(key[:8], "little")
    k1 = int.from_bytes(key[8:16], "little")
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D,
         k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = rotate(v[1], 13) ^ v[0]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = rotate(v[1], 17) ^ v[2]
            v[2] = rotate(v[2], 32)

    padded = data + b"\0" * (7 - len(data) % 8) + bytes([len(data) & 255])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at:at + 8], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 255
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def cut(salt, ident):
    """u and bucket of an id; both arguments are text bytes."""
    key = hashlib.sha256(b"pourover/cut/" + salt).digest()[:16]
    u = siphash24(key, ident)
    return u, (u * 1000000) >> 64


def vectors(count):
    """Salts and ids of every length that matters, from a fixed seed."""
    draw = random.Random(20261122)
    salts = ["r42", "a", "student-api", "rails-7.1_x", "S" * 64]
    idents = ["0000000000000000", "ffffffffffffffff", "0123456789abcdef", "x", "user-7",
              "0123456", "01234567", "012345678", "u" * 255, "u" * 256]
    pairs = [(salt, ident) for salt in salts for ident in idents]
    while len(pairs) < count:
        pairs.append((draw.choice(salts), "%016x" % draw.getrandbits(64)))
    for salt, ident in pairs[:count]:
        u, bucket = cut(salt.encode(), ident.encode())
        print(f"{salt}\t{ident}\t{u:016x}\t{bucket}")


def check(path):
    lines = 0
    with open(path, encoding="ascii") as file:
        for lines, line in enumerate(file, 1):
            salt, ident, u, bucket = line.rstrip("\n").split("\t")
            want = cut(salt.encode(), ident.encode())
            if (int(u, 16), int(bucket)) != want:
                print(f"{path}:{lines}: u {u} bucket {bucket}, right is "
                      f"{want[0]:016x} {want[1]}")
                return 1
    print(f"{lines} cuts agree")
    return 0 if lines else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--salt", default="r42")
    parser.add_argument("--vectors", type=int, metavar="N")
    parser.add_argument("--check", metavar="FILE")
    parser.add_argument("id", nargs="*")
    args = parser.parse_args()
    if args.vectors:
        vectors(args.vectors)
    elif args.check:
        sys.exit(check(args.check))
    else:
        for ident in args.id:
            u, bucket = cut(args.salt.encode(), ident.encode())
            print(f"id={ident} u={u:016x} bucket={bucket}")


if __name__ == "__main__":
    main()
