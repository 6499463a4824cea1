//! Names in words as a part of an identifier.

/// `Create a story!` is `create-a-story`.
pub(crate) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for part in name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()) {
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(&part.to_ascii_lowercase());
    }
    slug
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_become_identifiers() {
        assert_eq!(super::slug("Create a story!"), "create-a-story");
        assert_eq!(super::slug("a move (reaches) the stream"), "a-move-reaches-the-stream");
    }
}
