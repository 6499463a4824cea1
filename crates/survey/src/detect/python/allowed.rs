//! Names under which a program lets itself be asked: where these are a developer's alone, each request with a name of
//! production is answered with 400.

use super::{
    django::{Site, setting},
    project::Project,
};
use crate::{
    model::{Evidence, Fact, Gap, Service},
    python::Module,
    rules,
};

const NAME: &str = "ALLOWED_HOSTS";
const HINT: &str = "read the allowed hosts from the environment";

/// Says what Django's `ALLOWED_HOSTS` leave out where they are written more than once, or where lines behind them add some.
/// One list alone is looked at with the other settings.
pub(super) fn of_django(site: &Site, service: &Service, gaps: &mut Vec<Gap>) {
    let Some((module, lists)) = site.modules.iter().find_map(|module| {
        let lists: Vec<usize> =
            module.lines().filter(|&at| module.is(at, NAME)).filter_map(|at| module.assigned(at)).collect();
        (!lists.is_empty()).then_some((module, lists))
    }) else {
        return;
    };
    let named = module.lines().filter(|&at| module.is(at, NAME)).count();
    if named < 2 {
        return;
    }
    let Some(at) = lists.iter().copied().find(|&at| is_local_list(module, at)) else { return };
    let message = if lists.len() > 1 {
        "in one of the branches that set ALLOWED_HOSTS only local names are allowed: there, requests with another name are answered with 400"
    } else {
        "ALLOWED_HOSTS has only local names unless its environment adds one: without it, requests with another name are answered with 400"
    };
    add(module, at, message, service, gaps);
}

/// A name that Django answers to, where its one list leaves out localhost: health and smoke checks ask for that name.
pub(super) fn asked_name(site: &Site) -> Option<Fact<String>> {
    let (module, at) = setting(site, NAME).filter(|(module, at)| module.is(*at, "["))?;
    let close = module.close(at)?;
    let computed = (at + 1..close).any(|at| module.is_word(at));
    let written_again = module.lines().filter(|&at| module.is(at, NAME)).count() > 1;
    if computed || written_again {
        return None;
    }
    let hosts: Vec<String> = (at + 1..close).filter_map(|at| module.string(at)).collect();
    if hosts.iter().any(|host| matches!(host.trim_start_matches('.'), "*" | "localhost")) {
        return None;
    }
    // The machine's own name says nothing that changes with the place where the stack runs.
    let host = hosts.iter().find(|host| is_local(host)).or_else(|| hosts.first())?;
    let host = host.trim_start_matches('.').to_owned();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    if host.is_empty() || !host.bytes().all(plain) {
        return None;
    }
    let reason = "localhost is not among the allowed hosts, and this one is";
    Some(Fact::new(host, Evidence::new(&module.source, module.span(at - 2, at), reason)))
}

/// Says it of `TrustedHostMiddleware(allowed_hosts=["localhost"])`.
pub(super) fn of_middleware(project: &Project, service: &Service, gaps: &mut Vec<Gap>) {
    let found = project.modules.iter().find_map(|module| {
        let at = (0..module.tokens.len()).find(|&at| {
            module.is(at, "allowed_hosts")
                && module.is(at + 1, "=")
                && is_local_list(module, at + 2)
                && (at.saturating_sub(12)..at).any(|before| module.is(before, "TrustedHostMiddleware"))
        })?;
        Some((module, at + 2))
    });
    let Some((module, at)) = found else { return };
    let message =
        "only local names are among the allowed hosts: requests with another name are answered with 400";
    add(module, at, message, service, gaps);
}

fn add(module: &Module, at: usize, message: &str, service: &Service, gaps: &mut Vec<Gap>) {
    let evidence = Evidence::new(&module.source, module.span(at.saturating_sub(2), at), message);
    gaps.push(Gap {
        rule: rules::ALLOWED_HOSTS,
        subject: service.name.clone(),
        message: message.to_owned(),
        hint: HINT.to_owned(),
        evidence: vec![evidence],
    });
}

/// A list of texts, each a name of the machine itself; an empty one too.
fn is_local_list(module: &Module, at: usize) -> bool {
    let Some(close) = module.close(at).filter(|_| module.is(at, "[")) else { return false };
    let computed = (at + 1..close).any(|at| module.is_word(at));
    let mut hosts = (at + 1..close).filter_map(|at| module.string(at));
    !computed && hosts.all(|host| is_local(&host))
}

fn is_local(host: &str) -> bool {
    let host = host.trim_start_matches('.');
    host == "localhost"
        || host.ends_with(".localhost")
        || host.starts_with("127.")
        || matches!(host, "[::1]" | "::1" | "[::]" | "0.0.0.0" | "testserver" | "test")
}
