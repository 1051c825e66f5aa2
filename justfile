# Everyday commands. `just` without arguments lists them.

_:
    @just --list

# Show one whole login on embedded defaults
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

# Build the program that is shipped (docs/install.md)
dist:
    deploy/build.sh

# Run all tests
test *ARGS:
    cargo test {{ARGS}}

# Run the checks of CI other than the tests
lint:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings
    cargo clippy --test foreign --test postgres -- -D warnings
    cargo clippy --no-default-features --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

# Run the benchmarks: token, protocol, store, registry
bench *ARGS:
    cargo bench {{ARGS}}

# Fuzz one parser for ten minutes (needs cargo-fuzz and a nightly compiler; fuzz/README.md)
fuzz TARGET *ARGS:
    ASAN_OPTIONS=detect_odr_violation=0 cargo +nightly fuzz run {{TARGET}} -- -max_total_time=600 -max_len=4096 {{ARGS}}

# Check licences, sources and duplicates of dependencies (needs cargo-deny)
deny:
    cargo deny check bans licenses sources

# Generate the types of clients/js: after every change of src/api/openapi.json
client-types:
    cd clients/js && npm ci --no-audit --no-fund && npm run generate

# Run the tests of clients/js with the debug build
test-client:
    cargo build
    cd clients/js && npm ci --no-audit --no-fund && npm test && npm run check

# Run everything that CI runs
ci:
    bash .ci/run
