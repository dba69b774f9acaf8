//! The door to Discord.
