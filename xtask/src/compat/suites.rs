//! Which compatibility suites are there, and what does each need?

/// One suite: a program under `compat/` and the servers it wants.
pub struct Suite {
    /// Name on the command line.
    pub name: &'static str,
    /// Folder under `compat/` that holds the executable `run`.
    pub folder: &'static str,
    /// Arguments of `run`.
    pub arguments: &'static [&'static str],
    /// Servers started for it.
    pub topology: Topology,
}

/// Which servers a suite runs against.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// One NameServer and one broker (RoxMQ: one process for both).
    Single,
    /// Two NameServers and two brokers, each a process of its own.
    Cluster,
    /// As [`Topology::Single`], without any setting but free ports and a folder: as a newcomer starts it.
    Bare,
    /// None: the suite starts RoxMQ itself, in networks that it makes.
    Own,
    /// One NameServer and three brokers, each a process of its own; the second and third broker are Java's, of two versions.
    Mixed,
}

/// Every suite, in the order of a full run.
pub const SUITES: &[Suite] = &[
    single("java55", "java", &["5.5.0"]),
    single("java49", "java", &["4.9.8"]),
    single("go", "go", &[]),
    single("node", "node", &[]),
    single("python", "python", &[]),
    single("mqadmin", "mqadmin", &[]),
    single("badinput", "badinput", &[]),
    Suite { name: "five-minutes", folder: "mqadmin", arguments: &["--scenario", "five-minutes"], topology: Topology::Bare },
    Suite { name: "two-addresses", folder: "addresses", arguments: &[], topology: Topology::Own },
    cluster("cluster", "java", &["5.5.0", "cluster"]),
    cluster("cluster49", "java", &["4.9.8", "cluster"]),
    cluster("cluster-go", "go", &["cluster"]),
    cluster("cluster-node", "node", &["cluster"]),
    cluster("cluster-python", "python", &["cluster"]),
    Suite { name: "mixed", folder: "java", arguments: &["5.5.0", "mixed"], topology: Topology::Mixed },
];

/// The suite of that name.
pub fn named(name: &str) -> Option<&'static Suite> {
    SUITES.iter().find(|suite| suite.name == name)
}

/// A client against two NameServers and two brokers.
const fn cluster(name: &'static str, folder: &'static str, arguments: &'static [&'static str]) -> Suite {
    Suite { name, folder, arguments, topology: Topology::Cluster }
}

/// A client or tool against one NameServer and one broker.
const fn single(name: &'static str, folder: &'static str, arguments: &'static [&'static str]) -> Suite {
    Suite { name, folder, arguments, topology: Topology::Single }
}
