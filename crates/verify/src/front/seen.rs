//! Answers that other claims received while they worked: smoke checks, load, a service that was stopped.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{http::Answer, smoke::Check};

/// So many different answers are kept.
const LIMIT: usize = 500;

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A smoke check, alone or under load.
    Smoke,
    /// A request while a service behind the front was stopped.
    Stopped,
}

/// What was asked, as the check has it, before captured values are put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    /// The names of its own headers in small letters, sorted.
    pub(crate) headers: Vec<String>,
}

impl Asked {
    pub(crate) fn get(path: &str) -> Self {
        Self { method: "GET".to_owned(), path: path.to_owned(), headers: Vec::new() }
    }

    pub(crate) fn of(check: &Check) -> Self {
        let (method, path) = check.request.split_once(' ').unwrap_or(("GET", &check.request));
        let mut headers: Vec<String> = check.headers.keys().map(|name| name.to_ascii_lowercase()).collect();
        headers.sort();
        Self { method: method.to_owned(), path: path.to_owned(), headers }
    }

    /// The headers by which the application knows who asks.
    pub(crate) fn logins(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(String::as_str).filter(|name| matches!(*name, "authorization" | "cookie"))
    }
}

/// One kind of answer: the first with its status to what was asked.
#[derive(Clone, Debug)]
pub(crate) struct SeenAnswer {
    pub(crate) front: String,
    pub(crate) asked: Asked,
    pub(crate) source: Source,
    pub(crate) answer: Answer,
}

impl SeenAnswer {
    /// What a claim about it is about.
    pub(crate) fn about(&self) -> String {
        let Asked { method, path, headers } = &self.asked;
        let with = if headers.is_empty() { String::new() } else { format!(" with {}", headers.join(", ")) };
        format!("{} {method} {path} {}{with}", self.front, self.answer.status)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    answers: Vec<SeenAnswer>,
    /// There were more than are kept.
    more: bool,
}

impl Seen {
    /// Keeps an answer, unless one like it is known.
    pub(crate) fn note(&self, front: &str, source: Source, asked: Asked, answer: &Answer) {
        let mut kept = self.kept();
        let known = kept
            .answers
            .iter()
            .any(|seen| seen.front == front && seen.asked == asked && seen.answer.status == answer.status);
        if known {
            return;
        }
        if kept.answers.len() == LIMIT {
            kept.more = true;
            return;
        }
        let front = front.to_owned();
        kept.answers.push(SeenAnswer { front, asked, source, answer: answer.clone() });
    }

    pub(crate) fn all(&self) -> Vec<SeenAnswer> {
        self.kept().answers.clone()
    }

    /// Why these are not all, if so: what is not here is not judged.
    pub(crate) fn cut(&self) -> Option<String> {
        self.kept()
            .more
            .then(|| format!("more than {LIMIT} different answers came: the others were not kept"))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_source::Source as Text;

    use super::*;
    use crate::smoke::SmokeFile;

    fn answer(status: u16) -> Answer {
        Answer { status, headers: hyper::HeaderMap::new(), body: Vec::new() }
    }

    fn check(headers: &str) -> Check {
        let text = format!(
            "[[check]]\nname = \"x\"\nrequest = \"GET /x/{{id}}\"\nheaders = {headers}\nexpect = {{ status = 200 }}\n"
        );
        SmokeFile::parse(&Text::new("smoke.toml", text)).unwrap().checks.remove(0)
    }

    #[test]
    fn a_request_with_a_login_is_another_one() {
        let seen = Seen::default();
        let with = Asked::of(&check("{ Cookie = \"a=1\", Authorization = \"Bearer x\" }"));
        assert_eq!(with.logins().collect::<Vec<_>>(), ["authorization", "cookie"]);
        let without = Asked::of(&check("{}"));
        assert_eq!(without, Asked::get("/x/{id}"));
        for asked in [&without, &with, &without] {
            seen.note("front", Source::Smoke, asked.clone(), &answer(200));
        }
        let about: Vec<String> = seen.all().iter().map(SeenAnswer::about).collect();
        assert_eq!(about, ["front GET /x/{id} 200", "front GET /x/{id} 200 with authorization, cookie"]);
    }

    #[test]
    fn what_is_not_kept_is_said() {
        let seen = Seen::default();
        for number in 0..LIMIT {
            seen.note("front", Source::Smoke, Asked::get(&format!("/{number}")), &answer(200));
        }
        seen.note("front", Source::Smoke, Asked::get("/0"), &answer(200));
        assert_eq!(seen.cut(), None);
        seen.note("front", Source::Smoke, Asked::get("/0"), &answer(502));
        assert!(seen.cut().is_some() && seen.all().len() == LIMIT);
    }
}
