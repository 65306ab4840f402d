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
