use std::time::{Duration, Instant};

use serde_json::Value;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::{Evidence, Group},
    front::{self, Asked, Front, Source},
    http::Endpoint,
    probe, quantity,
    smoke::{Check, Judged, Runner, SmokeFile, Verdict, slug},
    stack::Stack,
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "smoke",
    title: "the application does what its smoke checks say",
    group: Group::Smoke,
    requirements: &["R-139"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

/// Between two requests of a check with `within`.
const PAUSE: Duration = Duration::from_millis(300);

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let expected = "the checks of smoke.toml pass";
    let file = match &stack.options.smoke {
        Some(file) if !file.checks.is_empty() => file,
        _ => {
            let why =
                "the project has no smoke checks: nothing was asked of the application (plimsoll help smoke)";
            return Ok(vec![Outcome::not_checked("stack", expected, why)]);
        }
    };
    let fronts = front::fronts(stack).await.for_smoke(stack.options.smoke_front.as_deref());
    if fronts.is_empty() {
        let why = match &stack.options.smoke_front {
            Some(name) => format!("`smoke.front` names {name}, which publishes no port that speaks HTTP"),
            None => "no TCP port is published".to_owned(),
        };
        return Ok(vec![Outcome::new("stack", expected).judge(false, why)]);
    }
    let mut outcomes = Vec::new();
    for (at, front) in fronts.iter().enumerate() {
        let subject = if fronts.len() > 1 { front.subject.as_str() } else { "front" };
        outcomes.extend(Box::pin(of_front(stack, file, front, subject, at == 0)).await);
    }
    Ok(outcomes)
}

/// Every check in order; of those that are asked inside another service only once, of each of its containers.
async fn of_front(
    stack: &Stack<'_>,
    file: &SmokeFile,
    front: &Front,
    subject: &str,
    first: bool,
) -> Vec<Outcome> {
    let mut runner = Runner::default();
    let mut outcomes = Vec::new();
    for check in &file.checks {
        if check.at.is_some() && !first {
            continue;
        }
        let before = match disturb(stack, check).await {
            Ok(before) => before,
            Err(why) => {
                let outcome = Outcome::not_checked(subject, expectation(check), why);
                outcomes.push(named(outcome, check));
                continue;
            }
        };
        let public = || vec![(subject.to_owned(), Ok(front.endpoint.clone()))];
        for (subject, endpoint) in inside(stack, check).unwrap_or_else(public) {
            let mut outcome = named(Outcome::new(subject, expectation(check)), check);
            outcome.evidence.extend(before.clone());
            match endpoint {
                Err(why) => outcome.observed = why,
                Ok(endpoint) => {
                    let judged = until_right(&mut runner, check, &endpoint, front).await;
                    outcome.status = judged.verdict.status();
                    judged.verdict.observed().clone_into(&mut outcome.observed);
                    outcome.evidence.extend(judged.evidence);
                    if let (Some(answer), None) = (&judged.answer, &check.at) {
                        stack.seen.note(&front.subject, Source::Smoke, Asked::of(check), answer);
                    }
                }
            }
            outcomes.push(outcome);
        }
    }
    outcomes
}

/// The outcome of one check of the family.
fn named(mut outcome: Outcome, check: &Check) -> Outcome {
    outcome.member = Some((slug(&check.name), check.name.clone()));
    outcome
}

