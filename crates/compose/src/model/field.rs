//! How the typed model is read from the canonical tree and written back.

use std::{cell::Cell, cmp::Ordering};

use indexmap::IndexMap;
use plimsoll_source::Diagnostic;
use serde::{Serialize, ser::SerializeMap};

use crate::value::{Kind, Value};

/// A part of the model: read from a [`Value`] that the schema has already checked, written by serde.
pub(crate) trait Field: Sized + Default + Serialize {
    fn read(value: &Value) -> Result<Self, Diagnostic>;

    /// Whether writing it would say nothing.
    fn absent(&self) -> bool;

    /// Writes it as the entry `key`.
    fn write<M: SerializeMap>(&self, key: &str, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry(key, self)
    }
}

pub(crate) fn mismatch(value: &Value, expected: &str) -> Diagnostic {
    value.origin.error(format!("expected {expected}, found {}", value.type_name()))
}

impl Field for bool {
    fn read(value: &Value) -> Result<Self, Diagnostic> {
        match &value.kind {
            Kind::Bool(value) => Ok(*value),
            Kind::Null => Ok(false),
            Kind::String(text) => crate::cast::boolean(text)
                .ok_or_else(|| value.origin.error(format!("`{text}` is not a boolean"))),
            _ => Err(mismatch(value, "a boolean")),
        }
    }

    fn absent(&self) -> bool {
        !self
    }
}

impl Field for i64 {
    fn read(value: &Value) -> Result<Self, Diagnostic> {
        match &value.kind {
            Kind::Int(value) => Ok(*value),
            Kind::Float(value) => Ok(*value as i64),
            Kind::Null => Ok(0),
            Kind::String(text) => crate::cast::integer(text)
                .ok_or_else(|| value.origin.error(format!("`{text}` is not a whole number"))),
            _ => Err(mismatch(value, "a whole number")),
        }
    }

    fn absent(&self) -> bool {
        *self == 0
    }
}

impl Field for f64 {
    fn read(value: &Value) -> Result<Self, Diagnostic> {
        match &value.kind {
            Kind::Int(value) => Ok(*value as f64),
            Kind::Float(value) => Ok(*value),
            Kind::Null => Ok(0.0),
            Kind::String(text) => {
                text.trim().parse().map_err(|_| value.origin.error(format!("`{text}` is not a number")))
            }
            _ => Err(mismatch(value, "a number")),
        }
    }

    fn absent(&self) -> bool {
        *self == 0.0
    }
}

impl Field for String {
    fn read(value: &Value) -> Result<Self, Diagnostic> {
        if value.is_null() {
            return Ok(Self::new());
        }
        value.scalar_text().ok_or_else(|| mismatch(value, "a string"))
    }

    fn absent(&self) -> bool {
        self.is_empty()
    }
}

impl Field for Option<String> {
    fn read(value: &Value) -> Result<Self, Diagnostic> {
        String::read(value).map(|text| Some(text).filter(|text| !text.is_empty()))
    }

    fn absent(&self) -> bool {
        self.as_ref().is_none_or(String::is_empty)
    }
}

macro_rules! pointer {
    ($($type:ty),*) => {$(
        impl Field for Option<$type> {
            fn read(value: &Value) -> Result<Self, Diagnostic> {
                if value.is_null() { Ok(None) } else { <$type>::read(value).map(Some) }
            }

            fn absent(&self) -> bool {
                self.is_none()
            }
        }
    )*};
}
pub(crate) use pointer;

pointer!(bool, i64, f64, Vec<String>);

impl<T: Field> Field for Vec<T> {
    fn read(value: &Value) -> Result<Self, Diagnostic> {
        match &value.kind {
            Kind::List(items) => items.iter().map(T::read).collect(),
            Kind::Null => Ok(Self::new()),
            // One text may stand for a list of it, where the specification lets it.
            Kind::Map(_) => Err(mismatch(value, "a list")),
            _ => T::read(value).map(|only| vec![only]).map_err(|_| mismatch(value, "a list")),
        }
    }

    fn absent(&self) -> bool {
        self.is_empty()
    }
}

impl<T: Field> Field for IndexMap<String, T> {
    fn write<M: SerializeMap>(&self, key: &str, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry(key, &Sorted(self))
    }

    fn read(value: &Value) -> Result<Self, Diagnostic> {
        match &value.kind {
            Kind::Map(map) => map.iter().map(|(key, value)| Ok((key.clone(), T::read(value)?))).collect(),
            Kind::Null => Ok(Self::new()),
            _ => Err(mismatch(value, "a mapping")),
        }
    }

