//! Who runs which command.

/// Words of which commands in a sentence begin; in a block any word does.
pub(crate) const PROGRAMS: [&str; 12] = [
    "brownout",
    "cargo",
    "chatbotler",
    "ctr",
    "curl",
    "docker",
    "kubectl",
    "make",
    "nats-server",
    "openssl",
    "podman",
    "skopeo",
];

/// The whole test run, part by part.
pub(crate) const PARTS: &str = "scripts/test.sh";
/// These find the commands in the text themselves, so each that begins so is run.
const CLUSTER: &str = "e2e/tests/e2e/readme.rs";
const PODS: &str = "e2e/tests/node/documents.rs";
const BOT: &str = "bot/tests/readme_commands.rs";
const SPLIT: &str = "e2e/tests/bot/readme.rs";
const DEMO: &str = "e2e/tests/e2e/demo.rs";

/// What a command begins with, the file that runs it, and what that file says of it.
pub(crate) type Row = (&'static str, &'static str, &'static str);
pub(crate) const EVERYWHERE: [Row; 9] = [
    ("make demo KEEP=1", DEMO, "--keep"),
    ("make demo", PARTS, "part demo scripts/demo.sh"),
    ("make test-faults", PARTS, "--test faults"), // a selection
    ("make test", "Makefile", "\n\t@scripts/test.sh\n"), // which is PARTS
    ("make images", PARTS, "part images scripts/images.sh"),
    ("kubectl logs", PODS, "commands(\"kubectl logs\")"),
    ("kubectl get --raw", PODS, "commands(\"kubectl get --raw\")"),
    ("kubectl patch bdp", CLUSTER, "\"kubectl patch bdp\""),
    ("kubectl", CLUSTER, "starts_with(\"kubectl \")"),
];
pub(crate) const OPERATORS: [Row; 2] = [
    ("cargo run -- --help", CLUSTER, "arg(\"--help\")"),
    (
        "brownout controller --help",
        CLUSTER,
        "[\"controller\", \"--help\"]",
    ),
];
pub(crate) const BOTS: [Row; 12] = [
    (
        "mkdir -p /tmp/flags",
        BOT,
        "block_with(\"/tmp/flags/state.json\")",
    ),
    (
        "echo '{\"version\"",
        BOT,
        "block_with(\"/tmp/flags/state.json\")",
    ),
    ("curl -s localhost:8080/chat", BOT, "starts_with(\"curl \")"),
    (
        "cargo run --release -p chatbotler",
        BOT,
        "\"cargo run --release -p chatbotler\"",
    ),
    (
        "cargo build --release -p chatbotler",
        "scripts/images.sh",
        "cargo build --quiet --locked --release",
    ),
    (
        "cargo build --workspace --features chatbotler/watch --bins",
        PARTS,
        "cargo build \"${everything[@]}\" --bins",
    ),
    (
        "cargo test --workspace --features chatbotler/watch --test disasters",
        PARTS,
        "cargo test \"${everything[@]}\" --test disasters",
    ),
    ("openssl rand", BOT, "block_with(\"openssl\")"),
    ("nats-server", SPLIT, "Some(\"nats-server\")"),
    ("export CHATBOTLER_", SPLIT, "Some(\"export\")"),
    ("chatbotler --role", SPLIT, "Some(\"chatbotler\")"),
    ("chatbotler", BOT, "strip_prefix(\"chatbotler\")"),
];
pub(crate) const CLUSTERS: [Row; 7] = [
    (
        "cargo run -p e2e --bin cluster -- build",
        PARTS,
        "\"$target/debug/cluster\" build",
    ),
    (
        "cargo run -p e2e --bin demo -- --help",
        "scripts/demo.sh",
        "\"$target/debug/demo\" \"$@\"",
    ),
    (
        "cargo build --workspace --features chatbotler/watch --bins",
        PARTS,
        "cargo build \"${everything[@]}\" --bins",
    ),
    (
        "cargo test --workspace --features chatbotler/watch --test e2e",
        PARTS,
        "cargo test \"${everything[@]}\" --test e2e",
    ),
    (
        "cargo test -p e2e --test bot",
        PARTS,
        "cargo test \"${everything[@]}\" --test bot",
    ),
    (
        "cargo test -p e2e --test node",
        PARTS,
        "cargo test \"${everything[@]}\" --test node",
    ),
    ("docker save", "scripts/images.sh", "docker save"),
];

/// Commands that no test runs.
pub(crate) const NOT_RUN: [(&str, &str); 7] = [
    ("skopeo copy", "takes a registry to push to"),
    ("docker load", "takes a daemon"),
    ("podman load", "only where podman is"),
    (
        "ctr -n k8s.io images import",
        "the node's tests import by the same API",
    ),
    (
        "make bench",
        "a quarter of an hour, and its figures are worth nothing beside other work",
    ),
    (
        "cargo build --release && make images && cargo run --release -p e2e --bin bench",
        "likewise",
    ),
    (
        "cargo run -p e2e --bin cluster -- up",
        "runs until Ctrl-C; every end-to-end test starts the same",
    ),
];
