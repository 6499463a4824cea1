use std::collections::BTreeSet;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{certificate::Group, quantity, stack::Stack};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "image-size",
    title: "images keep to their size budgets",
    group: Group::Resources,
    requirements: &["R-003", "R-005", "R-006", "R-007"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let mut outcomes = Vec::new();
    let mut measured = BTreeSet::new();
    for member in &stack.members {
        let budget = stack.options.budgets.images.get(&member.service).copied();
        // The images of others are what they are; only a budget makes a claim of their size. A budget for a service that
        // works once is meant as well.
        let lasts = !stack.is_job(&member.service);
        let built = stack.declared(member).is_some_and(|service| service.build.is_some());
        if budget.is_none() && !(lasts && built) {
            continue;
        }
        measured.insert(member.service.as_str());
        let Some(budget) = budget else {
            let why = "plimsoll.toml has no budgets.images for it";
            outcomes.push(Outcome::not_applicable(&member.subject, "its size is within a budget", why));
            continue;
        };
        let image = stack.engine.inspect_image(&member.detail.image_id).await?;
        let layers = image.diff_ids.len();
        let observed = format!("{} unpacked in {layers} layers", quantity::bytes(image.size));
        let outcome = Outcome::new(&member.subject, format!("at most {} unpacked", quantity::bytes(budget)));
        let source = format!("engine: image {}", image.tags.first().unwrap_or(&image.id));
        outcomes.push(
            outcome.judge(image.size <= budget, observed).evidence(source, format!("Size {}", image.size)),
        );
    }
    // Whoever sets a budget wants it measured.
    for (service, budget) in &stack.options.budgets.images {
        if !measured.contains(service.as_str()) {
            let active = stack.project.services.contains_key(service);
            outcomes.push(unmeasured(service, *budget, active));
        }
    }
    Ok(outcomes)
}

/// A budget that cannot be held against anything: it is not known whether it is kept.
fn unmeasured(service: &str, budget: u64, active: bool) -> Outcome {
    let why = if active {
        "there is a budget for it and no container of it"
    } else {
        "there is a budget for it, and the service does not run: its profile is not active"
    };
    Outcome::new(service, format!("at most {} unpacked", quantity::bytes(budget))).judge(false, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::Status;

    #[test]
    fn a_budget_without_a_container_is_not_kept() {
        for (active, word) in [(true, "no container"), (false, "profile")] {
            let outcome = unmeasured("web", 1000, active);
            assert_eq!(outcome.status, Status::Failed);
            assert!(outcome.observed.contains(word), "{}", outcome.observed);
        }
    }
}
