//! How does the memory allocator give back what is no longer needed?

/// Lets every block of this many bytes or more come from the system, and go back to it at once.
pub const LARGE_BLOCK_BYTES: i32 = 1 << 20;

/// Tells glibc's allocator that [`LARGE_BLOCK_BYTES`] is where large blocks begin, for as long as the process lives.
///
/// Left alone it raises that limit, up to 32 MiB, with every large block that is freed. From then on large buffers that are needed for a
/// moment come out of the heap of the thread that asks, and stay there: measured, three times the memory of a broker that only takes
/// messages, and a third more with 100,000 queues. With another allocator nothing is done. Whether it was done.
pub fn give_back_large_blocks() -> bool {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: `mallopt` takes two numbers and may be called at any time by any thread; the allocator takes its own lock.
        unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES) == 1 }
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    false
}

/// Has glibc's allocator give to the system what is free between blocks that are in use, in the heaps of all threads.
///
/// By itself it gives back only the end of a heap, and one small block there that lives on keeps all before it. It holds a heap's lock
/// while it looks through it (7 ms for 64 MiB, measured), so this is for after much was freed in small blocks, not for every day. With
/// another allocator nothing is done.
pub fn give_back_what_is_free() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: `malloc_trim` may be called at any time by any thread, takes the allocator's locks, and touches only what is free.
        unsafe { libc::malloc_trim(0) };
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    fn from_system() -> usize {
        // SAFETY: `mallinfo2` only reads numbers under the allocator's lock.
        unsafe { libc::mallinfo2() }.hblkhd
    }

    #[test]
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

    #[test]
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
}
