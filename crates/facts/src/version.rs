//! Versions as numbers.

/// Up to four numbers: `17`, `8.0.36`. Missing numbers are zero when two are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version([u32; 4]);

impl Version {
    /// Reads `17` or `8.0.36`; nothing where the text has another character or more than four numbers.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = [0; 4];
        for (at, part) in text.split('.').enumerate() {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            *numbers.get_mut(at)? = part.parse().ok().filter(|_| digits)?;
        }
        Some(Self(numbers))
    }

    /// The first number.
    pub fn major(self) -> u32 {
        self.0[0]
    }

    /// The second number.
    pub fn minor(self) -> u32 {
        self.0[1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        let version = |text| Version::parse(text).unwrap();
        assert!(version("9.6") < version("10"));
        assert!(version("3.9") < version("3.10"));
        assert_eq!(version("17"), version("17.0"));
        assert_eq!((version("8.4.2").major(), version("8.4.2").minor()), (8, 4));
        for text in ["", "17.", ".1", "1..2", "v1", "17-alpine", "1.2.3.4.5", "99999999999", "+1"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
