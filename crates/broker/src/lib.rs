//! RoxMQ broker.
