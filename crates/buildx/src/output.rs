//! `--output`: where a built image goes beside the store.

use std::{
    collections::BTreeMap,
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

use plimsoll_image::{
    LayerCompression, Reference,
    bundle::{Annotation, Form},
    manifest::Platform,
};
use plimsoll_source::Failure;

use crate::values::{annotated, boolean, csv};

/// One `--output`.
#[derive(Clone, Debug)]
pub struct Output {
    /// What is written.
    pub kind: Kind,
    /// `None` is standard output.
    pub dest: Option<PathBuf>,
    /// How layers are packed and described.
    pub form: Form,
    /// Write a folder instead of a tar.
    pub folder: bool,
    /// A folder for each platform; without a word, when there are several.
    pub split: Option<bool>,
    /// What the names of files that hold statements begin with.
    pub attestation_prefix: String,
    /// The image's names instead of those of `--tag`: `name=`.
    pub names: Vec<Reference>,
    /// The image is sent to the registries of its names.
    pub push: bool,
    /// Without its tags.
    pub by_digest: bool,
    /// Plain HTTP may be spoken with the registry.
    pub insecure: bool,
    /// What the folder holds besides is removed: `mode=delete`.
    pub delete: bool,
    /// Fields that were given and mean nothing for this type.
    pub notes: Vec<String>,
}

/// What an output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An OCI layout.
    Oci,
    /// What `docker load` reads.
    Docker,
    /// The files in one archive.
    Tar,
    /// The files in a folder.
    Local,
    /// The engine's images.
    Engine,
    /// The store, and with `push` the registry.
    Store,
    /// Nothing but the cache.
    CacheOnly,
}

/// Fields that choose between things of which there is one here.
const NEEDLESS: [&str; 9] = [
    "context",
    "unpack",
    "store",
    "name-canonical",
    "dangling-name-prefix",
    "prefer-nondist-layers",
    "buildinfo",
    "oci-artifact",
    // Time stamps follow SOURCE_DATE_EPOCH when a layer is made: there is nothing to be rewritten.
    "rewrite-timestamp",
];

impl Output {
    /// Reads `type=oci,dest=FILE`, a plain path (a folder), or `-` (a tar on standard output).
    pub fn parse(spec: &str) -> Result<Self, Failure> {
        let wrong = |why: String| {
            Failure::new(
                format!("cannot write to `{spec}`: {why}"),
                "write --output type=oci|docker|tar|local|image|registry,dest=PATH",
            )
        };
        let fields = csv(spec).map_err(&wrong)?;
        // As buildx: one field that is no type is a path, whatever is in it.
        if let [only] = fields.as_slice()
            && only == spec
            && !only.starts_with("type=")
            && !is_field(only)
        {
            return match spec {
                "" => Err(wrong("it is empty".to_owned())),
                "-" => Ok(Self::plain(Kind::Tar, None)),
                path => Ok(Self::plain(Kind::Local, Some(PathBuf::from(path)))),
            };
        }
        let mut named: BTreeMap<String, String> = BTreeMap::new();
        let mut annotations = Vec::new();
        for field in &fields {
            let Some((name, value)) = field.split_once('=') else {
                return Err(wrong(if is_field(&format!("{field}=")) {
                    format!("the field {field} has no value")
                } else {
                    format!("the field {field} is not known")
                }));
            };
            match annotation(name, value) {
                Some(found) => annotations.push(found.map_err(&wrong)?),
                None => drop(named.insert(name.trim().to_ascii_lowercase(), value.to_owned())),
            }
        }
        let mut output = Self::of_fields(&mut named).map_err(&wrong)?;
        if !annotations.is_empty() && !output.has_manifest() {
            let kind = output.word();
            output
                .notes
                .push(format!("note: annotations are of manifests, and --output type={kind} has none"));
        }
        output.form.annotations = annotations;
        match named.keys().find(|name| !NEEDLESS.contains(&name.as_str())) {
            Some(name) => Err(wrong(format!("the field {name} is not known"))),
            None => Ok(output),
        }
    }

    fn plain(kind: Kind, dest: Option<PathBuf>) -> Self {
        Self {
            kind,
            dest,
            form: Form::default(),
            folder: false,
            split: None,
            attestation_prefix: String::new(),
            names: Vec::new(),
            push: false,
            by_digest: false,
            insecure: false,
            delete: false,
            notes: Vec::new(),
        }
    }

