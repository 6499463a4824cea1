//! The standing limit: after each build the home is brought below it.

use std::{collections::HashSet, path::Path};

use plimsoll_build::Builder;
use plimsoll_image::{Digest, Store, StoreError};

use super::{Wish, evict};
use crate::{
    Failure, Reporter,
    policy::{Policy, Size},
    sizes::megabytes,
};

/// The variable that sets the limit; it wins over `plimsoll.toml`.
const VARIABLE: &str = "PLIMSOLL_KEEP_STORAGE";

/// How many bytes the home may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget(u64);

impl Budget {
    /// The limit, where there is one.
    ///
    /// # Errors
    /// When the variable holds no size.
    pub fn find(policy: &Policy) -> Result<Option<Self>, Failure> {
        match std::env::var(VARIABLE) {
            Ok(text) if !text.is_empty() => match Size::try_from(text) {
                Ok(Size(bytes)) => Ok(Some(Self(bytes))),
                Err(reason) => Err(Failure::new(
                    format!("{VARIABLE}: {reason}"),
                    "write it like 20GB, or leave it empty for no limit",
                )),
            },
            _ => Ok(policy.build.keep_storage.map(|Size(bytes)| Self(bytes))),
        }
    }
}

/// Brings the home below the limit; what the images `built` need stays. Another build that runs at the same time does
/// this at its own end. Nothing here fails a build.
pub fn hold(
    budget: Budget,
    home: &Path,
    store: &Store,
    builder: &Builder,
    built: &[Digest],
    reporter: &dyn Reporter,
) {
    let wish = Wish {
        keep: Some(budget.0),
        cached: builder.cached_layers(),
        spared: built.iter().copied().collect::<HashSet<_>>(),
        ..Wish::default()
    };
    let limit = megabytes(budget.0);
    match evict(home, store, &wish) {
        Err(StoreError::InUse { .. }) => {}
        Err(error) => reporter.line(&format!("note  the limit of {limit} could not be kept: {error}")),
        Ok(freed) => {
            if freed.bytes > 0 {
                reporter.line(&format!("freed {} to stay below {limit}", megabytes(freed.bytes)));
            }
            if freed.total > budget.0 {
                reporter.line(&format!(
                    "note  {} are in use, more than the limit of {limit}: the rest is needed by images",
                    megabytes(freed.total)
                ));
            }
        }
    }
}
