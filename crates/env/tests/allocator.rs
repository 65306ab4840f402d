//! What glibc's allocator gives back. One test in a process of its own: it measures the memory of the whole process, in which no other
//! test may run at the same time.
#![allow(clippy::disallowed_methods, reason = "tests are their own world")]
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use roxmq_env::allocator::{give_back_large_blocks, give_back_what_is_free};

#[test]
fn large_blocks_and_what_is_free_are_given_back() {
    // In this order: the second leaves the process with holes in its heap.
    a_large_block_does_not_raise_the_limit();
    what_is_free_between_blocks_in_use_is_given_back();
}

fn a_large_block_does_not_raise_the_limit() {
    const BLOCK: usize = 16 << 20;
    assert!(give_back_large_blocks());
    for _ in 0..3 {
        let before = from_system();
        let block = std::hint::black_box(vec![1u8; BLOCK]);
        assert!(from_system() >= before.saturating_add(BLOCK / 2), "it came out of the heap");
        drop(block);
    }
}

fn what_is_free_between_blocks_in_use_is_given_back() {
    let resident = || {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    };
    let blocks: Vec<_> = (0..64 << 10).map(|_| std::hint::black_box(vec![1u8; 1024])).collect();
    let kept: Vec<_> = blocks.into_iter().enumerate().filter(|(n, _)| n % 64 == 63).collect();
    let before = resident();
    give_back_what_is_free();
    assert!(before.saturating_sub(resident()) > 32 << 20, "{before} bytes before, {} after", resident());
    drop(kept);
}

fn from_system() -> usize {
    // SAFETY: `mallinfo2` only reads numbers under the allocator's lock.
    unsafe { libc::mallinfo2() }.hblkhd
}
