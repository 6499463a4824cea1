//! Which stores a component uses, by the values that its variables have in development: an address, or a host that is one
//! of the stores that the compose file starts.

use crate::{
    detect::stores::names::{PARTS, is_word_of, scheme},
    model::{Address, AddressForm, Evidence, Fact, Part, StoreKind, StoreUse, is_this_machine},
};

/// A variable as development sets it.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) name: String,
    /// Its text; references without a default stay in it. Nothing where the host's is passed on.
    pub(super) value: Option<String>,
    pub(super) evidence: Evidence,
}

/// What the variables say.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) uses: Vec<StoreUse>,
    pub(super) forms: Vec<AddressForm>,
    /// Variables that name a store in a form that is not known.
    pub(super) unknown: Vec<(Given, StoreKind)>,
}

const KINDS: [StoreKind; 5] =
    [StoreKind::Postgresql, StoreKind::Mysql, StoreKind::Redis, StoreKind::Rabbitmq, StoreKind::Mongodb];

/// The parts of `SCHEME://LOGIN@HOST:PORT/PATH`.
struct Url<'a> {
    /// With `jdbc:` and what else stands before it.
    scheme: &'a str,
    host: &'a str,
    /// From its `/` or `?` on.
    suffix: &'a str,
}

/// Finds the stores. `started` are those of the development compose file.
pub(super) fn of(variables: &[Given], started: &[(String, StoreKind)]) -> Found {
    let mut found = Found::default();
    for given in variables {
        let Some(value) = given.value.as_deref() else { continue };
        if let Some(url) = url(value) {
            whole(given, &url, variables, started, &mut found);
        } else if let Some((part, prefix, kind)) = host(given, value, started) {
            let mut parts = vec![(part, fact(given))];
            parts.extend(beside(variables, prefix, &given.name));
            found.uses.push(used(kind, given, parts));
        } else if let Some(kind) = names_one(value, started) {
            found.unknown.push((given.clone(), kind));
        }
    }
    found
}

/// The variables that an address is made of.
pub(super) fn names(uses: &[StoreUse]) -> impl Iterator<Item = &str> {
    uses.iter().filter_map(|used| used.address.as_ref()).flat_map(|address| match address {
        Address::Url { variable, .. } => vec![variable.value.as_str()],
        Address::Parts { variables, .. } => {
            variables.iter().map(|(_, variable)| variable.value.as_str()).collect()
        }
        Address::Fixed { .. } => Vec::new(),
    })
}

/// The text without a user and a password in front of its host.
pub(super) fn without_login(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else { return value.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    format!("{scheme}://{host}{path}")
}

/// Whether a text holds a password by its form, whatever its variable is called.
pub(super) fn holds_password(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let named = ["password=", "passwd=", "pwd=", "pass="].iter().any(|word| lower.contains(word));
    let login = value.split_once("://").is_some_and(|(_, rest)| {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        rest[..end].contains('@')
    });
    named || login || (value.contains('@') && value.contains(':') && value.contains("tcp("))
}

fn url(value: &str) -> Option<Url<'_>> {
    let (scheme, rest) = value.split_once("://")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-.:".contains(c);
    if scheme.is_empty() || !scheme.chars().all(plain) {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, suffix) = rest.split_at(end);
    let place = authority.rsplit('@').next().unwrap_or(authority);
    let host = place.rsplit_once(':').map_or(place, |(host, _)| host);
    (!host.contains([',', ':', '$', '{'])).then_some(Url { scheme, host, suffix })
}

