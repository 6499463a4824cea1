use futures_util::StreamExt as _;
use plimsoll_engine::LogOptions;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
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

/// How programs write EROFS and EACCES.
const SIGNS: [&str; 4] = ["EROFS", "EACCES", "read-only file system", "permission denied"];
const MAX_LINES: usize = 200_000;
const SHOWN: usize = 5;

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let mut outcomes = Vec::new();
    for member in &stack.members {
        outcomes.push(of_member(stack, member).await?);
    }
    Ok(outcomes)
}

async fn of_member(stack: &Stack<'_>, member: &Member) -> Result<Outcome, MeasureError> {
    let outcome = Outcome::new(&member.subject, format!("no line with {}", SIGNS.join(", ")));
    let mut lines = 0;
    let mut found = Vec::new();
    let mut log = stack.engine.logs(member.id(), &LogOptions::default());
    while let Some(line) = log.next().await {
        let line = line?;
        lines += 1;
        if is_refusal(&line.text) {
            found.push(line.text.chars().take(300).collect::<String>());
        }
        if lines == MAX_LINES {
            break;
        }
    }
    let source = format!("docker logs {}", member.name);
    let observed = format!("{} of {lines} lines", found.len());
    let evidence: Vec<_> = match found.as_slice() {
        [] => vec![(source, format!("{lines} lines, none matches"))],
        found => found.iter().take(SHOWN).map(|line| (source.clone(), line.clone())).collect(),
    };
    Ok(outcome.judge(found.is_empty(), observed).all_evidence(evidence))
}

fn is_refusal(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    SIGNS.iter().any(|sign| line.contains(&sign.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn refusals_as_programs_write_them() {
        assert!(super::is_refusal("Error: EROFS: read-only file system, open '/app/x'"));
        assert!(super::is_refusal("nginx: open() \"/run/nginx.pid\" failed (13: Permission denied)"));
        assert!(!super::is_refusal("database system is ready to accept connections"));
    }
}
