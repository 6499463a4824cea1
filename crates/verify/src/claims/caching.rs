use super::{
    ClaimSpec, MeasureError, Outcome,
    front::{self, Page, Role},
};
use crate::{certificate::Group, stack::Stack};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "caching",
    title: "hashed files are cached for a year, everything that can change is not",
    group: Group::Http,
    requirements: &["R-072"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

/// A year, and the longest time for what can change, in seconds.
const YEAR: u64 = 31_536_000;
const SHORT: u64 = 300;

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let front = match front::front(stack).await {
        Ok(front) => front,
        Err(why) => return Ok(vec![Outcome::not_applicable("front", "Cache-Control by kind of file", why)]),
    };
    let judged = front.pages.iter().filter_map(|page| {
        let outcome = Outcome::new(front.subject(page), expectation(page.role)?);
        let lines: Vec<_> = page.answer.headers.get_all("cache-control").iter().collect();
        let found = page.answer.header("cache-control");
        let control = Control::parse(found.as_deref().unwrap_or(""));
        let holds = lines.len() <= 1 && fits(page, &control);
        let observed = match (lines.len(), &found) {
            (0, _) => format!("{}, no Cache-Control", page.answer.status),
            (1, Some(value)) => format!("{}, {value}", page.answer.status),
            (count, _) => format!("{count} Cache-Control headers"),
        };
        let source = format!("GET {} at {}", page.path, front.endpoint.name());
        Some(outcome.judge(holds, observed).evidence(
            source,
            found.map_or("no Cache-Control".to_owned(), |value| format!("cache-control: {value}")),
        ))
    });
    Ok(judged.collect())
}

fn expectation(role: Role) -> Option<&'static str> {
    match role {
        Role::FrontPage | Role::DeepLink => Some("200 with no-cache: a new release is seen at once"),
        Role::PlainFile => Some("200 with no-cache: the settings of this installation are seen at once"),
        Role::HashedAsset => Some("200 with max-age=31536000, immutable"),
        Role::MissingAsset => Some("404 that is not kept"),
        Role::Health => Some("200 that is not kept"),
        Role::Proxied => None,
    }
}

fn fits(page: &Page, control: &Control) -> bool {
    let ok = page.answer.status == 200;
    match page.role {
        Role::FrontPage | Role::DeepLink | Role::PlainFile => ok && control.revalidates(),
        Role::HashedAsset => ok && control.max_age.is_some_and(|age| age >= YEAR) && control.immutable,
        Role::MissingAsset => page.answer.status == 404 && control.is_short(),
        Role::Health => ok && control.is_short(),
        Role::Proxied => true,
    }
}

/// The parts of Cache-Control that matter here (RFC 9111, 5.2.2).
#[derive(Debug, Default, PartialEq, Eq)]
struct Control {
    max_age: Option<u64>,
    immutable: bool,
    no_cache: bool,
    no_store: bool,
}

impl Control {
    fn parse(text: &str) -> Self {
        let mut control = Self::default();
        for directive in text.split(',').map(|directive| directive.trim().to_ascii_lowercase()) {
            match directive.as_str() {
                "immutable" => control.immutable = true,
                "no-cache" => control.no_cache = true,
                "no-store" => control.no_store = true,
                other => {
                    if let Some(age) = other.strip_prefix("max-age=") {
                        control.max_age = age.trim_matches('"').parse().ok();
                    }
                }
            }
        }
        control
    }

    fn revalidates(&self) -> bool {
        self.no_cache || self.no_store || self.max_age == Some(0)
    }

    fn is_short(&self) -> bool {
        !self.immutable && (self.revalidates() || self.max_age.is_none_or(|age| age <= SHORT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives() {
        let year = Control::parse("public, max-age=31536000, Immutable");
        assert!(year.immutable && year.max_age == Some(YEAR) && !year.is_short());
        assert!(Control::parse("no-cache").revalidates());
        assert!(Control::parse("max-age=0, must-revalidate").revalidates());
        assert!(!Control::parse("max-age=600").revalidates());
        assert!(Control::parse("").is_short() && !Control::parse("").revalidates());
    }
}
