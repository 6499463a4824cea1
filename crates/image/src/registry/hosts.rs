//! Host names, looked up once in a process.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use ureq::{
    Error,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::NextTimeout,
    },
};

type Answer = Option<ResolvedSocketAddrs>;
/// Each name has its own lock, so that a slow answer holds up nobody else, and nobody asks the same at the same time.
type Question = Arc<Mutex<Option<Answer>>>;

/// Looks a host up once. The usual resolver asks for every request, even on an open connection, and some name servers
/// drop questions that come in a burst: each then costs the resolver's timeout of 5 seconds. All clients of a process
/// share the answers, also that there is no such host.
#[derive(Debug, Default)]
pub struct KnownHosts {
    resolver: DefaultResolver,
}

fn known(host: String) -> Question {
    static KNOWN: OnceLock<Mutex<BTreeMap<String, Question>>> = OnceLock::new();
    let known = KNOWN.get_or_init(Mutex::default);
    Arc::clone(known.lock().unwrap_or_else(PoisonError::into_inner).entry(host).or_default())
}

impl Resolver for KnownHosts {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let answer = known(format!("{:?} {:?}", uri.scheme(), uri.authority()));
        let mut answer = answer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*answer {
            return known.clone().ok_or(Error::HostNotFound);
        }
        match self.resolver.resolve(uri, config, timeout) {
            Ok(addresses) => {
                *answer = Some(Some(addresses.clone()));
                Ok(addresses)
            }
            // the C library asked its servers several times already: asking again at once brings nothing
            Err(Error::HostNotFound | Error::Io(_)) => {
                *answer = Some(None);
                Err(Error::HostNotFound)
            }
            Err(error) => Err(error),
        }
    }
}
