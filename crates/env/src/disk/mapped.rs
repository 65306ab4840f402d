//! How are a file's bytes copied without a system call for each read?
//!
//! A mapped file is copied from like memory, with two dangers. *Waiting*: touching a page that is not in memory reads it from disk, so a
//! thread that must not wait asks [`Mapping::resident_pages`] first. *Death*: touching a page that cannot be read (the disk fails, or the
//! file was cut) raises SIGBUS. It is caught here: the page is replaced by zeros, the mapping is marked as lost, and the copy is thrown
//! away. Its owner then reads the file by calls, which fail with an error.

use parking_lot::Mutex;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, fence};

/// A file as memory, to be copied from.
#[derive(Debug)]
pub struct Mapping {
    at: NonNull<u8>,
    len: usize,
    place: &'static Place,
}

// SAFETY: nothing is written through it, and `Place` is made of atomics.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `len` bytes. `None` when there are [`MAPPINGS_MAX`] already.
    pub(super) fn new(file: &std::fs::File, len: usize) -> io::Result<Option<Mapping>> {
        if len == 0 || file.metadata()?.len() < len as u64 {
            return Ok(None);
        }
        catch_sigbus()?;
        let _making = MAKING.lock();
        let Some(place) = PLACES.iter().find(|place| place.end.load(Ordering::Relaxed) == 0) else { return Ok(None) };
        // SAFETY: a new mapping at an address of the system's choice touches no memory of ours.
        let at = unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // Touching a page that is not in memory should not read megabytes around it. If the advice fails, that does no harm.
        // SAFETY: the range is the mapping just made, and the advice changes no contents.
        unsafe { libc::madvise(at, len, libc::MADV_RANDOM) };
        place.is_lost.store(false, Ordering::SeqCst);
        place.start.store(at as usize, Ordering::SeqCst);
        place.end.store(at as usize + len, Ordering::SeqCst);
        Ok(NonNull::new(at.cast()).map(|at| Mapping { at, len, place }))
    }

    /// Appends `len` bytes from `offset` to `out`. False, with nothing appended, if the mapping does not have them.
    pub fn append_to(&self, offset: usize, len: usize, out: &mut Vec<u8>) -> bool {
        if self.is_lost() || offset.checked_add(len).is_none_or(|end| end > self.len) {
            return false;
        }
        out.reserve(len);
        let start = out.len();
        // SAFETY: source: `offset + len` is within the mapping, which stays until `self` is dropped; where the file cannot be read the
        // handler below puts readable zeros. The bytes are the log's and do not change once they are written; if another
        // program changed the file, the copy would be any mixture, which the records' checksums reject. Target: `reserve` made room for `len` bytes
        // after `start`, and a vector of ours is not in a mapping of ours.
        unsafe { ptr::copy_nonoverlapping(self.at.as_ptr().add(offset), out.as_mut_ptr().add(start), len) };
        // A copy of zeros that replace a lost page is noticed here: the mapping is marked as lost before the zeros are put there.
        fence(Ordering::Acquire);
        if self.is_lost() {
            return false;
        }
        // SAFETY: the copy initialised all `len` bytes after `start`.
        unsafe { out.set_len(start + len) };
        true
    }

    /// Has the processor fetch bytes that are copied next. Only makes it faster.
    pub fn fetch_ahead(&self, offset: usize, len: usize) {
        #[cfg(target_arch = "x86_64")]
        for at in (offset..offset.saturating_add(len.min(AHEAD_BYTES_MAX)).min(self.len)).step_by(LINE_BYTES) {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: `at` is within the mapping; besides, a prefetch reads nothing that a program could see and never faults.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(self.at.as_ptr().add(at).cast()) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (offset, len);
    }

    /// Which of `count` pages, at most 64, from number `first` on are in memory, as bits; pages behind the end are not.
    pub fn resident_pages(&self, first: usize, count: usize) -> u64 {
        let from = first * page_bytes();
        if from >= self.len {
            return 0;
        }
        let mut pages = [0_u8; 64];
        let len = (self.len - from).min(count.min(pages.len()) * page_bytes());
        // SAFETY: the range is within the mapping, from a page's start, and `pages` has a byte for each of its pages.
        let failed = unsafe { libc::mincore(self.at.as_ptr().add(from).cast(), len, pages.as_mut_ptr()) } != 0;
        if failed {
            return 0;
        }
        pages.iter().rev().fold(0, |bits, page| bits << 1 | u64::from(page & 1))
    }

    /// Whether a page of it could not be read. It stays so.
    pub fn is_lost(&self) -> bool {
        self.place.is_lost.load(Ordering::SeqCst)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let _making = MAKING.lock();
        // SAFETY: the range is this mapping, and no other code knows of it: copies are made through `&self` only.
        unsafe { libc::munmap(self.at.as_ptr().cast(), self.len) };
        self.place.start.store(0, Ordering::SeqCst);
        self.place.end.store(0, Ordering::SeqCst);
    }
}