/// A variable with a whole address.
fn whole(
    given: &Given,
    url: &Url<'_>,
    variables: &[Given],
    started: &[(String, StoreKind)],
    found: &mut Found,
) {
    let jdbc = url.scheme.strip_prefix("jdbc:");
    let bare = jdbc.unwrap_or(url.scheme);
    // Pages and interfaces of stores have other ports.
    if matches!(bare, "http" | "https" | "ws" | "wss") {
        return;
    }
    let dev = started.iter().find(|(name, _)| name == url.host).map(|(_, kind)| *kind);
    let by_scheme = scheme(&format!("{bare}:"));
    let Some(kind) = by_scheme.as_ref().map(|(kind, _)| *kind).or(dev) else { return };
    // A file of its own, or a server outside of the stack.
    let inside = dev.is_some() || is_this_machine(url.host) || !url.host.contains('.');
    if kind == StoreKind::Sqlite || !inside {
        return;
    }
    let suffix = Some(url.suffix.to_owned()).filter(|suffix| !suffix.is_empty() && !suffix.contains('$'));
    if jdbc.is_some() {
        if holds_password(url.suffix) {
            found.unknown.push((given.clone(), kind));
            return;
        }
        let prefix = ["_URL", "_URI"].iter().find_map(|end| given.name.strip_suffix(end)).unwrap_or("");
        let mut parts = vec![(Part::Authority, fact(given))];
        parts.extend(beside(variables, prefix, &given.name));
        found.forms.push(AddressForm {
            variable: given.name.clone(),
            before: format!("{}://", url.scheme),
            suffix: Some(suffix.unwrap_or_default()),
        });
        found.uses.push(used(kind, given, parts));
        return;
    }
    // The scheme as it is written, but for encryption, which no store of a stack has.
    let written = match url.scheme {
        "rediss" | "amqps" => None,
        other => Some(other.to_owned()),
    };
    let address = Address::Url { variable: fact(given), scheme: written, suffix, file_variant: false };
    found.uses.push(StoreUse {
        kind,
        store: String::new(),
        address: Some(address),
        evidence: vec![given.evidence.clone()],
    });
}

/// Which part of an address a variable holds, by its value and its name: the host, alone or with its port; with the prefix
/// of the other parts' names and the kind of the store.
fn host<'a>(
    given: &'a Given,
    value: &str,
    started: &[(String, StoreKind)],
) -> Option<(Part, &'a str, StoreKind)> {
    let (bare, port) = match value.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => (host, true),
        Some(_) => return None,
        None => (value, false),
    };
    let (_, words) = PARTS[0];
    let prefix = words
        .iter()
        .chain(&["ADDR"])
        .filter_map(|word| given.name.strip_suffix(word))
        .min_by_key(|prefix| prefix.len());
    let started = started.iter().find(|(name, _)| name == bare).map(|(_, kind)| *kind);
    let by_name = || {
        let prefix = prefix?;
        let last = prefix.trim_end_matches('_').rsplit('_').next()?;
        KINDS.into_iter().find(|kind| is_word_of(*kind, last) && is_this_machine(bare))
    };
    let kind = started.filter(|_| port || prefix.is_some()).or_else(by_name)?;
    let part = if port { Part::Authority } else { Part::Host };
    Some((part, prefix.unwrap_or_default(), kind))
}

/// The other parts under a prefix: `DB_USER` beside `DB_HOST`, `PGUSER` beside `PGHOST`.
fn beside(variables: &[Given], prefix: &str, but: &str) -> Vec<(Part, Fact<String>)> {
    let prefix = prefix.trim_end_matches('_');
    if prefix.is_empty() {
        return Vec::new();
    }
    let mut parts = Vec::new();
    for (part, words) in PARTS.iter().filter(|(part, _)| *part != Part::Host) {
        let named = |given: &&Given| {
            given.name != but
                && words.iter().any(|word| {
                    given.name == format!("{prefix}_{word}") || given.name == format!("{prefix}{word}")
                })
        };
        parts.extend(variables.iter().find(named).map(|given| (*part, fact(given))));
    }
    parts
}

/// The store of the development file that a text names beside other words: `host=db user=app`, `app:x@tcp(db:3306)/app`.
fn names_one(value: &str, started: &[(String, StoreKind)]) -> Option<StoreKind> {
    let mut words =
        value.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))).take(200);
    let several = value.contains(['=', '@', ';', ' ']);
    if !several || !holds_password(value) {
        return None;
    }
    words.find_map(|word| started.iter().find(|(name, _)| name == word).map(|(_, kind)| *kind))
}

