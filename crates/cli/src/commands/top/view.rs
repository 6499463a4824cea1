//! How `top` looks.

use plimsoll_engine::{Health, RunState};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Cell, Clear, Paragraph, Row, Table, TableState},
};

use super::model::{Entry, Model};
use crate::{
    commands::ps::{ports, uptime},
    table::bytes,
};

/// Cells of a bar.
const BAR: usize = 8;
/// Narrower terminals show figures without bars.
const WIDE: u16 = 116;
/// At least so many lines are the log's.
const LOG: u16 = 5;

const KEYS: &str = "up/down select  enter its log alone  / filter  pgup/pgdn scroll  ? keys  q quit";

pub(super) fn draw(frame: &mut Frame<'_>, model: &Model) {
    let area = frame.area();
    let wanted = u16::try_from(model.entries.len()).unwrap_or(u16::MAX).saturating_add(3);
    let most = area.height.saturating_sub(LOG + 3).max(4);
    let [title, services, probe, log, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(wanted.min(most)),
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(head(model), title);
    table(frame, model, services);
    frame.render_widget(last_probe(model), probe);
    logs(frame, model, log);
    let keys_line = if model.typing {
        format!("filter: {}_   (enter keeps it, esc drops it)", model.filter)
    } else {
        KEYS.to_owned()
    };
    frame.render_widget(Paragraph::new(keys_line).style(Style::new().add_modifier(Modifier::DIM)), keys);
    if model.help {
        help(frame, area);
    }
}

fn head(model: &Model) -> Paragraph<'_> {
    let running = model.entries.iter().filter(|entry| entry.row.state == RunState::Running).count();
    let unhealthy = model.entries.iter().filter(|entry| entry.row.health == Health::Unhealthy).count();
    let mut spans = vec![
        Span::styled(model.project.as_str(), Style::new().add_modifier(Modifier::BOLD)),
        Span::raw(format!("  {running} of {} running", model.entries.len())),
    ];
    if unhealthy > 0 {
        spans.push(Span::styled(format!("  {unhealthy} unhealthy"), Style::new().fg(Color::Red)));
    }
    spans.push(Span::styled(format!("  {}", model.host), Style::new().add_modifier(Modifier::DIM)));
    if let Some(trouble) = &model.trouble {
        spans.push(Span::styled(format!("  {trouble}"), Style::new().fg(Color::Red)));
    }
    Paragraph::new(Line::from(spans))
}

fn table(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    let head = Row::new(["SERVICE", "STATE", "HEALTH", "UPTIME", "RST", "OOM", "CPU", "MEMORY", "PORTS"])
        .style(Style::new().add_modifier(Modifier::BOLD));
    let name = model.entries.iter().map(|entry| label(model, entry).chars().count()).max().unwrap_or(7);
    let narrow = area.width < WIDE;
    let rows = model.entries.iter().map(|entry| row(model, entry, narrow));
    let widths = [
        Constraint::Length(u16::try_from(name.clamp(7, 24)).unwrap_or(24)),
        Constraint::Length(12),
        Constraint::Length(9),
        Constraint::Length(11),
        Constraint::Length(3),
        Constraint::Length(3),
        Constraint::Length(if narrow { 11 } else { 20 }),
        Constraint::Length(if narrow { 22 } else { 32 }),
        Constraint::Min(10),
    ];
    let widget = Table::new(rows, widths)
        .header(head)
        .block(Block::new().borders(Borders::TOP | Borders::BOTTOM))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::new().with_selected(Some(model.selected));
    frame.render_stateful_widget(widget, area, &mut state);
}

/// The service's name; the container's where a service has several.
fn label(model: &Model, entry: &Entry) -> String {
    let several = model.entries.iter().filter(|other| other.row.service == entry.row.service).count() > 1;
    if several { entry.row.container.clone() } else { entry.row.service.clone() }
}

