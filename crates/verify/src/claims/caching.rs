use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    front::{self, Front, Nature, Role, SeenAnswer, html},
    http::Answer,
    stack::Stack,
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "caching",
    title: "hashed files are cached for a year, everything that can change is not",
    group: Group::Http,
    requirements: &["R-072"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

/// A year (some frameworks count 365 days, some 365.25), and the longest times for what can change, in seconds.
const YEAR: u64 = 31_536_000;
const SHORT: u64 = 300;
const DAY: u64 = 86_400;
const MONTH: u64 = 31 * DAY;

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let fronts = front::fronts(stack).await;
    let mut outcomes = Vec::new();
    for front in fronts.all.iter().filter(|front| fronts.is_for_visitors(front)) {
        outcomes.extend(of_front(front));
    }
    // An answer that the pages do not show: of a smoke check, or of the front while a service was stopped.
    for seen in stack.seen.all() {
        let Some(front) = fronts.all.iter().find(|front| front.subject == seen.front) else { continue };
        let rule = rule_of_seen(front, &seen);
        let control = Control::of(&seen.answer);
        let judged = fits(rule, &control, &seen.answer).and_then(|()| kept_apart(rule, &control, &seen));
        if let Err(wrong) = judged {
            let source = format!("{} {} at {}", seen.asked.method, seen.asked.path, front.endpoint.name());
            let outcome = Outcome::new(seen.about(), rule.words()).judge(false, wrong);
            outcomes.push(outcome.evidence(source, control.text));
        }
    }
    let words = "Cache-Control by kind of file";
    outcomes.extend(stack.seen.cut().map(|why| Outcome::not_checked("front answers", words, why)));
    if outcomes.is_empty() {
        let why = fronts.with_pages().err().unwrap_or_else(|| "nothing was fetched".to_owned());
        outcomes.push(Outcome::not_applicable("front", words, why));
    }
    Ok(outcomes)
}

fn of_front(front: &Front) -> Vec<Outcome> {
    if let Some(broken) = &front.broken {
        return vec![Outcome::new(&front.subject, "Cache-Control by kind of file").judge(false, broken)];
    }
    let judged = front.pages.iter().filter_map(|page| {
        let rule = rule_of_page(front, page)?;
        let control = Control::of(&page.answer);
        let judged = fits(rule, &control, &page.answer);
        let observed = match &judged {
            Ok(()) => format!("{}, {}", page.answer.status, control.text),
            Err(wrong) => wrong.clone(),
        };
        Some(
            Outcome::new(front.about(page), rule.words())
                .judge(judged.is_ok(), observed)
                .evidence(front.source(page), control.text.clone()),
        )
    });
    judged.collect()
}

/// How long an answer may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// A page or script of an application: it names what belongs to one release.
    Asked,
    /// A page of a site: five minutes at most.
    Page,
    /// A script or style sheet of a site with a fixed name: a day at most.
    Code,
    /// A picture, font or icon with a fixed name: a month at most.
    Media,
    /// A file whose address changes with its content.
    Hashed,
    /// An answer of the application, an error, a health answer: not for long, whoever keeps it.
    Fresh,
}

impl Rule {
    fn words(self) -> &'static str {
        match self {
            Self::Asked => "200 with no-cache or at most 300 s: a new release is seen at once",
            Self::Page => "kept for 300 s at most, and not by a guess from Last-Modified",
            Self::Code => "a fixed name: kept for a day at most",
            Self::Media => "a fixed name: kept for a month at most, not immutable",
            Self::Hashed => "200 with max-age of a year",
            Self::Fresh => "kept for 300 s at most",
        }
    }
}

