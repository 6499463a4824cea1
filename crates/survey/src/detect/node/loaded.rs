//! What the code of pages loads from other hosts when it runs: scripts that it puts into the page, frames of payment,
//! pictures whose addresses are data. A Content-Security-Policy has to allow it.

use std::rc::Rc;

use super::processes::imports;
use crate::{
    context::Context,
    javascript::{Kind, Script},
    model::{Evidence, Fact},
};

/// Facts that are kept.
const MAX_COUNT: usize = 100;
/// Tokens of an element's attributes that are looked through.
const MAX_TOKENS: usize = 80;

/// What a script of another maker loads further, by its origin.
const MAKERS: &[(&str, &[&str])] = &[
    (
        "https://www.paypal.com",
        &[
            "frame-src https://www.paypal.com",
            "connect-src https://www.paypal.com",
            "img-src https://www.paypalobjects.com",
        ],
    ),
    (
        "https://js.stripe.com",
        &[
            "frame-src https://js.stripe.com",
            "frame-src https://hooks.stripe.com",
            "connect-src https://api.stripe.com",
        ],
    ),
    (
        "https://checkout.razorpay.com",
        &["frame-src https://api.razorpay.com", "connect-src https://lumberjack.razorpay.com"],
    ),
    ("https://www.google.com", &["script-src https://www.gstatic.com", "frame-src https://www.google.com"]),
    (
        "https://maps.googleapis.com",
        &["connect-src https://maps.googleapis.com", "img-src https://maps.gstatic.com"],
    ),
];

/// Packages that put such a script into the page.
const PACKAGES: &[(&str, &str)] = &[
    ("@stripe/stripe-js", "https://js.stripe.com"),
    ("@paypal/react-paypal-js", "https://www.paypal.com"),
    ("react-paypal-button-v2", "https://www.paypal.com"),
    ("@paypal/paypal-js", "https://www.paypal.com"),
    ("react-google-recaptcha", "https://www.google.com"),
    ("@react-google-maps/api", "https://maps.googleapis.com"),
];

/// Packages of servers that keep pictures on another host and hand out its address.
const PICTURE_HOSTS: [&str; 6] = [
    "cloudinary",
    "multer-storage-cloudinary",
    "imagekit",
    "@uploadcare/upload-client",
    "gravatar",
    "uploadthing",
];

/// Adds what the scripts of a site load.
pub(super) fn detect(context: &Context<'_>, scripts: &[Rc<Script>], found: &mut Vec<Fact<String>>) {
    for script in scripts {
        for at in 0..script.tokens.len() {
            if let Some((directive, origin)) = loaded(script, at) {
                load(script, at, directive, &origin, found);
            }
        }
        for (package, origin) in PACKAGES {
            let named = script.imported().iter().find(|(_, text)| text == package);
            if let Some((at, _)) = named {
                load(script, *at, "script-src", origin, found);
            }
        }
    }
    let shown = scripts.iter().find_map(|script| Some((script, data_image(script)?)));
    if let Some((script, at)) = shown.filter(|_| has_pictures_elsewhere(context)) {
        let reason = "the addresses of pictures are data";
        for value in ["img-src blob:", "img-src https:"] {
            add(value.to_owned(), Evidence::new(&script.source, script.span(at, at), reason), found);
        }
    }
}

fn load(script: &Script, at: usize, directive: &str, origin: &str, found: &mut Vec<Fact<String>>) {
    let evidence = |reason: &str| Evidence::new(&script.source, script.span(at, at), reason);
    add(format!("{directive} {origin}"), evidence("the page's code loads it from there"), found);
    let further = MAKERS.iter().filter(|(maker, _)| *maker == origin && directive == "script-src");
    for value in further.flat_map(|(_, values)| *values) {
        add((*value).to_owned(), evidence("the script of this maker loads from there"), found);
    }
}

fn add(value: String, evidence: Evidence, found: &mut Vec<Fact<String>>) {
    if found.len() < MAX_COUNT && !found.iter().any(|fact| fact.value == value) {
        found.push(Fact::new(value, evidence));
    }
}

