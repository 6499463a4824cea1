//! The version of Node.js: every place that names one, and the newest supported release that all of them accept.

use super::versions::Range;
use crate::{
    context::{Context, join},
    manifest::Manifest,
    model::{Confidence, Evidence, Fact, Gap, Question},
    rules,
};

/// Major versions that get security fixes, the newest first.
const SUPPORTED: [u32; 3] = [24, 22, 20];

/// One place that names versions.
struct Named {
    text: String,
    range: Option<Range>,
    evidence: Evidence,
}

/// What the files of an install say, and the choice.
pub(super) struct Runtime {
    pub(super) written: Option<Fact<String>>,
    pub(super) chosen: Option<Fact<String>>,
    pub(super) gap: Option<Gap>,
    /// No supported version fits: the nearest one is taken where nobody answers.
    pub(super) question: Option<Question>,
}

/// The version for an install in `folder` with these manifests.
pub(super) fn choose(context: &Context<'_>, folder: &str, manifests: &[&Manifest]) -> Runtime {
    let mut named: Vec<Named> = manifests.iter().flat_map(|manifest| in_manifest(manifest)).collect();
    named.extend(in_version_files(context, folder));
    let mut gaps = named.iter().filter(|named| named.range.is_none());
    let unread = gaps.next().map(|named| Gap {
        rule: rules::RUNTIME_VERSION,
        subject: "the repository".to_owned(),
        message: format!("`{}` is no version of Node.js", named.text),
        hint: "write a range as npm reads it, such as >=22".to_owned(),
        evidence: vec![named.evidence.clone()],
    });
    let all = named.iter().filter_map(|named| named.range.as_ref());
    let range = all.fold(Range::any(), |range, next| range.and(next));
    let evidence: Vec<Evidence> = named.iter().map(|named| named.evidence.clone()).collect();
    let fitting = SUPPORTED.iter().find(|major| range.accepts_major(**major)).copied();
    let chosen = fitting.unwrap_or_else(|| nearest(&named));
    let mut texts: Vec<&str> = Vec::new();
    for named in &named {
        if !texts.contains(&named.text.as_str()) {
            texts.push(&named.text);
        }
    }
    let question = fitting.is_none().then(|| Question {
        id: format!("{}.node", if folder.is_empty() { "root" } else { folder }),
        text: format!(
            "{} is asked for, and no release of Node.js that still gets security fixes fits. Which one runs it?",
            texts.join(" and ")
        ),
        options: SUPPORTED.map(|major| major.to_string()).to_vec(),
        default: Some(chosen.to_string()),
        confidence: Confidence::Open,
        evidence: evidence.clone(),
    });
    Runtime {
        written: (!named.is_empty()).then(|| Fact { value: texts.join(" and "), evidence: evidence.clone() }),
        chosen: Some(Fact {
            value: chosen.to_string(),
            evidence: if evidence.is_empty() { default_evidence(manifests) } else { evidence.clone() },
        }),
        gap: unread,
        question,
    }
}

/// Where nothing fits all: the supported version that most places accept, else the one that is nearest to them.
fn nearest(named: &[Named]) -> u32 {
    let ranges = || named.iter().filter_map(|named| named.range.as_ref());
    let votes = |major: u32| ranges().filter(|range| range.accepts_major(major)).count();
    // Of equal ones the newest; `max_by_key` takes the last.
    let most =
        SUPPORTED.iter().rev().copied().max_by_key(|major| votes(*major)).filter(|major| votes(*major) > 0);
    let newest = SUPPORTED[0];
    let oldest = SUPPORTED[SUPPORTED.len() - 1];
    let above = || ranges().any(|range| (newest + 1..newest + 200).any(|major| range.accepts_major(major)));
    most.unwrap_or_else(|| if above() { newest } else { oldest })
}

fn default_evidence(manifests: &[&Manifest]) -> Vec<Evidence> {
    let file = manifests.first().map_or("package.json", |manifest| manifest.source.name());
    vec![Evidence::file(file, "no file names a version of Node.js: the newest one with long-term support")]
}

fn in_manifest(manifest: &Manifest) -> Vec<Named> {
    let places: [(&[&str], &str); 3] = [
        (&["engines", "node"], "the versions of Node.js that the project runs on"),
        (&["volta", "node"], "the version of Node.js that Volta installs"),
        (&["devEngines", "runtime", "version"], "the version of Node.js for development"),
    ];
    let is_node =
        manifest.string(&["devEngines", "runtime", "name"], "").is_none_or(|name| name.value == "node");
    places
        .into_iter()
        .filter(|(keys, _)| keys[0] != "devEngines" || is_node)
        .filter_map(|(keys, reason)| {
            let fact = manifest.string(keys, reason)?;
            let evidence = fact.evidence.into_iter().next()?;
            Some(Named { range: range(&fact.value, keys[0] == "volta"), text: fact.value, evidence })
        })
        .collect()
}

/// The nearest version file at the folder or above it.
fn in_version_files(context: &Context<'_>, folder: &str) -> Option<Named> {
    let mut folder = folder;
    loop {
        let found = [".nvmrc", ".node-version", ".tool-versions"].iter().find_map(|file| {
            let source = context.repository.source(&join(folder, file))?;
            let (line, text) = source.text().lines().enumerate().find_map(|(at, line)| {
                let line = line.split('#').next().unwrap_or_default().trim();
                let version = if *file == ".tool-versions" {
                    line.strip_prefix("nodejs ")
                        .or_else(|| line.strip_prefix("node "))?
                        .split_whitespace()
                        .next()?
                } else {
                    line
                };
                (!version.is_empty()).then(|| (at + 1, version.to_owned()))
            })?;
            let evidence = Evidence::new(&source, source.line_span(line), "the version of Node.js to use");
            let text = text.trim_start_matches('v').to_owned();
            Some(Named { range: range(&text, true), text, evidence })
        });
        if found.is_some() || folder.is_empty() {
            return found;
        }
        folder = folder.rsplit_once('/').map_or("", |(above, _)| above);
    }
}

/// Names of long-term releases, as nvm and Volta take them.
const NAMES: [(&str, u32); 5] =
    [("hydrogen", 18), ("iron", 20), ("jod", 22), ("krypton", 24), ("gallium", 16)];

/// A range; an exact version that a version file pins stands for its major version, since images have their own.
fn range(text: &str, pinned: bool) -> Option<Range> {
    let lower = text.trim().to_lowercase();
    if matches!(lower.as_str(), "node" | "latest" | "current" | "stable" | "lts" | "lts/*" | "system") {
        return Some(Range::any());
    }
    if let Some(name) = lower.strip_prefix("lts/") {
        let (_, major) = NAMES.iter().find(|(known, _)| *known == name)?;
        return Some(Range::major(*major));
    }
    let exact = lower.trim_start_matches(['v', '=']).split('.').collect::<Vec<_>>();
    if (pinned || exact.len() == 3) && exact.iter().all(|part| part.parse::<u32>().is_ok()) {
        return Some(Range::major(exact.first()?.parse().ok()?));
    }
    Range::parse(&lower)
}
