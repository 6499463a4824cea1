//! Holds each promise against what was measured.

use std::time::Duration;

use plimsoll_engine::ExecSpec;

use super::{
    format::{How, ImageBound, Promise, PromiseFile, Run, Setting},
    settings,
};
use crate::{
    certificate::{Claim, Evidence, Group, ImageFact, Status},
    claims::Outcome,
    quantity,
    smoke::slug,
    stack::Stack,
};

/// The id of a promise's claim, before its slug.
pub(crate) const ID: &str = "promise";
const LIMIT: Duration = Duration::from_secs(30);
/// How much of a command's output is quoted.
const QUOTE: usize = 300;

/// A claim for each promise. `claims` is all that was measured before.
pub(crate) async fn judge(
    stack: &Stack<'_>,
    file: &PromiseFile,
    images: &[ImageFact],
    claims: &[Claim],
) -> Vec<Claim> {
    let mut judged = Vec::new();
    for promise in &file.promises {
        let outcome = match promise.how() {
            How::Claims(ids) => of_claims(promise, claims, |claim| {
                ids.contains(&claim.id)
                    && (promise.services.is_empty() || promise.services.contains(&claim.subject))
            }),
            How::Smoke(names) => {
                let ids: Vec<String> = names.iter().map(|name| format!("smoke/{}", slug(name))).collect();
                of_claims(promise, claims, |claim| ids.contains(&claim.id))
            }
            How::Setting(setting) => of_setting(stack, setting).await,
            How::Run(run) => of_run(stack, run).await,
            How::Images(bound) => of_images(images, bound),
            How::Nothing(reason) => Outcome::not_checked("stack", "a measurement", reason),
        };
        judged.push(Claim {
            id: format!("{ID}/{}", slug(&promise.says)),
            title: promise.says.clone(),
            group: Group::Promises,
            subject: outcome.subject,
            status: outcome.status,
            requirements: Vec::new(),
            expected: outcome.expected,
            observed: outcome.observed,
            evidence: outcome.evidence,
        });
    }
    judged
}

/// One failure breaks the promise, and so does a claim that nobody measured.
fn of_claims(promise: &Promise, claims: &[Claim], is_meant: impl Fn(&Claim) -> bool) -> Outcome {
    let meant: Vec<&Claim> = claims.iter().filter(|claim| is_meant(claim)).collect();
    let of = |status| meant.iter().filter(move |claim| claim.status == status);
    let mut titles: Vec<&str> = Vec::new();
    for claim in &meant {
        if !titles.contains(&claim.title.as_str()) {
            titles.push(&claim.title);
        }
    }
    let outcome = Outcome::new(subject(promise), titles.join("; "));
    let evidence = meant.iter().map(|claim| Evidence {
        source: format!("{} of {}: {}", claim.id, claim.subject, claim.status.words()),
        value: claim.observed.clone(),
    });
    let (failed, open, proved) =
        (of(Status::Failed).count(), of(Status::NotChecked).count(), of(Status::Proved).count());
    let mut outcome = if let Some(first) = of(Status::Failed).next() {
        let more = if failed > 1 { format!(" and {} more", failed - 1) } else { String::new() };
        outcome.judge(false, format!("{}: {}{more}", first.subject, first.observed))
    } else if let Some(first) = of(Status::NotChecked).next() {
        let more = if open > 1 { format!(" and {} more", open - 1) } else { String::new() };
        let why = format!("{}: {}{more}", first.subject, first.observed);
        Outcome::not_checked(outcome.subject, outcome.expected, why)
    } else if proved == 0 {
        let expected = outcome.expected;
        match meant.first() {
            Some(first) => Outcome::not_applicable(outcome.subject, expected, first.observed.clone()),
            None => Outcome::not_checked(
                outcome.subject,
                "a claim of the certificate",
                "no claim was measured for it",
            ),
        }
    } else {
        let observed = match (of(Status::Proved).next(), proved) {
            (Some(only), 1) => format!("{}: {}", only.subject, only.observed),
            _ => format!("proved for {}", subjects(of(Status::Proved))),
        };
        outcome.judge(true, observed)
    };
    outcome.evidence = evidence.collect();
    outcome
}

fn subjects<'a>(claims: impl Iterator<Item = &'a &'a Claim>) -> String {
    let mut names: Vec<&str> = Vec::new();
    for claim in claims {
        if !names.contains(&claim.subject.as_str()) {
            names.push(&claim.subject);
        }
    }
    names.join(", ")
}

