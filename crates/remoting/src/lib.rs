//! RoxMQ remoting.
