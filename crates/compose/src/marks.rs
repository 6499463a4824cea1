//! `!reset` and `!override`: what a later file takes away from an earlier one.

use crate::value::{Kind, Mark, Value};

/// Removes from `base` what `over` marks.
pub(crate) fn apply(base: &mut Value, over: &Value) {
    let (Kind::Map(base), Kind::Map(over)) = (&mut base.kind, &over.kind) else { return };
    for (key, over) in over {
        if over.mark != Mark::Merge {
            base.shift_remove(key);
        } else if let Some(base) = base.get_mut(key) {
            apply(base, over);
        }
    }
}

/// Removes the marks themselves and the values that are only there to reset.
pub(crate) fn strip(value: &mut Value) {
    value.mark = Mark::Merge;
    match &mut value.kind {
        Kind::Map(map) => {
            map.retain(|_, value| value.mark != Mark::Reset);
            map.values_mut().for_each(strip);
        }
        Kind::List(items) => {
            items.retain(|value| value.mark != Mark::Reset);
            items.iter_mut().for_each(strip);
        }
        _ => {}
    }
}
