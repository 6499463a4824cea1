//! What the first page says: the figures, the grid of services and groups of claims, and what was not measured.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    certificate::{Certificate, Claim, Group, Status},
    quantity,
};

/// The row of claims that are about no single service.
const WHOLE: &str = "whole stack";

/// How one service stands in one group of claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) proved: usize,
    pub(super) failed: usize,
    pub(super) not_checked: usize,
    pub(super) not_applicable: usize,
}

impl Cell {
    fn add(&mut self, status: Status) {
        match status {
            Status::Proved => self.proved += 1,
            Status::Failed => self.failed += 1,
            Status::NotChecked => self.not_checked += 1,
            Status::NotApplicable => self.not_applicable += 1,
        }
    }

    /// The worst of it; `None` without any claim.
    pub(super) fn status(self) -> Option<Status> {
        if self.failed > 0 {
            Some(Status::Failed)
        } else if self.not_checked > 0 {
            Some(Status::NotChecked)
        } else if self.proved > 0 {
            Some(Status::Proved)
        } else {
            (self.not_applicable > 0).then_some(Status::NotApplicable)
        }
    }

    /// The number to show: of the worst.
    pub(super) fn count(self) -> usize {
        [self.failed, self.not_checked, self.proved, self.not_applicable]
            .into_iter()
            .find(|count| *count > 0)
            .unwrap_or(0)
    }
}

/// Services by groups of claims.
#[derive(Clone, Debug, Default)]
pub(super) struct Grid {
    pub(super) columns: Vec<Group>,
    pub(super) rows: Vec<(String, Vec<Cell>)>,
}

pub(super) fn grid(certificate: &Certificate) -> Grid {
    let mut columns: Vec<Group> = certificate.claims.iter().map(|claim| claim.group).collect();
    columns.sort_unstable();
    columns.dedup();
    let mut services: Vec<&str> = Vec::new();
    for image in &certificate.images {
        if !services.contains(&image.service.as_str()) {
            services.push(&image.service);
        }
    }
    let mut cells: BTreeMap<(usize, Group), Cell> = BTreeMap::new();
    for claim in &certificate.claims {
        let mut about = services_of(claim, &certificate.project, &services);
        if about.is_empty() {
            about.insert(services.len());
        }
        for row in about {
            cells.entry((row, claim.group)).or_default().add(claim.status);
        }
    }
    let names = services.iter().map(ToString::to_string).chain([WHOLE.to_owned()]);
    let rows = names.enumerate().map(|(row, name)| {
        let of = |group: &Group| cells.get(&(row, *group)).copied().unwrap_or_default();
        (name, columns.iter().map(of).collect::<Vec<_>>())
    });
    let rows = rows.filter(|(_, cells)| cells.iter().any(|cell| cell.status().is_some())).collect();
    Grid { columns, rows }
}

/// `backend`, `pivotal-backend-2 /path`, `redis, backend`, `backend without redis`: the services that a claim is about.
fn services_of(claim: &Claim, project: &str, services: &[&str]) -> BTreeSet<usize> {
    let first = |part: &str| part.split_whitespace().next().unwrap_or_default().to_owned();
    let parts = claim.subject.split(',').map(|part| first(part.trim()));
    let is_of = |part: &str, service: &str| {
        let part = part.split(':').next().unwrap_or(part);
        part == service
            || part
                .strip_prefix(project)
                .and_then(|rest| rest.strip_prefix(['-', '_']))
                .and_then(|rest| rest.strip_prefix(service))
                .is_some_and(|rest| rest.starts_with(['-', '_']))
    };
    parts.filter_map(|part| services.iter().position(|service| is_of(&part, service))).collect()
}

/// A figure that people ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) value: String,
    /// What it is measured against, or how.
    pub(super) note: String,
}

pub(super) fn figures(certificate: &Certificate) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (id, name) in [
        ("start-time", "Start to healthy"),
        ("memory-idle", "Memory, idle"),
        ("memory-load", "Memory, under load"),
    ] {
        let claim = certificate.claims.iter().find(|claim| {
            claim.id == id
                && claim.subject == "stack"
                && matches!(claim.status, Status::Proved | Status::Failed)
        });
        if let Some(claim) = claim {
            let value = claim.observed.trim_start_matches("at most ");
            let value = value.split(" in ").next().unwrap_or(value).split(" under ").next().unwrap_or(value);
            // The reason stands with the claim.
            let value = if value.starts_with("not known: ") { "not known" } else { value };
            let note = claim.expected.trim_start_matches("all healthy ").trim_start_matches("at most ");
            let note = note.split(" after ").next().unwrap_or(note).trim_end_matches(" in all");
            figures.push(Figure { name, value: value.to_owned(), note: format!("budget: {note}") });
        }
    }
    let images: BTreeMap<&str, u64> =
        certificate.images.iter().map(|image| (image.id.as_str(), image.bytes)).collect();
    if !images.is_empty() {
        figures.push(Figure {
            name: "Images",
            value: quantity::bytes(images.values().sum()),
            note: format!("{} image{}, unpacked", images.len(), if images.len() == 1 { "" } else { "s" }),
        });
    }
    let workload = &certificate.workload;
    let note = if workload.requests > 0 {
        format!("{} at a time, for {:.0} s", workload.concurrency, workload.seconds)
    } else {
        "no load was put on the stack".to_owned()
    };
    figures.push(Figure { name: "Requests", value: workload.requests.to_string(), note });
    figures
}

/// What could not or cannot be measured: title, subjects, reason; the same reason once.
pub(super) fn open(certificate: &Certificate, status: Status) -> Vec<(String, String, String)> {
    let mut found: Vec<(String, Vec<String>, String)> = Vec::new();
    for claim in certificate.claims.iter().filter(|claim| claim.status == status) {
        let known = found.iter_mut().find(|(title, _, why)| *title == claim.title && *why == claim.observed);
        match known {
            Some((_, subjects, _)) => subjects.push(claim.subject.clone()),
            None => found.push((claim.title.clone(), vec![claim.subject.clone()], claim.observed.clone())),
        }
    }
    found.into_iter().map(|(title, subjects, why)| (title, subjects.join(", "), why)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::tests::sample;

    #[test]
    fn every_claim_is_in_the_grid() {
        let certificate = sample();
        let grid = grid(&certificate);
        let sum: usize = grid
            .rows
            .iter()
            .flat_map(|(_, cells)| cells)
            .map(|cell| cell.proved + cell.failed + cell.not_checked + cell.not_applicable)
            .sum();
        assert!(sum >= certificate.claims.len());
        let redis = grid.rows.iter().find(|(name, _)| name == "redis").unwrap();
        assert_eq!(redis.1[0].status(), Some(Status::Failed));
    }

    #[test]
    fn subjects_name_their_services() {
        let mut claim = sample().claims.remove(0);
        let mut of = |subject: &str| {
            subject.clone_into(&mut claim.subject);
            services_of(&claim, "shop", &["api", "web"]).into_iter().collect::<Vec<_>>()
        };
        assert_eq!(of("api"), [0]);
        assert_eq!(of("web:8080 /x"), [1]);
        assert_eq!(of("shop-web-2 /x"), [1]);
        assert_eq!(of("api, web"), [0, 1]);
        assert_eq!(of("api without store"), [0]);
        assert!(of("stack").is_empty());
    }
}
