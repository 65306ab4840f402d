//! How does an offset message id name a stored message?

use crate::position::LogOffset;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The offset message id (`MessageDecoder.createMessageId`): the broker that has the message, and the position in its log.
///
/// As text: upper-case hex of the address (4 or 16 bytes), the port (4) and the log offset (8); 32 or 56 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageId {
    /// The broker's advertised address.
    pub store_host: SocketAddr,
    /// Where the record starts in its log.
    pub log_offset: LogOffset,
}

impl MessageId {
    /// Parses digits of either case; `None` if `text` is not an offset message id. A client's unique key may look like one.
    pub fn parse(text: &str) -> Option<MessageId> {
        let digits = text.as_bytes();
        let address_len = match digits.len() {
            32 => 4,
            56 => 16,
            _ => return None,
        };
        let mut bytes = [0; 28];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = (hex_digit(pair[0])? << 4) | hex_digit(pair[1])?;
        }
        let ip = match address_len {
            4 => IpAddr::V4(Ipv4Addr::from(*bytes.first_chunk::<4>()?)),
            _ => IpAddr::V6(Ipv6Addr::from(*bytes.first_chunk::<16>()?)),
        };
        let port = u16::try_from(u32::from_be_bytes(*bytes[address_len..].first_chunk()?)).ok()?;
        let log_offset = LogOffset(i64::from_be_bytes(*bytes[address_len + 4..].first_chunk()?));
        (log_offset.0 >= 0).then_some(MessageId { store_host: SocketAddr::new(ip, port), log_offset })
    }

    /// Appends the text to `out`.
    pub fn write(&self, out: &mut String) {
        let mut hex = |bytes: &[u8]| {
            let mut digits = [0; 32];
            for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
                pair.copy_from_slice(&[HEX_DIGITS[usize::from(byte >> 4)], HEX_DIGITS[usize::from(byte & 15)]]);
            }
            out.push_str(std::str::from_utf8(&digits[..2 * bytes.len()]).unwrap_or_default());
        };
        match self.store_host.ip() {
            IpAddr::V4(ip) => hex(&ip.octets()),
            IpAddr::V6(ip) => hex(&ip.octets()),
        }
        hex(&u32::from(self.store_host.port()).to_be_bytes());
        hex(&self.log_offset.0.to_be_bytes());
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(56);
        self.write(&mut text);
        f.write_str(&text)
    }
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

const HEX_DIGITS: &[u8; 16] = b"0123456789ABCDEF";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn message_ids_are_javas() {
        let id = MessageId { store_host: SocketAddr::from(([127, 0, 0, 1], 10911)), log_offset: LogOffset(0x1F) };
        assert_eq!(id.to_string(), "7F00000100002A9F000000000000001F");
        assert_eq!(MessageId::parse("7f00000100002A9F000000000000001F"), Some(id));
        let v6 = MessageId { store_host: "[::1]:10911".parse().expect("address"), log_offset: LogOffset(1) };
        assert_eq!(v6.to_string().len(), 56);
        assert_eq!(MessageId::parse(&v6.to_string()), Some(v6));
        assert_eq!(MessageId::parse("7F00000100012A9F000000000000001F"), None, "port beyond 65535");
        assert_eq!(MessageId::parse("7F00000100002A9FF00000000000001F"), None, "negative offset");
        assert_eq!(MessageId::parse("+F00000100002A9F000000000000001F"), None);
        assert_eq!(MessageId::parse("中文"), None);
    }

    fn any_host() -> impl Strategy<Value = SocketAddr> {
        (any::<bool>(), any::<[u8; 16]>(), any::<u16>()).prop_map(|(v6, octets, port)| match v6 {
            true => SocketAddr::from((octets, port)),
            false => SocketAddr::from(([octets[0], octets[1], octets[2], octets[3]], port)),
        })
    }

    proptest! {
        #[test]
        fn ids_come_back(host in any_host(), offset in 0..i64::MAX, noise in ".{0,60}") {
            let id = MessageId { store_host: host, log_offset: LogOffset(offset) };
            prop_assert_eq!(MessageId::parse(&id.to_string()), Some(id));
            let _ = MessageId::parse(&noise);
        }
    }
}
