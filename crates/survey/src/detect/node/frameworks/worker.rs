//! Packages that are started and listen nowhere: workers that take jobs, schedulers that start them at times.

use super::Found;
use crate::{
    detect::node::{
        processes,
        services::{self, Candidate},
    },
    model::Role,
};

pub(super) fn find(candidate: &Candidate<'_>) -> Option<Found> {
    let starts =
        ["start:prod", "start", "worker"].iter().any(|name| candidate.manifest.script(name).is_some());
    if !starts || candidate.listens() {
        return None;
    }
    let sign = processes::sign(candidate.program, &candidate.manifest.folder)?;
    let package = candidate.manifest.dependency(sign.package)?;
    let mut tool = services::framework(candidate.manifest, package.name, "brings the work")?;
    tool.evidence.push(sign.evidence);
    Some(Found::new(if sign.scheduler { Role::Scheduler } else { Role::Worker }, tool))
}
