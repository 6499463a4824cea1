//! Text of others on a terminal: output of containers and build steps, names of files and packages, messages of engines
//! and registries. None of it may move the cursor, rename the window, write the clipboard or turn the direction of text.

use std::borrow::Cow;

/// The text with every control character shown as its escape (`\x1b`), and every character that turns the direction of
/// text (`\u{202e}`). Tabs stay, and line breaks: for text of several lines.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| matches!(c, '\n' | '\t') || !is_hidden(c)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        push(&mut shown, c, true);
    }
    Cow::Owned(shown)
}

/// Like [`printable`], with line breaks shown too: for names, which have to stay in their line.
pub fn printable_line(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| c == '\t' || !is_hidden(c)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        push(&mut shown, c, false);
    }
    Cow::Owned(shown)
}

/// Like [`printable`] for the output of a program: colours (SGR, ECMA-48 8.3.117) pass and end with the text, a carriage
/// return before a line break goes.
pub fn printable_output(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| matches!(c, '\n' | '\t') || !is_hidden(c)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    let mut coloured = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((sequence, behind)) = sgr(rest) {
            shown.push_str(sequence);
            coloured = !matches!(sequence, "\x1b[m" | "\x1b[0m");
            rest = behind;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        if c == '\r' && (rest.is_empty() || rest.starts_with('\n')) {
            continue;
        }
        push(&mut shown, c, true);
    }
    if coloured {
        shown.push_str("\x1b[0m");
    }
    Cow::Owned(shown)
}

/// A colour sequence at the beginning, and what follows it.
fn sgr(text: &str) -> Option<(&str, &str)> {
    let parameters = text.strip_prefix("\x1b[")?;
    let length =
        parameters.bytes().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b':')).count();
    let end = 2 + length + 1;
    (length <= 64 && parameters.as_bytes().get(length) == Some(&b'm')).then(|| text.split_at(end))
}

fn push(shown: &mut String, c: char, lines: bool) {
    match c {
        '\t' => shown.push(c),
        '\n' if lines => shown.push(c),
        '\n' => shown.push_str("\\n"),
        '\r' => shown.push_str("\\r"),
        c if is_hidden(c) && u32::from(c) < 0x100 => shown.push_str(&format!("\\x{:02x}", u32::from(c))),
        c if is_hidden(c) => shown.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
        c => shown.push(c),
    }
}

/// Controls (C0, DEL, C1), separators of lines and paragraphs, and the characters of Unicode's bidirectional algorithm
/// (UAX 9, 2) that have no width.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTACK: &str =
        "a\x1b]0;PWNED\x07\x1b[2J\x1b[1;1H\x1b[32m127 proved, 0 failed\x1b[0m \u{202e}gpj\u{9b}2Jb\r\n";

    #[test]
    fn control_sequences_on_the_terminal() {
        assert_eq!(
            printable(ATTACK),
            "a\\x1b]0;PWNED\\x07\\x1b[2J\\x1b[1;1H\\x1b[32m127 proved, 0 failed\\x1b[0m \\u{202e}gpj\\x9b2Jb\\r\n"
        );
        assert_eq!(printable_line("a\nb\r\u{2028}"), "a\\nb\\r\\u{2028}");
        assert_eq!(
            printable_output(ATTACK),
            "a\\x1b]0;PWNED\\x07\\x1b[2J\\x1b[1;1H\x1b[32m127 proved, 0 failed\x1b[0m \\u{202e}gpj\\x9b2Jb\n"
        );
        assert_eq!(printable_output("\x1b[38;5;1mred\x1b[K"), "\x1b[38;5;1mred\\x1b[K\x1b[0m");
    }

    #[test]
    fn plain_text_is_not_copied() {
        for text in ["", "plain", "ünïcode → 日本語 👩‍💻", "two\nlines\tand tabs"] {
            assert!(
                matches!(printable(text), Cow::Borrowed(_))
                    && matches!(printable_output(text), Cow::Borrowed(_))
            );
        }
    }
}
