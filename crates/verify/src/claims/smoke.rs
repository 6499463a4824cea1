use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    http::Endpoint,
    smoke::{Check, Runner},
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
    let Some(file) = &stack.options.smoke else {
        return Ok(vec![Outcome::not_applicable("stack", expected, "the project has no smoke checks")]);
    };
    let Some((_, front)) = stack.front() else {
        return Ok(vec![Outcome::not_checked("stack", expected, "no TCP port is published")]);
    };
    let mut runner = Runner::default();
    let mut outcomes = Vec::new();
    for check in &file.checks {
        for (subject, endpoint) in endpoints(stack, check, &front) {
            let mut outcome = Outcome::new(subject, expectation(check));
            outcome.member = Some((slug(&check.name), check.name.clone()));
            match endpoint {
                Err(why) => outcome.observed = why,
                Ok(endpoint) => {
                    let judged = runner.check(check, &endpoint, &front).await;
                    outcome.status = judged.verdict.status();
                    judged.verdict.observed().clone_into(&mut outcome.observed);
                    outcome.evidence = judged.evidence;
                }
            }
            outcomes.push(outcome);
        }
    }
    Ok(outcomes)
}

/// Where a check is sent to: the front, or with `at` each container of the service, since each has users.
fn endpoints(stack: &Stack<'_>, check: &Check, front: &Endpoint) -> Vec<(String, Result<Endpoint, String>)> {
    let Some((service, port)) = check.at.as_deref().and_then(crate::smoke::split_at) else {
        return vec![("front".to_owned(), Ok(front.clone()))];
    };
    let each = stack.of_service(service).map(|member| {
        let inside = stack.visible_pid(member).map(|pid| Endpoint::Inside {
            procfs: stack.procfs.clone(),
            pid,
            port,
            service: service.to_owned(),
        });
        (member.subject.clone(), inside)
    });
    let endpoints: Vec<_> = each.collect();
    if endpoints.is_empty() {
        return vec![(service.to_owned(), Err(format!("no container of {service} runs")))];
    }
    endpoints
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
