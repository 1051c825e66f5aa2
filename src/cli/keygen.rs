//! `portico keygen`: keys and subkeys, in files that only their owner can read.

use std::path::PathBuf;

use nostr_sdk::{Keys, ToBech32};

use super::terminal::say;
use super::{CommandResult, Exit, Failure};
use crate::clock::{Clock, SystemClock};
use crate::config::{files, key};
use crate::protocol::{Permission, SubkeyMetadata, SubkeyProof, derive_secret};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A subkey lets a service run without its main key on the machine. Make it on the machine with the \
                        main key, copy the subkey and its proof to the service, and set \
                        service.subkey_proof_file in portico.toml to the proof."
)]
pub(super) struct Args {
    /// File for the new key; an existing file is never overwritten
    #[arg(value_name = "FILE")]
    out: PathBuf,
    /// Derive a subkey of the main key in this file, instead of making an independent key
    #[arg(long, value_name = "FILE", requires = "proof")]
    subkey_of: Option<PathBuf>,
    /// File for the subkey's proof
    #[arg(long, value_name = "FILE", requires = "subkey_of")]
    proof: Option<PathBuf>,
    /// Name of the subkey, which wallets may show
    #[arg(long, value_name = "NAME", default_value = "portico")]
    name: String,
    /// Lifetime of the subkey, in days
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..))]
    days: u32,
}

pub(super) fn run(args: &Args) -> CommandResult {
    // Checked before any file is made: a proof without its subkey would be useless. The write itself also refuses
    // to overwrite.
    if args.out.exists() {
        return Err(Failure::usage(format!("{} already exists", files::show_path(&args.out))));
    }
    let keys = match (&args.subkey_of, &args.proof) {
        (Some(main), Some(proof)) => subkey(args, main, proof)?,
        _ => Keys::generate(),
    };
    key::save(&args.out, &keys).map_err(Failure::usage)?;
    let Ok(npub) = keys.public_key().to_bech32();
    say!("{:<12} {}", "file", files::show_path(&args.out));
    say!("{:<12} {}", "public key", keys.public_key());
    say!("{:<12} {npub}", "npub");
    Ok(Exit::Success)
}

fn subkey(args: &Args, main: &std::path::Path, proof_file: &std::path::Path) -> Result<Keys, Failure> {
    let main = key::load(main)
        .map_err(Failure::usage)?
        .ok_or_else(|| Failure::usage(format!("{} does not exist", files::show_path(main))))?;
    let now = SystemClock.now().secs();
    let metadata = SubkeyMetadata {
        name: args.name.clone().try_into().map_err(Failure::usage)?,
        nonce: rand::random(),
        valid_from: now,
        expires_at: now + u64::from(args.days) * 24 * 3600,
        permissions: vec![Permission::Auth],
        version: 1,
    };
    let secret =
        derive_secret(main.secret_key(), &metadata).map_err(|error| Failure::new(Exit::Failed, error))?;
    let proof = SubkeyProof { main_key: main.public_key(), metadata };
    let text = serde_json::to_string_pretty(&proof).map_err(|error| Failure::new(Exit::Failed, error))?;
    files::create_secret(proof_file, &text)
        .map_err(|error| Failure::usage(format!("{}: {error}", files::show_path(proof_file))))?;
    Ok(Keys::new(secret))
}
