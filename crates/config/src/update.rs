//! What happens when a tool changes the configuration of a running process?
//!
//! UPDATE_BROKER_CONFIG (25) and UPDATE_NAMESRV_CONFIG (318) carry properties text. As in Java (Configuration, AdminBrokerProcessor),
//! unknown keys are ignored and a key of the black list refuses the whole request. Unlike Java, a value that is not
//! allowed refuses the whole request too, and the answer's remark says which keys take effect later or never.

use crate::load::{ConfigError, Notice, Origin, Setting, agree, apply};
use crate::properties;
use crate::table::{Change, Table};

/// A change of the configuration that was checked as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Update<C> {
    /// The configuration that is in force now: only keys that can change at run time have new values.
    pub running: C,
    /// Keys of `running` whose value changed.
    pub changed: Vec<&'static str>,
    /// Keys whose new value takes effect at the next start.
    pub after_restart: Vec<&'static str>,
    /// What the configuration file must say from now on: for [`properties::merge`].
    pub saved: Vec<(&'static str, String)>,
    /// Keys that have no effect, and why: the first of them.
    pub notices: Vec<Notice>,
    /// How many more there are.
    pub notices_more: usize,
}

impl<C: Table> Update<C> {
    /// Checks the properties text `body` against the `running` configuration. Nothing changes unless all of it is legal.
    pub fn parse(running: &C, body: &str) -> Result<Self, ConfigError> {
        let entries =
            properties::parse(body).map_err(|properties::BadEscape { line }| ConfigError::Syntax { origin: Origin::Request { line } })?;
        let forbidden = |key: &str| NEVER.contains(&key) || running.black_list().iter().any(|listed| listed == key);
        if let Some(entry) = entries.iter().find(|entry| forbidden(&entry.key)) {
            return Err(ConfigError::Forbidden { key: entry.key.clone() });
        }

        let mut update = Update {
            running: running.clone(),
            changed: Vec::new(),
            after_restart: Vec::new(),
            saved: Vec::new(),
            notices: Vec::new(),
            notices_more: 0,
        };
        let mut wanted = running.clone();
        for entry in entries {
            let Some(key) = C::key(&entry.key) else {
                let (key, value) = (shown(&entry.key), shown(&entry.value));
                let setting = Setting { key, value, origin: Origin::Request { line: entry.line } };
                // Refuses a promise that cannot be kept.
                update.note(apply(&mut wanted, &setting)?);
                continue;
            };
            let setting = Setting { key: entry.key, value: entry.value, origin: Origin::Request { line: entry.line } };
            update.note(apply(&mut wanted, &setting)?);
            let value = key.print(&wanted);
            update.saved.retain(|(name, _)| *name != key.name);
            update.saved.push((key.name, value.clone()));
            if key.change == Change::Now {
                key.set(&mut update.running, &value);
            }
        }
        agree(&wanted)?;
        agree(&update.running)?;

        for (name, value) in &update.saved {
            let Some(key) = C::key(name) else { continue };
            match key.change {
                _ if key.print(running) == *value => {}
                Change::Now => update.changed.push(key.name),
                Change::Restart => update.after_restart.push(key.name),
                Change::NotYet => {}
            }
        }
        Ok(update)
    }

    fn note(&mut self, notice: Option<Notice>) {
        match notice {
            Some(_) if self.notices.len() == NOTICES_MAX => self.notices_more += 1,
            Some(Notice::Unknown { setting, .. }) => {
                let nearest = C::nearest_key(&setting.key);
                self.notices.push(Notice::Unknown { setting, nearest });
            }
            notice => self.notices.extend(notice),
        }
    }

    /// What the answer's remark says; none when all of it is in force.
    pub fn remark(&self) -> Option<String> {
        let later = self.after_restart.iter().map(|key| format!("{key} takes effect after a restart"));
        let mut remarks: Vec<String> = later.chain(self.notices.iter().map(Notice::to_string)).collect();
        if self.notices_more > 0 {
            remarks.push(format!("and {} more", self.notices_more));
        }
        (!remarks.is_empty()).then(|| remarks.join("; "))
    }
}

