//! Which topics and groups is a request about?
//!
//! The sender needs permission for all of them; with [`Subject::Cluster`], for the cluster.

use super::field::Text;

/// Where a request names the topics and groups that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Nowhere: it concerns the server or the cluster as a whole.
    Cluster,
    /// In its fields: see [`Request::resources`](super::declare::Request::resources).
    Fields,
    /// In its body, which only its handler reads and checks.
    Body,
}

/// What permissions are granted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// A topic as the request names it; it may be a retry topic.
    Topic(&'a str),
    /// A consumer group. There are no permissions for producer groups.
    Group(&'a str),
}

/// A field that may name a resource.
pub(crate) trait Names {
    fn name(&self) -> Option<&str>;
}

impl Names for Text<'_> {
    fn name(&self) -> Option<&str> {
        Some(self)
    }
}

impl Names for Option<Text<'_>> {
    fn name(&self) -> Option<&str> {
        self.as_deref()
    }
}

/// The topics in a list separated by `;` (`TopicList` in a declaration).
pub(crate) fn topics_of(list: &str) -> impl Iterator<Item = Resource<'_>> {
    list.split(';').map(str::trim).filter(|topic| !topic.is_empty()).map(Resource::Topic)
}

/// Implements the subject in [`Request`](super::declare::Request), from the part of a declaration after `about`.
macro_rules! about {
    (Cluster) => {
        const SUBJECT: $crate::request::subject::Subject = $crate::request::subject::Subject::Cluster;
    };
    (Body) => {
        const SUBJECT: $crate::request::subject::Subject = $crate::request::subject::Subject::Body;
    };
    ($($kind:ident($field:ident)),+) => {
        const SUBJECT: $crate::request::subject::Subject = $crate::request::subject::Subject::Fields;

        fn resources(&self) -> impl Iterator<Item = $crate::request::subject::Resource<'_>> {
            std::iter::empty()$(.chain($crate::request::subject::about!(@one $kind self $field)))+
        }
    };
    (@one TopicList $self:ident $field:ident) => {
        $crate::request::subject::Names::name(&$self.$field).into_iter().flat_map($crate::request::subject::topics_of)
    };
    (@one $kind:ident $self:ident $field:ident) => {
        $crate::request::subject::Names::name(&$self.$field).map($crate::request::subject::Resource::$kind)
    };
}

pub(crate) use about;
