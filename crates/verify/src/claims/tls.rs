use std::time::{Duration, SystemTime};

use hyper::Method;
use rustls::{
    RootCertStore,
    client::{verify_server_cert_signed_by_trust_anchor, verify_server_name},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
    server::ParsedCertificate,
    version::{TLS12, TLS13},
};

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    front::{self, Front, Nature},
    http::{Answer, Ask},
    stack::Stack,
    tls::{
        self, Session,
        hello::{self, Reply, Version},
        x509::Certificate,
    },
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "tls",
    title: "the front's TLS is one that browsers accept, and nothing is answered without it",
    group: Group::Http,
    requirements: &["R-065", "R-067"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

/// How long a certificate has to be valid still: time to notice that its renewal does not work.
const LEFT: Duration = Duration::from_hours(14 * 24);
const DAY: u64 = 24 * 60 * 60;

const VERSIONS: &str = "TLS 1.2 or 1.3; 1.0 and 1.1 are refused";
const CERTIFICATE: &str = "valid now and for 14 more days, signed with a digest that is not broken";
const COOKIES: &str = "every cookie that is set over TLS has Secure";
const PLAIN: &str = "a redirect to the same place with https://, and nothing else";

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let fronts = front::fronts(stack).await;
    let secure: Vec<&Front> = fronts.all.iter().filter(|front| front.endpoint.has_tls()).collect();
    if secure.is_empty() {
        let why = "no published port speaks TLS: whatever is in front of the stack ends it";
        return Ok(vec![Outcome::not_applicable("front", VERSIONS, why)]);
    }
    let mut outcomes = Vec::new();
    for front in &secure {
        let session = front.endpoint.shake_hands(&[&TLS12, &TLS13]).await;
        let session = session.map_err(|error| MeasureError::Other(format!("{}: {error}", front.subject)))?;
        outcomes.push(versions(stack, front, &session).await?);
        outcomes.extend(certificate(stack, front, &session));
        outcomes.push(cookies(stack, front));
        let of_it = |other: &&Front| other.container == front.container && !other.endpoint.has_tls();
        // A port for tools of this machine leads no visitor anywhere.
        let open = |other: &&Front| !other.local || front.local;
        for plain in fronts.all.iter().filter(of_it).filter(open) {
            outcomes.push(without_tls(front, plain, &session).await?);
        }
    }
    Ok(outcomes)
}

async fn versions(stack: &Stack<'_>, front: &Front, session: &Session) -> Result<Outcome, MeasureError> {
    let failed = |error| MeasureError::Other(format!("{}: {error}", front.subject));
    let name = stack.options.tls.name.as_deref();
    let mut outcome = Outcome::new(format!("{} versions", front.subject), VERSIONS);
    let (mut spoken, mut unclear) = (Vec::new(), Vec::new());
    for version in [Version::Tls10, Version::Tls11] {
        let reply = hello::greet(&front.endpoint, version, name).await.map_err(failed)?;
        match &reply {
            Reply::Goes(chosen) if *chosen <= version as u16 => spoken.push(version.words()),
            Reply::Unclear(_) => unclear.push(format!("{} is {}", version.words(), reply.words())),
            Reply::Goes(_) | Reply::Ends(_) => {}
        }
        outcome = outcome.evidence(
            format!("ClientHello of {} to {}", version.words(), front.endpoint.name()),
            reply.words(),
        );
    }
    // Who has TLS 1.2 and refuses a greeting of the same form in it has not refused the old ones for their version.
    let has_12 = front.endpoint.shake_hands(&[&TLS12]).await.is_ok();
    if has_12 {
        let reply = hello::greet(&front.endpoint, Version::Tls12, name).await.map_err(failed)?;
        if !matches!(reply, Reply::Goes(_)) {
            unclear.push(format!("a greeting of the same form in TLS 1.2 is {}", reply.words()));
        }
        let source = format!("ClientHello of the same form with TLS 1.2 to {}", front.endpoint.name());
        outcome = outcome.evidence(source, reply.words());
    }
    let best = session.version.map_or_else(|| "TLS".to_owned(), |version| format!("{version:?}"));
    let best = best.replace("TLSv1_", "TLS 1.");
    Ok(if !spoken.is_empty() {
        outcome.judge(false, format!("{} is spoken", spoken.join(" and ")))
    } else if unclear.is_empty() {
        let also = if has_12 { "1.2 too" } else { "not 1.2" };
        outcome.judge(true, format!("{best} is spoken, {also}, and nothing older"))
    } else {
        Outcome { observed: unclear.join("; "), ..outcome }
    })
}

