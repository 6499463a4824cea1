use super::{ClaimSpec, MeasureError, Outcome};
use crate::{certificate::Group, stack::Stack};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "apparmor",
    title: "an AppArmor profile is enforced",
    group: Group::Privileges,
    requirements: &["R-044"],
    disturbs: false,
    measure: |stack| Box::pin(async move { Ok::<_, MeasureError>(measure(stack)) }),
};

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    let expected = "every process is under a profile in enforce mode";
    if !stack.facts.security.iter().any(|option| option == "apparmor") {
        let why = format!(
            "the engine has no AppArmor; its security options are {}",
            stack.facts.security.join(", ")
        );
        return vec![Outcome::not_applicable("stack", expected, why)];
    }
    stack.judge_processes(
        |_| expected.to_owned(),
        |_, processes, outcome| {
            let labels: Vec<(u32, String)> = processes
                .iter()
                .filter_map(|(pid, _)| Some((*pid, stack.procfs.read(*pid, "attr/current").ok()?)))
                .map(|(pid, label)| {
                    (pid, String::from_utf8_lossy(&label).trim_matches(['\0', '\n']).to_owned())
                })
                .collect();
            let enforced = labels.iter().filter(|(_, label)| label.ends_with("(enforce)")).count();
            let observed = format!("enforced in {enforced} of {}", processes.len());
            let evidence =
                labels.into_iter().map(|(pid, label)| (format!("/proc/{pid}/attr/current"), label));
            outcome.judge(enforced == processes.len(), observed).all_evidence(evidence)
        },
        |member, outcome| {
            let profile = member.text("/AppArmorProfile");
            let (holds, observed) = match profile {
                "unconfined" => (false, "was given none".to_owned()),
                "" if member.given().privileged() => (false, "is privileged: was given none".to_owned()),
                "" => (true, "was given the engine's own".to_owned()),
                profile => (true, format!("was given {profile}")),
            };
            outcome
                .judge(holds, observed)
                .evidence(format!("engine: container {} AppArmorProfile", member.name), profile)
        },
    )
}
