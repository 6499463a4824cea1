//! The certificate for people: as text for a terminal and as a page.

mod html;
mod overview;
mod references;
mod terminal;

use crate::certificate::{Certificate, Claim, Group};

pub use html::{HtmlError, html};
pub use terminal::terminal;

/// The claims by group, each group once, in the order of [`Group`].
fn groups(certificate: &Certificate) -> Vec<(Group, Vec<&Claim>)> {
    let mut groups: Vec<Group> = certificate.claims.iter().map(|claim| claim.group).collect();
    groups.sort_unstable();
    groups.dedup();
    let of = |group| certificate.claims.iter().filter(|claim| claim.group == group).collect();
    groups.into_iter().map(|group| (group, of(group))).collect()
}
