#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the C module of the benchmark: build.sh <cflags file> <output.so>
# The file with the compiler's options is "cflags" in the OUT_DIR of the project's build script.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 <cflags file> <output.so>" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
exec "${CC:-cc}" "@$1" -DMOD_NAME='"bench"' -I"$here/../../../cshim" -O2 -g -Wall -Wextra -Werror=incompatible-pointer-types -Werror=implicit-function-declaration \
	-shared -o "$2" "$here"/bench.c
