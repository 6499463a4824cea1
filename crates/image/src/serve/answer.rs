//! What a registry answers (distribution-spec, "Endpoints").

use std::{
    fs::{self, File},
    io::{self, Read as _},
};

use serde_json::{Value, json};

use super::{
    http::{Answer, Body, Content, Request},
    registry_dir::{RegistryDir, Repository},
};
use crate::{
    Digest,
    manifest::{Descriptor, Index, media_type},
};

/// No manifest is larger.
const MAX_MANIFEST: u64 = 4 << 20;

/// Answers one request; an error becomes an answer of its own.
pub(super) fn answer(request: &Request, body: &mut Body<'_>, registry: &RegistryDir) -> Answer {
    let routed = route(request, body, registry);
    routed.unwrap_or_else(|error| {
        let message = format!("the registry's disk fails: {error}");
        problem(500, "UNKNOWN", &message)
    })
}

/// An error as the specification has it.
pub(super) fn problem(status: u16, code: &str, message: &str) -> Answer {
    let text = json!({ "errors": [{ "code": code, "message": message }] });
    Answer::new(status)
        .with("Content-Type", "application/json")
        .content(Content::Bytes(text.to_string().into_bytes()))
}

fn json_answer(value: &Value, kind: &str) -> Answer {
    Answer::new(200).with("Content-Type", kind).content(Content::Bytes(value.to_string().into_bytes()))
}

fn route(request: &Request, body: &mut Body<'_>, registry: &RegistryDir) -> io::Result<Answer> {
    let Some(path) = request.path.strip_prefix("/v2") else {
        return Ok(problem(404, "UNSUPPORTED", "it is a registry: /v2/"));
    };
    let path = path.trim_start_matches('/');
    if path.is_empty() {
        return Ok(json_answer(&json!({}), "application/json"));
    }
    if path == "_catalog" {
        return Ok(json_answer(&json!({ "repositories": registry.repositories() }), "application/json"));
    }
    // the last words of a path say what is asked for; a name may have any number of parts before
    let parts: Vec<&str> = path.split('/').collect();
    let (name, what) = match parts.as_slice() {
        [name @ .., "blobs", "uploads", upload] => (name, What::Upload(upload)),
        [name @ .., "blobs", "uploads"] => (name, What::Upload("")),
        [name @ .., "blobs", digest] => (name, What::Blob(digest)),
        [name @ .., "manifests", wanted] => (name, What::Manifest(wanted)),
        [name @ .., "referrers", digest] => (name, What::Referrers(digest)),
        [name @ .., "tags", "list"] => (name, What::Tags),
        _ => return Ok(problem(404, "UNSUPPORTED", "there is no such endpoint")),
    };
    let name = name.join("/");
    let Some(repository) = registry.repository(&name) else {
        return Ok(problem(400, "NAME_INVALID", "it is no name of a repository"));
    };
    let handler = Handler { request, registry, repository, name };
    match what {
        What::Upload(upload) => handler.upload(upload, body),
        What::Blob(digest) => handler.blob(digest),
        What::Manifest(wanted) => handler.manifest(wanted, body),
        What::Referrers(digest) => handler.referrers(digest),
        What::Tags => Ok(handler.tags()),
    }
}

