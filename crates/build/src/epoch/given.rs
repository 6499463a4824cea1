//! `SOURCE_DATE_EPOCH` as it was given: a number, `context`, or the name of a stage or of a named context.
//!
//! As in BuildKit's frontend: a build argument wins over the default of a global `ARG`; a word stands for the time of a
//! source, and stages see the number. An empty value is none. A value that cannot be read never means "not given".

use std::{collections::BTreeMap, io::Read as _};

use plimsoll_dockerfile::{Add, Dockerfile, GlobalArgs, Instruction, Stage, expand};
use plimsoll_image::ArchiveReader;
use plimsoll_source::Diagnostic;

use crate::{
    error::BuildError,
    remote::{GitUrl, HttpFile, RemoteError, Remotes},
    request::{BuildRequest, NamedContext},
    unpack,
};

/// An archive is read no further for its newest entry, in bytes without compression.
const MAX_UNPACKED: u64 = 64 << 30;

/// The argument's name.
pub(crate) const NAME: &str = "SOURCE_DATE_EPOCH";

/// What was given, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    /// Seconds since 1970; `None` for an empty value and for a source without a time.
    pub(crate) seconds: Option<i64>,
    /// It is a build argument, not the default of a global ARG.
    pub(crate) by_argument: bool,
}

impl Given {
    /// The value that stages see.
    pub(crate) fn text(&self) -> String {
        self.seconds.map(|seconds| seconds.to_string()).unwrap_or_default()
    }
}

/// Resolves the value; `None` when there is none.
///
/// # Errors
/// When the value is neither a number nor one of the words, or its source cannot be fetched.
pub(crate) fn given(
    request: &BuildRequest,
    file: &Dockerfile,
    globals: &GlobalArgs,
    remotes: &Remotes,
) -> Result<Option<Given>, BuildError> {
    let argument = request.build_args.iter().rev().find(|(name, _)| name == NAME);
    let value = match argument {
        Some((_, value)) => value.as_str(),
        None => match globals.get(NAME) {
            Some(value) => value,
            None => return Ok(None),
        },
    };
    let seconds =
        Words { request, file, globals, remotes, by_argument: argument.is_some() }.seconds(value)?;
    Ok(Some(Given { seconds, by_argument: argument.is_some() }))
}

struct Words<'a> {
    request: &'a BuildRequest,
    file: &'a Dockerfile,
    globals: &'a GlobalArgs,
    remotes: &'a Remotes,
    by_argument: bool,
}

/// The time of a source; some have none.
struct Time(Option<i64>);

