//! How much a number of people asks for, and whether a quota holds it.
