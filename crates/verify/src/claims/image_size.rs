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
            let expected = format!("at most {} unpacked", quantity::bytes(*budget));
            outcomes.push(if stack.project.services.contains_key(service) {
                Outcome::new(service, expected)
                    .judge(false, "there is a budget for it and no container of it")
            } else {
                Outcome::not_applicable(service, expected, "its profile is not active")
            });
        }
    }
    Ok(outcomes)
}
