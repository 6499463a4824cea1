//! `--set` and `--unset`: one value of a file, everything else of it as it is.

use std::{fs, io::Write as _, os::unix::fs::PermissionsExt as _, path::Path, process::ExitCode};

use plimsoll_compose::{
    LoadOptions,
    edit::{Change, Segment, edit, has, steps},
};
use plimsoll_ops::{Failure, project::Disk};
use plimsoll_source::{Diagnostic, Source, apply};
use similar::TextDiff;

use super::{Args, print};

/// Makes the changes, checks that the project still loads, and prints the difference or writes the files.
pub(super) fn run(args: &Args, options: &LoadOptions) -> Result<ExitCode, Failure> {
    let mut files = options.files.clone();
    for (path, change) in changes(args)? {
        let at = file_of(&files, &path, &change);
        let edits = edit(&files[at], &path, &change)?;
        let text = apply(&files[at], &edits).map_err(Diagnostic::from)?;
        files[at] = Source::new(files[at].name(), text);
    }
    let new = LoadOptions { files, ..options.clone() };
    plimsoll_compose::load(&new, &Disk).map_err(|mut faults| {
        for fault in &mut faults {
            fault.notes.push("with the change; nothing was written".to_owned());
        }
        faults
    })?;
    let mut difference = String::new();
    for (old, new) in options.files.iter().zip(&new.files).filter(|(old, new)| old.text() != new.text()) {
        let name = old.name();
        difference.push_str(
            &TextDiff::from_lines(old.text(), new.text())
                .unified_diff()
                .context_radius(3)
                .header(&format!("a/{name}"), &format!("b/{name}"))
                .to_string(),
        );
        if args.write {
            replace(name, new.text())?;
        }
    }
    if !args.quiet {
        print(&difference)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn changes(args: &Args) -> Result<Vec<(Vec<Segment>, Change)>, Diagnostic> {
    let mut changes = Vec::new();
    for given in &args.set {
        let (path, value) = split(given).ok_or_else(|| {
            Diagnostic::error(format!("`{given}` is not a change"))
                .hint("write PATH=VALUE: services.web.image=nginx:1.27")
        })?;
        changes.push((steps(path)?, Change::Set(value.to_owned())));
    }
    for path in &args.unset {
        changes.push((steps(path)?, Change::Remove));
    }
    Ok(changes)
}

/// At the first `=` that does not stand in quotes or brackets of the path.
fn split(given: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    let at = given.char_indices().find(|(_, next)| {
        match quote {
            Some(open) if *next == open => quote = None,
            None if matches!(next, '"' | '\'') => quote = Some(*next),
            _ => {}
        }
        quote.is_none() && *next == '='
    })?;
    Some((&given[..at.0], &given[at.0 + 1..]))
}

/// The last file that has the value, since it counts; else the last one that has what it belongs to; else the first.
fn file_of(files: &[Source], path: &[Segment], change: &Change) -> usize {
    let lengths = match change {
        Change::Set(_) => (2.min(path.len())..=path.len()).rev().collect(),
        Change::Remove => vec![path.len()],
    };
    lengths
        .into_iter()
        .find_map(|length| files.iter().rposition(|file| has(file, &path[..length])))
        .unwrap_or(0)
}

/// By a new file that takes the old one's place, with its mode.
fn replace(name: &str, text: &str) -> Result<(), Failure> {
    if name == "<stdin>" {
        return Err(Failure::new(
            "standard input cannot be written",
            "name a file with -f, or leave --write out and apply the difference",
        ));
    }
    let failed = |error: std::io::Error| Failure::cannot_write(Path::new(name), &error);
    // A link stays one: what it points to is replaced.
    let path = fs::canonicalize(name).map_err(failed)?;
    let written = (|| {
        let mode = fs::metadata(&path)?.permissions().mode();
        let mut draft = plimsoll_disk::Draft::of(&path, plimsoll_disk::PRIVATE)?;
        draft.set_mode(mode)?;
        draft.write_all(text.as_bytes())?;
        draft.commit_to_disk()
    })();
    written.map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, symlink},
    };

    use super::*;

    #[test]
    fn a_file_keeps_its_mode_and_a_link_that_lies_where_a_draft_once_was_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (file, other) = (dir.path().join("compose.yaml"), dir.path().join("other"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&other, "mine").unwrap();
        symlink(&other, dir.path().join(format!(".compose.yaml.plimsoll-{}", std::process::id()))).unwrap();
        symlink("compose.yaml", dir.path().join("link")).unwrap();
        replace(dir.path().join("link").to_str().unwrap(), "new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(dir.path().join("link").is_symlink());
        assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
    }
}
