//! What is answered when the NameServer refuses something?

use std::io;

use roxmq_config::ConfigError;
use roxmq_protocol::body::RegistrationError;
use roxmq_protocol::code;
use roxmq_protocol::json::JsonError;
use roxmq_protocol::request::FieldError;
use roxmq_remoting::Answer;
use thiserror::Error;

use crate::kv::PutError;

/// Why a request is refused. The texts are Java's where people or tools read them.
#[derive(Debug, Error)]
pub enum Refusal {
    /// No handler has this code.
    #[error(" request type {0} not supported")]
    NotSupported(i32),
    /// A field is missing or not of its type.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The body is not the JSON it should be.
    #[error(transparent)]
    Body(#[from] JsonError),
    /// The body of a registration cannot be read.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    /// The checksum in the header is not that of the body.
    #[error("crc32 not match")]
    Checksum,
    /// One topic of a broker that never registered in full.
    #[error("register broker failed")]
    NotRegisteredYet,
    /// No living broker holds the topic.
    #[error(
        "No topic route info in name server for the topic: {0}\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."
    )]
    NoRoute(String),
    /// Not every broker that should be there has registered yet.
    #[error("name server not ready")]
    NotReady,
    /// The write permission of as many brokers as can be was taken off already.
    #[error("the write permission of too many brokers was taken off already")]
    TooManyWiped,
    /// A setting forbids the list.
    #[error("disable")]
    ListForbidden,
    /// The value is not stored.
    #[error(transparent)]
    Put(#[from] PutError),
    /// No such value.
    #[error("No config item, Namespace: {namespace} Key: {key}")]
    NoValue {
        /// The namespace asked for.
        namespace: String,
        /// The key asked for.
        key: String,
    },
    /// No such namespace.
    #[error("No config item, Namespace: {0}")]
    NoNamespace(String),
    /// The change of settings is not allowed or not possible.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// A file could not be read or written.
    #[error("{0}")]
    Disk(#[from] io::Error),
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Answer {
        let code = match &refusal {
            Refusal::NotSupported(_) => code::REQUEST_CODE_NOT_SUPPORTED,
            Refusal::NoRoute(_) => code::TOPIC_NOT_EXIST,
            Refusal::NoValue { .. } | Refusal::NoNamespace(_) => code::QUERY_NOT_FOUND,
            Refusal::Config(ConfigError::Forbidden { .. }) => code::NO_PERMISSION,
            Refusal::Config(_)
            | Refusal::Field(_)
            | Refusal::Body(_)
            | Refusal::Registration(_)
            | Refusal::Checksum
            | Refusal::NotRegisteredYet
            | Refusal::NotReady
            | Refusal::TooManyWiped
            | Refusal::ListForbidden
            | Refusal::Put(_)
            | Refusal::Disk(_) => code::SYSTEM_ERROR,
        };
        Answer::refused(code, refusal.to_string())
    }
}
