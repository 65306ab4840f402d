//! What is a request about: which topics and groups must its sender be allowed to use?

use super::field::Text;

/// Where a request says what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Nowhere: it is about the server or the cluster as a whole.
    Cluster,
    /// In its fields: [`Request::resources`](super::declare::Request::resources) are those that it names.
    Fields,
    /// In its body, which only its handler reads.
    Body,
}

/// Something that permissions are granted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// A topic, as the request names it: a retry topic is still called by its own name.
    Topic(&'a str),
    /// A consumer group. Producer groups are no resource.
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

/// The topics in a list with `;` between them (`TopicList` in a declaration).
pub(crate) fn topics_of(list: &str) -> impl Iterator<Item = Resource<'_>> {
    list.split(';').map(str::trim).filter(|topic| !topic.is_empty()).map(Resource::Topic)
}

/// The items of [`Request`](super::declare::Request) about the subject, from what a declaration says after `about`.
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
