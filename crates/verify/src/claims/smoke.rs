use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    front::{self, Front, Source},
    http::Endpoint,
    smoke::{Check, Runner, SmokeFile},
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

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let expected = "the checks of smoke.toml pass";
    let file = match &stack.options.smoke {
        Some(file) if !file.checks.is_empty() => file,
        _ => {
            let why = "the project has no smoke checks: nothing was asked of the application (docs/smoke.md)";
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
        outcomes.extend(of_front(stack, file, front, subject, at == 0).await);
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
        let places =
            inside(stack, check).unwrap_or_else(|| vec![(subject.to_owned(), Ok(front.endpoint.clone()))]);
        if check.at.is_some() && !first {
            continue;
        }
        for (subject, endpoint) in places {
            let mut outcome = Outcome::new(subject, expectation(check));
            outcome.member = Some((slug(&check.name), check.name.clone()));
            match endpoint {
                Err(why) => outcome.observed = why,
                Ok(endpoint) => {
                    let judged = runner.check(check, &endpoint, &front.endpoint).await;
                    outcome.status = judged.verdict.status();
                    judged.verdict.observed().clone_into(&mut outcome.observed);
                    outcome.evidence = judged.evidence;
                    if let (Some(answer), None) = (&judged.answer, &check.at) {
                        let (method, path) = check.request.split_once(' ').unwrap_or(("GET", &check.request));
                        stack.seen.note(&front.subject, Source::Smoke, method, path, answer);
                    }
                }
            }
            outcomes.push(outcome);
        }
    }
    outcomes
}

/// Where a check with `at` is sent from: every container of that service.
fn inside(stack: &Stack<'_>, check: &Check) -> Option<Vec<(String, Result<Endpoint, String>)>> {
    let (service, port) = crate::smoke::split_at(check.at.as_deref()?)?;
    let endpoints: Vec<_> = stack
        .of_service(service)
        .map(|member| {
            let endpoint = stack.visible_pid(member).map(|pid| Endpoint::Inside {
                procfs: stack.procfs.clone(),
                pid,
                port,
                service: service.to_owned(),
            });
            (member.subject.clone(), endpoint)
        })
        .collect();
    if endpoints.is_empty() {
        return Some(vec![(service.to_owned(), Err(format!("no container of {service} runs")))]);
    }
    Some(endpoints)
}

fn expectation(check: &Check) -> String {
    let expect = &check.expect;
    let mut parts = Vec::new();
    parts.extend(expect.status.map(|status| status.to_string()));
    parts.extend(expect.header.iter().map(|(name, value)| format!("{name}: {value}")));
    parts.extend(expect.json.iter().map(|(pointer, value)| format!("{pointer} = {value}")));
    parts.extend(expect.body.as_ref().map(|text| format!("body with `{text}`")));
    parts.extend(expect.not_body.as_ref().map(|text| format!("body without `{text}`")));
    format!("{} answers {}", check.request, parts.join(", "))
}

/// `Create a story!` is `create-a-story`.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for part in name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()) {
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(&part.to_ascii_lowercase());
    }
    slug
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_become_identifiers() {
        assert_eq!(super::slug("Create a story!"), "create-a-story");
        assert_eq!(super::slug("a move (reaches) the stream"), "a-move-reaches-the-stream");
    }
}
