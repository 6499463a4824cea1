//! One self-contained page: no script, no font, no picture from anywhere else. The first screen is for somebody who was
//! not there; the readings come behind it, folded.

use minijinja::{AutoEscape, Environment, UndefinedBehavior, value::Serde};
use plimsoll_source::printable;
use serde_json::{Value, json};

use super::{groups, overview, references};
use crate::{
    certificate::{Certificate, Claim, Group, Status},
    quantity,
};

const TEMPLATE: &str = include_str!("../../templates/certificate.html");

/// Why the page could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the certificate's page cannot be written: {0}")]
pub struct HtmlError(#[from] minijinja::Error);

impl plimsoll_source::Explain for HtmlError {}

/// The certificate as a page.
pub fn html(certificate: &Certificate) -> Result<String, HtmlError> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_template("certificate", TEMPLATE)?;
    let (engine, workload) = (&certificate.engine, &certificate.workload);
    let tone = match (certificate.holds(), certificate.asks_application()) {
        (false, _) => "failed",
        (true, false) => "not-checked",
        (true, true) => "proved",
    };
    let page = json!({
        "project": certificate.project,
        "verdict": certificate.verdict,
        "tone": tone,
        "release": certificate.release,
        "commit": certificate.commit.as_deref().map(|commit| commit.chars().take(12).collect::<String>()),
        "measured_at": certificate.measured_at.replace('T', " ").replace('Z', " UTC"),
        "seconds": format!("{:.1}", certificate.seconds),
        "plimsoll": certificate.plimsoll,
        "disturbed": certificate.disturbed,
        "summary": certificate.summary,
        "engine": {
            "version": engine.version, "api": engine.api, "os": engine.os, "kernel": engine.kernel,
            "architecture": engine.architecture, "cpus": engine.cpus, "memory": quantity::bytes(engine.memory),
            "cgroup": format!("v{} ({})", engine.cgroup_version, engine.cgroup_driver),
            "security": engine.security.join(", "), "storage": engine.storage_driver,
        },
        "workload": {
            "requests": workload.requests, "routes": workload.routes, "concurrency": workload.concurrency,
            "seconds": format!("{:.1}", workload.seconds),
        },
        "figures": overview::figures(certificate).iter().map(|figure| json!({
            "name": figure.name, "value": figure.value, "note": figure.note,
        })).collect::<Vec<_>>(),
        "grid": grid(certificate),
        "not_checked": open(certificate, Status::NotChecked),
        "not_applicable": open(certificate, Status::NotApplicable),
        "images": images(certificate),
        "document": certificate.document,
        "promises": promises(certificate),
        "groups": groups(certificate).into_iter().filter(|(group, _)| *group != Group::Promises).map(|(group, claims)| section(group, &claims)).collect::<Vec<_>>(),
    });
    Ok(environment.get_template("certificate")?.render(Serde(page))?)
}

/// The document's sentences, each with what was measured.
fn promises(certificate: &Certificate) -> Vec<Value> {
    let claims = certificate.claims.iter().filter(|claim| claim.group == Group::Promises);
    claims
        .map(|claim| {
            let mut view = view(claim);
            view["id"] = json!(claim.id);
            view["says"] = json!(printable(&claim.title));
            view
        })
        .collect()
}

fn images(certificate: &Certificate) -> Vec<Value> {
    let view = certificate.images.iter().map(|image| {
        json!({
            "service": image.service, "declared": image.declared, "names": image.names.join(", "),
            "id": image.id, "size": quantity::bytes(image.bytes), "stand_in": image.stand_in,
        })
    });
    view.collect()
}

