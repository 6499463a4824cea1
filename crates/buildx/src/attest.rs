//! `--provenance`, `--sbom` and `--attest`: what is stated about an image.

mod provenance;

use plimsoll_build::{BuildOutcome, BuildRequest};
use plimsoll_image::{
    Digest, Merged, Reference, Store,
    bundle::{Member, Statement},
    report::spdx,
};
use plimsoll_source::Failure;

use crate::values::{boolean, csv};

/// The predicate types of provenance.
const SLSA_1: &str = "https://slsa.dev/provenance/v1";
const SLSA_02: &str = "https://slsa.dev/provenance/v0.2";
/// The predicate type of a list of packages.
const SPDX: &str = "https://spdx.dev/Document";

/// What is stated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attest {
    provenance: Option<Provenance>,
    sbom: bool,
}

/// How much is told about the build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Provenance {
    /// Also build arguments, labels, steps and the Dockerfile: `mode=max`.
    max: bool,
    /// Who built it: `builder-id=`.
    builder: String,
    version: Slsa,
    /// The file's name beside files, where another is wanted: `filename=`.
    file: Option<String>,
    /// No file beside files: `inline-only=`.
    inline_only: bool,
}

/// Which version of SLSA provenance: `version=`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Slsa {
    /// BuildKit's default since 0.24.
    #[default]
    V1,
    V02,
}

impl Attest {
    /// Reads the three options; the second value holds lines that say what is done otherwise.
    pub fn parse(
        provenance: Option<&str>,
        sbom: Option<&str>,
        attest: &[String],
    ) -> Result<(Self, Vec<String>), Failure> {
        let mut parsed = Self::default();
        let mut notes = Vec::new();
        let mut seen = Vec::new();
        let short = |kind: &str, value: &str| match boolean(value) {
            Ok(on) => format!("type={kind},disabled={}", !on),
            Err(_) => format!("type={kind},{value}"),
        };
        let specs = attest.iter().cloned();
        let specs = specs.chain(provenance.map(|value| short("provenance", value)));
        for spec in specs.chain(sbom.map(|value| short("sbom", value))) {
            let kind = parsed.one(&spec, &mut notes).map_err(|why| {
                Failure::new(
                    format!("cannot attest `{spec}`: {why}"),
                    "write --provenance=true, --provenance=mode=max, --sbom=true, or leave them out",
                )
            })?;
            if seen.contains(&kind) {
                return Err(Failure::new(
                    format!("the attestation {kind} is asked for twice"),
                    "leave one of the options out",
                ));
            }
            seen.push(kind);
        }
        Ok((parsed, notes))
    }

    fn one(&mut self, spec: &str, notes: &mut Vec<String>) -> Result<String, String> {
        let (mut kind, mut on, mut own) = (None, true, Provenance::default());
        let mut unknown = Vec::new();
        for field in csv(spec)? {
            let (name, value) = field.split_once('=').ok_or_else(|| format!("`{field}` has no value"))?;
            match (name, value) {
                ("type", value) => kind = Some(value.to_owned()),
                ("disabled", value) => on = !boolean(value)?,
                ("mode", "min") => own.max = false,
                ("mode", "max") => own.max = true,
                ("mode", other) => return Err(format!("no mode is called {other}")),
                ("builder-id", id) => id.clone_into(&mut own.builder),
                ("version", "v1") => own.version = Slsa::V1,
                ("version", "v0.2") => own.version = Slsa::V02,
                ("version", other) => {
                    return Err(format!("version {other} of provenance is not written; v1 and v0.2 are"));
                }
                ("generator", _) => notes.push("note: packages are listed by plimsoll itself".to_owned()),
                ("inline-only", value) => own.inline_only = boolean(value)?,
                ("filename", value) => {
                    // as BuildKit, which takes the last part of a path
                    let name = std::path::Path::new(value).file_name().and_then(|name| name.to_str());
                    own.file = Some(name.ok_or_else(|| format!("`{value}` names no file"))?.to_owned());
                }
                ("reproducible", _) => {}
                (other, _) => unknown.push(other.to_owned()),
            }
        }
        if let Some(name) = unknown.first() {
            return Err(format!("the field {name} is not known"));
        }
        match kind.as_deref() {
            Some("provenance") => self.provenance = on.then_some(own),
            Some("sbom") => self.sbom = on,
            Some(other) => return Err(format!("there is no attestation {other}")),
            None => return Err("the type is missing".to_owned()),
        }
        Ok(kind.unwrap_or_default())
    }

    /// Nothing is stated.
    pub fn is_nothing(&self) -> bool {
        self.provenance.is_none() && !self.sbom
    }

    /// The file beside files that holds statements of this type; `None` where there is to be none.
    fn file(&self, predicate_type: &str) -> Option<&str> {
        match &self.provenance {
            _ if predicate_type == SPDX => Some("sbom.spdx.json"),
            Some(provenance) if provenance.inline_only => None,
            Some(Provenance { file: Some(file), .. }) => Some(file),
            _ => Some("provenance.json"),
        }
    }

