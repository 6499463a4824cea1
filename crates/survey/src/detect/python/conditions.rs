//! What a program compares a variable with: `os.getenv("DB") == "postgres"`, `MODE in ("prod", "production")`, and names
//! that were given such a value before.

use super::{environment::Read, project::Project};
use crate::python::{Kind, Module};

/// Names are followed to their values so many times.
const MAX_STEPS: usize = 4;
const MAX_TOKENS: usize = 200;

/// A comparison, or a variable alone.
pub(super) struct Condition<'a> {
    pub(super) read: &'a Read,
    /// The texts on its other side; none where the variable alone decides.
    pub(super) texts: Vec<String>,
    /// It holds where the variable has none of the texts.
    pub(super) negated: bool,
}

/// The one condition in the tokens from `from` to `to`; nothing where several are joined.
pub(super) fn in_range<'a>(
    project: &Project,
    reads: &'a [Read],
    module: &Module,
    (from, to): (usize, usize),
) -> Option<Condition<'a>> {
    step(project, reads, module, (from, to), MAX_STEPS)
}

fn step<'a>(
    project: &Project,
    reads: &'a [Read],
    module: &Module,
    (from, to): (usize, usize),
    left: usize,
) -> Option<Condition<'a>> {
    let to = to.min(from + MAX_TOKENS).min(module.tokens.len());
    if left == 0 || from >= to || (from..to).any(|at| matches!(module.text(at), "and" | "if" | "else")) {
        return None;
    }
    let sign = (from..to).find(|&at| matches!(module.text(at), "==" | "!=" | "in" | "is"));
    let Some(sign) = sign else {
        let read = read_in(reads, module, (from, to));
        if let Some(read) = read {
            let negated = module.is(from, "not");
            return Some(Condition { read, texts: Vec::new(), negated });
        }
        return followed(project, reads, module, (from, to), left);
    };
    let texts: Vec<String> = (sign + 1..to)
        .filter(|&at| module.kind(at) == Some(Kind::String))
        .filter_map(|at| module.string(at))
        .collect();
    if texts.is_empty() || texts.len() > 20 {
        return None;
    }
    let read = read_in(reads, module, (from, sign))
        .or_else(|| followed(project, reads, module, (from, sign), left).map(|found| found.read))?;
    let negated = module.is(sign, "!=") || (sign > from && module.is(sign - 1, "not"));
    Some(Condition { read, texts, negated })
}

/// The read that stands in a range of tokens.
pub(super) fn read_in<'a>(
    reads: &'a [Read],
    module: &Module,
    (from, to): (usize, usize),
) -> Option<&'a Read> {
    let last = to.checked_sub(1)?;
    let (start, end) = (module.tokens.get(from)?.span.start, module.tokens.get(last)?.span.end);
    let within = |read: &&Read| {
        let place = &read.evidence;
        place.file == module.source.name() && place.start >= start && place.start < end
    };
    reads.iter().find(within)
}

/// A name's own value: `DB_TYPE`, `settings.DB_TYPE`, also behind `.lower()`.
fn followed<'a>(
    project: &Project,
    reads: &'a [Read],
    module: &Module,
    (from, to): (usize, usize),
    left: usize,
) -> Option<Condition<'a>> {
    let at =
        (from..to).find(|&at| module.is_word(at) && !matches!(module.text(at), "not" | "str" | "bool"))?;
    let (name, _) = module.dotted(at)?;
    let parts: Vec<&str> = name.split('.').collect();
    // A field of a class of settings is the variable with its name.
    if let [_, field, ..] = parts[..] {
        let wanted = field.to_uppercase();
        let read = reads.iter().find(|read| read.name == wanted)?;
        return Some(Condition { read, texts: Vec::new(), negated: false });
    }
    let own = parts.first()?;
    let of = |module: &Module| {
        module.lines().filter(|&at| module.is(at, own)).find_map(|at| {
            let value = module.assigned(at)?;
            (value != from).then(|| step(project, reads, module, (value, module.line_end(at)), left - 1))?
        })
    };
    of(module).or_else(|| {
        let import = module.imports.get(*own)?;
        let path = format!("{}{}", ".".repeat(import.level), import.module);
        let other = project.find(module, &path).filter(|_| import.name.as_deref() == Some(*own))?;
        of(other)
    })
}
