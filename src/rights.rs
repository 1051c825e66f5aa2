//! What a caller may do: four rights, in words that operators write and read.

use std::fmt;
use std::str::FromStr;

use crate::quoted::quoted;

words! {
    /// One thing that callers may do. Each route and command needs one of them, or none.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum Right: word {
        /// Ask whether a token or session is good.
        Check = "check",
        /// Open logins, follow them, renew sessions and end them.
        Login = "login",
        /// Issue tokens.
        Issue = "issue",
        /// Users, sessions, audit, keys, relays, webhooks, revocations, API tokens.
        Operate = "operate",
    }
}

impl Right {
    /// Its place in a set.
    pub(crate) const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A set of rights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Rights(u8);

impl Rights {
    /// No right at all.
    pub const NONE: Self = Self(0);

    /// All four.
    pub const ALL: Self = Self(15);

    /// Whether there is none in it.
    pub const fn are_none(self) -> bool {
        self.0 == 0
    }

    /// Whether this one is in it.
    pub const fn has(self, right: Right) -> bool {
        self.0 & right.bit() != 0
    }

    /// These and those.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// The first right of `others` that is not among these.
    pub fn missing(self, others: Self) -> Option<Right> {
        others.each().find(|right| !self.has(*right))
    }

    /// Each right in it.
    pub fn each(self) -> impl Iterator<Item = Right> {
        Right::ALL.into_iter().filter(move |right| self.has(*right))
    }

    /// Reads the words of a list: at least one of them.
    ///
    /// # Errors
    /// A sentence that names what is wrong.
    pub fn of_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let rights = words.into_iter().map(str::trim).filter(|word| !word.is_empty()).try_fold(
            Self::NONE,
            |rights, word| {
                let one = match word {
                    "all" => Self::ALL,
                    word => Right::of_word(word).map(Self::from).ok_or_else(|| {
                        let word = quoted(word);
                        format!("{word} is not a right: there are check, login, issue, operate and all")
                    })?,
                };
                Ok::<_, String>(rights.and(one))
            },
        )?;
        if rights.are_none() { Err("must name at least one right".into()) } else { Ok(rights) }
    }

    /// As operators write them, one by one.
    pub fn words(self) -> Vec<&'static str> {
        self.each().map(Right::word).collect()
    }
}

impl From<Right> for Rights {
    fn from(right: Right) -> Self {
        Self(right.bit())
    }
}

/// With commas.
impl FromStr for Rights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::of_words(text.split(','))
    }
}

/// With commas.
impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_words_adds_up_and_reads_as_it_was_written() {
        let rights: Rights = " login,check ".parse().unwrap();
        assert_eq!(rights.to_string(), "check,login");
        assert!(rights.has(Right::Login) && rights.has(Right::Check));
        assert!(!rights.has(Right::Issue) && !rights.has(Right::Operate));
        assert_eq!("check,issue,login,operate".parse(), Ok(Rights::ALL));
        assert_eq!("all".parse(), Ok(Rights::ALL));
    }

    #[test]
    fn a_word_that_is_no_right_is_named_and_no_word_is_no_right() {
        for wrong in ["Check", "checks", "login operate", "root", "*"] {
            let error = wrong.parse::<Rights>().unwrap_err();
            assert!(error.starts_with(&format!("{wrong:?} is not a right")), "{error}");
        }
        let token = format!("portico_0123456789abcdef_{}", "5e".repeat(32));
        let error = token.parse::<Rights>().unwrap_err();
        assert!(error.contains("is not a right") && !error.contains("5e5e"), "{error}");
        for nothing in ["", ",", " , "] {
            assert_eq!(nothing.parse::<Rights>(), Err("must name at least one right".into()));
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let few = Rights::from(Right::Check).and(Right::Operate.into());
        assert_eq!(few.missing(few), None);
        assert_eq!(few.missing(Rights::ALL), Some(Right::Login));
        assert_eq!(Rights::ALL.missing(few), None);
        assert_eq!(Rights::NONE.missing(Right::Operate.into()), Some(Right::Operate));
    }
}