    /// The statements about one image.
    pub fn statements(
        &self,
        store: &Store,
        request: &BuildRequest,
        no_cache_filter: &[String],
        outcome: &BuildOutcome,
    ) -> Result<Vec<Statement>, Failure> {
        let mut statements = Vec::new();
        if self.sbom {
            // a name that the store knows besides would make another document elsewhere
            let name =
                request.tags.first().map_or_else(|| outcome.record.id.to_string(), Reference::familiar);
            let predicate = spdx::of_image(store, &outcome.record, &name)?;
            statements.push(Statement { predicate_type: SPDX.to_owned(), predicate });
        }
        if let Some(provenance) = &self.provenance {
            let told = provenance::Told { store, request, no_cache_filter, outcome, asked: provenance };
            let predicate = told.predicate()?;
            let predicate_type = match provenance.version {
                Slsa::V1 => SLSA_1,
                Slsa::V02 => SLSA_02,
            };
            statements.push(Statement { predicate_type: predicate_type.to_owned(), predicate });
        }
        Ok(statements)
    }
}

/// The statements as files beside a root file system, about each of its files.
pub fn files(store: &Store, member: &Member, attest: &Attest) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let named = member.statements.iter();
    let named: Vec<_> = named.filter_map(|one| Some((attest.file(&one.predicate_type)?, one))).collect();
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let mut subjects = Vec::new();
    let merged = Merged::read(store, &member.record.layers)?;
    for file in merged.visible_files().into_iter().filter(|file| file.kind == "file") {
        let bytes = plimsoll_disk::open_regular(&file.host, plimsoll_disk::Links::Refuse)
            .and_then(Digest::of_reader)
            .map_err(|error| {
                let hint = "the store may be damaged: plimsoll image prune, and build again";
                Failure::new(format!("cannot read {}: {error}", file.host.display()), hint)
            })?;
        subjects.push((file.path, bytes.hex()));
    }
    let file = |(name, statement): (&str, &Statement)| {
        let about = subjects.iter().map(|(name, digest)| (name.clone(), digest.as_str()));
        let text = serde_json::to_vec_pretty(&statement.about(about))?;
        Ok((name.to_owned(), text))
    };
    named.into_iter().map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(provenance: Option<&str>, sbom: Option<&str>, attest: &[&str]) -> Result<Attest, String> {
        let attest: Vec<String> = attest.iter().map(|&spec| spec.to_owned()).collect();
        Attest::parse(provenance, sbom, &attest)
            .map(|(parsed, _)| parsed)
            .map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn what_buildx_takes_is_taken() {
        let provenance =
            |max| Attest { provenance: Some(Provenance { max, ..Provenance::default() }), sbom: false };
        let nothing = Attest::default();
        for (given, expected) in [
            ("true", provenance(false)),
            ("false", nothing.clone()),
            ("mode=min", provenance(false)),
            ("mode=max", provenance(true)),
            ("disabled=true", nothing.clone()),
            ("mode=max,version=v1,inline-only=false", provenance(true)),
        ] {
            assert_eq!(parse(Some(given), None, &[]), Ok(expected), "{given}");
        }
        let file = |given: &str| {
            let attest = parse(Some(given), Some("true"), &[]).unwrap();
            (attest.file(SLSA_1).map(str::to_owned), attest.file(SPDX).map(str::to_owned))
        };
        let packages = Some("sbom.spdx.json".to_owned());
        assert_eq!(file("mode=max"), (Some("provenance.json".to_owned()), packages.clone()));
        assert_eq!(file("filename=a/slsa.json"), (Some("slsa.json".to_owned()), packages.clone()));
        assert_eq!(file("inline-only=true"), (None, packages));
        let older = Provenance { version: Slsa::V02, ..Provenance::default() };
        let older = Attest { provenance: Some(older), sbom: false };
        assert_eq!(parse(Some("version=v0.2"), None, &[]), Ok(older));
        assert_eq!(parse(None, None, &["type=provenance,mode=max"]), Ok(provenance(true)));
        assert_eq!(parse(None, None, &["type=sbom,disabled=true"]), Ok(nothing));
        let both = Attest { sbom: true, ..provenance(false) };
        assert_eq!(parse(Some("true"), Some("generator=some/scanner"), &[]), Ok(both));
        assert_eq!(parse(None, None, &[]), Ok(Attest::default()), "nothing is stated unasked");
    }

    #[test]
    fn what_cannot_be_stated_is_refused() {
        for (provenance, attest, cause) in [
            (Some("foo"), "type=sbom", "`foo` has no value"),
            (Some("mode=all"), "type=sbom", "no mode is called all"),
            (Some("version=v2"), "type=sbom", "version v2"),
            (None, "type=other", "no attestation other"),
            (None, "mode=max", "type is missing"),
            (Some("true"), "type=provenance", "asked for twice"),
        ] {
            let error = parse(provenance, None, &[attest]).unwrap_err();
            assert!(error.contains(cause), "{error}");
        }
    }
}
