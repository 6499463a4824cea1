use super::{ClaimSpec, MeasureError, Outcome};
use crate::{certificate::Group, stack::Stack};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "seccomp",
    title: "system calls are filtered",
    group: Group::Privileges,
    requirements: &["R-044", "R-045"],
    disturbs: false,
    measure: |stack| Box::pin(async move { Ok::<_, MeasureError>(measure(stack)) }),
};

/// `Seccomp` of /proc/pid/status for a process under a filter.
const FILTER: u8 = 2;

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    let expected = "Seccomp 2 (filter) in every process";
    if !stack.facts.security.iter().any(|option| option == "seccomp") {
        return vec![Outcome::not_applicable("stack", expected, "the engine says that it has no seccomp")];
    }
    stack.judge_processes(
        |_| expected.to_owned(),
        |_, processes, outcome| {
            let filtered = processes.iter().filter(|(_, status)| status.seccomp == FILTER).count();
            let observed = format!("filtered in {filtered} of {}", processes.len());
            outcome.judge(filtered == processes.len(), observed).all_evidence(
                processes.iter().map(|(pid, status)| {
                    (format!("/proc/{pid}/status"), format!("Seccomp {}", status.seccomp))
                }),
            )
        },
        |member, outcome| {
            let given = member.given();
            let free = given.unfiltered();
            let (source, value) = given.reading(&["SecurityOpt", "Privileged"]);
            outcome
                .judge(!free, if free { "ran without a filter" } else { "was given a filter" })
                .evidence(source, value)
        },
    )
}
