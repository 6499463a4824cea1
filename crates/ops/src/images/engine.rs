//! A base that the engine of this machine has: made by another builder, loaded there, or pulled behind its login.
//!
//! It is brought into the store without a name: what the name means stays the engine's matter, also for the next build.
//! Where no engine answers nothing is said, because a build needs none.

use std::{
    io::{self, Read},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use futures_util::StreamExt as _;
use plimsoll_engine::{Engine, EngineError};
use plimsoll_image::{Digest, ImageRecord, Reference, Store, manifest::Platform, output::load_stream};

use crate::Reporter;

/// Pieces of the archive that wait to be read.
const AHEAD: usize = 16;

/// What the engine knows about a name.
enum Answer {
    /// It has nothing for this platform under the name, or there is no engine.
    Nothing,
    /// Its image, by id.
    Image(String),
}

/// The engine's image of this name for this platform, in the store; `reporter` hears when it travels.
pub(super) fn find(
    store: &Store,
    name: &Reference,
    platform: &Platform,
    reporter: &dyn Reporter,
) -> Result<Option<ImageRecord>, String> {
    let familiar = name.familiar();
    let (answer, heard) = sync_channel(1);
    let (pieces, archive) = sync_channel(AHEAD);
    let (go, begin) = sync_channel::<()>(1);
    // both sides own their ends: whoever goes away wakes the other
    thread::scope(|scope| {
        let (go, archive, heard) = (go, archive, heard);
        let name = &familiar;
        // a thread of its own: the caller may be inside a runtime
        scope.spawn(move || ask(name, platform, &answer, &begin, &pieces));
        let Ok(Answer::Image(id)) = heard.recv() else { return Ok(None) };
        if let Some(known) = Digest::parse(&id).ok().and_then(|id| store.image_by_id(&id).ok().flatten()) {
            return Ok(Some(known));
        }
        reporter.line(&format!("{familiar}: the engine has it"));
        if go.send(()).is_err() {
            return Err(format!("the engine did not give {familiar}"));
        }
        let loaded = load_stream(store, Archive { pieces: archive, rest: io::Cursor::default() }, platform);
        let records = loaded.map_err(|error| format!("{familiar} of the engine cannot be read: {error}"))?;
        Ok(records.into_iter().next())
    })
}

fn ask(
    name: &str,
    platform: &Platform,
    answer: &SyncSender<Answer>,
    begin: &Receiver<()>,
    pieces: &SyncSender<Result<Vec<u8>, String>>,
) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        let Ok(engine) = Engine::connect().await else { return };
        let Ok(Some(id)) = has(&engine, name, platform).await else {
            let _ = answer.send(Answer::Nothing);
            return;
        };
        // whoever asked has gone, or has the image already
        if answer.send(Answer::Image(id.clone())).is_err() || begin.recv().is_err() {
            return;
        }
        let mut archive = Box::pin(engine.export_image(&id));
        while let Some(piece) = archive.next().await {
            let piece = piece.map_err(|error| error.to_string());
            let last = piece.is_err();
            if pieces.send(piece).is_err() || last {
                return;
            }
        }
    });
}

async fn has(engine: &Engine, name: &str, platform: &Platform) -> Result<Option<String>, EngineError> {
    match engine.inspect_image(name).await {
        Ok(found) if found.architecture == platform.architecture => Ok(Some(found.id)),
        Ok(_) | Err(EngineError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The archive as it comes.
struct Archive {
    pieces: Receiver<Result<Vec<u8>, String>>,
    rest: io::Cursor<Vec<u8>>,
}

impl Read for Archive {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.rest.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match self.pieces.recv() {
                Ok(Ok(piece)) => self.rest = io::Cursor::new(piece),
                Ok(Err(why)) => return Err(io::Error::other(why)),
                Err(_) => return Ok(0),
            }
        }
    }
}
