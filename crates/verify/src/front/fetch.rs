//! Asks every published port for the answers that are judged.

use std::{net::SocketAddr, time::Duration};

use hyper::Method;
use rustls::version::{TLS12, TLS13};
use tokio::time::timeout;

use super::{Front, Fronts, Nature, Page, Role, Way, html, ways};
use crate::{
    http::{Answer, Ask, Endpoint, Form, HttpError},
    stack::{Member, Stack},
};

/// Files of one page that are asked for.
const FILES: usize = 60;
/// Redirects that are followed from `/`.
const REDIRECTS: usize = 4;
/// A path longer than servers take by default (8 KiB).
const LONG: usize = 9000;
/// A body larger than servers take by default (nginx: 1 MiB), and how long one may think about its announcement.
const LARGE: u64 = 2 << 20;
const ANNOUNCED: Duration = Duration::from_secs(1);
/// How long somebody may take who is asked for `/` alone.
const GREETING: Duration = Duration::from_secs(1);
/// Prefixes of the application that are asked for what is too large.
const PREFIXES: usize = 3;
/// A place that only the browser knows.
const DEEP: &str = "/plimsoll/deep/link";
/// A folder of messages, in which the one file is a part of the protocol.
const SOCKETS: &str = "/socket.io/";
/// A name that no project has.
const MISSING: &str = "plimsoll-missing-0a1b2c3d";

pub(super) async fn fetch(stack: &Stack<'_>) -> Fronts {
    let mut found = Fronts::default();
    for member in stack.running() {
        let ways = ways(stack, member);
        for way in &ways {
            let subject = if ways.len() > 1 {
                format!("{}:{}", member.subject, way.container_port)
            } else {
                member.subject.clone()
            };
            of_way(stack, member, way, subject, &mut found).await;
        }
    }
    // What is published and speaks nothing is a store's port, or a front that is broken.
    if found.all.is_empty() && stack.options.smoke.is_some() && !found.others.is_empty() {
        let broken = found.others.join("; ");
        if let Some(member) = stack.running().find(|member| !ways(stack, member).is_empty())
            && let Some(way) = ways(stack, member).first()
        {
            let mut front = empty(member, way, member.subject.clone());
            front.broken = Some(broken);
            found.all.push(front);
        }
    }
    found
}

fn empty(member: &Member, way: &Way, subject: String) -> Front {
    Front {
        subject,
        service: member.service.clone(),
        member: member.name.clone(),
        container: member.id().to_owned(),
        endpoint: Endpoint::Published(way.address),
        container_port: way.container_port,
        nature: Nature::Api,
        local: way.local,
        pages: Vec::new(),
        odd: Vec::new(),
        broken: None,
    }
}

async fn of_way(stack: &Stack<'_>, member: &Member, way: &Way, subject: String, found: &mut Fronts) {
    let mut front = empty(member, way, subject);
    let mut first = first_page(&front.endpoint).await;
    if may_be_tls(&first) {
        let secure = front.endpoint.clone().with_tls(stack.options.tls.name.as_deref());
        if secure.shake_hands(&[&TLS12, &TLS13]).await.is_ok() {
            first = first_page(&secure).await;
            front.endpoint = secure;
        }
    }
    let (path, first) = match first {
        Ok(first) => first,
        Err(HttpError::Protocol(_)) => {
            found.others.push(format!("{}: port {} speaks no HTTP", member.subject, way.container_port));
            return;
        }
        Err(error) => {
            front.broken = Some(format!("GET /: {error}"));
            found.all.push(front);
            return;
        }
    };
    let is_html =
        first.header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html"));
    if first.status >= 500 {
        front.broken = Some(format!("GET {path} is answered with {}", first.status));
    }
    front.nature = match first.status {
        300..=399 => Nature::Redirect,
        200..=299 if is_html && html::is_application(&first.text()) => Nature::Application,
        200..=299 if is_html => Nature::Site,
        _ => Nature::Api,
    };
    front.pages.push(Page { role: Role::FrontPage, method: "GET", path, answer: first });
    if front.nature != Nature::Redirect && front.broken.is_none() {
        fetch_pages(stack, member, &mut front).await;
    }
    found.all.push(front);
}

