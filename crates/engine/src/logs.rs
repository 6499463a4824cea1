//! Container logs, line by line, with the engine's time stamps.

use bollard::{container::LogOutput, query_parameters::LogsOptions};
use futures_util::{Stream as Items, StreamExt as _};
use serde::{Deserialize, Serialize};

use crate::{Engine, EngineError, connect::TRANSFER_SECONDS};

/// Which stream a line was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Standard output, or a terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When the engine read it: RFC 3339 with nanoseconds, UTC; sorts as text.
    pub time: String,
    /// Where it was written to.
    pub stream: Stream,
    /// The line without its end; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// Which lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogOptions {
    /// Wait for more.
    pub follow: bool,
    /// Not before this second since the epoch; 0 is the beginning.
    pub since: i64,
    /// Not after this second; 0 is no limit.
    pub until: i64,
    /// Only so many lines from the end.
    pub tail: Option<u64>,
}

impl Engine {
    /// A container's log lines, oldest first.
    pub fn logs(
        &self,
        container: &str,
        options: &LogOptions,
    ) -> impl Items<Item = Result<LogLine, EngineError>> + Send + Unpin + use<> {
        let query = LogsOptions {
            follow: options.follow,
            stdout: true,
            stderr: true,
            since: i32::try_from(options.since).unwrap_or(i32::MAX),
            until: i32::try_from(options.until).unwrap_or(i32::MAX),
            timestamps: true,
            tail: options.tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string()),
        };
        let docker = self.patient(TRANSFER_SECONDS);
        let pieces = docker
            .logs(container, Some(query))
            .map(|piece| piece.map(line).map_err(|error| EngineError::from_wire(error, TRANSFER_SECONDS)));
        Box::pin(pieces)
    }

    /// The last lines of a container's log.
    pub async fn last_lines(&self, container: &str, lines: u64) -> Result<Vec<LogLine>, EngineError> {
        let options = LogOptions { tail: Some(lines), ..LogOptions::default() };
        let mut found = Vec::new();
        let mut stream = self.logs(container, &options);
        while let Some(line) = stream.next().await {
            found.push(line?);
        }
        // the two streams are separate in the answer: only the time stamps order them
        found.sort_by(|a, b| a.time.cmp(&b.time));
        Ok(found)
    }
}

fn line(piece: LogOutput) -> LogLine {
    let stream = if matches!(piece, LogOutput::StdErr { .. }) { Stream::Stderr } else { Stream::Stdout };
    let text = String::from_utf8_lossy(&piece.into_bytes()).into_owned();
    let text = text.trim_end_matches(['\n', '\r']);
    let (time, text) = text.split_once(' ').unwrap_or((text, ""));
    LogLine { time: sortable(time), stream, text: text.to_owned() }
}

/// The engine drops trailing zeros of the fraction; filled up, the stamps sort as text.
fn sortable(time: &str) -> String {
    let Some(body) = time.strip_suffix('Z') else { return time.to_owned() };
    match body.split_once('.') {
        Some((seconds, fraction)) => format!("{seconds}.{fraction:0<9}Z"),
        None => format!("{body}.000000000Z"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stamps_sort_as_text() {
        assert_eq!(sortable("2026-11-21T00:00:00.5Z"), "2026-11-21T00:00:00.500000000Z");
        assert_eq!(sortable("2026-11-21T00:00:00Z"), "2026-11-21T00:00:00.000000000Z");
        assert!(sortable("2026-11-21T00:00:00.12Z") < sortable("2026-11-21T00:00:00.123Z"));
    }

    #[test]
    fn a_line_is_split_from_its_time() {
        let piece = LogOutput::StdErr { message: "2026-11-21T00:00:00.5Z it  broke\r\n".into() };
        let line = line(piece);
        assert_eq!((line.text.as_str(), line.stream), ("it  broke", Stream::Stderr));
    }
}
