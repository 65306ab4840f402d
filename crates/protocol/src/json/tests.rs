//! What the reader forgives, what it refuses, and that it reads everything the writer writes.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Dialect, JsonError, from_slice, to_vec};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Key {
    name: String,
    queue_id: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
enum Kind {
    #[default]
    Zero,
    One,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Body {
    by_key: BTreeMap<Key, i64>,
    by_number: BTreeMap<i64, String>,
    by_text: BTreeMap<String, Vec<Key>>,
    flag: bool,
    kind: Kind,
    maybe: Option<String>,
    number: i64,
    rate: f64,
    text: String,
}

fn read<T: DeserializeOwned>(text: &str) -> T {
    from_slice(text.as_bytes()).unwrap_or_else(|error| panic!("{error} in {text}"))
}

fn body(text: &str) -> Body {
    read(text)
}

#[test]
fn one_body_in_many_spellings() {
    let expected = Body {
        by_key: BTreeMap::from([(Key { name: "a".into(), queue_id: 3 }, 7)]),
        by_number: BTreeMap::from([(0, "x".into()), (-2, "y".into())]),
        flag: true,
        kind: Kind::One,
        number: 12,
        rate: 1.5,
        text: "é".into(),
        ..Body::default()
    };
    for spelling in [
        r#"{"byKey":{{"name":"a","queueId":3}:7},"byNumber":{-2:"y",0:"x"},"flag":true,"kind":"One","number":12,"rate":1.5,"text":"é"}"#,
        r#"{byKey:{{name:'a',queueId:"3"}:"7"},byNumber:{"-2":"y","0":"x"},flag:"true",kind:1,number:"12",rate:"1.5",text:"\u00e9"}"#,
        r#"{"byKey":{"{\"name\":\"a\",\"queueId\":3}":7},"byNumber":{0:"x",-2:"y",},"flag":1,"kind":"1","number":12.9,"rate":1.5,"text":'\xe9',}"#,
        "\u{feff} {,,\"byKey\" : { { 'name' : 'a' , 'queueId' : 3 } : 7L } ,\n\"byNumber\":{0:'x'-2:'y'}\t\"flag\":Y \"kind\":One,\"number\":12L,\"rate\":1.5D,\"text\":\"é\"}\r\n\0",
        r#"{"unknown":[{},{"a":[1,{b:2}]},null],{"odd":1}:{2:3},"byKey":"null"}"#,
    ] {
        if spelling.contains("unknown") {
            assert!(from_slice::<Body>(spelling.as_bytes()).is_err(), "a map is not read from a text");
            assert_eq!(body(&spelling.replace("\"null\"", "null")), Body::default());
            continue;
        }
        assert_eq!(body(spelling), expected, "{spelling}");
    }
}

#[test]
fn null_is_the_empty_value_of_whatever_is_wanted() {
    let nulls = r#"{"byKey":null,"byNumber":null,"byText":null,"flag":null,"maybe":null,"number":null,"rate":null,"text":null}"#;
    assert_eq!(body(nulls), Body::default());
    assert_eq!(body(r#"{"flag":"","number":"","rate":""}"#), Body::default());
    assert_eq!(body("null"), Body::default());
}

#[test]
fn the_first_of_repeated_members_counts() {
    assert_eq!(body(r#"{"number":1,"number":2}"#).number, 1);
}

#[test]
fn numbers_and_booleans_can_be_texts() {
    assert_eq!(body(r#"{"text":17}"#).text, "17");
    assert_eq!(body(r#"{"text":true}"#).text, "true");
    assert_eq!(body(r#"{"maybe":-1.5}"#).maybe.as_deref(), Some("-1.5"));
}

#[test]
fn escapes() {
    for (text, expected) in [
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""\u4e2d\ud83d\ude00""#, "中😀"),
        (r#""\ud83d""#, "\u{fffd}"),
        (r#""\ude00x""#, "\u{fffd}x"),
        (r#"'it\'s "so"'"#, "it's \"so\""),
        (r#""\x41\0\v""#, "A\0\u{b}"),
        ("\"a\nb\"", "a\nb"),
    ] {
        assert_eq!(read::<String>(text), expected, "{text}");
    }
    assert_eq!(from_slice::<String>(b"\"\xff\"").unwrap(), "\u{fffd}");
}

#[test]
fn what_is_refused() {
    for text in [
        "",
        "{",
        "[",
        "{\"number\"}",
        "{\"number\":}",
        "{\"number\":1",
        "{\"number\":1]",
        "{\"number\":x}",
        "{\"text\":x}",
        "{\"number\":1}}",
        "{} {}",
        "\"",
        "{\"text\":\"\\",
        "{\"text\":\"\\u12\"}",
        "{\"number\":99999999999999999999}",
        "{\"kind\":\"Two\"}",
        "{\"kind\":2}",
        "{\"byText\":7}",
        "{:1}",
        "]",
        ":",
        "{\"unknown\":}",
        "{\"unknown\"",
        "{\"rate\":NaN}",
    ] {
        assert!(from_slice::<Body>(text.as_bytes()).is_err(), "{text}");
    }
    assert_eq!(from_slice::<Body>(b"{\"number\":x}"), Err(JsonError::Expected { at: 10, expected: "a whole number" }));
}

#[test]
fn depth_is_bounded_where_it_costs_stack() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(from_slice::<Value>(nested(64).as_bytes()).is_ok());
    assert!(matches!(from_slice::<Value>(nested(65).as_bytes()), Err(JsonError::TooDeep { at: 64 })));
    assert!(from_slice::<IgnoredAny>(nested(1_000_000).as_bytes()).is_ok());
    assert!(from_slice::<Body>(format!("{{\"unknown\":{}}}", nested(1_000_000)).as_bytes()).is_ok());
    assert!(from_slice::<Value>("{".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn members_without_value_are_left_out() {
    #[derive(Serialize)]
    struct Optional {
        a: Option<i32>,
        b: f64,
        c: BTreeMap<&'static str, Option<i32>>,
        d: Vec<Option<i32>>,
        e: Option<&'static str>,
    }
    let value = Optional {
        a: None,
        b: f64::NAN,
        c: BTreeMap::from([("x", None), ("y", Some(1)), ("z", None)]),
        d: vec![None, Some(1)],
        e: Some("null"),
    };
    assert_eq!(to_vec(&value, Dialect::Fastjson), br#"{"c":{"y":1},"d":[null,1],"e":"null"}"#);
}

#[test]
fn keys_that_are_objects() {
    let table = BTreeMap::from([(Key { name: "a\"".into(), queue_id: 1 }, 2)]);
    assert_eq!(to_vec(&table, Dialect::Fastjson), br#"{{"name":"a\"","queueId":1}:2}"#);
    assert_eq!(to_vec(&table, Dialect::Standard), br#"{"{\"name\":\"a\\\"\",\"queueId\":1}":2}"#);
    let texts: BTreeMap<String, i32> = read(r#"{{"a":[1,{2:3}]}:7}"#);
    assert_eq!(texts, BTreeMap::from([(r#"{"a":[1,{2:3}]}"#.into(), 7)]));
}

fn key() -> impl Strategy<Value = Key> {
    (".{0,6}", any::<i32>()).prop_map(|(name, queue_id)| Key { name, queue_id })
}

fn bodies() -> impl Strategy<Value = Body> {
    (
        prop::collection::btree_map(key(), any::<i64>(), 0..4),
        prop::collection::btree_map(any::<i64>(), ".{0,8}", 0..4),
        prop::collection::btree_map(".{0,8}", prop::collection::vec(key(), 0..3), 0..4),
        any::<bool>(),
        prop_oneof![Just(Kind::Zero), Just(Kind::One)],
        prop::option::of(".{0,8}"),
        any::<i64>(),
        prop::num::f64::NORMAL | prop::num::f64::ZERO,
        any::<String>(),
    )
        .prop_map(|(by_key, by_number, by_text, flag, kind, maybe, number, rate, text)| Body {
            by_key,
            by_number,
            by_text,
            flag,
            kind,
            maybe,
            number,
            rate,
            text,
        })
}

proptest! {
    #[test]
    fn what_is_written_is_read(body in bodies()) {
        for dialect in [Dialect::Standard, Dialect::Fastjson] {
            prop_assert_eq!(&from_slice::<Body>(&to_vec(&body, dialect)).unwrap(), &body);
        }
        let strict = to_vec(&body, Dialect::Standard);
        prop_assert!(strict.is_ascii());
        serde_json::from_slice::<Value>(&strict).unwrap();
    }

    #[test]
    fn what_serde_json_reads_is_read_alike(body in bodies()) {
        // serde_json rounds the last digit of some numbers differently.
        let body = Body { rate: 1.5, ..body };
        let strict = to_vec(&body, Dialect::Standard);
        let ours: Value = from_slice(&strict).unwrap();
        prop_assert_eq!(ours, serde_json::from_slice::<Value>(&strict).unwrap());
    }

    #[test]
    fn damage_never_harms(body in bodies(), places in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"{}[]\"'\\:,0-nulxu \xff\0".to_vec())), 1..8)) {
        let mut text = to_vec(&body, Dialect::Fastjson);
        for (place, byte) in places {
            let at = place.index(text.len());
            text[at] = byte;
        }
        let _ = from_slice::<Body>(&text);
        let _ = from_slice::<Value>(&text);
        let _ = from_slice::<IgnoredAny>(&text);
    }

    #[test]
    fn noise_never_harms(text in prop::collection::vec(prop::sample::select(b"{}[]\"'\\:,0-.enulltruex \xc3\xa9".to_vec()), 0..200)) {
        let _ = from_slice::<Body>(&text);
        let _ = from_slice::<Value>(&text);
        let _ = from_slice::<IgnoredAny>(&text);
    }
}
