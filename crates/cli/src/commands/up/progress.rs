//! A running plan on the screen: a spinner per service on a terminal, a line per event elsewhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use plimsoll_engine::RunState;
use plimsoll_ops::{Event, Reporter, is_in_place};
use plimsoll_source::{printable, printable_line};
use plimsoll_stack::{Observed, Plan, Progress, Step};

use crate::{
    commands::logs::{Printer, hook_lines},
    globals::{self, ProgressForm},
    render::one_line,
    reporter,
};

/// In place of docker compose: what runs already, in its words. A job that has ended does not.
pub(super) fn tell_unchanged(plan: &Plan, observed: &Observed) {
    let runs = |name: &&String| {
        observed.containers.iter().any(|found| found.name == **name && found.state == RunState::Running)
    };
    for name in plan.unchanged.iter().filter(|_| is_in_place()).filter(runs) {
        globals::tell(name, &format!(" Container {name} Running"));
    }
}

/// Says what the plan has to say first. What the last run said is not news, and is only counted; docker compose has no
/// such memory, so in its place there is none. `whole` says that no service is left out.
pub(super) fn tell_notes(plan: &Plan, state: &Path, whole: bool) {
    let notes = plan.words();
    let (new, old) = if is_in_place() {
        (notes.iter().map(String::as_str).collect(), 0)
    } else {
        plimsoll_stack::news(state, &notes, whole)
    };
    for note in new {
        globals::tell(&plan.project, note);
    }
    if old > 0 {
        let notes = if old == 1 { "note" } else { "notes" };
        globals::tell(&plan.project, &format!("{old} {notes} as before: plimsoll up --dry-run shows all"));
    }
}

/// A step that took no longer has nothing to say by its time.
const BRIEF: Duration = Duration::from_millis(100);

/// Draws from one place: the run reports in order.
pub(crate) struct Shown {
    began: Instant,
    screen: Option<MultiProgress>,
    /// Service (empty for what belongs to none) to its spinner and the steps that are left.
    bars: BTreeMap<String, (ProgressBar, usize)>,
    left: BTreeMap<String, usize>,
    /// Service to the services that steps of it wait for.
    needs: BTreeMap<String, BTreeSet<String>>,
    /// Brief steps that no line was written about yet.
    brief: Brief,
}

/// Brief steps, one after the other: they share a line.
#[derive(Default)]
struct Brief {
    steps: Vec<String>,
    /// Why, each cause once.
    causes: Vec<String>,
    /// The line of the last one, if it stays alone.
    line: String,
}

impl Brief {
    /// Whether the step changes nothing that a person looks for in the lines: what loses data, runs something of the
    /// project's or was waited for has a line of its own.
    fn takes(step: &Step, took: Duration) -> bool {
        use plimsoll_stack::Op;
        let is_news = step.op.is_wait()
            || matches!(step.op, Op::RemoveVolume { .. } | Op::RunHook { .. } | Op::RunInit { .. });
        took < BRIEF && !is_news
    }

    fn add(&mut self, step: &Step, line: String) {
        self.steps.push(done(step));
        if !self.causes.contains(&step.cause) {
            self.causes.push(step.cause.clone());
        }
        self.line = line;
    }

    /// The line about all of them, if there are any; `at` is seconds since the beginning.
    fn take(&mut self, at: f64) -> Option<String> {
        let Self { steps, causes, line } = std::mem::take(self);
        match steps.len() {
            0 => None,
            1 => Some(line),
            count => {
                let (steps, causes) = (one_line(&steps.join(", ")), one_line(&causes.join("; ")));
                Some(format!("{at:7.2}s  {count} brief steps: {steps}  # {causes}"))
            }
        }
    }
}

