//! A running plan on the screen: a spinner per service on a terminal, a line per event elsewhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use plimsoll_engine::RunState;
use plimsoll_source::{printable, printable_line};
use plimsoll_stack::{Observed, Plan, Progress, Step};

use crate::{
    commands::drop_in::is_in_place,
    globals::{self, ProgressForm},
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

/// Draws from one place: the run reports in order.
pub(crate) struct Shown {
    began: Instant,
    screen: Option<MultiProgress>,
    /// Service (empty for what belongs to none) to its spinner and the steps that are left.
    bars: BTreeMap<String, (ProgressBar, usize)>,
    left: BTreeMap<String, usize>,
    /// Service to the services that steps of it wait for.
    needs: BTreeMap<String, BTreeSet<String>>,
}

impl Shown {
    /// Prints what the plan has to say first.
    pub(crate) fn new(plan: &Plan) -> Self {
        for fit in &plan.fits {
            errln!(
                "fit   {}: {} {} -> {} (the host has no more)",
                fit.service,
                fit.what,
                fit.asked,
                fit.given
            );
        }
        for note in &plan.notes {
            errln!("note  {note}");
        }
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
        }
    }

    pub(crate) fn show(&mut self, progress: &Progress<'_>) {
        match self.screen.clone() {
            Some(screen) => self.draw(&screen, progress),
            None => self.print(progress),
        }
    }

    pub(crate) fn finish(&mut self) {
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

    fn print(&self, progress: &Progress<'_>) {
        let at = self.began.elapsed().as_secs_f64();
        if matches!(globals::progress(), ProgressForm::Json | ProgressForm::Quiet) || is_in_place() {
            return globals::tell_step(progress);
        }
        match progress {
            Progress::Started(_) | Progress::News(..) | Progress::Said(..) => {}
            Progress::Told(step, text) => {
                errln!("{at:7.2}s  note  {}: {}", step.op.describe(), printable(text));
            }
            Progress::Done(step, took) => {
                errln!("{at:7.2}s  {}  ({})  # {}", done(step), short(*took), step.cause);
            }
            Progress::Failed(step, failure) => {
                errln!("{at:7.2}s  FAILED  {}: {}", step.op.describe(), printable(&failure.reason));
            }
        }
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
