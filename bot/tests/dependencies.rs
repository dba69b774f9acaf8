//! Purity by dependency list.

use std::process::Command;

#[test]
fn without_the_watch_there_is_no_kube() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--locked",
            "--edges=normal",
            "--prefix=none",
        ])
        .args(["--manifest-path", manifest])
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(tree.contains("brownout"), "{errors}");
    let kube: Vec<&str> = tree
        .lines()
        .filter(|line| line.starts_with("kube") || line.starts_with("k8s"))
        .collect();
    assert!(kube.is_empty(), "{kube:?}");
}
