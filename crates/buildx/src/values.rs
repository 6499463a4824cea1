//! Forms of values of `docker build` and `docker buildx build`.

use std::{net::IpAddr, path::PathBuf};

use plimsoll_build::{Secret, SecretSource, SshAgent, SshKeys};
use plimsoll_image::{
    bundle::{Annotated, Annotation},
    manifest::Platform,
};
use plimsoll_sandbox::{ExtraHost, Ulimit};
use plimsoll_source::Failure;

/// Go's forms of a truth value.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("it is neither true nor false".to_owned()),
    }
}

/// The fields of one line of CSV: a field in double quotes may hold commas, and `""` for a quote.
pub fn csv(text: &str) -> Result<Vec<String>, String> {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let mut field = String::new();
        if let Some(mut quoted) = rest.strip_prefix('"') {
            loop {
                let (before, after) = quoted.split_once('"').ok_or("a quote is not closed")?;
                field.push_str(before);
                match after.strip_prefix('"') {
                    Some(after) => {
                        field.push('"');
                        quoted = after;
                    }
                    None => {
                        rest = after;
                        break;
                    }
                }
            }
            if !rest.is_empty() && !rest.starts_with(',') {
                return Err("something follows a closed quote".to_owned());
            }
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            if rest[..end].contains('"') {
                return Err("a quote stands inside a field".to_owned());
            }
            field.push_str(&rest[..end]);
            rest = &rest[end..];
        }
        fields.push(field);
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None => return Ok(fields),
        }
    }
}

/// `NAME=VALUE` with a name.
pub fn pair(option: &str, text: &str) -> Result<(String, Option<String>), Failure> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    if name.is_empty() {
        return Err(Failure::new(
            format!("{option} {text}: the name is empty"),
            format!("write {option} NAME=VALUE"),
        ));
    }
    Ok((name.to_owned(), value))
}

/// `NAME:ADDRESS` or `NAME=ADDRESS`; `host-gateway` is this machine.
pub fn host(text: &str) -> Result<ExtraHost, Failure> {
    let wrong =
        || Failure::new(format!("`{text}` is no line for /etc/hosts"), "write --add-host NAME:ADDRESS");
    let (name, address) = text.split_once('=').or_else(|| text.split_once(':')).ok_or_else(wrong)?;
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    if name.is_empty() || (bare != ExtraHost::GATEWAY && bare.parse::<IpAddr>().is_err()) {
        return Err(wrong());
    }
    Ok(ExtraHost { name: name.to_owned(), address: bare.to_owned() })
}

/// `64m`, `0.5g`, `64 MiB`, `1024`: binary units, as Docker has them here.
pub fn bytes(text: &str) -> Result<u64, Failure> {
    let wrong = || Failure::new(format!("`{text}` is no size"), "write it like 64m or 1g");
    let lower = text.to_ascii_lowercase();
    let end = lower.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(lower.len());
    let (digits, unit) = (&lower[..end], lower[end..].strip_prefix(' ').unwrap_or(&lower[end..]));
    let shift = match unit {
        "" | "b" => 0,
        "k" | "kb" | "ki" | "kib" => 10,
        "m" | "mb" | "mi" | "mib" => 20,
        "g" | "gb" | "gi" | "gib" => 30,
        "t" | "tb" | "ti" | "tib" => 40,
        "p" | "pb" | "pi" | "pib" => 50,
        _ => return Err(wrong()),
    };
    let number: f64 = digits.parse().map_err(|_| wrong())?;
    let size = number * f64::from(2_u32).powi(shift);
    // beyond 2^53 nobody means single bytes
    if digits.starts_with('.') || size >= u64::MAX as f64 { Err(wrong()) } else { Ok(size as u64) }
}

const LIMITS: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// `nofile=1024[:2048]`; -1 is no limit.
pub fn ulimit(text: &str) -> Result<Ulimit, Failure> {
    let wrong =
        |why: &str| Failure::new(format!("`{text}` is no limit: {why}"), "write it like nofile=1024:2048");
    let (name, values) = text.split_once('=').ok_or_else(|| wrong("it has no value"))?;
    if !LIMITS.contains(&name) {
        return Err(wrong(&format!("there are {}", LIMITS.join(", "))));
    }
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let number = |text: &str| match text {
        "-1" => Ok(u64::MAX),
        text => text.parse().map_err(|_| wrong("it is no number")),
    };
    let limit = Ulimit { name: name.to_owned(), soft: number(soft)?, hard: number(hard)? };
    if limit.soft > limit.hard {
        return Err(wrong("the soft limit is above the hard one"));
    }
    Ok(limit)
}

