//! Addresses that stand in a program: their parts, and the password that its store then has to have.

use crate::model::{
    Address, Confidence, Evidence, Fact, Part, Question, Store, StoreKind, StoreUse, Survey, is_this_machine,
};

/// The parts that a URL in the source has, but for its host. What is encoded in it is left out.
pub(in crate::detect) fn of_url(url: &str, evidence: &[Evidence]) -> Vec<(Part, Fact<String>)> {
    let Some((_, rest)) = url.split_once("://") else { return Vec::new() };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let port = place.rsplit_once(':').map_or("", |(_, port)| port);
    let database = path.split(['?', '#']).next().unwrap_or_default();
    let texts =
        [(Part::Port, port), (Part::User, user), (Part::Password, password), (Part::Database, database)];
    let plain = |text: &str| !text.is_empty() && !text.contains(['%', '{', '}', '$', '/']);
    let known = texts.into_iter().filter(|(_, text)| plain(text));
    known.map(|(part, text)| (part, Fact { value: text.to_owned(), evidence: evidence.to_vec() })).collect()
}

/// Gives each store the login that stands in the source of a program that reaches it: with another one nothing would let
/// the program in. That is asked, since whoever has the source then has the password.
pub(super) fn logins(survey: &mut Survey) {
    let mut stores = std::mem::take(&mut survey.stores);
    for store in &mut stores {
        let uses: Vec<(&str, &StoreUse)> = survey
            .services
            .iter()
            .flat_map(|service| service.stores.iter().map(|used| (service.name.as_str(), used)))
            .filter(|(_, used)| used.kind == store.kind && used.store == store.name && is_reached(used))
            .collect();
        let part = |part: Part| {
            let mut written = uses.iter().filter_map(|(_, used)| used.address.as_ref()?.written(part));
            written.find(|text| !text.value.is_empty()).cloned()
        };
        if matches!(store.kind, StoreKind::Postgresql | StoreKind::Mysql) {
            store.user = part(Part::User).or(store.user.take());
            store.database = part(Part::Database).or(store.database.take());
        }
        store.password = part(Part::Password).filter(|_| store.kind != StoreKind::Rabbitmq);
        if let Some(password) = &store.password {
            survey.questions.push(question(store, password));
        }
    }
    survey.stores = stores;
}

/// Whether what stands in the program leads to the store: not to the container of the program itself.
fn is_reached(used: &StoreUse) -> bool {
    let Some(address) = &used.address else { return false };
    address.written(Part::Host).is_none_or(|host| !is_this_machine(&host.value))
        && !matches!(address, Address::Url { .. })
}

fn question(store: &Store, password: &Fact<String>) -> Question {
    let place = password.evidence.first();
    let place = place.map(|place| format!(" at {}:{}", place.file, place.line)).unwrap_or_default();
    Question {
        id: format!("{}.password", store.name),
        text: format!(
            "The password of {} stands in the source{place}, and no variable changes it. Shall {} be given this \
             password, so that the program gets in, or one of its own (`own`)?",
            store.name, store.name
        ),
        options: vec!["source".to_owned(), "own".to_owned()],
        default: Some("source".to_owned()),
        confidence: Confidence::Likely,
        evidence: password.evidence.clone(),
    }
}