    fn absent(&self) -> bool {
        self.is_empty()
    }
}

impl Field for serde_json::Value {
    fn read(value: &Value) -> Result<Self, Diagnostic> {
        Ok(value.to_json())
    }

    fn absent(&self) -> bool {
        false
    }
}

/// Free data with its keys in the order that the reference prints them in.
pub(crate) fn sorted(value: &serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Array(items) => items.iter().map(sorted).collect(),
        serde_json::Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|a, b| key_order(a.0, b.0));
            serde_json::Value::Object(
                entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect(),
            )
        }
        other => other.clone(),
    }
}

fn key_order(a: &str, b: &str) -> Ordering {
    if for_yaml() { crate::write::natural_order(a, b) } else { a.cmp(b) }
}

/// `x-*` attributes, kept as they are.
pub type Extensions = IndexMap<String, serde_json::Value>;

thread_local! {
    static FOR_YAML: Cell<bool> = const { Cell::new(false) };
}

/// Whether the form for YAML is being written. The reference writes `x-*` attributes below the top level and sorts keys
/// by their numbers there; in JSON it has empty values that YAML leaves out.
pub(crate) fn for_yaml() -> bool {
    FOR_YAML.get()
}

/// Serialises in the form for YAML.
pub(crate) fn in_yaml_form<T>(serialise: impl FnOnce() -> T) -> T {
    FOR_YAML.set(true);
    let done = serialise();
    FOR_YAML.set(false);
    done
}

/// Keys in the order of their names, as the reference prints mappings that users fill.
pub(crate) struct Sorted<'a, T>(pub(crate) &'a IndexMap<String, T>);

impl<T: Serialize> Serialize for Sorted<'_, T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut keys: Vec<_> = self.0.iter().collect();
        keys.sort_by(|a, b| key_order(a.0, b.0));
        serializer.collect_map(keys)
    }
}

/// Declares a struct of the model with its reading and writing. `"name" field: Type` where the attribute's name is not
/// the field's; `[always]` for attributes that the reference prints even when they say nothing, `[json]`
/// and `[yaml]` for those that it prints so in one of the two forms.
macro_rules! model {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[$field_meta:meta])* $([$always:ident])? $($key:literal)? $field:ident : $type:ty, )*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $type, )*
            /// `x-*` attributes.
            pub extensions: $crate::model::Extensions,
        }

        impl $crate::model::field::Field for $name {
            fn read(value: &$crate::value::Value) -> Result<Self, plimsoll_source::Diagnostic> {
                let mut read = Self::default();
                let Some(map) = value.as_map() else {
                    if value.is_null() {
                        return Ok(read);
                    }
                    return Err($crate::model::field::mismatch(value, "a mapping"));
                };
                for (key, value) in map {
                    match key.as_str() {
                        $( $crate::model::field::key!($field $($key)?) =>
                            read.$field = $crate::model::field::Field::read(value)?, )*
                        _ if key.starts_with("x-") => {
                            read.extensions.insert(key.clone(), value.to_json());
                        }
                        _ => {}
                    }
                }
                Ok(read)
            }

            fn absent(&self) -> bool {
                *self == Self::default()
            }
        }

        impl $crate::model::field::Field for Option<$name> {
            fn read(value: &$crate::value::Value) -> Result<Self, plimsoll_source::Diagnostic> {
                if value.is_null() { Ok(None) } else { $crate::model::field::Field::read(value).map(Some) }
            }

            fn absent(&self) -> bool {
                self.is_none()
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap as _;
                let mut map = serializer.serialize_map(None)?;
                $(
                    let always = $crate::model::field::always!($($always)?);
                    if always || !$crate::model::field::Field::absent(&self.$field) {
                        $crate::model::field::Field::write(&self.$field, $crate::model::field::key!($field $($key)?), &mut map)?;
                    }
                )*
                if $crate::model::field::for_yaml() {
                    for (key, value) in &self.extensions {
                        map.serialize_entry(key, &$crate::model::field::sorted(value))?;
                    }
                }
                map.end()
            }
        }
    )*};
}
pub(crate) use model;

macro_rules! key {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $key:literal) => {
        $key
    };
}
pub(crate) use key;

macro_rules! always {
    () => {
        false
    };
    (always) => {
        true
    };
    (yaml) => {
        $crate::model::field::for_yaml()
    };
    (json) => {
        !$crate::model::field::for_yaml()
    };
}
pub(crate) use always;