/// Bytes of a page of memory.
pub fn page_bytes() -> usize {
    static BYTES: OnceLock<usize> = OnceLock::new();
    // SAFETY: it only returns a number.
    *BYTES.get_or_init(|| usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096))
}

/// Where a mapping is, for the handler, which may take no lock.
#[derive(Debug)]
struct Place {
    start: AtomicUsize,
    /// 0 when the place is free.
    end: AtomicUsize,
    is_lost: AtomicBool,
}

static PLACES: [Place; MAPPINGS_MAX] =
    [const { Place { start: AtomicUsize::new(0), end: AtomicUsize::new(0), is_lost: AtomicBool::new(false) } }; MAPPINGS_MAX];
static MAKING: Mutex<()> = Mutex::new(());
/// The handler of SIGBUS before ours.
static BEFORE: AtomicPtr<libc::sigaction> = AtomicPtr::new(ptr::null_mut());
static PAGE_MASK: AtomicUsize = AtomicUsize::new(0);

fn catch_sigbus() -> io::Result<()> {
    static CAUGHT: OnceLock<bool> = OnceLock::new();
    let is_caught = *CAUGHT.get_or_init(|| {
        PAGE_MASK.store(!(page_bytes() - 1), Ordering::SeqCst);
        // SAFETY: `sigaction` is a C struct of numbers and an optional pointer, for which zeros are values.
        let mut ours: libc::sigaction = unsafe { std::mem::zeroed() };
        ours.sa_sigaction = on_sigbus as *const () as usize;
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        // SAFETY: as above.
        let before = Box::leak(Box::new(unsafe { std::mem::zeroed::<libc::sigaction>() }));
        // SAFETY: both point to live structs; the mask of `ours`, all zeros, is the empty set; the handler keeps to what a handler may do.
        let is_set = unsafe { libc::sigaction(libc::SIGBUS, &ours, before) } == 0;
        BEFORE.store(before, Ordering::SeqCst);
        is_set
    });
    if is_caught { Ok(()) } else { Err(io::Error::other("SIGBUS cannot be caught")) }
}

/// Runs in the thread that touched the page, between the touch and its repetition. Uses atomics and system calls only, as a handler must.
extern "C" fn on_sigbus(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the system passes a valid `info` to a handler with SA_SIGINFO. A positive code says that it is about an address.
    let (code, at) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
    let is_in = |place: &&Place| (place.start.load(Ordering::SeqCst)..place.end.load(Ordering::SeqCst)).contains(&at);
    if code > 0
        && let Some(place) = PLACES.iter().find(is_in)
    {
        place.is_lost.store(true, Ordering::SeqCst);
        let mask = PAGE_MASK.load(Ordering::SeqCst);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        // SAFETY: the page lies in a mapping of ours, which cannot end meanwhile: the thread that touched it borrows it. Only copies
        // read it, and they look at `is_lost` afterwards. `mmap` is a bare system call; on success it leaves errno alone.
        let page = unsafe { libc::mmap((at & mask) as *mut libc::c_void, !mask + 1, libc::PROT_READ, flags, -1, 0) };
        if page != libc::MAP_FAILED {
            return;
        }
    }
    // Not ours: the handler before ours decides, or the touch is repeated and ends the process, as it would have without us.
    // SAFETY: `BEFORE` is null or a struct that is never freed.
    let before = unsafe { BEFORE.load(Ordering::SeqCst).as_ref() };
    match before {
        Some(before) if before.sa_sigaction > libc::SIG_IGN && before.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: with SA_SIGINFO it is the address of a handler with these three arguments.
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                unsafe { std::mem::transmute(before.sa_sigaction) };
            handler(signal, info, context);
        }
        // SAFETY: `signal` may be called in a handler.
        _ => drop(unsafe { libc::signal(libc::SIGBUS, libc::SIG_DFL) }),
    }
}

