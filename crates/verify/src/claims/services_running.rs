use plimsoll_compose::Service;
use plimsoll_engine::RunState;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    cgroup::Cgroups,
    declared,
    stack::{Member, Stack},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "services-running",
    title: "every service of the project runs, in as many containers as the file wants",
    group: Group::Lifecycle,
    requirements: &["R-086", "R-132", "R-139"],
    disturbs: false,
    measure: |stack| Box::pin(async move { Ok::<_, MeasureError>(measure(stack)) }),
};

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    stack
        .project
        .services
        .iter()
        // A provider's service has no containers; a job's are judged by `one-shot`.
        .filter(|(name, service)| service.provider.is_none() && !stack.is_job(name))
        .map(|(name, service)| of_service(stack, name, service))
        .collect()
}

fn of_service(stack: &Stack<'_>, name: &str, service: &Service) -> Outcome {
    let wanted = declared::replicas(service);
    let containers: Vec<&Member> = stack.of_the_file().filter(|member| member.service == name).collect();
    let expected = match wanted {
        0 => "no container of it, as the file says".to_owned(),
        1 => "its container runs, and was not started again by the engine".to_owned(),
        wanted => format!("{wanted} containers run, and none was started again by the engine"),
    };
    let mut wrong = Vec::new();
    let up = containers.iter().filter(|member| member.detail.state == RunState::Running).count();
    if up != wanted {
        wrong.push(match (wanted, containers.len()) {
            (1, 0) => "there is no container of it".to_owned(),
            _ => format!("{up} of {wanted} run"),
        });
    }
    for member in &containers {
        let detail = &member.detail;
        if detail.state != RunState::Running && wanted > 0 {
            wrong.push(format!("{} is {}", member.name, detail.state.as_str()));
        }
        if detail.restarts > 0 {
            wrong.push(format!("{} was started again {} times", member.name, detail.restarts));
        }
        wrong.extend(stopped(stack, member).map(|how| format!("{} {how}", member.name)));
    }
    let observed = match (wrong.as_slice(), wanted) {
        ([], 0) => "none is wanted, and none runs".to_owned(),
        ([], 1) => "running, 0 restarts by the engine".to_owned(),
        ([], _) => format!("{up} of {wanted} run, 0 restarts by the engine"),
        (wrong, _) => wrong.join("; "),
    };
    let readings = containers.iter().map(|member| {
        let detail = &member.detail;
        (
            format!("engine: container {}", member.name),
            format!(
                "{}, {} restarts, started {}, image {}",
                detail.state.as_str(),
                detail.restarts,
                detail.started,
                detail.image_id
            ),
        )
    });
    Outcome::new(name, expected).judge(wrong.is_empty(), observed).all_evidence(readings)
}

/// A container whose processes do not run although the engine says so: stopped by a signal, or frozen by its cgroup.
fn stopped(stack: &Stack<'_>, member: &Member) -> Option<&'static str> {
    let pid = stack.visible_pid(member).ok().filter(|_| member.detail.state == RunState::Running)?;
    match stack.procfs.status(pid).ok()?.state {
        'T' | 't' => Some("is stopped by a signal (SIGSTOP)"),
        'Z' | 'X' => Some("has no first process any more"),
        _ if Cgroups::of(&stack.procfs, pid).and_then(|cgroups| cgroups.frozen()).unwrap_or(false) => {
            Some("is frozen by its cgroup")
        }
        _ => None,
    }
}