impl Shown {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut left = BTreeMap::new();
        let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for step in &plan.steps {
            *left.entry(subject(step)).or_insert(0) += 1;
            let before =
                step.after.iter().map(|id| subject(&plan.steps[*id])).filter(|other| *other != subject(step));
            needs.entry(subject(step)).or_default().extend(before);
        }
        let moving = globals::is_live();
        Self {
            began: Instant::now(),
            screen: moving.then(MultiProgress::new),
            bars: BTreeMap::new(),
            left,
            needs,
            brief: Brief::default(),
        }
    }

    pub(crate) fn show(&mut self, progress: &Progress<'_>) {
        match self.screen.clone() {
            Some(screen) => self.draw(&screen, progress),
            None => self.print(progress),
        }
    }

    pub(crate) fn finish(&mut self) {
        self.end_brief();
        for (bar, _) in self.bars.values() {
            bar.finish_and_clear();
        }
    }

    /// What a service that has nothing under way waits for.
    fn waiting(&self, subject: &str) -> Option<String> {
        let open = |other: &&String| match self.bars.get(*other) {
            Some((_, left)) => *left > 0,
            None => self.left.contains_key(*other),
        };
        let others: Vec<&str> = self.needs.get(subject)?.iter().filter(open).map(String::as_str).collect();
        (!others.is_empty()).then(|| format!("waiting for {}", others.join(", ")))
    }

    fn end_brief(&mut self) {
        if let Some(line) = self.brief.take(self.began.elapsed().as_secs_f64()) {
            errln!("{line}");
        }
    }

    fn print(&mut self, progress: &Progress<'_>) {
        let at = self.began.elapsed().as_secs_f64();
        if matches!(globals::progress(), ProgressForm::Json | ProgressForm::Quiet) || is_in_place() {
            return globals::tell_step(progress);
        }
        let line = match progress {
            Progress::Started(_) | Progress::News(..) | Progress::Said(..) => return,
            Progress::Told(step, text) => {
                format!("{at:7.2}s  note  {}: {}", step.op.describe(), printable(text))
            }
            Progress::Done(step, took) => {
                let line = format!("{at:7.2}s  {}  ({})  # {}", done(step), short(*took), step.cause);
                // who asks for a line for each thing that is done gets it
                if globals::progress() == ProgressForm::Auto && Brief::takes(step, *took) {
                    return self.brief.add(step, line);
                }
                line
            }
            Progress::Failed(step, failure) => {
                format!("{at:7.2}s  FAILED  {}: {}", step.op.describe(), printable(&failure.reason))
            }
        };
        self.end_brief();
        errln!("{line}");
    }

    fn draw(&mut self, screen: &MultiProgress, progress: &Progress<'_>) {
        let step = match progress {
            Progress::Started(step)
            | Progress::News(step, _)
            | Progress::Told(step, _)
            | Progress::Said(step, _)
            | Progress::Done(step, _)
            | Progress::Failed(step, _) => *step,
        };
        let subject = subject(step);
        let left = self.left.get(&subject).copied().unwrap_or(1);
        let (bar, left) =
            self.bars.entry(subject.clone()).or_insert_with(|| (spinner(screen, &subject), left));
        match progress {
            Progress::Started(step) => bar.set_message(doing(step)),
            Progress::News(step, text) => {
                bar.set_message(format!("{} ({})", doing(step), printable_line(text)));
            }
            Progress::Said(..) => {}
            Progress::Told(step, text) => {
                let at = self.began.elapsed().as_secs_f64();
                let _ = screen.println(format!(
                    "{at:7.2}s  {subject:12}  note  {}: {}",
                    step.op.describe(),
                    printable(text)
                ));
            }
            Progress::Done(step, _) => {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    bar.finish_and_clear();
                    let at = self.began.elapsed().as_secs_f64();
                    let line = format!("{at:7.2}s  {subject:12}  {}", done(step));
                    let _ = screen.println(line);
                } else if let (Some(text), Some((bar, _))) = (self.waiting(&subject), self.bars.get(&subject))
                {
                    bar.set_message(text);
                }
            }
            Progress::Failed(step, failure) => {
                bar.finish_and_clear();
                let at = self.began.elapsed().as_secs_f64();
                let line = format!(
                    "{at:7.2}s  {subject:12}  FAILED  {}: {}",
                    step.op.describe(),
                    printable(&failure.reason)
                );
                let _ = screen.println(line);
            }
        }
    }
}

/// The screen of a run, and the printer that lines of hooks go to where `up` stays in front.
pub(super) struct Screen {
    shown: Mutex<Shown>,
    printer: Option<Mutex<Printer>>,
}

impl Screen {
    pub(super) fn new(plan: &Plan, printer: Option<Printer>) -> Self {
        Self { shown: Mutex::new(Shown::new(plan)), printer: printer.map(Mutex::new) }
    }

    /// Takes what moves off the screen.
    pub(super) fn finish(&self) {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).finish();
    }
}

