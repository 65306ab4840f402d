//! How is a message's unique key (`UNIQ_KEY`) made?

use crate::time::Timestamp;
use std::fmt::Write;
use std::net::IpAddr;

/// Makes unique keys for messages that come without one. Like those of clients, they have 32 hex digits:
///
/// ```text
/// address 8 | process 4 | salt 8 | time 8 | count 4
/// ```
#[derive(Debug)]
pub struct UniqueKeys {
    process: u16,
    salt: u32,
    count: u16,
}

impl UniqueKeys {
    /// Keys of one thread. A random `salt` keeps them apart from those of other threads and other runs.
    pub fn new(process: u16, salt: u32) -> UniqueKeys {
        UniqueKeys { process, salt, count: 0 }
    }

    /// The next one. Of an IPv6 `address` the last four bytes count.
    pub fn next(&mut self, address: IpAddr, now: Timestamp) -> String {
        self.count = self.count.wrapping_add(1);
        let address = match address {
            IpAddr::V4(ip) => u32::from(ip),
            IpAddr::V6(ip) => ip.segments()[6..].iter().fold(0, |address, part| address << 16 | u32::from(*part)),
        };
        let mut key = String::with_capacity(32);
        // Writing to a String cannot fail.
        let _ = write!(key, "{address:08X}{:04X}{:08X}{:08X}{:04X}", self.process, self.salt, now.0 as u32, self.count);
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_look_like_those_of_clients() {
        let mut keys = UniqueKeys::new(0xABCD, 0x12);
        let now = Timestamp(0x1_0000_00FF);
        assert_eq!(keys.next([10, 0, 0, 1].into(), now), "0A000001ABCD00000012000000FF0001");
        assert_eq!(keys.next("2001:db8::a00:2".parse().expect("address"), now), "0A000002ABCD00000012000000FF0002");
        keys.count = u16::MAX;
        assert_eq!(keys.next([10, 0, 0, 1].into(), now).len(), 32);
    }
}
