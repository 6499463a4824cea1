//! What `top` knows and how keys change what it shows. No terminal and no engine here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use plimsoll_ops::Failure;
use plimsoll_stack::{Row, StackLine, Usage};

use crate::commands::logs::printable;

/// Log lines that are kept.
const KEPT: usize = 2000;

/// What a key asks of the caller.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Action {
    Stay,
    Quit,
}

/// A container with what it uses.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) row: Row,
    pub(super) usage: Option<Usage>,
}

/// A line of the log, without anything that could drive the terminal.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) service: String,
    pub(super) container: String,
    pub(super) time: String,
    pub(super) stderr: bool,
    pub(super) text: String,
}

/// Everything that is shown.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) project: String,
    pub(super) host: String,
    pub(super) entries: Vec<Entry>,
    pub(super) lines: VecDeque<Line>,
    pub(super) selected: usize,
    /// Only the selected container's lines.
    pub(super) only_selected: bool,
    pub(super) filter: String,
    /// The filter is being typed.
    pub(super) typing: bool,
    /// Lines back from the newest.
    pub(super) back: usize,
    pub(super) help: bool,
    pub(super) trouble: Option<String>,
}

impl Model {
    pub(super) fn new(project: &str, host: &str) -> Self {
        Self { project: project.to_owned(), host: host.to_owned(), ..Self::default() }
    }

    /// A new picture of the engine. The selection stays with its container.
    pub(super) fn see(&mut self, rows: Vec<Row>, mut usage: Vec<Usage>) {
        let chosen = self.entries.get(self.selected).map(|entry| entry.row.container.clone());
        self.entries = rows
            .into_iter()
            .map(|row| {
                let at = usage.iter().position(|usage| usage.container == row.container);
                Entry { usage: at.map(|at| usage.swap_remove(at)), row }
            })
            .collect();
        if let Some(at) = self.entries.iter().position(|entry| Some(&entry.row.container) == chosen.as_ref())
        {
            self.selected = at;
        }
        self.selected = self.selected.min(self.entries.len().saturating_sub(1));
        self.trouble = None;
    }

    /// The engine did not answer.
    pub(super) fn trouble(&mut self, error: &Failure) {
        self.trouble = error.diagnostics.first().map(|diagnostic| diagnostic.title.clone());
    }

    /// A new line of the log.
    pub(super) fn hear(&mut self, line: StackLine) {
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        let plain = without_colours(&printable(&line.line.text));
        let time = line.line.time.get(11..19).unwrap_or_default().to_owned();
        self.lines.push_back(Line {
            service: line.service,
            container: line.container,
            time,
            stderr: line.line.stream == plimsoll_engine::Stream::Stderr,
            text: plain,
        });
    }

    /// The lines that pass the filter, oldest first.
    pub(super) fn shown(&self) -> Vec<&Line> {
        let needle = self.filter.to_lowercase();
        let several = self.several();
        let chosen = self.entries.get(self.selected).map(|entry| entry.row.container.as_str());
        self.lines
            .iter()
            .filter(|line| !self.only_selected || Some(line.container.as_str()) == chosen)
            .filter(|line| {
                needle.is_empty()
                    || line.text.to_lowercase().contains(&needle)
                    || line.service.to_lowercase().contains(&needle)
                    || self.speaker(&several, line).to_lowercase().contains(&needle)
            })
            .collect()
    }

    /// Services that have more than one container, or had while this log was written.
    pub(super) fn several(&self) -> BTreeSet<&str> {
        let now = self.entries.iter().map(|entry| (entry.row.service.as_str(), entry.row.container.as_str()));
        let said = self.lines.iter().map(|line| (line.service.as_str(), line.container.as_str()));
        let mut first: BTreeMap<&str, &str> = BTreeMap::new();
        now.chain(said)
            .filter(|(service, container)| *first.entry(*service).or_insert(*container) != *container)
            .map(|(service, _)| service)
            .collect()
    }