fn fact(given: &Given) -> Fact<String> {
    Fact::new(given.name.clone(), given.evidence.clone())
}

fn used(kind: StoreKind, given: &Given, variables: Vec<(Part, Fact<String>)>) -> StoreUse {
    let address = Address::Parts { variables, file_variants: Vec::new(), written: Vec::new() };
    StoreUse { kind, store: String::new(), address: Some(address), evidence: vec![given.evidence.clone()] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(values: &[(&str, &str)]) -> Found {
        let given: Vec<Given> = values
            .iter()
            .map(|(name, value)| Given {
                name: (*name).to_owned(),
                value: Some((*value).to_owned()),
                evidence: Evidence::file("compose.yml", "x"),
            })
            .collect();
        let started = [("db".to_owned(), StoreKind::Postgresql), ("cache".to_owned(), StoreKind::Redis)];
        of(&given, &started)
    }

    #[test]
    fn whole_addresses_keep_their_scheme_and_their_query() {
        let found = found(&[
            ("DATABASE_URL", "postgres://app:${PW}@db:5432/app?sslmode=disable"),
            ("ECTO", "ecto://app:x@db/app"),
            ("BILLING", "postgres://u:p@billing.example.com/x"),
            ("API", "http://db:8080/x"),
            ("FILE", "sqlite:///data/x.db"),
        ]);
        let of: Vec<(StoreKind, Option<&str>, Option<&str>)> = found
            .uses
            .iter()
            .map(|used| match &used.address {
                Some(Address::Url { scheme, suffix, .. }) => {
                    (used.kind, scheme.as_deref(), suffix.as_deref())
                }
                other => panic!("{other:?}"),
            })
            .collect();
        let pg = StoreKind::Postgresql;
        assert_eq!(
            of,
            [(pg, Some("postgres"), Some("/app?sslmode=disable")), (pg, Some("ecto"), Some("/app"))]
        );
    }

    #[test]
    fn parts_are_found_by_the_host_that_they_have() {
        let found = found(&[
            ("PGHOST", "db"),
            ("PGUSER", "app"),
            ("PGPASSWORD", "x"),
            ("QUEUE_ADDR", "cache:6379"),
            ("QUEUE_PASSWORD", "x"),
            ("SPRING_DATASOURCE_URL", "jdbc:postgresql://db:5432/shop?ssl=false"),
            ("SPRING_DATASOURCE_USERNAME", "app"),
            ("SMTP_HOST", "mail"),
        ]);
        let of: Vec<Vec<(Part, &str)>> = found
            .uses
            .iter()
            .map(|used| match &used.address {
                Some(Address::Parts { variables, .. }) => {
                    variables.iter().map(|(part, variable)| (*part, variable.value.as_str())).collect()
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            of,
            [
                vec![(Part::Host, "PGHOST"), (Part::User, "PGUSER"), (Part::Password, "PGPASSWORD")],
                vec![(Part::Authority, "QUEUE_ADDR"), (Part::Password, "QUEUE_PASSWORD")],
                vec![(Part::Authority, "SPRING_DATASOURCE_URL"), (Part::User, "SPRING_DATASOURCE_USERNAME")],
            ]
        );
        assert_eq!(found.forms[0].before, "jdbc:postgresql://");
        assert_eq!(found.forms[0].suffix.as_deref(), Some("/shop?ssl=false"));
    }

    #[test]
    fn other_forms_are_said_and_passwords_are_never_kept() {
        let found = found(&[
            ("DSN", "host=db user=app password=x dbname=app"),
            ("MYSQL_DSN", "app:x@tcp(db:3306)/app"),
            ("GREETING", "db is down"),
        ]);
        let unknown: Vec<&str> = found.unknown.iter().map(|(given, _)| given.name.as_str()).collect();
        assert_eq!(unknown, ["DSN", "MYSQL_DSN"]);
        assert_eq!(without_login("postgres://a:b@db:5432/x?y=1"), "postgres://db:5432/x?y=1");
        assert!(holds_password("smtp://a:b@mail:25") && !holds_password("http://a/?b=c@d"));
    }
}
