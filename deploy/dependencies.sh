#!/usr/bin/env bash
# Prints the list of dependencies that a program contains, as JSON: dependencies.sh PROGRAM. Needs binutils and Python.
# `cargo audit bin`, Trivy, Grype and Syft read the same list.
set -euo pipefail

program=${1:?usage: dependencies.sh PROGRAM}
list=$(mktemp)
trap 'rm -f "$list"' EXIT
objcopy --dump-section ".dep-v0=$list" "$program" /dev/null
python3 -c 'import sys, zlib; print(zlib.decompress(open(sys.argv[1], "rb").read()).decode())' "$list"