/// `ID`, `ID=SOCKET` or `ID=KEY[,KEY]`. The agent of `SSH_AUTH_SOCK` is looked for by the first step that wants it:
/// what gives `--ssh default` to every build runs where there is no agent too.
pub fn ssh(spec: &str) -> Result<SshAgent, Failure> {
    let wrong = |why: String| {
        Failure::new(
            format!("cannot use --ssh {spec}: {why}"),
            "write --ssh default with SSH_AUTH_SOCK set, or --ssh ID=SOCKET or --ssh ID=KEY",
        )
    };
    let Some((id, paths)) = spec.split_once('=') else {
        if spec.is_empty() {
            return Err(wrong("it names no agent".to_owned()));
        }
        let socket = std::env::var_os("SSH_AUTH_SOCK").filter(|socket| !socket.is_empty());
        let socket = socket.and_then(|socket| std::path::absolute(socket).ok());
        return Ok(SshAgent { id: spec.to_owned(), keys: socket.map_or(SshKeys::NoAgent, SshKeys::Agent) });
    };
    // A pipe of the caller (`<(…)`) is no path that could be made canonical.
    let there = |path: &str| {
        let path = std::path::absolute(path)?;
        std::fs::metadata(&path).map(|_| path)
    };
    let paths: Vec<PathBuf> = paths
        .split(',')
        .map(|path| {
            there(path)
                .map_err(|error| Failure::new(format!("cannot read {path}: {error}"), "check the path"))
        })
        .collect::<Result<_, _>>()?;
    let is_socket = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|meta| std::os::unix::fs::FileTypeExt::is_socket(&meta.file_type()))
    };
    let keys = match paths.as_slice() {
        [one] if is_socket(one) => SshKeys::Agent(one.clone()),
        many if many.iter().any(is_socket) => return Err(wrong("one socket, or keys".to_owned())),
        _ => SshKeys::Files(paths),
    };
    Ok(SshAgent { id: id.to_owned(), keys })
}

/// `id=ID[,src=FILE|,env=VARIABLE][,type=file|env]`. A file has to be there: a build that fails for it after
/// minutes helps nobody.
pub fn secret(spec: &str) -> Result<Secret, Failure> {
    // the value could be in the text by mistake, so only the first field is shown
    let shown = spec.split(',').next().unwrap_or_default();
    let wrong = |why: &str| {
        Failure::new(
            format!("cannot read the secret `{shown}`: {why}"),
            "write --secret id=NAME,src=FILE or --secret id=NAME,env=VARIABLE",
        )
    };
    let (mut id, mut file, mut variable, mut kind) = (None, None, None, None);
    for field in csv(spec).map_err(|why| wrong(&why))? {
        match field.split_once('=').map(|(name, value)| (name.to_ascii_lowercase(), value)) {
            Some((name, value)) if name == "id" => id = Some(value.to_owned()),
            Some((name, value)) if name == "src" || name == "source" => file = Some(PathBuf::from(value)),
            Some((name, value)) if name == "env" => variable = Some(value.to_owned()),
            Some((name, value @ ("file" | "env"))) if name == "type" => kind = Some(value.to_owned()),
            _ => return Err(wrong("a field is not known")),
        }
    }
    let id = id.filter(|id| !id.is_empty()).ok_or_else(|| wrong("it has no id"))?;
    let source = match (file, variable, kind.as_deref()) {
        (Some(_), Some(_), _) => return Err(wrong("it has both a file and a variable")),
        (Some(name), None, Some("env")) => SecretSource::Env(name.display().to_string()),
        (Some(file), None, _) => SecretSource::File(file),
        (None, Some(variable), _) => SecretSource::Env(variable),
        // As buildx: the id itself is the variable where there is one, else a file.
        (None, None, kind) if kind != Some("file") && std::env::var_os(&id).is_some() => {
            SecretSource::Env(id.clone())
        }
        (None, None, _) => SecretSource::File(PathBuf::from(&id)),
    };
    if let SecretSource::File(path) = &source {
        std::fs::metadata(path).map_err(|error| wrong(&format!("{}: {error}", path.display())))?;
    }
    Ok(Secret::new(id, source))
}

