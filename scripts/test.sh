#!/usr/bin/env bash
# Every test there is, the quick ones first; stops at the first that fails.
set -euo pipefail
source "$(dirname "$0")/common.sh"

logs=$cache/logs/test
everything=(--workspace --features chatbotler/watch)

# part NAME COMMAND...: runs a part, says how long it took, and where its log is if it fails.
part() {
    local name=$1 log=$logs/$1.log start=$SECONDS code
    shift
    say "==> $name: $*"
    set +e # with `|| code=$?` a function would go on after its first failure
    (
        set -e
        "$@"
    ) 2>&1 | tee "$log"
    code=${PIPESTATUS[0]}
    set -e
    if ((code)); then
        say "==> $name: FAILED after $((SECONDS - start)) s (exit code $code); its log: $log"
        exit "$code"
    fi
    say "==> $name: passed in $((SECONDS - start)) s"
}

prepare() {
    need_rust
    need_go
    cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
    cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
    want_packages chromium=chromium chromedriver=chromium-driver # the chat page is tested in a browser
}

# The core decides without I/O and the bot obeys without Kubernetes: what they link proves it.
purity() {
    cargo check -p brownout --no-default-features --lib
    if cargo tree -p chatbotler -e normal --prefix none | grep -E '^(kube|k8s-openapi)'; then
        say "the bot links Kubernetes without its feature watch"
        return 1
    fi
}

unit() {
    cargo test "${everything[@]}" --exclude e2e
    cargo test -p e2e --lib --bins
}

# What the tests start, and the servers that the cluster is made of: built once, then kept.
build() {
    cargo build "${everything[@]}" --bins
    "$target/debug/cluster" build
}

mkdir -p "$logs"
part prepare prepare
part format cargo fmt --all --check
part lints cargo clippy --workspace --all-targets --all-features -- -D warnings
part purity purity
part unit unit
part build build
part end-to-end cargo test "${everything[@]}" --test e2e
part faults cargo test "${everything[@]}" --test faults -- --test-threads 12
part demo scripts/demo.sh
say "==> all passed in $SECONDS s"
