//! `plimsoll top`: a live view of a stack. It only looks: every key that changes something shows nothing and does
//! nothing.

mod model;
mod view;

use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
    time::Duration,
};

use crossterm::{
    cursor, event, execute,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use model::{Action, Model};
use plimsoll_engine::{Engine, EngineError, RunState};
use plimsoll_ops::{Failure, stack};
use plimsoll_stack::{LogQuery, Meter, Row, StackLine, Usage, labels, logs, ps};
use ratatui::{Terminal, backend::CrosstermBackend};
use tokio::sync::mpsc;

use crate::{commands::logs::printable, project::ProjectArgs, template::aligned};

/// Between two samples.
const PERIOD: Duration = Duration::from_secs(1);
/// How long the keyboard is waited for at a time.
const PATIENCE: Duration = Duration::from_millis(100);
/// Lines of each container's past that are shown at first.
const PAST: u64 = 50;

/// Watch the stack: health with the last probe, restarts, kills for lack of memory, CPU and memory, ports, logs
///
/// Read-only. `?` shows the keys, `q` ends it.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only these services
    services: Vec<String>,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let project = stack::project_name(&args.project)?;
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return processes(&project, &args.services);
    }
    stack::with_engine(|engine| async move {
        // asked before the screen is taken, so that an error is seen
        let first = look(&engine, &mut Meter::default(), &project, &args.services).await?;
        if first.0.is_empty() {
            return Err(Failure::new(
                format!("project {project} has no containers"),
                "`plimsoll ls` lists the projects of this engine; `plimsoll up` starts this one",
            ));
        }
        let mut model = Model::new(&project, engine.host());
        model.see(first.0, first.1);
        let screen = Screen::take()?;
        let done = watch(&engine, &project, &args.services, &mut model).await;
        drop(screen);
        done
    })
}

/// Columns of `ps` for those who have no terminal.
const COLUMNS: &str = "user=UID -o pid,ppid,c,stime,tname,time,cmd";

/// The processes of each running container, once.
fn processes(project: &str, services: &[String]) -> Result<ExitCode, Failure> {
    let filter = [format!("{}={project}", labels::PROJECT)];
    let mut lines = stack::with_engine(|engine| async move {
        let mut found = engine.containers_labelled(&filter).await?;
        found.sort_by(|a, b| a.name.cmp(&b.name));
        let mut lines = Vec::new();
        for container in &found {
            let service = container.label(labels::SERVICE).unwrap_or_default();
            let asked = services.is_empty() || services.iter().any(|name| name == service);
            if container.state != RunState::Running || !asked {
                continue;
            }
            let (titles, rows) = match engine.top(&container.name, COLUMNS).await {
                // it has ended meanwhile
                Err(EngineError::NotFound { .. } | EngineError::Conflict { .. }) => continue,
                found => found?,
            };
            if lines.is_empty() {
                lines.push(format!("SERVICE\tNAME\t{}", titles.join("\t")));
            }
            let printed = rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect::<Vec<_>>());
            lines.extend(printed.map(|row| format!("{service}\t{}\t{}", container.name, row.join("\t"))));
        }
        Ok(lines)
    })?;
    if lines.is_empty() {
        lines.push("SERVICE\tNAME\tPID\tCMD".to_owned());
    }
    out!("{}", aligned(&lines));
    Ok(ExitCode::SUCCESS)
}

/// The terminal's other screen, in raw mode; left on every way out, a panic included.
struct Screen;

impl Screen {
    fn take() -> io::Result<Self> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            leave();
            before(panic);
        }));
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen, cursor::Hide)?;
        Ok(Self)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

fn leave() {
    // there is nobody to tell if the terminal is gone
    let _ = execute!(io::stdout(), LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
}

type Look = (Vec<Row>, Vec<Usage>);

async fn look(
    engine: &Engine,
    meter: &mut Meter,
    project: &str,
    services: &[String],
) -> Result<Look, Failure> {
    let state = stack::states()?.join(project);
    let (rows, usage) =
        tokio::join!(ps(engine, project, &state), meter.sample(engine, project, services, false));
    let mut rows = rows?;
    rows.retain(|row| services.is_empty() || services.contains(&row.service));
    Ok((rows, usage?))
}

enum News {
    Look(Result<Look, Failure>),
    Line(StackLine),
    Key(event::Event),
}

async fn watch(
    engine: &Engine,
    project: &str,
    services: &[String],
    model: &mut Model,
) -> Result<ExitCode, Failure> {
    let mut terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
    let (tell, mut heard) = mpsc::channel::<News>(1024);
    let tasks = [
        tokio::spawn(samples(engine.clone(), project.to_owned(), services.to_vec(), tell.clone())),
        tokio::spawn(lines(engine.clone(), project.to_owned(), services.to_vec(), tell.clone())),
    ];
    std::thread::spawn(move || keys(&tell));
    let mut signal = std::pin::pin!(stack::next_signal());
    let end = loop {
        terminal.draw(|frame| view::draw(frame, model))?;
        let first = tokio::select! {
            news = heard.recv() => news,
            _ = &mut signal => break Ok(ExitCode::SUCCESS),
        };
        // what has gathered meanwhile is shown by one drawing
        let mut news = first;
        let mut quit = false;
        while let Some(one) = news.take() {
            match one {
                News::Look(Ok((rows, usage))) => model.see(rows, usage),
                News::Look(Err(error)) => model.trouble(&error),
                News::Line(line) => model.hear(line),
                News::Key(event) => quit |= model.key(&event) == Action::Quit,
            }
            news = heard.try_recv().ok();
        }
        if quit {
            break Ok(ExitCode::SUCCESS);
        }
    };
    for task in tasks {
        task.abort();
    }
    end
}

async fn samples(engine: Engine, project: String, services: Vec<String>, tell: mpsc::Sender<News>) {
    let mut meter = Meter::default();
    loop {
        let look = look(&engine, &mut meter, &project, &services).await;
        if tell.send(News::Look(look)).await.is_err() {
            return;
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// Log lines; after an interruption from where they stopped.
async fn lines(engine: Engine, project: String, services: Vec<String>, tell: mpsc::Sender<News>) {
    let mut since = 0;
    loop {
        let tail = (since == 0).then_some(PAST);
        let query = LogQuery { services: services.clone(), follow: true, since, tail, ..LogQuery::default() };
        // a line that finds no room is dropped: drawing is slower than any log
        let mut sink =
            |line| !matches!(tell.try_send(News::Line(line)), Err(mpsc::error::TrySendError::Closed(_)));
        let _ = logs(&engine, &project, &query, &mut sink).await;
        since = jiff::Timestamp::now().as_second();
        tokio::time::sleep(PERIOD).await;
        if tell.is_closed() {
            return;
        }
    }
}

fn keys(tell: &mpsc::Sender<News>) {
    while !tell.is_closed() {
        match event::poll(PATIENCE) {
            Ok(true) => match event::read() {
                Ok(event) => {
                    if tell.blocking_send(News::Key(event)).is_err() {
                        return;
                    }
                }
                Err(_) => return,
            },
            Ok(false) => {}
            Err(_) => return,
        }
    }
}