fn rule_of_page(front: &Front, page: &front::Page) -> Option<Rule> {
    let there = page.answer.status == 200;
    let is_page = page.answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    Some(match page.role {
        Role::FrontPage if front.nature == Nature::Application => Rule::Asked,
        Role::DeepLink if front.has_deep_links() => Rule::Asked,
        Role::FrontPage if front.has_pages() => Rule::Page,
        Role::HashedAsset => Rule::Hashed,
        // Its address changes with its content: both are right.
        Role::VersionedFile if there => return None,
        Role::PlainFile if front.nature == Nature::Application => Rule::Asked,
        Role::PlainFile if there => Rule::Code,
        // An application answers what is not there with its page.
        Role::Media | Role::WellKnown | Role::ServiceWorker if there && is_page => return None,
        Role::Media if there => Rule::Media,
        Role::WellKnown if there && html::is_media(&page.path) => Rule::Media,
        Role::WellKnown if there => Rule::Code,
        Role::ServiceWorker if there => Rule::Fresh,
        _ => Rule::Fresh,
    })
}

/// `/assets/{script}`, `/static/base.{style}.css`: the last part of the path is a file's name of which a part was captured.
fn captures_file(path: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or_default();
    let static_files = ["/assets", "/static", "/_next", "/_nuxt", "/_app", "/build"];
    name.contains('{') && (name.contains("}.") || static_files.iter().any(|known| folder.starts_with(known)))
}

fn rule_of_seen(front: &Front, seen: &SeenAnswer) -> Rule {
    let asked = &seen.asked;
    let path = asked.path.split('?').next().unwrap_or_default();
    let known = front.pages.iter().find(|page| page.path == asked.path && page.method == asked.method);
    match (seen.answer.status, known.and_then(|page| rule_of_page(front, page))) {
        (200, Some(rule)) => rule,
        // A captured name of a file is one that changes: nobody captures what is always the same.
        (200, None) if html::is_hashed(path) || captures_file(path) => Rule::Hashed,
        (200, None) if html::is_media(path) => Rule::Media,
        (200, None) if path.rsplit('/').next().is_some_and(|name| name.contains('.')) => Rule::Code,
        _ => Rule::Fresh,
    }
}

/// What is wrong.
fn fits(rule: Rule, control: &Control, answer: &Answer) -> Result<(), String> {
    if control.lines > 1 {
        return Err(format!("{} Cache-Control headers", control.lines));
    }
    let status = answer.status;
    // 301 and 308 say of themselves that they are for good.
    if matches!(status, 301 | 308 | 304) {
        return Ok(());
    }
    let at_most = |most: u64| {
        if control.immutable {
            Err(format!("{status}, immutable"))
        } else if control.longest().is_some_and(|age| age > most) && !control.revalidates() {
            Err(format!("{status}, {}: longer than {most} s", control.text))
        } else {
            Ok(())
        }
    };
    match rule {
        Rule::Hashed if status != 200 => Err(format!("{status} instead of 200")),
        Rule::Hashed => {
            let year =
                control.max_age.is_some_and(|age| age >= YEAR) && !control.no_store && !control.no_cache;
            if year { Ok(()) } else { Err(format!("{status}, {}", control.text)) }
        }
        Rule::Asked if status != 200 => Err(format!("{status} instead of 200")),
        Rule::Asked => {
            if control.longest().is_none() && !control.revalidates() {
                return Err(format!("{status}, {}: browsers guess how long to keep it", control.text));
            }
            at_most(SHORT)
        }
        Rule::Page => {
            let guessed = control.longest().is_none() && !control.revalidates() && !control.private;
            if guessed && answer.header("last-modified").is_some() {
                return Err(format!("{status}, {}: browsers guess how long to keep it", control.text));
            }
            at_most(SHORT)
        }
        Rule::Code => at_most(DAY),
        Rule::Media => at_most(MONTH),
        Rule::Fresh => {
            if control.is_for_all() && answer.header("set-cookie").is_some() {
                return Err(format!("{status}, {}: a cookie that everybody may be given", control.text));
            }
            at_most(SHORT)
        }
    }
}

