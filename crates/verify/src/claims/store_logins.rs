use std::{collections::VecDeque, time::Duration};

use plimsoll_engine::ExecSpec;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::{Group, Status},
    log, nature,
    server::{self, Server},
    stack::{Member, Stack},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "store-logins",
    title: "no store has refused a client's user name or password",
    group: Group::Network,
    requirements: &["R-139"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

const SHOWN: usize = 3;
const LIMIT: Duration = Duration::from_secs(10);

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let stores: Vec<&Member> = tokio::task::block_in_place(|| {
        let lasting = stack.lasting().map(|(member, _)| member);
        lasting.filter(|member| nature::store(stack, member).is_some()).collect()
    });
    futures_util::future::join_all(stores.iter().map(|member| log::settle(stack, member))).await;
    let mut outcomes = Vec::new();
    for member in stores {
        outcomes.push(of_store(stack, member).await);
    }
    Ok(outcomes)
}

async fn of_store(stack: &Stack<'_>, member: &Member) -> Outcome {
    let expected = "since its start it has refused no login by its user name or password";
    let (mut refused, mut shown) = (0u64, VecDeque::new());
    let read = log::read(stack, member, |line| {
        if !is_refused_login(line) {
            return;
        }
        refused += 1;
        shown.push_back(line.chars().take(300).collect::<String>());
        if shown.len() > SHOWN {
            shown.pop_front();
        }
    });
    let lines = match read.await {
        Ok(lines) => lines,
        Err(error) => {
            return Outcome::not_checked(
                &member.subject,
                expected,
                format!("its log cannot be read: {error}"),
            );
        }
    };
    let mut evidence: Vec<_> = shown.into_iter().map(|line| (log::command(member), line)).collect();
    let mut observed = format!("{refused} refused in {lines} lines of its log");
    // Redis writes none of it into its log, and counts.
    if let Some((count, command)) = counted(stack, member).await {
        refused += count;
        observed += &format!("; {count} counted by the server");
        evidence.push((command, format!("WRONGPASS: {count}")));
    }
    let mut outcome = Outcome::new(&member.subject, expected).judge(refused == 0, observed);
    outcome = outcome.all_evidence(evidence);
    if lines >= log::MAX_LINES && refused == 0 {
        // What was not read is not proved.
        outcome.status = Status::NotChecked;
        outcome.observed += "; older ones were not read";
    }
    outcome
}

/// How many passwords a Redis or Valkey server has refused, and the command that told it.
async fn counted(stack: &Stack<'_>, member: &Member) -> Option<(u64, String)> {
    let pid = stack.visible_pid(member).ok()?;
    if server::of(stack, member, pid).ok()?? != Server::Redis {
        return None;
    }
    let (command, env) = server::redis(stack, member, pid, &["INFO", "errorstats"]);
    let shown = command.join(" ");
    let spec = ExecSpec { command, env, ..ExecSpec::default() };
    let output = stack.engine.exec(member.id(), &spec, LIMIT).await.ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    (output.exit_code == 0 && text.contains("# Errorstats")).then(|| (wrong_passwords(&text), shown))
}

/// `errorstat_WRONGPASS:count=12`. A client without a password (NOAUTH) may be a health check that only wants an answer.
fn wrong_passwords(text: &str) -> u64 {
    let count = text.lines().find_map(|line| line.trim().strip_prefix("errorstat_WRONGPASS:count="));
    count.and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// Whether a store's log line tells of a login that it has refused. Only what a wrong password or a forbidden host
/// brings: health checks that name no user, or none that is there, leave lines of their own and want nothing.
fn is_refused_login(line: &str) -> bool {
    let fatal = line.find("FATAL:").is_some_and(|at| {
        let text = line[at + "FATAL:".len()..].trim_start();
        text.starts_with("password authentication failed for user")
            || text.starts_with("no pg_hba.conf entry for")
    });
    // The server's own host and an empty password are health checks of the kind `mysqladmin ping`.
    let denied = line.find("Access denied for user '").is_some_and(|at| {
        line[at..].contains("(using password: YES)") && !line[at..].contains("'@'localhost'")
    });
    let rabbit = line.contains(" login refused: user '");
    let mongo = line.contains("\"msg\":\"Authentication failed\"");
    fatal || denied || rabbit || mongo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_logins_as_stores_word_them() {
        for line in [
            "2026-11-30 14:02:11.120 UTC [71] FATAL:  password authentication failed for user \"postgres\"",
            "2026-11-30 14:02:11 UTC [7] FATAL:  no pg_hba.conf entry for host \"172.18.0.4\", user \"a\", database \"a\", no encryption",
            "2026-11-30 14:02:11 9 [Warning] Access denied for user 'app'@'172.18.0.4' (using password: YES)",
            "2026-11-30 14:02:11.1 [error] <0.702.0> PLAIN login refused: user 'app' - invalid credentials",
            r#"{"t":{"$date":"2026-11-30T14:02:11Z"},"s":"I","c":"ACCESS","msg":"Authentication failed","attr":{}}"#,
        ] {
            assert!(is_refused_login(line), "{line}");
        }
        for line in [
            "2026-11-30 14:02:11.120 UTC [71] FATAL:  the database system is starting up",
            "2026-11-30 14:02:11.120 UTC [71] FATAL:  role \"root\" does not exist",
            "2026-11-30 14:02:11 9 [Warning] Access denied for user 'root'@'localhost' (using password: NO)",
            "2026-11-30 14:02:11 9 [Warning] Access denied for user 'health'@'localhost' (using password: YES)",
            "STATEMENT:  insert into log values ('password authentication failed for user')",
        ] {
            assert!(!is_refused_login(line), "{line}");
        }
    }

    #[test]
    fn what_redis_counts() {
        let text = "# Errorstats\r\nerrorstat_NOAUTH:count=7\r\nerrorstat_WRONGPASS:count=12\r\n";
        assert_eq!(wrong_passwords(text), 12);
        assert_eq!(wrong_passwords("# Errorstats\r\nerrorstat_NOAUTH:count=7\r\n"), 0);
    }
}
