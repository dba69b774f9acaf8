//! The sources that are there but cannot be read. They are refused: taken for missing, a `default` that
//! keeps tenants apart would give way to a URL that does not.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::watcher::Event;

use crate::api::{MetricsSource, conditions};
use crate::plan::Refusal;

/// Their names. Cheap to clone.
#[derive(Clone, Default)]
pub struct Unreadable(Arc<Mutex<Names>>);

#[derive(Default)]
struct Names {
    refused: BTreeSet<String>,
    /// Of the list that is being read.
    listed: BTreeSet<String>,
}

impl Unreadable {
    /// Notes an event before the store has it: what is unreadable is refused before it is gone from there.
    pub fn before(&self, event: &Event<DeserializeGuard<MetricsSource>>) {
        let mut names = self.lock();
        match event {
            Event::Init => names.listed.clear(),
            Event::InitApply(source) if source.0.is_err() => {
                names.listed.insert(source.name_any());
                names.refused.insert(source.name_any());
            }
            Event::Apply(source) if source.0.is_err() => {
                names.refused.insert(source.name_any());
            }
            _ => {}
        }
    }

    /// Notes an event after the store has it: what can be read is refused until it is there.
    pub fn after(&self, event: &Event<MetricsSource>) {
        let mut names = self.lock();
        match event {
            Event::InitDone => names.refused = std::mem::take(&mut names.listed),
            Event::Apply(source) | Event::Delete(source) => {
                names.refused.remove(&source.name_any());
            }
            Event::Init | Event::InitApply(_) => {}
        }
    }

    /// Refuses a source that cannot be read.
    pub fn refuse(&self, name: &str) -> Result<(), Refusal> {
        if !self.lock().refused.contains(name) {
            return Ok(());
        }
        Err(Refusal {
            reason: conditions::SOURCE_NOT_FOUND,
            message: format!(
                "the MetricsSource {name} cannot be read by this version of the operator: \
                 correct it, or run the version that it was written for"
            ),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
