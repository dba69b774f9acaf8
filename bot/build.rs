//! A migration that is added must be built in.

#![allow(clippy::print_stdout)] // that is how one speaks with cargo

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