/// True for what a server with TLS answers to a request without: nothing, 400 or a redirect.
fn may_be_tls(first: &Result<(String, Answer), HttpError>) -> bool {
    match first {
        Ok((_, answer)) => {
            let away = answer.header("location").is_some_and(|target| target.starts_with("https://"));
            answer.status == 400 || ((300..400).contains(&answer.status) && away)
        }
        Err(error) => matches!(error, HttpError::Protocol(_) | HttpError::Late),
    }
}

/// The status of the answer to `/` at this address, by TLS where it speaks TLS, after redirects to its own pages. `None`
/// where nothing that is HTTP comes within a second.
pub async fn first_status(address: SocketAddr) -> Option<u16> {
    let plain = Endpoint::Published(address);
    let ask = async {
        let first = first_page(&plain).await;
        if may_be_tls(&first)
            && let Ok((_, answer)) = first_page(&plain.clone().with_tls(None)).await
        {
            return Some(answer.status);
        }
        first.ok().map(|(_, answer)| answer.status)
    };
    timeout(GREETING, Box::pin(ask)).await.ok().flatten()
}

/// `/`, and where it leads on the same origin: a front page behind a login or below a prefix.
async fn first_page(endpoint: &Endpoint) -> Result<(String, Answer), HttpError> {
    let mut path = "/".to_owned();
    for _ in 0..REDIRECTS {
        let answer = endpoint.send(&Ask::get(&path).header("accept", "text/html,*/*;q=0.8")).await?;
        let next = (300..400).contains(&answer.status).then(|| local_target(&answer, endpoint)).flatten();
        match next {
            Some(next) if next != path => path = next,
            _ => return Ok((path, answer)),
        }
    }
    let answer = endpoint.send(&Ask::get(&path)).await?;
    Ok((path, answer))
}

/// The path of a redirect that stays here.
fn local_target(answer: &Answer, endpoint: &Endpoint) -> Option<String> {
    let location = answer.header("location")?;
    let own = endpoint.origin();
    let path = location.strip_prefix(&own).unwrap_or(&location);
    (path.starts_with('/') && !path.starts_with("//"))
        .then(|| path.split('#').next().unwrap_or(path).to_owned())
}

async fn fetch_pages(stack: &Stack<'_>, member: &Member, front: &mut Front) {
    let base = front.pages[0].path.clone();
    if front.has_pages() {
        let mut files = html::local_files(&front.pages[0].answer.text(), &base);
        files.retain(|file| !file.starts_with(SOCKETS));
        let mut folders: Vec<String> = vec![String::new()];
        for path in files.iter().take(FILES) {
            get(front, file_role(path), path).await;
            let folder =
                path.split('?').next().unwrap_or(path).rsplit_once('/').map_or("", |(folder, _)| folder);
            if !folders.iter().any(|known| known == folder) && folders.len() < 4 {
                folders.push(folder.to_owned());
            }
        }
        for folder in &folders {
            get(front, Role::MissingFile, &format!("{folder}/{MISSING}.js")).await;
        }
        for name in ["plimsoll/missing-0a1b2c3d.css", ".well-known/plimsoll-missing.json"] {
            get(front, Role::MissingFile, &format!("/{name}")).await;
        }
        for extension in ["png", "svg", "json", "map", "txt"] {
            get(front, Role::MissingFile, &format!("/{MISSING}.{extension}")).await;
        }
        for path in [DEEP, "/plimsoll/deep/link?tab=1"] {
            get(front, Role::DeepLink, path).await;
        }
        let known: Vec<String> = front.pages.iter().map(|page| page.path.clone()).collect();
        for (path, role) in [
            ("/robots.txt", Role::WellKnown),
            ("/favicon.ico", Role::WellKnown),
            ("/manifest.webmanifest", Role::WellKnown),
            ("/manifest.json", Role::WellKnown),
            ("/sw.js", Role::ServiceWorker),
            ("/service-worker.js", Role::ServiceWorker),
        ] {
            if !known.iter().any(|known| known == path) {
                get(front, role, path).await;
            }
        }
        if front.nature == Nature::Site && deep_link_is_the_page(front) {
            // A page with content that also answers what only the browser knows.
            front.nature = Nature::Application;
        }
        if front.nature == Nature::Application && deep_link_is_an_own_error(front) {
            // Little to read before the scripts run, and still made on the server: it knows its addresses.
            front.nature = Nature::Site;
        }
        odd_forms(front).await;
    }
    let plain: Vec<u16> = ways(stack, member).iter().map(|way| way.container_port).collect();
    // A front with TLS is asked at its plain port, which leads all others to TLS.
    let leads_here = |port: u16| front.endpoint.has_tls() && plain.contains(&port);
    let health = health_path(stack, member, front.container_port, &leads_here);
    if let Some(path) = health {
        get(front, Role::Health, &path).await;
    }
    proxied(stack, front).await;
    refused(front, &base).await;
}

