use plimsoll_compose::Service;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    inside::Inside,
    stack::{Member, Stack},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "secret-files",
    title: "a secret's file can be read by its service and by nobody else",
    group: Group::Secrets,
    requirements: &["R-103"],
    disturbs: false,
    measure: |stack| Box::pin(async move { Ok::<_, MeasureError>(measure(stack)) }),
};

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    let holders = stack.lasting().filter(|(_, service)| !service.secrets.is_empty());
    holders.map(|(member, service)| of_member(stack, member, service)).collect()
}

fn of_member(stack: &Stack<'_>, member: &Member, service: &Service) -> Outcome {
    let outcome = Outcome::new(&member.subject, "owned by the service's uid, mode 0400");
    let read =
        stack.processes(member).and_then(|all| all.first().cloned().ok_or_else(|| "no process".to_owned()));
    let (pid, status) = match read {
        Ok(first) => first,
        Err(why) => return Outcome::not_checked(&member.subject, outcome.expected, why),
    };
    let uid = status.uids.first().copied().unwrap_or(0);
    let inside = Inside::of(&stack.procfs, pid);
    let mut wrong = Vec::new();
    let mut evidence = Vec::new();
    for reference in &service.secrets {
        let source = reference.source.as_deref().unwrap_or_default();
        let target = reference.target.as_deref().unwrap_or(source);
        let path = if target.starts_with('/') { target.to_owned() } else { format!("/run/secrets/{target}") };
        match inside
            .as_ref()
            .map_err(ToString::to_string)
            .and_then(|inside| inside.stat(&path).map_err(|error| error.to_string()))
        {
            Ok(found) => {
                let mode = found.st_mode & 0o7777;
                if found.st_uid != uid || mode != 0o400 {
                    wrong.push(format!("{path} is {mode:04o} of uid {}", found.st_uid));
                }
                evidence.push((
                    format!("{path} in the root of process {pid}"),
                    format!("uid {}, mode {mode:04o}; the process has uid {uid}", found.st_uid),
                ));
            }
            Err(error) => wrong.push(format!("{path}: {error}")),
        }
    }
    let observed = if wrong.is_empty() {
        format!("{} files of uid {uid}, mode 0400", evidence.len())
    } else {
        wrong.join("; ")
    };
    outcome.judge(wrong.is_empty(), observed).all_evidence(evidence)
}
