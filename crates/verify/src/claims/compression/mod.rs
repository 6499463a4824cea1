mod codings;
mod ranges;

use std::io::Read as _;

use hyper::Method;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    front::{self, Front, Page, Role},
    http::{Answer, Ask},
    quantity,
    stack::Stack,
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "compression",
    title: "text of 1000 bytes and more is compressed, pictures and fonts are not",
    group: Group::Http,
    requirements: &["R-071"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

/// The size from which compression is expected: below it fits one packet anyway.
const LEAST: usize = 1024;
/// A compressed answer that unpacks to more than this is not believed.
const MOST: u64 = 64 << 20;

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let fronts = match front::fronts(stack).await.with_pages() {
        Ok(fronts) => fronts,
        Err(why) => return Ok(vec![Outcome::not_applicable("front", "gzip from 1000 bytes on", why)]),
    };
    let mut outcomes = Vec::new();
    for front in fronts {
        if let Some(broken) = &front.broken {
            outcomes.push(Outcome::new(&front.subject, "gzip from 1000 bytes on").judge(false, broken));
            continue;
        }
        for page in front.pages.iter().filter(|page| is_asked(page)) {
            outcomes.push(of_page(front, page).await);
        }
        // The smoke checks and their load have filled the application: its lists are longer now.
        for seen in stack.seen.all().iter().filter(|seen| seen.front == front.subject) {
            let path = &seen.asked.path;
            let fetched = front.pages.iter().any(|page| page.path == *path);
            // What needs a header of the check (a login) is something else without it.
            let again = seen.asked.method == "GET" && seen.asked.headers.is_empty() && !path.contains('{');
            if again && seen.answer.status == 200 && !fetched {
                let page = Page {
                    role: Role::Proxied,
                    method: "GET",
                    path: path.clone(),
                    answer: seen.answer.clone(),
                };
                if is_asked(&page) && page.answer.body.len() >= LEAST {
                    outcomes.push(of_page(front, &page).await);
                }
            }
        }
        outcomes.extend(unwanted(front).await);
        outcomes.extend(head(front).await);
        outcomes.extend(codings::others(front).await);
        outcomes.extend(ranges::parts(front).await);
    }
    Ok(outcomes)
}

/// What exists and is text or a picture; of small texts the front page alone stands in the certificate.
fn is_asked(page: &Page) -> bool {
    let fetched = !matches!(
        page.role,
        Role::MissingFile | Role::ProxiedMissing | Role::Refused | Role::DeepLink | Role::Health
    );
    let kind = Kind::of(&page.answer);
    fetched
        && page.answer.status == 200
        && kind != Kind::Other
        && (page.role == Role::FrontPage || page.answer.body.len() >= LEAST)
}

/// Whether compressing it again makes it smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    /// Compressed by its own format.
    Packed,
    Other,
}

impl Kind {
    fn of(answer: &Answer) -> Self {
        let kind = answer.header("content-type").unwrap_or_default().to_ascii_lowercase();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        match kind {
            // An event stream that is compressed is held back.
            "text/event-stream" => Self::Other,
            "image/svg+xml"
            | "application/json"
            | "application/javascript"
            | "application/x-javascript"
            | "application/xml" => Self::Text,
            "font/woff" | "font/woff2" | "image/png" | "image/jpeg" | "image/gif" | "image/webp"
            | "image/avif" => Self::Packed,
            _ if kind.starts_with("text/") || kind.ends_with("+json") || kind.ends_with("+xml") => Self::Text,
            _ => Self::Other,
        }
    }
}

async fn of_page(front: &Front, page: &Page) -> Outcome {
    let plain = page.answer.body.len();
    let packed = Kind::of(&page.answer) == Kind::Packed;
    let expected = if packed {
        format!("{plain} bytes of a compressed format: sent as they are")
    } else if plain >= LEAST {
        format!("{plain} bytes: Content-Encoding gzip, Vary Accept-Encoding, the same content")
    } else {
        format!("{plain} bytes: either way, with the same content")
    };
    let outcome = Outcome::new(front.about(page), expected);
    let source = format!("{} with Accept-Encoding: gzip", front.source(page));
    let answer = match front.endpoint.send(&Ask::get(&page.path).header("accept-encoding", "gzip")).await {
        Ok(answer) => answer,
        Err(error) => return outcome.judge(false, error.to_string()),
    };
    let (holds, observed) = if packed {
        untouched(&answer)
    } else if plain >= LEAST || answer.header("content-encoding").is_some() {
        compressed(&page.answer, &answer)
    } else {
        untouched(&answer)
    };
    let encoding = answer.header("content-encoding").unwrap_or_else(|| "none".to_owned());
    let vary = answer.header("vary").unwrap_or_else(|| "none".to_owned());
    let value = format!("{} bytes, content-encoding {encoding}, vary {vary}", answer.body.len());
    outcome.judge(holds, observed).evidence(source, value)
}

