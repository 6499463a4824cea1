//! Brotli and Zstandard, where a front offers them.

use super::{Kind, Outcome, first_text, is_same, size, unpacked, varies};
use crate::{
    front::Front,
    http::{Answer, Ask},
};

const CODINGS: [&str; 2] = ["br", "zstd"];
/// Memory that unpacking may cost, as a power of two: browsers take no larger window (RFC 9659).
const WINDOW: u32 = 23;

/// Who takes one of them alone is told which it is, and gets the same content; who does not offer it sends text as it
/// is, and nothing is claimed.
pub(super) async fn others(front: &Front) -> Vec<Outcome> {
    let Some(page) = first_text(front) else { return Vec::new() };
    let mut outcomes = Vec::new();
    for coding in CODINGS {
        let ask = Ask::get(&page.path).header("accept-encoding", coding);
        // A server may have been asked too often; that it answers at all is seen at `gzip`.
        let Ok(answer) = front.endpoint.send(&ask).await else { continue };
        let Some((holds, observed)) = judged(coding, &page.answer, &answer) else { continue };
        let subject = format!("{} {} for {coding}", front.subject, page.path);
        let expected = match coding {
            "br" => {
                "Content-Encoding br, Vary Accept-Encoding, another form of it; its content is not unpacked"
            }
            _ => "Content-Encoding zstd, Vary Accept-Encoding, the same content",
        };
        let said = |name: &str| answer.header(name).unwrap_or_else(|| "none".to_owned());
        outcomes.push(Outcome::new(subject, expected).judge(holds, observed).evidence(
            format!("{} with Accept-Encoding: {coding}", front.source(page)),
            format!(
                "{}, {} bytes, content-encoding {}, vary {}",
                answer.status,
                answer.body.len(),
                said("content-encoding"),
                said("vary")
            ),
        ));
    }
    outcomes
}

/// `None` where the coding is not offered.
fn judged(coding: &str, plain: &Answer, answer: &Answer) -> Option<(bool, String)> {
    if answer.status == 429 {
        return None;
    }
    if answer.status != plain.status {
        return Some((false, format!("answered with {}", answer.status)));
    }
    let said = answer.header("content-encoding").map(|said| said.trim().to_ascii_lowercase());
    match said.as_deref() {
        None | Some("" | "identity") => {
            // Nothing is to be said of a text as it is, but that it is one.
            let is_utf8 = |answer: &Answer| std::str::from_utf8(&answer.body).is_ok();
            let text = is_same(plain, answer, &answer.body) && is_utf8(plain) == is_utf8(answer);
            (!text).then(|| (false, "without Content-Encoding, and not what is sent to others".to_owned()))
        }
        Some(said) if said != coding => {
            Some((false, format!("compressed with {said}, which the client does not take")))
        }
        Some(_) => Some(coded(coding, plain, answer)),
    }
}

fn coded(coding: &str, plain: &Answer, answer: &Answer) -> (bool, String) {
    let same = match coding {
        "zstd" => zstd(&answer.body).is_some_and(|unpacked| is_same(plain, answer, &unpacked)),
        // Without a reader for it: at least it is neither the text itself nor another coding.
        _ => {
            let is_other = [&[0x1f, 0x8b][..], &[0x28, 0xb5, 0x2f, 0xfd]]
                .iter()
                .any(|mark| answer.body.starts_with(mark));
            let is_text = Kind::of(answer) == Kind::Text && std::str::from_utf8(&answer.body).is_ok();
            let is_plain = answer.body.is_empty() || answer.body == plain.body;
            !(is_plain || is_other || is_text)
        }
    };
    if !same {
        return (false, format!("what is sent as {coding} is no {coding} of what is sent uncompressed"));
    }
    let sizes = format!("{} to {}", size(plain), size(answer));
    if varies(answer) {
        (true, sizes)
    } else {
        (false, format!("{sizes}, but without Vary: Accept-Encoding"))
    }
}

fn zstd(body: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(body).ok()?;
    decoder.window_log_max(WINDOW).ok()?;
    unpacked(decoder)
}

#[cfg(test)]
mod tests {
    use super::super::tests::answer;
    use super::*;

    fn text() -> Vec<u8> {
        "body { color: red }\n".repeat(100).into_bytes()
    }

    fn holds(coding: &str, headers: &[(&'static str, &str)], body: &[u8]) -> Option<bool> {
        let plain = answer(200, &[("content-type", "text/css")], &text());
        let headers = [&[("content-type", "text/css")], headers].concat();
        judged(coding, &plain, &answer(200, &headers, body)).map(|(holds, _)| holds)
    }

    #[test]
    fn what_is_offered_is_what_it_says() {
        let packed = zstd::encode_all(text().as_slice(), 3).unwrap();
        let vary = ("vary", "Origin, Accept-Encoding");
        assert_eq!(holds("zstd", &[("content-encoding", "zstd"), vary], &packed), Some(true));
        assert_eq!(holds("zstd", &[("content-encoding", "zstd")], &packed), Some(false), "without Vary");
        let other = zstd::encode_all(&b"another text"[..], 3).unwrap();
        assert_eq!(holds("zstd", &[("content-encoding", "zstd"), vary], &other), Some(false));
        assert_eq!(holds("zstd", &[("content-encoding", "gzip"), vary], &packed), Some(false));
        assert_eq!(holds("zstd", &[vary], &packed), Some(false), "coded, and not said");
        assert_eq!(holds("zstd", &[], &text()), None, "not offered");
        assert_eq!(holds("br", &[], &text()), None, "not offered");
        let br = [0x1b, 0xcf, 0x07, 0x00, 0xe4, 0xf8];
        assert_eq!(holds("br", &[("content-encoding", "br"), vary], &br), Some(true));
        assert_eq!(holds("br", &[("content-encoding", "br"), vary], &text()), Some(false));
        assert_eq!(holds("br", &[("content-encoding", "br"), vary], &packed), Some(false));
    }

    #[test]
    fn another_status_is_no_answer_but_too_many_requests() {
        let plain = answer(200, &[], &text());
        assert_eq!(judged("br", &plain, &answer(429, &[], b"")), None);
        assert!(judged("br", &plain, &answer(500, &[], b"")).is_some_and(|(holds, _)| !holds));
    }
}