enum What<'a> {
    Upload(&'a str),
    Blob(&'a str),
    Manifest(&'a str),
    Referrers(&'a str),
    Tags,
}

/// One request to one repository.
struct Handler<'a> {
    request: &'a Request,
    registry: &'a RegistryDir,
    repository: Repository,
    name: String,
}

impl Handler<'_> {
    fn method(&self) -> &str {
        &self.request.method
    }

    fn created(&self, kind: &str, digest: &Digest) -> Answer {
        Answer::new(201)
            .with("Location", format!("/v2/{}/{kind}/{digest}", self.name))
            .with("Docker-Content-Digest", digest)
    }

    fn blob(&self, text: &str) -> io::Result<Answer> {
        let Ok(digest) = Digest::parse(text) else {
            return Ok(problem(400, "DIGEST_INVALID", "it is no sha256 digest"));
        };
        let unknown = || Ok(problem(404, "BLOB_UNKNOWN", "the repository does not hold the blob"));
        if !self.repository.has_blob(&digest) {
            return unknown();
        }
        match self.method() {
            "GET" | "HEAD" => {}
            "DELETE" => return self.repository.remove_blob(&digest).map(|()| Answer::new(202)),
            _ => return Ok(problem(405, "UNSUPPORTED", "a blob is read or deleted")),
        }
        let file = match File::open(self.registry.blob(&digest)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return unknown(),
            opened => opened?,
        };
        let size = file.metadata()?.len();
        let answer = |status| {
            Answer::new(status)
                .with("Content-Type", "application/octet-stream")
                .with("Docker-Content-Digest", digest)
                .with("Accept-Ranges", "bytes")
        };
        match self.request.header("range").map(|range| part(range, size)) {
            None => Ok(answer(200).content(Content::File(file, 0, size))),
            Some(None) => Ok(problem(416, "RANGE_INVALID", "the blob ends before")
                .with("Content-Range", format!("bytes */{size}"))),
            Some(Some((start, end))) => Ok(answer(206)
                .with("Content-Range", format!("bytes {start}-{end}/{size}"))
                .content(Content::File(file, start, end - start + 1))),
        }
    }

    fn upload(&self, upload: &str, body: &mut Body<'_>) -> io::Result<Answer> {
        if self.method() == "POST" && upload.is_empty() {
            return self.begin(body);
        }
        let Some(path) = self.registry.upload(upload) else {
            return Ok(problem(404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload"));
        };
        let arrived = fs::metadata(&path)?.len();
        match self.method() {
            "GET" => Ok(self.state(204, upload, arrived)),
            "DELETE" => fs::remove_file(&path).map(|()| Answer::new(204)),
            "PATCH" | "PUT" => {
                let begin = self
                    .request
                    .header("content-range")
                    .and_then(|range| range.split('-').next()?.parse().ok());
                if begin.is_some_and(|begin: u64| begin != arrived) {
                    return Ok(self.state(416, upload, arrived));
                }
                let arrived = RegistryDir::append(&path, body)?;
                if self.method() == "PATCH" {
                    return Ok(self.state(202, upload, arrived));
                }
                self.finish(&path)
            }
            _ => Ok(problem(405, "UNSUPPORTED", "an upload is sent, asked for or given up")),
        }
    }

    /// Takes the blob from another repository, or all of it at once, or begins an upload.
    fn begin(&self, body: &mut Body<'_>) -> io::Result<Answer> {
        let query = |name: &str| self.request.query.get(name).map(String::as_str);
        if let (Some(Ok(digest)), Some(from)) = (query("mount").map(Digest::parse), query("from"))
            && self.registry.repository(from).is_some_and(|other| other.has_blob(&digest))
            && self.registry.blob(&digest).exists()
        {
            self.repository.add_blob(&digest)?;
            return Ok(self.created("blobs", &digest));
        }
        let upload = self.registry.begin()?;
        if query("digest").is_some()
            && let Some(path) = self.registry.upload(&upload)
        {
            RegistryDir::append(&path, body)?;
            return self.finish(&path);
        }
        Ok(self.state(202, &upload, 0))
    }

    fn finish(&self, upload: &std::path::Path) -> io::Result<Answer> {
        let digest = self.request.query.get("digest").map(|text| Digest::parse(text));
        let Some(Ok(digest)) = digest else {
            return Ok(problem(400, "DIGEST_INVALID", "digest= is missing or no sha256 digest"));
        };
        if !self.registry.finish(upload, &digest)? {
            return Ok(problem(400, "DIGEST_INVALID", "the bytes have another digest"));
        }
        self.repository.add_blob(&digest)?;
        Ok(self.created("blobs", &digest))
    }

    /// Where an upload goes on, and how far it got.
    fn state(&self, status: u16, upload: &str, arrived: u64) -> Answer {
        Answer::new(status)
            .with("Location", format!("/v2/{}/blobs/uploads/{upload}", self.name))
            .with("Docker-Upload-UUID", upload)
            .with("Range", format!("0-{}", arrived.saturating_sub(1)))
    }

    fn manifest(&self, wanted: &str, body: &mut Body<'_>) -> io::Result<Answer> {
        if self.method() == "PUT" {
            return self.put_manifest(wanted, body);
        }
        let digest = Digest::parse(wanted).ok().or_else(|| self.repository.tag(wanted));
        let found = digest.and_then(|digest| Some((digest, self.repository.manifest(&digest)?)));
        let Some((digest, kind)) = found else {
            return Ok(problem(404, "MANIFEST_UNKNOWN", "the repository has no such manifest"));
        };
        match self.method() {
            "GET" | "HEAD" => Ok(Answer::new(200)
                .with("Content-Type", kind)
                .with("Docker-Content-Digest", digest)
                .content(Content::Bytes(fs::read(self.registry.blob(&digest))?))),
            "DELETE" if wanted.contains(':') => {
                self.repository.remove_manifest(&digest).map(|()| Answer::new(202))
            }
            "DELETE" => self.repository.untag(wanted).map(|()| Answer::new(202)),
            _ => Ok(problem(405, "UNSUPPORTED", "a manifest is read, written or deleted")),
        }
    }

    fn put_manifest(&self, wanted: &str, body: &mut Body<'_>) -> io::Result<Answer> {
        let mut bytes = Vec::new();
        body.take(MAX_MANIFEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_MANIFEST {
            return Ok(problem(413, "SIZE_INVALID", "a manifest has at most 4 MiB"));
        }
        let Ok(document) = serde_json::from_slice::<Value>(&bytes) else {
            return Ok(problem(400, "MANIFEST_INVALID", "it is no JSON document"));
        };
        if let Some(lacking) = self.lacking(&document) {
            return Ok(problem(
                404,
                "MANIFEST_BLOB_UNKNOWN",
                &format!("the repository does not hold {lacking}"),
            ));
        }
        let digest = Digest::of(&bytes);
        if wanted.contains(':') && wanted != digest.to_string() {
            return Ok(problem(400, "DIGEST_INVALID", "the bytes have another digest"));
        }
        let kind = self.request.header("content-type").or_else(|| document["mediaType"].as_str());
        self.registry.put(&bytes)?;
        self.repository.add_manifest(&digest, kind.unwrap_or(media_type::OCI_MANIFEST))?;
        if !wanted.contains(':') && !self.repository.set_tag(wanted, &digest)? {
            return Ok(problem(400, "TAG_INVALID", "it is no tag"));
        }
        let answer = self.created("manifests", &digest);
        Ok(match document["subject"]["digest"].as_str() {
            Some(subject) => answer.with("OCI-Subject", subject),
            None => answer,
        })
    }

    /// The first blob or manifest that a document names and the repository lacks.
    fn lacking(&self, document: &Value) -> Option<String> {
        let digest = |value: &Value| value["digest"].as_str().map(str::to_owned);
        let list = |name: &str| document[name].as_array().cloned().unwrap_or_default();
        let blobs = list("layers").into_iter().chain([document["config"].clone()]);
        // layers that lie elsewhere (`urls`) are not kept here
        let blobs = blobs.filter(|value| value.get("urls").is_none()).filter_map(|value| digest(&value));
        let has = |text: &str, manifest: bool| {
            Digest::parse(text).is_ok_and(|digest| {
                if manifest {
                    self.repository.manifest(&digest).is_some()
                } else {
                    self.repository.has_blob(&digest)
                }
            })
        };
        let mut manifests = list("manifests").into_iter().filter_map(|value| digest(&value));
        blobs.into_iter().find(|text| !has(text, false)).or_else(|| manifests.find(|text| !has(text, true)))
    }

    /// The manifests that are about another: attestations, signatures.
    fn referrers(&self, text: &str) -> io::Result<Answer> {
        let wanted = self.request.query.get("artifactType");
        let mut found = Vec::new();
        for digest in self.repository.manifests() {
            let bytes = fs::read(self.registry.blob(&digest))?;
            let Ok(document) = serde_json::from_slice::<Value>(&bytes) else { continue };
            if document["subject"]["digest"] != text {
                continue;
            }
            let kind = self.repository.manifest(&digest).unwrap_or_default();
            let mut descriptor = Descriptor::new(kind, digest, bytes.len() as u64);
            let artifact = document["artifactType"].as_str().or(document["config"]["mediaType"].as_str());
            if wanted.is_some_and(|wanted| Some(wanted.as_str()) != artifact) {
                continue;
            }
            if let Some(artifact) = artifact {
                descriptor.other.insert("artifactType".to_owned(), artifact.into());
            }
            found.push(descriptor);
        }
        let index = serde_json::to_value(Index::oci(found)).map_err(io::Error::other)?;
        let answer = json_answer(&index, media_type::OCI_INDEX);
        Ok(if wanted.is_some() { answer.with("OCI-Filters-Applied", "artifactType") } else { answer })
    }

    fn tags(&self) -> Answer {
        if !self.repository.exists() {
            return problem(404, "NAME_UNKNOWN", "there is no such repository");
        }
        let last = self.request.query.get("last");
        let most = self.request.query.get("n").and_then(|text| text.parse().ok()).unwrap_or(usize::MAX);
        let tags = self.repository.tags().into_iter().filter(|tag| last.is_none_or(|last| tag > last));
        let tags: Vec<String> = tags.take(most).collect();
        json_answer(&json!({ "name": self.name, "tags": tags }), "application/json")
    }
}

/// `bytes=FIRST-[LAST]` or `bytes=-COUNT` of a blob; `None` when it has no such part.
fn part(range: &str, size: u64) -> Option<(u64, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (first, last) {
        ("", count) => (size.saturating_sub(count.parse().ok()?), size.checked_sub(1)?),
        (first, "") => (first.parse().ok()?, size.checked_sub(1)?),
        (first, last) => (first.parse().ok()?, last.parse::<u64>().ok()?.min(size.checked_sub(1)?)),
    };
    (start <= end).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn parts_of_a_blob() {
        for (range, expected) in [
            ("bytes=0-", Some((0, 9))),
            ("bytes=4-", Some((4, 9))),
            ("bytes=4-5", Some((4, 5))),
            ("bytes=4-99", Some((4, 9))),
            ("bytes=-3", Some((7, 9))),
            ("bytes=10-", None),
            ("bytes=5-4", None),
            ("lines=1-2", None),
        ] {
            assert_eq!(part(range, 10), expected, "{range}");
        }
    }
}
