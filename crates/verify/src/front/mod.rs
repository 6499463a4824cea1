//! The HTTP fronts of the stack: every published port that speaks HTTP, of every container, with the answers that the
//! HTTP claims judge. Fetched once.

mod fetch;
pub(crate) mod html;
mod seen;

use std::{net::SocketAddr, time::Duration};

pub(crate) use seen::{Asked, Seen, SeenAnswer, Source};

use crate::{
    http::{Answer, Ask, Endpoint},
    stack::{Member, Stack, reachable},
};

/// How long a front may take to notice that a service is stopped.
const STOPPED: Duration = Duration::from_secs(2);

/// What kind of answer a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// `/`, or where it leads.
    FrontPage,
    /// A file of the front page whose name holds a digest of its content.
    HashedAsset,
    /// A file of the front page whose address changes with its content in another way (`app.css?v=3f2a`).
    VersionedFile,
    /// A script, style sheet or document of the front page with a fixed name.
    PlainFile,
    /// A picture, font or the like of the front page with a fixed name.
    Media,
    /// `robots.txt`, `favicon.ico`, the manifest: files that browsers ask for by themselves.
    WellKnown,
    /// A script that browsers keep by themselves and that decides what else they keep.
    ServiceWorker,
    /// A file that does not exist.
    MissingFile,
    /// The path that the health check of the front asks for.
    Health,
    /// A path of the application that only the browser knows.
    DeepLink,
    /// An answer of the application behind the front.
    Proxied,
    /// A path below the application's that does not exist.
    ProxiedMissing,
    /// Another method, a path or a body that the front refuses.
    Refused,
}

/// What a front is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nature {
    /// A single-page application: an almost empty page with scripts, which also answers deep links.
    Application,
    /// Pages that are made on the server.
    Site,
    /// No page at `/`.
    Api,
    /// It only sends visitors to another address.
    Redirect,
}

/// One answer.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) role: Role,
    /// `GET` unless said.
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) answer: Answer,
}

/// One published port of one container, and what it answers.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    /// The service, or where it has several containers or ports one of them.
    pub(crate) subject: String,
    pub(crate) service: String,
    /// The container.
    pub(crate) member: String,
    pub(crate) container: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) container_port: u16,
    pub(crate) nature: Nature,
    /// Published for this machine alone.
    pub(crate) local: bool,
    pub(crate) pages: Vec<Page>,
    /// Answers to requests in another form, of which the status alone is judged (`spa-routing`).
    pub(crate) odd: Vec<Page>,
    /// Why there is nothing to judge although there should be.
    pub(crate) broken: Option<String>,
}

/// Every front, and the ports that are none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fronts {
    pub(crate) all: Vec<Front>,
    /// `db: port 5432 speaks no HTTP`.
    pub(crate) others: Vec<String>,
}

impl Front {
    pub(crate) fn page(&self, role: Role) -> Option<&Page> {
        self.pages.iter().find(|page| page.role == role)
    }

    pub(crate) fn of(&self, role: Role) -> impl Iterator<Item = &Page> {
        self.pages.iter().filter(move |page| page.role == role)
    }

    /// True if visitors are to reach places inside the application by their address: it answers them already, or its
    /// scripts change the address while it runs (the History API).
    pub(crate) fn has_deep_links(&self) -> bool {
        let shown = self.page(Role::FrontPage).zip(self.page(Role::DeepLink)).is_some_and(|(first, deep)| {
            deep.answer.status == 200 && html::same_page(&deep.answer.body, &first.answer.body)
        });
        let scripts = self.pages.iter().filter(|page| {
            matches!(page.role, Role::FrontPage | Role::HashedAsset | Role::PlainFile | Role::VersionedFile)
        });
        let changes = |page: &Page| {
            let text = page.answer.text();
            text.contains("pushState") || text.contains("popstate")
        };
        self.nature == Nature::Application && (shown || scripts.into_iter().any(changes))
    }

    /// True if pages for people are served here.
    pub(crate) fn has_pages(&self) -> bool {
        matches!(self.nature, Nature::Application | Nature::Site)
    }

    /// What a claim about a page is about.
    pub(crate) fn about(&self, page: &Page) -> String {
        match page.method {
            "GET" => format!("{} {}", self.subject, page.path),
            method => format!("{} {method} {}", self.subject, page.path),
        }
    }

    /// The request that brought a page.
    pub(crate) fn source(&self, page: &Page) -> String {
        format!("{} {} at {}", page.method, page.path, self.endpoint.name())
    }
}

impl Fronts {
    /// The fronts with pages; without any, why.
    pub(crate) fn with_pages(&self) -> Result<Vec<&Front>, String> {
        let pages: Vec<&Front> =
            self.all.iter().filter(|front| front.has_pages() || front.broken.is_some()).collect();
        if pages.is_empty() { Err(self.why_none()) } else { Ok(pages) }
    }

    /// False for a port on a loopback address that serves no pages, beside one that does: it is for tools of this
    /// machine, and no browser of a visitor is led there. False for what only redirects.
    pub(crate) fn is_for_visitors(&self, front: &Front) -> bool {
        let pages = self.all.iter().any(|other| other.has_pages() && other.service != front.service);
        front.nature != Nature::Redirect && !(front.local && !front.has_pages() && pages)
    }

    /// True for a port that only redirects, beside one with TLS of the same container.
    pub(crate) fn leads_to_tls(&self, front: &Front) -> bool {
        let beside = |other: &Front| other.container == front.container && other.endpoint.has_tls();
        front.nature == Nature::Redirect && !front.endpoint.has_tls() && self.all.iter().any(beside)
    }

