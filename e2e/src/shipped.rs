//! What is shipped: the manifests as they stand in the checkout, and the images that `make images` builds.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::paths;

/// Where the base installs the operator, and as whom.
pub const OPERATOR: (&str, &str) = ("brownout-system", "brownout");

/// The bot of the examples, with its workers.
pub const BOT: &str = "manifests/examples/chatbotler.yaml";

/// The parts of a kustomization that the base makes use of.
#[derive(Deserialize)]
struct Kustomization {
    resources: Vec<String>,
    images: Vec<Image>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    name: String,
    new_name: String,
    new_tag: String,
}

/// The archive of an image.
pub fn image(name: &str) -> Result<PathBuf> {
    let profile = paths::target_profile()?;
    let target = profile.parent().context("no target folder")?;
    let archive = target.join("images").join(format!("{name}.tar"));
    if !archive.is_file() {
        bail!(
            "there is no image at {}: run `make images` first",
            archive.display()
        );
    }
    Ok(archive)
}

/// The objects of `manifests/base`, as `kubectl kustomize` would give them, without the CRDs.
pub fn base() -> Result<Vec<Value>> {
    let folder = paths::checkout().join("manifests/base");
    let text = fs::read_to_string(folder.join("kustomization.yaml"))?;
    let kustomization: Kustomization = serde_saphyr::from_str(&text)?;
    let mut objects = Vec::new();
    for file in &kustomization.resources {
        let path = folder.join(file);
        if path.is_file() {
            objects.extend(read(&path)?);
        }
    }
    for object in &mut objects {
        for image in &kustomization.images {
            rename(object, image);
        }
    }
    Ok(objects)
}

/// How many pods of the operator the base asks for.
pub fn operator_replicas() -> Result<usize> {
    let objects = base()?;
    let mut deployments = objects.iter().filter(|it| it["kind"] == "Deployment");
    let deployment = deployments.next().context("the base has no Deployment")?;
    let replicas = deployment["spec"]["replicas"].as_u64();
    Ok(usize::try_from(
        replicas.context("the Deployment has no replicas")?,
    )?)
}

/// The objects of a file of the checkout.
pub fn manifest(file: &str) -> Result<Vec<Value>> {
    read(&paths::checkout().join(file))
}

fn read(path: &std::path::Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_saphyr::from_multiple(&text).with_context(|| path.display().to_string())
}

/// Adds to a list (`env`, `args`) of each workload's container.
pub fn add_to_container(objects: &mut [Value], list: &str, items: &[Value]) {
    for container in objects.iter_mut().filter_map(container) {
        let list = &mut container[list];
        match list.as_array_mut() {
            Some(list) => list.extend_from_slice(items),
            None => *list = json!(items),
        }
    }
}

fn rename(object: &mut Value, image: &Image) {
    if let Some(container) = container(object)
        && container["image"] == image.name.as_str()
    {
        container["image"] = json!(format!("{}:{}", image.new_name, image.new_tag));
    }
}

fn container(object: &mut Value) -> Option<&mut Value> {
    object.pointer_mut("/spec/template/spec/containers/0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_names_the_image_that_is_built() {
        let mut objects = base().unwrap();
        add_to_container(&mut objects, "env", &[json!({"name": "A", "value": "b"})]);
        let containers: Vec<_> = objects.iter_mut().filter_map(container).collect();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(containers.len(), 1);
        assert_eq!(containers[0]["image"], format!("brownout:{version}"));
        let env = containers[0]["env"].as_array().expect("variables");
        assert_eq!(env.last().expect("the added one")["name"], "A");
    }

    #[test]
    fn the_example_names_the_image_that_is_built() {
        let mut objects = manifest("manifests/examples/chatbotler.yaml").unwrap();
        let containers: Vec<_> = objects.iter_mut().filter_map(container).collect();
        let image = format!("chatbotler:{}", env!("CARGO_PKG_VERSION"));
        assert_eq!(containers.len(), 2);
        assert!(containers.iter().all(|found| found["image"] == image));
    }
}
