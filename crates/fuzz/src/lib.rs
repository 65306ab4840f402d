//! What does hostile input do to the decoders?
//!
//! A decoder may refuse anything. It must not panic, and must not take more memory than a small multiple of its input: a length that
//! is only claimed must cost nothing. Two programs feed it: the runner beside this file, which works with a stable toolchain, and
//! guided fuzzing with libFuzzer in the folder `fuzz` of the repository.

#![allow(clippy::disallowed_methods, reason = "a tool: it measures and drives the real world")]

pub mod corpus;
pub mod memory;
pub mod targets;

use targets::Target;

/// Runs a decoder on an input. How many bytes of memory it took, if the program's allocator is [`memory::Counting`].
///
/// # Errors
/// When it took more than it may.
///
/// # Panics
/// When the decoder does.
pub fn feed(target: &Target, input: &[u8]) -> Result<usize, String> {
    let before = memory::start();
    (target.run)(input);
    let taken = memory::peak_since(before);
    let allowed = input.len() * target.bytes_per_byte + BYTES_MORE;
    if taken > allowed { Err(format!("took {taken} bytes for {} bytes of input", input.len())) } else { Ok(taken) }
}

/// Runs the decoder with this name, for guided fuzzing.
///
/// # Panics
/// When there is no such decoder, when it panics, and when it takes more memory than it may.
pub fn feed_by_name(name: &str, input: &[u8]) {
    let target = targets::ALL.iter().find(|target| target.name == name).expect("the name of a decoder");
    if let Err(why) = feed(target, input) {
        panic!("{why}");
    }
}

/// Memory every decoder may take beside what it may for each byte of its input.
const BYTES_MORE: usize = 128 * 1024;

#[cfg(test)]
mod tests {
    use super::targets;

    #[test]
    fn every_decoder_can_be_fuzzed_guided() {
        let manifest = include_str!("../../../fuzz/Cargo.toml");
        let names: Vec<&str> = manifest.lines().filter_map(|line| line.strip_prefix("name = ")).skip(1).collect();
        let expected: Vec<String> = targets::ALL.iter().map(|target| format!("\"{}\"", target.name)).collect();
        assert_eq!(names, expected, "the [[bin]] entries of fuzz/Cargo.toml");
    }
}
