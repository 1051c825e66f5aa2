//! What others have written down about tokens and messages, read from the files beside this one.

mod es256k;
mod nip98;
mod oracle;
mod para_jwt;
mod wire;
mod wycheproof;
