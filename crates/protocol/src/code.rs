//! Response codes (Java's `ResponseCode` and `RemotingSysResponseCode`).

/// Done.
pub const SUCCESS: i32 = 0;
/// Failed; only the remark says why.
pub const SYSTEM_ERROR: i32 = 1;
/// Try again later; clients do.
pub const SYSTEM_BUSY: i32 = 2;
/// This server does not serve the request.
pub const REQUEST_CODE_NOT_SUPPORTED: i32 = 3;
/// Stored, but not confirmed on disk in time.
pub const FLUSH_DISK_TIMEOUT: i32 = 10;
/// The message breaks a rule.
pub const MESSAGE_ILLEGAL: i32 = 13;
/// The store takes no messages.
pub const SERVICE_NOT_AVAILABLE: i32 = 14;
/// Not allowed.
pub const NO_PERMISSION: i32 = 16;
/// No such topic.
pub const TOPIC_NOT_EXIST: i32 = 17;
/// No new message at the offset.
pub const PULL_NOT_FOUND: i32 = 19;
/// No message up to the next offset matches; pull there at once.
pub const PULL_RETRY_IMMEDIATELY: i32 = 20;
/// The offset is outside the queue; continue at the next offset.
pub const PULL_OFFSET_MOVED: i32 = 21;
/// Nothing found.
pub const QUERY_NOT_FOUND: i32 = 22;
/// The subscription expression cannot be read.
pub const SUBSCRIPTION_PARSE_FAILED: i32 = 23;
/// The group has no such subscription.
pub const SUBSCRIPTION_NOT_EXIST: i32 = 24;
/// The broker knows an older subscription.
pub const SUBSCRIPTION_NOT_LATEST: i32 = 25;
/// No such group.
pub const SUBSCRIPTION_GROUP_NOT_EXIST: i32 = 26;
/// The group's SQL92 expression could not be read when it subscribed.
pub const FILTER_DATA_NOT_EXIST: i32 = 27;
/// An argument is out of its range.
pub const INVALID_PARAMETER: i32 = 29;
/// No consumer of the group is connected.
pub const CONSUMER_NOT_ONLINE: i32 = 206;
/// The client did not answer a relayed request in time.
pub const CONSUME_MSG_TIMEOUT: i32 = 207;
/// The request makes no sense for this message.
pub const ILLEGAL_OPERATION: i32 = 604;
