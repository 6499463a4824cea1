//! Addresses that a program puts together from variables: `f"postgresql://{user}:{password}@{host}:{port}/{name}"`, and the
//! parts of one as arguments or as a dictionary.

use std::rc::Rc;

use super::{
    project::Project,
    uses::{prefixes, scheme},
};
use crate::{
    model::{Address, Evidence, Fact, Part, Service, StoreKind},
    python::{Kind, Module},
};

/// Tokens from one to before another.
pub(super) type Range = (usize, usize);

/// The parts of one address, by their tokens.
struct Candidate {
    scheme: Option<StoreKind>,
    parts: Vec<(Part, Range)>,
}

/// Names of arguments and keys for each part.
const NAMES: [(Part, &[&str]); 5] = [
    (Part::Host, &["host", "hostname"]),
    (Part::Port, &["port"]),
    (Part::User, &["user", "username"]),
    (Part::Password, &["password", "passwd"]),
    (Part::Database, &["database", "dbname", "db", "name", "path"]),
];

const MAX_CANDIDATES: usize = 50;
const MAX_DEPTH: usize = 4;

/// The variables of a kind's address that the program puts together.
pub(super) fn find(project: &Project, service: &Service, kind: StoreKind) -> Option<Address> {
    let modules =
        project.modules.iter().filter(|module| !super::environment::is_for_development(module.source.name()));
    let mut left = MAX_CANDIDATES;
    for module in modules {
        for at in 0..module.tokens.len() {
            let Some(candidate) = formatted(module, at).or_else(|| named(module, at)) else { continue };
            if left == 0 {
                return None;
            }
            left -= 1;
            if let Some(address) = address(project, service, module, &candidate, kind) {
                return Some(address);
            }
        }
    }
    None
}

fn address(
    project: &Project,
    service: &Service,
    module: &Module,
    candidate: &Candidate,
    kind: StoreKind,
) -> Option<Address> {
    let mut variables: Vec<(Part, Fact<String>)> = Vec::new();
    let mut file_variants = Vec::new();
    for (part, range) in &candidate.parts {
        let Some(name) = variable(project, service, module, *range, 0) else { continue };
        let known = service.environment.iter().find(|variable| variable.name == name)?;
        if variables.iter().any(|(_, other)| other.value == name) {
            continue;
        }
        file_variants.extend(known.file_variant.then(|| name.clone()));
        variables.push((*part, Fact { value: name, evidence: known.evidence.clone() }));
    }
    let (_, host) = variables.iter().find(|(part, _)| *part == Part::Host)?;
    let written = written(module, candidate, &variables);
    let by_name = prefixes(kind)
        .iter()
        .any(|prefix| host.value.starts_with(prefix) || host.value.split('_').any(|word| word == *prefix));
    let fits = candidate.scheme.map_or(by_name, |scheme| scheme == kind);
    (fits && (variables.len() > 1 || !written.is_empty())).then_some(Address::Parts {
        variables,
        file_variants,
        written,
    })
}

/// Parts of an address that are plain texts: nothing but them is taken.
fn written(
    module: &Module,
    candidate: &Candidate,
    known: &[(Part, Fact<String>)],
) -> Vec<(Part, Fact<String>)> {
    let parts = candidate.parts.iter().filter(|(part, _)| known.iter().all(|(other, _)| other != part));
    let texts = parts.filter_map(|(part, (from, to))| {
        let text = module.string(*from).filter(|text| *to == from + 1 && !text.is_empty())?;
        let evidence = Evidence::new(&module.source, module.span(*from, *from), "it stands in the program");
        Some((*part, Fact::new(text, evidence)))
    });
    texts.collect()
}

