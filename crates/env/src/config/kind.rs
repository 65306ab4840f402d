//! What may a setting's value be, and how is it written?
//!
//! A [`Kind`] stands in each table line: it reads the text of a properties file into the field's type, prints it back, and says in
//! words what is allowed. Reading and printing are inverse, so a printed configuration can be used as a file.

use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::address_list;

/// How values of `T` are read, printed and described.
pub(super) trait Kind<T> {
    /// The value that `text` (without blanks around it) stands for, or `None` if it is not allowed.
    fn parse(&self, text: &str) -> Option<T>;
    /// The text that [`Kind::parse`] reads as `value`.
    fn print(&self, value: &T) -> String;
    /// What is allowed, as the end of the sentence "allowed is ...".
    fn allowed(&self) -> String;
}

/// A whole number within a range.
pub(super) struct Whole<T>(pub RangeInclusive<T>);

/// `Whole`, as a table line writes it.
pub(super) fn whole<T>(range: RangeInclusive<T>) -> Whole<T> {
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
pub(super) struct Bytes(pub RangeInclusive<u64>);

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
pub(super) struct OptionalBytes;

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
pub(super) struct YesNo;

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
pub(super) struct Name;

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
pub(super) struct OptionalHost;

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
pub(super) struct Ip;

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
pub(super) struct Addresses;

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
pub(super) struct Names;

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
pub(super) struct PathText;

impl Kind<PathBuf> for PathText {
    fn parse(&self, text: &str) -> Option<PathBuf> {
        // A comma separates several folders in Java (storePathCommitLog); one of them alone would be a silent half.
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
pub(super) struct OptionalPath;

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

/// `text` with the ways in which `broker.conf` files name the home folder replaced, where there is a home.
fn with_home(text: &str, home: Option<&Path>) -> PathBuf {
    let Some(home) = home else { return text.into() };
    ["${user.home}", "${HOME}", "$HOME", "~"]
        .into_iter()
        .filter_map(|name| text.strip_prefix(name))
        .find(|rest| rest.is_empty() || rest.starts_with('/'))
        .map_or_else(|| text.into(), |rest| home.join(rest.trim_start_matches('/')))
}

/// Hours of the day separated by `;`, as `deleteWhen=04;16`.
pub(super) struct Hours;

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

/// The waiting times of the delay levels: level `n` waits for the `n`-th of them, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelayLadder {
    text: String,
    levels_ms: Vec<u64>,
}

impl DelayLadder {
    /// Waiting times in milliseconds; level `n` is at `n - 1`. Never empty.
    pub fn levels_ms(&self) -> &[u64] {
        &self.levels_ms
    }

    /// The waiting time of `level` in milliseconds. Levels above the last one wait as the last one does (Java: ScheduleMessageService);
    /// `None` for level 0 and below, which do not wait.
    pub fn delay_ms(&self, level: i32) -> Option<u64> {
        let last = self.levels_ms.len();
        let level = usize::try_from(level).ok().filter(|level| *level > 0)?;
        self.levels_ms.get(level.min(last) - 1).copied()
    }
}

impl Default for DelayLadder {
    fn default() -> Self {
        let text = "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h";
        Ladder.parse(text).expect("the ladder of Apache RocketMQ is legal")
    }
}

/// `1s 5s 1m 2h 1d`, one waiting time for each delay level.
pub(super) struct Ladder;

impl Kind<DelayLadder> for Ladder {
    fn parse(&self, text: &str) -> Option<DelayLadder> {
        let levels_ms: Vec<u64> = text.split_whitespace().map(step_ms).collect::<Option<_>>()?;
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        (1..=LADDER_LEVELS_MAX).contains(&levels_ms.len()).then_some(DelayLadder { text, levels_ms })
    }
    fn print(&self, value: &DelayLadder) -> String {
        value.text.clone()
    }
    fn allowed(&self) -> String {
        format!("1 to {LADDER_LEVELS_MAX} waiting times such as 1s 5m 2h 1d, separated by blanks")
    }
}

fn step_ms(step: &str) -> Option<u64> {
    let unit_ms = match step.bytes().last()? {
        b's' => 1_000,
        b'm' => 60_000,
        b'h' => 3_600_000,
        b'd' => 86_400_000,
        _ => return None,
    };
    // The last byte is ASCII, so this is a character boundary.
    let count: u64 = step[..step.len() - 1].parse().ok()?;
    count.checked_mul(unit_ms).filter(|ms| *ms <= STEP_MS_MAX)
}

/// When a send is acknowledged with respect to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushDiskType {
    /// Once the message is written; the disk has it at most `flushIntervalCommitLog` later. A killed process loses nothing, a power cut
    /// at most that interval.
    AsyncFlush,
    /// Once the disk has it.
    SyncFlush,
}

/// What a broker is to the others of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokerRole {
    /// It takes sends and acknowledges them without waiting for replicas.
    AsyncMaster,
}

impl Display for FlushDiskType {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&FLUSH_DISK_TYPE.print(self))
    }
}

impl Display for BrokerRole {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&BROKER_ROLE.print(self))
    }
}

/// One of a few words.
pub(super) struct Choice<T: 'static> {
    words: &'static [(&'static str, T)],
    remark: &'static str,
}

/// The words of `flushDiskType`.
pub(super) const FLUSH_DISK_TYPE: Choice<FlushDiskType> =
    Choice { words: &[("ASYNC_FLUSH", FlushDiskType::AsyncFlush), ("SYNC_FLUSH", FlushDiskType::SyncFlush)], remark: "" };

/// The words of `brokerRole`.
pub(super) const BROKER_ROLE: Choice<BrokerRole> = Choice {
    words: &[("ASYNC_MASTER", BrokerRole::AsyncMaster)],
    remark: " (SYNC_MASTER and SLAVE promise a second copy, and replication is not served)",
};

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
const LADDER_LEVELS_MAX: usize = 64;
/// Ten years: far beyond any use, and far from overflow when added to a clock.
const STEP_MS_MAX: u64 = 10 * 365 * 86_400_000;

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
        assert_eq!(
            ["1s  5m 2h", "1d", "", "5", "s", "1w", "9999999999999h", "1é"].map(|t| through(&Ladder, t)),
            ["1s 5m 2h", "1d", "-", "-", "-", "-", "-", "-"]
        );
        assert_eq!(["SYNC_FLUSH", "sync", ""].map(|t| through(&FLUSH_DISK_TYPE, t)), ["SYNC_FLUSH", "-", "-"]);
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

    #[test]
    fn levels_count_from_one_and_end_at_the_last() {
        let ladder = DelayLadder::default();
        assert_eq!(ladder.levels_ms().len(), 18);
        let delays = [-1, 0, 1, 3, 18, 19, i32::MAX].map(|level| ladder.delay_ms(level));
        let last = Some(7_200_000);
        assert_eq!(delays, [None, None, Some(1_000), Some(10_000), last, last, last]);
    }
}
