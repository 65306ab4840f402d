//! Where inputs come from: golden frames and their parts, changed a little or a lot.

use roxmq_protocol::frame;
use roxmq_protocol::record::Record;
use std::path::Path;

/// Golden inputs longer than this are cut: speed finds more than size.
const INPUT_BYTES_MAX: usize = 4096;
/// As long as the sample of an index file, which has whole blocks.
const CHANGED_BYTES_MAX: usize = 16 * 1024;

/// What inputs are made from, by what decoders read.
pub struct Corpus {
    /// Golden frames, their headers and their bodies.
    pub wire: Vec<Vec<u8>>,
    /// JSON bodies and tables as Java writes them.
    pub json: Vec<Vec<u8>>,
    /// SQL92 expressions.
    pub sql: Vec<Vec<u8>>,
    /// Records, index files and marks.
    pub store: Vec<Vec<u8>>,
    /// Short texts: names, properties, settings, marks.
    pub texts: Vec<Vec<u8>>,
}

/// Which part of it a decoder's inputs are made from.
pub type Source = fn(&Corpus) -> &[Vec<u8>];

/// Reads it from the tests of the crates.
pub fn corpus() -> Corpus {
    let crates = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let golden = crates.join("protocol/tests/golden");
    let mut paths: Vec<_> = std::fs::read_dir(golden).expect("the golden frames").flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let (mut wire, mut store) = (Vec::new(), roxmq_store::decoders::samples());
    store.push(roxmq_broker::decoders::some_journal());
    for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "bin")) {
        let bytes = std::fs::read(path).expect("a golden frame");
        if let Ok(Some(frame)) = frame::split(&bytes) {
            wire.push(frame.header.to_vec());
            if !frame.body.is_empty() {
                wire.push(frame.body.to_vec());
            }
            if Record::parse(frame.body).is_ok() {
                store.push(frame.body.to_vec());
            }
        }
        wire.push(bytes);
    }
    // Each line is what a text stands for, and the text.
    let second = |path: &str, between: char| -> Vec<Vec<u8>> {
        let text = std::fs::read_to_string(crates.join(path)).expect("texts of a test");
        text.lines().filter_map(|line| Some(line.split_once(between)?.1.as_bytes().to_vec())).collect()
    };
    let mut json = second("protocol/src/body/golden-java-5.5.0.txt", ' ');
    json.extend(TABLES.iter().map(|table| table.as_bytes().to_vec()));
    let sql = second("broker/tests/sql92/expressions.txt", '\t');
    let texts = TEXTS.iter().map(|text| text.as_bytes().to_vec()).collect();
    let mut corpus = Corpus { wire, json, sql, store, texts };
    for part in [&mut corpus.wire, &mut corpus.json, &mut corpus.sql, &mut corpus.texts] {
        part.iter_mut().for_each(|input| input.truncate(INPUT_BYTES_MAX));
    }
    corpus
}

const TABLES: &[&str] = &[
    r#"{"table":"topics","key":"T","version":{"counter":3,"stateVersion":0,"timestamp":7},"topic":{"topicName":"T","perm":6}}"#,
    r#"{"offsetTable":{"Topic@group":{0:7,1:9}},"crc32":"00000000"}"#,
    r#"{"offsetTable":{1:7,18:9}}"#,
    r#"{"half":3,"op":4}"#,
    r#"{"dueMs":1700000000000,"logOffset":4096,"marks":3}"#,
    r#"{"configTable":{"ORDER_TOPIC_CONFIG":{"Topic":"broker-a:4;broker-b:4"}}}"#,
];

const TEXTS: &[&str] = &[
    "key=value\nother : 12 \\\n 3\n# no\n",
    "TAGS\u{1}a\u{2}KEYS\u{1}b c\u{2}",
    "INNER_MULTI_DISPATCH\u{1}%LMQ%a,%LMQ%b\u{2}INNER_MULTI_QUEUE_OFFSET\u{1}3,17\u{2}",
    "1700000000000:4096,1700000000001:8192",
    "djEgdG9waWMgYnJva2VyIDE3MDAwMDAwMDAwMDAgaWQ=",
    "%RETRY%group",
    "AC11000100002A9F0000000000000000",
];

/// Makes the next input.
pub fn next(rng: &mut fastrand::Rng, corpus: &[Vec<u8>], input: &mut Vec<u8>) {
    input.clear();
    input.extend_from_slice(&corpus[rng.usize(..corpus.len())]);
    for _ in 0..rng.usize(1..8) {
        change(rng, corpus, input);
    }
    input.truncate(CHANGED_BYTES_MAX);
}

fn change(rng: &mut fastrand::Rng, corpus: &[Vec<u8>], input: &mut Vec<u8>) {
    if input.is_empty() {
        input.push(rng.u8(..));
        return;
    }
    let at = rng.usize(..input.len());
    match rng.u8(..9) {
        0 => input[at] ^= 1 << rng.u8(..8),
        1 => input[at] = rng.u8(..),
        2 => input.truncate(at),
        3 => drop(input.drain(at..(at + rng.usize(..16)).min(input.len()))),
        4 => {
            let byte = rng.u8(..);
            input.splice(at..at, std::iter::repeat_n(byte, rng.usize(..32)));
        }
        5 => put_integer(rng, input, at),
        6 => {
            let other = &corpus[rng.usize(..corpus.len())];
            let from = rng.usize(..=other.len());
            let to = (from + rng.usize(..64)).min(other.len());
            input.splice(at..at, other[from..to].iter().copied());
        }
        7 => {
            let word = [&b"\""[..], b"{", b"[", b"}", b"\\u", b"\\ud800", b"null", b"-1", b"9999999999", b"\x01", b"\x02", b"{{", b":"];
            input.splice(at..at, word[rng.usize(..word.len())].iter().copied());
        }
        _ => {
            let repeated: Vec<u8> = input[at..(at + 8).min(input.len())].repeat(rng.usize(1..64));
            input.splice(at..at, repeated);
        }
    }
}

/// Lengths are what decoders trust too easily.
fn put_integer(rng: &mut fastrand::Rng, input: &mut [u8], at: usize) {
    let value: i32 = match rng.u8(..6) {
        0 => i32::MAX,
        1 => i32::MIN,
        2 => -1,
        3 => 0,
        4 => input.len() as i32,
        _ => rng.i32(..),
    };
    for (byte, new) in input[at..].iter_mut().zip(value.to_be_bytes()) {
        *byte = new;
    }
}
