//! What may a message be? Rules about single messages that several requests share.

pub mod bodies;
pub mod light;
pub mod room;
