//! Files that tell a host of sites what it has to do besides handing pages out: redirects, headers, passwords. The front of
//! a stack does not read them, so that each is said.

use plimsoll_source::{Source, Span, json};

use crate::{
    context::{Context, join},
    model::{Evidence, Gap, Role, Service, Survey},
    rules, toml,
};

/// Folders below a site's own in which such files lie.
const FOLDERS: [&str; 7] = ["", "public", "static", "src", "www", "site", "html"];
/// At most so many lines of a file are read.
const MAX_LINES: usize = 2000;

/// What a file asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    Password,
    Redirects,
    Headers,
}

/// The name of a file, whose it is, and what reads it.
type Known = (&'static str, &'static str, fn(&Source) -> Vec<(Asks, Span)>);

const KNOWN: [Known; 9] = [
    ("Staticfile.auth", "Cloud Foundry's", |source| vec![(Asks::Password, source.line_span(1))]),
    (".htpasswd", "Apache's", |source| vec![(Asks::Password, source.line_span(1))]),
    (".htaccess", "Apache's", apache),
    ("_headers", "Netlify's and Cloudflare's", headers),
    ("_redirects", "Netlify's and Cloudflare's", redirects),
    ("netlify.toml", "Netlify's", netlify),
    ("vercel.json", "Vercel's", json_file),
    ("static.json", "Heroku's", json_file),
    ("firebase.json", "Firebase's", firebase),
];

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let sites = survey.services.iter().filter(|service| service.role == Role::Site);
    let found: Vec<Gap> = sites.flat_map(|site| of_site(context, site)).collect();
    survey.gaps.extend(found);
}

fn of_site(context: &Context<'_>, site: &Service) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for (name, whose, read) in KNOWN {
        let paths = FOLDERS.iter().map(|folder| join(&join(&site.path, folder), name));
        let Some(source) = paths.into_iter().find_map(|path| context.repository.source(&path)) else {
            continue;
        };
        for asks in [Asks::Password, Asks::Redirects, Asks::Headers] {
            let Some((_, span)) = read(&source).into_iter().find(|(what, _)| *what == asks) else { continue };
            gaps.push(gap(site, &source, span, asks, whose));
        }
    }
    gaps
}

fn gap(site: &Service, source: &Source, span: Span, asks: Asks, whose: &str) -> Gap {
    let (message, hint) = match asks {
        Asks::Password => (
            format!("{whose} file puts its pages behind a password: in the stack everybody can read them"),
            "write auth_basic into its nginx.conf, with the passwords as a secret, before it is published",
        ),
        Asks::Redirects => (
            format!("{whose} file has redirects and rewrites: the front does not have them"),
            "write them as locations into its nginx.conf; what you add is kept",
        ),
        Asks::Headers => (
            format!("{whose} file sets headers: the front sets its own"),
            "write the ones that are missing into its nginx.conf; what you add is kept",
        ),
    };
    Gap {
        rule: rules::HOSTING_SETTINGS,
        subject: site.name.clone(),
        message,
        hint: hint.to_owned(),
        evidence: vec![Evidence::new(source, span, "read by a host of sites")],
    }
}

/// Lines with their place, without comments.
fn lines(source: &Source) -> impl Iterator<Item = (&str, Span)> {
    let count = source.text().lines().count().min(MAX_LINES);
    (1..=count).map(|number| source.line_span(number)).filter_map(|span| {
        let line = source.slice(span).trim();
        (!line.is_empty() && !line.starts_with('#')).then_some((line, span))
    })
}

fn apache(source: &Source) -> Vec<(Asks, Span)> {
    lines(source)
        .filter_map(|(line, span)| {
            let word = line.split_whitespace().next()?.to_ascii_lowercase();
            let asks = match word.as_str() {
                "authtype" | "authuserfile" => Asks::Password,
                // The page of an application for every other path: the front does that.
                "rewriterule" if !line.contains("index.html") => Asks::Redirects,
                "redirect" | "redirectmatch" => Asks::Redirects,
                "header" => Asks::Headers,
                _ => return None,
            };
            Some((asks, span))
        })
        .collect()
}

fn headers(source: &Source) -> Vec<(Asks, Span)> {
    lines(source)
        .filter(|(line, _)| line.contains(':') && !line.starts_with('/') && !line.starts_with("http"))
        .map(|(line, span)| {
            let password = line.to_ascii_lowercase().starts_with("basic-auth:");
            (if password { Asks::Password } else { Asks::Headers }, span)
        })
        .collect()
}

fn redirects(source: &Source) -> Vec<(Asks, Span)> {
    let own = lines(source).filter(|(line, _)| {
        let words: Vec<&str> = line.split_whitespace().collect();
        !matches!(words[..], ["/*", "/index.html", ..] | ["/*", "/", "200"])
    });
    own.map(|(_, span)| (Asks::Redirects, span)).collect()
}

fn netlify(source: &Source) -> Vec<(Asks, Span)> {
    let Ok(value) = toml::parse(source) else { return Vec::new() };
    let rules = |key: &str| value.at(&[key]).map(toml::Value::items).unwrap_or_default().iter();
    let leads_to_the_page =
        |rule: &toml::Value| rule.at(&["to"]).and_then(toml::Value::str).is_some_and(is_page);
    let redirects = rules("redirects").filter(|rule| !leads_to_the_page(rule));
    redirects
        .map(|rule| (Asks::Redirects, rule.span))
        .chain(rules("headers").map(|rule| (Asks::Headers, rule.span)))
        .collect()
}

/// Where the front leads by itself what is no file.
fn is_page(target: &str) -> bool {
    matches!(target, "/" | "/index.html" | "index.html")
}

/// `vercel.json` and Heroku's `static.json`.
fn json_file(source: &Source) -> Vec<(Asks, Span)> {
    let Ok(value) = json::parse(source) else { return Vec::new() };
    let mut found = Vec::new();
    for (key, asks) in [
        ("basic_auth", Asks::Password),
        ("redirects", Asks::Redirects),
        ("rewrites", Asks::Redirects),
        ("routes", Asks::Redirects),
        ("proxies", Asks::Redirects),
        ("headers", Asks::Headers),
    ] {
        let Some(member) = value.get(key) else { continue };
        let part = &member.value;
        let flag = key == "basic_auth" && source.slice(part.span) != "false";
        // Rules are a list, or an object by path.
        let rules = part.items().iter().chain(part.members().iter().map(|rule| &rule.value));
        if flag || rules.into_iter().any(|rule| key == "redirects" || !leads_to_the_page(rule)) {
            found.push((asks, part.span));
        }
    }
    found
}

fn leads_to_the_page(rule: &json::Value) -> bool {
    let target = ["destination", "dest"].into_iter().find_map(|key| rule.get(key)?.value.str());
    target.or(rule.str()).is_some_and(is_page)
}

fn firebase(source: &Source) -> Vec<(Asks, Span)> {
    let Ok(value) = json::parse(source) else { return Vec::new() };
    let Some(hosting) = value.get("hosting") else { return Vec::new() };
    [("redirects", Asks::Redirects), ("headers", Asks::Headers)]
        .into_iter()
        .filter_map(|(key, asks)| Some((asks, hosting.value.get(key)?.value.span)))
        .collect()
}
