//! MetricsSource
