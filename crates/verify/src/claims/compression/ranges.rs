//! Parts of a file that is sent compressed: a range counts the bytes of one form of it, and says of which
//! (RFC 9110, 14.1.2 and 15.3.7).

use super::{Kind, LEAST, Outcome, first_text_file, is_same, unpacked};
use crate::{
    front::{Front, Page},
    http::{Answer, Ask},
};

/// What a 206 says of itself: first and last byte, and the bytes of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    first: usize,
    last: usize,
    /// `None` is not known: `*`.
    total: Option<usize>,
}

/// The first half of a file, once as it is and once by a client that takes gzip. A server may also send the whole, or
/// refuse.
pub(super) async fn parts(front: &Front) -> Option<Outcome> {
    let page = first_text_file(front)?;
    let last = page.answer.body.len() / 2;
    let ask = |coding: &str| Ask::get(&page.path).header("accept-encoding", coding);
    let whole = front.endpoint.send(&ask("gzip")).await.ok().filter(|whole| whole.status == 200)?;
    let mut outcome = Outcome::new(
        format!("{} {} in part", front.subject, page.path),
        "206 with bytes and total of one form of it, or the whole (200), or refused (416)",
    );
    let mut wrong: Vec<String> = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for coding in ["identity", "gzip"] {
        let answer =
            front.endpoint.send(&ask(coding).header("range", &format!("bytes=0-{last}"))).await.ok()?;
        if answer.status == 429 {
            return None;
        }
        let judged = judged(page, &whole, &answer, coding);
        match judged {
            Ok(said) => seen.push(format!("{coding}: {said}")),
            Err(why) => wrong.push(format!("to a client that takes {coding}: {why}")),
        }
        outcome = outcome.evidence(source(front, page, coding, last), shown(&answer));
    }
    let holds = wrong.is_empty();
    Some(outcome.judge(holds, if holds { seen.join("; ") } else { wrong.join("; ") }))
}

fn source(front: &Front, page: &Page, coding: &str, last: usize) -> String {
    format!("{} with Accept-Encoding: {coding}, Range: bytes=0-{last}", front.source(page))
}

fn shown(answer: &Answer) -> String {
    let said = |name: &str| answer.header(name).unwrap_or_else(|| "none".to_owned());
    format!(
        "{}, {} bytes, content-range {}, content-encoding {}",
        answer.status,
        answer.body.len(),
        said("content-range"),
        said("content-encoding")
    )
}

/// `whole` is the file as a client gets it that takes gzip.
fn judged(page: &Page, whole: &Answer, answer: &Answer, coding: &str) -> Result<String, String> {
    let said = answer.header("content-encoding").map(|said| said.trim().to_ascii_lowercase());
    let said = said.filter(|said| !said.is_empty() && said != "identity");
    match answer.status {
        416 => return Ok("refused".to_owned()),
        200 | 206 => {}
        other => return Err(format!("answered with {other}")),
    }
    match said.as_deref() {
        None => {}
        Some("gzip") if coding == "gzip" => {}
        Some(other) => return Err(format!("compressed with {other}, which the client does not take")),
    }
    if answer.status == 200 {
        let content = match &said {
            None => Some(answer.body.clone()),
            Some(_) => unpacked(flate2::read::MultiGzDecoder::new(answer.body.as_slice())),
        };
        return match content {
            Some(content) if is_same(&page.answer, answer, &content) => Ok("the whole".to_owned()),
            _ => Err("200, and not the whole".to_owned()),
        };
    }
    let part = part(answer)?;
    if said.is_some() { coded(page, whole, answer, part) } else { plain(page, answer, part) }
}

/// The single range of a 206. More than one range was not asked for.
fn part(answer: &Answer) -> Result<Part, String> {
    let range = answer.header("content-range").ok_or("206 without Content-Range")?;
    let read = || {
        let (bytes, total) = range.trim().strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = bytes.split_once('-')?;
        let total = if total == "*" { None } else { Some(total.parse().ok()?) };
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        Some(Part { first, last, total }).filter(|part| part.first <= part.last)
    };
    read().ok_or_else(|| format!("206 with Content-Range {range}"))
}

/// The bytes are as many as they are said to be.
fn fits(answer: &Answer, part: Part) -> Result<(), String> {
    let (sent, said) = (answer.body.len(), (part.last - part.first).saturating_add(1));
    if sent == said { Ok(()) } else { Err(format!("{sent} bytes, and Content-Range says {said}")) }
}

fn plain(page: &Page, answer: &Answer, part: Part) -> Result<String, String> {
    let body = &page.answer.body;
    if part.total.is_some_and(|total| total != body.len()) {
        return Err(format!("a part of {}, and the file has {} bytes", total(part), body.len()));
    }
    fits(answer, part)?;
    match body.get(part.first..=part.last) {
        Some(expected) if expected == answer.body => {
            Ok(format!("{} bytes of {}", answer.body.len(), total(part)))
        }
        _ => Err("its bytes are not those of the file at this place".to_owned()),
    }
}