    /// Takes what it knows out of the fields.
    fn of_fields(fields: &mut BTreeMap<String, String>) -> Result<Self, String> {
        let given_dest = fields.remove("dest");
        let dest = given_dest.as_deref().filter(|dest| *dest != "-" && !dest.is_empty()).map(PathBuf::from);
        let kind = fields.remove("type").filter(|kind| !kind.is_empty()).ok_or("the type is missing")?;
        let truth = |fields: &mut BTreeMap<String, String>, name: &str| {
            let value = fields.remove(name);
            value.map(|value| boolean(&value).map_err(|why| format!("{name}={value}: {why}"))).transpose()
        };
        let mut output = Self::plain(
            match kind.as_str() {
                "oci" => Kind::Oci,
                "docker" if given_dest.is_none() => Kind::Engine,
                "docker" => Kind::Docker,
                "tar" => Kind::Tar,
                "local" => Kind::Local,
                "image" | "registry" => Kind::Store,
                "cacheonly" => Kind::CacheOnly,
                other => return Err(format!("the type {other} is not known")),
            },
            dest,
        );
        output.notes = output.needless(fields);
        output.delete = match fields.remove("mode").as_deref() {
            Some(mode) if output.kind != Kind::Local => {
                return Err(format!("mode={mode} belongs to type=local"));
            }
            None | Some("copy") => false,
            Some("delete") => true,
            Some(other) => return Err(format!("mode={other}: there are copy and delete")),
        };
        output.push = kind == "registry" || truth(fields, "push")?.unwrap_or(false);
        if output.push && output.kind != Kind::Store {
            return Err("push=true belongs to type=image".to_owned());
        }
        fields.remove("push");
        output.by_digest = truth(fields, "push-by-digest")?.unwrap_or(false);
        output.insecure = truth(fields, "registry.insecure")?.unwrap_or(false);
        output.folder = truth(fields, "tar")?.is_some_and(|tar| !tar);
        output.split = truth(fields, "platform-split")?;
        output.attestation_prefix = fields.remove("attestation-prefix").unwrap_or_default();
        output.form.force = truth(fields, "force-compression")?.unwrap_or(false);
        output.form.docker_types = truth(fields, "oci-mediatypes")?.is_some_and(|oci| !oci);
        output.form.compression = compression(fields)?;
        match (output.kind, &output.dest) {
            (Kind::Local, None) if given_dest.is_some() => {
                return Err("a folder cannot go to standard output".to_owned());
            }
            (Kind::Local, None) => return Err("a folder needs dest=".to_owned()),
            (Kind::Oci | Kind::Docker, None) if output.folder => {
                return Err("tar=false needs a folder: dest=".to_owned());
            }
            (Kind::Store | Kind::CacheOnly, _) if given_dest.is_some() => {
                return Err(format!("type={kind} writes no file, so it has no dest="));
            }
            (Kind::Local, Some(path)) if path.exists() && !path.is_dir() => {
                return Err("it is a file; type=local writes a folder".to_owned());
            }
            (Kind::Oci | Kind::Docker, Some(path)) if output.folder && path.exists() && !path.is_dir() => {
                return Err("it is a file; tar=false writes a folder".to_owned());
            }
            (Kind::Oci | Kind::Docker | Kind::Tar, Some(path)) if !output.folder && path.is_dir() => {
                return Err("it is a folder; tar=false writes into one".to_owned());
            }
            _ => {}
        }
        if let Some(names) = fields.remove("name").filter(|names| !names.is_empty()) {
            let parse = |name: &str| {
                let name = Reference::parse(name.trim()).map_err(|error| error.to_string())?;
                own_name(name).map_err(|_| "a name of a result has no digest".to_owned())
            };
            output.names = names.split(',').map(parse).collect::<Result<_, _>>()?;
        }
        Ok(output)
    }

    /// `--push`
    pub fn registry() -> Self {
        Self { push: true, ..Self::plain(Kind::Store, None) }
    }

    /// `--load`
    pub fn engine() -> Self {
        Self::plain(Kind::Engine, None)
    }

    /// Nothing but the store's own copy.
    pub fn store() -> Self {
        Self::plain(Kind::Store, None)
    }

