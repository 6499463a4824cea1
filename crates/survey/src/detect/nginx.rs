//! Which requests belong to which service, as nginx files of the repository have it:
//! `location /api/ { proxy_pass http://backend:8000; }`.

use std::collections::BTreeMap;

use plimsoll_source::{Source, Span};

use crate::{
    context::{Context, has_extension},
    detect::{compose_file, platform::is_apart},
    model::{Edge, Evidence, Role, Survey},
};

const MAX_TOKENS: usize = 50_000;

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let built: BTreeMap<String, String> = compose_file::read(context)
        .ok()
        .flatten()
        .into_iter()
        .flat_map(|file| file.services)
        .filter_map(|service| Some((service.name, service.build?)))
        .collect();
    let files: Vec<String> = context
        .repository
        .files()
        .filter(|path| {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            let named = name.contains("nginx") || folder.split('/').any(|part| part.contains("nginx"));
            named && !is_apart(folder) && (has_extension(name, "conf") || name.ends_with(".conf.template"))
        })
        .take(30)
        .map(str::to_owned)
        .collect();
    for path in files {
        let Some(source) = context.repository.source(&path) else { continue };
        for passed in locations(&source) {
            let Some(to) = target(survey, &built, &passed) else { continue };
            let known = survey.edges.iter().any(|edge| edge.to == to && edge.prefix == passed.prefix);
            if !known {
                let evidence = vec![Evidence::new(
                    &source,
                    passed.span,
                    "the team's own front passes these requests on",
                )];
                survey.edges.push(Edge {
                    from: None,
                    to,
                    prefix: passed.prefix,
                    strip: passed.strip,
                    evidence,
                });
            }
        }
    }
}

/// For the fuzz targets.
#[cfg(fuzzing)]
pub fn words(source: &Source) -> Vec<(Span, String)> {
    tokens(source)
}

/// A location that passes requests on.
struct Passed {
    prefix: String,
    strip: bool,
    host: String,
    port: Option<u16>,
    span: Span,
}

/// The service that an upstream means: by name, by the development file's name for its folder, or by its port.
fn target(survey: &Survey, built: &BTreeMap<String, String>, passed: &Passed) -> Option<String> {
    let servers = || survey.services.iter().filter(|service| service.role == Role::Server);
    let by_name = servers().find(|service| service.name == passed.host);
    let by_folder = || {
        let folder = built.get(&passed.host)?;
        let mut inside = servers().filter(|service| service.path == *folder);
        inside.next().filter(|_| inside.next().is_none())
    };
    let by_port = || {
        let mut fitting = servers().filter(|service| {
            passed.port.is_some() && service.port.as_ref().map(|port| port.value) == passed.port
        });
        fitting.next().filter(|_| fitting.next().is_none())
    };
    by_name.or_else(by_folder).or_else(by_port).map(|service| service.name.clone())
}

/// Words, braces and semicolons of an nginx file.
fn tokens(source: &Source) -> Vec<(Span, String)> {
    let text = source.text();
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() && tokens.len() < MAX_TOKENS {
        let start = at;
        match bytes[at] {
            byte if byte.is_ascii_whitespace() => at += 1,
            b'#' => at += text[at..].find('\n').unwrap_or(text.len() - at),
            b'{' | b'}' | b';' => {
                at += 1;
                tokens.push((Span::new(start, at), text[start..at].to_owned()));
            }
            quote @ (b'"' | b'\'') => {
                let (word, end) = quoted(text, at + 1, char::from(quote));
                tokens.push((Span::new(start, end), word));
                at = (end + 1).min(text.len());
            }
            _ => {
                let end = text[at..]
                    .find(|c: char| c.is_ascii_whitespace() || matches!(c, '{' | '}' | ';'))
                    .map_or(text.len(), |length| at + length);
                // `${VARIABLE}` is one word.
                let end = if text[..end].ends_with('$') {
                    text[end..].find('}').map_or(end.max(at + 1), |length| end + length + 1)
                } else {
                    end
                };
                tokens.push((Span::new(start, end), text[start..end].to_owned()));
                at = end.max(at + 1);
            }
        }
    }
    tokens
}

