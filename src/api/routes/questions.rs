//! The body of `POST /jwt/verify`: one question, or many.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::http::MAX_BODY;
use crate::http::envelope::ApiError;
use crate::http::mistake::without_values;
use crate::http::object::Object;

/// The most questions in one request.
pub(in crate::api) const MAX_QUESTIONS: usize = 1_000;

/// The largest body with many questions, in bytes: 1,000 tokens of about 1 KiB.
pub(in crate::api) const MAX_QUESTIONS_BODY: usize = 1024 * 1024;

/// A token, and the key to verify it with.
#[derive(Debug, Deserialize)]
pub(in crate::api) struct Question {
    #[serde(alias = "public_key")]
    pub(in crate::api) pubkey: String,
    pub(in crate::api) token: String,
    /// Whether the session that the wallet's token began here must be open too.
    #[serde(default)]
    pub(in crate::api) session: bool,
}

/// An object is one question, an array is many.
pub(in crate::api) enum Questions {
    One(Question),
    /// Not parsed yet, so that a malformed question spoils only its own answer, and several cores share the parsing.
    Many(Vec<Box<RawValue>>),
    /// More than [`MAX_QUESTIONS`].
    TooMany,
}

/// Reads the questions. Only an array may be larger than other bodies.
pub(in crate::api) fn parse(text: &[u8]) -> Result<Questions, ApiError> {
    match serde_json::from_slice(text) {
        Ok(Questions::One(_)) if text.len() > MAX_BODY => Err(ApiError::too_large(MAX_BODY)),
        Ok(questions) => Ok(questions),
        Err(error) => Err(ApiError::bad_request(format!("body: {}", without_values(&error.to_string())))),
    }
}

/// Reads one of many questions.
pub(in crate::api) fn read(question: &RawValue) -> Result<Question, ApiError> {
    let read = serde_json::from_str(question.get()).map(|Object(question)| question);
    read.map_err(|error| ApiError::bad_request(without_values(&error.to_string())))
}

impl<'de> Deserialize<'de> for Questions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMany)
    }
}

/// Written by hand: `#[serde(untagged)]` would not say what is wrong with a question.
struct OneOrMany;

impl<'de> Visitor<'de> for OneOrMany {
    type Value = Questions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a question {pubkey, token} or an array of them")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Questions, A::Error> {
        Question::deserialize(MapAccessDeserializer::new(map)).map(Questions::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Questions, A::Error> {
        let mut questions = Vec::new();
        while let Some(question) = seq.next_element()? {
            if questions.len() == MAX_QUESTIONS {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Questions::TooMany);
            }
            questions.push(question);
        }
        Ok(Questions::Many(questions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_one_question_and_what_is_wrong_with_it_is_named() {
        let Ok(Questions::One(one)) = parse(br#"{"public_key": "k", "token": "t"}"#) else {
            panic!("not one")
        };
        assert_eq!((one.pubkey.as_str(), one.token.as_str()), ("k", "t"));
        for (text, word) in [(r#"{"token": "t"}"#, "pubkey"), (r#"{"pubkey": "k"}"#, "token"), ("7", "array")]
        {
            let error = parse(text.as_bytes()).err().unwrap();
            assert!(error.message.contains(word), "{text}: {error:?}");
        }
    }

    #[test]
    fn a_malformed_question_among_many_spoils_only_its_own_answer() {
        let text = r#"[{"pubkey": "k", "token": "t"}, {"pubkey": "k"}, null, ["k", "t"], {"pubkey": "l", "token": "u"}]"#;
        let Ok(Questions::Many(many)) = parse(text.as_bytes()) else { panic!("not many") };
        let many: Vec<_> = many.iter().map(|question| read(question)).collect();
        let right: Vec<bool> = many.iter().map(Result::is_ok).collect();
        assert_eq!(right, [true, false, false, false, true]);
        assert!(many[1].as_ref().unwrap_err().message.contains("token"));
    }

    #[test]
    fn a_caller_cannot_ask_without_end() {
        let questions = |count| format!("[{}]", vec!["{}"; count].join(","));
        let most = parse(questions(MAX_QUESTIONS).as_bytes());
        assert!(matches!(most, Ok(Questions::Many(many)) if many.len() == MAX_QUESTIONS));
        assert!(matches!(parse(questions(MAX_QUESTIONS + 1).as_bytes()), Ok(Questions::TooMany)));
        assert!(matches!(parse(b"[]"), Ok(Questions::Many(many)) if many.is_empty()));
        let one = format!(r#"{{"pubkey": "k", "token": "{}"}}"#, "t".repeat(MAX_BODY));
        assert_eq!(parse(one.as_bytes()).err().unwrap().code, "payload_too_large");
    }
}
