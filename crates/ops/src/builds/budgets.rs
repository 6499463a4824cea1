//! Image sizes against `[budgets.images]`.

use std::collections::BTreeMap;

use super::Built;
use crate::policy::Size;

/// An image's size against what its services allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The image's name.
    pub image: String,
    /// Unpacked, in bytes.
    pub size: u64,
    /// The smallest budget of the image's services, in bytes.
    pub budget: Option<u64>,
}

impl Verdict {
    /// The image is larger than it may be.
    pub fn exceeded(&self) -> bool {
        self.budget.is_some_and(|budget| self.size > budget)
    }
}

/// One verdict for each image.
pub fn hold_to_budgets(built: &[Built], budgets: &BTreeMap<String, Size>) -> Vec<Verdict> {
    built
        .iter()
        .map(|image| Verdict {
            image: image.name.familiar(),
            size: image.record.bytes,
            budget: image.services.iter().filter_map(|service| budgets.get(service)).map(|size| size.0).min(),
        })
        .collect()
}
