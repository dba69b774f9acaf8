//! The images that every node has: busybox is one program without libraries that is many.

use std::path::PathBuf;

use super::Image;
use crate::tools::on_path;

/// The image that holds a pod's namespaces, as the node's containerd knows it.
pub const PAUSE: &str = "local/pause:1";
/// A shell and the usual small commands, to write tests with.
pub const BUSYBOX: &str = "local/busybox:1";

/// The commands of [`busybox`] beside the shell: enough for a test, few enough to read.
const COMMANDS: [&str; 22] = [
    "awk", "cat", "date", "dd", "echo", "env", "false", "grep", "head", "httpd", "id", "kill",
    "ls", "mkdir", "nc", "nslookup", "ps", "rm", "tail", "test", "true", "wget",
];

/// Ends at once when it is told to, and waits for orphans of a shared process namespace.
const WAIT: &str = "trap 'exit 0' TERM INT; while :; do sleep 86400 & wait $!; done";

/// The image that holds a pod's namespaces: it only waits.
pub fn pause() -> Image {
    shell(PAUSE).entrypoint(&["/bin/sh", "-c", WAIT])
}

/// A shell and the usual small commands; it waits, unless it is told otherwise.
pub fn busybox() -> Image {
    COMMANDS
        .iter()
        .fold(shell(BUSYBOX), |image, name| {
            image.link(&format!("/bin/{name}"), "busybox")
        })
        .folder("/tmp")
        .entrypoint(&["/bin/sh", "-c", WAIT])
}

fn shell(name: &str) -> Image {
    // where there is none, writing the image says so
    let program = on_path("busybox").unwrap_or_else(|| PathBuf::from("/bin/busybox"));
    Image::scratch(name)
        .program("/bin/busybox", program)
        .link("/bin/sh", "busybox")
        .link("/bin/sleep", "busybox")
}
