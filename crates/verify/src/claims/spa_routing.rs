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
    outcomes.extend(front.odd.iter().filter_map(|page| odd_form(front, page)));
    outcomes
}

/// A place in another form. What is there may be anything but an error of the server; a server may know no other method
/// than GET (405, 501), and say that it was asked too often (429). Not judged is whether POST brings the page: servers of
/// files that take a form for a click do so.
fn odd_form(front: &Front, page: &Page) -> Option<Outcome> {
    let status = page.answer.status;
    if status == 429 {
        return None;
    }
    let refused = matches!(status, 405 | 501);
    let (expected, holds) = match page.method {
        "HEAD" => {
            let same = front.of(page.role).find(|other| other.path == page.path)?.answer.status;
            (format!("{same} as for GET, or the method is refused"), refused || status == same)
        }
        "GET" => ("no error of the server".to_owned(), status < 500),
        _ => ("no error of the server".to_owned(), refused || status < 500),
    };
    let outcome = Outcome::new(front.about(page), expected).judge(holds, status.to_string());
    Some(outcome.evidence(front.source(page), status.to_string()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        certificate::Status,
        front::tests::{application, page},
    };

    #[test]
    fn places_in_other_forms() {
        let pages =
            || vec![page(Role::FrontPage, "GET", "/", 200), page(Role::DeepLink, "GET", "/deep", 200)];
        for (method, path, status, expected) in [
            ("HEAD", "/deep", 200, Some(Status::Proved)),
            ("HEAD", "/deep", 404, Some(Status::Failed)),
            ("HEAD", "/deep", 500, Some(Status::Failed)),
            ("HEAD", "/deep", 405, Some(Status::Proved)),
            ("HEAD", "/deep", 429, None),
            ("HEAD", "/another", 200, None),
            ("POST", "/deep", 405, Some(Status::Proved)),
            ("POST", "/deep", 403, Some(Status::Proved)),
            ("POST", "/deep", 200, Some(Status::Proved)),
            ("POST", "/deep", 501, Some(Status::Proved)),
            ("POST", "/deep", 500, Some(Status::Failed)),
            ("GET", "/index.html/x", 404, Some(Status::Proved)),
            ("GET", "/index.html/x", 200, Some(Status::Proved)),
            ("GET", "/a%2fb", 400, Some(Status::Proved)),
            ("GET", "/a%2fb", 500, Some(Status::Failed)),
            ("GET", "/a%2fb", 501, Some(Status::Failed)),
        ] {
            let judged = odd_form(&application(pages()), &page(Role::DeepLink, method, path, status));
            assert_eq!(judged.map(|outcome| outcome.status), expected, "{method} {path} {status}");
        }
        let mut front = application(pages());
        front.odd = vec![page(Role::DeepLink, "HEAD", "/deep", 404)];
        let outcomes = of_front(&front);
        let wrong = outcomes.iter().filter(|outcome| outcome.status == Status::Failed);
        assert_eq!(wrong.map(|outcome| outcome.subject.as_str()).collect::<Vec<_>>(), ["front HEAD /deep"]);
    }
}
