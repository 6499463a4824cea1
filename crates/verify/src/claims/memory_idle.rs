use std::time::Duration;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{bound, certificate::Group, memory, quantity, stack::Stack};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "memory-idle",
    title: "all containers together keep to the memory budget while idle",
    group: Group::Resources,
    requirements: &["R-054", "R-160"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

/// Readings, and the pause between two of them.
const READINGS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(300);

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let Some(budget) = stack.options.budgets.memory else {
        let why = "plimsoll.toml has no budgets.memory";
        return Ok(vec![Outcome::not_applicable("stack", "the sum is within a budget", why)]);
    };
    let outcome = Outcome::new("stack", format!("at most {} in all", quantity::bytes(budget)));
    if let Some(idle) = bound::memory(stack, budget) {
        return Ok(vec![
            outcome.judge(false, format!("budgets.memory is {}{idle}", quantity::bytes(budget))),
        ]);
    }
    let mut highest: Option<memory::Sample> = None;
    for _ in 0..READINGS {
        match memory::sample(stack) {
            Ok(sample) if highest.as_ref().is_none_or(|highest| sample.total() > highest.total()) => {
                highest = Some(sample);
            }
            Ok(_) => {}
            // Whoever set a budget must not take it for kept.
            Err(why) => return Ok(vec![outcome.judge(false, format!("not known: {why}"))]),
        }
        tokio::time::sleep(PAUSE).await;
    }
    let highest = highest.ok_or_else(|| MeasureError::Other("no reading was made".to_owned()))?;
    let observed = format!("{} in {} containers", quantity::bytes(highest.total()), highest.len());
    Ok(vec![outcome.judge(highest.total() <= budget, observed).all_evidence(highest.evidence())])
}