fn file_role(path: &str) -> Role {
    let name = path.split('?').next().unwrap_or(path).rsplit('/').next().unwrap_or(path);
    match name {
        "sw.js" | "service-worker.js" => Role::ServiceWorker,
        _ if html::is_hashed(path) => Role::HashedAsset,
        _ if html::is_versioned(path) => Role::VersionedFile,
        _ if html::is_media(path) => Role::Media,
        "robots.txt" | "manifest.json" | "site.webmanifest" | "manifest.webmanifest" => Role::WellKnown,
        _ => Role::PlainFile,
    }
}

fn deep_link_is_the_page(front: &Front) -> bool {
    front.page(Role::DeepLink).is_some_and(|deep| {
        deep.answer.status == 200 && html::same_page(&deep.answer.body, &front.pages[0].answer.body)
    })
}

fn deep_link_is_an_own_error(front: &Front) -> bool {
    front.page(Role::DeepLink).is_some_and(|deep| {
        // An error in JSON is a program's too: servers of files answer with a page.
        let kind = deep.answer.header("content-type").unwrap_or_default();
        let json = kind.starts_with("application/") && kind.contains("json");
        matches!(deep.answer.status, 404 | 410)
            && (json || html::is_own_error(&deep.answer.body, &front.pages[0].answer.body))
    })
}

/// The path that says whether the front works: of its own health check, else of a smoke check.
fn health_path(
    stack: &Stack<'_>,
    member: &Member,
    port: u16,
    leads_here: &dyn Fn(u16) -> bool,
) -> Option<String> {
    let command = member.detail.health_test.join(" ");
    let of_check = command.match_indices("http://").find_map(|(at, mark)| {
        let rest = &command[at + mark.len()..];
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let asked: Option<u16> = authority.rsplit_once(':').map_or(Some(80), |(_, port)| port.parse().ok());
        let path = path.split(|c: char| c.is_whitespace() || "\"'`);|&?".contains(c)).next().unwrap_or("");
        (asked == Some(port) || asked.is_some_and(leads_here)).then(|| format!("/{path}"))
    });
    if let Some(path) = of_check {
        return (path != "/").then_some(path);
    }
    let checks = stack.options.smoke.iter().flat_map(|file| &file.checks);
    checks
        .filter(|check| check.at.is_none())
        .filter_map(|check| check.request.strip_prefix("GET "))
        .find(|path| matches!(*path, "/health" | "/healthz" | "/livez" | "/up" | "/ping"))
        .map(str::to_owned)
}

