use std::collections::VecDeque;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::{Group, Status},
    log, refusal,
    stack::{Member, Stack},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "no-write-errors",
    title: "no log line tells of a refused write or a missing permission",
    group: Group::Records,
    requirements: &["R-042", "R-172"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

const SHOWN: usize = 5;

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    futures_util::future::join_all(stack.members.iter().map(|member| log::settle(stack, member))).await;
    let mut outcomes = Vec::new();
    for member in &stack.members {
        outcomes.push(of_member(stack, member).await?);
    }
    Ok(outcomes)
}

async fn of_member(stack: &Stack<'_>, member: &Member) -> Result<Outcome, MeasureError> {
    let outcome = Outcome::new(
        &member.subject,
        "no line since its start in which a program reports EROFS or EACCES (\"Read-only file system\", \
         \"Permission denied\") of a file or a system call",
    );
    let read = match read(stack, member).await {
        Ok(read) => read,
        // Drivers that send logs elsewhere cannot be read.
        Err(error) if member.detail.pid == 0 && error.is_not_found() => {
            return Ok(Outcome::not_checked(&member.subject, outcome.expected, error.to_string()));
        }
        Err(error) => {
            let why = format!("its log cannot be read: {error}");
            return Ok(Outcome::not_checked(&member.subject, outcome.expected, why));
        }
    };
    let source = log::command(member);
    let mut observed = format!("{} of {} lines", read.refusals, read.lines);
    let cut = read.lines >= log::MAX_LINES;
    if cut {
        observed = format!("{} of the last {} lines; older ones were not read", read.refusals, read.lines);
    }
    if read.quoted > 0 {
        observed +=
            &format!("; {} more have the words in what somebody sent, or of another permission", read.quoted);
    }
    let evidence: Vec<_> = match &read.shown {
        shown if shown.is_empty() => vec![(source, format!("{} lines, none reports one", read.lines))],
        shown => shown.iter().map(|line| (source.clone(), line.clone())).collect(),
    };
    let mut outcome = outcome.judge(read.refusals == 0, observed).all_evidence(evidence);
    if cut && read.refusals == 0 {
        // What was not read is not proved.
        outcome.status = Status::NotChecked;
    }
    Ok(outcome)
}

/// What a log holds since the start of its container.
#[derive(Default)]
struct Read {
    lines: u64,
    refusals: u64,
    /// Lines with the words that are no refusals.
    quoted: u64,
    /// The newest refusals.
    shown: VecDeque<String>,
}

async fn read(stack: &Stack<'_>, member: &Member) -> Result<Read, plimsoll_engine::EngineError> {
    let mut read = Read::default();
    read.lines = log::read(stack, member, |line| {
        if refusal::is_refusal(line) {
            read.refusals += 1;
            read.shown.push_back(line.chars().take(300).collect());
            if read.shown.len() > SHOWN {
                read.shown.pop_front();
            }
        } else if refusal::mentions(line) {
            read.quoted += 1;
        }
    })
    .await?;
    Ok(read)
}
