use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    front::{self, Front, Fronts, Nature, Source},
    http::Answer,
    stack::Stack,
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "security-headers",
    title: "every answer of the front has the security headers, once",
    group: Group::Http,
    requirements: &["R-070"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

const EXPECTED: &str = "X-Content-Type-Options nosniff, X-Frame-Options DENY or SAMEORIGIN (or CSP frame-ancestors), \
                        Referrer-Policy, Content-Security-Policy, each once; no X-XSS-Protection filter";

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let fronts = front::fronts(stack).await;
    if fronts.all.is_empty() {
        let why = fronts.with_pages().err().unwrap_or_default();
        return Ok(vec![Outcome::not_applicable("front", EXPECTED, why)]);
    }
    let mut outcomes = Vec::new();
    for front in &fronts.all {
        outcomes.extend(of_front(fronts, front));
    }
    for seen in stack.seen.all() {
        let Some(front) = fronts.all.iter().find(|front| front.subject == seen.front) else { continue };
        if !fronts.is_for_visitors(front) || !has_content(&seen.answer) {
            continue;
        }
        let how = match seen.source {
            Source::Smoke => "of a smoke check",
            Source::Stopped => "while a service behind it was stopped",
        };
        let missing = missing(&seen.answer);
        // What is right needs no line of its own for each answer: the pages above stand for it.
        if !missing.is_empty() {
            let outcome = Outcome::new(seen.about(), EXPECTED).judge(false, missing.join("; "));
            let (asked, at) = (&seen.asked, front.endpoint.name());
            let source = format!("{} {} at {at} ({how})", asked.method, asked.path);
            outcomes.push(outcome.evidence(source, shown(&seen.answer)));
        }
    }
    outcomes.extend(stack.seen.cut().map(|why| Outcome::not_checked("front answers", EXPECTED, why)));
    outcomes.extend(strict_transport(stack, fronts));
    Ok(outcomes)
}

const HSTS: &str = "Strict-Transport-Security with max-age of a year, once, on every answer over TLS";
/// A year, as lists of browsers for HSTS ask for.
const YEAR: u64 = 31_536_000;

/// The header of all answers of the fronts with TLS; elsewhere it means nothing.
fn strict_transport(stack: &Stack<'_>, fronts: &Fronts) -> Vec<Outcome> {
    let secure: Vec<&Front> =
        fronts.all.iter().filter(|front| front.endpoint.has_tls() && front.broken.is_none()).collect();
    if secure.is_empty() {
        return vec![Outcome::not_applicable(
            "front HSTS",
            HSTS,
            "the front is served without TLS here, where browsers ignore the header (RFC 6797, 8.1)",
        )];
    }
    let seen = stack.seen.all();
    let of_front = |front: &Front| {
        let pages = front.pages.iter().map(|page| (front.about(page), &page.answer));
        // A websocket goes on in another protocol.
        let others = seen.iter().filter(|seen| seen.front == front.subject && seen.answer.status != 101);
        let answers: Vec<_> = pages.chain(others.map(|seen| (seen.about(), &seen.answer))).collect();
        let wrong: Vec<String> = answers
            .iter()
            .filter_map(|(about, answer)| Some(format!("{about}: {}", without_year(answer)?)))
            .collect();
        let observed = match wrong.len() {
            0 => format!("on {} of {} answers", answers.len(), answers.len()),
            count => format!("wrong on {count} of {} answers: {}", answers.len(), wrong[0]),
        };
        let outcome = Outcome::new(format!("{} HSTS", front.subject), HSTS).judge(wrong.is_empty(), observed);
        outcome.all_evidence(wrong.into_iter().skip(1).take(20).map(|text| ("answer".to_owned(), text)))
    };
    secure.into_iter().map(of_front).collect()
}

/// What is wrong with the header, if anything. A directive that is there twice makes it void (RFC 6797, 6.1).
fn without_year(answer: &Answer) -> Option<String> {
    let values = values(answer, "strict-transport-security");
    let [value] = values.as_slice() else {
        return Some(if values.is_empty() {
            "none".to_owned()
        } else {
            format!("sent {} times", values.len())
        });
    };
    let ages: Vec<&str> = value
        .split(';')
        .filter_map(|part| part.split_once('='))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("max-age"))
        .map(|(_, age)| age.trim().trim_matches('"'))
        .collect();
    match ages.as_slice() {
        [age] if age.parse().is_ok_and(|age: u64| age >= YEAR) => None,
        _ => Some(format!("`{value}`")),
    }
}

