//! How a build is shown: lines as BuildKit's plain progress has them, live lines on a terminal, or nothing.

use std::{
    collections::HashMap,
    io::IsTerminal as _,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use plimsoll_build::{BuildOutcome, Event, Outcome, Progress};
use plimsoll_buildx::flags::ProgressMode;
use plimsoll_ops::Reporter;
use plimsoll_source::{printable, printable_line, printable_output};

use super::rawjson::RawJson;
use crate::{render::one_line, reporter};

/// A display.
pub(crate) enum Display {
    Plain(Plain),
    Live(Live),
    RawJson(RawJson),
    Quiet,
}

pub(crate) fn make(mode: ProgressMode, explain: bool) -> Display {
    match mode {
        ProgressMode::Quiet => Display::Quiet,
        ProgressMode::RawJson => Display::RawJson(RawJson::default()),
        ProgressMode::Plain => Display::Plain(Plain::new(explain)),
        ProgressMode::Tty => Display::Live(Live::new(explain)),
        ProgressMode::Auto if std::io::stderr().is_terminal() => Display::Live(Live::new(explain)),
        ProgressMode::Auto => Display::Plain(Plain::new(explain)),
    }
}

impl Reporter for Display {
    fn report(&self, event: plimsoll_ops::Event<'_>) {
        use plimsoll_ops::{Event, Pull};
        match (self, event) {
            (_, Event::Line(line)) => self.tell(line),
            (Self::RawJson(raw), Event::Pull { image, platform, event }) => raw.pull(image, platform, &event),
            (_, Event::Pull { image, event: Pull::Moved(moved), .. }) => {
                if let Some(line) = reporter::moving(image, moved) {
                    self.tell(&line);
                }
            }
            (_, other) => reporter::Lines.report(other),
        }
    }
}

impl Display {
    /// Receives the build's events.
    pub(crate) fn sink(&self) -> &dyn Progress {
        match self {
            Self::Plain(plain) => plain,
            Self::Live(live) => live,
            Self::RawJson(raw) => raw,
            Self::Quiet => &plimsoll_build::Silent,
        }
    }

    /// A line that belongs to no step.
    pub(crate) fn tell(&self, line: &str) {
        match self {
            Self::Plain(_) => eprintln!("{}", printable_output(line)),
            Self::Live(live) => {
                let _ = live.bars.println(printable_output(line));
            }
            Self::RawJson(_) => RawJson::tell(line),
            Self::Quiet => {}
        }
    }

    /// The last line.
    pub(crate) fn finish(&self, outcomes: &[BuildOutcome]) {
        if matches!(self, Self::Quiet | Self::RawJson(_)) {
            return;
        }
        let steps = || outcomes.iter().flat_map(|outcome| &outcome.steps);
        let ran = steps().filter(|step| step.ran.is_some()).count();
        let cached = steps().count() - ran;
        let elapsed = outcomes.iter().map(|outcome| outcome.elapsed).max().unwrap_or_default();
        eprintln!("{ran} steps ran, {cached} from the cache, {}", seconds(elapsed));
    }
}

fn seconds(elapsed: Duration) -> String {
    if elapsed < Duration::from_secs(1) {
        format!("{} ms", elapsed.as_millis())
    } else {
        format!("{:.1} s", elapsed.as_secs_f64())
    }
}

/// `#4 0.123 text`, one line for each line of output.
pub(crate) struct Plain {
    explain: bool,
    state: Mutex<PlainState>,
}

#[derive(Default)]
struct PlainState {
    /// step -> its number on the screen, its start, and the end of its output that has no line break yet
    steps: HashMap<usize, (usize, Instant, Vec<u8>)>,
}

impl Plain {
    fn new(explain: bool) -> Self {
        Self { explain, state: Mutex::default() }
    }
}

impl Progress for Plain {
    fn event(&self, event: &Event<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Note(note) => eprintln!("note: {note}"),
            Event::Started { step, title, .. } => {
                let number = state.steps.len() + 1;
                state.steps.insert(*step, (number, Instant::now(), Vec::new()));
                eprintln!("#{number} {}", one_line(&title.to_string()));
            }
            Event::Output { step, bytes, .. } => {
                let Some((number, start, rest)) = state.steps.get_mut(step) else { return };
                rest.extend_from_slice(bytes);
                let Some(end) = rest.iter().rposition(|&byte| byte == b'\n') else { return };
                let at = start.elapsed().as_secs_f64();
                for line in String::from_utf8_lossy(&rest[..end]).split('\n') {
                    eprintln!("#{number} {at:.3} {}", printable_output(line.trim_end_matches('\r')));
                }
                rest.drain(..=end);
            }
            Event::Fetched { .. } => {}
            Event::Waiting { step, what } => {
                let Some((number, start, _)) = state.steps.get(step) else { return };
                eprintln!("#{number} {:.3} {}", start.elapsed().as_secs_f64(), printable_output(what));
            }
            Event::Finished { step, outcome, elapsed } => {
                let Some((number, start, rest)) = state.steps.get_mut(step) else { return };
                if !rest.is_empty() {
                    let at = start.elapsed().as_secs_f64();
                    eprintln!("#{number} {at:.3} {}", printable_output(&String::from_utf8_lossy(rest)));
                    rest.clear();
                }
                match outcome {
                    Outcome::Cached => eprintln!("#{number} CACHED"),
                    Outcome::Done(reason) => {
                        eprintln!("#{number} DONE {:.1}s", elapsed.as_secs_f64());
                        if self.explain {
                            eprintln!("#{number} ran because {}", printable(&reason.to_string()));
                        }
                    }
                    Outcome::Failed => eprintln!("#{number} ERROR"),
                    Outcome::Stopped => eprintln!("#{number} CANCELED"),
                }
            }
        }
    }
}

