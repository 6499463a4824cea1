//! The mutation table: for each claim, stacks that are wrong in one thing and must fail it, and stacks that are right
//! but look different and must pass it.
//!
//! # How to add rows
//!
//! A row is one entry of a [`rows!`] block in a file of this folder (`mod` line below, `table` line in [`table`]):
//!
//! ```ignore
//! rows! {
//!     /// Why this is wrong.
//!     one_shot_with_all_rights: Row {
//!         over: "services: { job: { user: '0:0' } }",          // merged over `RIGHT` (stand.rs), as with -f over.yml
//!         claims: &[failed("process-user", "job"), proved("process-user", "store")],
//!         ..Row::RIGHT
//!     };
//! }
//! ```
//!
//! Each row is a test of its own name (`cargo test -p plimsoll-verify --test mutations one_shot`). It brings the stack
//! up on the engine as a project of its own with the crate that `plimsoll up` uses, does `act` to it, measures the
//! claims that it names and compares. `{project}` in a subject is the project's name. What a file cannot say (an
//! `exec`, a stranger's container, a file changed after `up`) is an `act`: see [`Stand`]. `file` replaces `RIGHT` as a
//! whole for stacks of another shape; `after` is a file that is measured but was not brought up.
//!
//! [`every_claim_has_a_counter_example`] asserts that each claim of [`plimsoll_verify::claims`] has a row in which it
//! fails and one in which it is proved for a stack that differs from `RIGHT`; what this machine cannot show is listed
//! there with the reason.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../../../engine/tests/support/mod.rs"]
mod busybox;
mod stand;

mod bounds;
mod containers;
mod disturbed;
mod drift;
mod health;
mod http;
mod isolation;
mod jobs;
mod network;
mod replicas;
mod secrets;
mod tls;

use std::collections::BTreeMap;

use plimsoll_verify::Status;
use stand::Row;

/// Makes a test of each row, and `table()` of all of them.
macro_rules! rows {
    ($($(#[doc = $doc:literal])* $name:ident: $row:expr;)*) => {
        pub(crate) fn table() -> Vec<(&'static str, crate::stand::Row)> {
            vec![$((stringify!($name), { const ROW: crate::stand::Row = $row; ROW })),*]
        }
        $(
            $(#[doc = $doc])*
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                const ROW: crate::stand::Row = $row;
                crate::stand::measure(stringify!($name), &ROW).await;
            }
        )*
    };
}
pub(crate) use rows;

/// Every row.
fn table() -> Vec<(&'static str, Row)> {
    [
        bounds::table(),
        containers::table(),
        disturbed::table(),
        drift::table(),
        health::table(),
        http::table(),
        isolation::table(),
        jobs::table(),
        network::table(),
        replicas::table(),
        secrets::table(),
        tls::table(),
    ]
    .concat()
}

/// Claims that cannot fail, or cannot hold, on the machines where this runs: claim, which, why.
const NOT_HERE: &[(&str, Status, &str)] = &[
    ("apparmor", Status::Failed, "the engine's host has no AppArmor"),
    ("apparmor", Status::Proved, "the engine's host has no AppArmor"),
];

#[test]
fn every_claim_has_a_counter_example() {
    let mut shown: BTreeMap<(&str, bool), Vec<&str>> = BTreeMap::new();
    for (name, row) in &table() {
        for claim in row.claims {
            // `smoke/front-page` is one of a family.
            let family = claim.id.split('/').next().unwrap_or(claim.id);
            match claim.status {
                Some(Status::Failed) => shown.entry((family, true)).or_default().push(name),
                Some(Status::Proved) if row.differs() => shown.entry((family, false)).or_default().push(name),
                _ => {}
            }
        }
    }
    let mut missing = Vec::new();
    for (id, _) in plimsoll_verify::claims() {
        for (fails, status) in [(true, Status::Failed), (false, Status::Proved)] {
            let excused = NOT_HERE.iter().any(|(claim, what, _)| *claim == id && *what == status);
            let rows = shown.get(&(id, fails)).map_or(String::new(), |rows| rows.join(", "));
            println!("{id:20} {:7} {rows}", status.words());
            if rows.is_empty() && !excused {
                missing.push(format!("no row in which {id} is {}", status.words()));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    for (id, _, why) in NOT_HERE {
        assert!(plimsoll_verify::claims().any(|(known, _)| known == *id), "{id} ({why}) is no claim");
    }
}
