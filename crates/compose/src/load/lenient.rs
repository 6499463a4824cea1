//! Loading for an auditor: a fault costs the smallest thing that it stands in, and the rest is loaded.
//!
//! There is one loader. When it stops at faults, the entries that they stand in are left out (in the tree of their file,
//! or as blanks in a text that is no YAML), and it begins again. So what is loaded at the end is what the strict loader
//! says of the files without those entries, and each fault is reported with its place.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_source::{Diagnostic, Source, Span};

use super::load_without;
use crate::{
    model::Project,
    options::{LoadOptions, ReadFiles},
    read,
    value::{Kind, Place, Value},
};

/// Times that a load begins again. Each of them reports all faults of one stage.
const ROUNDS: usize = 200;
/// Findings that are kept: a reader of more has stopped long before.
const MAX_FINDINGS: usize = 1000;

/// What became of a tolerant load.
#[derive(Debug, Default)]
pub struct Lenient {
    /// The project without what the findings are about. `None` where nothing could be loaded.
    pub project: Option<Project>,
    /// Every fault, in the order in which the loader met them. What was left out may be missed by others: such a finding
    /// comes after its cause.
    pub findings: Vec<Diagnostic>,
}

/// Loads what can be loaded. Of files that [`load`](super::load) takes, the same project without a finding.
pub fn load_lenient(options: &LoadOptions, fs: &dyn ReadFiles) -> Lenient {
    let mut options = options.clone();
    let mut cuts = Cuts::default();
    let mut findings = Vec::new();
    for _ in 0..ROUNDS {
        let faults = match load_without(&options, fs, &cuts) {
            Ok(project) => return Lenient { project: Some(project), findings },
            Err(faults) => faults,
        };
        let mut progress = false;
        let mut places = BTreeSet::new();
        for fault in faults {
            progress |= cuts.leave_out(&fault, &mut places);
            let fault = cuts.in_original(fault);
            if findings.len() < MAX_FINDINGS && !findings.contains(&fault) {
                findings.push(fault);
            }
        }
        if !progress && !relax(&mut options) {
            break;
        }
    }
    Lenient { project: None, findings }
}

/// Leaves out a stage that reads what has no place in a Compose file. False when all are left out.
fn relax(options: &mut LoadOptions) -> bool {
    let stages = [&mut options.resolve_environment, &mut options.check_consistency, &mut options.validate];
    let on = stages.into_iter().find(|stage| **stage);
    on.map(|stage| *stage = false).is_some()
}

/// What is left out of files, by the name of the file.
#[derive(Debug, Default)]
pub(crate) struct Cuts {
    files: BTreeMap<String, OfFile>,
}

#[derive(Debug, Default)]
struct OfFile {
    /// The file as it is, where `text` stands for it.
    original: Option<Source>,
    /// Its text with blanks for what is no YAML.
    blanked: Option<Source>,
    /// Places of faults, and how far above them is cut.
    places: Vec<(Span, usize)>,
}

impl Cuts {
    /// The documents of a file without what is left out.
    pub(crate) fn documents(&self, source: &Source) -> Result<Vec<Value>, Diagnostic> {
        let Some(of) = self.files.get(source.name()) else { return read::documents(source) };
        let mut documents = read::documents(of.blanked.as_ref().unwrap_or(source))?;
        for (span, above) in &of.places {
            for document in &mut documents {
                cut(document, *span, *above);
            }
        }
        Ok(documents)
    }

    /// Leaves out what a fault stands in; `places` are those of this round, where an anchor has a fault in each use.
    /// False if there is nothing more of it.
    fn leave_out(&mut self, fault: &Diagnostic, places: &mut BTreeSet<(String, Span)>) -> bool {
        fault.labels.iter().any(|label| {
            if !places.insert((label.source.name().to_owned(), label.span)) {
                return true;
            }
            let of = self.files.entry(label.source.name().to_owned()).or_default();
            if read::documents(&label.source).is_err() {
                return of.blank(&label.source, label.span);
            }
            match of.places.iter_mut().find(|(span, _)| *span == label.span) {
                None => of.places.push((label.span, 0)),
                // what was cut did not help: the whole that it is part of
                Some((_, above)) if *above < 6 => *above += 1,
                Some(_) => return false,
            }
            true
        })
    }

    /// A fault of a text with blanks, shown in the text that a person has.
    fn in_original(&self, mut fault: Diagnostic) -> Diagnostic {
        for label in &mut fault.labels {
            let of = self.files.get(label.source.name());
            if let Some(original) = of.and_then(|of| of.original.as_ref()) {
                label.source = original.clone();
            }
        }
        fault
    }
}

impl OfFile {
    /// Puts blanks in the place of the line of a fault and of what is nested in it; where the line is blank already, of
    /// the line before. Every other byte stays where it is.
    fn blank(&mut self, source: &Source, span: Span) -> bool {
        let mut text = source.text().as_bytes().to_vec();
        let is_blank = |line: &[u8]| line.iter().all(u8::is_ascii_whitespace);
        let mut number = source.line_col(span.start).line;
        let lines = source.line_col(source.text().len()).line;
        while number > 1 && is_blank(&text[range(source, number)]) {
            number -= 1;
        }
        let indent = |line: &[u8]| line.iter().take_while(|byte| **byte == b' ').count();
        let own = indent(&text[range(source, number)]);
        // how deep a tab goes nobody knows
        let tab = text[range(source, number)].get(own) == Some(&b'\t');
        let mut changed = false;
        for line in number..=lines {
            let bytes = &mut text[range(source, line)];
            if line > number && !is_blank(bytes) && (tab || indent(bytes) <= own) {
                break;
            }
            changed |= !is_blank(bytes);
            bytes.fill(b' ');
        }
        let Ok(text) = String::from_utf8(text) else { return false };
        self.original.get_or_insert_with(|| source.clone());
        self.blanked = Some(Source::new(source.name(), text));
        changed
    }
}

/// The bytes of a line without its end.
fn range(source: &Source, line: usize) -> std::ops::Range<usize> {
    let span = source.line_span(line);
    span.start..span.end.max(span.start)
}

/// What a search for a place found in a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    /// It stands in this, and what is cut is so many levels above.
    Above(usize),
    Cut,
}

/// Takes out every deepest entry that a place stands in, or the entry so many levels above it. An alias has its place
/// where the anchor is, so that one place may be in several branches.
fn cut(value: &mut Value, span: Span, above: usize) -> Found {
    let mut found = Found::Nothing;
    let mut goes = |inner: &mut Value| {
        let of = match cut(inner, span, above) {
            Found::Nothing if inner.origin.place().is_some_and(|place| holds(place, span)) => {
                Found::Above(above)
            }
            of => of,
        };
        match of {
            Found::Above(0) => found = Found::Cut,
            Found::Above(left) => found = Found::Above(left - 1),
            Found::Cut if found == Found::Nothing => found = Found::Cut,
            Found::Cut | Found::Nothing => {}
        }
        of == Found::Above(0)
    };
    match &mut value.kind {
        Kind::Map(map) => map.retain(|_, inner| !goes(inner)),
        Kind::List(items) => items.retain_mut(|inner| !goes(inner)),
        _ => {}
    }
    found
}

/// Whether a place stands in an entry: in its key, its value, or between them.
fn holds(place: &Place, span: Span) -> bool {
    let start = place.key.map_or(place.span.start, |key| key.start.min(place.span.start));
    let end = place.key.map_or(place.span.end, |key| key.end.max(place.span.end));
    start <= span.start && span.start.max(span.end) <= end.max(start + 1)
}
