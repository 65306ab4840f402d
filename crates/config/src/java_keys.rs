//! What happens to keys of Apache RocketMQ that are no settings here?
//!
//! Every key that RocketMQ knows for a role is either a line of the role's settings table or stands in its list of [`JavaKeys`], so that
//! an existing `broker.conf` starts RoxMQ and its user learns the truth about each line of it.

/// Keys that are no settings for the same reason.
pub struct JavaKeys {
    /// What is done about them.
    pub stance: Stance,
    /// Why they are no settings.
    pub reason: &'static str,
    /// Each key with the value that RocketMQ gives it by default: with this value it asks for nothing. Empty for meaningless keys.
    pub keys: &'static [(&'static str, &'static str)],
}

/// What is done about a key that is no setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stance {
    /// It tuned the Java implementation: it is ignored with a remark.
    Meaningless,
    /// It asks for something that RoxMQ does not do (yet): it is ignored with a warning, unless it has RocketMQ's default.
    NotServed,
    /// It asks for safety that RoxMQ does not give (yet): the process does not start, unless it has RocketMQ's default.
    Refused,
}
