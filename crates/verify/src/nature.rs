//! What a service is: a store, or a client of one. Decided by its image, its ports and what the others use it for, never
//! by whether it is published or where its networks lead: that is what claims are about.

use std::fs;

use plimsoll_compose::{Project, Service};
use plimsoll_facts as facts;

use crate::{
    procfs::Transport,
    stack::{Member, Stack},
    stores,
};

/// A secret or config that is larger is not searched for names.
const LIMIT: u64 = 1 << 20;

/// Why a service is a store; `None` if it is none. Beside what [`stores::is_store`] knows: what it listens on, and how
/// others address it.
pub(crate) fn store(stack: &Stack<'_>, member: &Member) -> Option<String> {
    if let Some(why) = stores::is_store(stack, member) {
        return Some(why);
    }
    // In the network of others everybody's sockets are there.
    let pid = stack.visible_pid(member).ok().filter(|_| !shares_network(member));
    let listening = pid.and_then(|pid| stack.procfs.sockets(pid, Transport::Tcp).ok()).unwrap_or_default();
    if let Some((address, _)) =
        listening.iter().find(|(address, _)| facts::store_of_port(address.port()).is_some())
    {
        return Some(format!("it listens on {}", address.port()));
    }
    named_by_scheme(stack.project, &member.service)
        .map(|scheme| format!("others address it with {scheme}://"))
}

fn shares_network(member: &Member) -> bool {
    let mode = member.text("/HostConfig/NetworkMode");
    mode == "host" || mode.starts_with("container:")
}

/// The scheme of an address in somebody's environment that names the service as its host.
fn named_by_scheme(project: &Project, name: &str) -> Option<String> {
    let mut values = project.services.values().flat_map(|service| service.environment.values().flatten());
    values.find_map(|value| scheme_of(value, name))
}

/// The scheme of a store's address with this host, with or without a driver behind `+`.
fn scheme_of(value: &str, host: &str) -> Option<String> {
    let (scheme, rest) = value.split_once("://")?;
    (facts::store_of_scheme(scheme).is_some() && host_of(rest) == host).then(|| scheme.to_owned())
}

/// The host of `user:password@host:port/path`.
fn host_of(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let host = authority.rsplit('@').next().unwrap_or("");
    host.split([':', ',']).next().unwrap_or("")
}

/// Why a service is a client of a store; `None` if the file says nothing of the two.
pub(crate) fn client(project: &Project, service: &Service, store: &str) -> Option<String> {
    if service.depends_on.contains_key(store) {
        return Some("depends_on".to_owned());
    }
    let names = names(project, store);
    let named = |text: &str| names.iter().any(|name| has_word(text, name));
    if service.links.iter().any(|link| link.split(':').next() == Some(store)) {
        return Some("links".to_owned());
    }
    if let Some((key, _)) = service.environment.iter().find(|(_, value)| value.as_deref().is_some_and(named))
    {
        return Some(format!("environment {key}"));
    }
    let words = service.command.iter().chain(&service.entrypoint).flatten();
    if words.into_iter().any(|word| named(word)) {
        return Some("command".to_owned());
    }
    let secrets = service.secrets.iter().filter_map(|file| project.secrets.get(file.source.as_deref()?));
    let configs = service.configs.iter().filter_map(|file| project.configs.get(file.source.as_deref()?));
    let files = secrets
        .filter_map(|secret| secret.file.as_ref())
        .chain(configs.filter_map(|config| config.file.as_ref()));
    for file in files {
        let path = project.working_dir.join(file);
        let small = fs::metadata(&path).is_ok_and(|meta| meta.is_file() && meta.len() <= LIMIT);
        if small && fs::read_to_string(&path).is_ok_and(|text| named(&text)) {
            return Some(format!("file {file}"));
        }
    }
    None
}

/// What a service is called by others.
fn names(project: &Project, name: &str) -> Vec<String> {
    let mut names = vec![name.to_owned()];
    if let Some(service) = project.services.get(name) {
        names.extend(service.container_name.clone());
        names.extend(service.hostname.clone());
        let networks = service.networks.values().flatten();
        names.extend(networks.flat_map(|network| network.aliases.clone()));
    }
    names
}

/// True if the name stands in the text as a host does: by itself, after `@` or `/`, before `:`.
fn has_word(text: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty()
        && text.match_indices(name).any(|(at, _)| {
            let (before, after) = (&text[..at], &text[at + name.len()..]);
            // `redis://` is a scheme, not a host.
            !before.ends_with(part) && !after.starts_with(part) && !after.starts_with("://")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_stores() {
        for (value, scheme) in [
            ("postgres://u:p@db:5432/x", Some("postgres")),
            ("postgresql+psycopg://u:p@db/x", Some("postgresql+psycopg")),
            ("mongodb+srv://db/x", Some("mongodb+srv")),
            ("valkey://db", Some("valkey")),
            ("https://db/x", None),
            ("postgres://other/x", None),
            ("db", None),
        ] {
            assert_eq!(scheme_of(value, "db").as_deref(), scheme, "{value}");
        }
    }

    #[test]
    fn hosts_in_text() {
        assert_eq!(host_of("app:p%40ss@db:5432/shop?x=1"), "db");
        assert_eq!(host_of("cache"), "cache");
        assert!(has_word("postgres://u:p@db:5432/x", "db"));
        assert!(has_word("db", "db") && has_word("upstream x { server db:80; }", "db"));
        assert!(
            !has_word("redis://cache:6379", "redis")
                && !has_word("my-db", "db")
                && !has_word("db.example", "db")
        );
    }
}
