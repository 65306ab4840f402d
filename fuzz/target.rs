//! Guided fuzzing of one decoder. Every target of `Cargo.toml` is this file; its name says which decoder it feeds.

#![no_main]

#[global_allocator]
static ALLOCATOR: roxmq_fuzz::memory::Counting = roxmq_fuzz::memory::Counting;

libfuzzer_sys::fuzz_target!(|input: &[u8]| roxmq_fuzz::feed_by_name(env!("CARGO_BIN_NAME"), input));
