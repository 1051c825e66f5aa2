//! Reads a token from the command line, or from standard input, where other users of the machine cannot see it.

use std::io::Read;

use super::Failure;
use crate::portal_token::MAX_TOKEN_BYTES;

/// The token that an argument means: `-` means standard input.
pub(super) fn given(argument: &str) -> Result<String, Failure> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let mut text = String::new();
    // One byte more than the longest token, so that the daemon can reject it with a reason, and a line break.
    let limit = MAX_TOKEN_BYTES as u64 + 3;
    std::io::stdin().take(limit).read_to_string(&mut text).map_err(Failure::usage)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
