//! Which bytes of a file can be copied without waiting for the disk?
//!
//! A file is looked at in windows of 48 pages. What the system says of a window is believed for a second: by then a page may have gone,
//! and is waited for, which is rare. What it does not have is asked for each time, as it may have been read since.

use roxmq_env::disk::{Mapping, page_bytes};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A mapped file, and what is known to be in memory of it.
#[derive(Debug)]
pub(crate) struct CachedView {
    mapping: Mapping,
    /// For each window: the pages that are in memory, and above them the tick at which that was seen.
    windows: Box<[AtomicU64]>,
}

/// What makes bytes count as being in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cached {
    /// They were written a moment ago.
    JustWritten,
    /// The system said so, as of this time since the store was opened.
    AsOf(Duration),
}

impl CachedView {
    pub fn new(mapping: Mapping, bytes: u64) -> CachedView {
        let windows = (bytes as usize).div_ceil(PAGES_PER_WINDOW * page_bytes());
        CachedView { mapping, windows: (0..windows).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Appends the bytes to `out`; false, with nothing appended, if they cannot be had without waiting.
    pub fn append_to(&self, bytes: Range<usize>, known: Cached, out: &mut Vec<u8>) -> bool {
        let is_there = match known {
            Cached::JustWritten => true,
            Cached::AsOf(now) => self.is_resident(&bytes, now),
        };
        is_there && self.mapping.append_to(bytes.start, bytes.len(), out)
    }

    /// See [`Mapping::fetch_ahead`].
    pub fn fetch_ahead(&self, at: usize, len: usize) {
        self.mapping.fetch_ahead(at, len);
    }

    /// Whether the disk failed under it.
    pub fn is_lost(&self) -> bool {
        self.mapping.is_lost()
    }

    fn is_resident(&self, bytes: &Range<usize>, now: Duration) -> bool {
        let tick = (now.as_millis() / TICK_MS) as u16;
        let (first, last) = (bytes.start / page_bytes(), bytes.end.saturating_sub(1) / page_bytes());
        let windows = first / PAGES_PER_WINDOW..=last / PAGES_PER_WINDOW;
        windows.into_iter().all(|window| {
            let start = window * PAGES_PER_WINDOW;
            let (from, to) = (first.max(start) - start, last.min(start + PAGES_PER_WINDOW - 1) - start);
            let needed = (PAGES << from) & (PAGES >> (PAGES_PER_WINDOW - 1 - to));
            let Some(known) = self.windows.get(window) else { return false };
            let seen = known.load(Ordering::Relaxed);
            let is_fresh = tick.wrapping_sub((seen >> PAGES_PER_WINDOW) as u16) < TICKS_BELIEVED;
            if is_fresh && seen & needed == needed {
                return true;
            }
            let pages = self.mapping.resident_pages(start, PAGES_PER_WINDOW);
            known.store(u64::from(tick) << PAGES_PER_WINDOW | pages, Ordering::Relaxed);
            pages & needed == needed
        })
    }
}

/// A window's pages and its tick fill 64 bits.
const PAGES_PER_WINDOW: usize = 48;
/// All pages of a window.
const PAGES: u64 = (1 << PAGES_PER_WINDOW) - 1;
const TICK_MS: u128 = 125;
const TICKS_BELIEVED: u16 = 8;
