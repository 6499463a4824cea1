use plimsoll_engine::RunState;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{certificate::Group, declared, stack::Stack};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "services-running",
    title: "every service of the project runs",
    group: Group::Lifecycle,
    requirements: &["R-086", "R-132", "R-139"],
    disturbs: false,
    measure: |stack| Box::pin(async move { Ok::<_, MeasureError>(measure(stack)) }),
};

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    let expected = "its container runs, and was not started again by the engine";
    let services = stack.project.services.keys().filter(|name| !declared::runs_once(stack.project, name));
    let mut outcomes = Vec::new();
    for name in services {
        let before = outcomes.len();
        for member in stack.members.iter().filter(|member| member.service == *name) {
            let detail = &member.detail;
            let holds = detail.state == RunState::Running && detail.restarts == 0;
            let observed = format!("{}, {} restarts by the engine", detail.state.as_str(), detail.restarts);
            let source = format!("engine: container {}", member.name);
            let value = format!("started {}, image {}", detail.started, detail.image_id);
            outcomes
                .push(Outcome::new(&member.subject, expected).judge(holds, observed).evidence(source, value));
        }
        if outcomes.len() == before {
            outcomes.push(Outcome::new(name, expected).judge(false, "there is no container of it"));
        }
    }
    outcomes
}