    /// The type's word.
    fn word(&self) -> &'static str {
        match self.kind {
            Kind::Oci => "oci",
            Kind::Docker | Kind::Engine => "docker",
            Kind::Tar => "tar",
            Kind::Local => "local",
            Kind::Store => "image",
            Kind::CacheOnly => "cacheonly",
        }
    }

    /// Whether what is written has manifests that are made here.
    fn has_manifest(&self) -> bool {
        matches!(self.kind, Kind::Oci | Kind::Store)
    }

    /// Names the fields that say nothing about an output of this type.
    fn needless(&self, fields: &BTreeMap<String, String>) -> Vec<String> {
        let is_image = matches!(self.kind, Kind::Oci | Kind::Docker | Kind::Store);
        let means = |name: &str| match name {
            "compression" | "compression-level" | "force-compression" => is_image,
            "oci-mediatypes" => self.has_manifest(),
            "push-by-digest" | "registry.insecure" => self.kind == Kind::Store,
            "name" => is_image || self.kind == Kind::Engine,
            "tar" => matches!(self.kind, Kind::Oci | Kind::Docker),
            "platform-split" => matches!(self.kind, Kind::Tar | Kind::Local),
            _ => true,
        };
        let given = fields.keys().filter(|name| !means(name));
        given.map(|name| format!("note: {name}= means nothing for --output type={}", self.word())).collect()
    }

    /// Refuses to remove files from a folder that is not below the current one, unless that is granted.
    ///
    /// # Errors
    /// Names the folder and the grant, which are buildx's.
    pub fn check_delete(&self, granted: bool) -> Result<(), Failure> {
        let Some(dest) = self.dest.as_deref().filter(|_| self.delete && !granted) else { return Ok(()) };
        let here = std::env::current_dir().and_then(|here| here.canonicalize());
        let here = here?;
        // what is not there yet is made inside of what is
        let resolved = std::path::absolute(dest)?;
        let there = resolved.ancestors().find(|at| at.exists()).unwrap_or(&resolved);
        let rest = resolved.strip_prefix(there).unwrap_or(Path::new(""));
        let real = there.canonicalize()?;
        let real = if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        let climbs = real.components().any(|part| part == std::path::Component::ParentDir);
        if real.starts_with(&here) && real != here && !climbs {
            return Ok(());
        }
        Err(Failure::new(
            format!("mode=delete would remove files in {}, which is not below this folder", dest.display()),
            "write into a folder below this one, or grant it: --allow buildx.local.delete",
        ))
    }

    /// The file or folder that is written, by a name that two spellings of it share.
    pub fn target(&self) -> Option<PathBuf> {
        self.dest.as_deref().map(same_name)
    }

    /// The image is to be handed to the engine.
    pub fn is_engine(&self) -> bool {
        self.kind == Kind::Engine
    }

    /// Bytes go to standard output, so nothing else may.
    pub fn is_stdout(&self) -> bool {
        self.dest.is_none() && matches!(self.kind, Kind::Oci | Kind::Docker | Kind::Tar)
    }

    /// Refuses what could not work once the image is built.
    pub fn check(&self, names: &[Reference], platforms: usize) -> Result<(), Failure> {
        if self.push && self.names.is_empty() && names.is_empty() {
            return Err(Failure::new(
                "the image has no name to be pushed to",
                "give it one with --tag NAME, or name= in --output",
            ));
        }
        if matches!(self.kind, Kind::Docker | Kind::Engine) && platforms > 1 {
            return Err(Failure::new(
                "an engine's archive holds an image for one platform",
                "build for one --platform, or write type=oci",
            ));
        }
        if self.is_stdout() && std::io::stdout().is_terminal() {
            return Err(Failure::new(
                "an image is not for a terminal",
                "give the output a file with dest=, or a pipe",
            ));
        }
        if let Some(folder) = self.dest.as_deref().filter(|_| !self.folder && self.kind != Kind::Local) {
            let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
            if parent.is_some_and(|parent| !parent.is_dir()) {
                return Err(Failure::new(
                    format!("cannot write {}: its folder is not there", folder.display()),
                    "make the folder first",
                ));
            }
        }
        Ok(())
    }

    /// Whether anything is written beside the store.
    pub fn goes_out(&self) -> bool {
        self.push || !matches!(self.kind, Kind::Store | Kind::CacheOnly)
    }

    /// Where it goes, in words.
    pub fn place(&self) -> String {
        match (&self.dest, self.kind) {
            (_, Kind::Engine) => "the engine".to_owned(),
            (_, Kind::Store) => "the registry".to_owned(),
            (Some(path), _) => format!("{} {}", self.word(), path.display()),
            (None, _) => format!("{} on standard output", self.word()),
        }
    }
}