/// `script.src = "https://…"`, `loadScript("https://…")`, `<iframe src="https://…">`: the directive and the origin.
fn loaded(script: &Script, at: usize) -> Option<(&'static str, String)> {
    let set = at > 1 && script.is(at, "src") && script.is(at - 1, ".") && script.is(at + 1, "=");
    if set {
        let object = script.text(at - 2).to_ascii_lowercase();
        let is_script = object.contains("script") || made_as(script, script.text(at - 2), "script");
        let is_frame = object.contains("frame") || made_as(script, script.text(at - 2), "iframe");
        let directive = if is_script { "script-src" } else { is_frame.then_some("frame-src")? };
        return Some((directive, origin_at(script, at + 2)?));
    }
    if matches!(script.text(at), "loadScript" | "useScript" | "injectScript") && script.is(at + 1, "(") {
        return Some(("script-src", origin_at(script, at + 2)?));
    }
    if at == 0 || !script.is(at - 1, "<") {
        return None;
    }
    let directive = match script.text(at) {
        "script" | "Script" => "script-src",
        "iframe" => "frame-src",
        "img" | "Image" | "Avatar" => "img-src",
        _ => return None,
    };
    let value = source_of(script, at)?;
    let value = if script.is(value, "{") { value + 1 } else { value };
    Some((directive, origin_at(script, value)?))
}

/// The value of the attribute `src` of an element.
fn source_of(script: &Script, element: usize) -> Option<usize> {
    let mut at = element + 1;
    while at < script.tokens.len().min(element + MAX_TOKENS) && !script.is(at, ">") {
        if script.is(at, "src") && script.is(at + 1, "=") {
            return Some(at + 2);
        }
        at = script.close(at).unwrap_or(at) + 1;
    }
    None
}

/// `const node = document.createElement("script")`
fn made_as(script: &Script, name: &str, element: &str) -> bool {
    (4..script.tokens.len()).any(|at| {
        script.is(at, "createElement")
            && script.string(at + 2).as_deref() == Some(element)
            && script.is(at - 3, "=")
            && script.is(at - 4, name)
    })
}

fn origin_at(script: &Script, at: usize) -> Option<String> {
    matches!(script.kind(at), Some(Kind::String | Kind::Template)).then_some(())?;
    super::pages::origin(script.text(at).trim_matches(['"', '\'', '`']))
}

/// `<img src={user.avatar}>`: an address that the page gets from elsewhere.
fn data_image(script: &Script) -> Option<usize> {
    (1..script.tokens.len()).find(|&at| {
        let element = script.is(at - 1, "<")
            && matches!(script.text(at), "img" | "Image" | "Avatar" | "AvatarImage" | "CardMedia");
        let Some(value) = source_of(script, at).filter(|_| element) else { return false };
        // A file that is imported has a plain name, and a path of this site begins with a slash.
        let Some(close) = script.close(value).filter(|_| script.is(value, "{")) else { return false };
        script.is_word(value + 1) && (value + 2..close).any(|at| matches!(script.text(at), "." | "?."))
    })
}

/// Whether some program of the repository gives pictures an address at another host.
fn has_pictures_elsewhere(context: &Context<'_>) -> bool {
    context.manifests.iter().flat_map(|manifest| context.scripts_of(&manifest.folder)).any(|script| {
        let of_package = PICTURE_HOSTS.iter().any(|package| imports(&script, package));
        of_package || (1..script.tokens.len()).any(|at| names_a_picture(&script, at))
    })
}

/// `avatar: "https://…"`, `profilePic = \`https://…\``, `secure_url`.
fn names_a_picture(script: &Script, at: usize) -> bool {
    if script.is(at, "secure_url") {
        return true;
    }
    if !matches!(script.kind(at), Some(Kind::String | Kind::Template)) || origin_at(script, at).is_none() {
        return false;
    }
    let named = |at: usize| {
        let name = script.text(at).to_ascii_lowercase();
        ["avatar", "image", "picture", "photo", "pic", "img", "thumbnail"]
            .iter()
            .any(|word| name.contains(word))
    };
    let before = |back: usize| at.checked_sub(back);
    let assigned = script.is(at - 1, ":") || script.is(at - 1, "=");
    // `image: { type: String, default: "https://…" }`
    let schema = before(2).is_some_and(|at| script.is(at, "default"));
    assigned && (before(2).is_some_and(named) || schema && (3..14).filter_map(before).any(named))
}
