//! Manners: what is cleaned, what is ignored, how much is too much.
