//! Which words of a line are heredocs: `[N]<<[-]NAME`, NAME possibly quoted and behind blanks.
use plimsoll_source::Span;

use super::line::Part;
use crate::{Heredoc, Word, expand::Lexer};

/// The heredocs that `line` names, in order, without bodies.
pub(super) fn markers(line: Part<'_>) -> Vec<Heredoc> {
    let lexer = Lexer {
        keep_quotes: true,
        keep_escapes: true,
        keep_unset: true,
        marks_heredocs: true,
        ..Lexer::default()
    };
    let words = lexer.split(line.text());
    words.into_iter().filter_map(|word| parse_marker(&line.sub(word.start, word.end).word())).collect()
}

/// The words of COPY and ADD: a `<<` and the delimiter behind it are one.
///
/// Shells and RUN read them so. BuildKit's COPY splits at each blank and then looks for files of these names.
pub(super) fn join_marks(words: Vec<Part<'_>>) -> Vec<Part<'_>> {
    let is_mark = |text: &str| {
        let digits = text.trim_start_matches(|ch: char| ch.is_ascii_digit());
        matches!(digits, "<<" | "<<-")
    };
    let mut joined: Vec<Part<'_>> = Vec::with_capacity(words.len());
    for word in words {
        match joined.last_mut() {
            Some(last) if is_mark(last.text()) => *last = last.up_to(word),
            _ => joined.push(word),
        }
    }
    joined
}

/// `word` as a heredoc marker.
pub(crate) fn parse_marker(word: &Word) -> Option<Heredoc> {
    let (descriptor, rest) = word.text.split_once("<<")?;
    if !descriptor.bytes().all(|byte| byte.is_ascii_digit()) || rest.contains('<') {
        return None;
    }
    let (chomp, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
    let rest = rest.trim_start();
    if rest.is_empty() {
        return None;
    }
    let words = |keep_quotes| {
        let lexer = Lexer { keep_quotes, keep_unset: true, ..Lexer::default() };
        lexer.expand(rest, &|_| None).ok().map(|expanded| expanded.words)
    };
    let mut names = words(false)?;
    let quoted = words(true)?;
    let (1, [quoted]) = (names.len(), quoted.as_slice()) else { return None };
    let name = names.pop()?;
    let quotes = |text: &str| text.matches(['\'', '"']).count();
    Some(Heredoc {
        expand: quotes(&name) == quotes(quoted),
        name,
        descriptor: descriptor.parse().unwrap_or(0),
        chomp,
        content: String::new(),
        content_span: Span::new(word.span.end, word.span.end),
        word: word.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_whole_words() {
        let mut line = super::super::line::LogicalLine::default();
        line.push(r#"RUN 3<<-A cat "<<B" $((1<<2)) <<'C' x<<D <<"" < <<<E"#, 0);
        let found: Vec<_> = markers(line.all());
        let names: Vec<_> =
            found.iter().map(|doc| (doc.name.as_str(), doc.chomp, doc.expand, doc.descriptor)).collect();
        assert_eq!(names, [("A", true, true, 3), ("C", false, false, 0)]);
        assert_eq!(found[1].word.span, Span::new(30, 35));
    }

    #[test]
    fn blanks_behind_the_mark() {
        let names = |text: &str| -> Vec<(String, bool, bool)> {
            let mut line = super::super::line::LogicalLine::default();
            line.push(text, 0);
            markers(line.all()).into_iter().map(|doc| (doc.name, doc.chomp, doc.expand)).collect()
        };
        let one = |name: &str, chomp, expand| vec![(name.to_owned(), chomp, expand)];
        assert_eq!(names("RUN << EOF"), one("EOF", false, true));
        assert_eq!(names("RUN cat > /f <<\t EOF"), one("EOF", false, true));
        assert_eq!(names("RUN <<- EOF"), one("EOF", true, true));
        assert_eq!(names("RUN <<-\tEOF"), one("EOF", true, true));
        assert_eq!(names("RUN cat << 'E F' > /f"), one("E F", false, false));
        assert_eq!(names("RUN 3<< EOF"), one("EOF", false, true));
        assert_eq!(names("RUN << -EOF"), one("-EOF", false, true));
        assert_eq!(names("RUN << A cat <<- \"B\"").len(), 2);
        // as BuildKit reads it
        assert_eq!(names("RUN echo $((1 << 2))"), one("2))", false, true));
        for none in
            ["RUN cat <<", "RUN cat << ", "RUN cat <<-  ", "RUN cat <<< EOF", "RUN '<< EOF'", "RUN x<< EOF"]
        {
            assert_eq!(names(none), [], "{none}");
        }
    }
}
