//! How do operators see and set the broker itself?

pub mod figures;
pub mod settings;
