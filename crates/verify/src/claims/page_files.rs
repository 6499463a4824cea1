use std::collections::BTreeMap;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    front::{self, Front, Role, html},
    http::{Answer, Ask},
    stack::Stack,
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "page-files",
    title: "the scripts and styles that a page names are there, and none of them calls the visitor's own machine",
    group: Group::Http,
    requirements: &["R-073", "R-139"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

/// Pages of one front, the front page among them.
const PAGES: usize = 10;
/// Scripts and styles of one page.
const FILES: usize = 40;
/// What is quoted around a finding, in characters.
const QUOTED: usize = 60;

/// The scripts and styles of one front by their path; `None`: no answer.
type Fetched = BTreeMap<String, Option<Answer>>;

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
fn pages(stack: &Stack<'_>, front: &Front) -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    if let Some(first) = front.page(Role::FrontPage).filter(|first| is_page(&first.answer)) {
        pages.insert(first.path.clone(), first.answer.text());
    }
    for seen in stack.seen.all().iter().filter(|seen| seen.front == front.subject && seen.method == "GET") {
        if pages.len() < PAGES && is_page(&seen.answer) && !seen.path.contains('{') {
            pages.entry(seen.path.clone()).or_insert_with(|| seen.answer.text());
        }
    }
    pages
}

fn is_page(answer: &Answer) -> bool {
    let kind = answer.header("content-type").unwrap_or_default();
    answer.status == 200 && kind.starts_with("text/html")
}

async fn of_page(front: &Front, path: &str, page: &str, fetched: &mut Fetched) -> Outcome {
    let base = path.split('?').next().unwrap_or(path);
    let mut files = html::local_files(page, base);
    files.retain(|file| is_program(file));
    files.truncate(FILES);
    let (mut missing, mut calls) = (Vec::new(), Vec::new());
    calls.extend(own_machine(page).map(|quoted| (path.to_owned(), quoted)));
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
    let holds = missing.is_empty() && calls.is_empty();
    let source = |file: &str| format!("GET {file} at {}", front.endpoint.name());
    let mut evidence: Vec<_> =
        missing.iter().chain(&calls).map(|(file, said)| (source(file), said.clone())).collect();
    if holds {
        evidence.push((source(path), format!("{} scripts and styles", files.len())));
    }
    Outcome::new(
        format!("{} {path}", front.subject),
        "each script and style that it names is there, and none has an address of localhost with a port",
    )
    .judge(holds, observed)
    .all_evidence(evidence)
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