fn grid(certificate: &Certificate) -> Value {
    let grid = overview::grid(certificate);
    let cell = |cell: &overview::Cell| {
        let status = cell.status();
        json!({
            "class": status.map_or_else(|| "none".to_owned(), class),
            "mark": status.map_or("", mark),
            "count": cell.count(),
            "words": status.map_or_else(String::new, |status| format!("{} {}", cell.count(), status.words())),
        })
    };
    json!({
        "columns": grid.columns.iter().map(|group| json!({"name": short(*group), "id": anchor(*group)})).collect::<Vec<_>>(),
        "rows": grid.rows.iter().map(|(name, cells)| json!({
            "name": name, "cells": cells.iter().map(cell).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    })
}

fn open(certificate: &Certificate, status: Status) -> Vec<Value> {
    let all = overview::open(certificate, status).into_iter();
    all.map(|(title, subjects, why)| json!({ "title": title, "subjects": subjects, "why": why })).collect()
}

/// A group: each claim once, with its subjects.
fn section(group: Group, claims: &[&Claim]) -> Value {
    let mut families: Vec<Vec<&Claim>> = Vec::new();
    for claim in claims {
        match families.iter_mut().find(|family| family[0].id == claim.id && family[0].title == claim.title) {
            Some(family) => family.push(claim),
            None => families.push(vec![claim]),
        }
    }
    let count = |claims: &[&Claim], status| claims.iter().filter(|claim| claim.status == status).count();
    let measured = |claims: &[&Claim]| count(claims, Status::Proved) + count(claims, Status::Failed);
    let families: Vec<Value> = families
        .iter()
        .map(|family| {
            let worst = family.iter().map(|claim| claim.status).min().unwrap_or(Status::Proved);
            // A family with something proved is not called "not applicable" for the rest of it.
            let shown = match worst {
                Status::NotApplicable if count(family, Status::Proved) > 0 => Status::Proved,
                worst => worst,
            };
            let words = match family.len() {
                1 => shown.words().to_owned(),
                _ if shown == Status::Failed => format!("{} of {} failed", count(family, shown), measured(family)),
                _ if shown == Status::Proved => format!("{} proved", count(family, shown)),
                _ => format!("{} {}", count(family, shown), shown.words()),
            };
            let reference = references::of(&family[0].id);
            json!({
                "id": family[0].id,
                "title": family[0].title,
                "class": class(shown),
                "mark": mark(shown),
                "words": words,
                "one": (family.len() == 1).then(|| family[0].observed.clone()),
                "open": shown == Status::Failed,
                "reference": reference.map(|reference| json!({"text": reference.text, "address": reference.address})),
                "claims": family.iter().map(|claim| view(claim)).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "heading": group.heading(), "id": anchor(group), "proved": count(claims, Status::Proved),
        "measured": measured(claims), "families": families,
    })
}

fn view(claim: &Claim) -> Value {
    let readings = claim.evidence.iter().map(
        |evidence| json!({ "source": printable(&evidence.source), "value": printable(&evidence.value) }),
    );
    json!({
        "class": class(claim.status),
        "mark": mark(claim.status),
        "words": claim.status.words(),
        "subject": printable(&claim.subject),
        "expected": printable(&claim.expected),
        "observed": printable(&claim.observed),
        "evidence": readings.collect::<Vec<_>>(),
        "open": claim.status == Status::Failed,
    })
}

fn class(status: Status) -> String {
    status.words().replace(' ', "-")
}

fn mark(status: Status) -> &'static str {
    match status {
        Status::Proved => "✓",
        Status::Failed => "✗",
        Status::NotChecked => "?",
        Status::NotApplicable => "–",
    }
}

/// The heading of a column.
fn short(group: Group) -> &'static str {
    match group {
        Group::Privileges => "Privileges",
        Group::Resources => "Resources",
        Group::Network => "Network",
        Group::Lifecycle => "Life",
        Group::Http => "HTTP",
        Group::Secrets => "Secrets",
        Group::Records => "Logs",
        Group::Smoke => "Smoke",
        Group::Promises => "Promises",
    }
}

fn anchor(group: Group) -> String {
    short(group).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use crate::certificate::tests::sample;

    #[test]
    fn the_page_is_whole_escaped_and_alone() {
        let mut certificate = sample();
        certificate.claims[0].observed = "<script>alert(1)</script>".to_owned();
        certificate.claims[1].observed = "\x1b[2J".to_owned();
        let page = super::html(&certificate).unwrap();
        assert!(page.contains("&lt;script&gt;alert(1)"), "not escaped");
        assert!(!page.contains("<script") && !page.contains('\x1b'), "a script or a control sequence");
        // Links may be followed; nothing is loaded.
        for loads in ["<img", "<link", "<iframe", "<object", "@import", "url(", "src="] {
            assert!(!page.contains(loads), "{loads}");
        }
        for claim in &certificate.claims {
            let escaped = claim.id.replace('/', "&#x2f;");
            assert!(page.contains(&escaped), "{} is missing", claim.id);
        }
    }

    /// Numbers of the makers' own lists mean nothing to its reader.
    #[test]
    fn internal_numbers_in_the_certificate() {
        let certificate = sample();
        for text in [super::html(&certificate).unwrap(), crate::report::terminal(&certificate)] {
            assert!(!text.contains("R-0"), "{text}");
        }
        assert!(super::html(&certificate).unwrap().contains("CIS Docker Benchmark, 4.1"));
    }
}
