use std::collections::BTreeMap;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::{Group, Status},
    front::{self, Front, Role, html},
    http::{Answer, Ask},
    stack::Stack,
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "page-files",
    title: "the scripts and styles that a page names are there and allowed, and none calls the visitor's own machine",
    group: Group::Http,
    requirements: &["R-073", "R-139"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

/// Pages of one front, the front page among them.
const PAGES: usize = 10;
/// Scripts and styles of one page that are asked for.
const FILES: usize = 200;
/// What is quoted around a finding, in characters.
const QUOTED: usize = 60;

/// The scripts and styles of one front by their path; `None`: no answer.
type Fetched = BTreeMap<String, Option<Answer>>;

/// A page: its text, and what its Content-Security-Policy says.
struct Shown {
    text: String,
    policy: String,
}

impl Shown {
    fn of(answer: &Answer) -> Self {
        let policy = answer.header("content-security-policy").unwrap_or_default();
        Self { text: answer.text(), policy: policy.clone() }
    }
}

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let mut outcomes = Vec::new();
    for front in front::fronts(stack).await.all.iter().filter(|front| front.broken.is_none()) {
        let known = |page: &front::Page| (page.path.clone(), Some(page.answer.clone()));
        let mut fetched: Fetched =
            front.pages.iter().filter(|page| page.method == "GET").map(known).collect();
        for (path, page) in pages(stack, front) {
            outcomes.push(of_page(front, &path, &page, &mut fetched).await);
        }
    }
    Ok(outcomes)
}

/// The front page, and the pages that smoke checks have seen.
fn pages(stack: &Stack<'_>, front: &Front) -> BTreeMap<String, Shown> {
    let mut pages = BTreeMap::new();
    if let Some(first) = front.page(Role::FrontPage).filter(|first| is_page(&first.answer)) {
        pages.insert(first.path.clone(), Shown::of(&first.answer));
    }
    for seen in stack.seen.all().iter().filter(|seen| seen.front == front.subject) {
        let path = &seen.asked.path;
        let asked = seen.asked.method == "GET" && !path.contains('{');
        if pages.len() < PAGES && asked && is_page(&seen.answer) {
            pages.entry(path.clone()).or_insert_with(|| Shown::of(&seen.answer));
        }
    }
    pages
}

fn is_page(answer: &Answer) -> bool {
    let kind = answer.header("content-type").unwrap_or_default();
    answer.status == 200 && kind.starts_with("text/html")
}

async fn of_page(front: &Front, path: &str, page: &Shown, fetched: &mut Fetched) -> Outcome {
    let base = path.split('?').next().unwrap_or(path);
    let text = without_own_host(&page.text, &front.endpoint.origin());
    let mut files = html::local_files(&text, base);
    files.retain(|file| is_program(file));
    let more = files.len().saturating_sub(FILES);
    files.truncate(FILES);
    let (mut missing, mut calls) = (Vec::new(), Vec::new());
    calls.extend(own_machine(&text).map(|quoted| (path.to_owned(), quoted)));
    for file in &files {
        if !fetched.contains_key(file) {
            fetched.insert(file.clone(), front.endpoint.send(&Ask::get(file)).await.ok());
        }
        match fetched.get(file).and_then(Option::as_ref) {
            Some(answer) if answer.status < 400 && !is_page(answer) => {
                calls.extend(own_machine(&answer.text()).map(|quoted| (file.clone(), quoted)));
            }
            Some(answer) if answer.status < 400 => missing.push((file.clone(), "it is a page".to_owned())),
            Some(answer) => missing.push((file.clone(), answer.status.to_string())),
            None => missing.push((file.clone(), "no answer".to_owned())),
        }
    }
    let mut observed = format!("{} of {} are there", files.len() - missing.len(), files.len());
    if !calls.is_empty() {
        let places: Vec<&str> = calls.iter().map(|(file, _)| file.as_str()).collect();
        observed += &format!("; {} calls the visitor's own machine", places.join(", "));
    }
    if more > 0 {
        observed += &format!("; {more} more were not asked for");
    }
    let forbidden = forbidden(page);
    if !forbidden.is_empty() {
        observed += &format!("; its policy forbids {}", forbidden.join(", "));
    }
    let holds = missing.is_empty() && calls.is_empty() && forbidden.is_empty();
    let source = |file: &str| format!("GET {file} at {}", front.endpoint.name());
    let mut evidence: Vec<_> =
        missing.iter().chain(&calls).map(|(file, said)| (source(file), said.clone())).collect();
    if !forbidden.is_empty() {
        evidence.push((format!("Content-Security-Policy of {}", source(path)), page.policy.clone()));
    }
    if holds {
        evidence.push((source(path), format!("{} scripts and styles", files.len())));
    }
    let mut outcome = Outcome::new(
        format!("{} {path}", front.subject),
        "each script and style that it names is there and allowed by its policy, and none has an address of localhost \
         with a port",
    )
    .judge(holds, observed)
    .all_evidence(evidence);
    if holds && more > 0 {
        // What was not asked for is not proved.
        outcome.status = Status::NotChecked;
    }
    outcome
}

