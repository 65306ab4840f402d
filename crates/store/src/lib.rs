//! RoxMQ store.