/// `dest=out` alone is a field without a type, and not a folder called `dest=out`.
fn is_field(text: &str) -> bool {
    const FIELDS: [&str; 13] = [
        "dest",
        "name",
        "push",
        "push-by-digest",
        "tar",
        "mode",
        "compression",
        "compression-level",
        "force-compression",
        "oci-mediatypes",
        "platform-split",
        "registry.insecure",
        "type",
    ];
    let name = text.split_once('=').map(|(name, _)| name.trim().to_ascii_lowercase());
    name.is_some_and(|name| FIELDS.contains(&name.as_str()) || NEEDLESS.contains(&name.as_str()))
}

/// The path that two spellings of one file share, whether it is there or not.
pub fn same_name(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if let Ok(real) = absolute.canonicalize() {
        return real;
    }
    match (absolute.parent().and_then(|parent| parent.canonicalize().ok()), absolute.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => absolute,
    }
}

/// A name for what is built here. A digest is what a registry says, never what a result is called.
pub fn own_name(name: Reference) -> Result<Reference, Failure> {
    if name.digest().is_none() {
        return Ok(name);
    }
    Err(Failure::new(
        format!("{} has a digest, so it is no name for a result", name.familiar()),
        "leave @sha256:… out; the digest follows from what is built",
    ))
}

fn compression(fields: &mut BTreeMap<String, String>) -> Result<LayerCompression, String> {
    let level = fields.remove("compression-level");
    let name = match fields.remove("compression") {
        Some(name) => name,
        None if level.is_some() => "gzip".to_owned(),
        None => return Ok(LayerCompression::Keep),
    };
    if name == "estargz" {
        return Err("compression=estargz is not supported; gzip and zstd are".to_owned());
    }
    // BuildKit takes any number and uses the nearest level that there is.
    let nearest = |level: String| {
        let number: i64 = level.parse().map_err(|_| format!("the level {level} is no number"))?;
        let (least, most) = if name == "zstd" { (1, 19) } else { (0, 9) };
        Ok::<_, String>(format!("{name}:{}", number.clamp(least, most)))
    };
    let text = match level {
        Some(level) if matches!(name.as_str(), "gzip" | "zstd") => nearest(level)?,
        _ => name.clone(),
    };
    LayerCompression::parse(&text).ok_or_else(|| format!("no compression is called {name}"))
}

/// `annotation-TYPE[PLATFORM].NAME`; `None` for a field that is none.
fn annotation(name: &str, value: &str) -> Option<Result<Annotation, String>> {
    let rest = name.strip_prefix("annotation")?;
    let (head, name) = match rest.find(']') {
        Some(end) => (&rest[..=end], rest[end + 1..].strip_prefix('.')?),
        None => rest.split_once('.')?,
    };
    let (kind, platform) = match head.split_once('[') {
        Some((kind, platform)) => (kind, Some(platform.trim_end_matches(']'))),
        None => (head, None),
    };
    let kind = kind.strip_prefix('-').unwrap_or(kind);
    let Some(on) = annotated(kind) else {
        return Some(Err(format!("there is no annotation-{kind}")));
    };
    let platform = match platform.map(|text| Platform::parse(text).ok_or(text)) {
        Some(Err(text)) => return Some(Err(format!("`{text}` is no platform"))),
        Some(Ok(platform)) => Some(platform),
        None => None,
    };
    Some(Ok(Annotation { on, platform, name: name.to_owned(), value: value.to_owned() }))
}

