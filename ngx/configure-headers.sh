#!/bin/bash
# Generates the two headers that nginx-dev does not ship, with Debian's own flags, into DIR.
# usage: configure-headers.sh DIR
set -euo pipefail
out=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd /usr/share/nginx/src
. ./conf_flags
./configure --builddir="$work" "${NGX_CONF_FLAGS[@]}" >"$work/log" 2>&1 || { tail "$work/log" >&2; exit 1; }
cp "$work/ngx_auto_config.h" "$work/ngx_auto_headers.h" "$out"
