//! Where does a string end?

/// Position of the first byte from `at` on that is one of `ends` or below `least`, or the length of `bytes`. It compares eight bytes at
/// once: lengths of strings are unpredictable, so a loop over single bytes costs a mispredicted branch for each string.
#[inline(always)]
pub(crate) fn first_of(bytes: &[u8], mut at: usize, ends: [u8; 2], least: u8) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // The lowest high bit that is set marks the first byte below `bound`; bits above it may be wrong.
    let below = |word: u64, bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word & HIGH;
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*eight);
        let found = below(word ^ (ONES * u64::from(ends[0])), 1) | below(word ^ (ONES * u64::from(ends[1])), 1) | below(word, least);
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|byte| !ends.contains(byte) && *byte >= least) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_a_look_at_each_byte_finds(bytes in prop::collection::vec(0..6u8, 0..40), at in 0..40usize, least in 0..3u8) {
            let each = bytes.iter().skip(at).position(|byte| [4, 5].contains(byte) || *byte < least);
            let at = at.min(bytes.len());
            prop_assert_eq!(first_of(&bytes, at, [4, 5], least), each.map_or(bytes.len(), |found| at + found));
        }
    }
}