/// What was made for somebody whom the application knows by a header must not be given to others by a cache on the way
/// (RFC 9111, 3.5), unless the cache tells them apart by that header. Files are the same for everybody, errors too.
fn kept_apart(rule: Rule, control: &Control, seen: &SeenAnswer) -> Result<(), String> {
    let status = seen.answer.status;
    let made = matches!(rule, Rule::Fresh | Rule::Page) && matches!(status, 200..=299 | 302 | 303 | 307);
    let vary = seen.answer.header("vary").unwrap_or_default().to_ascii_lowercase();
    let varies = |login: &str| vary.split(',').map(str::trim).any(|name| name == "*" || name == login);
    match seen.asked.logins().next() {
        Some(login)
            if made && control.is_for_all() && !control.no_store && !seen.asked.logins().any(varies) =>
        {
            Err(format!("{status}, {}: asked with {login}, and everybody may be given it", control.text))
        }
        _ => Ok(()),
    }
}

/// The parts of Cache-Control that matter here (RFC 9111, 5.2.2), and Expires where it alone is there.
#[derive(Debug, Default, PartialEq, Eq)]
struct Control {
    max_age: Option<u64>,
    shared: Option<u64>,
    immutable: bool,
    no_cache: bool,
    no_store: bool,
    private: bool,
    public: bool,
    lines: usize,
    text: String,
}

impl Control {
    fn of(answer: &Answer) -> Self {
        let value = answer.header("cache-control");
        let mut control = Self::parse(value.as_deref().unwrap_or(""));
        control.lines = answer.headers.get_all("cache-control").iter().count();
        control.text = value.map_or("no Cache-Control".to_owned(), |value| format!("cache-control: {value}"));
        if let Some(expires) = answer.header("expires").filter(|_| control.max_age.is_none()) {
            control.text.push_str(&format!(", expires: {expires}"));
            // An invalid date is in the past (RFC 9111, 5.3).
            let seconds = jiff::fmt::rfc2822::parse(&expires)
                .map_or(0, |date| date.timestamp().as_second() - jiff::Timestamp::now().as_second());
            control.max_age = Some(u64::try_from(seconds).unwrap_or(0));
        }
        control
    }

    fn parse(text: &str) -> Self {
        let mut control = Self::default();
        for directive in text.split(',').map(|directive| directive.trim().to_ascii_lowercase()) {
            match directive.as_str() {
                "immutable" => control.immutable = true,
                "no-cache" => control.no_cache = true,
                "no-store" => control.no_store = true,
                "private" => control.private = true,
                "public" => control.public = true,
                other => {
                    let age = |name: &str| {
                        other.strip_prefix(name).map(|age| age.trim_matches('"').parse().unwrap_or(0))
                    };
                    control.max_age = age("max-age=").or(control.max_age);
                    control.shared = age("s-maxage=").or(control.shared);
                }
            }
        }
        control
    }

    fn revalidates(&self) -> bool {
        self.no_cache || self.no_store
    }

    /// True if a cache between may keep it and give it to others.
    fn is_for_all(&self) -> bool {
        self.public || self.shared.is_some_and(|age| age > 0)
    }

    /// The longest time for which anybody may keep it.
    fn longest(&self) -> Option<u64> {
        self.max_age.max(self.shared)
    }
}

