//! How soon does a thread get a core that another one runs on?

/// How long a thread with short slices runs before another may have its core, in ns; the least that Linux grants.
pub const SHORT_SLICE_NS: u64 = 100_000;

/// Asks Linux to give the calling thread its share of a core in slices of [`SHORT_SLICE_NS`] instead of some milliseconds.
///
/// The share stays the same, so no other thread gets less. But a thread that runs for a short time and wakes up often no longer waits for
/// the end of a long slice of another; on a machine with as many busy threads as cores, that is what a send waits for. Linux supports this
/// since 6.12, without privileges; older kernels ignore it. A thread with a scheduling policy of its own (real time, batch) is left
/// alone, and so is its nice value. Returns whether Linux was asked.
pub fn ask_for_short_slices() -> bool {
    #[cfg(target_os = "linux")]
    {
        // Linux: `struct sched_attr` in include/uapi/linux/sched/types.h, as of its first version.
        #[derive(Default)]
        #[repr(C)]
        struct Attributes {
            size: u32,
            policy: u32,
            flags: u64,
            nice: i32,
            priority: u32,
            runtime_ns: u64,
            deadline_ns: u64,
            period_ns: u64,
        }
        const SIZE: u32 = size_of::<Attributes>() as u32;
        let mut now = Attributes::default();
        // SAFETY: 0 is the calling thread; the system writes no more than the size that it is told, which is that of `now`.
        let is_known = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &mut now, SIZE, 0) } == 0;
        if !is_known || now.policy != libc::SCHED_OTHER as u32 {
            return false;
        }
        let asked = Attributes { size: SIZE, runtime_ns: SHORT_SLICE_NS, ..now };
        // SAFETY: the system reads as much as `size` says, which is all of `asked`, and nothing of it is a pointer.
        unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &asked, 0) == 0 }
    }
    #[cfg(not(target_os = "linux"))]
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_its_nice_value() {
        const NICE: i32 = 5;
        // SAFETY: both take numbers and return one; 0 is the calling thread.
        let (set_nice, nice) =
            (|| unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) }, || unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) });
        std::thread::spawn(move || {
            assert_eq!(set_nice(), 0);
            // Where a sandbox forbids it, it is forbidden each time.
            let asked = ask_for_short_slices();
            assert_eq!(ask_for_short_slices(), asked);
            assert_eq!(nice(), NICE);
        })
        .join()
        .unwrap();
    }
}
