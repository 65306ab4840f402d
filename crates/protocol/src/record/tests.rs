//! Records there and back, and what breaks them.

use super::placing::{blank, fill_light_room, place, start_atomic_batch};
use super::store_host::set_store_host;
use super::*;
use crate::light::{light_places, light_room};
use proptest::prelude::*;
use std::net::Ipv6Addr;

fn draft<'a>(topic: &'a str, body: &'a [u8], properties: &'a str) -> Draft<'a> {
    Draft {
        topic,
        queue_id: 3,
        flag: 7,
        sys_flag: 0,
        born_timestamp: Timestamp(1_700_000_000_001),
        born_host: SocketAddr::from(([10, 0, 0, 1], 54321)),
        store_host: SocketAddr::from(([127, 0, 0, 1], 10911)),
        reconsume_times: 2,
        prepared_transaction_offset: 9,
        body,
        properties,
    }
}

#[test]
fn says_how_many_stay_together_with_addresses_of_either_kind() {
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 1));
    let plain = draft("T", b"hi", "");
    for draft in
        [plain, Draft { born_host: v6, ..plain }, Draft { store_host: v6, ..plain }, Draft { born_host: v6, store_host: v6, ..plain }]
    {
        let mut bytes = Vec::new();
        draft.encode(&mut bytes).expect("fits");
        assert_eq!(Record::parse(&bytes).expect("reads").0.atomic_batch_len(), 1);
        start_atomic_batch(&mut bytes, 129);
        let (record, _) = Record::parse(&bytes).expect("reads");
        assert_eq!((record.atomic_batch_len(), record.body, record.reconsume_times), (129, &b"hi"[..], 2));
    }
}

#[test]
fn a_record_says_that_it_is_stored_where_its_reader_reaches_the_broker() {
    let [v4, other_v4, v6, other_v6] = ["10.0.0.1:10911", "127.0.0.1:10911", "[2001:db8::1]:10911", "[::1]:10911"]
        .map(|text| text.parse::<SocketAddr>().expect("address"));
    // Of an older start, of another address, of clients of either kind: all in one answer.
    let hosts = [(v4, v4), (v6, v4), (v4, v6), (v6, v6), (v4, other_v4)];
    let encoded = |store_host: Option<SocketAddr>| {
        let mut bytes = Vec::new();
        for (n, (born_host, stored_at)) in hosts.into_iter().enumerate() {
            let start = bytes.len();
            let store_host = store_host.unwrap_or(stored_at);
            Draft { born_host, store_host, ..draft("Topic", b"body", "a\u{1}b\u{2}") }.encode(&mut bytes).expect("fits");
            place(&mut bytes[start..], QueueOffset(n as i64), LogOffset(100 + n as i64), Timestamp(77));
        }
        bytes
    };
    for host in [v4, other_v4, v6, other_v6] {
        let mut bytes = encoded(None);
        set_store_host(&mut bytes, host);
        assert_eq!(bytes, encoded(Some(host)), "{host}");
        set_store_host(&mut bytes, host);
        assert_eq!(bytes, encoded(Some(host)), "{host}, twice");
    }
    // Bytes that are not a record stay as they are.
    for junk in [&b""[..], b"short", &[0; 200]] {
        let mut bytes = encoded(None);
        bytes.extend_from_slice(junk);
        set_store_host(&mut bytes, v6);
        assert_eq!(bytes, [&encoded(Some(v6)), junk].concat());
    }
}

#[test]
fn offsets_come_back_from_their_room() {
    for offsets in [vec![0], vec![3, 17], vec![i64::MAX; 3], vec![9, 10, 99, 100, 0]] {
        let mut room = vec![0; light_room(offsets.len())];
        fill_light_room(&mut room, offsets.iter().copied());
        let dispatch: Vec<_> = (0..offsets.len()).map(|n| format!("%LMQ%{n}")).collect();
        let text = format!("INNER_MULTI_DISPATCH\u{1}{}\u{2}INNER_MULTI_QUEUE_OFFSET\u{1}", dispatch.join(","));
        let text = text + std::str::from_utf8(&room).expect("text");
        let read: Vec<_> = light_places("T", Properties::new(&text)).map(|(_, offset)| offset).collect();
        assert_eq!(read, offsets);
        let joined = offsets.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        assert_eq!(Properties::new(&text).find("INNER_MULTI_QUEUE_OFFSET"), Some(&*joined));
    }
}

#[test]
fn has_javas_bytes() {
    let mut bytes = Vec::new();
    let len = draft("T", b"hi", "a\u{1}b\u{2}").encode(&mut bytes).expect("fits");
    place(&mut bytes, QueueOffset(5), LogOffset(0x1122), Timestamp(1_700_000_000_002));
    #[rustfmt::skip]
    let expected: &[u8] = &[
        0, 0, 0, 98,  0xDA, 0xA3, 0x20, 0xA7,  0x58, 0x93, 0x2A, 0xAC,  0, 0, 0, 3,  0, 0, 0, 7,
        0, 0, 0, 0, 0, 0, 0, 5,  0, 0, 0, 0, 0, 0, 0x11, 0x22,  0, 0, 0, 0,
        0, 0, 0x01, 0x8B, 0xCF, 0xE5, 0x68, 0x01,  10, 0, 0, 1, 0, 0, 0xD4, 0x31,
        0, 0, 0x01, 0x8B, 0xCF, 0xE5, 0x68, 0x02,  127, 0, 0, 1, 0, 0, 0x2A, 0x9F,
        0, 0, 0, 2,  0, 0, 0, 0, 0, 0, 0, 9,  0, 0, 0, 2, b'h', b'i',  1, b'T',  0, 4, b'a', 1, b'b', 2,
    ];
    assert_eq!(len, expected.len());
    assert_eq!(bytes, expected);
}

