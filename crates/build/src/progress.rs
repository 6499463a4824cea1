//! What a build tells while it runs.

use std::time::Duration;

use plimsoll_sandbox::Stream;

use crate::{explain::Reason, graph::Title, remote::Transfer};

/// Something happened. A step is named by its index in the graph.
#[derive(Debug)]
pub enum Event<'a> {
    /// Something about the whole build that a person should know, one sentence.
    Note(&'a str),
    /// A step is being done, or was found in the cache.
    Started {
        /// The step, by its index in the graph.
        step: usize,
        /// Its stage, its number there and its instruction.
        title: &'a Title,
        /// The steps that it depends on; each has been told of before.
        inputs: &'a [usize],
    },
    /// What a step needs has come from the network.
    Fetched {
        /// The step, by its index in the graph.
        step: usize,
        /// What came, how much, and when it began and ended.
        transfer: &'a Transfer,
    },
    /// A step wrote something.
    Output {
        /// The step, by its index in the graph.
        step: usize,
        /// Whether it went to standard output or to standard error.
        stream: Stream,
        /// The bytes as the command wrote them; they may end inside a line or a character.
        bytes: &'a [u8],
    },
    /// A step waits for what another one has, one sentence.
    Waiting {
        /// The step, by its index in the graph.
        step: usize,
        /// For what, and who has it.
        what: &'a str,
    },
    /// A step is done.
    Finished {
        /// The step, by its index in the graph.
        step: usize,
        /// Whether it ran, came from the cache or failed.
        outcome: Outcome<'a>,
        /// How long it took, the look into the cache included.
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
    /// It failed, and the build ends with its error.
    Failed,
    /// It was stopped because another step failed.
    Stopped,
}

/// Receives a build's events, from several threads.
pub trait Progress: Sync {
    /// Called for each event, from the thread that has it; a slow call holds that thread up.
    fn event(&self, event: &Event<'_>);
}

/// Ignores all events.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _: &Event<'_>) {}
}
