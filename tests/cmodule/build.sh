#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds a C module of the tests: build.sh <cflags file> <output.so> <name of the module> <source>...
# The file with the compiler's options is "cflags" in the OUT_DIR of the project's build script (env!("OUT_DIR") in a test).
set -eu
[ $# -ge 4 ] || { echo "usage: $0 <cflags file> <output.so> <name of the module> <source>..." >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
cflags=$1 output=$2 name=$3
shift 3
cd "$here"
exec "${CC:-cc}" "@$cflags" -DMOD_NAME="\"$name\"" -I"$here/../../cshim" -O1 -g -Wall -Wextra -Werror=incompatible-pointer-types \
	-shared -o "$output" "$@"
