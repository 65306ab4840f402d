//! How is the next input made? From one of the corpus, changed a little or a lot.

/// As long as the sample of an index file, which has whole blocks.
const CHANGED_BYTES_MAX: usize = 16 * 1024;

/// Makes the next input.
pub fn next(rng: &mut fastrand::Rng, corpus: &[Vec<u8>], input: &mut Vec<u8>) {
    input.clear();
    input.extend_from_slice(&corpus[rng.usize(..corpus.len())]);
    for _ in 0..rng.usize(1..8) {
        change(rng, corpus, input);
    }
    input.truncate(CHANGED_BYTES_MAX);
}

fn change(rng: &mut fastrand::Rng, corpus: &[Vec<u8>], input: &mut Vec<u8>) {
    if input.is_empty() {
        input.push(rng.u8(..));
        return;
    }
    let at = rng.usize(..input.len());
    match rng.u8(..9) {
        0 => input[at] ^= 1 << rng.u8(..8),
        1 => input[at] = rng.u8(..),
        2 => input.truncate(at),
        3 => drop(input.drain(at..(at + rng.usize(..16)).min(input.len()))),
        4 => {
            let byte = rng.u8(..);
            input.splice(at..at, std::iter::repeat_n(byte, rng.usize(..32)));
        }
        5 => put_integer(rng, input, at),
        6 => {
            let other = &corpus[rng.usize(..corpus.len())];
            let from = rng.usize(..=other.len());
            let to = (from + rng.usize(..64)).min(other.len());
            input.splice(at..at, other[from..to].iter().copied());
        }
        7 => {
            let word = [&b"\""[..], b"{", b"[", b"}", b"\\u", b"\\ud800", b"null", b"-1", b"9999999999", b"\x01", b"\x02", b"{{", b":"];
            input.splice(at..at, word[rng.usize(..word.len())].iter().copied());
        }
        _ => {
            let repeated: Vec<u8> = input[at..(at + 8).min(input.len())].repeat(rng.usize(1..64));
            input.splice(at..at, repeated);
        }
    }
}

/// Lengths are what decoders trust too easily.
fn put_integer(rng: &mut fastrand::Rng, input: &mut [u8], at: usize) {
    let value: i32 = match rng.u8(..6) {
        0 => i32::MAX,
        1 => i32::MIN,
        2 => -1,
        3 => 0,
        4 => input.len() as i32,
        _ => rng.i32(..),
    };
    for (byte, new) in input[at..].iter_mut().zip(value.to_be_bytes()) {
        *byte = new;
    }
}
