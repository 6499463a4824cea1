//! Ctrl-C: the first one stops a build in order, so that it leaves nothing behind; the second one ends the process.

use std::thread;

use plimsoll_sandbox::Cancel;

/// Stops what holds the result when the process is asked to end (SIGINT, SIGTERM, SIGHUP). `None` where the system
/// gives no way to notice; then the signal just ends the process.
pub(crate) fn cancel_on_interrupt() -> Option<Cancel> {
    let cancel = Cancel::new().ok()?;
    let ours = cancel.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().ok()?;
    thread::Builder::new()
        .name("interrupt".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                if asked_to_end().await.is_err() {
                    return;
                }
                ours.cancel();
                if asked_to_end().await.is_ok() {
                    std::process::exit(130);
                }
            });
        })
        .ok()?;
    Some(cancel)
}

async fn asked_to_end() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}
