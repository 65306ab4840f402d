//! How is the next segment made while there is time?

use roxmq_env::disk::File;
use std::io;

/// The next segment, while it is being made.
#[derive(Debug)]
pub(crate) struct NextSegment {
    file: File,
    pub bytes: u64,
    zeroed: u64,
}

impl NextSegment {
    /// Of a file that has its room already, and of which `zeroed` bytes need not be filled with zeros any more.
    pub fn new(file: File, bytes: u64, zeroed: u64) -> NextSegment {
        NextSegment { file, bytes, zeroed }
    }

    /// Fills some more of it with zeros, as long as `go_on` says so; whether it is ready, and durable.
    pub fn make_ready(&mut self, go_on: impl Fn() -> bool) -> io::Result<bool> {
        let zeros = vec![0; ZEROS_BYTES];
        let stop_at = self.bytes.min(self.zeroed + ZEROS_BYTES_PER_TURN);
        while self.zeroed < stop_at && go_on() {
            let len = (stop_at - self.zeroed).min(ZEROS_BYTES as u64);
            self.file.write_at(self.zeroed, &zeros[..len as usize])?;
            self.zeroed += len;
            if self.zeroed.is_multiple_of(ZEROS_SYNC_BYTES) {
                // A little at a time, so that no sync of an append has to carry it all.
                self.file.sync_data()?;
            }
        }
        if self.zeroed < self.bytes {
            return Ok(false);
        }
        self.file.sync_data()?;
        Ok(true)
    }
}

const ZEROS_BYTES: usize = 1 << 20;
const ZEROS_SYNC_BYTES: u64 = 16 << 20;
const ZEROS_BYTES_PER_TURN: u64 = 128 << 20;
