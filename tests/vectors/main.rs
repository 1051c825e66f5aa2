//! What others have written down about tokens and messages, read from the files beside this one.

mod es256k;
mod nip98;
mod oracle;
#[path = "../support/para_api.rs"]
mod para_api;
mod para_jwt;
mod para_session;
mod thirdweb;
mod wire;
mod wycheproof;
