use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    front::{self, Front, Nature, Page, Role, html},
    stack::Stack,
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "spa-routing",
    title: "deep links show the application, missing files are 404",
    group: Group::Http,
    requirements: &["R-073"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let fronts = match front::fronts(stack).await.with_pages() {
        Ok(fronts) => fronts,
        Err(why) => return Ok(vec![Outcome::not_applicable("front", "deep links and missing files", why)]),
    };
    Ok(fronts.into_iter().flat_map(of_front).collect())
}

fn of_front(front: &Front) -> Vec<Outcome> {
    if let Some(broken) = &front.broken {
        return vec![Outcome::new(&front.subject, "deep links and missing files").judge(false, broken)];
    }
    let Some(first) = front.page(Role::FrontPage) else { return Vec::new() };
    let mut outcomes: Vec<Outcome> = if front.has_deep_links() {
        front.of(Role::DeepLink).map(|deep| deep_link(front, first, deep)).collect()
    } else {
        let why = match front.nature {
            Nature::Application => {
                "no script of the page changes the address, and no other address shows the page"
            }
            _ => {
                "the pages are made on the server: / has content of its own, and what is not there is an error"
            }
        };
        vec![Outcome::not_applicable(format!("{} deep links", front.subject), "200 with the front page", why)]
    };
    outcomes.extend(front.of(Role::MissingFile).map(|missing| missing_file(front, first, missing)));
    outcomes.extend(front.of(Role::ProxiedMissing).map(|missing| {
        let is_page =
            missing.answer.status == 200 && html::same_page(&missing.answer.body, &first.answer.body);
        let observed = format!("{}{}", missing.answer.status, if is_page { ", the front page" } else { "" });
        Outcome::new(front.about(missing), "an answer of the application, not the front page")
            .judge(!is_page && missing.answer.status < 500, observed.clone())
            .evidence(front.source(missing), observed)
    }));
    outcomes
}

fn deep_link(front: &Front, first: &Page, deep: &Page) -> Outcome {
    let same = deep.answer.status == 200 && html::same_page(&deep.answer.body, &first.answer.body);
    let observed = format!("{}, {}the front page", deep.answer.status, if same { "" } else { "not " });
    let value = format!(
        "{}, {} bytes; / has {}",
        deep.answer.status,
        deep.answer.body.len(),
        first.answer.body.len()
    );
    Outcome::new(front.about(deep), "200 with the front page")
        .judge(same, observed)
        .evidence(front.source(deep), value)
}

/// 404 or 410; where visitors have to log in first, the way to the login.
fn missing_file(front: &Front, first: &Page, missing: &Page) -> Outcome {
    let status = missing.answer.status;
    let login = first.path != "/"
        && (300..400).contains(&status)
        && missing
            .answer
            .header("location")
            .is_some_and(|to| to.contains(first.path.split('?').next().unwrap_or("/")));
    let kind = missing.answer.header("content-type").unwrap_or_default();
    let observed = format!("{status} {kind}").trim().to_owned();
    Outcome::new(front.about(missing), "404, not the front page")
        .judge(matches!(status, 404 | 410) || login, observed.clone())
        .evidence(front.source(missing), observed)
}
