#!/usr/bin/env bash
# Builds the program that is shipped: target/dist/portico. The program contains the list of its dependencies, which
# cargo-auditable adds. If cargo-auditable is missing, this script installs it below target/. The program names no
# folder of this machine, so two builds of one commit with one compiler can be compared.
set -euo pipefail
cd "$(dirname "$0")/.."

export PATH="$PATH:$PWD/target/tools/bin"
if ! command -v cargo-auditable >/dev/null; then
    # It runs only for a moment, so it is built without optimisation, which is faster.
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --debug --locked --root target/tools cargo-auditable@0.7.7
fi
# Panics name source files of the dependencies: below /cargo, not below a folder of this machine.
export RUSTFLAGS="--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
cargo auditable build --locked --profile dist
echo "target/dist/portico: $(stat -c %s target/dist/portico) bytes, sha256 $(sha256sum target/dist/portico | cut -d' ' -f1)"
