//! Do the suites bite? Each fault of a list is put into a broker's answers, and the case that is made for it must fail.

use super::faults::Fault;

/// A fault, and the case of the Go suite that must find it.
pub const TEETH: &[(Fault, &str)] = &[
    (Fault::LosesMessage, "push_clustering"),
    (Fault::RepeatsMessage, "push_clustering"),
    (Fault::SwapsMessages, "push_order_of_one_queue"),
    (Fault::ChangesBody, "push_clustering"),
    (Fault::AnswersWrongOffset, "send_sync"),
    (Fault::AnswersWrongEnd, "pull_from_offset"),
    (Fault::ForgetsOffset, "offsets_over_client_restart"),
];

/// The suite whose cases these are.
pub const SUITE: &str = "go";

/// The cases, each once.
pub fn cases() -> Vec<&'static str> {
    let mut cases: Vec<&str> = TEETH.iter().map(|(_, case)| *case).collect();
    cases.sort_unstable();
    cases.dedup();
    cases
}
