//! Three-way merge by lines: what a person changed since the last generated text, and what the new one changes, both.

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// The result of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merged {
    /// Both sides' changes.
    Clean(String),
    /// Both sides changed the same place differently. There is no text: half a merge is nobody's file.
    Conflicts(Vec<Hunk>),
}

/// One place that both sides changed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Hunk {
    /// Line in the person's file, from 1.
    pub line: usize,
    /// The last generated text there.
    pub base: String,
    /// The person's text.
    pub ours: String,
    /// The new generated text.
    pub theirs: String,
}

/// The side that counts where both changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The person's.
    Ours,
    /// The new text's.
    Theirs,
}

/// Merges `ours` (the person's file) and `theirs` (the new text), which both began as `base`.
pub fn three_way(base: &str, ours: &str, theirs: &str) -> Merged {
    three_way_deciding(base, ours, theirs, &|_| None)
}

/// As [`three_way`]; `decide` may name the side that counts at a place that both changed.
pub(crate) fn three_way_deciding(
    base: &str,
    ours: &str,
    theirs: &str,
    decide: &dyn Fn(&Hunk) -> Option<Side>,
) -> Merged {
    let lines = |text| -> Vec<&str> { str::split_inclusive(text, '\n').collect() };
    let (base, ours, theirs) = (lines(base), lines(ours), lines(theirs));
    let (in_ours, in_theirs) = (matches(&base, &ours), matches(&base, &theirs));

    let mut text = String::new();
    let mut conflicts = Vec::new();
    let (mut b, mut o, mut t) = (0, 0, 0);
    loop {
        // The next line that is the same in all three; behind the last one, the ends.
        let sync = (b..base.len()).find_map(|at| Some((at, in_ours[at]?, in_theirs[at]?)));
        let (next_b, next_o, next_t) = sync.unwrap_or((base.len(), ours.len(), theirs.len()));
        let (was, mine, new) = (&base[b..next_b], &ours[o..next_o], &theirs[t..next_t]);
        if new == was || mine == new {
            text.extend(mine.iter().copied());
        } else if mine == was {
            text.extend(new.iter().copied());
        } else {
            let hunk = Hunk { line: o + 1, base: was.concat(), ours: mine.concat(), theirs: new.concat() };
            match decide(&hunk) {
                Some(Side::Ours) => text.push_str(&hunk.ours),
                Some(Side::Theirs) => text.push_str(&hunk.theirs),
                None => conflicts.push(hunk),
            }
        }
        let Some(_) = sync else { break };
        text.push_str(base[next_b]);
        (b, o, t) = (next_b + 1, next_o + 1, next_t + 1);
    }
    if conflicts.is_empty() { Merged::Clean(text) } else { Merged::Conflicts(conflicts) }
}

/// Where more lines than this differ, times as many, nothing between is the same: looking for it takes quadratic time.
const MOST: usize = 25_000_000;

/// For each line of `base` the line of `other` that it became.
fn matches(base: &[&str], other: &[&str]) -> Vec<Option<usize>> {
    let mut found = vec![None; base.len()];
    let begin = base.iter().zip(other).take_while(|(old, new)| old == new).count();
    let end = base[begin..]
        .iter()
        .rev()
        .zip(other[begin..].iter().rev())
        .take_while(|(old, new)| old == new)
        .count();
    let (old, new) = (base.len() - end, other.len() - end);
    for (at, same) in found[..begin].iter_mut().enumerate() {
        *same = Some(at);
    }
    for (at, same) in found[old..].iter_mut().enumerate() {
        *same = Some(new + at);
    }
    if (old - begin).saturating_mul(new - begin) > MOST {
        return found;
    }
    for op in capture_diff_slices(Algorithm::Patience, &base[begin..old], &other[begin..new]) {
        if let DiffOp::Equal { old_index, new_index, len } = op {
            for at in 0..len {
                found[begin + old_index + at] = Some(begin + new_index + at);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(base: &str, ours: &str, theirs: &str) -> String {
        match three_way(base, ours, theirs) {
            Merged::Clean(text) => text,
            Merged::Conflicts(hunks) => panic!("{hunks:?}"),
        }
    }

    #[test]
    fn changes_in_different_places_are_both_kept() {
        let base = "a\nb\nc\nd\ne\n";
        assert_eq!(clean(base, "a\nmine\nb\nc\nd\ne\n", "a\nb\nc\nd\nnew\n"), "a\nmine\nb\nc\nd\nnew\n");
        assert_eq!(clean(base, "b\nc\nd\ne\n", "a\nb\nc\nd\ne\nf\n"), "b\nc\nd\ne\nf\n");
    }

    #[test]
    fn the_same_change_is_no_conflict() {
        assert_eq!(clean("a\nb\n", "a\nx\n", "a\nx\n"), "a\nx\n");
    }

    #[test]
    fn different_changes_of_one_place_are_a_conflict_with_both_sides() {
        let merged = three_way("a\nb\nc\n", "a\nmine\nc\n", "a\nnew\nc\n");
        let hunk = Hunk { line: 2, base: "b\n".into(), ours: "mine\n".into(), theirs: "new\n".into() };
        assert_eq!(merged, Merged::Conflicts(vec![hunk]));
    }

    /// In quadratic time it takes minutes.
    #[test]
    fn long_texts_that_differ_everywhere_are_merged_by_their_ends() {
        let long = |line: &str, count: usize| format!("begin\n{}end\n", format!("{line}\n").repeat(count));
        let (base, ours) = (long("", 40_000), long("a", 40_000));
        assert_eq!(clean(&base, &ours, &format!("new\n{base}")), format!("new\n{ours}"));
        assert!(
            matches!(three_way(&base, &ours, &long("b", 40_000)), Merged::Conflicts(hunks) if hunks.len() == 1)
        );
    }

    #[test]
    fn a_missing_final_line_break_is_kept() {
        assert_eq!(clean("a\nb\n", "a\nb", "x\na\nb\n"), "x\na\nb");
    }
}
