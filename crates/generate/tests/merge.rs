//! The three-way merge: whatever a person wrote is never lost.

use plimsoll_generate::{Merged, three_way};
use proptest::{collection::vec, prelude::*};

/// What one side does to a line of the base.
#[derive(Clone, Copy, Debug)]
enum Edit {
    Keep,
    Delete,
    /// Puts lines of its own before it.
    Insert(usize),
    Replace,
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![6 => Just(Edit::Keep), 1 => Just(Edit::Delete), 1 => (1..3_usize).prop_map(Edit::Insert), 1 => Just(Edit::Replace)]
}

/// The base's lines are all different, and so are the lines of each side.
fn apply(edits: &[Edit], side: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for (at, edit) in edits.iter().enumerate() {
        let base = format!("base {at}\n");
        match edit {
            Edit::Keep => lines.push(base),
            Edit::Delete => {}
            Edit::Insert(count) => {
                lines.extend((0..*count).map(|number| format!("{side} {at}.{number}\n")));
                lines.push(base);
            }
            Edit::Replace => lines.push(format!("{side} {at}\n")),
        }
    }
    lines
}

fn in_order(part: &[&String], whole: &[&str]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|line| rest.any(|other| other == line))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_clean_merge_has_every_line_of_the_person_and_every_line_that_is_new(
        sides in vec((edit(), edit()), 0..20),
    ) {
        let (mine, new): (Vec<Edit>, Vec<Edit>) = sides.into_iter().unzip();
        let base = apply(&vec![Edit::Keep; mine.len()], "");
        let (ours, theirs) = (apply(&mine, "ours"), apply(&new, "theirs"));
        match three_way(&base.concat(), &ours.concat(), &theirs.concat()) {
            Merged::Clean(text) => {
                let merged: Vec<&str> = text.split_inclusive('\n').collect();
                for side in [&ours, &theirs] {
                    let own: Vec<&String> = side.iter().filter(|line| !base.contains(line)).collect();
                    prop_assert!(in_order(&own, &merged), "{own:?} in {merged:?}");
                }
                // A line of the base is there if nobody removed it, and only then.
                for line in &base {
                    let kept = ours.contains(line) && theirs.contains(line);
                    prop_assert_eq!(merged.contains(&line.as_str()), kept, "{}", line);
                }
                // Merged again, nothing changes: the next run says "no changes".
                prop_assert_eq!(three_way(&theirs.concat(), &text, &theirs.concat()), Merged::Clean(text));
            }
            Merged::Conflicts(hunks) => {
                prop_assert!(!hunks.is_empty());
                for hunk in hunks {
                    prop_assert!(hunk.ours != hunk.theirs && hunk.ours != hunk.base && hunk.theirs != hunk.base);
                    let at = ours.iter().take(hunk.line - 1).map(String::len).sum::<usize>();
                    prop_assert!(ours.concat()[at..].starts_with(&hunk.ours));
                }
            }
        }
    }

    /// Any text at all, repeated lines and missing line breaks included.
    #[test]
    fn one_sided_changes_are_taken_as_they_are(base in "([ab]?\n){0,8}[ab]?", other in "([abc]?\n){0,8}[abc]?") {
        prop_assert_eq!(three_way(&base, &other, &base), Merged::Clean(other.clone()));
        prop_assert_eq!(three_way(&base, &base, &other), Merged::Clean(other.clone()));
        prop_assert_eq!(three_way(&base, &other, &other), Merged::Clean(other));
    }

    #[test]
    fn nothing_panics(base in ".{0,40}\n?.{0,40}", ours in ".{0,40}\n?.{0,40}", theirs in ".{0,40}\n?.{0,40}") {
        let _ = three_way(&base, &ours, &theirs);
    }
}
