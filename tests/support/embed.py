#!/usr/bin/env python3
"""Compiles .proto files with protoc and writes their descriptor set as a C array.

usage: embed.py NAME OUTPUT FILE.proto...
"""
import pathlib
import subprocess
import sys
import tempfile

name, output, *files = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    made = pathlib.Path(folder) / "set"
    subprocess.run(
        ["protoc", "--include_imports", f"--descriptor_set_out={made}", f"-I{pathlib.Path(files[0]).parent}", *files],
        check=True,
    )
    data = made.read_bytes()
lines = [",".join(str(byte) for byte in data[i : i + 24]) for i in range(0, len(data), 24)]
pathlib.Path(output).write_text(
    f"static const unsigned char {name}[] = {{\n" + ",\n".join(lines) + "};\n"
)