/// Keys without effect that one answer names.
const NOTICES_MAX: usize = 20;

/// Text of a request as it may stand in a remark or a log: short, and in one line.
fn shown(text: &str) -> String {
    text.chars().take(128).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Never changed over the wire: they say where files are, or what may be changed (CVE-2023-33246 came through such keys).
const NEVER: [&str; 6] = ["brokerConfigPath", "rocketmqHome", "configBlackList", "configStorePath", "kvConfigPath", "storePathRootDir"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    fn update(body: &str) -> Result<Update<Sample>, ConfigError> {
        Update::parse(&Sample::default(), body)
    }

    #[test]
    fn only_keys_that_can_change_now_do() {
        let text = "fileReservedTime=12\nlistenPort=12000\nlistenport=1\nautoCreateTopicEnable=true\naclEnable=false\ndeleteWhen=5";
        let update = update(text).unwrap();
        let before = Sample::default();
        assert_eq!((update.running.file_reserved_h, update.running.listen_port), (12, before.listen_port));
        assert_eq!(update.changed, ["fileReservedTime"]);
        assert_eq!(update.after_restart, ["listenPort"]);
        let remark = "listenPort takes effect after a restart; unknown key listenport (request, line 3); did you mean listenPort?; \
                      deleteWhen=5 has no effect (request, line 6): nothing acts on this key yet";
        assert_eq!(update.remark().as_deref(), Some(remark));
        let saved = properties::merge("# mine\nlistenPort = 10911\n", &update.saved).unwrap();
        assert_eq!(saved, "# mine\nlistenPort=12000\nfileReservedTime=12\nautoCreateTopicEnable=true\ndeleteWhen=05\n");
    }

    #[test]
    fn a_remark_says_what_has_no_effect() {
        let remark = |text: &str| update(text).unwrap().remark();
        assert_eq!(
            remark("fileReservedTime=12\nautoCreateTopicEnable=false\nlistenPort=10911\naclEnable=false\ndeleteWhen=4\nenablePopLog="),
            Some("enablePopLog means nothing here (request, line 6): it tuned Java log files".into())
        );
        assert_eq!(remark("fileReservedTime=12\nlistenPort=10911\naclEnable=false\nenablePopBufferMerge=false"), None);
        assert_eq!(remark("a\\nb=1"), Some("unknown key a b (request, line 1)".into()));
        let many: String = (0..30).map(|number| format!("key{number}=1\n")).collect();
        let remark = remark(&many).unwrap();
        assert!(remark.starts_with("unknown key key0 (request, line 1); ") && remark.ends_with("; and 10 more"), "{remark}");
    }

    #[test]
    fn all_of_it_is_legal_or_nothing_changes() {
        for (body, expected) in [
            ("fileReservedTime=12\nlistenPort=99999", "listenPort=99999 (request, line 2): allowed is a whole number from 0 to 65535"),
            ("brokerConfigPath=/etc/passwd", "Can not update config in black list."),
            ("rocketmqHome=/", "Can not update config in black list."),
            ("a=1\nconfigBlackList=", "Can not update config in black list."),
            ("aclEnable=true", "aclEnable=true (request, line 1) cannot be honoured: nothing would be protected"),
            (
                "maxMessageSize=100\nmappedFileSizeCommitLog=50",
                "mappedFileSizeCommitLog and maxMessageSize: a log file of 50 cannot hold a message of 100",
            ),
            // Legal after a restart, but not with the log files of this run.
            (
                "maxMessageSize=3000\nmappedFileSizeCommitLog=4000",
                "mappedFileSizeCommitLog and maxMessageSize: a log file of 2000 cannot hold a message of 3000",
            ),
            ("a=\\u1", "request, line 1: \\u must be followed by four hexadecimal digits"),
        ] {
            assert_eq!(update(body).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn the_black_list_can_be_extended() {
        let running = Sample { black_list: vec!["fileReservedTime".into()], ..Sample::default() };
        let refused = Update::parse(&running, "fileReservedTime=1").unwrap_err();
        assert_eq!(refused, ConfigError::Forbidden { key: "fileReservedTime".into() });
    }
}
