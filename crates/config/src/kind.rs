//! What may a setting's value be, and how is it written?
//!
//! A [`Kind`] stands in each table line: it reads the text of a properties file into the field's type, prints it back, and says in
//! words what is allowed. Reading and printing are inverse, so a printed configuration can be used as a file.

use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::address_list;

/// How values of `T` are read, printed and described.
pub trait Kind<T> {
    /// The value that `text` (without blanks around it) stands for, or `None` if it is not allowed.
    fn parse(&self, text: &str) -> Option<T>;
    /// The text that [`Kind::parse`] reads as `value`.
    fn print(&self, value: &T) -> String;
    /// What is allowed, as the end of the sentence "allowed is ...".
    fn allowed(&self) -> String;
}

/// A whole number within a range.
pub struct Whole<T>(pub RangeInclusive<T>);

/// `Whole`, as a table line writes it.
pub fn whole<T>(range: RangeInclusive<T>) -> Whole<T> {
    Whole(range)
}

impl<T: FromStr + Display + PartialOrd> Kind<T> for Whole<T> {
    fn parse(&self, text: &str) -> Option<T> {
        text.parse().ok().filter(|number| self.0.contains(number))
    }
    fn print(&self, value: &T) -> String {
        value.to_string()
    }
    fn allowed(&self) -> String {
        if self.0.start() == self.0.end() {
            return self.0.start().to_string();
        }
        format!("a whole number from {} to {}", self.0.start(), self.0.end())
    }
}

/// A number of bytes: plain, as RocketMQ writes it, or with KiB, MiB, GiB or TiB.
pub struct Bytes(pub RangeInclusive<u64>);

impl Kind<u64> for Bytes {
    fn parse(&self, text: &str) -> Option<u64> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let shift = match unit.trim_start() {
            "" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            "TiB" => 40,
            _ => return None,
        };
        let bytes = number.parse::<u64>().ok()?.checked_mul(1 << shift)?;
        Some(bytes).filter(|bytes| self.0.contains(bytes))
    }
    fn print(&self, value: &u64) -> String {
        value.to_string()
    }
    fn allowed(&self) -> String {
        let (low, high) = (bytes_in_words(*self.0.start()), bytes_in_words(*self.0.end()));
        format!("a number of bytes from {low} to {high}, plain or with KiB, MiB, GiB or TiB")
    }
}

