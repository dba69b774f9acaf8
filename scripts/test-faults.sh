#!/usr/bin/env bash
# Every fault case there is, or those whose name contains the first argument. The slowest are told at the end.
set -euo pipefail
source "$(dirname "$0")/common.sh"

need_rust
need_go
everything=(--workspace --features chatbotler/watch)
cargo build --quiet "${everything[@]}" --bins
# A case mostly waits, so many run at once.
BROWNOUT_FAULTS=all exec cargo test --quiet "${everything[@]}" --test faults -- \
    --test-threads "${BROWNOUT_FAULT_THREADS:-12}" "$@"