/// What the certificate says of itself, for whom it is, and who vouches for it.
fn certificate(stack: &Stack<'_>, front: &Front, session: &Session) -> Vec<Outcome> {
    let subject = |what: &str| format!("{} {what}", front.subject);
    let source = format!("certificate of {}", front.endpoint.name());
    let read = session.chain.first().map(|der| Certificate::read(der));
    let Some(Ok(certificate)) = read else {
        let outcome = Outcome::new(subject("certificate"), CERTIFICATE);
        return vec![outcome.judge(false, "it cannot be read (RFC 5280, 4.1)")];
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let from_to = format!("{} to {}", date(certificate.not_before), date(certificate.not_after));
    let (holds, observed) = validity(&certificate, now);
    let valid = Outcome::new(subject("certificate"), CERTIFICATE)
        .judge(holds, observed)
        .evidence(source.clone(), from_to);
    let name = stack.options.tls.name.as_deref();
    let names = names(&certificate, session, name)
        .evidence(source.clone(), format!("subjectAltName: {}", certificate.names.join(", ")));
    let names = Outcome { subject: subject("names"), ..names };
    let roots = stack.options.tls.roots.as_ref().map(|(file, text)| (file.as_str(), text.as_slice()));
    let trust = trust(&certificate, &session.chain, roots, now);
    let sent = format!("{} sent, self-issued: {}", session.chain.len(), certificate.self_issued);
    let trust = Outcome { subject: subject("trust"), ..trust.evidence(source, sent) };
    vec![valid, names, trust]
}

fn date(since_1970: Duration) -> String {
    let seconds = i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| format!("second {seconds}"), |time| time.to_string())
}

fn validity(certificate: &Certificate, now: Duration) -> (bool, String) {
    let left = certificate.not_after.saturating_sub(now);
    if let Some(digest) = certificate.broken_digest {
        return (false, format!("it is signed with {digest}"));
    }
    if now < certificate.not_before {
        return (false, format!("it is not valid before {}", date(certificate.not_before)));
    }
    if left.is_zero() {
        return (false, format!("it was valid until {}", date(certificate.not_after)));
    }
    let days = left.as_secs() / DAY;
    (left >= LEFT, format!("valid for {days} more days, until {}", date(certificate.not_after)))
}

/// For the name that visitors use, where the policy says it; else whether it has any.
fn names(certificate: &Certificate, session: &Session, name: Option<&str>) -> Outcome {
    let list = certificate.names.join(", ");
    let Some(name) = name else {
        let outcome =
            Outcome::new("", "host names or addresses in subjectAltName: browsers look at nothing else");
        let observed =
            format!("for {list}; whether visitors use one of them is not known (`tls.name` says it)");
        let observed = if list.is_empty() { "it has none".to_owned() } else { observed };
        return outcome.judge(!list.is_empty(), observed);
    };
    let outcome = Outcome::new("", format!("it is for {name}"));
    let observed = if list.is_empty() { "it has no names".to_owned() } else { format!("it is for {list}") };
    outcome.judge(covers(session, name), observed)
}

/// Whether the chain leads to a root: one of the file that the policy names, else one of this machine.
fn trust(
    certificate: &Certificate,
    chain: &[CertificateDer<'static>],
    own: Option<(&str, &[u8])>,
    now: Duration,
) -> Outcome {
    let whose = own.map_or_else(|| "this machine".to_owned(), |(file, _)| format!("{file} (`tls.roots`)"));
    let outcome = Outcome::new("", format!("its chain leads to a root of {whose}"));
    let Some((leaf, sent)) = chain.split_first() else {
        return outcome.judge(false, "no certificate was shown");
    };
    let trusted: Vec<CertificateDer<'static>> = match own {
        None => rustls_native_certs::load_native_certs().certs,
        Some((file, text)) => match CertificateDer::pem_slice_iter(text).collect() {
            Ok(trusted) => trusted,
            Err(error) => {
                return outcome.judge(false, format!("{file}: {error}; write certificates into it, PEM"));
            }
        },
    };
    if trusted.is_empty() {
        // Nothing can be said about what visitors' machines trust.
        return Outcome { observed: format!("{whose} has no certificates to trust"), ..outcome };
    }
    if own.is_some() && trusted.contains(leaf) {
        return outcome.judge(true, "it is itself one of them");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted);
    let time = UnixTime::since_unix_epoch(now);
    let verified = ParsedCertificate::try_from(leaf).and_then(|leaf| {
        verify_server_cert_signed_by_trust_anchor(&leaf, &roots, sent, time, tls::algorithms().all)
    });
    match verified {
        Ok(()) => outcome.judge(true, format!("it does, over {} sent with it", sent.len())),
        Err(_) if certificate.self_issued => outcome.judge(
            false,
            "it is self-signed: browsers warn their users. `tls.roots` names what visitors' machines trust besides",
        ),
        Err(error) => outcome.judge(false, format!("{error}; its chain has to be behind it in the same file")),
    }
}