/// Scripts and styles of other hosts that the page's own policy forbids (CSP level 3, section 6.1).
fn forbidden(page: &Shown) -> Vec<String> {
    let directive = |name: &str| {
        let all = page.policy.split(';').map(str::trim);
        all.clone()
            .find_map(|text| text.strip_prefix(name)?.strip_prefix(' '))
            .or_else(|| all.clone().find_map(|text| text.strip_prefix("default-src ")))
            .map(str::to_owned)
    };
    let mut found = Vec::new();
    for (kind, address) in html::foreign_files(&page.text) {
        let Some(allowed) = directive(kind) else { continue };
        let host = address.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
        let fits = |word: &str| {
            let word = word.trim_end_matches('/');
            let word = word.split_once("://").map_or(word, |(_, rest)| rest);
            let part = word.split('/').next().unwrap_or(word);
            matches!(word, "*" | "https:")
                || part == host
                || part.strip_prefix('*').is_some_and(|domain| host.ends_with(domain))
                // With a nonce or a digest the address does not count.
                || word.starts_with("'nonce-")
                || word.starts_with("'sha")
                || word == "'strict-dynamic'"
        };
        if !allowed.split_whitespace().any(fits) {
            found.push(address);
        }
    }
    found
}

/// Templates write whole addresses with the host that was asked for: those lead to where the page came from.
fn without_own_host(page: &str, origin: &str) -> String {
    page.replace(&format!("{origin}/"), "/")
}

/// Scripts and styles: what a page does not work without.
fn is_program(path: &str) -> bool {
    let name = path.split('?').next().unwrap_or(path);
    [".js", ".mjs", ".css"].iter().any(|ending| name.ends_with(ending))
}

/// An address of the machine that the text is read on, as a program has it: in quotes and with a port. Without a port
/// libraries use it to read addresses, and call nobody.
fn own_machine(text: &str) -> Option<String> {
    const HOSTS: [&str; 6] = [
        "http://localhost:",
        "https://localhost:",
        "ws://localhost:",
        "http://127.0.0.1:",
        "https://127.0.0.1:",
        "ws://127.0.0.1:",
    ];
    HOSTS.iter().find_map(|host| {
        text.match_indices(host).find_map(|(at, _)| {
            let quoted = text[..at].ends_with(['"', '\'', '`']);
            let port = text[at + host.len()..].bytes().take_while(u8::is_ascii_digit).count();
            (quoted && port > 0).then(|| text[at..].chars().take(QUOTED).collect())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_the_host_that_was_asked_for_lead_to_the_page_itself() {
        let page = "<script src=\"http://127.0.0.1:8080/main.js\"></script><a href='http://127.0.0.1:80/x'>";
        let text = without_own_host(page, "http://127.0.0.1:8080");
        assert_eq!(html::local_files(&text, "/"), ["/main.js"]);
        assert_eq!(own_machine(&text).as_deref(), Some("http://127.0.0.1:80/x'>"));
    }

    #[test]
    fn addresses_that_a_script_calls() {
        assert_eq!(
            own_machine("const e=`http://localhost:5001/books/${t}`;").as_deref(),
            Some("http://localhost:5001/books/${t}`;")
        );
        assert!(own_machine("axios.get('http://127.0.0.1:8000/ping')").is_some());
        // A base to read addresses with, a comment, and words.
        for text in
            ["new URL(e,\"http://localhost\")", "// see http://localhost:3000", "\"http://localhost:\"+port"]
        {
            assert_eq!(own_machine(text), None, "{text}");
        }
    }
}
