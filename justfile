# The few daily commands. `just` alone lists them.

_:
    @just --list

# One whole login on embedded defaults
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

# The program that is shipped (docs/install.md)
dist:
    deploy/build.sh

# All tests
test *ARGS:
    cargo test {{ARGS}}

# What CI checks besides the tests
lint:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings
    cargo clippy --test foreign -- -D warnings
    cargo clippy --no-default-features --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

# Benches: token, protocol, store, registry
bench *ARGS:
    cargo bench {{ARGS}}

# Fuzz one parser for ten minutes (needs cargo-fuzz and a nightly compiler; fuzz/README.md)
fuzz TARGET *ARGS:
    ASAN_OPTIONS=detect_odr_violation=0 cargo +nightly fuzz run {{TARGET}} -- -max_total_time=600 -max_len=4096 {{ARGS}}

# Licences, sources and duplicates of dependencies (needs cargo-deny)
deny:
    cargo deny check bans licenses sources

# The types of clients/js, which must follow every change of src/api/openapi.json
client-types:
    cd clients/js && npm ci --no-audit --no-fund && npm run generate

# The tests of clients/js, against the debug build
test-client:
    cargo build
    cd clients/js && npm ci --no-audit --no-fund && npm test && npm run check

# Everything that CI runs
ci:
    bash .ci/run
