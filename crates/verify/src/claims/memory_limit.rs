use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    bound,
    certificate::Group,
    cgroup::Cgroups,
    declared, quantity,
    stack::{Member, Stack},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "memory-limit",
    title: "the kernel enforces the declared memory limit, and no swap beyond it",
    group: Group::Resources,
    requirements: &["R-050", "R-051", "R-055", "R-057", "R-044"],
    disturbs: false,
    measure: |stack| Box::pin(async move { Ok::<_, MeasureError>(measure(stack)) }),
};

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    stack.judge_members(|member| {
        let wanted = stack.declared(member).and_then(|service| declared::positive(service.limits().memory));
        let outcome =
            Outcome::new(&member.subject, wanted.map_or("a memory limit".to_owned(), quantity::bytes));
        if member.pid().is_none() {
            return given(stack, member, wanted, outcome);
        }
        let read = stack.visible_pid(member).and_then(|pid| {
            let cgroups = Cgroups::of(&stack.procfs, pid).map_err(|error| error.to_string())?;
            let limit = cgroups.memory_limit().map_err(|error| error.to_string())?;
            Ok((limit, cgroups.memory_and_swap_limit().ok()))
        });
        let (limit, both) = match read {
            Ok(read) => read,
            Err(why) => return Outcome::not_checked(&member.subject, outcome.expected, why),
        };
        let fits = limit.value.is_some() && wanted.is_none_or(|wanted| limit.value == Some(wanted));
        // Without swap accounting in the kernel there is no such file, and nothing to limit.
        let swaps = both.as_ref().is_some_and(|both| both.value != limit.value);
        let mut observed = limit.value.map_or("no limit".to_owned(), quantity::bytes);
        let idle = limit.value.and_then(|limit| bound::memory(stack, limit));
        observed += idle.as_deref().unwrap_or_default();
        if let Some(both) = both.as_ref().filter(|_| swaps) {
            observed += &format!(", with swap {}", both.value.map_or("no limit".to_owned(), quantity::bytes));
        }
        let evidence = [Some(limit), both]
            .into_iter()
            .flatten()
            .map(|reading| (reading.file.display().to_string(), reading.text));
        outcome.judge(fits && !swaps && idle.is_none(), observed).all_evidence(evidence)
    })
}

/// One that does not run has no cgroup any more.
fn given(stack: &Stack<'_>, member: &Member, wanted: Option<u64>, outcome: Outcome) -> Outcome {
    let given = member.given();
    let (limit, both) = given.memory();
    let fits = limit.is_some() && wanted.is_none_or(|wanted| limit == Some(wanted));
    // A kernel that does not count swap cannot limit it.
    let swaps = stack.facts.swap_limit && both != limit;
    let mut observed = format!("was given {}", limit.map_or("no limit".to_owned(), quantity::bytes));
    let idle = limit.and_then(|limit| bound::memory(stack, limit));
    observed += idle.as_deref().unwrap_or_default();
    if swaps {
        observed += &format!(", with swap {}", both.map_or("no limit".to_owned(), quantity::bytes));
    }
    let (source, value) = given.reading(&["Memory", "MemorySwap"]);
    outcome.judge(fits && !swaps && idle.is_none(), observed).evidence(source, value)
}
