//! Settings that follow from a memory limit.

/// A setting whose value is a part of the memory limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// Its name in the software's documentation.
    pub name: &'static str,
    /// How much of the limit.
    pub amount: Amount,
}

/// A part of a memory limit, written as the software reads it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// So many parts of so many, rounded down to megabytes, with the unit behind it.
    Megabytes {
        /// How many parts.
        parts: u32,
        /// Of how many.
        of: u32,
        /// The software's name of the unit.
        unit: &'static str,
    },
    /// A share in gigabytes with two decimals, no unit, and the least that is taken.
    Gigabytes {
        /// The share of the limit.
        share: f64,
        /// The least.
        least: f64,
    },
}

impl Setting {
    pub(crate) const fn megabytes(name: &'static str, parts: u32, of: u32, unit: &'static str) -> Self {
        Self { name, amount: Amount::Megabytes { parts, of, unit } }
    }

    /// The value for a limit in megabytes.
    pub fn of(&self, limit: u32) -> String {
        match self.amount {
            Amount::Megabytes { parts, of, unit } => {
                let megabytes = u64::from(limit) * u64::from(parts) / u64::from(of.max(1));
                format!("{megabytes}{unit}")
            }
            Amount::Gigabytes { share, least } => {
                format!("{:.2}", (f64::from(limit) * share / 1024.0).max(least))
            }
        }
    }
}
