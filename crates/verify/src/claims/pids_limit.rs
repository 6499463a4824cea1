use super::{ClaimSpec, MeasureError, Outcome};
use crate::{bound, certificate::Group, cgroup::Cgroups, declared, stack::Stack};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "pids-limit",
    title: "the kernel enforces a limit of processes",
    group: Group::Resources,
    requirements: &["R-044"],
    disturbs: false,
    measure: |stack| Box::pin(async move { Ok::<_, MeasureError>(measure(stack)) }),
};

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    stack.judge_members(|member| {
        let wanted = stack.declared(member).and_then(|service| declared::positive(service.limits().pids));
        let expected =
            wanted.map_or("a limit".to_owned(), |pids| format!("at most {pids} processes and threads"));
        let outcome = Outcome::new(&member.subject, expected);
        if member.pid().is_none() {
            let given = member.given();
            let fits = given.pids().is_some_and(|found| wanted.is_none_or(|wanted| found == wanted));
            let idle = given.pids().and_then(|pids| bound::pids(stack, pids));
            let observed =
                given.pids().map_or("was given no limit".to_owned(), |pids| format!("was given {pids}"));
            let (fits, observed) = (fits && idle.is_none(), observed + &idle.unwrap_or_default());
            let (source, value) = given.reading(&["PidsLimit"]);
            return outcome.judge(fits, observed).evidence(source, value);
        }
        let read = stack.visible_pid(member).and_then(|pid| {
            Cgroups::of(&stack.procfs, pid)
                .and_then(|cgroups| cgroups.pids_limit())
                .map_err(|error| error.to_string())
        });
        let limit = match read {
            Ok(limit) => limit,
            Err(why) => return Outcome::not_checked(&member.subject, outcome.expected, why),
        };
        let fits = limit.value.is_some() && wanted.is_none_or(|wanted| limit.value == Some(wanted));
        let idle = limit.value.and_then(|pids| bound::pids(stack, pids));
        let observed = limit.value.map_or("no limit".to_owned(), |pids| pids.to_string());
        let (fits, observed) = (fits && idle.is_none(), observed + &idle.unwrap_or_default());
        outcome.judge(fits, observed).evidence(limit.file.display().to_string(), limit.text)
    })
}
