#!/usr/bin/env bash
# The tests, the quick ones first, with a selection of the fault cases (test-faults.sh has all); stops at the first
# that fails.
set -euo pipefail
source "$(dirname "$0")/common.sh"

logs=$cache/logs/test
everything=(--workspace --features chatbotler/watch)

# Parts that this machine cannot run, each with the reason that its log gave.
not_run=()

# part NAME COMMAND...: runs a part, says how long it took, and where its log is if it fails.
# A part that cannot be run here says so in a line that begins with NOT RUN.
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
    local reason
    if reason=$(grep -m1 '^NOT RUN: ' "$log"); then
        not_run+=("$name (${reason#NOT RUN: })")
        say "==> $name: NOT RUN"
        return
    fi
    say "==> $name: passed in $((SECONDS - start)) s"
}

prepare() {
    need_rust
    need_go
    cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
    cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
    want_packages curl=curl openssl=openssl # commands of bot/README.md
    want_packages chromium=chromium chromedriver=chromium-driver # the chat page is tested in a browser
    want_postgres
    if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        want_node_packages # only root can run a node
    fi
}

# The core decides without I/O and the bot obeys without Kubernetes: what they link proves it.
purity() {
    cargo check -p brownout --no-default-features --lib
    if cargo tree -p chatbotler -e normal --prefix none | grep -E '^(kube|k8s-openapi)'; then
        say "the bot links Kubernetes without its feature watch"
        return 1
    fi
}

# All that needs no server. All members at once, though without what tests them together (e2e's feature `servers`): fewer
# members would give what they share other features, and it would be built once more.
unit() {
    local alone=(--workspace --no-default-features --features brownout/operator,chatbotler/watch)
    cargo test "${alone[@]}"
    cargo test "${alone[@]}" --features chatbotler/openfeature --test openfeature
}

# What the tests start, and the servers that the cluster is made of: built once, then kept.
build() {
    cargo build "${everything[@]}" --bins
    "$target/debug/cluster" build
}

# What takes a nightly compiler, and so is not asked of everybody.
can_fuzz() {
    cargo +nightly --version >/dev/null 2>&1 && cargo fuzz --version >/dev/null 2>&1
}

# Random texts in every field of a signal, half a minute, from the table of attacks on. FUZZ_SECONDS is longer.
fuzz() {
    if ! can_fuzz; then
        say "NOT RUN: it takes rustup toolchain install nightly --profile minimal; cargo install cargo-fuzz"
        return
    fi
    cd fuzz
    cargo run --quiet --example seeds -- corpus/tenancy
    cargo +nightly fuzz run tenancy -- -max_total_time="${FUZZ_SECONDS:-30}" -max_len=4096 -timeout=10
}

mkdir -p "$logs"
part prepare prepare
part format cargo fmt --all --check
part lints cargo clippy --workspace --all-targets --all-features -- -D warnings
part purity purity
part unit unit
part build build
part bot cargo test "${everything[@]}" --test bot
part end-to-end cargo test "${everything[@]}" --test e2e
part faults cargo test "${everything[@]}" --test faults -- --test-threads 12
if "$target/debug/cluster" can-run-pods; then
    part images scripts/images.sh
fi
part node cargo test "${everything[@]}" --test node
part demo scripts/demo.sh
part disasters cargo test "${everything[@]}" --test disasters
part fuzz fuzz
if ((${#not_run[@]})); then
    say "==> passed in $SECONDS s, but NOT RUN: $(printf '%s; ' "${not_run[@]}" | sed 's/; $//')"
else
    say "==> all passed in $SECONDS s"
fi