/// Answers of the application behind the front: the paths of smoke checks that need nothing captured, and beside each
/// one that does not exist.
async fn proxied(stack: &Stack<'_>, front: &mut Front) {
    let known: Vec<String> = front.pages.iter().map(|page| page.path.clone()).collect();
    let checks = stack.options.smoke.iter().flat_map(|file| &file.checks);
    let paths: Vec<&str> = checks
        .filter(|check| check.at.is_none() && !check.stream && !check.request.contains('{'))
        .filter_map(|check| check.request.strip_prefix("GET "))
        .filter(|path| !known.iter().any(|known| known == path))
        .collect();
    let mut prefixes: Vec<String> = Vec::new();
    for path in paths.iter().take(10) {
        let Some(page) = ask(front, Role::Proxied, &Ask::get(*path)).await else { continue };
        let kind = page.answer.header("content-type").unwrap_or_default();
        let is_page = kind.starts_with("text/html") || path.split('?').next().unwrap_or(path).contains('.');
        if is_page && front.has_pages() {
            continue;
        }
        let prefix = path.split(['/', '?']).nth(1).unwrap_or_default().to_owned();
        if !prefix.is_empty() && !prefixes.contains(&prefix) {
            prefixes.push(prefix);
        }
        front.pages.push(page);
    }
    for (number, prefix) in prefixes.iter().enumerate() {
        let path = format!("/{prefix}/{MISSING}");
        get(front, Role::ProxiedMissing, &path).await;
        let page = ask(front, Role::Refused, &Ask::new(Method::DELETE, &path)).await;
        front.pages.extend(page);
        if number < PREFIXES {
            too_large(front, &path).await;
        }
    }
}

/// What a link or a form can ask for and a front refuses. Nothing here names something that exists.
async fn refused(front: &mut Front, base: &str) {
    let long = format!("{base}?{}", "x".repeat(LONG));
    for (method, path) in [
        (Method::POST, format!("/{MISSING}.html")),
        (Method::HEAD, base.to_owned()),
        (Method::OPTIONS, base.to_owned()),
        (Method::GET, format!("/%2e%2e/{MISSING}")),
        (Method::GET, long),
    ] {
        let page = ask(front, Role::Refused, &Ask::new(method, path)).await;
        front.pages.extend(page);
    }
    too_large(front, &format!("/{MISSING}")).await;
    hostless(front, base).await;
}

/// A body that is too large. It is only announced: whoever would take it waits in vain and has nothing to keep.
async fn too_large(front: &mut Front, path: &str) {
    let request = Ask::new(Method::POST, path)
        .header("content-type", "application/json")
        .header("connection", "close")
        .form(Form::Announced(LARGE));
    let answered = timeout(ANNOUNCED, ask(front, Role::Refused, &request)).await;
    if let Ok(Some(page)) = answered
        && page.answer.status == 413
    {
        front.pages.push(Page { path: format!("{path} with 2 MiB"), ..page });
    }
}

/// A request of an old client. Who refuses it for its form alone has not begun to make an answer.
async fn hostless(front: &mut Front, base: &str) {
    let page = ask(front, Role::Refused, &Ask::get(base).form(Form::Hostless)).await;
    let page = page.filter(|page| !matches!(page.answer.status, 400 | 421 | 426 | 505));
    front.pages.extend(page.map(|page| Page { path: format!("{base} without Host"), ..page }));
}

/// Deep links with other methods, a path behind a file, slashes in percent encoding.
async fn odd_forms(front: &mut Front) {
    let mut forms = vec![
        (Role::MissingFile, Ask::get("/index.html/plimsoll")),
        (Role::DeepLink, Ask::get(DEEP.replace("/deep/", "%2fdeep%2f"))),
    ];
    if front.has_deep_links() {
        let methods = [Method::HEAD, Method::POST];
        forms.extend(methods.map(|method| (Role::DeepLink, Ask::new(method, DEEP))));
    }
    for (role, request) in &forms {
        let page = ask(front, *role, request).await;
        front.odd.extend(page);
    }
}

async fn get(front: &mut Front, role: Role, path: &str) {
    let page = ask(front, role, &Ask::get(path)).await;
    front.pages.extend(page);
}

