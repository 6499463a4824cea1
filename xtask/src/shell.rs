//! Running other programs and finding our own folders.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    // xtask's manifest lies one folder below the root
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Where cargo puts what it builds, and we what the demo makes.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Cargo, as the one that runs us.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

/// Prints the command, runs it with our own terminal, and fails when it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    eprintln!("$ {}", display(command));
    let status = command.status().with_context(|| format!("cannot start {}", display(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", display(command));
    }
    Ok(())
}

/// Prints the command and runs it; what it prints is passed on and read line by line.
pub(crate) fn run_and_read(command: &mut Command, mut read: impl FnMut(&str)) -> Result<ExitStatus> {
    eprintln!("$ {}", display(command));
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", display(command)))?;
    let (sender, lines) = channel();
    pass_on(child.stdout.take(), false, sender.clone());
    pass_on(child.stderr.take(), true, sender);
    loop {
        match lines.recv_timeout(Duration::from_secs(1)) {
            Ok(line) => read(&line),
            Err(RecvTimeoutError::Disconnected) => return Ok(child.wait()?),
            // a program that it left behind may hold the streams open
            Err(RecvTimeoutError::Timeout) => {
                if let Some(status) = child.try_wait()? {
                    return Ok(status);
                }
            }
        }
    }
}

/// Copies a stream to ours and its lines to `lines`, in the background, until it ends.
fn pass_on(stream: Option<impl Read + Send + 'static>, is_error: bool, lines: Sender<String>) {
    let Some(stream) = stream else { return };
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if is_error {
                eprintln!("{line}");
            } else {
                println!("{line}");
            }
            // whoever reads them may have stopped
            let _ = lines.send(line);
        }
    });
}

/// Runs the command with its output thrown away; true when it ended with 0.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs the command without a word, and fails with its own when it does.
pub(crate) fn quiet(command: &mut Command) -> Result<()> {
    read(command).map(drop)
}

/// As [`quiet`]; what the command wrote to standard output.
pub(crate) fn read(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot start {}", display(command)))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        bail!("{} ended with {}\n{message}", display(command), output.status);
    }
    Ok(output.stdout)
}

fn display(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
