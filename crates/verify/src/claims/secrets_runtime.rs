use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    stack::{Member, Stack},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "secrets-runtime",
    title: "no secret value is in an environment, a command line or the engine's description of a container",
    group: Group::Secrets,
    requirements: &["R-102", "R-103", "R-044"],
    disturbs: false,
    measure: |stack| Box::pin(async move { Ok::<_, MeasureError>(measure(stack)) }),
};

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    match &stack.secrets {
        Err(why) => vec![Outcome::not_checked("stack", "no secret value outside its file", why)],
        Ok(secrets) if secrets.is_empty() => {
            let why = "the project declares no secret files";
            vec![Outcome::not_applicable("stack", "no secret value outside its file", why)]
        }
        Ok(_) => stack.members.iter().map(|member| of_member(stack, member)).collect(),
    }
}

fn of_member(stack: &Stack<'_>, member: &Member) -> Outcome {
    let Ok(secrets) = &stack.secrets else { return Outcome::new(&member.subject, "") };
    let outcome = Outcome::new(
        &member.subject,
        format!("none of {} values in environ, cmdline or inspection", secrets.len()),
    );
    // Of a container that has ended only the engine's description is left.
    let ended = member.pid().is_none();
    let pids = match stack.processes(member) {
        Ok(processes) => processes,
        Err(_) if ended => Vec::new(),
        Err(why) => return Outcome::not_checked(&member.subject, outcome.expected, why),
    };
    let mut found = Vec::new();
    let mut evidence = Vec::new();
    let mut look = |source: String, content: &[u8]| {
        let names = secrets.names_in(content);
        let value = if names.is_empty() {
            format!("{} bytes, no secret", content.len())
        } else {
            format!("holds {}", names.join(", "))
        };
        found.extend(names.into_iter().map(|name| format!("{name} in {source}")));
        evidence.push((source, value));
    };
    for (pid, _) in &pids {
        for file in ["environ", "cmdline"] {
            match stack.procfs.read(*pid, file) {
                Ok(content) => look(format!("/proc/{pid}/{file}"), &content),
                Err(error) if has_ended(&error) => {}
                Err(error) => {
                    return Outcome::not_checked(
                        &member.subject,
                        outcome.expected,
                        format!("/proc/{pid}/{file}: {error}"),
                    );
                }
            }
        }
    }
    look(format!("engine: inspection of container {}", member.name), member.raw.to_string().as_bytes());
    let observed = match found.as_slice() {
        [] if ended => "does not run; none in the environment and the command that it was given".to_owned(),
        [] => format!("none in {} processes", pids.len()),
        found => found.join("; "),
    };
    outcome.judge(found.is_empty(), observed).all_evidence(evidence)
}

/// A process that ends between two readings has no files any more (ENOENT), or no memory behind them (ESRCH).
fn has_ended(error: &std::io::Error) -> bool {
    let gone = rustix::io::Errno::SRCH.raw_os_error();
    error.kind() == std::io::ErrorKind::NotFound || error.raw_os_error() == Some(gone)
}
