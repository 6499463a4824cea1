//! `pull_policy`: words, and how old an image may get; and pulls by the engine, with a word when they take long.

use std::{
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use plimsoll_engine::{Engine, EngineError, Pulled};

use crate::sizes::megabytes;

/// What takes longer is told.
pub const LONG: Duration = Duration::from_secs(5);

/// Lets the engine pull an image; `tell` hears when it takes long, and how far it is.
pub async fn pull(
    engine: &Engine,
    image: &str,
    platform: Option<&str>,
    tell: impl Fn(&str),
) -> Result<(), EngineError> {
    let here = Mutex::new(Pulled::default());
    let mut moved = |pulled| *here.lock().unwrap_or_else(PoisonError::into_inner) = pulled;
    let work = engine.pull_image_telling(image, platform, &mut moved);
    let tell = |time| {
        let pulled = *here.lock().unwrap_or_else(PoisonError::into_inner);
        tell(&sentence(image, pulled, time));
    };
    telling(LONG, work, tell).await
}

/// How far a pull is.
fn sentence(image: &str, pulled: Pulled, time: Duration) -> String {
    let seconds = time.as_secs();
    match pulled {
        Pulled { total: 0, .. } => {
            format!("waiting: engine pulls {image} for {seconds} s, and no layer has begun to come")
        }
        Pulled { done, total } if done == total => {
            format!("waiting: engine pulls {image} for {seconds} s: it unpacks {}", megabytes(total))
        }
        Pulled { done, total } => format!(
            "waiting: engine pulls {image} for {seconds} s: {} of {} are here",
            megabytes(done),
            megabytes(total)
        ),
    }
}

/// Does the work. If it takes long, `tell` hears how long: after `first`, and whenever that has doubled.
pub async fn telling<T>(first: Duration, work: impl Future<Output = T>, tell: impl Fn(Duration)) -> T {
    let mut work = std::pin::pin!(work);
    let began = tokio::time::Instant::now();
    let mut next = first;
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep_until(began + next) => {
                tell(next);
                next *= 2;
            }
        }
    }
}

/// Seconds after which an image is pulled again, for the policies that have an age.
pub fn stale_after(policy: &str) -> Option<i64> {
    const DAY: i64 = 86_400;
    match policy {
        "daily" => Some(DAY),
        "weekly" => Some(7 * DAY),
        other => other.strip_prefix("every_").and_then(seconds),
    }
}

/// `12h`, `3d`, `2w`, `1h30m`.
fn seconds(text: &str) -> Option<i64> {
    let mut total = 0_i64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: i64 = rest[..digits].parse().ok()?;
        let unit = match rest.as_bytes()[digits] {
            b'w' => 604_800,
            b'd' => 86_400,
            b'h' => 3600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        total = total.checked_add(count.checked_mul(unit)?)?;
        rest = &rest[digits + 1..];
    }
    (total > 0).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_pull_says_how_far_it_is() {
        let said = |done, total| sentence("postgres:17", Pulled { done, total }, Duration::from_secs(10));
        assert_eq!(said(0, 0), "waiting: engine pulls postgres:17 for 10 s, and no layer has begun to come");
        assert_eq!(
            said(1_500_000, 40_000_000),
            "waiting: engine pulls postgres:17 for 10 s: 1.5 MB of 40.0 MB are here"
        );
        assert_eq!(
            said(40_000_000, 40_000_000),
            "waiting: engine pulls postgres:17 for 10 s: it unpacks 40.0 MB"
        );
    }

    #[test]
    fn long_work_is_told_with_doubling_pauses_and_short_work_is_not() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let told = Mutex::new(Vec::new());
        let tell = |time: Duration| told.lock().unwrap().push(time.as_millis());
        let done = runtime.block_on(telling(Duration::from_millis(20), async { 7 }, tell));
        assert_eq!((done, told.lock().unwrap().len()), (7, 0));
        let work = tokio::time::Duration::from_millis(150);
        runtime.block_on(telling(Duration::from_millis(20), async { tokio::time::sleep(work).await }, tell));
        // 20, 40 and 80 ms, unless this machine is busy
        let told = told.lock().unwrap();
        assert_eq!(told.first(), Some(&20));
        assert!(told.windows(2).all(|pair| pair[1] == pair[0] * 2), "{told:?}");
    }

    #[test]
    fn ages_are_read() {
        assert_eq!(stale_after("daily"), Some(86_400));
        assert_eq!(stale_after("every_1h30m"), Some(5400));
        assert_eq!(stale_after("every_2w"), Some(1_209_600));
        for other in
            ["always", "missing", "every_", "every_x", "every_9", "every_9y", "every_99999999999999999w"]
        {
            assert_eq!(stale_after(other), None, "{other}");
        }
    }
}