fn row<'a>(model: &Model, entry: &Entry, narrow: bool) -> Row<'a> {
    let row = &entry.row;
    let state = match (&row.exit, row.state) {
        (Some(exit), RunState::Exited | RunState::Dead | RunState::Restarting) => {
            format!("{} ({})", row.state.as_str(), exit.code)
        }
        _ => row.state.as_str().to_owned(),
    };
    let bad = row.state == RunState::Restarting || row.exit.as_ref().is_some_and(|exit| exit.code != 0);
    let health = if row.uptime.is_some() { row.health } else { Health::None };
    let colour = match health {
        Health::Healthy => Style::new().fg(Color::Green),
        Health::Unhealthy => Style::new().fg(Color::Red),
        Health::Starting => Style::new().fg(Color::Yellow),
        Health::None => Style::new(),
    };
    let warn = |count: u64| if count > 0 { Style::new().fg(Color::Red) } else { Style::new() };
    let kills = entry.usage.as_ref().map_or(0, |usage| usage.oom_kills).max(u64::from(row.out_of_memory));
    let restarts = u64::try_from(row.restarts).unwrap_or(0);
    Row::new(vec![
        Cell::from(label(model, entry)),
        Cell::from(state).style(if bad { Style::new().fg(Color::Red) } else { Style::new() }),
        Cell::from(if health == Health::None { "-" } else { health.as_str() }).style(colour),
        Cell::from(row.uptime.map_or_else(|| "-".to_owned(), uptime)),
        Cell::from(restarts.to_string()).style(warn(restarts)),
        Cell::from(kills.to_string()).style(warn(kills)),
        Cell::from(cpu(entry, narrow)),
        Cell::from(memory(entry, narrow)),
        Cell::from(ports(&row.ports)),
    ])
}

fn cpu<'a>(entry: &Entry, narrow: bool) -> Line<'a> {
    match entry.usage.as_ref() {
        Some(usage) if entry.row.uptime.is_some() => match usage.cpus {
            Some(cpus) => bar(cpus, usage.cpu_limit, format!("{cpus:.2} of {}", usage.cpu_limit), narrow),
            None => Line::from("..."),
        },
        _ => Line::from("-"),
    }
}

fn memory<'a>(entry: &Entry, narrow: bool) -> Line<'a> {
    match entry.usage.as_ref() {
        Some(usage) if entry.row.uptime.is_some() => {
            let limit = usage.memory_limit;
            let host = if usage.memory_limited { "" } else { "*" };
            let text = format!("{} of {}{host}", bytes(usage.memory), bytes(limit));
            bar(usage.memory as f64, limit as f64, text, narrow)
        }
        _ => Line::from("-"),
    }
}

fn bar<'a>(used: f64, limit: f64, text: String, narrow: bool) -> Line<'a> {
    let share = if limit > 0.0 { (used / limit).clamp(0.0, 1.0) } else { 0.0 };
    let full = (share * BAR as f64).round() as usize;
    let colour = match share {
        share if share >= 0.9 => Color::Red,
        share if share >= 0.7 => Color::Yellow,
        _ => Color::Green,
    };
    if narrow {
        return Line::from(Span::styled(text, Style::new().fg(colour)));
    }
    Line::from(vec![
        Span::styled("#".repeat(full), Style::new().fg(colour)),
        Span::styled(".".repeat(BAR - full), Style::new().add_modifier(Modifier::DIM)),
        Span::raw(format!(" {text}")),
    ])
}

/// What the selected container's last probe printed, or how it ended.
fn last_probe(model: &Model) -> Paragraph<'_> {
    let Some(entry) = model.entries.get(model.selected) else { return Paragraph::new("") };
    let row = &entry.row;
    let text = match (&row.exit, &row.probe) {
        (Some(exit), _) => {
            format!("{}: ended with {}{}", row.container, exit.code, exit_words(&exit.meaning))
        }
        (None, Some(probe)) => {
            let first: String =
                probe.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
            let said = if first.trim().is_empty() { "(no output)" } else { first.trim() };
            format!("{}: last probe: {said}", row.container)
        }
        (None, None) => format!("{}: no probe yet", row.container),
    };
    Paragraph::new(text)
}

fn exit_words(meaning: &str) -> String {
    if meaning.is_empty() { String::new() } else { format!(": {meaning}") }
}

