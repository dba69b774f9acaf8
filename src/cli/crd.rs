//! `brownout crd`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args as ClapArgs;

use crate::api::crd;

/// Options of `brownout crd`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Write one file per definition into this folder instead of printing them
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
}

/// Prints the definitions, or writes them.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let Some(folder) = &args.write else {
        return super::print(&crd::crds_yaml());
    };
    for (name, yaml) in crd::files() {
        let path = folder.join(name);
        std::fs::write(&path, yaml).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
