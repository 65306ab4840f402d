//! Sends: which fields do they have, in which of two spellings?

use super::declare::{HeaderFields, Request, header};
use super::field::{Field, FieldError, Text};
use super::row::Row;
use super::subject::{Resource, Subject};
use crate::header::{FieldSink, Fields, RawText};
use crate::time::Timestamp;

/// The fields of a send. Several codes carry them, in two spellings: see [`SendForm`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendMessage<'a> {
    /// Producer group.
    pub producer_group: Text<'a>,
    /// Destination topic.
    pub topic: Text<'a>,
    /// The topic whose settings a new topic inherits, usually `TBW102`.
    pub default_topic: Text<'a>,
    /// How many queues the producer wants a new topic to have.
    pub default_topic_queue_nums: i32,
    /// Destination queue; negative lets the broker choose.
    pub queue_id: i32,
    /// See [`sys_flag`](crate::record::sys_flag).
    pub sys_flag: i32,
    /// When the producer made the message.
    pub born_timestamp: Timestamp,
    /// The user's own flag.
    pub flag: i32,
    /// Properties string.
    pub properties: Text<'a>,
    /// How often the message was consumed before, in a retry sent by the client itself.
    pub reconsume_times: i32,
    /// Unit mode of the producer.
    pub unit_mode: bool,
    /// The body holds several messages.
    pub batch: bool,
    /// The most retries, in a retry sent by the client itself.
    pub max_reconsume_times: Option<i32>,
    /// The broker that the producer meant to reach.
    pub broker_name: Option<Text<'a>>,
}

/// How the fields of a send are spelled; the request code decides (`SendMessageRequestHeader` and `...V2`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendForm {
    /// Long names: codes 10 and 324.
    Long,
    /// One letter each: codes 310, 320 and 325.
    Short,
}

const LONG: [&str; 14] = [
    "producerGroup",
    "topic",
    "defaultTopic",
    "defaultTopicQueueNums",
    "queueId",
    "sysFlag",
    "bornTimestamp",
    "flag",
    "properties",
    "reconsumeTimes",
    "unitMode",
    "maxReconsumeTimes",
    "batch",
    "bname",
];
const SHORT: [&str; 14] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"];

impl<'a> SendMessage<'a> {
    /// Reads the fields. One Python client sends code 10 with short names: if the long topic is missing, the short form is tried.
    ///
    /// # Errors
    /// When a required field is missing, or one is not of its type.
    pub fn read(fields: &Fields<'a>, form: SendForm) -> Result<SendMessage<'a>, FieldError> {
        Self::read_by(fields, form, RawText::unescape)
    }

    /// As [`SendMessage::read`]. Properties, which always have escapes in JSON, are unescaped into `buffer`.
    ///
    /// # Errors
    /// The same.
    pub fn read_into(fields: &Fields<'a>, form: SendForm, buffer: &'a mut String) -> Result<SendMessage<'a>, FieldError> {
        Self::read_by(fields, form, |properties| Text::Borrowed(properties.unescape_into(buffer)))
    }

    fn read_by(fields: &Fields<'a>, form: SendForm, unescape: impl FnOnce(RawText<'a>) -> Text<'a>) -> Result<SendMessage<'a>, FieldError> {
        let is_long = form == SendForm::Long && (fields.find("topic").is_some() || fields.find("b").is_none());
        let names = if is_long { &LONG } else { &SHORT };
        // One pass for all fields: every message sent comes through here.
        let mut values = [None; LONG.len()];
        for (key, value) in fields.entries() {
            let at = match key.letter() {
                Some(letter) if !is_long => Some(usize::from(letter.wrapping_sub(b'a'))),
                _ => names.iter().position(|name| key.is(name)),
            };
            if let Some(place) = at.and_then(|at| values.get_mut(at)) {
                *place = Some(value);
            }
        }
        let or_zero = |at: usize| Ok::<i32, FieldError>(Option::read(values[at], names[at])?.unwrap_or(0));
        Ok(SendMessage {
            producer_group: Text::read(values[0], names[0])?,
            topic: Text::read(values[1], names[1])?,
            default_topic: Option::read(values[2], names[2])?.unwrap_or_default(),
            default_topic_queue_nums: or_zero(3)?,
            queue_id: i32::read(values[4], names[4])?,
            sys_flag: or_zero(5)?,
            born_timestamp: Timestamp::read(values[6], names[6])?,
            flag: or_zero(7)?,
            properties: values[8].map(unescape).unwrap_or_default(),
            reconsume_times: or_zero(9)?,
            unit_mode: Option::read(values[10], names[10])?.unwrap_or(false),
            max_reconsume_times: Option::read(values[11], names[11])?,
            batch: Option::read(values[12], names[12])?.unwrap_or(false),
            broker_name: Option::read(values[13], names[13])?,
        })
    }