fn bytes_in_words(bytes: u64) -> String {
    [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")]
        .into_iter()
        .find(|(shift, _)| bytes >= 1 << shift && bytes.is_multiple_of(1 << shift))
        .map_or_else(|| bytes.to_string(), |(shift, unit)| format!("{} {unit}", bytes >> shift))
}

/// A number of bytes where 0, or nothing, means that there is no limit.
pub struct OptionalBytes;

impl Kind<Option<u64>> for OptionalBytes {
    fn parse(&self, text: &str) -> Option<Option<u64>> {
        if text.is_empty() {
            return Some(None);
        }
        Bytes(0..=u64::MAX >> 1).parse(text).map(|bytes| (bytes > 0).then_some(bytes))
    }
    fn print(&self, value: &Option<u64>) -> String {
        value.unwrap_or(0).to_string()
    }
    fn allowed(&self) -> String {
        "a number of bytes, plain or with KiB, MiB, GiB or TiB; 0 sets no limit".into()
    }
}

/// `true` or `false` in any case. Java reads every other text as `false`; here it is an error.
pub struct YesNo;

impl Kind<bool> for YesNo {
    fn parse(&self, text: &str) -> Option<bool> {
        [true, false].into_iter().find(|value| text.eq_ignore_ascii_case(&value.to_string()))
    }
    fn print(&self, value: &bool) -> String {
        value.to_string()
    }
    fn allowed(&self) -> String {
        "true or false".into()
    }
}

/// A name: not empty, no blanks, none of the characters that separate lists.
pub struct Name;

impl Kind<String> for Name {
    fn parse(&self, text: &str) -> Option<String> {
        let fits = (1..=NAME_BYTES_MAX).contains(&text.len());
        let legal = |char: char| !char.is_whitespace() && !char.is_control() && !";,@/".contains(char);
        (fits && text.chars().all(legal)).then(|| text.to_owned())
    }
    fn print(&self, value: &String) -> String {
        value.clone()
    }
    fn allowed(&self) -> String {
        format!("a name of 1 to {NAME_BYTES_MAX} bytes without blanks and without ; , @ /")
    }
}

/// An address or host name without a port; nothing means that it is found out.
pub struct OptionalHost;

impl Kind<Option<String>> for OptionalHost {
    fn parse(&self, text: &str) -> Option<Option<String>> {
        if text.is_empty() {
            return Some(None);
        }
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        let legal = bare.parse::<IpAddr>().is_ok() || address_list::is_host_name(bare);
        legal.then(|| Some(bare.to_owned()))
    }
    fn print(&self, value: &Option<String>) -> String {
        value.clone().unwrap_or_default()
    }
    fn allowed(&self) -> String {
        "an IPv4 or IPv6 address or a host name, without a port".into()
    }
}

/// An IP address of this machine.
pub struct Ip;

impl Kind<IpAddr> for Ip {
    fn parse(&self, text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }
    fn print(&self, value: &IpAddr) -> String {
        value.to_string()
    }
    fn allowed(&self) -> String {
        "an IPv4 or IPv6 address".into()
    }
}

/// `host:port;host:port`.
pub struct Addresses;

impl Kind<Vec<String>> for Addresses {
    fn parse(&self, text: &str) -> Option<Vec<String>> {
        address_list::split(text)
    }
    fn print(&self, value: &Vec<String>) -> String {
        value.join(";")
    }
    fn allowed(&self) -> String {
        "a list host:port;host:port, an IPv6 address in brackets".into()
    }
}

/// Names separated by `;`.
pub struct Names;

impl Kind<Vec<String>> for Names {
    fn parse(&self, text: &str) -> Option<Vec<String>> {
        let names = text.split(';').map(str::trim).filter(|name| !name.is_empty());
        names.map(|name| Name.parse(name)).collect()
    }
    fn print(&self, value: &Vec<String>) -> String {
        value.join(";")
    }
    fn allowed(&self) -> String {
        "a list of names separated by ;".into()
    }
}

/// A folder or file, with `~`, `$HOME` and `${user.home}` at its start replaced by the user's home.
pub struct PathText;

impl Kind<PathBuf> for PathText {
    fn parse(&self, text: &str) -> Option<PathBuf> {
        // A comma separates several folders in Java (storePathCommitLog); one of them alone would silently be half.
        let legal = !text.is_empty() && !text.contains([',', '\0', '\n']);
        legal.then(|| with_home(text, std::env::var_os("HOME").map(PathBuf::from).as_deref()))
    }
    fn print(&self, value: &PathBuf) -> String {
        value.display().to_string()
    }
    fn allowed(&self) -> String {
        "one path".into()
    }
}

/// A path that may be left out.
pub struct OptionalPath;

impl Kind<Option<PathBuf>> for OptionalPath {
    fn parse(&self, text: &str) -> Option<Option<PathBuf>> {
        if text.is_empty() { Some(None) } else { PathText.parse(text).map(Some) }
    }
    fn print(&self, value: &Option<PathBuf>) -> String {
        value.as_ref().map(|path| PathText.print(path)).unwrap_or_default()
    }
    fn allowed(&self) -> String {
        "one path, or nothing".into()
    }
}

/// `text` with the home folder in place of the names that `broker.conf` files have for it, where there is a home.
fn with_home(text: &str, home: Option<&Path>) -> PathBuf {
    let Some(home) = home else { return text.into() };
    ["${user.home}", "${HOME}", "$HOME", "~"]
        .into_iter()
        .filter_map(|name| text.strip_prefix(name))
        .find(|rest| rest.is_empty() || rest.starts_with('/'))
        .map_or_else(|| text.into(), |rest| home.join(rest.trim_start_matches('/')))
}

/// Hours of the day separated by `;`, as `deleteWhen=04;16`.
pub struct Hours;

impl Kind<Vec<u8>> for Hours {
    fn parse(&self, text: &str) -> Option<Vec<u8>> {
        let hours = text.split(';').map(str::trim).filter(|hour| !hour.is_empty());
        let hours: Vec<u8> = hours.map(|hour| Whole(0..=23).parse(hour)).collect::<Option<_>>()?;
        (!hours.is_empty()).then_some(hours)
    }
    fn print(&self, value: &Vec<u8>) -> String {
        let hours: Vec<String> = value.iter().map(|hour| format!("{hour:02}")).collect();
        hours.join(";")
    }
    fn allowed(&self) -> String {
        "hours from 00 to 23 separated by ;".into()
    }
}

/// One of a few words.
pub struct Choice<T: 'static> {
    words: &'static [(&'static str, T)],
    remark: &'static str,
}

