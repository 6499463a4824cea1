use super::{ClaimSpec, MeasureError, Outcome};
use crate::{certificate::Group, cgroup::Cgroups, declared, quantity, stack::Stack};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "memory-limit",
    title: "the kernel enforces the declared memory limit, and no swap beyond it",
    group: Group::Resources,
    requirements: &["R-050", "R-051", "R-055", "R-057", "R-044"],
    disturbs: false,
    measure: |stack| Box::pin(async move { Ok::<_, MeasureError>(measure(stack)) }),
};

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    let judged = stack.lasting().map(|(member, service)| {
        let wanted = declared::memory_limit(service);
        let outcome =
            Outcome::new(&member.subject, wanted.map_or("a memory limit".to_owned(), quantity::bytes));
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
        if let Some(both) = both.as_ref().filter(|_| swaps) {
            observed += &format!(", with swap {}", both.value.map_or("no limit".to_owned(), quantity::bytes));
        }
        let evidence = [Some(limit), both]
            .into_iter()
            .flatten()
            .map(|reading| (reading.file.display().to_string(), reading.text));
        outcome.judge(fits && !swaps, observed).all_evidence(evidence)
    });
    judged.collect()
}
