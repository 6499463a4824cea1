//! `plimsoll verify`: measures the running stack, prints and writes the certificate.

use std::{
    io::IsTerminal as _,
    path::PathBuf,
    process::ExitCode,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use plimsoll_ops::{
    Event, Failure, Reporter,
    policy::Root,
    verify::{self, Request},
};
use plimsoll_verify::report;

use crate::{project::ProjectArgs, reporter::Lines};

/// Measure the running stack against every claim and write the certificate
///
/// Stops each service for a moment, pauses each store and restarts each service; --no-disturb leaves that out. Exits
/// with 0 if nothing failed, 1 if a claim failed, 2 if the stack could not be measured.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Print the certificate as JSON (docs/certificate.md)
    #[arg(long)]
    json: bool,
    /// Also write the certificate's page here
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Pause and restart nothing; what needs that is "not checked"
    #[arg(long)]
    no_disturb: bool,
    /// Seconds of smoke load
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = clap::value_parser!(u64).range(1..=600))]
    load: u64,
    /// What a measurement runs beside itself: when its own end of the pipe is gone, what the note says is taken back
    #[arg(long, hide = true, value_name = "NOTE")]
    take_back: Option<PathBuf>,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    if let Some(note) = &args.take_back {
        return verify::watch(note).map(|()| ExitCode::SUCCESS);
    }
    // the store's layers belong to ids of an ordinary user's namespace
    plimsoll_ops::rootless::enter(false);
    let root = Root::find()?;
    let request = Request { disturb: !args.no_disturb, load: Duration::from_secs(args.load) };
    let progress = Measuring::default();
    let certificate = verify::certificate(&args.project, &root, &request, &progress);
    progress.finish();
    let certificate = certificate?;
    let json = certificate.to_json()?;
    let page = verify::keep(&root, &certificate, args.html.as_deref())?;
    if args.json {
        print!("{json}");
    } else {
        out!("{}", report::terminal(&certificate));
        outln!("{}", page.display());
    }
    Ok(if certificate.holds() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The claim that is being measured: one changing line on a terminal, elsewhere a line for each with its time.
#[derive(Default)]
struct Measuring(Mutex<Option<(String, Instant)>>);

impl Measuring {
    fn show(&self, title: &str) {
        self.finish();
        if std::io::stderr().is_terminal() {
            crate::say::verbatim(format_args!("\r\x1b[2K\x1b[2mmeasuring: {title}\x1b[0m"));
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((title.to_owned(), Instant::now()));
    }

    fn finish(&self) {
        let current = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((title, begin)) = current else { return };
        if std::io::stderr().is_terminal() {
            crate::say::verbatim(format_args!("\r\x1b[2K"));
        } else {
            errln!("{:6.1} s  {title}", begin.elapsed().as_secs_f64());
        }
    }
}

impl Reporter for Measuring {
    fn report(&self, event: Event<'_>) {
        match event {
            Event::Claim(title) => self.show(title),
            other => Lines.report(other),
        }
    }
}