/// `None` where no answer comes: a server may close the connection on what it refuses, and a front that is dead is seen
/// at `/`.
async fn ask(front: &Front, role: Role, request: &Ask) -> Option<Page> {
    let answer = front.endpoint.send(request).await.ok()?;
    let method = match request.method {
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::OPTIONS => "OPTIONS",
        Method::DELETE => "DELETE",
        _ => "GET",
    };
    let path = &request.path;
    let shown = if path.len() > 200 {
        let begin: String = path.chars().take(20).collect();
        format!("{begin}… ({} characters)", path.len())
    } else {
        path.clone()
    };
    Some(Page { role, method, path: shown, answer })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::tests::server;

    /// Refuses large bodies, knows no place behind a file, and tells who asks without a host so.
    fn answer(head: &str) -> String {
        let has = |text: &str| head.contains(text);
        let status = if has("content-length: 2097152") {
            "413 Content Too Large"
        } else if head.starts_with("GET / ") && has("HTTP/1.0") {
            "404 Not Found"
        } else if head.starts_with("GET /index.html/") {
            "500 Internal Server Error"
        } else {
            "200 OK"
        };
        let body = if head.starts_with("HEAD ") { "" } else { "<script>history.pushState()</script>" };
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }

    /// The front at this address, an application that answers places inside it.
    async fn front(answer: fn(&str) -> String) -> Front {
        let member = crate::member::tests::member(json!({}));
        let way = Way { container_port: 80, address: server(answer).await, local: false };
        let mut front = empty(&member, &way, "front".to_owned());
        front.nature = Nature::Application;
        get(&mut front, Role::FrontPage, "/").await;
        get(&mut front, Role::DeepLink, DEEP).await;
        front
    }

    fn statuses(pages: &[Page]) -> Vec<(String, u16)> {
        pages.iter().map(|page| (format!("{} {}", page.method, page.path), page.answer.status)).collect()
    }

    #[test]
    fn what_a_server_with_tls_says_without_it() {
        let said = |status: u16, location: Option<&str>| {
            let headers = location.map(|to| ("location".parse().unwrap(), to.parse().unwrap()));
            let headers = headers.into_iter().collect();
            Ok(("/".to_owned(), Answer { status, headers, body: Vec::new() }))
        };
        assert!(may_be_tls(&said(400, None)) && may_be_tls(&said(308, Some("https://127.0.0.1:1/"))));
        assert!(may_be_tls(&Err(HttpError::Protocol("alert".to_owned()))));
        assert!(!may_be_tls(&said(200, None)) && !may_be_tls(&said(302, Some("/login"))));
    }

    #[tokio::test]
    async fn what_is_too_large_and_what_has_no_host() {
        let mut front = front(answer).await;
        front.pages.clear();
        too_large(&mut front, "/x").await;
        hostless(&mut front, "/").await;
        let expected = [("POST /x with 2 MiB".to_owned(), 413), ("GET / without Host".to_owned(), 404)];
        assert_eq!(statuses(&front.pages), expected);
    }

    #[tokio::test]
    async fn what_is_no_answer_to_the_point_is_left_out() {
        let plain: fn(&str) -> String =
            |_| "HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbad".to_owned();
        let mut front = front(plain).await;
        front.pages.clear();
        too_large(&mut front, "/x").await;
        hostless(&mut front, "/").await;
        assert!(front.pages.is_empty(), "{:?}", front.pages);
        // Without places inside it no other methods are tried there.
        odd_forms(&mut front).await;
        assert!(front.odd.iter().all(|page| page.method == "GET") && front.odd.len() == 2);
    }

    #[tokio::test]
    async fn places_in_other_forms() {
        let mut front = front(answer).await;
        odd_forms(&mut front).await;
        let expected = [
            ("GET /index.html/plimsoll", 500),
            ("GET /plimsoll%2fdeep%2flink", 200),
            ("HEAD /plimsoll/deep/link", 200),
            ("POST /plimsoll/deep/link", 200),
        ];
        assert_eq!(statuses(&front.odd), expected.map(|(asked, status)| (asked.to_owned(), status)));
    }
}
