use std::io::Read as _;

use super::{
    ClaimSpec, MeasureError, Outcome,
    front::{self, Front, Page, Role},
};
use crate::{
    certificate::Group,
    http::{Answer, Ask},
    quantity,
    stack::Stack,
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "compression",
    title: "text of 1000 bytes and more is compressed, less is not",
    group: Group::Http,
    requirements: &["R-071"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

/// The size from which compression is expected.
const LEAST: usize = 1000;
/// A compressed answer that unpacks to more than this is not believed.
const MOST: u64 = 64 << 20;

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let front = match front::front(stack).await {
        Ok(front) => front,
        Err(why) => return Ok(vec![Outcome::not_applicable("front", "gzip from 1000 bytes on", why)]),
    };
    let mut outcomes = Vec::new();
    let wanted = [Role::FrontPage, Role::HashedAsset, Role::PlainFile];
    for page in front.pages.iter().filter(|page| wanted.contains(&page.role)) {
        outcomes.push(of_page(front, page).await);
    }
    Ok(outcomes)
}

async fn of_page(front: &Front, page: &Page) -> Outcome {
    let plain = page.answer.body.len();
    let expected = if plain >= LEAST {
        format!("{plain} bytes: Content-Encoding gzip, Vary Accept-Encoding, the same content")
    } else {
        format!("{plain} bytes: sent as it is")
    };
    let outcome = Outcome::new(front.subject(page), expected);
    let source = format!("GET {} at {} with Accept-Encoding: gzip", page.path, front.endpoint.name());
    let answer = match front.endpoint.send(&Ask::get(&page.path).header("accept-encoding", "gzip")).await {
        Ok(answer) => answer,
        Err(error) => return outcome.judge(false, error.to_string()),
    };
    let (holds, observed) =
        if plain >= LEAST { compressed(&page.answer, &answer) } else { untouched(&answer) };
    let encoding = answer.header("content-encoding").unwrap_or_else(|| "none".to_owned());
    let vary = answer.header("vary").unwrap_or_else(|| "none".to_owned());
    let value = format!("{} bytes, content-encoding {encoding}, vary {vary}", answer.body.len());
    outcome.judge(holds, observed).evidence(source, value)
}

fn compressed(plain: &Answer, answer: &Answer) -> (bool, String) {
    if answer.header("content-encoding").as_deref() != Some("gzip") {
        return (false, "not compressed".to_owned());
    }
    let mut unpacked = Vec::new();
    let read =
        flate2::read::MultiGzDecoder::new(answer.body.as_slice()).take(MOST).read_to_end(&mut unpacked);
    if read.is_err() || unpacked != plain.body {
        return (false, "what it unpacks to is not what is sent uncompressed".to_owned());
    }
    let varies =
        answer.header("vary").is_some_and(|vary| vary.to_ascii_lowercase().contains("accept-encoding"));
    let share = 100 - 100 * answer.body.len() / plain.body.len().max(1);
    let sizes = format!("{} to {}, {share} % less", size(plain), size(answer));
    if varies { (true, sizes) } else { (false, format!("{sizes}, but without Vary: Accept-Encoding")) }
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
