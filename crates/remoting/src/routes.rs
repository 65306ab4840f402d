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
//! A row names a request of `roxmq_protocol::request`, a lane of the server's own enum with what it needs, the [`Access`] that the request
//! asks for, and a handler if its lane runs one. A handler takes the server, the [`Call`] and the typed request.

use crate::peer::Peer;
use roxmq_protocol::header::Header;

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

/// What a request does, and so what its sender must be allowed. Nothing is refused for it yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Part of the work of every client. What its body names, the handler has to check.
    Any,
    /// Sends to a topic, or decides about what was sent.
    Publish,
    /// Reads a topic for a group, or says how far the group is.
    Subscribe,
    /// Looks at or changes what belongs to all clients: for operators and their tools.
    Admin,
    /// Passes between brokers and NameServers; operators may send it too.
    Internal,
}

/// How a request is run and what it asks for.
#[derive(Clone, Copy)]
pub struct Route<Lane> {
    /// How it is run, with its handler.
    pub lane: Lane,
    /// What its sender must be allowed.
    pub access: Access,
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
    /// What its sender must be allowed.
    pub access: Access,
}

/// Makes `find`, which knows the route of a request code, and `served`, which lists all of them, from the rows of a server.
#[macro_export]
macro_rules! routes {
    ($lane_type:ident; $($request:ident => $lane:ident $(($argument:expr))?, $access:ident $(, $handler:path)?;)*) => {
        /// How a request with this code is run; `None` is answered with "not supported".
        fn find(code: i32) -> Option<$crate::Route<$lane_type>> {
            Some(match code {
                $(<::roxmq_protocol::request::$request as ::roxmq_protocol::request::Request>::CODE => $crate::Route {
                    lane: $crate::routes!(@lane $lane_type $lane $request $(($argument))? $(, $handler)?),
                    access: $crate::Access::$access,
                },)*
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