/// A format string, or neighbours of them, in the shape of an address.
fn formatted(module: &Module, at: usize) -> Option<Candidate> {
    // The neighbours that stand before it have been looked at together with it.
    let behind = at > 0
        && !module.tokens[at].first
        && matches!(module.kind(at - 1), Some(Kind::Format | Kind::String));
    if behind {
        return None;
    }
    let mut text = String::new();
    let mut fields: Vec<Range> = Vec::new();
    let mut next = at;
    while matches!(module.kind(next), Some(Kind::Format | Kind::String)) && next < at + 100 {
        if next > at && module.tokens[next].first {
            break;
        }
        if module.kind(next) == Some(Kind::String) {
            text.push_str(&single(module, next));
            next += 1;
        } else {
            next = piece(module, next, &mut text, &mut fields);
        }
    }
    if fields.is_empty() && text.contains('{') && module.is(next, ".") && module.is(next + 1, "format") {
        (text, fields) = called(module, next + 2, &text)?;
    }
    if !text.contains('@') || fields.len() < 2 {
        return None;
    }
    split(&text, &fields)
}

/// One string without its quotes.
fn single(module: &Module, at: usize) -> String {
    let text = module.text(at);
    let text = text.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    text.trim_matches(['"', '\'']).to_owned()
}

/// Stands for the field of this number.
fn mark(number: usize) -> char {
    u32::try_from(number)
        .ok()
        .and_then(|number| char::from_u32(0xe000 + number.min(0x800)))
        .unwrap_or('\u{e000}')
}

fn number(mark: char) -> Option<usize> {
    (0xe000..=0xe800).contains(&u32::from(mark)).then(|| u32::from(mark) as usize - 0xe000)
}

/// The text of a format string with a mark for each field; gives the token behind it.
fn piece(module: &Module, at: usize, text: &mut String, fields: &mut Vec<Range>) -> usize {
    let token = module.tokens[at];
    let end = (at + 1..module.tokens.len())
        .find(|&next| module.tokens[next].span.start >= token.span.end)
        .unwrap_or(module.tokens.len());
    let written = module.text(at);
    let inner = written.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let (mut depth, mut open) = (0_usize, 0);
    let first = written.len() - inner.len();
    for (offset, c) in written.char_indices().filter(|(offset, _)| *offset >= first) {
        match c {
            '{' => {
                if depth == 0 {
                    open = token.span.start + offset;
                }
                depth += 1;
            }
            '}' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    let close = token.span.start + offset;
                    let inside = |next: &usize| {
                        module.tokens[*next].span.start > open && module.tokens[*next].span.end <= close
                    };
                    let from = (at + 1..end).find(inside).unwrap_or(end);
                    let to = (from..end).find(|next| !inside(next)).unwrap_or(end);
                    text.push(mark(fields.len()));
                    fields.push((from, to));
                }
            }
            '"' | '\'' if depth == 0 => {}
            c if depth == 0 => text.push(c),
            _ => {}
        }
    }
    end
}

/// `"…{user}…".format(user=…)`: its text with marks, and the arguments.
fn called(module: &Module, open: usize, text: &str) -> Option<(String, Vec<Range>)> {
    let mut out = String::new();
    let mut fields = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, behind) = after.split_once('}')?;
        let argument = match name.parse::<usize>() {
            Ok(at) => module.arguments(open).get(at).copied(),
            Err(_) if name.is_empty() => module.arguments(open).get(fields.len()).copied(),
            Err(_) => module.keyword(open, name),
        }?;
        out.push_str(before);
        out.push(mark(fields.len()));
        fields.push((argument.at, argument.end));
        rest = behind;
    }
    out.push_str(rest);
    Some((out, fields))
}

/// `user:password@host:port/name`, with or without a scheme in front.
fn split(text: &str, fields: &[Range]) -> Option<Candidate> {
    let (scheme_text, rest) = text.split_once("://").unwrap_or(("", text));
    let (login, place) = rest.rsplit_once('@')?;
    let (user, password) = login.split_once(':').map_or((login, ""), |(user, password)| (user, password));
    let (host, name) = place.split_once('/').map_or((place, ""), |(host, name)| (host, name));
    let (host, port) = host.split_once(':').map_or((host, ""), |(host, port)| (host, port));
    let field = |text: &str| {
        let mut marks = text.chars().filter_map(number);
        marks.next().filter(|_| marks.next().is_none()).and_then(|number| fields.get(number)).copied()
    };
    let texts = [
        (Part::Host, host),
        (Part::Port, port),
        (Part::User, user),
        (Part::Password, password),
        (Part::Database, name),
    ];
    let parts: Vec<(Part, Range)> =
        texts.into_iter().filter_map(|(part, text)| Some((part, field(text)?))).collect();
    let scheme = scheme(&format!("{scheme_text}:")).map(|(kind, _)| kind);
    parts.iter().any(|(part, _)| *part == Part::Host).then_some(Candidate { scheme, parts })
}

