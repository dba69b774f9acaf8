#![allow(clippy::doc_markdown)] // these comments are the help text

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration;
use crate::features::Features;

/// Which features are on.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Flags")]
pub struct FlagsConfig {
    /// Directory where the flags ConfigMap is mounted
    #[arg(long = "flags-dir", env = "CHATBOTLER_FLAGS_DIR", value_name = "DIR")]
    pub dir: Option<PathBuf>,

    /// How often to look into that directory
    #[arg(long = "flags-interval", env = "CHATBOTLER_FLAGS_INTERVAL", default_value = "1s", value_parser = duration, value_name = "DURATION")]
    pub interval: Duration,

    /// Name of the flags ConfigMap to watch at the API server
    #[cfg(feature = "watch")]
    #[arg(
        long = "flags-configmap",
        env = "CHATBOTLER_FLAGS_CONFIGMAP",
        value_name = "NAME"
    )]
    pub configmap: Option<String>,

    /// Namespace of that ConfigMap [default: that of the kubeconfig or the pod]
    #[cfg(feature = "watch")]
    #[arg(
        long = "flags-namespace",
        env = "CHATBOTLER_FLAGS_NAMESPACE",
        value_name = "NAMESPACE",
        requires = "configmap"
    )]
    pub namespace: Option<String>,

    /// What is on before the first flags are seen
    #[arg(
        long = "flags-default",
        env = "CHATBOTLER_FLAGS_DEFAULT",
        value_name = "WHAT",
        default_value = "enabled"
    )]
    pub default: FlagsDefault,
}

/// What is on before the first flags are seen.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum FlagsDefault {
    /// Everything
    #[default]
    Enabled,
    /// No luxury, and less of what is important
    Safe,
}

impl FlagsDefault {
    pub(crate) fn features(self) -> Features {
        match self {
            Self::Enabled => Features::ALL_ENABLED,
            Self::Safe => Features::safe(),
        }
    }
}
