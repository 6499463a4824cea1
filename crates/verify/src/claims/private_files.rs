use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    front::{self, Front},
    http::{Answer, Ask},
    stack::Stack,
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "private-files",
    title: "the front hands out no file of the repository that is none of its pages",
    group: Group::Http,
    requirements: &["R-139"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

/// What lies beside pages in repositories and on servers, and tells how the system is built, or its secrets.
const PATHS: [&str; 14] = [
    "/.env",
    "/.env.production",
    "/.git/HEAD",
    "/.git/config",
    "/.dockerignore",
    "/.htpasswd",
    "/Dockerfile",
    "/compose.yml",
    "/compose.production.yml",
    "/docker-compose.yml",
    "/nginx.conf",
    "/nginx/nginx.conf",
    "/plimsoll.toml",
    "/smoke.toml",
];
/// A path that nobody has: what a front answers to everything is no file.
const NOBODYS: &str = "/plimsoll-no-such-file.conf";

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let mut outcomes = Vec::new();
    for front in front::fronts(stack).await.all.iter().filter(|front| front.broken.is_none()) {
        outcomes.push(of_front(front).await);
    }
    Ok(outcomes)
}

async fn of_front(front: &Front) -> Outcome {
    let expected = format!("none of {} names of such files brings one", PATHS.len());
    let ask = async |path: &str| front.endpoint.send(&Ask::get(path)).await.ok();
    let usual = ask(NOBODYS).await;
    if usual.as_ref().is_some_and(is_file) {
        return Outcome::not_applicable(&front.subject, expected, "it answers every path with 200");
    }
    let mut found = Vec::new();
    for path in PATHS {
        if let Some(answer) = ask(path).await.filter(is_file) {
            found.push((path, answer.body.len()));
        }
    }
    let names: Vec<&str> = found.iter().map(|(path, _)| *path).collect();
    let observed = if names.is_empty() { "none does".to_owned() } else { names.join(", ") };
    let source = |path: &str| format!("GET {path} at {}", front.endpoint.name());
    let mut evidence: Vec<_> =
        found.iter().map(|(path, bytes)| (source(path), format!("200, {bytes} bytes"))).collect();
    if found.is_empty() {
        evidence.push((source(PATHS[0]), "no file".to_owned()));
    }
    Outcome::new(&front.subject, expected).judge(found.is_empty(), observed).all_evidence(evidence)
}

/// An answer with content that is no page.
fn is_file(answer: &Answer) -> bool {
    let kind = answer.header("content-type").unwrap_or_default();
    answer.status == 200 && !answer.body.is_empty() && !kind.starts_with("text/html")
}
