//! One file for each claim. This list is what Plimsoll can prove, in the order in which it is measured: what only
//! looks comes first, what puts load on the stack next, what pauses and stops containers last.

mod apparmor;
mod as_declared;
mod caching;
mod capabilities;
mod compression;
mod cpu_limit;
mod front_reaches;
mod graceful_stop;
mod health;
mod health_endpoint;
mod health_fails;
mod host_isolation;
mod image_size;
mod log_rotation;
mod memory_idle;
mod memory_limit;
mod memory_load;
mod network_members;
mod no_egress;
mod no_new_privileges;
mod no_oom;
mod no_write_errors;
mod one_shot;
mod outcome;
mod page_files;
mod pids_limit;
mod private_files;
mod process_user;
mod published_ports;
mod read_only_root;
mod replicas_reached;
mod seccomp;
mod secret_files;
mod secrets_image;
mod secrets_runtime;
mod security_headers;
mod services_running;
mod smoke;
mod spa_routing;
mod start_time;
mod store_isolation;
mod store_logins;
mod tls;

use std::{io, pin::Pin};

use plimsoll_engine::EngineError;

use crate::{certificate::Group, stack::Stack};

pub(crate) use outcome::Outcome;

/// Every claim.
pub(crate) const CLAIMS: &[ClaimSpec] = &[
    services_running::CLAIM,
    as_declared::CLAIM,
    start_time::CLAIM,
    one_shot::CLAIM,
    process_user::CLAIM,
    capabilities::CLAIM,
    no_new_privileges::CLAIM,
    seccomp::CLAIM,
    apparmor::CLAIM,
    read_only_root::CLAIM,
    host_isolation::CLAIM,
    memory_limit::CLAIM,
    cpu_limit::CLAIM,
    pids_limit::CLAIM,
    image_size::CLAIM,
    memory_idle::CLAIM,
    log_rotation::CLAIM,
    published_ports::CLAIM,
    network_members::CLAIM,
    store_isolation::CLAIM,
    no_egress::CLAIM,
    secret_files::CLAIM,
    secrets_runtime::CLAIM,
    secrets_image::CLAIM,
    health::CLAIM,
    spa_routing::CLAIM,
    health_endpoint::CLAIM,
    front_reaches::CLAIM,
    smoke::CLAIM,
    // With the pages that the smoke checks have seen.
    page_files::CLAIM,
    private_files::CLAIM,
    memory_load::CLAIM,
    // By what was seen under the load.
    replicas_reached::CLAIM,
    compression::CLAIM,
    no_oom::CLAIM,
    // Before anything is stopped: a client that was disturbed logs in anew.
    store_logins::CLAIM,
    health_fails::CLAIM,
    graceful_stop::CLAIM,
    // They judge what smoke checks, load and a stopped service brought too.
    security_headers::CLAIM,
    tls::CLAIM,
    caching::CLAIM,
    // Last: what goes wrong only after a restart is in the log then.
    no_write_errors::CLAIM,
];

/// What a claim is and how it is measured.
pub(crate) struct ClaimSpec {
    /// Stable identifier.
    pub(crate) id: &'static str,
    /// The claim in words.
    pub(crate) title: &'static str,
    pub(crate) group: Group,
    /// The requirements that it answers (docs/requirements.md).
    pub(crate) requirements: &'static [&'static str],
    /// Pauses or stops containers.
    pub(crate) disturbs: bool,
    pub(crate) measure: for<'a> fn(&'a Stack<'a>) -> Measuring<'a>,
}

/// A measurement under way: one outcome for each subject.
pub(crate) type Measuring<'a> = Pin<Box<dyn Future<Output = Result<Vec<Outcome>, MeasureError>> + Send + 'a>>;

/// Measures every subject in a thread of its own: what waits for an answer that never comes waits together.
fn at_once<T: Sync>(subjects: &[T], measure: impl Fn(&T) -> Outcome + Sync) -> Vec<Outcome> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = subjects.iter().map(|subject| scope.spawn(|| measure(subject))).collect();
        // A panic goes on where it would have been without threads.
        let join = |thread: std::thread::ScopedJoinHandle<'_, Outcome>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    })
}

/// Why a claim could not be measured at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MeasureError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("cannot read {what}: {source}")]
    Io { what: String, source: io::Error },
    #[error("{0}")]
    Other(String),
}

impl MeasureError {
    pub(crate) fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }
}

/// For the fuzz targets: the readers of texts of the kernel, of the engine and of programs.
#[cfg(fuzzing)]
pub(crate) fn fuzz(text: &str) {
    front_reaches::fuzz(text);
    host_isolation::fuzz(text);
    log_rotation::fuzz(text);
    published_ports::fuzz(text);
}

/// For the fuzz targets: the readers of answers.
#[cfg(fuzzing)]
pub(crate) fn fuzz_answer(answer: &crate::http::Answer) {
    caching::fuzz(answer);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The page has one line for each requirement that is cited, with the claims that cite it, and no other line.
    #[test]
    fn every_requirement_is_explained() {
        let page = include_str!("../../../../docs/requirements.md");
        let mut explained: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for line in page.lines().filter(|line| line.starts_with("| R-")) {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [number, demand, claims] = cells[..] else { panic!("{line}") };
            assert!(demand.len() > 20 && demand.ends_with('.'), "{line}");
            let claims = claims.split(", ").collect();
            assert!(explained.insert(number, claims).is_none(), "{number} has two lines");
        }
        let mut cited: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for spec in CLAIMS {
            for number in spec.requirements {
                cited.entry(number).or_default().push(spec.id);
            }
        }
        for claims in cited.values_mut() {
            claims.sort_unstable();
        }
        assert_eq!(explained, cited);
    }
}