    /// The topic: see [`Request::resources`].
    pub fn resources(&self) -> impl Iterator<Item = Resource<'_>> {
        std::iter::once(Resource::Topic(&self.topic))
    }

    /// Writes the fields in the short form.
    pub fn write(&self, sink: &mut FieldSink<'_>) {
        self.producer_group.write(SHORT[0], sink);
        self.topic.write(SHORT[1], sink);
        self.default_topic.write(SHORT[2], sink);
        self.default_topic_queue_nums.write(SHORT[3], sink);
        self.queue_id.write(SHORT[4], sink);
        self.sys_flag.write(SHORT[5], sink);
        self.born_timestamp.write(SHORT[6], sink);
        self.flag.write(SHORT[7], sink);
        self.properties.write(SHORT[8], sink);
        self.reconsume_times.write(SHORT[9], sink);
        self.unit_mode.write(SHORT[10], sink);
        self.max_reconsume_times.write(SHORT[11], sink);
        self.batch.write(SHORT[12], sink);
        self.broker_name.write(SHORT[13], sink);
    }
}

macro_rules! sends {
    ($($(#[doc = $doc:literal])* $name:ident = $code:literal $java:literal $form:ident;)*) => {
        /// The sends, as rows.
        pub(super) const TABLE: &[Row] = &[$(Row {
            code: $code,
            name: $java,
            fields: concat!("those of `SendMessage`, spelled ", stringify!($form)),
            reply: "SendReply<'a>",
            doc: concat!($($doc),*),
            about: &["Topic"],
            reads: |fields| $name::read(fields).is_ok(),
        }),*];

        $(
            $(#[doc = $doc])*
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $name<'a>(pub SendMessage<'a>);

            impl<'a> HeaderFields<'a> for $name<'a> {
                fn read(fields: &Fields<'a>) -> Result<Self, FieldError> {
                    SendMessage::read(fields, SendForm::$form).map($name)
                }
                fn write(&self, sink: &mut FieldSink<'_>) {
                    self.0.write(sink);
                }
            }

            impl<'a> Request<'a> for $name<'a> {
                const CODE: i32 = $code;
                const NAME: &'static str = $java;
                type Reply = SendReply<'a>;
                const SUBJECT: Subject = Subject::Fields;

                fn resources(&self) -> impl Iterator<Item = Resource<'_>> {
                    self.0.resources()
                }
            }
        )*
    };
}

sends! {
    /// Stores one message. Body: the message's body.
    SendMessageV1 = 10 "SEND_MESSAGE" Long;
    /// Stores one message, or a batch: the C++ client sends its batches with this code.
    SendMessageV2 = 310 "SEND_MESSAGE_V2" Short;
    /// Stores several messages. Body: a batch.
    SendBatchMessage = 320 "SEND_BATCH_MESSAGE" Short;
    /// Pushes a consumer's reply to the client that sent the request message. Body: the reply.
    SendReplyV1 = 324 "SEND_REPLY_MESSAGE" Long;
    /// As 324, with short names.
    SendReplyV2 = 325 "SEND_REPLY_MESSAGE_V2" Short;
}

header! {
    /// Answer to a send that was stored.
    SendReply<'a> {
        msg_id: Text<'a> = "msgId",
        queue_id: i32 = "queueId",
        queue_offset: i64 = "queueOffset",
        transaction_id: Option<Text<'a>> = "transactionId",
        region_id: Option<Text<'a>> = "MSG_REGION",
        trace_on: Option<Text<'a>> = "TRACE_ON",
    }
}

header! {
    /// Fields of every answer to a send, a reply or a recall, refusals included: hooks of clients read them.
    SendStamp<'a> {
        region_id: Option<Text<'a>> = "MSG_REGION",
        trace_on: Option<Text<'a>> = "TRACE_ON",
    }
}
