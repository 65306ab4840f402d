//! Files as the store holds them: open or not, mapped or read by calls.

pub(crate) mod cached;
pub(crate) mod damage;
pub(crate) mod lazy;
pub(crate) mod name;
