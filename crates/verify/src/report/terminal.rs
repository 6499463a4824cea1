//! Compact text: one line for each claim, and details only of what is not proved.

use std::fmt::Write as _;

use super::groups;
use crate::certificate::{Certificate, Claim, Status};

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
/// The subject of claims about all containers together.
const WHOLE: &str = "stack";
const RESET: &str = "\x1b[0m";

/// The certificate as text with ANSI colours; the caller removes them where they are not wanted.
pub fn terminal(certificate: &Certificate) -> String {
    let mut text = String::new();
    let engine = &certificate.engine;
    line(
        &mut text,
        format_args!(
            "{BOLD}{}{RESET} on Docker Engine {} (Linux {}, cgroup v{}, {} CPUs), measured in {:.0} s",
            certificate.project,
            engine.version,
            engine.kernel,
            engine.cgroup_version,
            engine.cpus,
            certificate.seconds,
        ),
    );
    for (group, claims) in groups(certificate) {
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
                "\n{DIM}proved for {} requests of {} smoke checks, {} at a time{RESET}",
                workload.requests, workload.routes, workload.concurrency,
            ),
        );
    }
    let stand_ins = certificate.images.iter().filter(|image| image.stand_in);
    for image in stand_ins {
        line(&mut text, format_args!("{DIM}{} runs a stand-in for {}{RESET}", image.service, image.declared));
    }
    let summary = certificate.summary;
    let mut parts = vec![format!("{} proved", summary.proved), format!("{} failed", summary.failed)];
    parts.extend((summary.not_applicable > 0).then(|| format!("{} not applicable", summary.not_applicable)));
    parts.extend((summary.not_checked > 0).then(|| format!("{} not checked", summary.not_checked)));
    let colour = if certificate.holds() { "\x1b[32m" } else { "\x1b[31m" };
    line(&mut text, format_args!("\n{BOLD}{colour}{}{RESET}", parts.join(", ")));
    text
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
            subjects if subjects.join(", ").len() <= 60 => format!("  {DIM}{}{RESET}", subjects.join(", ")),
            subjects => format!("  {DIM}{} subjects{RESET}", subjects.len()),
        };
        line(text, format_args!("  {} {}{shown}", mark(Status::Proved), first.title));
        // What is measured of the whole stack is a figure that people look for.
        for whole in family.iter().filter(|claim| claim.status == Status::Proved && claim.subject == WHOLE) {
            line(text, format_args!("      {DIM}{}{RESET}", whole.observed));
        }
    }
    for claim in family.iter().filter(|claim| claim.status != Status::Proved) {
        line(
            text,
            format_args!(
                "  {} {}: {} {}",
                mark(claim.status),
                claim.subject,
                claim.title,
                requirements(claim)
            ),
        );
        if claim.status == Status::Failed {
            line(text, format_args!("      expected  {}", claim.expected));
        }
        line(
            text,
            format_args!(
                "      {:<9} {}",
                if claim.status == Status::Failed { "observed" } else { "because" },
                claim.observed
            ),
        );
        if claim.status == Status::Failed {
            for evidence in claim.evidence.iter().take(4) {
                line(text, format_args!("      {DIM}{}: {}{RESET}", evidence.source, evidence.value));
            }
        }
    }
}

fn requirements(claim: &Claim) -> String {
    format!("{DIM}[{} {}]{RESET}", claim.id, claim.requirements.join(" "))
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