/// Asks once, or with `within` again and again until the answer is right or the time is over.
async fn until_right(runner: &mut Runner, check: &Check, endpoint: &Endpoint, front: &Front) -> Judged {
    let (begin, limit) = (Instant::now(), Duration::from_secs(check.within.unwrap_or(0)));
    loop {
        let mut judged = runner.check(check, endpoint, &front.endpoint).await;
        let over = begin.elapsed() >= limit;
        if check.within.is_some() {
            let took = quantity::seconds(begin.elapsed());
            judged.verdict = match judged.verdict {
                Verdict::Passed(said) => Verdict::Passed(format!("{said} after {took}")),
                Verdict::Failed(said) if over => Verdict::Failed(format!("{said}, still after {took}")),
                other => other,
            };
        }
        if over || !matches!(judged.verdict, Verdict::Failed(_)) {
            return judged;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Ends the containers that the check names and starts them again: what was done, or why not.
async fn disturb(stack: &Stack<'_>, check: &Check) -> Result<Vec<Evidence>, String> {
    let Some(service) = check.disturbed() else { return Ok(Vec::new()) };
    if !stack.options.disturb {
        return Err(format!("--no-disturb: {service} is not stopped"));
    }
    if stack.of_service(service).any(|member| chosen_ports(&member.raw)) {
        return Err(format!(
            "the engine chooses a port of {service} at each start: what is asked next would be lost"
        ));
    }
    let mut done = Vec::new();
    for member in stack.of_service(service) {
        let (what, ended) = if check.kill.is_some() {
            ("docker kill", stack.disturbances.kill(member.id()).await)
        } else {
            ("docker stop", stack.disturbances.stop(member.id()).await)
        };
        ended.map_err(|error| error.to_string())?;
        let (_, back) = probe::start_again(stack, member).await.map_err(|error| error.to_string())?;
        done.push(Evidence {
            source: format!("{what} {name}, docker start {name}", name = member.name),
            value: back,
        });
    }
    if done.is_empty() { Err(format!("no container of {service} runs")) } else { Ok(done) }
}

/// True if a published port is another one after the next start.
fn chosen_ports(container: &Value) -> bool {
    let bindings = container.pointer("/HostConfig/PortBindings").and_then(Value::as_object);
    let all = bindings.into_iter().flat_map(|ports| ports.values()).filter_map(Value::as_array).flatten();
    all.filter_map(|binding| binding["HostPort"].as_str())
        .any(|port| matches!(port, "" | "0") || port.contains('-'))
}

/// Where a check with `at` is sent from: every container of that service, as it runs now.
fn inside(stack: &Stack<'_>, check: &Check) -> Option<Vec<(String, Result<Endpoint, String>)>> {
    let (service, port) = crate::smoke::split_at(check.at.as_deref()?)?;
    let mut endpoints = Vec::new();
    for member in stack.of_service(service) {
        let endpoint = stack.visible_pid(member).map(|pid| Endpoint::Inside {
            procfs: stack.procfs.clone(),
            pid,
            port,
            service: service.to_owned(),
        });
        // What speaks TLS outside does so inside.
        let mut fronts = stack.fronts.get().into_iter().flat_map(|fronts| &fronts.all);
        let has_tls = fronts.any(|front| {
            front.container == member.id() && front.container_port == port && front.endpoint.has_tls()
        });
        let endpoint = match endpoint {
            Ok(endpoint) if has_tls => Ok(endpoint.with_tls(stack.options.tls.name.as_deref())),
            other => other,
        };
        endpoints.push((member.subject.clone(), endpoint));
    }
    if endpoints.is_empty() {
        return Some(vec![(service.to_owned(), Err(format!("no container of {service} runs")))]);
    }
    Some(endpoints)
}

fn expectation(check: &Check) -> String {
    let expect = &check.expect;
    let mut parts = Vec::new();
    parts.extend(expect.status.map(|status| status.to_string()));
    parts.extend(expect.below.map(|below| format!("a status below {below}")));
    parts.extend(expect.header.iter().map(|(name, value)| format!("{name}: {value}")));
    parts.extend(expect.json.iter().map(|(pointer, value)| format!("{pointer} = {value}")));
    parts.extend(expect.body.as_ref().map(|text| format!("body with `{text}`")));
    parts.extend(expect.not_body.as_ref().map(|text| format!("body without `{text}`")));
    let when = match (&check.kill, &check.restart) {
        (Some(service), _) => format!(" after {service} was killed"),
        (None, Some(service)) => format!(" after {service} was restarted"),
        (None, None) => String::new(),
    };
    let within = check.within.map_or_else(String::new, |seconds| format!(" within {seconds} s"));
    format!("{}{when} answers {}{within}", check.request, parts.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::chosen_ports;

    #[test]
    fn ports_that_change_with_each_start() {
        let of = |port: &str| json!({ "HostConfig": { "PortBindings": { "80/tcp": [{ "HostIp": "", "HostPort": port }] } } });
        for (port, chosen) in [("", true), ("0", true), ("8080-8090", true), ("8080", false)] {
            assert_eq!(chosen_ports(&of(port)), chosen, "{port}");
        }
        assert!(!chosen_ports(&json!({ "HostConfig": { "PortBindings": null } })));
    }
}
