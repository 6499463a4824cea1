use super::{ClaimSpec, MeasureError, Outcome, front};
use crate::{certificate::Group, http::Answer, stack::Stack};

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
    let front = match front::front(stack).await {
        Ok(front) => front,
        Err(why) => return Ok(vec![Outcome::not_applicable("front", EXPECTED, why)]),
    };
    let mut outcomes: Vec<Outcome> = front
        .pages
        .iter()
        .map(|page| {
            let missing = missing(&page.answer);
            let observed = if missing.is_empty() { "all there".to_owned() } else { missing.join("; ") };
            let outcome = Outcome::new(front.subject(page), EXPECTED).judge(missing.is_empty(), observed);
            outcome.evidence(format!("GET {} at {}", page.path, front.endpoint.name()), shown(&page.answer))
        })
        .collect();
    outcomes.push(Outcome::not_applicable(
        format!("{} HSTS", front.service),
        "Strict-Transport-Security with max-age of a year",
        "the front is served without TLS here, where browsers ignore the header (RFC 6797, 8.1)",
    ));
    Ok(outcomes)
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
    need("referrer-policy", &|value| !value.is_empty() && value != "unsafe-url");
    need("content-security-policy", &|value| !value.is_empty());
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
    fn frame_ancestors_replaces_the_older_header() {
        let headers = [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("content-security-policy", "default-src 'self'; frame-ancestors 'none'"),
        ];
        assert!(missing(&answer(&headers)).is_empty());
    }
}