fn subject(promise: &Promise) -> String {
    match promise.services.as_slice() {
        [one] => one.clone(),
        _ => "stack".to_owned(),
    }
}

async fn of_setting(stack: &Stack<'_>, setting: &Setting) -> Outcome {
    let outcome = Outcome::new(&setting.service, format!("{} is {}", setting.name, setting.is));
    let Some(member) = stack.of_service(&setting.service).next() else {
        return outcome.judge(false, format!("no container of {} runs", setting.service));
    };
    match settings::ask(stack, member, &setting.name).await {
        Ok((value, command)) => outcome
            .judge(value == setting.is, format!("{} is {value}", setting.name))
            .evidence(command, value),
        Err(why) => Outcome::not_checked(outcome.subject, outcome.expected, why),
    }
}

async fn of_run(stack: &Stack<'_>, run: &Run) -> Outcome {
    let shown = run.command.join(" ");
    let outcome = Outcome::new(&run.service, format!("`{shown}` prints `{}`", run.prints));
    let Some(member) = stack.of_service(&run.service).next() else {
        return outcome.judge(false, format!("no container of {} runs", run.service));
    };
    let spec = ExecSpec { command: run.command.clone(), ..ExecSpec::default() };
    match stack.engine.exec(member.id(), &spec, LIMIT).await {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            let holds = output.exit_code == 0 && text.contains(&run.prints);
            let quoted: String = output.text().trim().chars().take(QUOTE).collect();
            let observed = match (holds, output.exit_code) {
                (true, _) => run.prints.clone(),
                (false, 0) => format!("it prints `{quoted}`"),
                (false, code) => format!("it ends with {code}: {quoted}"),
            };
            outcome.judge(holds, observed).evidence(shown, quoted)
        }
        Err(error) => Outcome::not_checked(outcome.subject, outcome.expected, error.to_string()),
    }
}

fn of_images(images: &[ImageFact], bound: &ImageBound) -> Outcome {
    let subject = match bound.services.as_slice() {
        [one] => one.as_str(),
        _ => "stack",
    };
    let most = bound.at_most_mb.saturating_mul(1_000_000);
    let outcome = Outcome::new(subject, format!("at most {}", quantity::bytes(most)));
    let mut found = Vec::new();
    for service in &bound.services {
        match images.iter().find(|image| image.service == *service) {
            Some(image) => found.push(image),
            None => return outcome.judge(false, format!("no container of {service} is there")),
        }
    }
    let sum: u64 = found.iter().map(|image| image.bytes).sum();
    let readings =
        found.iter().map(|image| (format!("image of {}", image.service), format!("{} bytes", image.bytes)));
    outcome.judge(sum <= most, quantity::bytes(sum)).all_evidence(readings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::tests::sample;

    fn promise(text: &str) -> Promise {
        let text = format!("document = \"d\"\n[[promise]]\nsays = \"x\"\n{text}\n");
        PromiseFile::parse(&plimsoll_source::Source::new("promises.toml", text)).unwrap().promises.remove(0)
    }

    #[test]
    fn a_promise_about_claims_is_as_good_as_the_worst_of_them() {
        let claims = sample().claims;
        let of = |ids: &[&str], services: &str| {
            let promise = promise(&format!("claims = [\"process-user\"]\nservices = [{services}]"));
            let meant = |claim: &Claim| {
                ids.contains(&claim.id.as_str())
                    && (promise.services.is_empty() || promise.services.contains(&claim.subject))
            };
            of_claims(&promise, &claims, meant).status
        };
        assert_eq!(of(&["process-user"], ""), Status::Failed);
        assert_eq!(of(&["process-user"], "\"backend\", \"frontend\""), Status::Proved);
        assert_eq!(of(&["memory-idle", "start-time"], ""), Status::NotChecked);
        assert_eq!(of(&["apparmor"], ""), Status::NotApplicable);
        assert_eq!(of(&["gone"], ""), Status::NotChecked);
    }

    #[test]
    fn images_are_added_up() {
        let images = sample().images;
        let of = |most| {
            of_images(&images, &ImageBound { services: vec!["redis".into()], at_most_mb: most }).status
        };
        assert_eq!((of(87), of(86)), (Status::Proved, Status::Failed));
        let gone = ImageBound { services: vec!["web".into()], at_most_mb: 1 };
        assert_eq!(of_images(&images, &gone).status, Status::Failed);
    }
}