/// One line for each running step, with the end of its output.
pub(crate) struct Live {
    explain: bool,
    bars: MultiProgress,
    steps: Mutex<HashMap<usize, (String, Option<ProgressBar>)>>,
}

impl Live {
    fn new(explain: bool) -> Self {
        Self { explain, bars: MultiProgress::new(), steps: Mutex::default() }
    }
}

impl Progress for Live {
    fn event(&self, event: &Event<'_>) {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Note(note) => {
                let _ = self.bars.println(format!("note: {note}"));
            }
            Event::Started { step, title, .. } => {
                // The bar is drawn by its own ticks, so a step from the cache leaves only its line.
                steps.insert(*step, (one_line(&title.to_string()), None));
            }
            Event::Output { step, bytes, .. } => {
                let Some((title, bar)) = steps.get_mut(step) else { return };
                let bar = bar.get_or_insert_with(|| self.bar(title));
                if let Some(line) =
                    String::from_utf8_lossy(bytes).lines().rfind(|line| !line.trim().is_empty())
                {
                    bar.set_message(printable_line(line.trim()).into_owned());
                }
            }
            Event::Fetched { .. } => {}
            Event::Waiting { step, what } => {
                let Some((title, bar)) = steps.get_mut(step) else { return };
                let bar = bar.get_or_insert_with(|| self.bar(title));
                bar.set_message(printable_line(what).into_owned());
            }
            Event::Finished { step, outcome, elapsed } => {
                let Some((title, bar)) = steps.remove(step) else { return };
                if let Some(bar) = bar {
                    bar.finish_and_clear();
                }
                let line = match outcome {
                    Outcome::Cached => format!("cached  {title}"),
                    Outcome::Done(reason) if self.explain => {
                        format!(
                            "{:>6}  {title}\n        ran because {}",
                            seconds(*elapsed),
                            printable(&reason.to_string())
                        )
                    }
                    Outcome::Done(_) => format!("{:>6}  {title}", seconds(*elapsed)),
                    Outcome::Failed => format!("failed  {title}"),
                    Outcome::Stopped => format!("stopped {title}"),
                };
                let _ = self.bars.println(line);
            }
        }
    }
}

impl Live {
    fn bar(&self, title: &str) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new_spinner());
        let style = ProgressStyle::with_template("{spinner} {elapsed:>4} {prefix}  {wide_msg:.dim}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_prefix(title.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }
}
