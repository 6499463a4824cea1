//! `plimsoll init`: writes the production files, shows a diff first, never overwrites an edit.

mod ask;
mod report;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
};

use plimsoll_compose::{LoadOptions, NoFiles, dotenv, interpolate};
use plimsoll_generate::{Comparison, GeneratedFile, LOCK_FILE, Lock, Policy, Resolution, SMOKE_FILE, Stack};
use plimsoll_ops::{Failure, init::Disk, policy};
use plimsoll_source::{Diagnostic, Finding, Severity, Source, yaml};
use plimsoll_survey::{AnswerError, Gap, ReadLimits, Repository, Survey};

/// Write the production files of the stack; without --apply only show what would change
///
/// A file that a person edited is never overwritten: edits are merged with what is new, and where both changed the
/// same lines both sides are shown and nothing is written until somebody decides, because the files fit together.
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
    /// Where you and the generated text changed the same lines of this file (or at this line of it), yours stay
    #[arg(long, value_name = "FILE[:LINE]")]
    keep: Vec<String>,
    /// Take the generated text for this file, edits in it are lost; also brings back a deleted file. With a line: for
    /// this place alone
    #[arg(long, value_name = "FILE[:LINE]")]
    take: Vec<String>,
    /// Answers a question, or says what the files do not: `api.port=3000`. Kept in plimsoll.toml
    #[arg(long, value_name = "ID=VALUE", value_parser = parse_answer)]
    answer: Vec<(String, String)>,
    /// Ask nothing; take the default of each question
    #[arg(long)]
    no_input: bool,
    /// Print JSON (docs/init.md)
    #[arg(long)]
    json: bool,
}

