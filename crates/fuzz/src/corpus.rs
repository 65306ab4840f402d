//! Where do inputs come from? From golden frames and their parts, and from samples of files and texts.

use roxmq_protocol::frame;
use roxmq_protocol::record::Record;
use std::path::Path;

/// Golden inputs longer than this are cut: speed finds more than size.
const INPUT_BYTES_MAX: usize = 4096;

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
pub fn read() -> Corpus {
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
