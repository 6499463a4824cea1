//! Compact text: one line for each claim, and details only of what is not proved.

use std::fmt::Write as _;

use plimsoll_source::{printable, printable_line};

use super::{groups, overview};
use crate::certificate::{Certificate, Claim, Group, Status};

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
/// The subject of claims about all containers together.
const WHOLE: &str = "stack";
/// The width of the column of promises.
const PROMISED: usize = 56;
const RESET: &str = "\x1b[0m";

/// The certificate as text with ANSI colours; the caller removes them where they are not wanted.
pub fn terminal(certificate: &Certificate) -> String {
    let mut text = String::new();
    write_first_page(&mut text, certificate);
    for (group, claims) in groups(certificate) {
        if group == Group::Promises {
            write_promises(&mut text, certificate, &claims);
            continue;
        }
        line(&mut text, format_args!("\n{BOLD}{}{RESET}", group.heading()));
        for family in families(&claims) {
            write_family(&mut text, &family);
        }
    }
    let workload = &certificate.workload;
    if workload.requests > 0 {
        line(
            &mut text,
            format_args!(
                "\n{DIM}proved for {} requests of {} checks, {} at a time{RESET}",
                workload.requests, workload.routes, workload.concurrency,
            ),
        );
    }
    let stand_ins = certificate.images.iter().filter(|image| image.stand_in);
    for image in stand_ins {
        let (service, declared) = (printable_line(&image.service), printable_line(&image.declared));
        line(&mut text, format_args!("{DIM}{service} runs a stand-in for {declared}{RESET}"));
    }
    let summary = certificate.summary;
    let mut parts = vec![format!("{} proved", summary.proved), format!("{} failed", summary.failed)];
    parts.extend((summary.not_applicable > 0).then(|| format!("{} not applicable", summary.not_applicable)));
    parts.extend((summary.not_checked > 0).then(|| format!("{} not checked", summary.not_checked)));
    line(&mut text, format_args!("\n{BOLD}{}{}{RESET}", tone(certificate), parts.join(", ")));
    text
}

/// The document's sentences on the left, what was measured on the right.
fn write_promises(text: &mut String, certificate: &Certificate, claims: &[&Claim]) {
    let document = certificate.document.as_deref().unwrap_or_default();
    line(
        text,
        format_args!(
            "\n{BOLD}{}{RESET}  {DIM}{}{RESET}",
            Group::Promises.heading(),
            printable_line(document)
        ),
    );
    let kept: Vec<&&Claim> = claims.iter().filter(|claim| claim.status == Status::Proved).collect();
    let longest = kept.iter().map(|claim| claim.title.chars().count()).max().unwrap_or(0);
    let width = longest.min(PROMISED);
    for claim in kept {
        let (says, observed) = (printable_line(&claim.title), indented(&claim.observed));
        line(text, format_args!("  {} {says:width$}  {DIM}{observed}{RESET}", mark(Status::Proved)));
    }
    for claim in claims.iter().filter(|claim| claim.status != Status::Proved) {
        write_family(text, &[claim]);
    }
}

fn tone(certificate: &Certificate) -> &'static str {
    match (certificate.holds(), certificate.asks_application()) {
        (false, _) => RED,
        (true, false) => YELLOW,
        (true, true) => GREEN,
    }
}

/// The verdict, what was measured, the figures, and services by groups of claims.
fn write_first_page(text: &mut String, certificate: &Certificate) {
    let engine = &certificate.engine;
    line(text, format_args!("{BOLD}{}{}{RESET}", tone(certificate), printable_line(&certificate.verdict)));
    let release = certificate.release.iter().map(|release| format!(", release {release}"));
    let commit =
        certificate.commit.iter().map(|commit| format!(", commit {}", commit.get(..12).unwrap_or(commit)));
    let which: String = release.chain(commit).collect();
    line(
        text,
        format_args!(
            "{BOLD}{}{RESET}{} on Docker Engine {} (Linux {}, cgroup v{}, {} CPUs), measured in {:.0} s",
            printable_line(&certificate.project),
            printable_line(&which),
            engine.version,
            engine.kernel,
            engine.cgroup_version,
            engine.cpus,
            certificate.seconds,
        ),
    );
    line(text, format_args!(""));
    for figure in overview::figures(certificate) {
        line(text, format_args!("  {:<20} {:>10}  {DIM}{}{RESET}", figure.name, figure.value, figure.note));
    }
    let grid = overview::grid(certificate);
    let width = grid.rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let heads: Vec<&str> = grid.columns.iter().map(|group| head(group.heading())).collect();
    let header = heads.iter().map(|head| format!("  {head:>10}")).collect::<Vec<_>>().concat();
    line(text, format_args!("\n  {:width$}{DIM}{header}{RESET}", ""));
    for (name, cells) in &grid.rows {
        let cells: String = cells
            .iter()
            .map(|cell| match cell.status() {
                None => format!("  {:>10}", ""),
                Some(status) => {
                    let (colour, sign) = sign(status);
                    format!("  {colour}{:>10}{RESET}", format!("{sign} {}", cell.count()))
                }
            })
            .collect();
        line(text, format_args!("  {:width$}{cells}", printable_line(name)));
    }
}