/// `ID=VALUE` of `--answer`.
fn parse_answer(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((id, value)) if id.contains('.') || id.trim() == plimsoll_survey::TLS => {
            Ok((id.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("write it as SERVICE.FIELD=VALUE: api.port=3000; or tls=files".to_owned()),
    }
}

/// Everything that was found out before anything is written.
struct Preview {
    survey: Survey,
    comparison: Comparison,
    /// What the stack leaves out, and what a person should know.
    left_out: Vec<Gap>,
    notes: Vec<Gap>,
    /// Both in the form that all findings have.
    findings: Vec<Finding>,
    answers: BTreeMap<String, String>,
    /// Secret files that do not exist yet, with what they will hold.
    secrets: Vec<(String, String)>,
    /// The lock differs from the one on disk.
    lock_changed: bool,
    /// Variables that must be set before the stack can start, and are not, with what the Compose file says of each.
    demanded: Vec<report::Demanded>,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let disk = Disk::open(&args.path)?;
    let (lock_text, lock) = lock(&disk)?;
    let repository = open(&args.path, &lock)?;
    let mut survey = plimsoll_survey::survey(&repository);
    plimsoll_survey::ask_about_stack(&mut survey);
    let mut known = match disk.read(policy::FILE)? {
        Some(_) => policy::of_folder(&args.path)?,
        None => policy::Policy::default(),
    };
    // those of the command line over those in the file
    known.answers.extend(args.answer.iter().cloned());
    let mut wanted = Policy {
        project: known.project.name,
        folder: Some(repository.name().to_owned()),
        answers: known.answers,
        stand_ins: plimsoll_base::recipes::STAND_INS,
        ..Policy::default()
    };
    if !args.no_input && !args.json {
        ask::unanswered(&survey, &mut wanted.answers)?;
    }
    wanted.checks =
        plimsoll_survey::answer(&mut survey, &wanted.answers).map_err(|error| unusable(&error))?;
    plimsoll_survey::take_defaults(&mut survey);
    // A link in the way is refused when the file is written.
    let foreign = |path: &str| lock.paths().all(|known| known != path) && disk.exists(path).unwrap_or(true);
    // Smoke checks that are elsewhere are a person's too.
    let elsewhere = known.smoke.file.is_some_and(|file| file != SMOKE_FILE);
    let foreign = |path: &str| (elsewhere && path == SMOKE_FILE) || foreign(path);
    let planned = plimsoll_generate::plan(&survey, &wanted, &foreign)
        .map_err(|error| Failure::from(problems(&repository, &error.problems)))?;
    let stack = planned.stack;
    let mut preview = preview(&args, survey, &stack, &disk, (lock, lock_text))?;
    preview.findings = findings(&repository, &planned.left_out, Severity::Warning)
        .chain(findings(&repository, &planned.notes, Severity::Note))
        .collect();
    preview.left_out = planned.left_out;
    preview.notes = planned.notes;
    preview.answers = wanted.answers;
    preview.demanded = demanded(&preview.comparison, &disk)?;
    let applied = args.apply && !preview.comparison.overlaps() && write(&preview, &stack, &disk)?;

    if args.json {
        println!("{}", report::json(&preview, applied)?);
    } else {
        out!("{}", report::text(&preview, applied));
    }
    let drift = args.check && preview.comparison.pending();
    let failed = drift || preview.comparison.conflicts();
    Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// The repository as `init` reads it.
pub(super) fn repository(path: &Path) -> Result<Repository, Failure> {
    let (_, lock) = lock(&Disk::open(path)?)?;
    open(path, &lock)
}

/// What was generated, as it is written down, and its text.
fn lock(disk: &Disk) -> Result<(Option<String>, Lock), Failure> {
    let text = disk.read(LOCK_FILE)?;
    let lock = match &text {
        Some(text) => Lock::parse(text)?,
        None => Lock::default(),
    };
    Ok((text, lock))
}

/// The repository without what was generated: our own files are no evidence of what the project is.
fn open(path: &Path, lock: &Lock) -> Result<Repository, Failure> {
    let repository = Repository::open(path, ReadLimits::default());
    Ok(repository?.without(lock.paths()))
}

fn unusable(error: &AnswerError) -> Failure {
    let hint = match error {
        AnswerError::Subject { known, .. } => format!("the services are {}", known.join(", ")),
        AnswerError::Field { .. } | AnswerError::Value { .. } => {
            let fields: Vec<String> =
                plimsoll_survey::FIELDS.iter().map(|(field, what)| format!("{field} ({what})")).collect();
            format!("what can be answered: {}", fields.join("; "))
        }
    };
    Failure::new(error.to_string(), hint)
}

/// What is written must be read by what reads it. A text that is not is a defect of ours, and nothing is written.
fn readable(files: &[GeneratedFile]) -> Result<(), Failure> {
    for file in files {
        let source = Source::new(&file.path, file.text.clone());
        let name = file.path.rsplit('/').next().unwrap_or(&file.path);
        let read = if name.starts_with("Dockerfile") && !name.ends_with(".dockerignore") {
            plimsoll_dockerfile::parse(&source).map(drop)
        } else if name.starts_with("compose.") {
            document(&source).map_err(|error| vec![error]).and_then(|()| loads(&source))
        } else {
            Ok(())
        };
        read.map_err(|errors| {
            let note = "this file would have been written: a defect of Plimsoll";
            Failure::from(errors.into_iter().map(|error| error.note(note)).collect::<Vec<_>>())
        })?;
    }
    Ok(())
}

/// Reads a YAML file with its anchors; a key that is given twice is an error.
fn document(source: &Source) -> Result<(), Diagnostic> {
    let limits = yaml::Limits::default();
    for document in yaml::parse(source, &limits)? {
        document.expand(&limits)?;
    }
    Ok(())
}

/// Loads a Compose file as `up` does: what can be read may still contradict itself, as two mounts at one place.
fn loads(source: &Source) -> Result<(), Vec<Diagnostic>> {
    let mut options = LoadOptions::new(vec![source.clone()], "/project");
    // What a person must set is set by then.
    let lines = source.text().lines().filter(|line| !line.trim_start().starts_with('#'));
    for variable in lines.filter_map(|line| interpolate::variables(line).ok()).flatten() {
        if variable.required {
            options.env.insert(variable.name, "1".to_owned());
        }
    }
    plimsoll_compose::load(&options, &NoFiles).map(drop)
}

fn preview(
    args: &Args,
    survey: Survey,
    stack: &Stack,
    disk: &Disk,
    (lock, lock_text): (Lock, Option<String>),
) -> Result<Preview, Failure> {
    let generated = plimsoll_generate::generate(stack)?;
    readable(&generated)?;
    let resolution = Resolution { keep: relative(&args.keep), take: relative(&args.take) };
    for path in resolution.keep.iter().chain(&resolution.take).map(|path| file_of(path)) {
        if generated.iter().all(|file| file.path != *path) {
            let known: Vec<&str> = generated.iter().map(|file| file.path.as_str()).collect();
            return Err(Failure::new(
                format!("{path}: not a file that init writes"),
                format!("name one of {}", known.join(", ")),
            ));
        }
    }
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
    Ok(Preview {
        survey,
        comparison,
        left_out: Vec::new(),
        notes: Vec::new(),
        findings: Vec::new(),
        answers: BTreeMap::new(),
        secrets,
        lock_changed,
        demanded: Vec::new(),
    })
}

/// Variables that the Compose file demands and neither the environment nor the `.env` file beside it has.
fn demanded(comparison: &Comparison, disk: &Disk) -> Result<Vec<report::Demanded>, Failure> {
    let mut set = dotenv::Variables::new();
    let text = disk.read(".env")?.unwrap_or_default();
    // What cannot be read sets nothing here; `up` says why.
    let _ = dotenv::parse(&text, &mut set, &|_| None);
    let mut demanded: Vec<report::Demanded> = Vec::new();
    let compose_files = comparison.changes.iter().filter(|change| change.path.starts_with("compose."));
    for text in compose_files.filter_map(|change| change.write.as_deref()) {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        for variable in lines.filter_map(|line| interpolate::variables(line).ok()).flatten() {
            let known = std::env::var_os(&variable.name).is_some() || set.contains_key(&variable.name);
            if variable.required && !known && demanded.iter().all(|other| other.name != variable.name) {
                let message = variable.message.unwrap_or_default();
                demanded.push(report::Demanded { name: variable.name, message });
            }
        }
    }
    Ok(demanded)
}

/// `FILE` of `FILE:LINE`.
fn file_of(place: &str) -> &str {
    match place.rsplit_once(':') {
        Some((file, line)) if !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit()) => file,
        _ => place,
    }
}

/// People name files as their shell completes them.
fn relative(paths: &[String]) -> Vec<String> {
    paths.iter().map(|path| path.trim_start_matches("./").to_owned()).collect()
}

fn write(preview: &Preview, stack: &Stack, disk: &Disk) -> Result<bool, Failure> {
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
        )?;
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
    findings(repository, gaps, Severity::Error).map(|finding| Diagnostic::from(&finding)).collect()
}

fn findings(repository: &Repository, gaps: &[Gap], severity: Severity) -> impl Iterator<Item = Finding> {
    gaps.iter().map(move |gap| gap.finding(severity, |file| repository.source(file)))
}
