//! Headers there and back, and what clients of other languages write.

use super::*;
use proptest::prelude::*;

fn header(encoding: Encoding, bytes: &[u8]) -> Result<Header<'_>, HeaderError> {
    read(&Frame { encoding, header: bytes, body: b"", len: 0 })
}

type Shown = (i32, i32, i32, i32, Language, Option<String>, Vec<(String, String)>);

fn shown(text: &str) -> Shown {
    let h = header(Encoding::Json, text.as_bytes()).unwrap();
    let fields = h.fields.iter().map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
    (h.code, h.version, h.opaque, h.flag, h.language, h.remark.map(|r| r.unescape().into_owned()), fields)
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
}

#[test]
fn json_of_real_clients() {
    let java = r#"{"code":105,"extFields":{"acceptStandardJsonOnly":"true","topic":"T1"},"flag":0,"language":"JAVA","opaque":1,"serializeTypeCurrentRPC":"JSON","version":479}"#;
    assert_eq!(shown(java), (105, 479, 1, 0, Language::Java, None, pairs(&[("acceptStandardJsonOnly", "true"), ("topic", "T1")])));
    let cpp = r#"{"code":310,"extFields":{"a":"g","d":4,"k":false,"x":null,"y":[1,{"z":"}"}]},"flag":0,"language":"CPP","opaque":-5,"remark":"","version":333}"#;
    assert_eq!(shown(cpp), (310, 333, -5, 0, Language::Cpp, Some(String::new()), pairs(&[("a", "g"), ("d", "4"), ("k", "false")])));
    let elixir = " {\"language\":5 , \"code\" : \"34\", \"version\":317,\"extra\":{}, \"remark\":null}\n";
    assert_eq!(shown(elixir), (34, 317, 0, 0, Language::Erlang, None, vec![]));
    let lua = r#"{"language":"other","extFields":{"i":"A\u0001b\u0002\"\\\/\n\u4e2d\ud83d\ude00"}}"#;
    assert_eq!(shown(lua).6, pairs(&[("i", "A\u{1}b\u{2}\"\\/\n中😀")]));
}

#[test]
fn json_that_is_refused() {
    for bad in
        ["", "[]", "{", "{\"code\"}", "{\"code\":}", "{\"code\":1,", "{\"code\":99999999999}", "{\"a\":\"", "{\"a\":\"\\u12\"}", "nonsense"]
    {
        assert!(header(Encoding::Json, bad.as_bytes()).is_err(), "{bad}");
    }
    let deep = format!("{{\"x\":{}", "[".repeat(100_000));
    assert!(header(Encoding::Json, deep.as_bytes()).is_err());
    assert_eq!(header(Encoding::Json, b"{\"a\xff\":1}"), Err(HeaderError::NotUtf8));
}

#[test]
fn binary_empty_answer_is_21_bytes() {
    let mut out = Vec::new();
    let top = Top { code: 0, language: Language::Java, version: 479, opaque: 1, flag: 1, remark: None };
    write_frame(&mut out, Encoding::Binary, top, |_| (), b"");
    assert_eq!(out[8..], [0, 0, 0, 1, 0xDF, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
}

proptest! {
    #[test]
    fn written_headers_are_read_back(code in 0..30000i32, opaque in any::<i32>(), flag in 0..4i32, version in 0..600i32, remark in prop::option::of(".{1,40}"),
        fields in prop::collection::vec(("[a-zA-Z_]{1,12}", ".{0,40}"), 0..8), binary in any::<bool>()) {
        let encoding = if binary { Encoding::Binary } else { Encoding::Json };
        let mut out = Vec::new();
        let top = Top { code, language: Language::Go, version, opaque, flag, remark: remark.as_deref() };
        write_frame(&mut out, encoding, top, |sink| for (k, v) in &fields { sink.text(k, v) }, b"body");
        let frame = frame::split(&out).unwrap().unwrap();
        prop_assert_eq!(frame.body, b"body");
        let read = read(&frame).unwrap();
        prop_assert_eq!((read.code, read.opaque, read.flag, read.version, read.language), (code, opaque, flag, version, Language::Go));
        prop_assert_eq!(read.remark.map(|r| r.unescape().into_owned()), remark);
        prop_assert_eq!(read.fields.iter().map(|(k, v)| (k.into_owned(), v.into_owned())).collect::<Vec<_>>(), fields);
    }

    #[test]
    fn json_agrees_with_serde(fields in prop::collection::vec(("[a-zA-Z_]{1,12}", ".{0,40}"), 0..8)) {
        let mut out = Vec::new();
        write_frame(&mut out, Encoding::Json, Top::answer(7, 0, Some("ok")), |sink| for (k, v) in &fields { sink.text(k, v) }, b"");
        let value: serde_json::Value = serde_json::from_slice(&out[8..]).unwrap();
        for (key, _) in &fields {
            let last = fields.iter().rev().find(|(k, _)| k == key).unwrap();
            prop_assert_eq!(value["extFields"][key].as_str(), Some(last.1.as_str()));
        }
        let ascii = serde_json::to_string(&value).unwrap();
        prop_assert!(header(Encoding::Json, ascii.as_bytes()).is_ok());
    }

    #[test]
    fn a_field_is_found_by_its_name_and_the_last_one_counts(
        fields in prop::collection::vec(("[ab\u{1}]{0,2}", "[0-9]{1,3}"), 0..40), binary in any::<bool>()) {
        let encoding = if binary { Encoding::Binary } else { Encoding::Json };
        let mut out = Vec::new();
        // The name with an escape, as no client writes it, is put in by hand.
        let name = |name: &str| if binary { name.to_owned() } else { name.replace('\u{1}', "\\u0001") };
        write_frame(&mut out, encoding, Top::answer(7, 0, None), |sink| for (k, v) in &fields { sink.text(&name(k), v) }, b"");
        let frame = frame::split(&out).unwrap().unwrap();
        let read = read(&frame).unwrap();
        for wanted in ["", "a", "b", "\u{1}", "ab", "ba", "aa", "bb", "a\u{1}", "\u{1}a", "abc"] {
            let expected = fields.iter().rev().find(|(k, _)| k == wanted).map(|(_, v)| v.as_str());
            let found = read.fields.text(wanted);
            prop_assert_eq!(found.as_deref(), expected, "{:?}", wanted);
        }
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..80), text in r#"[{}\[\]:,"\\u0-9a-z ]{0,60}"#) {
        let _ = header(Encoding::Binary, &bytes);
        let _ = header(Encoding::Json, &bytes);
        let _ = header(Encoding::Json, text.as_bytes());
    }
}
