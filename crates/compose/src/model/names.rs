//! Closed sets of words.

/// Declares an enum whose variants are words in a Compose file.
macro_rules! names {
    ($(
        $(#[$meta:meta])*
        pub enum $name:ident { $( $(#[$variant_meta:meta])* $variant:ident = $word:literal, )* }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum $name { $( $(#[$variant_meta])* $variant, )* }

        impl $name {
            /// The word in a Compose file.
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl $crate::model::field::Field for $name {
            fn read(value: &$crate::value::Value) -> Result<Self, plimsoll_source::Diagnostic> {
                match value.as_str() {
                    $( Some($word) => Ok(Self::$variant), )*
                    Some(other) => Err(value.origin.error(format!(
                        "`{other}` is not one of {}", [$( concat!("`", $word, "`") ),*].join(", ")
                    ))),
                    None => Err($crate::model::field::mismatch(value, "a string")),
                }
            }

            fn absent(&self) -> bool {
                false
            }
        }
    )*};
}
pub(crate) use names;
