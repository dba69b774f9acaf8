//! Container images made here, from files alone: no daemon, no base image, no registry.
//!
//! The result is an archive as `docker save` writes it: a tar file with one layer, the image's
//! configuration and a manifest.

mod busybox;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use ring::digest::{SHA256, digest};
use serde_json::json;
use tar::{Builder, EntryType, Header};

pub use busybox::{BUSYBOX, PAUSE, busybox, pause};

/// An image to be.
#[derive(Debug, Clone)]
pub struct Image {
    name: String,
    entries: Vec<Entry>,
    entrypoint: Vec<String>,
    user: String,
}

#[derive(Debug, Clone)]
struct Entry {
    path: String,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    /// Copied when the image is written, with the permission to execute it.
    Program(PathBuf),
    Text(String),
    Link(String),
    /// A folder that everybody may write to.
    Folder,
}

impl Image {
    /// An image without any file, called `name` (`local/bot:1`).
    pub fn scratch(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            entries: Vec::new(),
            entrypoint: Vec::new(),
            user: String::new(),
        }
    }

    /// Adds an executable of this machine at `path`. It must be linked statically: the image
    /// has no libraries.
    #[must_use]
    pub fn program(self, path: &str, source: impl Into<PathBuf>) -> Self {
        self.entry(path, Content::Program(source.into()))
    }

    /// Adds a text file at `path`.
    #[must_use]
    pub fn text(self, path: &str, text: impl Into<String>) -> Self {
        self.entry(path, Content::Text(text.into()))
    }

    /// Adds a symbolic link at `path`.
    #[must_use]
    pub fn link(self, path: &str, target: &str) -> Self {
        self.entry(path, Content::Link(target.to_owned()))
    }

    /// Adds a folder that everybody may write to.
    #[must_use]
    pub fn folder(self, path: &str) -> Self {
        self.entry(path, Content::Folder)
    }

    /// Sets what is started, with its first arguments.
    #[must_use]
    pub fn entrypoint(mut self, words: &[&str]) -> Self {
        self.entrypoint = words.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Sets the user, `65532:65532`; root by default.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        user.clone_into(&mut self.user);
        self
    }

    fn entry(mut self, path: &str, content: Content) -> Self {
        let path = path.trim_start_matches('/').to_owned();
        self.entries.push(Entry { path, content });
        self
    }

    /// The name that pods use.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Writes the archive.
    pub fn write(&self, archive: &Path) -> Result<()> {
        let why = || format!("cannot write the image {}", archive.display());
        let layer = self.layer().with_context(why)?;
        let digest = hex(digest(&SHA256, &layer).as_ref());
        let config = json!({
            "architecture": architecture(),
            "os": "linux",
            "config": {
                "Entrypoint": self.entrypoint,
                "Env": ["PATH=/bin"],
                "User": self.user,
                "WorkingDir": "/",
            },
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]},
        });
        let manifest =
            json!([{"Config": "config.json", "RepoTags": [self.name], "Layers": ["layer.tar"]}]);
        let mut tar = Builder::new(File::create(archive).with_context(why)?);
        for (path, data) in [
            ("layer.tar", layer),
            ("config.json", config.to_string().into_bytes()),
            ("manifest.json", manifest.to_string().into_bytes()),
        ] {
            append(&mut tar, path, EntryType::Regular, 0o644, &data).with_context(why)?;
        }
        tar.into_inner().with_context(why)?;
        Ok(())
    }

    fn layer(&self) -> Result<Vec<u8>> {
        let mut tar = Builder::new(Vec::new());
        for Entry { path, content } in &self.entries {
            match content {
                Content::Program(source) => {
                    let data = fs::read(source)
                        .with_context(|| format!("cannot read {}", source.display()))?;
                    append(&mut tar, path, EntryType::Regular, 0o755, &data)?;
                }
                Content::Text(text) => {
                    append(&mut tar, path, EntryType::Regular, 0o644, text.as_bytes())?;
                }
                Content::Link(target) => {
                    let mut header = header(EntryType::Symlink, 0o777, 0);
                    tar.append_link(&mut header, path, target)?;
                }
                Content::Folder => append(&mut tar, path, EntryType::Directory, 0o1777, &[])?,
            }
        }
        Ok(tar.into_inner()?)
    }
}

fn append(
    tar: &mut Builder<impl std::io::Write>,
    path: &str,
    kind: EntryType,
    mode: u32,
    data: &[u8],
) -> Result<()> {
    let mut header = header(kind, mode, data.len() as u64);
    Ok(tar.append_data(&mut header, path, data)?)
}

/// No times and no owners: the same files give the same image.
fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// This machine's, in the words of container images.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a String takes everything
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn an_archive_names_its_layer_by_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.tar");
        let image = Image::scratch("local/x:1")
            .text("/etc/greeting", "hello")
            .link("/etc/other", "greeting")
            .entrypoint(&["/x"]);
        image.write(&path).unwrap();

        let mut archive = tar::Archive::new(File::open(&path).unwrap());
        let files: std::collections::BTreeMap<String, Vec<u8>> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let mut data = Vec::new();
                entry.read_to_end(&mut data).unwrap();
                (entry.path().unwrap().display().to_string(), data)
            })
            .collect();
        let manifest: serde_json::Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        assert_eq!(manifest[0]["RepoTags"][0], "local/x:1");
        let config: serde_json::Value = serde_json::from_slice(&files["config.json"]).unwrap();
        let expected = format!(
            "sha256:{}",
            hex(digest(&SHA256, &files["layer.tar"]).as_ref())
        );
        assert_eq!(config["rootfs"]["diff_ids"][0], expected);
        let mut layer = tar::Archive::new(files["layer.tar"].as_slice());
        let names: Vec<String> = layer
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            .collect();
        assert_eq!(names, ["etc/greeting", "etc/other"]);
    }

    #[test]
    fn the_same_files_give_the_same_archive() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "b"].map(|name| folder.path().join(name));
        for path in &paths {
            Image::scratch("local/x:1")
                .text("/a", "b")
                .write(path)
                .unwrap();
        }
        assert_eq!(fs::read(&paths[0]).unwrap(), fs::read(&paths[1]).unwrap());
    }
}
