//! Why a plan cannot be carried out in full: reasons of `Ready=False`.

/// A `ConfigMap` of that name exists and is not this policy's.
pub const CONFIG_MAP_NOT_OWNED: &str = "ConfigMapNotOwned";
/// A workload that a level names does not exist.
pub const TARGET_NOT_FOUND: &str = "TargetNotFound";
/// An older policy holds a workload or the flags `ConfigMap`.
pub const TARGET_CONFLICT: &str = "TargetConflict";
/// Someone keeps setting a workload back.
pub const TARGET_CONTESTED: &str = "TargetContested";
/// The operator lacks a right.
pub const FORBIDDEN: &str = "Forbidden";