fn of_front(fronts: &Fronts, front: &Front) -> Vec<Outcome> {
    if let Some(broken) = &front.broken {
        return vec![Outcome::new(&front.subject, EXPECTED).judge(false, broken)];
    }
    if !fronts.is_for_visitors(front) {
        let why = match front.nature {
            Nature::Redirect => "it only redirects to another address",
            _ => "it is published on a loopback address, serves no pages and is not what visitors see",
        };
        return vec![Outcome::not_applicable(&front.subject, EXPECTED, why)];
    }
    let pages = front.pages.iter().filter(|page| has_content(&page.answer));
    pages
        .map(|page| {
            let missing = missing(&page.answer);
            let observed = if missing.is_empty() { "all there".to_owned() } else { missing.join("; ") };
            Outcome::new(front.about(page), EXPECTED)
                .judge(missing.is_empty(), observed)
                .evidence(front.source(page), shown(&page.answer))
        })
        .collect()
}

/// The headers say how content is to be shown: an answer without any (204, 304, HEAD) has nothing to protect.
fn has_content(answer: &Answer) -> bool {
    !answer.body.is_empty() && answer.status != 304
}

fn missing(answer: &Answer) -> Vec<String> {
    let mut missing = Vec::new();
    let mut need = |name: &str, fits: &dyn Fn(&str) -> bool| match values(answer, name).as_slice() {
        [] => missing.push(format!("no {name}")),
        [one] if fits(&one.to_ascii_lowercase()) => {}
        [one] => missing.push(format!("{name} is `{one}`")),
        more => missing.push(format!("{name} is sent {} times", more.len())),
    };
    need("x-content-type-options", &|value| value == "nosniff");
    need("referrer-policy", &|value| !value.trim().is_empty() && !value.contains("unsafe-url"));
    need("content-security-policy", &|value| !value.trim().is_empty());
    let framed =
        values(answer, "content-security-policy").iter().any(|value| value.contains("frame-ancestors"));
    if !framed {
        need("x-frame-options", &|value| value == "deny" || value == "sameorigin");
    }
    if values(answer, "x-xss-protection").iter().any(|value| value.trim() != "0") {
        missing.push(
            "x-xss-protection turns on a filter that browsers removed because it opened holes".to_owned(),
        );
    }
    if values(answer, "content-type").len() > 1 {
        missing.push("content-type is sent more than once".to_owned());
    }
    missing
}

fn values(answer: &Answer, name: &str) -> Vec<String> {
    answer
        .headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect()
}

fn shown(answer: &Answer) -> String {
    let names = [
        "x-content-type-options",
        "x-frame-options",
        "referrer-policy",
        "content-security-policy",
        "content-type",
    ];
    let lines = names
        .iter()
        .flat_map(|name| values(answer, name).into_iter().map(move |value| format!("{name}: {value}")));
    format!("{}; {}", answer.status, lines.collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderMap, HeaderName, HeaderValue};

    fn answer(headers: &[(&str, &str)]) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        Answer { status: 200, headers: map, body: Vec::new() }
    }

    #[test]
    fn all_headers() {
        let good = [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "strict-origin-when-cross-origin"),
            ("content-security-policy", "default-src 'self'"),
        ];
        assert_eq!(missing(&answer(&good)), Vec::<String>::new());
        for left_out in 0..good.len() {
            let mut headers = good.to_vec();
            headers.remove(left_out);
            assert_eq!(missing(&answer(&headers)).len(), 1, "{}", good[left_out].0);
        }
        let doubled = [&good[..], &[("content-type", "a"), ("content-type", "b")]].concat();
        assert_eq!(missing(&answer(&doubled)), ["content-type is sent more than once"]);
    }

    #[test]
    fn a_year_of_strict_transport_once() {
        let header = |value| [("strict-transport-security", value)];
        for right in ["max-age=31536000", "Max-Age=\"63072000\"; includeSubDomains; preload"] {
            assert_eq!(without_year(&answer(&header(right))), None, "{right}");
        }
        for wrong in ["max-age=3600", "includeSubDomains", "max-age=31536000; max-age=31536000", "max-age=-1"]
        {
            assert!(without_year(&answer(&header(wrong))).is_some(), "{wrong}");
        }
        assert!(without_year(&answer(&[])).is_some());
        let twice = [header("max-age=31536000")[0], header("max-age=31536000")[0]];
        assert!(without_year(&answer(&twice)).is_some());
    }

    #[test]
    fn frame_ancestors_replaces_the_older_header() {
        let headers = [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("content-security-policy", "default-src 'self'; frame-ancestors 'none'"),
        ];
        assert!(missing(&answer(&headers)).is_empty());
    }
}