/// `[TYPE[,TYPE][PLATFORM]:]NAME=VALUE`
pub fn annotation(spec: &str) -> Result<Vec<Annotation>, Failure> {
    let wrong = |why: &str| {
        Failure::new(
            format!("--annotation {spec}: {why}"),
            "write --annotation NAME=VALUE, with `index:`, `manifest:`, `index-descriptor:` or `manifest-descriptor:` before it",
        )
    };
    let (name, value) = spec.split_once('=').ok_or_else(|| wrong("it has no value"))?;
    let (types, name) = match name.split_once(':') {
        Some((types, name)) => (types, name),
        None => ("manifest", name),
    };
    let (types, platform) = match types.split_once('[') {
        Some((types, platform)) => {
            let platform = platform.strip_suffix(']').ok_or_else(|| wrong("a bracket is not closed"))?;
            (types, Some(Platform::parse(platform).ok_or_else(|| wrong("the platform is none"))?))
        }
        None => (types, None),
    };
    if name.is_empty() {
        return Err(wrong("the name is empty"));
    }
    let annotation = |kind: &str| {
        let on = annotated(kind).ok_or_else(|| wrong(&format!("there is no `{kind}`")))?;
        let (name, value) = (name.to_owned(), value.to_owned());
        Ok(Annotation { on, platform: platform.clone(), name, value })
    };
    types.split(',').map(annotation).collect()
}

/// What an annotation's type means.
pub fn annotated(kind: &str) -> Option<Annotated> {
    match kind {
        "" | "manifest" => Some(Annotated::Manifest),
        "manifest-descriptor" => Some(Annotated::ManifestDescriptor),
        "index" => Some(Annotated::Index),
        "index-descriptor" => Some(Annotated::IndexDescriptor),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_may_be_quoted() {
        let fields = |text| csv(text).unwrap();
        assert_eq!(fields("type=oci,dest=a b"), ["type=oci", "dest=a b"]);
        assert_eq!(fields(r#"type=oci,"name=a:1,b:2",x"#), ["type=oci", "name=a:1,b:2", "x"]);
        assert_eq!(fields(r#""a""b","#), ["a\"b", ""]);
        for wrong in [r#""a"#, r#""a"b"#, r#"a"b""#] {
            assert!(csv(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_dockers() {
        for (text, size) in [
            ("64m", 64 << 20),
            ("64MB", 64 << 20),
            ("64 MiB", 64 << 20),
            ("0.5g", 512 << 20),
            ("1tb", 1 << 40),
            ("1024", 1024),
            ("1024b", 1024),
        ] {
            assert_eq!(bytes(text).ok(), Some(size), "{text}");
        }
        for wrong in ["", "foo", "-1", "1x", "m", "1.2.3", ".5g", "99999999p"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn hosts_have_a_name_and_an_address() {
        for (text, name, address) in [
            ("a:1.2.3.4", "a", "1.2.3.4"),
            ("a=1.2.3.4", "a", "1.2.3.4"),
            ("a:[::1]", "a", "::1"),
            ("a:::1", "a", "::1"),
            ("a:host-gateway", "a", "host-gateway"),
        ] {
            let host = host(text).unwrap_or_else(|_| panic!("{text}"));
            assert_eq!((host.name.as_str(), host.address.as_str()), (name, address), "{text}");
        }
        for wrong in ["a", "a:nope", ":1.2.3.4", "a:"] {
            assert!(host(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn limits_are_checked() {
        assert_eq!(ulimit("nofile=-1").unwrap().hard, u64::MAX);
        let limit = ulimit("nofile=1024:2048").unwrap();
        assert_eq!((limit.soft, limit.hard), (1024, 2048));
        for wrong in ["nofile", "nofile=2048:1024", "foo=1", "nofile=x"] {
            assert!(ulimit(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn annotations_say_where_they_go() {
        let parsed = |text| {
            let all = annotation(text).unwrap();
            all.into_iter()
                .map(|one| (one.on, one.platform.map(|it| it.to_string()), one.name))
                .collect::<Vec<_>>()
        };
        assert_eq!(parsed("a.b=1"), [(Annotated::Manifest, None, "a.b".to_owned())]);
        assert_eq!(
            parsed("manifest[linux/arm64]:a=1"),
            [(Annotated::Manifest, Some("linux/arm64".to_owned()), "a".to_owned())]
        );
        assert_eq!(
            parsed("index,manifest-descriptor:a=1=2"),
            [(Annotated::Index, None, "a".to_owned()), (Annotated::ManifestDescriptor, None, "a".to_owned())]
        );
        for wrong in ["a", "layer:a=1", "=1", "manifest[linux/arm64:a=1", "manifest[]:a=1", "index:=1"] {
            assert!(annotation(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_secret_without_a_file_is_told_at_once() {
        assert!(secret("id=a,src=/does/not/exist").is_err());
        assert!(secret("src=/etc/hostname").is_err());
        assert!(secret("a=b").is_err());
        assert!(
            matches!(secret("id=a,type=env,src=HOME").unwrap().source, SecretSource::Env(name) if name == "HOME")
        );
        let file = secret("type=file,id=PATH,source=/dev/null").unwrap();
        assert!(matches!(file.source, SecretSource::File(path) if path == std::path::Path::new("/dev/null")));
        assert!(matches!(secret("id=PATH").unwrap().source, SecretSource::Env(_)));
    }
}
