//! `portico config`: the configuration that the daemon would use.

use nostr_sdk::{PublicKey, ToBech32};
use serde_json::json;

use super::terminal::{note, say, text};
use super::{CommandResult, Exit, Failure, moved};
use crate::app::{self, Acting};
use crate::clock::SystemClock;
use crate::config::files::show_path;
use crate::config::{
    self, AccessRules, Account, Allowed, ApiToken, Config, Overrides, Service, SignInPages, StorePlace,
    WebApp, Webhook, duration, key,
};
use crate::roster::NOBODY_CAN_LOG_IN;
use crate::shown;
use crate::store::{StoreError, postgres};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Check the configuration, the relays and the secret files, and show the values in force
    Check(Check),
}

#[derive(Debug, clap::Args)]
pub(super) struct Check {
    #[command(flatten)]
    overrides: Overrides,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(Command::Check(args): Command) -> CommandResult {
    let config = config::load(&args.overrides).map_err(Failure::usage)?;
    for variable in config::unused_variables() {
        note!("portico: {variable}: {}", config::UNUSED);
    }
    moved::lines(&config).iter().for_each(|line| note!("portico: {line}"));
    let listens = config.local.listen.is_some();
    let service =
        app::check_files(&config, Acting::AsOwner, listens, &SystemClock).map_err(Failure::usage)?;
    let issuer = access_issuer(&config, service.as_ref().map(|(_, main_key)| *main_key));
    let public_key =
        service.map_or_else(|| "(made at the first start)".into(), |(keys, _)| keys.public_key().to_hex());
    if listens || matches!(config.local.token, ApiToken::Given(_)) {
        let warning = config.local.token.check().map_err(Failure::usage)?;
        let place = match &config.local.token {
            ApiToken::Given(_) => "local.token".into(),
            in_file => in_file.to_string(),
        };
        warning.iter().for_each(|warning| note!("portico: {place}: {warning}"));
    }
    if !config.relays.iter().any(|relay| relay.read && relay.write) {
        note!("portico: {}: {}", config.relay_source, NOBODY_CAN_LOG_IN);
    }
    config::relay_advice(&config.relays)
        .iter()
        .for_each(|advice| note!("portico: {}: {advice}", config.relay_source));
    app::reach_warnings(&config, None).iter().for_each(|warning| note!("portico: {warning}"));
    let shown = show(&config, &public_key, &issuer, store(&config).await?);
    if args.json {
        say!("{shown:#}");
    } else if let Some(lines) = shown.as_object() {
        for (name, value) in lines {
            say!("{name:<16} {}", text(value));
        }
    }
    Ok(Exit::Success)
}

/// Where the state is kept. Connects to a database, and says what is there.
async fn store(config: &Config) -> Result<serde_json::Value, Failure> {
    let database = match &config.store {
        StorePlace::Folder => return Ok(json!({ "kind": "sqlite" })),
        StorePlace::Postgres(database) => database,
    };
    let options = app::store_options(config, database).map_err(Failure::usage)?;
    let found = postgres::look(&options).await.map_err(|error| match error {
        StoreError::Unavailable(_) => Failure::new(Exit::Unavailable, error),
        error => Failure::new(Exit::No, error),
    })?;
    Ok(json!({
        "kind": "postgresql",
        "url": database.url().to_string(),
        "password": database.password_source(),
        "server": found.server,
        "schema": found.schema,
        "schema_known": found.known,
        "used_by": found.user,
    }))
}

/// Where the service's key is.
fn key_source(service: &Service) -> String {
    match service.given_key {
        Some(_) => key::PRIVATE_KEY.into(),
        None => show_path(&service.key_file),
    }
}

/// The issuer of access tokens: the configured one, else the service's key, which may not exist yet.
fn access_issuer(config: &Config, service: Option<PublicKey>) -> String {
    let npub = service.map(|key| key.to_bech32().unwrap_or_else(|never| match never {}));
    let default = || format!("nostr:{}", npub.as_deref().unwrap_or("npub1…"));
    config.access.issuer.clone().unwrap_or_else(default)
}

fn shown_row(row: &Allowed) -> serde_json::Value {
    match row.who {
        Account::User(uid) => json!({ "uid": uid, "may": row.may.words() }),
        Account::Group(gid) => json!({ "gid": gid, "may": row.may.words() }),
    }
}

/// The values in force, without secrets.
fn show(config: &Config, public_key: &str, issuer: &str, store: serde_json::Value) -> serde_json::Value {
    let relays: Vec<String> = config.relays.iter().map(|relay| shown::relay(&relay.url)).collect();
    json!({
        "config": config.file.as_deref().map_or("(defaults)".into(), show_path),
        "data_dir": show_path(&config.data_dir),
        "store": store,
        "key_file": key_source(&config.service),
        "public_key": public_key,
        "socket": show_path(&config.local.socket),
        "socket_mode": format!("{:04o}", config.local.socket_mode),
        "listen": config.local.listen.map_or("off".into(), |address| address.to_string()),
        "local": {
            "socket_gid": config.local.socket_gid,
            "allow_uids": config.local.allow_uids,
            "allow_gids": config.local.allow_gids,
            "allow": config.local.allow.iter().map(shown_row).collect::<Vec<_>>(),
            "allow_remote": config.local.allow_remote,
            "allowed_hosts": config.local.allowed_hosts,
            "allowed_origins": config.local.allowed_origins,
            "max_connections": config.local.max_connections,
            "max_connections_per_peer": config.local.max_connections_per_peer,
            "max_strangers": config.local.max_strangers,
            "max_followers": config.local.max_followers,
            "max_followed_per_connection": config.local.max_followed_per_connection,
            "websocket_queue": config.local.websocket_queue,
            "request_timeout": duration::show(config.local.request_timeout),
        },
        "nip05_names": config.service.nip05_names,
        "profile": config.profile,
        "subkey_proof_file": config.service.subkey_proof_file.as_deref().map(show_path),
        "api_token": config.local.token.to_string(),
        "relay_source": config.relay_source.to_string(),
        "relays": relays,
        "auth": config.auth,
        "tokens": config.tokens,
        "relay_rules": config.relay_rules,
        "lookup": config.lookup,
        "tls": { "ca_file": config.tls.ca_file().map(show_path) },
        "history": config.history,
        "access": AccessRules {
            issuer: Some(issuer.to_owned()),
            audience: Some(config.access.audience.clone().unwrap_or_else(|| issuer.to_owned())),
            ..config.access.clone()
        },
        "sessions": config.sessions,
        "ui": config.ui,
        "wallets": config.wallets,
        "forward": config.forward,
        "webhook": config.webhook.as_ref().map_or("off".into(), webhook),
        "web": config.web.as_ref().map_or("off".into(), web),
        "log": config.log,
    })
}

fn web(web: &SignInPages) -> serde_json::Value {
    let app = |app: &WebApp| {
        let WebApp { id, name, return_urls, uids, tokens } = app;
        json!({ "id": id, "name": name, "return_urls": return_urls, "uids": uids, "tokens": tokens })
    };
    json!({
        "listen": web.listen.to_string(),
        "public_url": web.public_url.as_str(),
        "proxies": web.proxies.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "name": web.name,
        "logo": web.logo.as_ref().map(|logo| logo.media_type),
        "accent": web.accent.to_string(),
        "wallet_url": web.wallet_url.as_ref().map(shown::url),
        "apps": web.apps.iter().map(app).collect::<Vec<_>>(),
        "max_connections": web.max_connections,
        "max_open": web.max_open,
        "max_open_per_app": web.max_open_per_app,
        "max_open_per_address": web.max_open_per_address,
        "max_open_per_browser": web.max_open_per_browser,
    })
}

fn webhook(webhook: &Webhook) -> serde_json::Value {
    let Webhook { url, secret, rules } = webhook;
    let text = duration::show;
    json!({
        "url": url.to_string(),
        "secret": secret.to_string(),
        "max_concurrent": rules.max_concurrent,
        "max_waiting": rules.max_waiting,
        "timeout": text(rules.timeout),
        "first_retry": text(rules.first_retry),
        "longest_retry": text(rules.longest_retry),
        "give_up_after": text(rules.give_up_after),
    })
}
