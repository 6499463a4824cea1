use std::{collections::BTreeMap, io, sync::Arc};

use futures_util::{StreamExt as _, future::try_join_all};
use tokio::sync::mpsc;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    archive_scan::{ChunkReader, Scan, scan},
    certificate::Group,
    quantity,
    secrets::Secrets,
    stack::Stack,
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "secrets-image",
    title: "no secret value is in an image: configuration, history or any layer, deleted files included",
    group: Group::Secrets,
    requirements: &["R-102", "R-045"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

/// Pieces of the archive that may wait to be looked through.
const QUEUE: usize = 16;

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let expected = "no secret value in its archive";
    let secrets = match &stack.secrets {
        Err(why) => return Ok(vec![Outcome::not_checked("stack", expected, why)]),
        Ok(secrets) => secrets,
    };
    let mut images: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for member in &stack.members {
        images.entry(&member.detail.image_id).or_default().push(&member.service);
    }
    let scans = images.iter().map(|(image, services)| async move {
        let found = of_image(stack, image, secrets).await?;
        let outcome = Outcome::new(
            services.join(", "),
            format!(
                "none of {} values in any form, no variable, argument, key or file that gives one away",
                secrets.len()
            ),
        );
        let inside = match found.members {
            0 => String::new(),
            members => format!(", and {members} unpacked from archives and compressed files in them"),
        };
        let scanned = format!("{} files of {}, unpacked{inside}", found.files, quantity::bytes(found.bytes));
        let observed =
            if found.hits.is_empty() { format!("none in {scanned}") } else { found.hits.join("; ") };
        let outcome = outcome.judge(found.hits.is_empty(), observed);
        let source = format!("engine: images/{image}/get");
        Ok::<_, MeasureError>(
            vec![outcome.evidence(&source, scanned)].into_iter().chain(unread(services, &source, &found)),
        )
    });
    Ok(try_join_all(scans).await?.into_iter().flatten().collect())
}

/// What could not be unpacked may hold anything.
fn unread(services: &[&str], source: &str, found: &Scan) -> Option<Outcome> {
    if found.unread == 0 {
        return None;
    }
    let more = found.unread - found.unread_examples.len() as u64;
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let files =
        if found.unread == 1 { "1 file was".to_owned() } else { format!("{} files were", found.unread) };
    let examples = found.unread_examples.iter().map(|example| (source.to_owned(), example.clone()));
    let outcome = Outcome::not_checked(
        format!("{}: archives", services.join(", ")),
        "every archive and compressed file in the image is searched whole",
        format!("{files} not unpacked, or not whole: {}{more}", found.unread_examples.join("; ")),
    );
    Some(outcome.all_evidence(examples))
}

/// Reads the engine's archive of an image, and searches it in a thread beside.
async fn of_image(stack: &Stack<'_>, image: &str, secrets: &Arc<Secrets>) -> Result<Scan, MeasureError> {
    let (sender, receiver) = mpsc::channel::<io::Result<Vec<u8>>>(QUEUE);
    let secrets = Arc::clone(secrets);
    let search = tokio::task::spawn_blocking(move || scan(ChunkReader::new(receiver), &secrets));
    let mut archive = std::pin::pin!(stack.engine.export_image(image));
    while let Some(chunk) = archive.next().await {
        let failed = chunk.is_err();
        // The search ends early only with an error of its own, which is told below.
        if sender.send(chunk.map_err(io::Error::other)).await.is_err() || failed {
            break;
        }
    }
    drop(sender);
    let found =
        search.await.map_err(|error| MeasureError::Other(format!("the search of {image} ended: {error}")))?;
    found.map_err(|error| MeasureError::io(format!("the archive of {image}"), error))
}
