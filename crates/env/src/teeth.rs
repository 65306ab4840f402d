//! Which bug is planted? None in a release: only a build with the feature `teeth` has them, and then the variable `ROXMQ_TOOTH` names
//! one.
//!
//! A harness that finds nothing proves something only if it finds bugs that are there: `cargo xtask torture teeth` plants each of these
//! and expects the harness to notice.

macro_rules! teeth {
    ($($tooth:ident = $name:literal $what:literal;)*) => {
        /// A bug that can be planted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Tooth {
            $(#[doc = $what] $tooth,)*
        }

        impl Tooth {
            /// All of them.
            pub const ALL: &[Tooth] = &[$(Tooth::$tooth),*];

            /// What the variable calls it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Tooth::$tooth => $name,)*
                }
            }
        }
    };
}

teeth! {
    FsyncSkipped = "fsync-skipped" "Nothing is made durable.";
    NoFolderSync = "no-folder-sync" "New and renamed files are not durable by name.";
    SyncBelieved = "sync-believed" "A sync counts although the file system has given up its journal.";
    AckBeforeFlush = "ack-before-flush" "`SYNC_FLUSH` acknowledges what is only written.";
    AnswerBeforeJournal = "answer-before-journal" "A change of a topic or group is answered before it is durable.";
    FenceUntold = "fence-untold" "A broker that takes no more messages does not announce it to NameServers.";
    IndexBeforeLog = "index-before-log" "Index files are written about what is not durable.";
    StaleRecord = "stale-record" "A start does not clear records behind the end of the log.";
}

/// Is this bug planted?
#[cfg(feature = "teeth")]
pub fn bites(tooth: Tooth) -> bool {
    use std::sync::LazyLock;
    static PLANTED: LazyLock<Option<Tooth>> = LazyLock::new(|| {
        let name = std::env::var("ROXMQ_TOOTH").ok()?;
        // A misspelt name would plant nothing, and the harness would seem to miss a bug.
        Some(*Tooth::ALL.iter().find(|tooth| tooth.name() == name).unwrap_or_else(|| panic!("ROXMQ_TOOTH={name} is no bug of `Tooth`")))
    });
    *PLANTED == Some(tooth)
}

/// Is this bug planted? Not in this build.
#[cfg(not(feature = "teeth"))]
pub const fn bites(_: Tooth) -> bool {
    false
}
