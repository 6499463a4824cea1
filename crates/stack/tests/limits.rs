//! Limits that contradict one another are refused before anything is touched, with their places in the file.
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(dead_code, reason = "the support serves several test programs")]

mod support;

use plimsoll_stack::{Context, StackError, StackFiles, desired};
use support::{facts, images, project};

/// What is said of a service with these lines; empty when it is taken.
fn said(lines: &str) -> String {
    let text = format!("services:\n  api:\n    image: x\n{lines}");
    let project = project("limits", &text, std::path::Path::new("/project"));
    let (images, facts, files) = (images(&project), facts(), StackFiles::default());
    match desired(&project, Context { images: &images, facts: &facts, files: &files }) {
        Ok(_) => String::new(),
        Err(StackError::File(diagnostic)) => {
            let lines: Vec<String> = diagnostic
                .labels
                .iter()
                .map(|label| label.source.line_col(label.span.start).line.to_string())
                .collect();
            format!("{} (lines {})", diagnostic.title, lines.join(", "))
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn memory_limit_in_two_places() {
    let limits = |swap: &str, memory: &str, kept: &str| {
        said(&format!(
            "    memswap_limit: {swap}\n    deploy:\n      resources:\n        limits: {{ memory: {memory} }}\n        reservations: {{ memory: {kept} }}\n"
        ))
    };
    assert_eq!(limits("512M", "512M", "256M"), "");
    assert_eq!(limits("-1", "512M", "512M"), "");
    let told = limits("512M", "768M", "256M");
    assert!(told.starts_with("service api: memswap_limit") && told.ends_with("(lines 4, 7)"), "{told}");
    let told = limits("512M", "128M", "256M");
    assert!(told.contains("reserved") && told.ends_with("(lines 8, 7)"), "{told}");
    let told = said("    mem_limit: 64m\n    memswap_limit: 32m\n");
    assert!(told.ends_with("(lines 5, 4)"), "{told}");
    let told = said("    memswap_limit: 32m\n");
    assert!(told.contains("needs a memory limit") && told.ends_with("(lines 4)"), "{told}");
    assert!(said("    mem_limit: 1m\n").contains("6 MiB"));
    assert_eq!(said("    mem_limit: 6m\n    mem_reservation: 6m\n"), "");
}

#[test]
fn ulimits_and_the_number_of_processes() {
    let limits = |soft: i64, hard: i64| {
        said(&format!("    ulimits:\n      nofile:\n        soft: {soft}\n        hard: {hard}\n"))
    };
    for (soft, hard) in [(10, 10), (10, 20), (10, -1), (-1, -1)] {
        assert_eq!(limits(soft, hard), "", "{soft} {hard}");
    }
    for (soft, hard) in [(20, 10), (-1, 10)] {
        let told = limits(soft, hard);
        assert!(told.contains("soft limit of ulimit nofile") && told.ends_with("(lines 6, 7)"), "{told}");
    }
    let notes = |nproc: u32| {
        let text =
            format!("services: {{ api: {{ image: x, pids_limit: 500, ulimits: {{ nproc: {nproc} }} }} }}");
        support::wanted(&text).notes
    };
    assert_eq!(notes(200), ["api: ulimit nproc ends it at 200 processes, before the pids limit of 500 does"]);
    assert_eq!(notes(500), [""; 0]);
}