/// Writes a small file that was asked for beside the image.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|error| Failure::cannot_write(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(spec: &str) -> Output {
        Output::parse(spec).unwrap_or_else(|error| panic!("{spec}: {error:?}"))
    }

    #[test]
    fn every_form_of_buildx_is_read() {
        for (spec, kind, dest) in [
            ("-", Kind::Tar, None),
            ("out", Kind::Local, Some("out")),
            ("foo=bar", Kind::Local, Some("foo=bar")),
            ("type=oci,dest=-", Kind::Oci, None),
            ("type=oci", Kind::Oci, None),
            ("type=oci,tar=false,dest=dir", Kind::Oci, Some("dir")),
            ("type=docker", Kind::Engine, None),
            ("type=docker,dest=-", Kind::Docker, None),
            ("type=docker,dest=a.tar,compression=zstd,force-compression=true", Kind::Docker, Some("a.tar")),
            ("type=tar", Kind::Tar, None),
            ("type=tar,dest=-", Kind::Tar, None),
            ("type=local,dest=out,platform-split=false", Kind::Local, Some("out")),
            ("type=image,name=x/y:1,unpack=true", Kind::Store, None),
            ("type=cacheonly", Kind::CacheOnly, None),
            ("type=oci,dest=x.tar,rewrite-timestamp=true,oci-mediatypes=false", Kind::Oci, Some("x.tar")),
        ] {
            let output = parse(spec);
            assert_eq!((output.kind, output.dest), (kind, dest.map(PathBuf::from)), "{spec}");
        }
        assert!(parse("type=registry").push && parse("type=image,push=true").push);
        assert!(!parse("type=image,push=false").push);
        let names = parse(r#"type=oci,"name=a/b:1,c/d:2",dest=x.tar"#).names;
        assert_eq!(names.iter().map(Reference::familiar).collect::<Vec<_>>(), ["a/b:1", "c/d:2"]);
        let form = parse("type=oci,dest=x,compression=zstd,compression-level=99,force-compression=1").form;
        assert_eq!((form.compression, form.force), (LayerCompression::Zstd(19), true));
        let form = parse("type=oci,dest=x,compression-level=1").form;
        assert_eq!((form.compression, form.force), (LayerCompression::Gzip(1), false));
    }

    #[test]
    fn fields_of_other_types_are_told() {
        assert!(parse("type=oci,dest=x,compression=gzip,name=a:1,tar=true").notes.is_empty());
        let notes = parse("type=tar,dest=x,compression=gzip,push-by-digest=true,name=a:1").notes;
        assert_eq!(notes.len(), 3, "{notes:?}");
        assert!(notes[0].contains("compression= means nothing for --output type=tar"), "{notes:?}");
        let notes = parse("type=local,dest=x,annotation.a=b").notes;
        assert!(notes[0].contains("annotations are of manifests"), "{notes:?}");
        assert!(
            parse("type=local,dest=x,mode=delete").delete && !parse("type=local,dest=x,mode=copy").delete
        );
    }

    #[test]
    fn annotations_are_fields_too() {
        use plimsoll_image::bundle::Annotated as On;
        let spec =
            "type=oci,dest=x,annotation.a.b=1,annotation-index.c=2,annotation-manifest[linux/arm64].d=3";
        let found: Vec<_> =
            parse(spec).form.annotations.into_iter().map(|one| (one.on, one.name, one.value)).collect();
        let text = |on, name: &str, value: &str| (on, name.to_owned(), value.to_owned());
        assert_eq!(
            found,
            [text(On::Manifest, "a.b", "1"), text(On::Index, "c", "2"), text(On::Manifest, "d", "3")]
        );
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_cause() {
        for (spec, cause) in [
            ("", "empty"),
            ("type=foo", "the type foo is not known"),
            ("type=local", "a folder needs dest="),
            ("type=local,dest=-", "standard output"),
            ("dest=x,foo=bar", "the type is missing"),
            ("dest=out", "the type is missing"),
            ("push=true", "the type is missing"),
            ("type=,dest=x", "the type is missing"),
            ("out,x", "the field out is not known"),
            ("type=oci,tar", "the field tar has no value"),
            ("type=image,dest=x", "writes no file"),
            ("type=registry,dest=-", "writes no file"),
            ("type=cacheonly,dest=x", "writes no file"),
            ("type=local,dest=/etc/hosts", "it is a file"),
            ("type=oci,tar=false,dest=/etc/hosts", "it is a file"),
            ("type=local,dest=x,mode=sync", "there are copy and delete"),
            ("type=tar,dest=x,mode=delete", "belongs to type=local"),
            (
                "type=image,name=a@sha256:0000000000000000000000000000000000000000000000000000000000000000",
                "no digest",
            ),
            ("type=oci,dest=x,foo=bar", "the field foo is not known"),
            ("type=oci,dest=x,name=a:1,c:2", "the field c:2 is not known"),
            ("type=oci,dest=x,compression=xz", "no compression is called xz"),
            ("type=oci,dest=x,compression=estargz", "not supported"),
            ("type=oci,dest=x,push=true", "belongs to type=image"),
            ("type=oci,dest=/tmp", "it is a folder"),
            ("type=oci,dest=x,tar=maybe", "neither true nor false"),
            ("type=oci,dest=x,annotation-layer.a=1", "no annotation-layer"),
        ] {
            let error = Output::parse(spec).map(drop).unwrap_err();
            assert!(format!("{error:?}").contains(cause), "{spec}: {error:?}");
        }
    }
}
