//! "did you mean": the nearest of some words.

/// A word further away than this is no suggestion.
const MAX_DISTANCE: usize = 2;

/// The nearest of `options` to `word`, of several the one that starts most like it; none when `word` itself is among
/// them.
pub(crate) fn nearest<'o>(
    word: &str,
    options: impl IntoIterator<Item = &'o str>,
    ignore_case: bool,
) -> Option<String> {
    let fold = |text: &str| if ignore_case { text.to_lowercase() } else { text.to_owned() };
    let target = fold(word);
    let mut found: Option<(usize, usize, String)> = None;
    for option in options {
        let folded = fold(option);
        if folded == target {
            return None;
        }
        let distance = distance(&target, &folded);
        let differs = target.chars().zip(folded.chars()).take_while(|(a, b)| a == b).count();
        // Smaller is better: the distance, then how little of the start is the same.
        let rank = (distance, usize::MAX - differs);
        if distance <= MAX_DISTANCE
            && found.as_ref().is_none_or(|(distance, start, _)| rank < (*distance, *start))
        {
            found = Some((rank.0, rank.1, folded));
        }
    }
    let (_, _, found) = found?;
    Some(if ignore_case && word == word.to_uppercase() { found.to_uppercase() } else { found })
}

/// `title` with the suggestion behind it.
pub(crate) fn with_suggestion<'o>(
    title: String,
    word: &str,
    options: impl IntoIterator<Item = &'o str>,
    ignore_case: bool,
) -> String {
    match nearest(word, options, ignore_case) {
        Some(option) => format!("{title} (did you mean {option}?)"),
        None => title,
    }
}

/// Levenshtein's distance, or more than [`MAX_DISTANCE`] when the lengths alone differ by more.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let length = a.chars().count();
    if length.abs_diff(b.len()) > MAX_DISTANCE {
        return MAX_DISTANCE + 1;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, right) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(left != *right)).min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_only_and_never_the_word_itself() {
        assert_eq!(
            nearest("BULIDPLATFORM", ["TARGETPLATFORM", "BUILDPLATFORM"], false).as_deref(),
            Some("BUILDPLATFORM")
        );
        assert_eq!(nearest("RNU", ["ENV", "RUN"], true).as_deref(), Some("RUN"));
        assert_eq!(nearest("rnu", ["RUN"], true).as_deref(), Some("run"));
        assert_eq!(nearest("RUN", ["RUN", "RUM"], true), None);
        assert_eq!(nearest("abcdef", ["xyz"], false), None);
    }
}
