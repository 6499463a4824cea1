use super::{ClaimSpec, MeasureError, Outcome};
use crate::{certificate::Group, stack::Stack};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "no-new-privileges",
    title: "no process can gain privileges",
    group: Group::Privileges,
    requirements: &["R-044", "R-045"],
    disturbs: false,
    measure: |stack| Box::pin(async move { Ok::<_, MeasureError>(measure(stack)) }),
};

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    stack.judge_processes(
        |_| "NoNewPrivs 1 in every process".to_owned(),
        |_, processes, outcome| {
            let set = processes.iter().filter(|(_, status)| status.no_new_privileges).count();
            let observed = format!("set in {set} of {}", processes.len());
            outcome.judge(set == processes.len(), observed).all_evidence(processes.iter().map(
                |(pid, status)| {
                    (
                        format!("/proc/{pid}/status"),
                        format!("NoNewPrivs {}", u8::from(status.no_new_privileges)),
                    )
                },
            ))
        },
        |member, outcome| {
            let by_engine = stack.facts.security.iter().any(|option| option == "no-new-privileges");
            let given = member.given();
            let set = by_engine || given.no_new_privileges();
            let (source, value) = given.reading(&["SecurityOpt"]);
            outcome.judge(set, if set { "was given it" } else { "was not given it" }).evidence(source, value)
        },
    )
}