/// `connect(host=…, user=…, password=…)` and `{"HOST": …, "PASSWORD": …}`.
fn named(module: &Module, at: usize) -> Option<Candidate> {
    let close = module.close(at)?;
    let mut parts: Vec<(Part, Range)> = Vec::new();
    let mut kind = None;
    let mut add = |name: &str, range: Range| {
        let name = name.to_lowercase();
        let part = NAMES.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(part, _)| *part);
        if let Some(part) = part.filter(|part| parts.iter().all(|(known, _)| known != part)) {
            parts.push((part, range));
        }
        if matches!(name.as_str(), "engine" | "scheme" | "drivername") {
            kind = module.string(range.0).and_then(|text| {
                let last = text.rsplit('.').next().unwrap_or(&text).to_owned();
                scheme(&format!("{}:", last.split('_').next().unwrap_or(&last))).map(|(kind, _)| kind)
            });
        }
    };
    if module.is(at, "(") && at > 0 && module.is_word(at - 1) {
        for argument in module.arguments(at) {
            if let Some(name) = argument.name {
                add(name, (argument.at, argument.end));
            }
        }
    } else if module.is(at, "{") {
        let mut next = at + 1;
        while next < close {
            if module.kind(next) == Some(Kind::String)
                && module.is(next + 1, ":")
                && let Some(name) = module.string(next)
            {
                add(&name, (next + 2, super::paths::value_end(module, next + 2)));
            }
            next = module.close(next).unwrap_or(next) + 1;
        }
    }
    let has = |wanted: Part| parts.iter().any(|(part, _)| *part == wanted);
    (has(Part::Host) && (has(Part::User) || has(Part::Password))).then_some(Candidate { scheme: kind, parts })
}

/// The variable that the tokens of a part come from.
pub(super) fn variable(
    project: &Project,
    service: &Service,
    module: &Module,
    (from, to): Range,
    depth: usize,
) -> Option<String> {
    if depth > MAX_DEPTH {
        return None;
    }
    let known = |name: &str| service.environment.iter().find(|variable| variable.name == name);
    let read = (from..to).filter_map(|at| module.string(at)).find(|text| known(text).is_some());
    if read.is_some() {
        return read;
    }
    (from..to).filter(|&at| module.is_word(at)).find_map(|at| {
        let name = module.text(at);
        let upper = name.to_uppercase();
        if at > 0 && module.is(at - 1, ".") {
            if known(&upper).is_some() {
                return Some(upper);
            }
            // A class of settings may put a prefix in front of the names of its fields.
            let end = format!("_{upper}");
            let mut ends = service.environment.iter().filter(|variable| variable.name.ends_with(&end));
            return ends.next().filter(|_| ends.next().is_none()).map(|variable| variable.name.clone());
        }
        let here = assigned(module, name, from);
        let imported = || {
            let import = module.imports.get(name).filter(|import| import.name.is_some())?;
            let path = format!("{}{}", ".".repeat(import.level), import.module);
            let target: &Rc<Module> = project.find(module, &path)?;
            let wanted = import.name.as_deref()?;
            assigned(target, wanted, usize::MAX)
                .into_iter()
                .find_map(|range| variable(project, service, target, range, depth + 1))
        };
        here.into_iter()
            .find_map(|range| variable(project, service, module, range, depth + 1))
            .or_else(imported)
            .or_else(|| known(&upper).map(|_| upper.clone()))
    })
}

/// The values that a name is given in a module, but for the one that this is about.
fn assigned(module: &Module, name: &str, apart: usize) -> Vec<Range> {
    let lines = module.lines().filter(|&line| module.is(line, name));
    let values = lines.filter_map(|line| module.assigned(line)).map(|value| (value, module.line_end(value)));
    values.filter(|(from, to)| !(*from..*to).contains(&apart)).take(10).collect()
}
