//! Brownout.