fn coded(page: &Page, whole: &Answer, answer: &Answer, part: Part) -> Result<String, String> {
    // Express and Caddy compress what they have cut. The length is then that of nothing, but who unpacks has the part.
    let cut = page.answer.body.get(part.first..=part.last);
    if cut.is_some() && unpacked(flate2::read::MultiGzDecoder::new(answer.body.as_slice())).as_deref() == cut
    {
        return Ok(format!(
            "{} bytes of {}, compressed after they were cut",
            part.last - part.first + 1,
            total(part)
        ));
    }
    let (plain, packed) = (page.answer.body.len(), whole.body.len());
    let is_packed = whole.header("content-encoding").is_some_and(|said| said.eq_ignore_ascii_case("gzip"));
    let is_whole = |total: usize| is_packed && total == packed;
    if part.total.is_some_and(|total| total == plain && !is_whole(total)) {
        return Err(format!(
            "Content-Encoding gzip on a part that is counted in the {plain} bytes of the uncompressed file: do not \
             compress answers with Content-Range"
        ));
    }
    if part.total.is_some_and(|total| !is_whole(total)) {
        return Err(format!("a part of {}, and the compressed file has {packed} bytes", total(part)));
    }
    fits(answer, part)?;
    if part.first == 0 && !answer.body.starts_with(&[0x1f, 0x8b][..answer.body.len().min(2)]) {
        return Err("Content-Encoding gzip on bytes that are none of gzip".to_owned());
    }
    Ok(format!("{} compressed bytes of {}", answer.body.len(), total(part)))
}

fn total(part: Part) -> String {
    part.total.map_or_else(|| "a length that is not said".to_owned(), |total| format!("{total} bytes"))
}

/// A file whose bytes are the same with each request, and that has to be compressed.
pub(super) fn is_file(page: &Page) -> bool {
    page.answer.body.len() >= LEAST
        && Kind::of(&page.answer) == Kind::Text
        && !super::is_dynamic(&page.answer)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::tests::answer;
    use super::*;
    use crate::front::Role;

    fn text() -> Vec<u8> {
        (0..400)
            .map(|number| format!("a{number} {{ color: red }}\n"))
            .collect::<Vec<_>>()
            .concat()
            .into_bytes()
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn holds(coding: &str, status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> bool {
        let page = Page {
            role: Role::HashedAsset,
            method: "GET",
            path: "/app.css".to_owned(),
            answer: answer(200, &[("content-type", "text/css")], &text()),
        };
        let whole =
            answer(200, &[("content-type", "text/css"), ("content-encoding", "gzip")], &gzip(&text()));
        let headers = [&[("content-type", "text/css")], headers].concat();
        judged(&page, &whole, &answer(status, &headers, body), coding).is_ok()
    }

    #[test]
    fn a_part_is_of_one_form() {
        let (plain, packed) = (text(), gzip(&text()));
        let of_plain = format!("bytes 0-99/{}", plain.len());
        let of_packed = format!("bytes 0-99/{}", packed.len());
        let gzipped = ("content-encoding", "gzip");
        // nginx and servers of Node.js without compression; nginx with gzip_static; nginx with gzip; a refusal.
        assert!(holds("identity", 206, &[("content-range", &of_plain)], &plain[..100]));
        assert!(holds("gzip", 206, &[("content-range", &of_plain)], &plain[..100]));
        assert!(holds("gzip", 206, &[("content-range", &of_packed), gzipped], &packed[..100]));
        assert!(holds("gzip", 206, &[("content-range", "bytes 0-99/*"), gzipped], &packed[..100]));
        assert!(holds("gzip", 200, &[gzipped], &packed));
        assert!(holds("gzip", 200, &[], &plain));
        assert!(holds("identity", 416, &[("content-range", "bytes */9")], b""));
        // Compressed after it was cut: the part is a gzip file of its own, and has to be that of the range.
        let cut = gzip(&plain[..2000]);
        let as_sent = format!("bytes 0-1999/{}", plain.len());
        assert!(holds("gzip", 206, &[("content-range", &as_sent), gzipped], &cut));
        assert!(holds("gzip", 206, &[("content-range", "bytes 0-1999/*"), gzipped], &cut));
        assert!(!holds("gzip", 206, &[("content-range", "bytes 0-1998/*"), gzipped], &cut));
        let fitted = format!("bytes 0-{}/{}", cut.len() - 1, plain.len());
        assert!(!holds("gzip", 206, &[("content-range", &fitted), gzipped], &cut));
        // Compressed bytes that are not called so, the other way round, and to who takes none.
        assert!(!holds("gzip", 206, &[("content-range", &of_plain)], &packed[..100]));
        assert!(!holds("gzip", 206, &[("content-range", &of_packed), gzipped], &plain[..100]));
        assert!(!holds("gzip", 206, &[("content-range", &of_packed)], &packed[..100]));
        assert!(!holds("identity", 206, &[("content-range", &of_packed), gzipped], &packed[..100]));
        // No range at all, another length, another place.
        assert!(!holds("identity", 206, &[], &plain[..100]));
        assert!(!holds("identity", 206, &[("content-range", &of_plain)], &plain[..99]));
        assert!(!holds("identity", 206, &[("content-range", &of_plain)], &plain[100..200]));
        assert!(!holds("identity", 206, &[("content-range", "bytes 9-3/10")], &plain[..1]));
        assert!(!holds("identity", 200, &[], &plain[..100]));
        assert!(!holds("identity", 500, &[], b""));
    }
}
