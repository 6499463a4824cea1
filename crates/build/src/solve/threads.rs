//! The threads of a build: what they tell, and those that download for steps.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use super::Solver;
use crate::{
    copying::{self, CopyError, Fetched},
    error::BuildError,
    explain::Reason,
    graph::{CopyOp, Node, Op},
    key::Key,
    snapshot::Snapshot,
};

/// What a thread reports to the one that schedules.
pub(super) enum Message {
    Finished(Box<Finished>),
    /// The downloads of this step are here, or cannot be had.
    Arrived(usize),
    /// The thread that did this step, or fetched for it, panicked.
    Died {
        node: usize,
        did: bool,
    },
}

/// Reports a thread that panics before it could report anything, so that nobody waits for it.
pub(super) struct PanicNotice {
    pub(super) node: usize,
    /// The thread did the step.
    pub(super) did: bool,
    pub(super) sender: mpsc::Sender<Message>,
}

impl Drop for PanicNotice {
    fn drop(&mut self) {
        if thread::panicking() {
            // The receiver lives as long as the scope of the threads.
            let _ = self.sender.send(Message::Died { node: self.node, did: self.did });
        }
    }
}

/// A step that was done, or failed.
pub(super) struct Finished {
    pub(super) node: usize,
    pub(super) key: Key,
    pub(super) reason: Reason,
    pub(super) elapsed: Duration,
    pub(super) result: Result<Snapshot, BuildError>,
}

impl Solver<'_> {
    /// The steps that download something.
    pub(super) fn downloads(&self) -> Vec<usize> {
        let downloads = |node: &Node| matches!(&node.op, Op::Copy(op) if !op.downloads.is_empty());
        let nodes = self.graph.nodes.iter().enumerate();
        nodes.filter(|(_, node)| downloads(node)).map(|(number, _)| number).collect()
    }

    /// Fetches for one step after the other, in a thread of its own.
    pub(super) fn download(&self, waiting: &Mutex<VecDeque<usize>>, sender: &mpsc::Sender<Message>) {
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(node) = next.filter(|_| !self.cancel.is_cancelled()) else { return };
            let notice = PanicNotice { node, did: false, sender: sender.clone() };
            if let Op::Copy(op) = &self.graph.nodes[node].op {
                let fetched = copying::fetch(op, self.caches.remotes);
                self.arrived.lock().unwrap_or_else(PoisonError::into_inner).insert(node, fetched);
            }
            drop(notice);
            // The receiver lives as long as this scope.
            let _ = sender.send(Message::Arrived(node));
        }
    }

    /// What a step downloads; an error is told once.
    pub(super) fn fetched(&self, node: usize, op: &CopyOp) -> Result<Vec<Fetched>, CopyError> {
        let mut arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        match arrived.get(&node) {
            Some(Ok(fetched)) => Ok(fetched.clone()),
            Some(Err(_)) => arrived.remove(&node).unwrap_or_else(|| Ok(Vec::new())),
            None if op.downloads.is_empty() => Ok(Vec::new()),
            None => copying::fetch(op, self.caches.remotes),
        }
    }
}