/// Cookies of all answers of this front that were seen.
fn cookies(stack: &Stack<'_>, front: &Front) -> Outcome {
    let outcome = Outcome::new(format!("{} cookies", front.subject), COOKIES);
    let seen: Vec<_> = stack.seen.all().into_iter().filter(|seen| seen.front == front.subject).collect();
    let pages = front.pages.iter().map(|page| (front.about(page), &page.answer));
    let answers = pages.chain(seen.iter().map(|seen| (seen.about(), &seen.answer)));
    let (mut count, mut open) = (0_usize, Vec::new());
    for (about, answer) in answers {
        for (name, is_secure) in set_cookies(answer) {
            count += 1;
            if !is_secure {
                open.push(format!("{about}: {name}"));
            }
        }
    }
    match (count, open.len()) {
        (0, _) => Outcome::not_applicable(outcome.subject, COOKIES, "no answer that was seen sets one"),
        (_, 0) => outcome.judge(true, format!("{count} of {count}")),
        (_, without) => outcome
            .judge(false, format!("{without} of {count} without"))
            .evidence("Set-Cookie", open.join("; ")),
    }
}

/// Name of each cookie, and whether it has the attribute Secure (RFC 6265, 5.2.5).
fn set_cookies(answer: &Answer) -> Vec<(String, bool)> {
    let of = |value: &hyper::header::HeaderValue| {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let mut parts = text.split(';');
        let name = parts.next().and_then(|pair| pair.split('=').next()).unwrap_or_default().trim().to_owned();
        (name, parts.any(|part| part.trim().eq_ignore_ascii_case("secure")))
    };
    answer.headers.get_all("set-cookie").iter().map(of).collect()
}

/// What the port without TLS answers: pages, places and what is sent there.
async fn without_tls(front: &Front, plain: &Front, session: &Session) -> Result<Outcome, MeasureError> {
    let mut outcome = Outcome::new(format!("{} without TLS", plain.subject), PLAIN);
    if plain.nature != Nature::Redirect && plain.broken.is_some() {
        let why = plain.broken.clone().unwrap_or_default();
        return Ok(Outcome { observed: why, ..outcome });
    }
    let mut wrong = Vec::new();
    let health = front.page(front::Role::Health).map(|page| (Method::GET, page.path.clone()));
    let paths = [(Method::GET, "/"), (Method::GET, "/plimsoll/deep/link?tab=1"), (Method::POST, "/plimsoll")];
    for (method, path) in paths.map(|(method, path)| (method, path.to_owned())).into_iter().chain(health) {
        let answer = plain.endpoint.send(&Ask::new(method.clone(), &path)).await;
        let answer = answer.map_err(|error| MeasureError::Other(format!("{}: {error}", plain.subject)))?;
        let target = answer.header("location").unwrap_or_default();
        // What is sent without TLS may be refused as well.
        let refused = method == Method::POST && (400..500).contains(&answer.status);
        if !refused && !leads_to(&answer, session, front, plain, &path) {
            wrong.push(format!("{method} {path} is answered with {} {target}", answer.status));
        }
        let source = format!("{method} {path} at {}", plain.endpoint.name());
        outcome = outcome.evidence(source, format!("{} {target}", answer.status));
    }
    let observed = if wrong.is_empty() { "redirects to https://".to_owned() } else { wrong.join("; ") };
    Ok(outcome.judge(wrong.is_empty(), observed))
}

/// True for a redirect to this path over TLS: on the host that was asked or another one that the certificate is for, at
/// the published port of TLS or the usual one.
fn leads_to(answer: &Answer, session: &Session, front: &Front, plain: &Front, path: &str) -> bool {
    let target = answer.header("location").unwrap_or_default();
    let Some(authority) = target.strip_prefix("https://").and_then(|rest| rest.strip_suffix(path)) else {
        return false;
    };
    let published = front.endpoint.address().port().to_string();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, "443"),
    };
    let asked = plain.endpoint.host();
    let is_asked = asked.rsplit_once(':').is_some_and(|(asked, _)| asked == host);
    matches!(answer.status, 301 | 302 | 303 | 307 | 308)
        && (port == "443" || port == published)
        && (is_asked || covers(session, host))
}

/// True if the certificate is for this host.
fn covers(session: &Session, host: &str) -> bool {
    let name = ServerName::try_from(host).ok();
    name.zip(session.chain.first()).is_some_and(|(name, leaf)| {
        ParsedCertificate::try_from(leaf).is_ok_and(|leaf| verify_server_name(&leaf, &name).is_ok())
    })
}

#[cfg(test)]
mod tests;
