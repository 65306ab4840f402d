//! How an answer is written down in a script.

use roxmq_protocol::body::KVTable;
use roxmq_protocol::frame;
use roxmq_protocol::header::{self, Header};
use roxmq_protocol::json;
use std::fmt::Write;

/// How a body that is neither JSON nor text is written down; `None` when it is text after all.
pub type ShownBody = dyn Fn(&[u8]) -> Option<String>;

/// What `look` finds in the header of a frame.
pub fn header_of<T>(bytes: &[u8], look: impl FnOnce(&Header<'_>) -> T) -> T {
    look(&header::read(&frame::split(bytes).unwrap().unwrap()).unwrap())
}

/// An answer, or a request of the server.
pub fn shown(bytes: &[u8], body: &ShownBody) -> String {
    let frame = frame::split(bytes).unwrap().unwrap();
    let header = header::read(&frame).unwrap();
    let mut text = format!("< {}", header.code);
    for (name, value) in header.fields.iter() {
        let value = value.to_string();
        // A client's port is another each time.
        let value = if name == "bornHost" { value.rsplit_once(':').unwrap().0 } else { &value };
        write!(text, " {name}={}", escaped(value)).unwrap();
    }
    if let Some(remark) = header.remark {
        write!(text, " | {:?}", remark.unescape()).unwrap();
    }
    text.push('\n');
    let is_json = frame.body.starts_with(b"{") || frame.body.starts_with(b"[");
    match std::str::from_utf8(frame.body) {
        Ok("") => {}
        Ok(json) if is_json => writeln!(text, "< {}", without_ports(json)).unwrap(),
        _ => {
            let shown = body(frame.body).unwrap_or_else(|| String::from_utf8_lossy(frame.body).into_owned());
            writeln!(text, "< {shown}").unwrap();
        }
    }
    text
}

/// Control characters as a request in a script has them.
fn escaped(value: &str) -> String {
    let one = |letter: char| if letter.is_control() { format!("\\u{:04x}", u32::from(letter)) } else { letter.to_string() };
    value.chars().map(one).collect()
}

/// The settings or figures of an answer that were asked for by `keys`; `*` stands for the names of all of them.
pub fn only(answer: &str, keys: &str) -> String {
    let (head, body) = answer.split_once('\n').unwrap();
    let body = body.strip_prefix("< ").unwrap_or(body).trim_end();
    let table: Vec<(String, String)> = match json::from_slice::<KVTable>(body.as_bytes()) {
        Ok(figures) => figures.table.into_iter().collect(),
        Err(_) => body.lines().filter_map(|line| line.split_once('=')).map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
    };
    let mut text = format!("{head}\n");
    if keys == "*" {
        let names: Vec<&str> = table.iter().map(|(key, _)| key.as_str()).collect();
        writeln!(text, "< {}", names.join(" ")).unwrap();
    }
    for (key, value) in table.iter().filter(|(key, _)| keys.split(',').any(|asked| asked == key)) {
        writeln!(text, "< {key}={value}").unwrap();
    }
    text
}

/// Its code alone.
pub fn code_of(answer: &str) -> String {
    let line = answer.lines().next().unwrap_or_default();
    format!("{}\n", line.split(' ').take(2).collect::<Vec<_>>().join(" "))
}

/// The ports that clients happen to have.
fn without_ports(body: &str) -> String {
    let mut parts = body.split("127.0.0.1:");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let port = &part[..part.len() - rest.len()];
        write!(text, "127.0.0.1:{}{rest}", if port == "0" { "0" } else { "?" }).unwrap();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use roxmq_protocol::frame::Encoding;
    use roxmq_protocol::header::Top;

    #[test]
    fn an_answer_is_its_code_fields_remark_and_body() {
        let answer = |body: &str| {
            let mut bytes = Vec::new();
            let fields = |sink: &mut header::FieldSink<'_>| sink.text("p", "a\u{1}b\u{2}");
            header::write_frame(&mut bytes, Encoding::Json, Top::answer(1, 7, Some("so")), fields, body.as_bytes());
            shown(&bytes, &|body| body.starts_with(b"!").then(|| "marked".to_owned()))
        };
        let head = "< 7 p=a\\u0001b\\u0002 | \"so\"\n";
        assert_eq!(answer(""), head);
        assert_eq!(answer("text"), format!("{head}< text\n"));
        assert_eq!(answer("!text"), format!("{head}< marked\n"));
        assert_eq!(
            answer(r#"{"a":"127.0.0.1:5","b":"127.0.0.1:0"}"#),
            format!("{head}< {{\"a\":\"127.0.0.1:?\",\"b\":\"127.0.0.1:0\"}}\n")
        );
        assert_eq!(code_of(&answer("text")), "< 7\n");
    }

    #[test]
    fn settings_and_figures_are_shown_by_name() {
        for table in ["a=1\nb=2\nc=3", r#"{"table":{"a":"1","b":"2","c":"3"}}"#] {
            let answer = format!("< 0\n< {table}\n");
            assert_eq!(only(&answer, "c,a,z"), "< 0\n< a=1\n< c=3\n");
            assert_eq!(only(&answer, "*"), "< 0\n< a b c\n");
        }
    }
}