impl Reporter for Screen {
    fn report(&self, event: Event<'_>) {
        match (event, &self.printer) {
            (Event::Step(Progress::Said(step, text)), Some(printer)) => {
                let mut printer = printer.lock().unwrap_or_else(PoisonError::into_inner);
                // an error means that nobody reads any more
                for line in &hook_lines(step, text) {
                    drop(printer.print(line));
                }
            }
            (Event::Step(progress), _) => {
                self.shown.lock().unwrap_or_else(PoisonError::into_inner).show(progress);
            }
            (other, _) => reporter::Lines.report(other),
        }
    }
}

fn subject(step: &Step) -> String {
    step.service.clone().unwrap_or_else(|| "resources".to_owned())
}

/// A step that is under way, in words that go after the service's name.
fn doing(step: &Step) -> String {
    use plimsoll_stack::Op;
    match &step.op {
        Op::CreateContainer { .. } => "creating".to_owned(),
        Op::ConnectNetwork { attachment, .. } => format!("joining network {}", attachment.network),
        Op::PrepareVolumes { .. } => "checking who owns its volumes".to_owned(),
        Op::WriteFiles { .. } => "writing its secrets and configs".to_owned(),
        Op::StartContainer { .. } => "starting".to_owned(),
        Op::StopContainer { .. } => "stopping".to_owned(),
        Op::RemoveContainer { .. } => "removing the old container".to_owned(),
        Op::RenameContainer { .. } => "taking its place".to_owned(),
        Op::WaitHealthy { .. } => "waiting for its health check".to_owned(),
        Op::WaitCompleted { .. } => "running to its end".to_owned(),
        Op::WaitRunning { .. } => "seeing whether it stays up".to_owned(),
        op => op.describe(),
    }
}

fn spinner(screen: &MultiProgress, subject: &str) -> ProgressBar {
    let bar = screen.add(ProgressBar::new_spinner());
    if let Ok(style) = ProgressStyle::with_template("{elapsed:>7}   {prefix:12}  {spinner} {wide_msg}") {
        bar.set_style(style);
    }
    bar.set_prefix(subject.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// A step that is done, in words.
fn done(step: &Step) -> String {
    use plimsoll_stack::Op;
    match &step.op {
        Op::WaitHealthy { container, .. } => format!("{container} is healthy"),
        Op::WaitCompleted { container } => format!("{container} has completed"),
        Op::WaitRunning { container } => format!("{container} runs"),
        op => op.describe(),
    }
}

fn short(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.2} s", time.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_stack::Op;

    use super::*;

    fn step(op: Op) -> Step {
        Step { id: 0, op, cause: "why".into(), service: None, after: Vec::new(), finish: false }
    }

    fn start(name: &str) -> Step {
        step(Op::StartContainer { container: name.into() })
    }

    #[test]
    fn brief_steps_share_a_line_and_one_alone_keeps_its_own() {
        let mut brief = Brief::default();
        assert_eq!(brief.take(1.0), None);
        brief.add(&start("a"), "the line of a".into());
        assert_eq!(brief.take(1.0).as_deref(), Some("the line of a"));
        brief.add(&start("a"), "the line of a".into());
        brief.add(&start("b"), "the line of b".into());
        assert_eq!(brief.take(1.5).as_deref(), Some("   1.50s  2 brief steps: start a, start b  # why"));
        assert_eq!(brief.take(2.0), None, "each is told once");
        for number in 0..30 {
            brief.add(&start(&format!("container-{number}")), String::new());
        }
        let line = brief.take(2.0).unwrap();
        assert!(line.starts_with("   2.00s  30 brief steps: start container-0, "), "{line}");
        assert!(line.ends_with("…  # why"), "the cause stays: {line}");
        assert!(line.chars().count() < 140, "{line}");
    }

    #[test]
    fn what_loses_data_or_was_waited_for_has_its_own_line_however_brief_it_was() {
        let moment = Duration::from_millis(1);
        assert!(Brief::takes(&start("a"), moment));
        assert!(!Brief::takes(&start("a"), BRIEF));
        for op in [
            Op::RemoveVolume { name: "data".into() },
            Op::WaitCompleted { container: "a".into() },
            Op::WaitRunning { container: "a".into() },
        ] {
            assert!(!Brief::takes(&step(op), moment));
        }
    }
}
