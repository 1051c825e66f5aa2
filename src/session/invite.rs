//! Users whom an operator adds before their wallet logs in for the first time.

use std::sync::Arc;

use serde::Deserialize;

use super::book::{nobody_yet, until_undisturbed};
use super::users::{UserChange, difference};
use super::{Result, SessionError, Sessions};
use crate::actor::Actor;
use crate::quoted::quoted;
use crate::store::{AuditKind, StoreError, User};
use crate::wallet::is_wallet_id;

/// The `auth_method` of a user who has not logged in yet.
const UNPROVEN: &str = "invited";

/// The user that an operator invites.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    /// The wallet.
    pub wallet_id: String,
    /// The provider of the wallet; the default provider if missing.
    #[serde(default)]
    pub provider: Option<String>,
    /// The name.
    #[serde(default)]
    pub username: Option<String>,
    /// The email address.
    #[serde(default)]
    pub email: Option<String>,
    /// Roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Permissions.
    #[serde(default)]
    pub permissions: Vec<String>,
}

impl Sessions {
    /// Adds a user with this wallet, who has not logged in yet. The first login uses the user as it is then.
    pub async fn invite(self: &Arc<Self>, invitation: Invitation, actor: Actor) -> Result<User> {
        let invited = self.invited(invitation)?;
        let sessions = Arc::clone(self);
        self.to_the_end(async move { until_undisturbed(|| sessions.add(&invited, &actor)).await }).await
    }

    fn invited(&self, invitation: Invitation) -> Result<User> {
        let Invitation { wallet_id, provider, username, email, roles, permissions } = invitation;
        let name = provider.unwrap_or_else(|| self.default_provider.clone());
        let Some(provider) = self.providers.get(&name) else {
            let known = self.providers.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let message = format!("provider: unknown provider {}; available: {known}", quoted(&name));
            return Err(SessionError::BadRequest(message));
        };
        let unusable =
            |what| SessionError::BadRequest(format!("wallet_id: a wallet of {name} must be {what}"));
        let wallet_id = provider.wallet_named(&wallet_id).map_err(unusable)?;
        if !is_wallet_id(&wallet_id) {
            return Err(unusable("one word of up to 512 bytes, without control characters"));
        }
        let now = self.book.clock.now();
        let nobody = User {
            auth_method: UNPROVEN.into(),
            auth_identifier: wallet_id.clone(),
            ..nobody_yet(name, wallet_id, now)
        };
        let given = UserChange {
            username: username.map(Some),
            email: email.map(Some),
            roles: Some(roles),
            permissions: Some(permissions),
            disabled: None,
        };
        Ok(given.checked()?.applied_to(&nobody))
    }

    async fn add(&self, user: &User, actor: &Actor) -> Result<User> {
        let accounts = &self.book.accounts;
        let mut audit = actor.about(AuditKind::UserInvited, user, user.created_at);
        let plain = User { username: None, email: None, roles: vec![], permissions: vec![], ..user.clone() };
        audit.detail = Some(difference(&plain, user));
        match accounts.add_user(user, &audit).await {
            Ok(()) => {}
            Err(StoreError::Conflict) => {
                let known = accounts.user_of_wallet(&user.provider, &user.wallet_id).await?;
                // Nobody: they were deleted since, and the wallet is free again.
                return Err(
                    known.map_or(StoreError::Conflict.into(), |known| SessionError::UserExists(known.id))
                );
            }
            Err(error) => return Err(error.into()),
        }
        tracing::info!(user_id = %user.id, provider = user.provider, "user invited");
        Ok(user.clone())
    }
}
