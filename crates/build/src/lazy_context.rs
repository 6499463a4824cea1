//! A named context that is fetched when a build needs it: one that nothing uses may be out of reach.

use std::{
    any::Any,
    fmt,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use crate::resolve::ResolveError;

/// A directory that was fetched.
pub struct FetchedContext {
    /// The directory on this machine that was fetched.
    pub root: PathBuf,
    /// When its source was made, in seconds since 1970.
    pub time: Option<i64>,
    /// What has to live as long as the directory.
    pub keep: Box<dyn Any + Send + Sync>,
}

type Fetch = dyn Fn() -> Result<FetchedContext, ResolveError> + Send + Sync;

struct Inner {
    fetch: Box<Fetch>,
    fetched: OnceLock<Result<FetchedContext, ResolveError>>,
}

/// A directory of elsewhere. Copies share what was fetched, so several builds fetch it once.
#[derive(Clone)]
pub struct LazyContext(Arc<Inner>);

impl LazyContext {
    /// A context that `fetch` brings here.
    pub fn new(fetch: impl Fn() -> Result<FetchedContext, ResolveError> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner { fetch: Box::new(fetch), fetched: OnceLock::new() }))
    }

    /// Fetches it, if nobody did before.
    pub(crate) fn get(&self) -> Result<&FetchedContext, ResolveError> {
        self.0.fetched.get_or_init(|| (self.0.fetch)()).as_ref().map_err(Clone::clone)
    }
}

impl fmt::Debug for LazyContext {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root =
            self.0.fetched.get().and_then(|fetched| fetched.as_ref().ok()).map(|fetched| &fetched.root);
        out.debug_struct("LazyContext").field("root", &root).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn it_is_fetched_once_and_only_when_needed() {
        static FETCHED: AtomicUsize = AtomicUsize::new(0);
        let context = LazyContext::new(|| {
            FETCHED.fetch_add(1, Ordering::Relaxed);
            Ok(FetchedContext { root: PathBuf::from("/x"), time: Some(5), keep: Box::new(()) })
        });
        let copy = context.clone();
        assert_eq!(FETCHED.load(Ordering::Relaxed), 0);
        assert_eq!(copy.get().unwrap().root, PathBuf::from("/x"));
        assert_eq!(context.get().unwrap().time, Some(5));
        assert_eq!(FETCHED.load(Ordering::Relaxed), 1);
    }
}