#[cfg(target_arch = "x86_64")]
const LINE_BYTES: usize = 64;
/// Beyond, the processor predicts the copy by itself.
#[cfg(target_arch = "x86_64")]
const AHEAD_BYTES_MAX: usize = 2048;
/// Mappings that there may be at a time.
pub const MAPPINGS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(bytes: &[u8]) -> std::fs::File {
        let mut file = tempfile::tempfile().expect("file");
        file.write_all(bytes).expect("writes");
        file
    }

    fn map(file: &std::fs::File, len: usize) -> Mapping {
        Mapping::new(file, len).expect("maps").expect("has a place")
    }

    #[test]
    fn copies_what_is_there_and_nothing_beyond() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
        let file = file(&bytes);
        let mapping = map(&file, bytes.len());
        let mut out = b">".to_vec();
        assert!(mapping.append_to(4095, 5000, &mut out) && mapping.append_to(99_999, 1, &mut out));
        assert_eq!(out, [b">", &bytes[4095..9095], &bytes[99_999..]].concat());
        for (offset, len) in [(99_999, 2), (100_000, 1), (usize::MAX, 2)] {
            mapping.fetch_ahead(offset, len);
            assert!(!mapping.append_to(offset, len, &mut out), "{len} from {offset}");
        }
        assert_eq!(out.len(), 5002);
        assert_eq!(mapping.resident_pages(0, 16), 0xFFFF, "just written");
        assert_eq!(mapping.resident_pages(1, 64), u64::MAX >> (64 - (bytes.len().div_ceil(page_bytes()) - 1)), "to the end");
        assert_eq!(mapping.resident_pages(bytes.len() / page_bytes() + 1, 64), 0, "behind the end");
        assert!(Mapping::new(&file, bytes.len() + 1).expect("looks").is_none(), "longer than the file");
    }

    #[test]
    fn a_cut_file_costs_the_mapping_and_not_the_process() {
        let bytes = vec![7; 40 * page_bytes()];
        let (cut, whole) = (file(&bytes), file(&bytes));
        let (lost, kept) = (map(&cut, bytes.len()), map(&whole, bytes.len()));
        cut.set_len(page_bytes() as u64).expect("cuts");
        // Several threads meet the same pages; none may take the zeros for contents.
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for page in 0..40 {
                        let mut out = Vec::new();
                        let is_there = lost.append_to(page * page_bytes(), page_bytes(), &mut out);
                        assert!(!is_there || out.iter().all(|byte| *byte == 7), "page {page}");
                    }
                });
            }
        });
        let mut out = Vec::new();
        assert!(lost.is_lost() && !lost.append_to(0, 1, &mut out));
        assert!(kept.append_to(0, bytes.len(), &mut out) && !kept.is_lost());
        drop(lost);
        assert!(!map(&whole, 10).is_lost(), "its place is as new");
    }

    #[test]
    fn a_signal_of_another_mapping_reaches_the_handler_before_ours() {
        static SEEN: AtomicUsize = AtomicUsize::new(0);
        extern "C" fn note(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
            SEEN.fetch_add(1, Ordering::SeqCst);
        }
        catch_sigbus().expect("catches");
        // SAFETY: a struct of numbers and an optional pointer.
        let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
        before.sa_sigaction = note as *const () as usize;
        before.sa_flags = libc::SA_SIGINFO;
        let known = BEFORE.swap(&raw mut before, Ordering::SeqCst);
        // SAFETY: our handler is installed, and `before` lives until the next line but one.
        unsafe { libc::raise(libc::SIGBUS) };
        BEFORE.store(known, Ordering::SeqCst);
        assert_eq!(SEEN.load(Ordering::SeqCst), 1);
    }
}