#[test]
fn a_long_topic_makes_it_v2_and_ipv6_sets_the_bits() {
    let topic = "t".repeat(128);
    let mut one = draft(&topic, b"", "");
    one.born_host = "[2001:db8::1]:1".parse().expect("address");
    one.store_host = "[2001:db8::2]:2".parse().expect("address");
    let mut bytes = Vec::new();
    assert_eq!(one.encode(&mut bytes), Ok(bytes.len()));
    place(&mut bytes, QueueOffset(1), LogOffset(2), Timestamp(3));
    let (record, len) = Record::parse(&bytes).expect("reads");
    assert_eq!((len, record.magic, record.sys_flag), (bytes.len(), MAGIC_V2, 0x30));
    assert_eq!((record.born_host, record.store_host), (one.born_host, one.store_host));
    assert_eq!((record.queue_offset, record.log_offset, record.store_timestamp), (QueueOffset(1), LogOffset(2), Timestamp(3)));
    assert_eq!(record.topic, topic);
}

#[test]
fn refuses_what_a_record_cannot_carry() {
    let refused = |topic: &str, properties: &str| draft(topic, b"", properties).encode(&mut Vec::new()).expect_err("refused");
    assert_eq!(refused("", ""), DraftError::TopicEmpty);
    assert_eq!(refused(&"t".repeat(256), ""), DraftError::TopicTooLong(256));
    assert_eq!(refused("t", &"p".repeat(32768)), DraftError::PropertiesTooLong(32768));
}

#[test]
fn tells_blank_zeros_and_nonsense_apart() {
    assert_eq!(Record::parse(&blank(77)), Err(RecordError::Blank(77)));
    assert_eq!(Record::parse(&[0; 200]), Err(RecordError::Magic(0)));
    assert_eq!(Record::parse(&[]), Err(RecordError::Truncated { needed: 8, there: 0 }));
    let mut bytes = Vec::new();
    draft("T", b"hi", "").encode(&mut bytes).expect("fits");
    bytes[..4].copy_from_slice(&(-1_i32).to_be_bytes());
    assert_eq!(Record::parse(&bytes), Err(RecordError::TotalSize(-1)));
}

fn any_host() -> impl Strategy<Value = SocketAddr> {
    (any::<bool>(), any::<[u8; 16]>(), any::<u16>()).prop_map(|(v6, octets, port)| match v6 {
        true => SocketAddr::from((octets, port)),
        false => SocketAddr::from(([octets[0], octets[1], octets[2], octets[3]], port)),
    })
}

fn any_record() -> impl Strategy<Value = Vec<u8>> {
    let text = ("[a-z]{1,200}", "[^\u{0}]{0,40}", prop::collection::vec(any::<u8>(), 0..300));
    (text, any_host(), any_host(), any::<(i32, i32, i64, i64, i64)>()).prop_map(|((topic, properties, body), born, store, n)| {
        let draft = Draft {
            topic: &topic,
            queue_id: n.0 as u32 >> 1,
            flag: n.1,
            sys_flag: n.0,
            born_timestamp: Timestamp(n.2),
            born_host: born,
            store_host: store,
            reconsume_times: n.1,
            prepared_transaction_offset: n.3,
            body: &body,
            properties: &properties,
        };
        let mut bytes = Vec::new();
        draft.encode(&mut bytes).expect("fits");
        place(&mut bytes, QueueOffset(n.4), LogOffset(n.3), Timestamp(n.2));
        let (record, _) = Record::parse(&bytes).expect("reads back");
        assert_eq!((record.topic, record.properties, record.body), (topic.as_str(), properties.as_str(), &body[..]));
        assert_eq!((record.born_host, record.store_host), (born, store));
        assert_eq!((record.queue_offset.0, record.log_offset.0, record.store_timestamp.0), (n.4, n.3, n.2));
        assert!(record.body_is_intact());
        bytes
    })
}

proptest! {
    #[test]
    fn records_come_back(stream in prop::collection::vec(any_record(), 0..5)) {
        let bytes = stream.concat();
        prop_assert_eq!(records(&bytes).filter(Result::is_ok).count(), stream.len());
    }

    #[test]
    fn a_cut_record_is_truncated(bytes in any_record(), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(bytes.len());
        let is_truncated = matches!(Record::parse(&bytes[..cut]), Err(RecordError::Truncated { .. }));
        prop_assert!(is_truncated);
    }

    #[test]
    fn hostile_records_do_no_harm(mut bytes in any_record(), hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        for (at, value) in hits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok((record, len)) = Record::parse(&bytes) {
            prop_assert!(len <= bytes.len() && record.body.len() < len);
        }
        set_store_host(&mut bytes, SocketAddr::from(([0; 16], 1)));
        set_store_host(&mut bytes, SocketAddr::from(([0; 4], 1)));
    }

    #[test]
    fn any_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200), magic in any::<bool>()) {
        let mut bytes = bytes;
        if magic && bytes.len() > 8 {
            bytes[4..8].copy_from_slice(&MAGIC_V1.to_be_bytes());
            bytes[..3].fill(0);
        }
        let _ = Record::parse(&bytes);
        prop_assert!(records(&bytes).count() <= 3);
    }
}
