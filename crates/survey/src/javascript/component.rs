//! The scripts of files that hold a page's part as well: `.vue`, `.svelte`, `.astro`.

use plimsoll_source::Source;

/// Extensions of such files.
pub(crate) const EXTENSIONS: [&str; 3] = ["vue", "svelte", "astro"];

/// The same file with everything but its scripts blanked out, so that each place in it stays where it is. Other files
/// as they are.
pub(crate) fn scripts_alone(source: Source) -> Source {
    let Some((_, extension)) = source.name().rsplit_once('.') else { return source };
    if !EXTENSIONS.contains(&extension) {
        return source;
    }
    let text = source.text();
    let mut kept = Vec::new();
    let mut from = 0;
    if extension == "astro"
        && let Some(rest) = text.strip_prefix("---")
        && let Some(end) = rest.find("\n---")
    {
        kept.push(3..3 + end);
        from = 3 + end + 4;
    }
    let lower = text.to_ascii_lowercase();
    while let Some(open) = lower[from..].find("<script").map(|at| from + at) {
        let Some(start) = lower[open..].find('>').map(|at| open + at + 1) else { break };
        let end = lower[start..].find("</script").map_or(text.len(), |at| start + at);
        kept.push(start..end);
        from = end;
    }
    let blank = |(at, byte): (usize, u8)| {
        if byte == b'\n' || kept.iter().any(|range| range.contains(&at)) { byte } else { b' ' }
    };
    let bytes: Vec<u8> = text.bytes().enumerate().map(blank).collect();
    // Whole characters are blanked: the borders are those of tags.
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Source::new(source.name(), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(name: &str, text: &str) -> String {
        scripts_alone(Source::new(name, text)).text().to_owned()
    }

    #[test]
    fn scripts_stay_where_they_are() {
        let text = "<template>é</template>\n<script setup lang=\"ts\">\nconst a = 1;\n</script>\n";
        let found = alone("a.vue", text);
        assert_eq!(found.len(), text.len());
        assert_eq!(found.find("const a"), text.find("const a"));
        assert_eq!(found.trim(), "const a = 1;");
        assert_eq!(
            alone("a.astro", "---\nconst a = 1;\n---\n<p>{a}</p><script>b()</script>")
                .split_whitespace()
                .collect::<String>(),
            "consta=1;b()"
        );
        assert_eq!(alone("a.svelte", "<script>a()"), "        a()");
        assert_eq!(alone("a.ts", "<script>"), "<script>");
    }
}