fn logs(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    let shown = model.shown();
    let mut title = " log".to_owned();
    if let (true, Some(entry)) = (model.only_selected, model.entries.get(model.selected)) {
        title.push_str(&format!(" of {}", entry.row.container));
    }
    if !model.filter.is_empty() {
        title.push_str(&format!(" with \"{}\"", model.filter));
    }
    if model.back > 0 {
        title.push_str(&format!(", {} lines back", model.back));
    }
    title.push(' ');
    let block = Block::new().borders(Borders::TOP).title(title);
    let room = usize::from(block.inner(area).height);
    let end = shown.len().saturating_sub(model.back);
    let several = model.several();
    let speakers = shown.iter().map(|line| model.speaker(&several, line).chars().count());
    let width = speakers.max().unwrap_or(0).min(20);
    let lines: Vec<Line<'_>> = shown[end.saturating_sub(room)..end]
        .iter()
        .map(|line| {
            let bar = if line.stderr { "!" } else { "|" };
            Line::from(vec![
                Span::styled(format!("{} ", line.time), Style::new().add_modifier(Modifier::DIM)),
                Span::styled(
                    format!("{:width$} {bar} ", model.speaker(&several, line)),
                    Style::new().fg(Color::Cyan),
                ),
                Span::raw(line.text.as_str()),
            ])
        })
        .collect();
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn help(frame: &mut Frame<'_>, area: Rect) {
    let text = "\
up, down, k, j   select a container
enter            log of the selected container alone, or of all
/                filter the log: enter keeps it, esc drops it
pgup, pgdn, end  scroll the log
?                these keys
q, ctrl-c        quit

CPU and memory are against the limits; * is the host's memory.
RST restarts by the engine; OOM kills for lack of memory.
Nothing here changes the stack: use plimsoll restart, stop, exec.";
    let height = u16::try_from(text.lines().count()).unwrap_or(0) + 2;
    let width = u16::try_from(text.lines().map(str::len).max().unwrap_or(0)).unwrap_or(0) + 4;
    let inside = Rect {
        x: area.x + area.width.saturating_sub(width) / 2,
        y: area.y + area.height.saturating_sub(height) / 2,
        width: width.min(area.width),
        height: height.min(area.height),
    };
    frame.render_widget(Clear, inside);
    frame.render_widget(Paragraph::new(text).block(Block::bordered().title(" keys ")), inside);
}

#[cfg(test)]
mod tests {
    use plimsoll_engine::{LogLine, PublishedPort, Stream};
    use plimsoll_stack::{ExitMeaning, Row as Found, StackLine, Usage};
    use ratatui::{Terminal, backend::TestBackend};

    use super::*;

    fn model() -> Model {
        let web = Found {
            service: "web".into(),
            container: "shop-web-1".into(),
            state: RunState::Running,
            exit: None,
            out_of_memory: false,
            health: Health::Unhealthy,
            proved: false,
            probe: Some("connect: connection refused\nmore".into()),
            image: "shop:1".into(),
            standin: false,
            ports: vec![PublishedPort {
                container: 80,
                protocol: "tcp".into(),
                host_ip: "0.0.0.0".into(),
                host: Some(8080),
            }],
            started: String::new(),
            uptime: Some(3_725),
            restarts: 2,
        };
        let job = Found {
            service: "migrate".into(),
            container: "shop-migrate-1".into(),
            state: RunState::Exited,
            exit: Some(ExitMeaning::of(1)),
            health: Health::None,
            probe: None,
            ports: Vec::new(),
            uptime: None,
            restarts: 0,
            ..web.clone()
        };
        let usage = Usage {
            service: "web".into(),
            container: "shop-web-1".into(),
            state: RunState::Running,
            cpus: Some(0.25),
            cpu_limit: 0.5,
            memory: 60 << 20,
            memory_limit: 64 << 20,
            memory_limited: true,
            memory_peak: None,
            pids: 3,
            pids_limit: None,
            oom_kills: 4,
        };
        let mut model = Model::new("shop", "unix:///var/run/docker.sock");
        model.see(vec![job, web], vec![usage]);
        for (service, stream, text) in
            [("web", Stream::Stdout, "GET / 200"), ("migrate", Stream::Stderr, "no such table")]
        {
            model.hear(StackLine {
                service: service.into(),
                container: format!("shop-{service}-1"),
                line: LogLine { time: "2026-11-21T01:02:03.000000000Z".into(), stream, text: text.into() },
            });
        }
        model
    }

    fn drawn(model: &Model, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, model)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn everything_has_its_place() {
        let mut model = model();
        model.selected = 1;
        insta::assert_snapshot!(drawn(&model, 130, 16));
    }

    #[test]
    fn a_filter_and_one_log_alone() {
        let mut model = model();
        model.only_selected = true;
        model.filter = "table".into();
        insta::assert_snapshot!(drawn(&model, 100, 14));
    }

    #[test]
    fn keys_are_shown_and_a_tiny_terminal_is_no_panic() {
        let mut model = model();
        model.help = true;
        insta::assert_snapshot!(drawn(&model, 80, 20));
        for (width, height) in [(1, 1), (10, 3), (300, 2), (2, 60)] {
            drawn(&model, width, height);
        }
    }
}
