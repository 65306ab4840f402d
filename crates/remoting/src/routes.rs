//! Which request goes to which handler, how is it run, and who may send it? The table that each server has, one row for each request.
//!
//! ```text
//! routes! {
//!     Lane;
//!     MaxOffset       => Turn, Subscribe, offsets::max;
//!     SendMessageV1   => Send(SendForm::Long), Publish;
//! }
//! ```
//!
//! A row names a request of `roxmq_protocol::request`, a lane of the server's own enum with its arguments, the [`Access`] that the request
//! asks for, and a handler if its lane runs one. A handler takes the server, the [`Call`] and the typed request.

use crate::peer::Peer;
use roxmq_protocol::header::{Fields, Header};
use roxmq_protocol::request::{FieldError, Resource, Subject};

/// A request and the connection it came on.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The decoded header.
    pub header: &'a Header<'a>,
    /// The body.
    pub body: &'a [u8],
    /// Who asks.
    pub peer: &'a Peer,
}

/// The permission that a request needs. Nothing is refused for the lack of it yet; the check belongs in [`crate::Service::request`] of a
/// server, before the lane is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// None beyond being a client; topics and groups in its body are for the handler to check.
    Any,
    /// To send to a topic, and to decide about half messages.
    Publish,
    /// To read a topic for a group, and to say how far the group is.
    Subscribe,
    /// To look at or change things that belong to all clients: for operators and their tools.
    Admin,
    /// To speak as a broker or NameServer to another; operators may do so too.
    Internal,
}

/// Reads the fields of a request and hands over the topics and groups that they name.
pub type Resources = fn(&Fields<'_>, &mut dyn FnMut(Resource<'_>)) -> Result<(), FieldError>;

/// How a request is run, and which permission it needs.
pub struct Route<Lane> {
    /// How it is run, with its handler.
    pub lane: Lane,
    /// The permission that it needs.
    pub access: Access,
    /// Where it says for which topics and groups.
    pub subject: Subject,
    /// The topics and groups that its fields name; an error when these are not the fields of such a request.
    pub resources: Resources,
}

/// A row of the documentation.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    /// Request code.
    pub code: i32,
    /// Java's name for it.
    pub name: &'static str,
    /// The lane, as the server's enum calls it.
    pub lane: &'static str,
    /// The handler, as `file::function`; empty if the lane itself does the work.
    pub handler: &'static str,
    /// The permission that it needs.
    pub access: Access,
}

/// Makes `find`, which knows the route of a request code, and `served`, which lists all of them, from the rows of a server.
#[macro_export]
macro_rules! routes {
    ($lane_type:ident; $($request:ident => $lane:ident $(($argument:expr))?, $access:ident $(, $handler:path)?;)*) => {
        /// How a request with this code is run; `None` is answered with "not supported".
        fn find(code: i32) -> Option<&'static $crate::Route<$lane_type>> {
            Some(match code {
                $(<::roxmq_protocol::request::$request as ::roxmq_protocol::request::Request>::CODE => {
                    const ROUTE: $crate::Route<$lane_type> = $crate::Route {
                        lane: $crate::routes!(@lane $lane_type $lane $request $(($argument))? $(, $handler)?),
                        access: $crate::Access::$access,
                        subject: <::roxmq_protocol::request::$request as ::roxmq_protocol::request::Request>::SUBJECT,
                        resources: |fields, found| {
                            let request = <::roxmq_protocol::request::$request as ::roxmq_protocol::request::HeaderFields<'_>>::read(fields)?;
                            ::roxmq_protocol::request::Request::resources(&request).for_each(found);
                            Ok(())
                        },
                    };
                    &ROUTE
                })*
                _ => return None,
            })
        }

        /// The requests that are served.
        pub fn served() -> Vec<$crate::Served> {
            vec![$($crate::Served {
                code: <::roxmq_protocol::request::$request as ::roxmq_protocol::request::Request>::CODE,
                name: <::roxmq_protocol::request::$request as ::roxmq_protocol::request::Request>::NAME,
                lane: stringify!($lane),
                handler: concat!($(stringify!($handler))?),
                access: $crate::Access::$access,
            }),*]
        }
    };
    (@lane $lane_type:ident $lane:ident $request:ident) => { $lane_type::$lane };
    (@lane $lane_type:ident $lane:ident $request:ident ($argument:expr)) => { $lane_type::$lane($argument) };
    (@lane $lane_type:ident $lane:ident $request:ident, $handler:path) => {
        $lane_type::$lane(|server, call| {
            let request = <::roxmq_protocol::request::$request as ::roxmq_protocol::request::HeaderFields<'_>>::read(&call.header.fields)?;
            $handler(server, call, request)
        })
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use roxmq_protocol::frame::{Encoding, split};
    use roxmq_protocol::header::{FieldSink, Top, read, write_frame};
    use roxmq_protocol::request::MaxOffset;

    enum Lane {
        Runs(fn(&(), &Call<'_>) -> Result<i32, FieldError>),
        Knows(i32),
        Bare,
    }

    fn queue_of(_: &(), _: &Call<'_>, request: MaxOffset<'_>) -> Result<i32, FieldError> {
        Ok(request.queue_id)
    }

    crate::routes! {
        Lane;
        MaxOffset   => Runs,     Subscribe, queue_of;
        PullMessage => Knows(7), Subscribe;
        LockQueues  => Bare,     Any;
    }

    #[test]
    fn a_row_says_how_a_request_is_run_and_what_its_sender_must_be_allowed() {
        let fields = [("topic", "t"), ("consumerGroup", "g"), ("queueId", "3"), ("queueOffset", "0"), ("maxMsgNums", "1")];
        let mut bytes = Vec::new();
        let all = |sink: &mut FieldSink<'_>| fields.iter().for_each(|(key, value)| sink.text(key, value));
        write_frame(&mut bytes, Encoding::Json, Top::request(1, 30, false), all, b"");
        let frame = split(&bytes).unwrap().unwrap();
        let header = read(&frame).unwrap();
        let peer = Peer::unconnected(1, "127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        let call = Call { header: &header, body: b"", peer: &peer };

        let mut lines = Vec::new();
        for Served { code, name, lane, handler, .. } in served() {
            let route = find(code).unwrap();
            let ran = match route.lane {
                Lane::Runs(handler) => handler(&(), &call).unwrap(),
                Lane::Knows(what) => what,
                Lane::Bare => 0,
            };
            let mut named = String::new();
            (route.resources)(&header.fields, &mut |resource| named.push_str(&format!(" {resource:?}"))).unwrap();
            lines.push(format!("{code} {name} {lane} {handler} {ran} {:?} {:?}{named}", route.access, route.subject));
        }
        assert_eq!(
            lines,
            [
                "30 GET_MAX_OFFSET Runs queue_of 3 Subscribe Fields Topic(\"t\")",
                "11 PULL_MESSAGE Knows  7 Subscribe Fields Topic(\"t\") Group(\"g\")",
                "41 LOCK_BATCH_MQ Bare  0 Any Body",
            ]
        );
        assert!(find(31).is_none());
        bytes.clear();
        write_frame(&mut bytes, Encoding::Json, Top::request(1, 30, false), |_| (), b"");
        let frame = split(&bytes).unwrap().unwrap();
        let resources = find(30).unwrap().resources;
        assert_eq!(resources(&read(&frame).unwrap().fields, &mut |_| ()), Err(FieldError::Missing("topic")));
    }
}
