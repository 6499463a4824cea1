use super::{
    ClaimSpec, MeasureError, Outcome,
    front::{self, Role},
};
use crate::{certificate::Group, stack::Stack};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "spa-routing",
    title: "deep links show the application, missing files are 404",
    group: Group::Http,
    requirements: &["R-073"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let front = match front::front(stack).await {
        Ok(front) => front,
        Err(why) => return Ok(vec![Outcome::not_applicable("front", "deep links and missing files", why)]),
    };
    let mut outcomes = Vec::new();
    if let (Some(first), Some(deep)) = (front.page(Role::FrontPage), front.page(Role::DeepLink)) {
        let same = deep.answer.status == 200 && deep.answer.body == first.answer.body;
        let observed = format!("{}, {} the front page", deep.answer.status, if same { "" } else { "not" })
            .replace(",  ", ", ");
        let source = format!("GET {} at {}", deep.path, front.endpoint.name());
        let value = format!(
            "{}, {} bytes; / has {}",
            deep.answer.status,
            deep.answer.body.len(),
            first.answer.body.len()
        );
        outcomes.push(
            Outcome::new(front.subject(deep), "200 with the front page")
                .judge(same, observed)
                .evidence(source, value),
        );
    }
    match front.page(Role::MissingAsset) {
        Some(missing) => {
            let source = format!("GET {} at {}", missing.path, front.endpoint.name());
            let observed = missing.answer.status.to_string();
            let outcome = Outcome::new(front.subject(missing), "404, not the front page");
            outcomes.push(
                outcome.judge(missing.answer.status == 404, observed.clone()).evidence(source, observed),
            );
        }
        None => {
            let why = "the front page names no file with a digest in its name";
            outcomes.push(Outcome::not_applicable(&front.service, "a missing file is 404", why));
        }
    }
    Ok(outcomes)
}