impl Words<'_> {
    fn seconds(&self, value: &str) -> Result<Option<i64>, BuildError> {
        if value.is_empty() {
            return Ok(None);
        }
        if let Ok(seconds) = value.parse::<i64>() {
            return match jiff::Timestamp::from_second(seconds) {
                Ok(_) => Ok(Some(seconds)),
                Err(_) => Err(self.invalid(value).into()),
            };
        }
        if value == "context" {
            return Ok(self.request.context_time);
        }
        if let Some(time) = self.named_context(value)? {
            return Ok(time.0);
        }
        let lower = value.to_lowercase();
        let named = |stage: &&Stage| stage.name.as_ref().is_some_and(|name| name.text == lower);
        match self.file.stages.iter().find(named) {
            Some(stage) => self.of_stage(stage),
            None => Err(self.invalid(value).into()),
        }
    }

    /// A folder, a layout or an image has no time of its own.
    fn named_context(&self, value: &str) -> Result<Option<Time>, BuildError> {
        let named = |(name, _): &&(String, NamedContext)| name.eq_ignore_ascii_case(value);
        let Some((_, context)) = self.request.contexts.iter().find(named) else { return Ok(None) };
        let NamedContext::Lazy(later) = context else { return Ok(Some(Time(None))) };
        let arrived = later.get().map_err(|error| Diagnostic::error(error.message))?;
        Ok(Some(Time(arrived.time)))
    }

    fn invalid(&self, value: &str) -> Diagnostic {
        let problem = Diagnostic::error(format!("invalid SOURCE_DATE_EPOCH: {value}")).hint(
            "give seconds since 1970 (`git log -1 --format=%ct` and `date +%s` print them), `context`, or the name of a \
             stage or of a named context",
        );
        if self.by_argument {
            return problem;
        }
        let mut definitions = self.file.meta_args.iter().flat_map(|statement| &statement.value.definitions);
        match definitions.rfind(|definition| definition.name.text == NAME) {
            Some(found) => problem.label(&self.file.source, found.name.span, ""),
            None => problem,
        }
    }

    /// The time of the one address that a stage from scratch adds.
    fn of_stage(&self, stage: &Stage) -> Result<Option<i64>, BuildError> {
        let refuse = |why: &str, span| {
            Diagnostic::error(format!("SOURCE_DATE_EPOCH names a stage that {why}"))
                .label(&self.file.source, span, "")
                .hint("such a stage is FROM scratch and one ADD of an http or git address")
        };
        let mut env: BTreeMap<String, String> = self
            .globals
            .iter()
            .filter(|(name, _)| *name != NAME)
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        if self.expanded(&stage.from.text, &env, stage.from.span)? != "scratch" {
            return Err(refuse("is not FROM scratch", stage.from.span).into());
        }
        let mut source = None;
        for statement in &stage.instructions {
            match &statement.value {
                Instruction::Arg(arg) => {
                    for definition in &arg.definitions {
                        let name = &definition.name.text;
                        let given = self.request.build_args.iter().rev().find(|(given, _)| given == name);
                        let value = match (given, &definition.value) {
                            (Some((_, value)), _) => value.clone(),
                            (None, Some(value)) => self.expanded(&value.text, &env, value.span)?,
                            (None, None) => continue,
                        };
                        env.insert(name.clone(), value);
                    }
                }
                Instruction::Add(add) if source.is_none() => {
                    let time = self.of_add(add, &env)?;
                    source = Some(time.ok_or_else(|| refuse("adds no single address", statement.span))?);
                }
                _ => return Err(refuse("does something else", statement.span).into()),
            }
        }
        match source {
            Some(Time(time)) => Ok(time),
            None => Err(refuse("adds nothing", stage.span).into()),
        }
    }

    /// `None` when it adds anything but one address.
    fn of_add(&self, add: &Add, env: &BTreeMap<String, String>) -> Result<Option<Time>, BuildError> {
        let ([source], []) = (add.transfer.sources.as_slice(), add.transfer.files.as_slice()) else {
            return Ok(None);
        };
        let address = self.expanded(&source.text, env, source.span)?;
        let checksum = match &add.checksum {
            Some(word) => Some(self.expanded(&word.text, env, word.span)?),
            None => None,
        };
        let failed = |error: RemoteError| {
            Diagnostic::error(error.to_string()).label(&self.file.source, source.span, "")
        };
        if let Some(git) = GitUrl::parse(&address) {
            let mut git = git.map_err(|error| {
                Diagnostic::error(error.to_string()).label(&self.file.source, source.span, "")
            })?;
            git.checksum = checksum.or(git.checksum);
            return Ok(Some(Time(Some(self.remotes.git(&git).map_err(failed)?.time))));
        }
        if !address.starts_with("http://") && !address.starts_with("https://") {
            return Ok(None);
        }
        let fetched = self.remotes.http(&address, checksum.as_deref()).map_err(failed)?;
        Ok(Some(Time(fetched.time())))
    }

    fn expanded(
        &self,
        text: &str,
        env: &BTreeMap<String, String>,
        span: plimsoll_source::Span,
    ) -> Result<String, Diagnostic> {
        let expanded = expand(text, &|name| env.get(name).cloned(), self.file.escape());
        expanded
            .map(|expanded| expanded.text)
            .map_err(|error| Diagnostic::error(error.to_string()).label(&self.file.source, span, ""))
    }
}