    fn why_none(&self) -> String {
        let mut why: Vec<String> = self
            .all
            .iter()
            .map(|front| match front.nature {
                Nature::Redirect => format!("{} only redirects", front.subject),
                _ => format!("{} has no page at /", front.subject),
            })
            .collect();
        why.extend(self.others.iter().cloned());
        if why.is_empty() { "no TCP port is published".to_owned() } else { why.join("; ") }
    }

    /// Where smoke checks and load go: the fronts of the service that `plimsoll.toml` names, else of the first with
    /// pages, else of the first. Every container of it.
    pub(crate) fn for_smoke(&self, named: Option<&str>) -> Vec<&Front> {
        let first = match named {
            Some(name) => {
                // Of a service the port that answers, not one that leads to it.
                let named = || self.all.iter().filter(|front| is_named(front, name));
                named().find(|front| front.nature != Nature::Redirect).or_else(|| named().next())
            }
            None => self
                .all
                .iter()
                .find(|front| front.has_pages())
                .or_else(|| self.all.iter().find(|front| front.nature == Nature::Api))
                .or_else(|| self.all.first()),
        };
        let Some(first) = first else { return Vec::new() };
        let port = first.container_port;
        self.all
            .iter()
            .filter(|front| front.service == first.service && front.container_port == port)
            .collect()
    }
}

/// `service` or `service:port in the container`.
fn is_named(front: &Front, name: &str) -> bool {
    match name.rsplit_once(':') {
        Some((service, port)) => {
            front.service == service && port.parse().is_ok_and(|port: u16| port == front.container_port)
        }
        None => front.service == name,
    }
}

/// Fetches the fronts.
pub(crate) async fn fronts<'s>(stack: &'s Stack<'_>) -> &'s Fronts {
    stack.fronts.get_or_init(|| fetch::fetch(stack)).await
}

/// Asks the fronts of other services for what a stopped service answers otherwise: their errors are answers too. Only
/// for the claims about answers; nothing is judged here.
pub(crate) async fn ask_while_stopped(stack: &Stack<'_>, stopped: &Member) {
    for front in fronts(stack).await.all.iter().filter(|front| front.service != stopped.service) {
        for page in front.of(Role::Proxied).take(2) {
            let answer = tokio::time::timeout(STOPPED, front.endpoint.send(&Ask::get(&page.path))).await;
            if let Ok(Ok(answer)) = answer {
                stack.seen.note(&front.subject, Source::Stopped, Asked::get(&page.path), &answer);
            }
        }
    }
}

/// One way to a port in a container.
#[derive(Clone, Debug)]
struct Way {
    container_port: u16,
    address: SocketAddr,
    local: bool,
}

/// Every published TCP port of a container, each port in the container once. Of a container that shares its published
/// port with others of its service the port is asked on its own address.
fn ways(stack: &Stack<'_>, member: &Member) -> Vec<Way> {
    let mut ways: Vec<Way> = Vec::new();
    for (container_port, protocol, address) in member.published() {
        let known = ways.iter().any(|way| way.container_port == container_port);
        if protocol == "tcp" && !known {
            ways.push(Way { container_port, address: reachable(address), local: address.ip().is_loopback() });
        }
    }
    let declared = stack.declared(member).map(|service| service.ports.as_slice()).unwrap_or_default();
    for port in declared.iter().filter(|port| port.protocol.as_deref().unwrap_or("tcp") == "tcp") {
        let Ok(container_port) = u16::try_from(port.target) else { continue };
        if ways.iter().any(|way| way.container_port == container_port) {
            continue;
        }
        // `published-ports` says that it is missing; what it serves is judged all the same.
        if let Some((_, ip)) = member.addresses().into_iter().next() {
            ways.push(Way { container_port, address: SocketAddr::new(ip, container_port), local: false });
        }
    }
    ways
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[test]
    fn a_port_that_leads_to_tls_is_told_from_other_redirects() {
        let (mut secure, mut plain) = (application(Vec::new()), application(Vec::new()));
        secure.endpoint = secure.endpoint.with_tls(None);
        plain.nature = Nature::Redirect;
        let mut fronts = Fronts { all: vec![secure, plain], others: Vec::new() };
        assert!(fronts.leads_to_tls(&fronts.all[1]) && !fronts.leads_to_tls(&fronts.all[0]));
        // Smoke checks go to the one that answers, whichever comes first in the file.
        fronts.all[1].container_port = 8080;
        fronts.all.reverse();
        let chosen = |name: &str| fronts.for_smoke(Some(name)).first().map(|front| front.container_port);
        assert_eq!((chosen("front"), chosen("front:8080"), chosen("back")), (Some(80), Some(8080), None));
        fronts.all.reverse();
        fronts.all[1].container = "e".repeat(64);
        assert!(!fronts.leads_to_tls(&fronts.all[1]));
        fronts.all[1].container = "f".repeat(64);
        fronts.all[1].nature = Nature::Site;
        assert!(!fronts.leads_to_tls(&fronts.all[1]));
    }

    pub(crate) fn page(role: Role, method: &'static str, path: &str, status: u16) -> Page {
        let answer = Answer { status, headers: hyper::HeaderMap::new(), body: b"<h1>page</h1>".to_vec() };
        Page { role, method, path: path.to_owned(), answer }
    }

    /// An application that has answered so.
    pub(crate) fn application(pages: Vec<Page>) -> Front {
        Front {
            subject: "front".to_owned(),
            service: "front".to_owned(),
            member: "front-1".to_owned(),
            container: "f".repeat(64),
            endpoint: Endpoint::Published(SocketAddr::from(([127, 0, 0, 1], 80))),
            container_port: 80,
            nature: Nature::Application,
            local: false,
            pages,
            odd: Vec::new(),
            broken: None,
        }
    }
}
