#!/usr/bin/env bash
# Builds what the demo needs and runs it. Arguments go to the demo.
set -euo pipefail
source "$(dirname "$0")/common.sh"

need_rust
need_go
say "building the operator, the bot and the demo"
# One command for all three: cargo would build what they share again for each other set of features.
cargo build --quiet --workspace --bins --features chatbotler/watch
if [[ " $* " != *" --processes "* ]]; then
    if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        want_node_packages # only root can run a node
    fi
    if "$target/debug/cluster" can-run-pods; then
        scripts/images.sh
    fi
fi
exec "$target/debug/demo" "$@"
