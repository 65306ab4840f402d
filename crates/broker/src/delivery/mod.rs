//! How are messages that wait carried on? Delivered when they are due, decided, checked back, or parked.

pub mod carry_on;
pub mod check_back;
pub mod clearing;
pub mod decide;
pub mod delay;
pub mod parking;
pub mod roll;
pub mod timer;
