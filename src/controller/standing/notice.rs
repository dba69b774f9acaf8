//! Events, until they are published.

use kube::runtime::events::EventType;

/// An Event to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Normal or Warning.
    pub warning: bool,
    /// One `CamelCase` word.
    pub reason: &'static str,
    /// What was done; repeats with equal reason and action are counted as one series.
    pub action: String,
    /// A sentence.
    pub note: String,
}

impl Notice {
    /// As kube's recorder wants it.
    pub fn event_type(&self) -> EventType {
        if self.warning {
            EventType::Warning
        } else {
            EventType::Normal
        }
    }
}
