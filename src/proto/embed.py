#!/usr/bin/env python3
"""Writes the built-in .proto files as C.

usage: embed.py OUT ROOT FILE...      FILEs below ROOT, whose rest is their name for imports
"""
import pathlib
import sys


def main():
    out, root, files = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve(), sys.argv[3:]
    texts, table = [], []
    for number, file in enumerate(files):
        path = pathlib.Path(file).resolve()
        # Numbers, as the standard bounds the length of string literals.
        data = ",".join(str(byte) for byte in path.read_bytes() + b"\0")
        texts.append(f"static const char text_{number}[] = {{{data}}};\n")
        table.append(f'    {{"{path.resolve().relative_to(root.resolve()).as_posix()}", text_{number}}},\n')
    out.write_text(
        '#include "proto/builtin.h"\n'
        + "".join(texts)
        + "const struct proto_builtin proto_builtins[] = {\n"
        + "".join(table)
        + "};\nconst size_t proto_builtins_len = sizeof proto_builtins / sizeof proto_builtins[0];\n"
    )


main()
