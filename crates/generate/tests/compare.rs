//! What becomes of a file, for each history that it can have.

use std::collections::BTreeMap;

use plimsoll_generate::{
    Change, Comparison, Conflict, GeneratedFile, Lock, Outcome, Ownership, Resolution, compare,
};

const OLD: &str = "a\nb\nc\nd\ne\nf\n";
const NEW: &str = "a\nb\nc\nd\ne\nnew\n";

fn file(text: &str) -> GeneratedFile {
    GeneratedFile { path: "f".to_owned(), text: text.to_owned(), ownership: Ownership::Whole }
}

/// The lock after `text` was generated.
fn lock(text: &str) -> Lock {
    compare(&[file(text)], &|_| None, &Lock::default(), &Resolution::default()).lock
}

fn run(generated: &str, disk: Option<&str>, lock: &Lock, resolution: &Resolution) -> Comparison {
    compare(&[file(generated)], &|_| disk.map(str::to_owned), lock, resolution)
}

fn one(generated: &str, disk: Option<&str>, lock: &Lock) -> Change {
    run(generated, disk, lock, &Resolution::default()).changes.remove(0)
}

#[test]
fn each_history_has_its_outcome() {
    let none = Lock::default();
    assert_eq!(one(NEW, None, &none).outcome, Outcome::Created);
    assert_eq!(one(NEW, Some(NEW), &none).outcome, Outcome::Unchanged);
    assert_eq!(one(NEW, Some("mine\n"), &none).outcome, Outcome::Conflict(Conflict::Foreign));
    assert_eq!(one(OLD, Some(OLD), &lock(OLD)).outcome, Outcome::Unchanged);
    assert_eq!(one(NEW, Some(OLD), &lock(OLD)).outcome, Outcome::Updated);
    assert_eq!(one(OLD, Some("mine\n"), &lock(OLD)).outcome, Outcome::Edited);
    assert_eq!(one(NEW, None, &lock(OLD)).outcome, Outcome::Deleted);
    assert_eq!(one(NEW, Some(NEW), &lock(OLD)).outcome, Outcome::Unchanged);
}

#[test]
fn only_what_is_safe_is_written() {
    let merged = one(NEW, Some("mine\na\nb\nc\nd\ne\nf\n"), &lock(OLD));
    assert_eq!(merged.outcome, Outcome::Merged);
    assert_eq!(merged.write.as_deref(), Some("mine\na\nb\nc\nd\ne\nnew\n"));
    let overlap = one(NEW, Some("a\nb\nc\nd\ne\nmine\n"), &lock(OLD));
    let Outcome::Conflict(Conflict::Overlap { hunks }) = &overlap.outcome else { panic!("{overlap:?}") };
    assert_eq!((hunks[0].line, hunks[0].ours.as_str(), hunks[0].theirs.as_str()), (6, "mine\n", "new\n"));
    for change in [overlap, one(NEW, Some("x"), &Lock::default()), one(NEW, None, &lock(OLD))] {
        assert!(change.write.is_none());
    }
}

/// A conflict is there again until somebody decides, and a decision holds.
#[test]
fn decisions_hold() {
    let mine = "a\nb\nc\nd\ne\nmine\n";
    let first = run(NEW, Some(mine), &lock(OLD), &Resolution::default());
    assert!(first.conflicts());
    assert!(run(NEW, Some(mine), &first.lock, &Resolution::default()).conflicts());

    let keep = Resolution { keep: vec!["f".to_owned()], take: Vec::new() };
    let kept = run(NEW, Some(mine), &first.lock, &keep);
    assert!(!kept.conflicts() && !kept.pending());
    let after = run(NEW, Some(mine), &kept.lock, &Resolution::default());
    assert_eq!(after.changes[0].outcome, Outcome::Edited);

    let take = Resolution { keep: Vec::new(), take: vec!["f".to_owned()] };
    let taken = run(NEW, Some(mine), &first.lock, &take);
    assert_eq!(taken.changes[0].write.as_deref(), Some(NEW));
    assert!(taken.changes[0].diff.contains("-mine\n+new\n"), "{}", taken.changes[0].diff);
    assert_eq!(run(NEW, None, &lock(OLD), &take).changes[0].outcome, Outcome::Created);
}

