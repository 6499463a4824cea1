use std::sync::PoisonError;

use super::{ClaimSpec, MeasureError, Outcome, front_reaches};
use crate::{
    certificate::Group,
    front,
    spread::{Replica, Spread},
    stack::Stack,
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "replicas-reached",
    title: "each container of a service gets a part of the load",
    group: Group::Http,
    requirements: &["R-139"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

/// How probable it may be that a balancer which draws by lot has left one out.
const DOUBT: f64 = 0.001;
/// Words of proxies' configurations by which one visitor stays with one container. The load is one visitor.
const AFFINITY: &[&str] = &[
    "ip_hash",
    "hash $",
    "balance source",
    "balance hdr",
    "balance uri",
    "balance url_param",
    "balance rdp-cookie",
    "balance first",
    "stick on",
    "stick-table",
    "sticky",
    "lb_policy first",
    "lb_policy header",
    "lb_policy query",
    "lb_policy cookie",
    "_hash",
    "uri_hash",
    "ring_hash",
    "maglev",
];

/// Only where a service has several containers is anything claimed.
async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let spreads = stack.spread.lock().unwrap_or_else(PoisonError::into_inner).take();
    let fronts = front::fronts(stack).await;
    let Some(spreads) = spreads else { return Ok(without_load(stack)) };
    let mut outcomes = Vec::new();
    for spread in &spreads {
        let published = fronts.all.iter().any(|front| front.service == spread.service);
        outcomes.extend(of_service(stack, spread, published));
    }
    Ok(outcomes)
}

fn expected(service: &str) -> String {
    format!("connections from the services that work with {service}, while the stack is under load")
}

/// Nothing was asked: then nothing is known of services with several containers.
fn without_load(stack: &Stack<'_>) -> Vec<Outcome> {
    let mut services: Vec<&str> = stack.lasting().map(|(member, _)| member.service.as_str()).collect();
    services.sort_unstable();
    let several: Vec<&str> = services
        .chunk_by(|one, next| one == next)
        .filter(|same| same.len() > 1)
        .map(|same| same[0])
        .collect();
    let why = "no load was put on the stack, or nothing could be read under it (memory-load)";
    several.into_iter().map(|service| Outcome::not_checked(service, expected(service), why)).collect()
}

fn of_service(stack: &Stack<'_>, spread: &Spread, published: bool) -> Vec<Outcome> {
    let expected = expected(&spread.service);
    let total: usize = spread.replicas.iter().map(Replica::connections).sum();
    if let Some(why) = &spread.unread {
        return vec![Outcome::not_checked(&spread.service, expected, why)];
    }
    if total == 0 {
        // The load goes to each of its published ports by itself.
        let why = "no request of the load led to it";
        let outcome = Outcome::not_checked(&spread.service, expected, why);
        return if published { Vec::new() } else { vec![outcome] };
    }
    let callers: Vec<&str> = spread.callers.iter().map(String::as_str).collect();
    let callers = callers.join(", ");
    let workers = u64::from(stack.facts.cpus) * spread.callers.len() as u64;
    let enough = enough(spread.replicas.len(), workers);
    let judge = |replica: &Replica| {
        let (count, outcome) = (replica.connections(), Outcome::new(&replica.subject, &expected));
        let outcome = if count > 0 {
            outcome.judge(true, format!("{count} of {total} connections"))
        } else if (total as u64) < enough {
            let few = format!(
                "none of {total} connections, which are too few to be sure: {enough} would be enough"
            );
            Outcome::not_checked(&replica.subject, &expected, few)
        } else if let Some(word) = affinity(stack, spread) {
            let why = format!(
                "none of {total} connections; {callers} keeps each visitor with one container (`{word}`)"
            );
            Outcome::not_checked(&replica.subject, &expected, why)
        } else {
            outcome.judge(
                false,
                format!(
                    "none of {total} connections: {callers} sends it nothing. A proxy that asks for the name at its \
                     start alone does not know what started later"
                ),
            )
        };
        let source = format!("/proc/{}/net/tcp, and those of its callers, under load", replica.pid);
        outcome.evidence(source, format!("{count} connections from {callers}"))
    };
    spread.replicas.iter().map(judge).collect()
}

/// The connections after which each of so many containers has got one: from balancers that draw by lot nearly surely, and
/// from those that take one after the other surely, also where each of their workers counts for itself.
fn enough(replicas: usize, workers: u64) -> u64 {
    let replicas = replicas as f64;
    let by_lot = ((DOUBT / replicas).ln() / (1.0 - 1.0 / replicas).ln()).ceil() as u64;
    let in_turn = (replicas as u64 - 1) * workers + 1;
    by_lot.max(in_turn)
}

/// The word by which a caller keeps a visitor with one container.
fn affinity(stack: &Stack<'_>, spread: &Spread) -> Option<String> {
    let mut callers = stack.of_the_file().filter(|member| spread.callers.contains(&member.name));
    callers.find_map(|member| affinity_in(&front_reaches::configuration(stack, member).0))
}

fn affinity_in(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.starts_with('#') {
            return None;
        }
        let standby = || line.trim_end_matches(';').ends_with(" backup").then_some("backup");
        AFFINITY.iter().copied().find(|word| line.contains(word)).or_else(standby).map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_enough() {
        assert_eq!(enough(2, 2), 11);
        assert_eq!(enough(3, 2), 20);
        // Each of 64 workers begins with the same one.
        assert_eq!(enough(2, 64), 65);
        // What is left out by lot is as improbable as it is said to be.
        for replicas in 2..20_usize {
            let missed = replicas as f64 * (1.0 - 1.0 / replicas as f64).powf(enough(replicas, 0) as f64);
            assert!(missed <= DOUBT, "{replicas}: {missed}");
        }
    }

    #[test]
    fn configurations_that_keep_a_visitor_with_one_container() {
        for (text, word) in [
            ("upstream api {\n  ip_hash;\n  server api:3000;\n}", Some("ip_hash")),
            ("  hash   $request_uri consistent;", Some("hash $")),
            ("server b:3000   backup;", Some("backup")),
            ("\tlb_policy cookie session", Some("lb_policy cookie")),
            ("# ip_hash;\nproxy_pass http://api:3000;", None),
            ("BACKUP_DIR=/backup\nserver api:3000;", None),
        ] {
            assert_eq!(affinity_in(text).as_deref(), word, "{text}");
        }
    }
}