/// For the fuzz targets: every reader of this file.
#[cfg(fuzzing)]
pub(super) fn fuzz(answer: &Answer) {
    let control = Control::of(answer);
    let rules = [Rule::Asked, Rule::Page, Rule::Hashed, Rule::Code, Rule::Media, Rule::Fresh]
        .map(|rule| fits(rule, &control, answer));
    let _ = (rules, captures_file(&answer.text()));
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderMap, HeaderName, HeaderValue};

    use super::*;
    use crate::front::{Asked, Source};

    fn answer(status: u16, headers: &[(&'static str, &'static str)]) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Answer { status, headers: map, body: Vec::new() }
    }

    fn holds(rule: Rule, status: u16, headers: &[(&'static str, &'static str)]) -> bool {
        let answer = answer(status, headers);
        fits(rule, &Control::of(&answer), &answer).is_ok()
    }

    /// What an answer to a request with these headers comes to.
    fn apart(rule: Rule, asked: &[&str], headers: &[(&'static str, &'static str)]) -> bool {
        let answer = answer(200, headers);
        let asked = Asked {
            headers: asked.iter().map(|name| (*name).to_owned()).collect(),
            ..Asked::get("/api/items")
        };
        let seen = SeenAnswer { front: "front".to_owned(), asked, source: Source::Smoke, answer };
        kept_apart(rule, &Control::of(&seen.answer), &seen).is_ok()
    }

    #[test]
    fn an_answer_to_a_login_is_for_one() {
        let (login, cookie) = (["authorization"], ["cookie"]);
        let minute = [("cache-control", "public, max-age=60")];
        assert!(!apart(Rule::Fresh, &login, &minute) && !apart(Rule::Page, &cookie, &minute));
        assert!(!apart(Rule::Fresh, &login, &[("cache-control", "s-maxage=60")]));
        assert!(!apart(Rule::Fresh, &login, &[("cache-control", "public, no-cache")]));
        // Without a login, and files, which are the same for all.
        assert!(apart(Rule::Fresh, &[], &minute) && apart(Rule::Fresh, &["accept"], &minute));
        assert!(apart(Rule::Hashed, &login, &minute) && apart(Rule::Code, &cookie, &minute));
        for right in
            ["no-store", "private, max-age=60", "no-cache", "max-age=60", "s-maxage=0", "public, no-store"]
        {
            assert!(apart(Rule::Fresh, &login, &[("cache-control", right)]), "{right}");
        }
        // A cache tells the two apart.
        let varies = [minute[0], ("vary", "Accept-Encoding, Cookie")];
        assert!(apart(Rule::Fresh, &cookie, &varies) && !apart(Rule::Fresh, &login, &varies));
    }

    #[test]
    fn directives() {
        let year = Control::parse("public, max-age=31536000, Immutable");
        assert!(year.immutable && year.max_age == Some(YEAR) && year.public);
        assert!(Control::parse("no-cache").revalidates());
        assert_eq!(Control::parse("max-age=60, s-maxage=600").longest(), Some(600));
    }

    #[test]
    fn what_may_be_kept_for_how_long() {
        let year = [("cache-control", "public, max-age=31536000")];
        let none: [(&str, &str); 0] = [];
        let minute = [("cache-control", "public, max-age=60")];
        assert!(holds(Rule::Hashed, 200, &year) && !holds(Rule::Hashed, 200, &none));
        assert!(!holds(Rule::Hashed, 404, &year) && !holds(Rule::Fresh, 404, &year));
        assert!(holds(Rule::Asked, 200, &[("cache-control", "no-cache")]) && !holds(Rule::Asked, 200, &none));
        assert!(holds(Rule::Page, 200, &minute) && holds(Rule::Page, 200, &none));
        assert!(!holds(Rule::Page, 200, &[("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT")]));
        assert!(!holds(Rule::Fresh, 200, &year) && holds(Rule::Fresh, 200, &none));
        assert!(!holds(Rule::Fresh, 200, &[("expires", "Thu, 31 Dec 2099 23:59:59 GMT")]));
        assert!(holds(Rule::Fresh, 200, &[("expires", "0")]));
        assert!(!holds(Rule::Fresh, 200, &[("cache-control", "public"), ("set-cookie", "session=1")]));
        assert!(!holds(Rule::Fresh, 502, &[("cache-control", "s-maxage=3600")]));
        assert!(!holds(Rule::Fresh, 200, &[("cache-control", "no-cache"), ("cache-control", "no-store")]));
        assert!(
            holds(Rule::Code, 200, &[("cache-control", "max-age=3600")]) && !holds(Rule::Code, 200, &year)
        );
        assert!(!holds(Rule::Media, 200, &[("cache-control", "max-age=600, immutable")]));
    }
}
