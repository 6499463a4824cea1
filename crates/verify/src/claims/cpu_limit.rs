use super::{ClaimSpec, MeasureError, Outcome};
use crate::{bound, certificate::Group, cgroup::Cgroups, stack::Stack};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "cpu-limit",
    title: "the kernel enforces the declared CPU limit",
    group: Group::Resources,
    requirements: &["R-050", "R-051", "R-053", "R-044"],
    disturbs: false,
    measure: |stack| Box::pin(async move { Ok::<_, MeasureError>(measure(stack)) }),
};

/// Two settings are the same if they differ by less than the kernel can express.
const PRECISION: f64 = 0.001;

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    let host = f64::from(stack.facts.cpus);
    stack.judge_members(|member| {
        let declared = stack.declared(member).and_then(|service| service.limits().cpus);
        let wanted = declared.map(|cpus| cpus.min(host));
        let expected = match (declared, wanted) {
            (Some(declared), Some(wanted)) if declared > wanted => {
                format!("{wanted} CPUs: {declared} declared, fitted to the host's {host}")
            }
            (_, Some(wanted)) => format!("{wanted} CPUs"),
            _ => "a CPU limit".to_owned(),
        };
        let outcome = Outcome::new(&member.subject, expected);
        if member.pid().is_none() {
            let given = member.given();
            let fits = given.cpus().is_some_and(|found| fits(found, wanted));
            let idle = given.cpus().and_then(|cpus| bound::cpus(stack, cpus));
            let observed =
                given.cpus().map_or("was given no limit".to_owned(), |cpus| format!("was given {cpus} CPUs"));
            let (fits, observed) = (fits && idle.is_none(), observed + &idle.unwrap_or_default());
            let (source, value) = given.reading(&["NanoCpus", "CpuQuota", "CpuPeriod"]);
            return outcome.judge(fits, observed).evidence(source, value);
        }
        let read = stack.visible_pid(member).and_then(|pid| {
            Cgroups::of(&stack.procfs, pid)
                .and_then(|cgroups| cgroups.cpu_limit())
                .map_err(|error| error.to_string())
        });
        let limit = match read {
            Ok(limit) => limit,
            Err(why) => return Outcome::not_checked(&member.subject, outcome.expected, why),
        };
        let fits = limit.value.is_some_and(|found| fits(found, wanted));
        let idle = limit.value.and_then(|cpus| bound::cpus(stack, cpus));
        let observed = limit.value.map_or("no limit".to_owned(), |cpus| format!("{cpus} CPUs"));
        let (fits, observed) = (fits && idle.is_none(), observed + &idle.unwrap_or_default());
        outcome.judge(fits, observed).evidence(limit.file.display().to_string(), limit.text)
    })
}

fn fits(found: f64, wanted: Option<f64>) -> bool {
    wanted.is_none_or(|wanted| (found - wanted).abs() < PRECISION)
}
