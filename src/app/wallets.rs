//! The wallet providers that the configuration enables.

use std::sync::Arc;

use super::error::StartError;
use super::ground::Ground;
use crate::tokens::{PortalTokens, RevokedTokens};
use crate::wallet::WalletProvider;
use crate::wallet::jwks::JwksWallets;
use crate::wallet::nip98::Nip98Wallets;
use crate::wallet::para_session::{CAPSULE, PARA, ParaSessions};
use crate::wallet::portal::PortalWallets;
use crate::wallet::thirdweb::{SignIn, Thirdweb};

/// Portal's own provider, and those with a section in the configuration.
pub(super) fn providers(
    ground: &Ground<'_>,
    portal: &Arc<PortalTokens>,
    thirdweb: Option<&Arc<SignIn>>,
) -> Result<Vec<Arc<dyn WalletProvider>>, StartError> {
    let (wallets, tls) = (&ground.config.wallets, &ground.config.tls);
    let mut providers: Vec<Arc<dyn WalletProvider>> = vec![Arc::new(PortalWallets::new(Arc::clone(portal)))];
    if let Some(thirdweb) = thirdweb {
        providers.push(Arc::clone(&thirdweb.tokens) as _);
    }
    for (dialect, rules) in [(&PARA, &wallets.para_session), (&CAPSULE, &wallets.capsule_session)] {
        if let Some(rules) = rules {
            let sessions = ParaSessions::new(dialect, rules, rules.keys()?, tls, Arc::clone(&ground.clock));
            providers.push(Arc::new(sessions));
        }
    }
    if let Some(rules) = &wallets.jwks {
        providers.push(Arc::new(JwksWallets::of_issuer(rules, tls, Arc::clone(&ground.clock))));
    }
    if let Some(rules) = &wallets.para {
        providers.push(Arc::new(JwksWallets::of_para(rules, tls, Arc::clone(&ground.clock))));
    }
    if let Some(rules) = &wallets.nip98 {
        providers.push(Arc::new(Nip98Wallets::new(
            rules,
            ground.store.clone(),
            ground.store.clone(),
            Arc::clone(&ground.clock),
            Arc::clone(&ground.timekeeper),
        )));
    }
    Ok(providers)
}

/// thirdweb's tokens. Portico also issues them, with or without sessions.
pub(super) fn thirdweb(
    ground: &Ground<'_>,
    revoked: &Arc<RevokedTokens>,
) -> Result<Option<Arc<SignIn>>, StartError> {
    let Some(rules) = &ground.config.wallets.thirdweb else { return Ok(None) };
    let max_lifetime = ground.config.tokens.max_issued_lifetime;
    let (withdrawals, clock) = (Arc::clone(revoked), Arc::clone(&ground.clock));
    let tokens = Thirdweb::new(rules, rules.admin_key()?, max_lifetime, withdrawals, Arc::clone(&clock));
    Ok(Some(Arc::new(SignIn::new(Arc::new(tokens), rules, ground.store.clone(), clock))))
}