impl<T> Choice<T> {
    /// The legal words with what they stand for, and what to add when they are listed.
    pub const fn new(words: &'static [(&'static str, T)], remark: &'static str) -> Self {
        Choice { words, remark }
    }
}

impl<T: Copy + PartialEq> Kind<T> for Choice<T> {
    fn parse(&self, text: &str) -> Option<T> {
        self.words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
    }
    fn print(&self, value: &T) -> String {
        let word = self.words.iter().find(|(_, listed)| listed == value);
        word.map(|(word, _)| (*word).to_owned()).unwrap_or_default()
    }
    fn allowed(&self) -> String {
        let words: Vec<&str> = self.words.iter().map(|(word, _)| *word).collect();
        format!("{}{}", words.join(" or "), self.remark)
    }
}

const NAME_BYTES_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    /// What `kind` makes of `text`, printed again; `-` if it is not allowed.
    fn through<T>(kind: &impl Kind<T>, text: &str) -> String {
        let printed = kind.parse(text).map(|value| kind.print(&value));
        if let Some(printed) = &printed {
            let again = kind.parse(printed).map(|value| kind.print(&value));
            assert_eq!(again.as_ref(), Some(printed), "what is printed must be legal");
        }
        printed.unwrap_or_else(|| "-".into())
    }

    #[test]
    fn each_kind_reads_and_prints() {
        assert_eq!(
            ["8", "0", "9", "-1", "+3", "1.0", "a", ""].map(|t| through(&whole(1..=8u32), t)),
            ["8", "-", "-", "-", "3", "-", "-", "-"]
        );
        assert_eq!(
            ["1024", "1KiB", "2 MiB", "1kb", "-1", "9999999999TiB", "5"].map(|t| through(&Bytes(10..=u64::MAX), t)),
            ["1024", "1024", "2097152", "-", "-", "-", "-"]
        );
        assert_eq!(["", "0", "1GiB"].map(|t| through(&OptionalBytes, t)), ["0", "0", "1073741824"]);
        assert_eq!(["true", "FALSE", "yes", "1", ""].map(|t| through(&YesNo, t)), ["true", "false", "-", "-", "-"]);
        assert_eq!(["broker-a", "代理", "a b", "", "a;b"].map(|t| through(&Name, t)), ["broker-a", "代理", "-", "-", "-"]);
        assert_eq!(
            ["10.0.0.1", "::1", "[::1]", "mq.example.org", "10.0.0.1:10911", ""].map(|t| through(&OptionalHost, t)),
            ["10.0.0.1", "::1", "::1", "mq.example.org", "-", ""]
        );
        assert_eq!(["04", "4;16", "24", "", "x"].map(|t| through(&Hours, t)), ["04", "04;16", "-", "-", "-"]);
        let colour = Choice::new(&[("RED", 1), ("BLUE", 2)], "");
        assert_eq!(["BLUE", "blue", ""].map(|t| through(&colour, t)), ["BLUE", "-", "-"]);
        assert_eq!(["/data/a,/data/b", "", "/data"].map(|t| through(&PathText, t)), ["-", "-", "/data"]);
    }

    #[test]
    fn home_has_several_names() {
        let home = Some(Path::new("/home/me"));
        for (text, expected) in [
            ("~/store", "/home/me/store"),
            ("${user.home}/store", "/home/me/store"),
            ("$HOME/store", "/home/me/store"),
            ("${HOME}", "/home/me"),
            ("~other/store", "~other/store"),
            ("/a/~/b", "/a/~/b"),
            ("relative", "relative"),
        ] {
            assert_eq!(with_home(text, home), Path::new(expected), "{text}");
        }
        assert_eq!(with_home("~/store", None), Path::new("~/store"));
    }
}
