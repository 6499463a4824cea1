//! The words of a command that needs no shell.

/// Stands for `$PORT` in a word.
pub(in crate::detect) const PORT: &str = "$PORT";

/// A command line: what comes before the last command, and the last one itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// Commands with `&&` or `;` behind them.
    pub(crate) before: Vec<Vec<String>>,
    /// The program and its arguments. `$PORT` and `${PORT:-…}` are [`PORT`].
    pub(crate) words: Vec<String>,
    /// `NAME=value` in front of it.
    pub(crate) variables: Vec<(String, String)>,
    /// The number in `${PORT:-8000}`.
    pub(crate) port: Option<u16>,
}

/// Reads a command; nothing where only a shell could run it.
pub(in crate::detect) fn line(text: &str) -> Option<Line> {
    line_within(text, 0)
}

fn line_within(text: &str, depth: usize) -> Option<Line> {
    let mut reader = Reader { chars: text.trim().chars().collect(), at: 0, port: None };
    let mut commands = vec![Vec::new()];
    while let Some(word) = reader.word()? {
        match (word.as_str(), word.starts_with('\0')) {
            ("\0&&", _) => commands.push(Vec::new()),
            _ => commands.last_mut()?.push(word),
        }
    }
    let words = commands.pop()?;
    let mut line = Line { before: commands, words, variables: Vec::new(), port: reader.port };
    unwrap(&mut line)?;
    // `sh -c "…"` is the command inside.
    if depth < 3
        && let [shell, option, script] = line.words.as_slice()
        && matches!(shell.rsplit('/').next(), Some("sh" | "bash" | "ash"))
        && matches!(option.as_str(), "-c" | "-lc" | "-ec")
    {
        let mut inside = line_within(script, depth + 1)?;
        inside.variables.splice(0..0, line.variables);
        inside.before.splice(0..0, line.before);
        return Some(inside);
    }
    (!line.words.is_empty()).then_some(line)
}

/// Takes away what only sets variables or finds the environment of a package manager.
fn unwrap(line: &mut Line) -> Option<()> {
    loop {
        let first = line.words.first()?;
        if let Some((name, value)) = first.split_once('=').filter(|(name, _)| is_variable(name)) {
            line.variables.push((name.to_owned(), value.to_owned()));
            line.words.remove(0);
            continue;
        }
        let second = line.words.get(1).map_or("", String::as_str);
        let skip = match (first.as_str(), second) {
            ("exec" | "env", _) => 1,
            ("poetry" | "pipenv" | "pdm" | "uv" | "rye" | "hatch", "run") => 2 + options(&line.words[2..]),
            _ => return Some(()),
        };
        line.words.drain(..skip.min(line.words.len()));
    }
}

/// Options of `uv run` and the like, which take no values but for these.
fn options(words: &[String]) -> usize {
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|word| word.starts_with('-')) {
        let valued = matches!(
            word.as_str(),
            "--package"
                | "--extra"
                | "--group"
                | "--with"
                | "--env-file"
                | "--directory"
                | "-p"
                | "--project"
        );
        at += 1 + usize::from(valued);
    }
    at
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    port: Option<u16>,
}

impl Reader {
    /// The next word; `\0&&` between commands. The outer `None`: this needs a shell.
    #[expect(
        clippy::option_option,
        reason = "the inner one is the end of the line, the outer one a text that cannot be read"
    )]
    fn word(&mut self) -> Option<Option<String>> {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
        if self.peek().is_none() {
            return Some(None);
        }
        if self.peek() == Some(';') {
            self.at += 1;
            return Some(Some("\0&&".to_owned()));
        }
        if self.peek() == Some('&') {
            self.at += 2;
            return (self.chars.get(self.at - 1) == Some(&'&')).then(|| Some("\0&&".to_owned()));
        }
        let mut word = String::new();
        let mut quote = None;
        while let Some(c) = self.peek() {
            match (c, quote) {
                (c, Some(open)) if c == open => quote = None,
                ('\'' | '"', None) => quote = Some(c),
                ('\\', None | Some('"')) => {
                    self.at += 1;
                    word.extend(self.peek().filter(|c| *c != '\n'));
                }
                ('$', None | Some('"')) => {
                    word.push_str(&self.variable()?);
                    continue;
                }
                ('`', None | Some('"')) | ('|' | '<' | '>' | '(' | ')' | '*' | '?', None) => {
                    return None;
                }
                ('&' | ';', None) => break,
                (c, None) if c.is_whitespace() => break,
                (c, _) => word.push(c),
            }
            self.at += 1;
        }
        quote.is_none().then_some(Some(word))
    }

    /// `$PORT` or `${NAME:-default}`; nothing for what is known only when it runs.
    fn variable(&mut self) -> Option<String> {
        let rest: String = self.chars[self.at + 1..].iter().take(200).collect();
        let (name, default, length) = if let Some(inner) = rest.strip_prefix('{') {
            let end = inner.find('}')?;
            let (name, default) = match inner[..end].split_once(":-").or_else(|| inner[..end].split_once('-'))
            {
                Some((name, default)) => (name, Some(default)),
                None => (&inner[..end], None),
            };
            (name.to_owned(), default.map(str::to_owned), inner[..end].chars().count() + 2)
        } else {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            (rest[..end].to_owned(), None, end)
        };
        if !is_variable(&name) {
            return None;
        }
        self.at += 1 + length;
        if name == "PORT" {
            self.port = self.port.or_else(|| default?.parse().ok());
            return Some(PORT.to_owned());
        }
        default.filter(|default| !default.contains(['$', '`']))
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Option<Vec<String>> {
        line(text).map(|line| line.words)
    }

    #[test]
    fn commands_without_a_shell_are_read() {
        assert_eq!(
            words("gunicorn 'a:b()' --bind :$PORT").unwrap(),
            ["gunicorn", "a:b()", "--bind", ":$PORT"]
        );
        let both = line("python manage.py migrate && exec uvicorn a:b --port ${PORT:-80}").unwrap();
        assert_eq!(both.before, [["python", "manage.py", "migrate"]]);
        assert_eq!((both.words.last().unwrap().as_str(), both.port), ("$PORT", Some(80)));
        assert_eq!(words("sh -c \"uv run --no-dev gunicorn x:y\"").unwrap(), ["gunicorn", "x:y"]);
        assert_eq!(line("A=1 poetry run b").unwrap().variables, [("A".to_owned(), "1".to_owned())]);
        assert_eq!(words("gunicorn -w ${WORKERS:-2} x").unwrap(), ["gunicorn", "-w", "2", "x"]);
    }

    #[test]
    fn what_needs_a_shell_is_not() {
        for text in ["a | b", "a $(b)", "a $X", "a > b", "a &", "'a", "", "${", "a `b`", "$"] {
            assert_eq!(words(text), None, "{text}");
        }
    }
}
