//! Lists a large directory of the host on all processors, so that the walk that follows finds every listing there.
//! Asking for 20,000 files one after the other is what a build with nothing to do spends its time on.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use crate::tree::{Node, Tree};

/// Trees of fewer directories than this are not worth a thread.
const SMALL: usize = 16;
/// More would only wait for the same disk.
const MAX_THREADS: usize = 8;

/// Directories that nobody has listed yet.
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    todo: Vec<Arc<Node>>,
    /// Directories that are being listed and may still give more.
    busy: usize,
}

/// Lists everything below `directory`. What cannot be listed is left to the walk, which reports it.
pub(crate) fn prefetch(tree: &Tree, directory: &Arc<Node>) {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    if threads < 2 || !tree.is_context() {
        return;
    }
    let mut todo = vec![Arc::clone(directory)];
    for _ in 0..SMALL {
        let Some(next) = todo.pop() else { return };
        todo.extend(directories(tree, &next));
    }
    let queue = Queue { state: Mutex::new(State { todo, busy: 0 }), changed: Condvar::new() };
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| queue.work(tree));
        }
        queue.work(tree);
    });
}

fn directories(tree: &Tree, directory: &Node) -> Vec<Arc<Node>> {
    let listed = tree.children(directory);
    listed.iter().flat_map(|nodes| nodes.iter()).filter(|node| node.is_directory()).cloned().collect()
}

impl Queue {
    fn work(&self, tree: &Tree) {
        while let Some(directory) = self.next() {
            let found = directories(tree, &directory);
            let mut state = self.lock();
            state.todo.extend(found);
            state.busy -= 1;
            drop(state);
            self.changed.notify_all();
        }
    }

    /// A directory to list; `None` when there will be no more.
    fn next(&self) -> Option<Arc<Node>> {
        let mut state = self.lock();
        loop {
            if let Some(directory) = state.todo.pop() {
                state.busy += 1;
                return Some(directory);
            }
            if state.busy == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use plimsoll_dockerfile::dockerignore::Matcher;

    use super::*;

    #[test]
    fn the_walk_finds_what_was_listed_ahead() {
        let dir = tempfile::tempdir().unwrap();
        for number in 0..200 {
            let folder = dir.path().join(format!("a{}/b{number}/c", number % 7));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("kept"), "").unwrap();
            fs::write(folder.join("left"), "").unwrap();
        }
        let ignore = Arc::new(Matcher::parse("**/left\n").unwrap());
        let tree = Tree::directory(dir.path().to_owned(), Some(ignore));
        let root = Arc::new(tree.root().unwrap());
        prefetch(&tree, &root);
        // what appears now was not there when the tree was listed
        fs::write(dir.path().join("a3/b3/c/late"), "").unwrap();
        let node = tree.lookup(Path::new("a3/b3/c"), true).unwrap().unwrap();
        let names: Vec<_> = tree.children(&node).unwrap().iter().map(|node| node.name().to_owned()).collect();
        assert_eq!(names, ["kept"]);
    }
}