/// A place that waits does not withhold what is new elsewhere, and each place is decided by itself.
#[test]
fn conflict_leaves_files_that_disagree() {
    let old = "port: 3000\na\nb\nhealth: 3000\nc\nd\nuser: 1\n";
    let mine = "port: 3001\na\nb\nhealth: 3000\nc\nd\nuser: 7\n";
    let new = "port: 3100\na\nb\nhealth: 3100\nc\nd\nuser: 2\n";
    let decided = |keep: &[&str], take: &[&str]| {
        let words = |list: &[&str]| list.iter().map(|&word| word.to_owned()).collect();
        let resolution = Resolution { keep: words(keep), take: words(take) };
        run(new, Some(mine), &lock(old), &resolution)
    };
    let open = decided(&[], &[]);
    assert!(open.overlaps() && !open.pending());
    let kept = decided(&["f"], &[]);
    let text = kept.changes[0].write.as_deref().unwrap();
    assert_eq!(text, "port: 3001\na\nb\nhealth: 3100\nc\nd\nuser: 7\n");
    let half = decided(&["f:1"], &[]);
    let Outcome::Conflict(Conflict::Overlap { hunks }) = &half.changes[0].outcome else { panic!("{half:?}") };
    assert_eq!((hunks.len(), hunks[0].line), (1, 7), "one place is left");
    let both = decided(&["f:1"], &["f:7"]);
    let text = both.changes[0].write.as_deref().unwrap();
    assert_eq!(text, "port: 3001\na\nb\nhealth: 3100\nc\nd\nuser: 2\n");
    assert!(!both.overlaps());
}

#[test]
fn a_file_that_is_not_generated_any_more_stays() {
    let disk = BTreeMap::from([("f", OLD)]);
    let comparison = compare(
        &[],
        &|path| disk.get(path).map(|text| (*text).to_owned()),
        &lock(OLD),
        &Resolution::default(),
    );
    assert_eq!(comparison.changes[0].outcome, Outcome::Obsolete);
    assert!(!comparison.pending());
    assert_eq!(comparison.lock, lock(OLD));
    assert!(compare(&[], &|_| None, &lock(OLD), &Resolution::default()).lock.paths().next().is_none());
}

#[test]
fn lines_are_added_once_and_nothing_else_is_touched() {
    let lines = |disk: Option<&str>| {
        let file = GeneratedFile {
            path: ".gitignore".to_owned(),
            text: "# Passwords.\n/secrets/\n".to_owned(),
            ownership: Ownership::Lines,
        };
        compare(&[file], &|_| disk.map(str::to_owned), &Lock::default(), &Resolution::default())
            .changes
            .remove(0)
    };
    assert_eq!(lines(None).write.as_deref(), Some("# Passwords.\n/secrets/\n"));
    assert_eq!(lines(Some("x")).write.as_deref(), Some("x\n\n# Passwords.\n/secrets/\n"));
    assert_eq!(lines(Some("")).write.as_deref(), Some("# Passwords.\n/secrets/\n"));
    for own in ["a\n/secrets/\n", "secrets\n", "  secrets/ \n"] {
        assert_eq!(lines(Some(own)).outcome, Outcome::Unchanged, "{own}");
    }
    assert_eq!(lines(Some("# secrets/\nsecrets/x\n")).outcome, Outcome::Extended);
}

#[test]
fn a_lock_of_a_newer_version_is_refused() {
    let text = lock(OLD).to_text();
    assert_eq!(Lock::parse(&text).unwrap(), lock(OLD));
    let newer = text.replace("\"version\": 1", "\"version\": 2");
    assert!(Lock::parse(&newer).unwrap_err().to_string().contains("has version 2"));
    assert!(Lock::parse("{}").is_err() && Lock::parse("<<<<<<< HEAD").is_err());
}
