//! Several variables with the address of one store: a pool's beside the direct one, a preview's beside production's. The
//! part of the program that knows the one alone has no address without it, as a migration tool's file of settings.

use super::{USUAL, complete, url};
use crate::{
    detect::stores::names,
    javascript::values::{Program, environment_read},
    model::{Address, Fact, StoreKind, StoreUse, Variable},
};

/// Words of another way to the same database.
const WAYS: [&str; 9] =
    ["POOL", "POOLED", "POOLER", "POOLING", "CONNECTION", "DIRECT", "PRIMARY", "WRITE", "UNPOOLED"];

/// Words of a database that production does not have.
const ELSEWHERE: [&str; 8] =
    ["PREVIEW", "STAGING", "TEST", "TESTING", "SHADOW", "DEV", "DEVELOPMENT", "LOCAL"];

/// Gives each store the usual variable too, where the one that was found is another way to it; a preview's variable gives
/// way to it.
pub(super) fn add(program: &Program, uses: &mut Vec<StoreUse>, environment: &[Variable]) {
    let taken: Vec<String> = uses.iter().filter_map(|used| Some(address(used)?.value.clone())).collect();
    let mut more = Vec::new();
    for used in uses.iter_mut() {
        let Some(known) = address(used).map(|variable| variable.value.clone()) else { continue };
        let Some(other) = usual(used.kind, &known, environment) else { continue };
        if taken.contains(&other.name) {
            continue;
        }
        let words = |list: &[&str]| known.split('_').any(|word| list.contains(&word));
        let elsewhere = words(&ELSEWHERE);
        if !elsewhere && !words(&WAYS) && !alternative(program, &known, &other.name) {
            continue;
        }
        let variable = Fact { value: other.name.clone(), evidence: other.evidence.clone() };
        let mut second = StoreUse { address: Some(url(variable, other.default.as_deref())), ..used.clone() };
        complete(&mut second, environment);
        if elsewhere {
            *used = second;
        } else {
            more.push(second);
        }
    }
    uses.extend(more);
}

fn address(used: &StoreUse) -> Option<&Fact<String>> {
    match used.address.as_ref()? {
        Address::Url { variable, .. } => Some(variable),
        _ => None,
    }
}

/// The usual variable of a kind that the program reads besides, and whose default is for no other kind.
fn usual<'a>(kind: StoreKind, known: &str, environment: &'a [Variable]) -> Option<&'a Variable> {
    let (_, names) = USUAL.iter().find(|(other, _)| *other == kind)?;
    if kind == StoreKind::Sqlite {
        return None;
    }
    // `DATABASE_URL` beside `MONGOLAB_URI` may be that of another database.
    let own = |name: &str| name != known && names::is_address(kind, name);
    let mut listed = names.iter().filter(|name| own(name));
    listed.find_map(|name| environment.iter().find(|variable| variable.name == *name))
}

/// `process.env.A || process.env.B`, in either order.
fn alternative(program: &Program, one: &str, other: &str) -> bool {
    program.scripts().any(|script| {
        (0..script.tokens.len()).any(|at| {
            let Some((first, last)) = environment_read(script, at) else { return false };
            if !script.is(last + 1, "||") && !script.is(last + 1, "??") {
                return false;
            }
            let second = environment_read(script, last + 2).map(|(name, _)| name);
            let pair = [Some(first.as_str()), second.as_deref()];
            pair == [Some(one), Some(other)] || pair == [Some(other), Some(one)]
        })
    })
}
