//! Pulls: which fields do they have?

use super::declare::{HeaderFields, Request, header};
use super::field::{FieldError, Text};
use super::row::Row;
use super::subject::{Resource, Subject};
use crate::header::{FieldSink, Fields};

header! {
    /// The fields of a pull; two codes carry them.
    Pull<'a> {
        consumer_group: Text<'a> = "consumerGroup",
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId",
        queue_offset: i64 = "queueOffset",
        max_msg_nums: i32 = "maxMsgNums",
        sys_flag: i32 = "sysFlag" or 0,
        commit_offset: i64 = "commitOffset" or 0,
        suspend_timeout_ms: i64 = "suspendTimeoutMillis" or 0,
        subscription: Option<Text<'a>> = "subscription",
        sub_version: i64 = "subVersion" or 0,
        expression_type: Option<Text<'a>> = "expressionType",
        max_msg_bytes: Option<i32> = "maxMsgBytes",
    }
}

impl Pull<'_> {
    /// The topic and the group: see [`Request::resources`].
    pub fn resources(&self) -> impl Iterator<Item = Resource<'_>> {
        [Resource::Topic(&self.topic), Resource::Group(&self.consumer_group)].into_iter()
    }
}

/// Pull sysFlag bit: commit `commitOffset`.
pub const PULL_COMMIT: i32 = 1;
/// Pull sysFlag bit: the broker may hold the request.
pub const PULL_SUSPEND: i32 = 2;
/// Pull sysFlag bit: the subscription expression is in the request.
pub const PULL_SUBSCRIPTION: i32 = 4;
/// Pull sysFlag bit: class filter, dead since 5.0.
pub const PULL_CLASS_FILTER: i32 = 8;
/// Pull sysFlag bit: the caller is a lite pull consumer.
pub const PULL_LITE: i32 = 16;

macro_rules! pulls {
    ($($(#[doc = $doc:literal])* $name:ident = $code:literal $java:literal;)*) => {
        /// The pulls, as rows.
        pub(super) const TABLE: &[Row] =
            &[$(Row {
                code: $code,
                name: $java,
                fields: "those of `Pull`",
                reply: "PullReply",
                doc: concat!($($doc),*),
            about: &["Topic", "Group"],
                reads: |fields| $name::read(fields).is_ok(),
            }),*];

        $(
            $(#[doc = $doc])*
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $name<'a>(pub Pull<'a>);

            impl<'a> HeaderFields<'a> for $name<'a> {
                fn read(fields: &Fields<'a>) -> Result<Self, FieldError> {
                    Pull::read(fields).map($name)
                }
                fn write(&self, sink: &mut FieldSink<'_>) {
                    self.0.write(sink);
                }
            }

            impl<'a> Request<'a> for $name<'a> {
                const CODE: i32 = $code;
                const NAME: &'static str = $java;
                type Reply = PullReply;
                const SUBJECT: Subject = Subject::Fields;

                fn resources(&self) -> impl Iterator<Item = Resource<'_>> {
                    self.0.resources()
                }
            }
        )*
    };
}

pulls! {
    /// Reads messages from an offset on, and waits for them if asked to. Answer body: records.
    PullMessage = 11 "PULL_MESSAGE";
    /// As 11, for a lite pull consumer.
    LitePullMessage = 361 "LITE_PULL_MESSAGE";
}

header! {
    /// Answer to a pull, with any code.
    PullReply {
        suggest_which_broker_id: i64 = "suggestWhichBrokerId",
        next_begin_offset: i64 = "nextBeginOffset",
        min_offset: i64 = "minOffset",
        max_offset: i64 = "maxOffset",
        topic_sys_flag: Option<i32> = "topicSysFlag",
        group_sys_flag: Option<i32> = "groupSysFlag",
        forbidden_type: Option<i32> = "forbiddenType",
    }
}
