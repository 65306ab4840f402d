//! Which bug is planted? None in what users run: only a build with the feature `teeth` has them, and then the variable `ROXMQ_TOOTH` names one.
//!
//! A test that finds nothing says something only if it finds what is there: `cargo xtask torture teeth` plants each of these and waits for
//! the harness to notice.
//!
//! | tooth | what goes wrong |
//! |---|---|
//! | `fsync-skipped` | nothing is made durable |
//! | `no-folder-sync` | new and renamed files are not durable by name |
//! | `ack-before-flush` | `SYNC_FLUSH` acknowledges what is only written |
//! | `answer-before-journal` | a change of a topic or group is answered before it is durable |
//! | `fence-untold` | NameServers are not told that a broker takes no messages any more |
//! | `index-before-log` | index files are written about what is not durable |
//! | `stale-record` | what lies behind the end of the log is not cleared at a start |

/// Is this bug planted?
#[cfg(feature = "teeth")]
pub fn bites(tooth: &str) -> bool {
    use std::sync::LazyLock;
    static PLANTED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("ROXMQ_TOOTH").ok());
    PLANTED.as_deref() == Some(tooth)
}

/// Is this bug planted? Not in this build.
#[cfg(not(feature = "teeth"))]
pub const fn bites(_: &str) -> bool {
    false
}
