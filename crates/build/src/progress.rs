//! What a build tells while it runs.

use std::time::Duration;

use plimsoll_sandbox::Stream;

use crate::{explain::Reason, remote::Transfer};

/// Something happened. A step is named by its index in the graph.
#[derive(Debug)]
pub enum Event<'a> {
    /// Something about the whole build that a person should know, one sentence.
    Note(&'a str),
    /// A step is being done, or was found in the cache.
    Started {
        /// Which.
        step: usize,
        /// `[build 3/7] RUN pnpm build`
        title: &'a str,
        /// The steps that it depends on; each has been told of before.
        inputs: &'a [usize],
    },
    /// What a step needs has come from the network.
    Fetched {
        /// The step.
        step: usize,
        /// What, and when.
        transfer: &'a Transfer,
    },
    /// A step wrote something.
    Output {
        /// Which.
        step: usize,
        /// Where to.
        stream: Stream,
        /// What.
        bytes: &'a [u8],
    },
    /// A step waits for what another one has, one sentence.
    Waiting {
        /// Which.
        step: usize,
        /// For what, and who has it.
        what: &'a str,
    },
    /// A step is done.
    Finished {
        /// Which.
        step: usize,
        /// How.
        outcome: Outcome<'a>,
        /// How long it took.
        elapsed: Duration,
    },
}

/// How a step ended.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// It was in the cache.
    Cached,
    /// It was done, for this reason.
    Done(&'a Reason),
    /// It failed.
    Failed,
    /// It was stopped because another step failed.
    Stopped,
}

/// Receives a build's events, from several threads.
pub trait Progress: Sync {
    /// Called for each event.
    fn event(&self, event: &Event<'_>);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _: &Event<'_>) {}
}
