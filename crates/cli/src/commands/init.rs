//! `plimsoll init`: writes the production files, shows a diff first, never overwrites an edit.

mod disk;
mod report;

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use plimsoll_generate::{Comparison, LOCK_FILE, Lock, Policy, Resolution, Stack};
use plimsoll_source::{Diagnostic, Span};
use plimsoll_survey::{Gap, Limits, Repository, Survey};

use self::disk::Disk;
use crate::error::CommandError;

/// Write the production files of the stack; without --apply only show what would change
///
/// A file that a person edited is never overwritten: edits are merged with what is new, and where both changed the
/// same lines the file stays as it is and both sides are shown.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The repository
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Write the files
    #[arg(long, visible_alias = "yes")]
    apply: bool,
    /// Write nothing; exit with 1 if files would change
    #[arg(long, conflicts_with = "apply")]
    check: bool,
    /// Keep this file as it is: what differs from the generated text is from now on an edit
    #[arg(long, value_name = "FILE")]
    keep: Vec<String>,
    /// Take the generated text for this file, edits in it are lost; also brings back a deleted file
    #[arg(long, value_name = "FILE")]
    take: Vec<String>,
    /// Print JSON (docs/init.md)
    #[arg(long)]
    json: bool,
}

/// Everything that was found out before anything is written.
struct Preview {
    survey: Survey,
    comparison: Comparison,
    /// Secret files that do not exist yet, with what they will hold.
    secrets: Vec<(String, &'static str)>,
    /// The lock differs from the one on disk.
    lock_changed: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, CommandError> {
    let repository =
        Repository::open(&args.path, Limits::default()).map_err(|error| CommandError::from_error(&error))?;
    let survey = plimsoll_survey::survey(&repository);
    let stack = plimsoll_generate::plan(&survey, &Policy::default())
        .map_err(|error| CommandError::from(problems(&repository, &error.problems)))?;
    let disk = Disk::open(&args.path)?;
    let preview = preview(&args, survey, &stack, &disk)?;
    let applied = args.apply && write(&preview, &stack, &disk)?;

    if args.json {
        outln!("{}", report::json(&preview, applied)?);
    } else {
        out!("{}", report::text(&preview, applied));
    }
    let drift = args.check && preview.comparison.pending();
    let failed = drift || preview.comparison.conflicts();
    Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn preview(args: &Args, survey: Survey, stack: &Stack, disk: &Disk) -> Result<Preview, CommandError> {
    let generated = plimsoll_generate::generate(stack).map_err(|error| CommandError::from_error(&error))?;
    let resolution = Resolution { keep: relative(&args.keep), take: relative(&args.take) };
    for path in resolution.keep.iter().chain(&resolution.take) {
        if generated.iter().all(|file| file.path != *path) {
            let known: Vec<&str> = generated.iter().map(|file| file.path.as_str()).collect();
            return Err(CommandError::new(
                format!("{path}: not a file that init writes"),
                format!("name one of {}", known.join(", ")),
            ));
        }
    }
    let lock_text = disk.read(LOCK_FILE)?;
    let lock = match &lock_text {
        Some(text) => Lock::parse(text).map_err(|error| CommandError::from_error(&error))?,
        None => Lock::default(),
    };
    let mut texts = BTreeMap::new();
    for path in generated.iter().map(|file| file.path.as_str()).chain(lock.paths()) {
        texts.insert(path.to_owned(), disk.read(path)?);
    }
    let read = |path: &str| texts.get(path).cloned().flatten();
    let comparison = plimsoll_generate::compare(&generated, &read, &lock, &resolution);

    let mut existing = Vec::new();
    for path in stack.secret_paths() {
        if disk.exists(path)? {
            existing.push(path);
        }
    }
    let secrets = plimsoll_generate::missing_secrets(stack, &|path| existing.contains(&path));
    let lock_changed = lock_text.as_deref() != Some(comparison.lock.to_text().as_str());
    Ok(Preview { survey, comparison, secrets, lock_changed })
}

/// People name files as their shell completes them.
fn relative(paths: &[String]) -> Vec<String> {
    paths.iter().map(|path| path.trim_start_matches("./").to_owned()).collect()
}

fn write(preview: &Preview, stack: &Stack, disk: &Disk) -> Result<bool, CommandError> {
    // Secrets first: a stack whose secrets could not be made must not look complete.
    if !preview.secrets.is_empty() {
        let mut texts = BTreeMap::new();
        for path in stack.secret_paths() {
            texts.insert(path.to_owned(), disk.read(path)?);
        }
        let made = plimsoll_generate::make_secrets(
            stack,
            &|path| texts.get(path).cloned().flatten(),
            &mut |bytes| getrandom::fill(bytes).map_err(std::io::Error::other),
        )
        .map_err(|error| CommandError::from_error(&error))?;
        for secret in &made {
            disk.write_secret(&secret.path, secret.text.expose())?;
        }
    }
    for change in &preview.comparison.changes {
        if let Some(text) = &change.write {
            disk.write(&change.path, text)?;
        }
    }
    // Last: a lock that is older than a file costs at most a question, never an edit.
    if preview.lock_changed {
        disk.write(LOCK_FILE, &preview.comparison.lock.to_text())?;
    }
    Ok(true)
}

/// Why nothing can be written, each reason at its place.
fn problems(repository: &Repository, gaps: &[Gap]) -> Vec<Diagnostic> {
    gaps.iter()
        .map(|gap| {
            let mut diagnostic =
                Diagnostic::error(format!("{}: {}", gap.subject, gap.message)).hint(&gap.hint);
            for evidence in &gap.evidence {
                if let Some(source) = repository.source(&evidence.file) {
                    let span = Span::new(evidence.start, evidence.end);
                    diagnostic = diagnostic.label(&source, span, &evidence.reason);
                }
            }
            diagnostic
        })
        .collect()
}
