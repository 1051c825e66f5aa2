//! Enums whose variants are words that programs or operators read and write: each word stands beside its variant.

/// Declares an enum with a word for each variant: `pub enum Name: method { Variant = "word" }`. It gets `ALL`, the
/// method that returns the word, and `of_word`. With `method, serde` it is read and written as its word, too.
macro_rules! words {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident: $method:ident $(, $serde:ident)? {
            $($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        $vis enum $name { $($(#[$doc])* $variant),+ }

        impl $name {
            /// All of them, in order.
            $vis const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// The word for it: stable, for programs.
            $vis const fn $method(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The one with this word, which is compared exactly.
            $vis fn of_word(word: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|one| one.$method() == word)
            }
        }

        $(words!(@$serde $name $method);)?
    };
    (@serde $name:ident $method:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.$method())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let word = from.deserialize_str(crate::words::Word(Self::ALL.map(Self::$method)))?;
                Ok(Self::ALL[word])
            }
        }
    };
}

/// Reads one of these words. Its value is the place of the word in the list.
pub(crate) struct Word<const N: usize>(pub(crate) [&'static str; N]);

impl<const N: usize> serde::de::Visitor<'_> for Word<N> {
    type Value = usize;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&one_of(&self.0))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<usize, E> {
        let found = self.0.iter().position(|word| *word == text);
        found.ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}

/// `"a", "b" or "c"`.
pub(crate) fn one_of(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
    match quoted.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => quoted.concat(),
    }
}

#[cfg(test)]
mod tests {
    words! {
        /// Colours.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Colour: word, serde {
            /// Red.
            Red = "red",
            /// Dark blue.
            DarkBlue = "dark_blue",
            /// Green.
            Green = "green",
        }
    }

    #[test]
    fn a_word_is_read_as_it_is_written_and_another_is_refused_with_the_list() {
        for colour in Colour::ALL {
            assert_eq!(Colour::of_word(colour.word()), Some(colour));
            let written = serde_json::to_string(&colour).unwrap();
            assert_eq!(written, format!("{:?}", colour.word()));
            assert_eq!(serde_json::from_str::<Colour>(&written).unwrap(), colour);
        }
        assert_eq!(Colour::of_word("Red"), None);
        for (written, found) in [("\"blue\"", "string \"blue\""), ("3", "integer `3`")] {
            let error = serde_json::from_str::<Colour>(written).unwrap_err().to_string();
            let list = "expected \"red\", \"dark_blue\" or \"green\"";
            assert!(error.contains(found) && error.contains(list), "{error}");
        }
    }
}
