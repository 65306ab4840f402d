//! The broker itself, as operators see it.

pub mod figures;
pub mod settings;
