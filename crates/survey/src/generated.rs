//! Scripts that nobody wrote: bundles and minified files that are committed. They hold the program a second time, with
//! all libraries that it imports, whose variables and routes are not its own.

/// Marks that bundlers leave in what they write.
const MARKS: [&str; 6] = [
    "__webpack_require__",
    "__nccwpck_require__",
    "webpackJsonp",
    "parcelRequire",
    "System.register(\"",
    "__turbopack_",
];

/// Bytes below which a file is read as it is.
const SMALL: usize = 4096;

/// A line of this length was written by no person.
const LONG_LINE: usize = 5000;

/// Whether a script is the output of a bundler or a minifier.
pub(crate) fn is_generated(path: &str, text: &str) -> bool {
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    let named = [".min", ".bundle", ".bundled", "-bundle", ".chunk"].iter().any(|end| stem.ends_with(end));
    if named && text.len() > SMALL {
        return true;
    }
    let script = [".js", ".mjs", ".cjs"].iter().any(|end| path.ends_with(end));
    if !script || text.len() <= SMALL {
        return named && MARKS.iter().any(|mark| text.contains(mark));
    }
    MARKS.iter().any(|mark| text.contains(mark)) || is_minified(text) || holds_packages(text)
}

/// Most of the file stands in few very long lines.
fn is_minified(text: &str) -> bool {
    let long: usize = text.lines().map(str::len).filter(|length| *length > LONG_LINE).sum();
    long * 2 > text.len()
}

/// esbuild names the file of each package that it put in.
fn holds_packages(text: &str) -> bool {
    text.match_indices("\n// node_modules/").take(3).count() == 3
}

#[cfg(test)]
mod tests {
    use super::is_generated;

    #[test]
    fn bundles_and_minified_files_are_told_from_sources() {
        let source = "const port = process.env.PORT ?? 3000;\n".repeat(300);
        assert!(!is_generated("src/index.js", &source) && !is_generated("src/bundle.js", &source));
        let webpack = format!("/******/ (() => {{\n__webpack_require__(1);\n{source}");
        assert!(is_generated("api/server.js", &webpack));
        assert!(is_generated("api/server.bundle.js", &source));
        let esbuild =
            format!("\n// node_modules/a/a.js\n// node_modules/b/b.js\n// node_modules/c/c.js\n{source}");
        assert!(is_generated("bin/cli.cjs", &esbuild) && !is_generated("bin/cli.ts", &esbuild));
        assert!(is_generated("lib/x.js", &source.replace('\n', " ")));
        // A name alone does not make a small program a bundle.
        assert!(!is_generated("src/css.bundle.js", "export default {};"));
    }
}