impl HttpFile {
    /// When it was made, in seconds since 1970: `Last-Modified`, else the newest entry of an archive; `None` for a plain
    /// file without.
    pub fn time(&self) -> Option<i64> {
        if self.modified != 0 {
            return Some(self.modified);
        }
        let mut archive = ArchiveReader::new(unpack::open(&self.path).ok()??.take(MAX_UNPACKED));
        let mut newest = None;
        // a damaged archive is told by whoever unpacks it
        while let Ok(Some(member)) = archive.next() {
            newest = newest.max(Some(member.mtime));
        }
        newest
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use plimsoll_dockerfile::{BuildInputs, parse};
    use plimsoll_source::Source;

    use super::*;
    use crate::lazy_context::{FetchedContext, LazyContext};

    /// The value's text, or the error's title, for a Dockerfile and a build argument.
    fn resolved(text: &str, argument: Option<&str>) -> String {
        let mut request = BuildRequest::new(PathBuf::from("/"), Source::new("Dockerfile", text), None);
        request.build_args = argument.map(|value| (NAME.to_owned(), value.to_owned())).into_iter().collect();
        request.context_time = Some(77);
        let fetched = LazyContext::new(|| {
            Ok(FetchedContext { root: PathBuf::from("/"), time: Some(88), keep: Box::new(()) })
        });
        request.contexts = vec![
            ("local".to_owned(), NamedContext::Directory(PathBuf::from("/"))),
            ("Fetched".to_owned(), NamedContext::Lazy(fetched)),
        ];
        let file = parse(&request.dockerfile).unwrap();
        let globals = file.global_args(&BuildInputs::default()).unwrap();
        match given(&request, &file, &globals, &Remotes::new("/nonexistent", &[])) {
            Ok(found) => found.map_or_else(|| "none".to_owned(), |found| found.text()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn source_date_epoch_words() {
        let plain = "FROM scratch\n";
        assert_eq!(resolved(plain, None), "none");
        for (value, text) in [
            ("1234567890", "1234567890"),
            ("0", "0"),
            ("-5", "-5"),
            ("4102444800", "4102444800"),
            ("", ""),
            ("context", "77"),
            ("fetched", "88"),
            ("local", ""),
        ] {
            assert_eq!(resolved(plain, Some(value)), text, "{value}");
            let by_default = format!("ARG SOURCE_DATE_EPOCH={value}\nFROM scratch\n");
            assert_eq!(resolved(&by_default, None), text, "as a default: {value}");
            assert_eq!(resolved(&by_default, Some("5")), "5", "an argument wins over {value}");
        }
        for wrong in
            ["yesterday", " 5", "5 ", "1.5", "2026-01-01", "Context", "9999999999999999", "0x10", "nostage"]
        {
            assert_eq!(resolved(plain, Some(wrong)), format!("invalid SOURCE_DATE_EPOCH: {wrong}"));
        }
        assert_eq!(resolved("ARG SOURCE_DATE_EPOCH\nFROM scratch\n", None), "none");
        assert_eq!(resolved("FROM scratch\nARG SOURCE_DATE_EPOCH=9\n", None), "none", "not global");
    }

    #[test]
    fn a_stage_that_is_no_source_is_refused() {
        for (stage, why) in [
            ("FROM alpine AS release\nADD http://h/x /\n", "is not FROM scratch"),
            ("FROM scratch AS release\nCOPY x /\n", "does something else"),
            ("FROM scratch AS release\nADD x /\n", "adds no single address"),
            ("FROM scratch AS release\nADD http://h/a http://h/b /\n", "adds no single address"),
            ("FROM scratch AS release\nARG A\n", "adds nothing"),
        ] {
            let told = resolved(&format!("{stage}FROM scratch\n"), Some("Release"));
            assert_eq!(told, format!("SOURCE_DATE_EPOCH names a stage that {why}"), "{stage}");
        }
    }
}
