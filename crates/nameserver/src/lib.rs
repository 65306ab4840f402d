//! RoxMQ nameserver.
