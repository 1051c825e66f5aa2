#!/usr/bin/env bash
# Builds the program that is shipped: target/dist/portico. It carries the list of its dependencies (cargo-auditable,
# which is installed below target/ if it is missing), and none of the folders of this machine, so that builds of one
# commit with one compiler can be compared.
set -euo pipefail
cd "$(dirname "$0")/.."

export PATH="$PATH:$PWD/target/tools/bin"
if ! command -v cargo-auditable >/dev/null; then
    # It runs for a moment, and is quick to build without optimisation.
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --debug --locked --root target/tools cargo-auditable@0.7.7
fi
# Where the sources of the dependencies are, as panics name them.
export RUSTFLAGS="--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
cargo auditable build --locked --profile dist
echo "target/dist/portico: $(stat -c %s target/dist/portico) bytes, sha256 $(sha256sum target/dist/portico | cut -d' ' -f1)"