    /// Whose line it is: the service's, or the container's (without the project's name) of one that has `several`.
    pub(super) fn speaker<'l>(&self, several: &BTreeSet<&str>, line: &'l Line) -> &'l str {
        if !several.contains(line.service.as_str()) {
            return &line.service;
        }
        let own = line.container.strip_prefix(self.project.as_str());
        own.and_then(|rest| rest.strip_prefix(['-', '_'])).unwrap_or(&line.container)
    }

    /// What a key does.
    pub(super) fn key(&mut self, event: &Event) -> Action {
        let Event::Key(key) = event else { return Action::Stay };
        if key.kind == KeyEventKind::Release {
            return Action::Stay;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Action::Quit;
        }
        if self.typing {
            self.type_filter(key);
            return Action::Stay;
        }
        match key.code {
            KeyCode::Char('q') => return Action::Quit,
            KeyCode::Esc if self.help => self.help = false,
            KeyCode::Esc if !self.filter.is_empty() => self.filter.clear(),
            KeyCode::Esc => self.only_selected = false,
            KeyCode::Up | KeyCode::Char('k') => self.selected = self.selected.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => {
                self.selected = (self.selected + 1).min(self.entries.len().saturating_sub(1));
            }
            KeyCode::Enter => self.only_selected = !self.only_selected,
            KeyCode::Char('/') => self.typing = true,
            KeyCode::PageUp => self.back = (self.back + 10).min(self.shown().len().saturating_sub(1)),
            KeyCode::PageDown => self.back = self.back.saturating_sub(10),
            KeyCode::End => self.back = 0,
            KeyCode::Char('?') => self.help = !self.help,
            _ => {}
        }
        Action::Stay
    }

    fn type_filter(&mut self, key: &KeyEvent) {
        match key.code {
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.typing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(c) if !c.is_control() => self.filter.push(c),
            _ => {}
        }
        self.back = 0;
    }
}

/// Drops colours too, which [`printable`] leaves in.
fn without_colours(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\x1b' => {
                let _ = rest.find(|c| *c == 'm');
            }
            '\t' => kept.push_str("    "),
            c => kept.push(c),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use plimsoll_engine::{LogLine, Stream};

    use super::*;

    fn press(model: &mut Model, keys: &str) {
        for c in keys.chars() {
            let code = match c {
                '\n' => KeyCode::Enter,
                '\x1b' => KeyCode::Esc,
                c => KeyCode::Char(c),
            };
            model.key(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
        }
    }

    fn line(service: &str, text: &str) -> StackLine {
        StackLine {
            service: service.into(),
            container: format!("shop-{service}-1"),
            line: LogLine {
                time: "2026-11-21T01:02:03.000000000Z".into(),
                stream: Stream::Stdout,
                text: text.into(),
            },
        }
    }

    #[test]
    fn the_filter_is_typed_and_taken_back() {
        let mut model = Model::new("shop", "");
        model.hear(line("web", "GET /a"));
        model.hear(line("db", "\x1b[31mready\x1b[0m\x1b[2J"));
        press(&mut model, "/REAq\n");
        assert_eq!((model.filter.as_str(), model.shown().len()), ("REAq", 0));
        press(&mut model, "\x1b/rea\n");
        let shown: Vec<_> = model.shown().iter().map(|line| line.text.clone()).collect();
        assert_eq!(shown, ["ready\\x1b[2J"], "colours go, what moves the cursor is shown");
        press(&mut model, "\x1b");
        assert_eq!(model.shown().len(), 2);
    }

    #[test]
    fn lines_of_replicas_are_told_apart() {
        let mut model = Model::new("shop", "");
        model.hear(line("web", "one"));
        model.hear(line("db", "ready"));
        let speakers = |model: &Model| -> Vec<String> {
            let several = model.several();
            model.shown().iter().map(|line| model.speaker(&several, line).to_owned()).collect()
        };
        assert_eq!(speakers(&model), ["web", "db"]);
        model.hear(StackLine { container: "shop-web-2".into(), ..line("web", "two") });
        assert_eq!(speakers(&model), ["web-1", "db", "web-2"]);
        press(&mut model, "/web-2\n");
        assert_eq!(speakers(&model), ["web-2"]);
    }

    #[test]
    fn old_lines_go() {
        let mut model = Model::new("shop", "");
        for n in 0..KEPT + 5 {
            model.hear(line("web", &n.to_string()));
        }
        assert_eq!((model.lines.len(), model.lines[0].text.as_str()), (KEPT, "5"));
    }

    #[test]
    fn both_ways_out_work_also_while_typing() {
        let mut model = Model::new("shop", "");
        let key = |code, modifiers| Event::Key(KeyEvent::new(code, modifiers));
        assert_eq!(model.key(&key(KeyCode::Char('q'), KeyModifiers::NONE)), Action::Quit);
        press(&mut model, "/");
        assert_eq!(model.key(&key(KeyCode::Char('q'), KeyModifiers::NONE)), Action::Stay);
        assert_eq!(model.key(&key(KeyCode::Char('c'), KeyModifiers::CONTROL)), Action::Quit);
    }
}