/// The first word of a heading is enough above a column.
fn head(heading: &str) -> &str {
    match heading.split([' ', ',']).next() {
        Some("HTTP") | None => "HTTP",
        Some(word) => word,
    }
}

fn sign(status: Status) -> (&'static str, char) {
    match status {
        Status::Proved => (GREEN, '✓'),
        Status::Failed => (RED, '✗'),
        Status::NotApplicable => (DIM, '–'),
        Status::NotChecked => (YELLOW, '?'),
    }
}

/// Claims of one kind, one after the other: they share a line while they are proved.
fn families<'a>(claims: &[&'a Claim]) -> Vec<Vec<&'a Claim>> {
    let mut families: Vec<Vec<&Claim>> = Vec::new();
    for claim in claims {
        match families.last_mut() {
            Some(family) if family[0].id == claim.id => family.push(claim),
            _ => families.push(vec![claim]),
        }
    }
    families
}

fn write_family(text: &mut String, family: &[&Claim]) {
    let Some(first) = family.first() else { return };
    let proved = family.iter().filter(|claim| claim.status == Status::Proved);
    let subjects: Vec<&str> = proved.map(|claim| claim.subject.as_str()).collect();
    if !subjects.is_empty() {
        let shown = match subjects.as_slice() {
            ["front" | WHOLE] => String::new(),
            subjects if subjects.join(", ").len() <= 60 => {
                format!("  {DIM}{}{RESET}", printable_line(&subjects.join(", ")))
            }
            subjects => format!("  {DIM}{} subjects{RESET}", subjects.len()),
        };
        line(text, format_args!("  {} {}{shown}", mark(Status::Proved), printable_line(&first.title)));
        // What is measured of the whole stack is a figure that people look for.
        for whole in family.iter().filter(|claim| claim.status == Status::Proved && claim.subject == WHOLE) {
            line(text, format_args!("      {DIM}{}{RESET}", indented(&whole.observed)));
        }
    }
    for claim in family.iter().filter(|claim| claim.status != Status::Proved) {
        line(
            text,
            format_args!(
                "  {} {}: {} {}",
                mark(claim.status),
                printable_line(&claim.subject),
                printable_line(&claim.title),
                format_args!("{DIM}[{}]{RESET}", printable_line(&claim.id))
            ),
        );
        if claim.status == Status::Failed {
            line(text, format_args!("      expected  {}", indented(&claim.expected)));
        }
        line(
            text,
            format_args!(
                "      {:<9} {}",
                if claim.status == Status::Failed { "observed" } else { "because" },
                indented(&claim.observed)
            ),
        );
        if claim.status == Status::Failed {
            for evidence in claim.evidence.iter().take(4) {
                let (source, value) = (indented(&evidence.source), indented(&evidence.value));
                line(text, format_args!("      {DIM}{source}: {value}{RESET}"));
            }
        }
    }
}

/// What containers, engines and visitors wrote: nothing in it drives the terminal, and each of its lines shows that it
/// belongs to this claim.
fn indented(text: &str) -> String {
    printable(text).lines().collect::<Vec<_>>().join("\n      | ")
}

fn mark(status: Status) -> &'static str {
    match status {
        Status::Proved => "\x1b[32m✓\x1b[0m",
        Status::Failed => "\x1b[31m✗ failed\x1b[0m",
        Status::NotApplicable => "\x1b[2m– not applicable\x1b[0m",
        Status::NotChecked => "\x1b[33m? not checked\x1b[0m",
    }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{arguments}");
}

#[cfg(test)]
mod tests {
    use crate::certificate::tests::sample;

    #[test]
    fn a_certificate_with_everything_in_it() {
        let text = super::terminal(&sample());
        let plain: String = strip(&text);
        insta::assert_snapshot!(plain);
    }

    #[test]
    fn a_log_line_forges_the_certificate() {
        let mut certificate = sample();
        let claim = certificate
            .claims
            .iter_mut()
            .find(|claim| claim.status == crate::certificate::Status::Failed)
            .unwrap();
        claim.observed =
            "x\x1b]0;PWNED\x07\x1b[2J\x1b[1;1H\x1b[32m127 proved, 0 failed\x1b[0m\n127 proved".to_owned();
        claim.evidence[0].value = "\u{9b}2J\u{202e}".to_owned();
        claim.subject = "re\ndis".to_owned();
        let text = strip(&super::terminal(&certificate));
        assert!(!text.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')), "{text:?}");
        assert!(
            !text.lines().any(|line| line.starts_with("127 proved") || line.starts_with("dis")),
            "{text}"
        );
    }

    fn strip(text: &str) -> String {
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("\x1b[") {
            plain.push_str(&rest[..at]);
            rest = rest[at..].split_once('m').map_or("", |(_, rest)| rest);
        }
        plain + rest
    }
}