/// The first answer that has to be compressed.
fn first_text(front: &Front) -> Option<&Page> {
    let has_to_be = |page: &&Page| {
        is_asked(page) && page.answer.body.len() >= LEAST && Kind::of(&page.answer) == Kind::Text
    };
    front.pages.iter().find(has_to_be)
}

/// The first of them that is a file: every request brings the same bytes.
fn first_text_file(front: &Front) -> Option<&Page> {
    front.pages.iter().find(|page| is_asked(page) && ranges::is_file(page))
}

/// Who asks for the head alone is told the same status. A server may know GET alone, and may have been asked too often.
async fn head(front: &Front) -> Option<Outcome> {
    let page = first_text(front)?;
    let ask = Ask::new(Method::HEAD, &page.path).header("accept-encoding", "gzip");
    let status = front.endpoint.send(&ask).await.ok()?.status;
    let expected = page.answer.status;
    if matches!(status, 405 | 429 | 501) {
        return None;
    }
    let source = format!("HEAD {} at {} with Accept-Encoding: gzip", page.path, front.endpoint.name());
    let outcome =
        Outcome::new(format!("{} HEAD {}", front.subject, page.path), format!("{expected} as for GET"));
    Some(outcome.judge(status == expected, status.to_string()).evidence(source, status.to_string()))
}

/// A client that refuses gzip must not get it.
async fn unwanted(front: &Front) -> Option<Outcome> {
    let page = first_text(front)?;
    let outcome = Outcome::new(
        format!("{} {} without gzip", front.subject, page.path),
        "sent as it is to a client that refuses gzip",
    );
    let answer = front
        .endpoint
        .send(&Ask::get(&page.path).header("accept-encoding", "gzip;q=0, identity"))
        .await
        .ok()?;
    let (holds, observed) = untouched(&answer);
    Some(outcome.judge(holds, observed).evidence(
        format!("{} with Accept-Encoding: gzip;q=0, identity", front.source(page)),
        format!(
            "content-encoding {}",
            answer.header("content-encoding").unwrap_or_else(|| "none".to_owned())
        ),
    ))
}

fn compressed(plain: &Answer, answer: &Answer) -> (bool, String) {
    if answer.header("content-encoding").as_deref() != Some("gzip") {
        return (false, "not compressed".to_owned());
    }
    let unpacked = unpacked(flate2::read::MultiGzDecoder::new(answer.body.as_slice()));
    if !unpacked.is_some_and(|unpacked| is_same(plain, answer, &unpacked)) {
        return (false, "what it unpacks to is not what is sent uncompressed".to_owned());
    }
    let share = 100 - 100 * answer.body.len() / plain.body.len().max(1);
    let sizes = format!("{} to {}, {share} % less", size(plain), size(answer));
    if varies(answer) {
        (true, sizes)
    } else {
        (false, format!("{sizes}, but without Vary: Accept-Encoding"))
    }
}

/// All that a decoder brings; `None` where that cannot be decoded, or is more than is believed.
fn unpacked(decoder: impl std::io::Read) -> Option<Vec<u8>> {
    let mut unpacked = Vec::new();
    decoder.take(MOST + 1).read_to_end(&mut unpacked).ok()?;
    (unpacked.len() as u64 <= MOST).then_some(unpacked)
}

/// True if both are the same content. A page with a nonce, or a list that grows, differs from one request to the next.
fn is_same(plain: &Answer, answer: &Answer, unpacked: &[u8]) -> bool {
    unpacked == plain.body
        || front::html::same_page(unpacked, &plain.body)
        || (Kind::of(answer) == Kind::Text && is_dynamic(plain) && !unpacked.is_empty())
}

/// A cache between knows that the answer is for this kind of client alone.
fn varies(answer: &Answer) -> bool {
    let vary = answer.header("vary").unwrap_or_default().to_ascii_lowercase();
    vary.split(',').any(|name| matches!(name.trim(), "accept-encoding" | "*"))
}

/// Made for each request: an answer of the application and no file.
fn is_dynamic(answer: &Answer) -> bool {
    answer.header("content-type").is_some_and(|kind| kind.contains("json") || kind.contains("html"))
        && answer.header("last-modified").is_none()
}

fn untouched(answer: &Answer) -> (bool, String) {
    match answer.header("content-encoding") {
        None => (true, "sent as it is".to_owned()),
        Some(encoding) => (false, format!("compressed with {encoding}")),
    }
}

fn size(answer: &Answer) -> String {
    quantity::bytes(answer.body.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn answer(status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> Answer {
        let mut map = hyper::HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        Answer { status, headers: map, body: body.to_vec() }
    }

    #[test]
    fn vary_names_the_header() {
        let says = |vary: &str| varies(&answer(200, &[("vary", vary)], b""));
        assert!(says("Accept-Encoding") && says("origin, ACCEPT-encoding") && says("*"));
        assert!(!says("Origin") && !says("x-accept-encoding-y") && !varies(&answer(200, &[], b"")));
    }
}
