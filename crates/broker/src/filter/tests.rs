//! Does the filter answer as Java's? And does it take any text without harm?

use super::grammar::{DEPTH_MAX, EXPRESSION_BYTES_MAX};
use super::values::{Number, Unevaluable, Value};
use super::*;
use proptest::prelude::*;
use std::collections::HashMap;
use std::fmt::Write;
use std::path::PathBuf;

/// What Java answered, see `tests/sql92/README.md`.
fn table(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sql92").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `\\` and `\uXXXX` as the tables write them.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    while let Some(part) = parts.next() {
        match part.strip_prefix('u') {
            Some(coded) => {
                let code = u32::from_str_radix(&coded[..4], 16).expect("four hexadecimal digits");
                whole.push(char::from_u32(code).expect("a character"));
                whole.push_str(&coded[4..]);
            }
            None => {
                whole.push('\\');
                whole.push_str(parts.next().unwrap_or_default());
            }
        }
    }
    whole
}

/// A letter for each set of properties, as the table has them.
fn answer(text: &str, sets: &[String]) -> String {
    let Ok(expression) = Expression::parse(text) else { return "refused".to_owned() };
    let letter = |set: &String| {
        let properties = Properties::new(set);
        let letter = match expression.root.truth(&properties) {
            Ok(Some(true)) => 'T',
            Ok(Some(false)) => 'F',
            Ok(None) => 'U',
            Err(Unevaluable) => 'E',
        };
        assert_eq!(expression.matches(&properties), letter == 'T');
        letter
    };
    sets.iter().map(letter).collect()
}

#[test]
fn answers_as_java_does() {
    let sets: Vec<String> = table("properties.txt").lines().map(unescaped).collect();
    let mut differences = String::new();
    let mut rows = 0;
    let (all, mended) = (table("expressions.txt"), table("mended.txt"));
    let pair = |row: &'static str| row.split_once('\t').expect("an answer, a tab, an expression");
    let mended: HashMap<&str, &str> = mended.leak().lines().map(pair).map(|(answer, text)| (text, answer)).collect();
    for row in all.leak().lines() {
        let (java, text) = pair(row);
        let wanted = mended.get(text).copied().unwrap_or(java);
        assert!(wanted != java || !mended.contains_key(text), "{text} is not mended");
        let found = answer(&unescaped(text), &sets);
        rows += 1;
        if found != wanted {
            writeln!(differences, "{text}\n   Java:  {wanted}\n   RoxMQ: {found}").expect("memory");
        }
    }
    assert!(differences.is_empty(), "{differences}");
    assert!(rows > 3000, "only {rows} rows");
}

#[test]
fn says_where_and_what() {
    let error = |text: &str| Expression::parse(text).map(|_| ()).map_err(|error| error.to_string()).expect_err(text);
    assert_eq!(error(""), "expected a value, found the end, at character 1");
    assert_eq!(error("a = 1 AND"), "expected a value, found the end, at character 10");
    assert_eq!(error("a * 2 = 4"), "unexpected '*', at character 3");
    assert_eq!(error("名 = 1"), "unexpected '名', at character 1");
    assert_eq!(error("t = '中' AND b = 'x"), "an unterminated text, at character 17");
    assert_eq!(error("a IN (1)"), "expected a text in single quotes, found 1, at character 7");
    assert_eq!(error("a > 'x'"), "a text has no order; only numbers have, at character 5");
    assert_eq!(error("a = 1 OR 5"), "expected a condition, found a value, at character 10");
    assert_eq!(error("b = NULL"), "nothing equals NULL; use IS NULL, at character 5");
    assert_eq!(error("a = 9223372036854775808"), "9223372036854775808 is greater than 9223372036854775807, at character 5");
}

#[test]
fn bounds_length_and_depth() {
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    let chained = |word: &str, times: usize| format!("a = 1{}", format!(" {word} a = 1").repeat(times));
    // On the stack that the broker's threads have, though a debug build needs more of it.
    let small = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(move || {
        for (accepted, refused) in [
            (nested(DEPTH_MAX - 1), nested(DEPTH_MAX)),
            ("a = (".repeat(DEPTH_MAX / 2) + "a" + &")".repeat(DEPTH_MAX / 2), "a = (".repeat(DEPTH_MAX) + "a" + &")".repeat(DEPTH_MAX)),
            ("a = NOT (".repeat(60) + "a" + &")".repeat(60), "a = NOT (".repeat(DEPTH_MAX) + "a" + &")".repeat(DEPTH_MAX)),
            ("NOT ".repeat(DEPTH_MAX - 1) + "TRUE", "NOT ".repeat(DEPTH_MAX) + "TRUE"),
            ("a = 1".to_owned() + &" IS NULL".repeat(100), "a = 1".to_owned() + &" IS NULL".repeat(DEPTH_MAX)),
        ] {
            let expression = Expression::parse(&accepted).expect("not too deep");
            let _ = expression.clone().matches(&Properties::new("a\u{1}1\u{2}"));
            assert!(Expression::parse(&refused).is_err());
        }
        // Long is not deep.
        for word in ["AND", "OR"] {
            assert!(Expression::parse(&chained(word, 5000)).is_ok_and(|all| all.matches(&Properties::new("a\u{1}1\u{2}"))));
        }
    });
    small.expect("a thread").join().expect("no overflow of the stack");
    assert!(Expression::parse(&"a".repeat(EXPRESSION_BYTES_MAX)).is_ok());
    assert!(Expression::parse(&"a".repeat(EXPRESSION_BYTES_MAX + 1)).is_err());
}

/// Texts that look like expressions now and then.
fn like_an_expression() -> impl Strategy<Value = String> {
    let pieces = [
        "a",
        "b",
        " ",
        "=",
        "<>",
        "<",
        ">",
        "<=",
        ">=",
        "(",
        ")",
        ",",
        "+",
        "-",
        "--",
        "/*",
        "*/",
        "\n",
        "'",
        "''",
        "'x'",
        "'5'",
        "0",
        "1",
        "5.0",
        ".5",
        "1e9",
        "9L",
        "NOT ",
        " AND ",
        " or ",
        " between ",
        " IN ",
        "TRUE",
        "null",
        " is ",
        " CONTAINS ",
        " startswith ",
        "é",
        "\\",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn takes_any_text(text in prop_oneof![any::<String>(), like_an_expression()], set in any::<String>(), value in any::<String>()) {
        match Expression::parse(&text) {
            Ok(expression) => {
                let _ = expression.matches(&Properties::new(&set));
                let _ = expression.matches(&Properties::new(&format!("a\u{1}{value}\u{2}b\u{1}5\u{2}")));
            }
            Err(error) => prop_assert!((1..=text.chars().count() + 1).contains(&error.position)),
        }
    }

    #[test]
    fn reads_any_text_as_number_or_not(text in "[ +-]{0,2}(0x|0X)?[0-9a-fA-F.]{0,24}([eEpP][+-]?[0-9]{0,12})?[fFdDlL]?") {
        let _ = Value::Text(&text).order(Value::Number(Number::Double(1.5)));
        let _ = Value::Text(&text).order(Value::Number(Number::Integer(1)));
    }
}