/// A word in quotes as nginx reads it, and where its closing quote is: a backslash is gone before a quote or another
/// backslash, and makes a tab, a carriage return or a line break of `t`, `r` and `n`.
fn quoted(text: &str, from: usize, quote: char) -> (String, usize) {
    let mut word = String::new();
    let mut chars = text[from..].char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return (word, from + at),
            '\\' => match chars.next() {
                Some((_, c @ ('"' | '\'' | '\\'))) => word.push(c),
                Some((_, 't')) => word.push('\t'),
                Some((_, 'r')) => word.push('\r'),
                Some((_, 'n')) => word.push('\n'),
                Some((_, c)) => word.extend(['\\', c]),
                None => word.push('\\'),
            },
            c => word.push(c),
        }
    }
    (word, text.len())
}

fn locations(source: &Source) -> Vec<Passed> {
    let tokens = tokens(source);
    let upstreams = upstreams(&tokens);
    let mut found = Vec::new();
    let mut open: Vec<(usize, String)> = Vec::new();
    let mut depth = 0_usize;
    for (at, (span, text)) in tokens.iter().enumerate() {
        match text.as_str() {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                open.retain(|(inside, _)| *inside <= depth);
            }
            "location" => {
                if let Some(prefix) = prefix(&tokens, at) {
                    open.push((depth + 1, prefix));
                }
            }
            "proxy_pass" => {
                let (Some((_, prefix)), Some((end, address))) = (open.last(), tokens.get(at + 1)) else {
                    continue;
                };
                found.extend(passed(prefix, address, span.to(*end), &upstreams));
            }
            _ => {}
        }
    }
    found
}

/// The path of a location without a regular expression.
fn prefix(tokens: &[(Span, String)], at: usize) -> Option<String> {
    let word = |at: usize| tokens.get(at).map_or("", |(_, text)| text.as_str());
    let path = match word(at + 1) {
        "=" | "^~" => word(at + 2),
        "~" | "~*" => return None,
        path => path,
    };
    path.starts_with('/').then(|| path.to_owned())
}

/// `upstream api { server backend:8000; }`: names for one server.
fn upstreams(tokens: &[(Span, String)]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (at, (_, text)) in tokens.iter().enumerate() {
        if text == "upstream" {
            let server = tokens[at..].iter().take(20).position(|(_, text)| text == "server");
            if let (Some((_, name)), Some((_, address))) =
                (tokens.get(at + 1), server.and_then(|server| tokens.get(at + server + 1)))
            {
                found.insert(name.clone(), address.clone());
            }
        }
    }
    found
}

fn passed(prefix: &str, address: &str, span: Span, upstreams: &BTreeMap<String, String>) -> Option<Passed> {
    let rest = address.strip_prefix("http://").or_else(|| address.strip_prefix("https://"))?;
    let (authority, path) =
        rest.split_once('/').map_or((rest, None), |(authority, path)| (authority, Some(path)));
    let authority = upstreams.get(authority).map_or(authority, String::as_str);
    let (host, port) =
        authority.split_once(':').map_or((authority, None), |(host, port)| (host, port.parse().ok()));
    if host.contains('$') {
        return None;
    }
    // With a path behind it, nginx replaces the location's prefix by that path. Only `/` takes it away.
    let strip = match path {
        None => false,
        Some("") => prefix != "/",
        Some(path) => {
            if format!("/{path}").trim_end_matches('/') != prefix.trim_end_matches('/') {
                return None;
            }
            false
        }
    };
    let prefix = if prefix == "/" { prefix } else { prefix.trim_end_matches('/') };
    Some(Passed { prefix: prefix.to_owned(), strip, host: host.to_owned(), port, span })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_quotes_are_read_as_nginx_reads_them() {
        let text = r#"add_header A "a \" { b \\" 'c\'d' "\.e\t" "open"#;
        let source = Source::new("nginx.conf", text);
        let words: Vec<String> = tokens(&source).into_iter().map(|(_, word)| word).collect();
        assert_eq!(words, ["add_header", "A", "a \" { b \\", "c'd", "\\.e\t", "open"]);
        assert!(tokens(&Source::new("nginx.conf", "\"a\\")).iter().all(|(span, _)| span.end <= 3));
    }
}
