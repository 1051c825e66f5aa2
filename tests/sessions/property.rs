//! Whatever happens in whatever order: a pair is let in if and only if a model of a few lines says so.

use std::time::Duration;

use portico::config::{SessionRules, SignUp};
use portico::session::{Actor, Invitation, Offered, UserChange, UserId};
use portico::wallet::Credential as Proof;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::world::World;

/// Wallets are few, so that sessions meet.
const WALLETS: usize = 3;

/// How long a session lasts at most, in seconds.
const LONGEST: u64 = 400;

/// How long an access token does.
const TOKEN_LIFE: u64 = 60;

/// Sessions that a user may have.
const MOST: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A new credential of this wallet, which holds for so long, begins a session.
    LogIn {
        wallet: usize,
        life: u64,
    },
    /// A known credential does.
    LogInAgain {
        credential: usize,
    },
    /// A token and a credential that may not be its own ask for a new token.
    Refresh {
        token: usize,
        credential: usize,
    },
    LogOut {
        token: usize,
        all: bool,
    },
    RevokeAll {
        wallet: usize,
    },
    Disable {
        wallet: usize,
        disabled: bool,
    },
    ChangeRoles {
        wallet: usize,
        role: bool,
    },
    Invite {
        wallet: usize,
        role: bool,
    },
    Delete {
        wallet: usize,
    },
    Withdraw {
        credential: usize,
    },
    Advance {
        secs: u64,
    },
    Rotate,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let (wallet, index) = (0..WALLETS, 0..64_usize);
    prop_oneof![
        6 => (wallet.clone(), 20..LONGEST * 2).prop_map(|(wallet, life)| Step::LogIn { wallet, life }),
        2 => index.clone().prop_map(|credential| Step::LogInAgain { credential }),
        6 => (index.clone(), index.clone()).prop_map(|(token, credential)| Step::Refresh { token, credential }),
        3 => (index.clone(), any::<bool>()).prop_map(|(token, all)| Step::LogOut { token, all }),
        1 => wallet.clone().prop_map(|wallet| Step::RevokeAll { wallet }),
        2 => (wallet.clone(), any::<bool>())
            .prop_map(|(wallet, disabled)| Step::Disable { wallet, disabled }),
        1 => (wallet.clone(), any::<bool>()).prop_map(|(wallet, role)| Step::ChangeRoles { wallet, role }),
        3 => (wallet.clone(), any::<bool>()).prop_map(|(wallet, role)| Step::Invite { wallet, role }),
        1 => wallet.prop_map(|wallet| Step::Delete { wallet }),
        1 => index.prop_map(|credential| Step::Withdraw { credential }),
        5 => (1..TOKEN_LIFE + 20).prop_map(|secs| Step::Advance { secs }),
        1 => Just(Step::Rotate),
        1 => Just(Step::Restart),
    ]
}

struct Credential {
    text: String,
    wallet: usize,
    expires_at: u64,
    withdrawn: bool,
}

struct Session {
    wallet: usize,
    /// Which of the users that had this wallet, one after another.
    user: usize,
    credential: usize,
    created_at: u64,
    expires_at: u64,
    ended: bool,
}

struct Token {
    text: String,
    session: usize,
    expires_at: u64,
}

#[derive(Default, Clone)]
struct User {
    id: Option<UserId>,
    disabled: bool,
    role: bool,
    /// How many had this wallet before.
    number: usize,
}

/// What should be.
#[derive(Default)]
struct Model {
    credentials: Vec<Credential>,
    sessions: Vec<Session>,
    tokens: Vec<Token>,
    users: [User; WALLETS],
}

impl Model {
    fn holds(&self, credential: usize, now: u64) -> bool {
        let credential = &self.credentials[credential];
        !credential.withdrawn && now < credential.expires_at
    }

    fn goes_on(&self, session: usize, now: u64) -> bool {
        let session = &self.sessions[session];
        let user = &self.users[session.wallet];
        !session.ended && now < session.expires_at && user.number == session.user && !user.disabled
    }

    /// Whether a token may be renewed with this credential.
    fn belong_together(&self, token: usize, credential: usize, now: u64) -> bool {
        let session = self.tokens[token].session;
        self.holds(credential, now)
            && self.goes_on(session, now)
            && self.sessions[session].wallet == self.credentials[credential].wallet
    }

    fn is_active(&self, token: usize, credential: usize, now: u64) -> bool {
        now < self.tokens[token].expires_at && self.belong_together(token, credential, now)
    }

    fn begin(&mut self, credential: usize, token: String, now: u64) {
        let Credential { wallet, expires_at, .. } = self.credentials[credential];
        let going_on: Vec<_> = (0..self.sessions.len())
            .filter(|n| self.sessions[*n].wallet == wallet && self.goes_on(*n, now))
            .collect();
        if going_on.len() >= MOST {
            self.sessions[going_on[0]].ended = true;
        }
        let user = self.users[wallet].number;
        let expires_at = expires_at.min(now + LONGEST);
        self.sessions.push(Session { wallet, user, credential, created_at: now, expires_at, ended: false });
        self.add_token(token, self.sessions.len() - 1, credential, now);
    }

    fn renew(&mut self, session: usize, credential: usize, token: String, now: u64) {
        let offered = self.credentials[credential].expires_at;
        let renewed = &mut self.sessions[session];
        if renewed.credential != credential {
            renewed.credential = credential;
            renewed.expires_at = renewed.expires_at.max(offered.min(renewed.created_at + LONGEST));
        }
        self.add_token(token, session, credential, now);
    }

    fn add_token(&mut self, text: String, session: usize, credential: usize, now: u64) {
        let until = self.sessions[session].expires_at.min(self.credentials[credential].expires_at);
        self.tokens.push(Token { text, session, expires_at: until.min(now + TOKEN_LIFE) });
    }

    fn end_all_of(&mut self, wallet: usize) {
        self.sessions.iter_mut().filter(|one| one.wallet == wallet).for_each(|one| one.ended = true);
    }
}

/// Both, side by side.
struct Run {
    world: World,
    model: Model,
    sign_up: SignUp,
}

fn actor() -> Actor {
    Actor::peer(&"test")
}

impl Run {
    async fn take(&mut self, step: Step) -> TestCaseResult {
        let (sessions, now) = (self.world.sessions().clone(), self.world.now());
        let tokens = self.model.tokens.len().max(1);
        let credentials = self.model.credentials.len().max(1);
        match step {
            Step::LogIn { wallet, life } => {
                let expires_at = now + life;
                let text = format!("{wallet}.{expires_at}.{}", self.model.credentials.len());
                self.model.credentials.push(Credential { text, wallet, expires_at, withdrawn: false });
                self.log_in(self.model.credentials.len() - 1).await?;
            }
            Step::LogInAgain { credential } if !self.model.credentials.is_empty() => {
                self.log_in(credential % credentials).await?;
            }
            Step::Refresh { token, credential } if !self.model.tokens.is_empty() => {
                let (token, credential) = (token % tokens, credential % credentials);
                let text = &self.model.credentials[credential].text;
                let old = &self.model.tokens[token].text;
                let renewed = sessions.refresh(Some(old), Proof::alone(text), None, &actor()).await;
                let expected = self.model.belong_together(token, credential, now);
                prop_assert_eq!(renewed.is_ok(), expected, "{:?}: {:?}", step, renewed.err());
                if let Ok(renewed) = renewed {
                    let roles = self.model.users[self.model.credentials[credential].wallet].role;
                    prop_assert_eq!(renewed.user.roles.is_empty(), !roles);
                    let new = renewed.access_token.expose().to_owned();
                    self.model.renew(self.model.tokens[token].session, credential, new, now);
                }
            }
            Step::LogOut { token, all } if !self.model.tokens.is_empty() => {
                let Token { text, session, .. } = &self.model.tokens[token % tokens];
                let (session, offered) =
                    (*session, Offered { access_token: Some(text), ..Offered::default() });
                let done = sessions.logout(offered, all, actor()).await;
                let wallet = self.model.sessions[session].wallet;
                let is_there = self.model.sessions[session].user == self.model.users[wallet].number;
                // Of a user who was deleted there is nothing left to end.
                prop_assert!(done.is_ok() && (is_there || done == Ok(0)), "{:?}", done);
                self.model.sessions[session].ended = true;
                if all && is_there {
                    self.model.end_all_of(wallet);
                }
            }
            Step::RevokeAll { wallet } => {
                if let Some(id) = self.model.users[wallet].id {
                    sessions.revoke_sessions_of(id, actor()).await.unwrap();
                    self.model.end_all_of(wallet);
                }
            }
            Step::Disable { wallet, disabled } => {
                if let Some(id) = self.model.users[wallet].id {
                    let change = UserChange { disabled: Some(disabled), ..UserChange::default() };
                    sessions.change_user(id, None, change, actor()).await.unwrap();
                    if disabled && !self.model.users[wallet].disabled {
                        self.model.end_all_of(wallet);
                    }
                    self.model.users[wallet].disabled = disabled;
                }
            }
            Step::ChangeRoles { wallet, role } => {
                if let Some(id) = self.model.users[wallet].id {
                    let roles = if role { vec!["admin".to_owned()] } else { Vec::new() };
                    let change = UserChange { roles: Some(roles), ..UserChange::default() };
                    sessions.change_user(id, None, change, actor()).await.unwrap();
                    self.model.users[wallet].role = role;
                }
            }
            Step::Invite { wallet, role } => {
                let roles = if role { vec!["admin".to_owned()] } else { Vec::new() };
                let (wallet_id, provider) = (wallet.to_string(), None);
                let (username, email, permissions) = (None, None, Vec::new());
                let invitation = Invitation { wallet_id, provider, username, email, roles, permissions };
                let invited = sessions.invite(invitation, actor()).await;
                let user = &mut self.model.users[wallet];
                prop_assert_eq!(invited.is_ok(), user.id.is_none(), "{:?}", invited.err());
                if let Ok(invited) = invited {
                    (user.id, user.role) = (Some(invited.id), role);
                }
            }
            Step::Delete { wallet } => {
                if let Some(id) = self.model.users[wallet].id {
                    sessions.delete_user(id, None, actor()).await.unwrap();
                    let number = self.model.users[wallet].number + 1;
                    self.model.users[wallet] = User { number, ..User::default() };
                }
            }
            Step::Withdraw { credential } if !self.model.credentials.is_empty() => {
                let credential = &mut self.model.credentials[credential % credentials];
                credential.withdrawn = true;
                self.world.withdraw(&credential.text);
            }
            Step::Advance { secs } => self.world.advance(secs),
            Step::Rotate => {
                // A ring that is full is as it should be.
                let _ = self.world.rotation().rotate(&actor()).await;
            }
            Step::Restart => self.world.restart().await,
            _ => {}
        }
        Ok(())
    }

    async fn log_in(&mut self, credential: usize) -> TestCaseResult {
        // Which of two sessions from the same moment is the older, nobody can say.
        self.world.advance(1);
        let now = self.world.now();
        let Credential { ref text, wallet, .. } = self.model.credentials[credential];
        let begun = self.world.sessions().login(None, Proof::alone(text), actor()).await;
        let user = &self.model.users[wallet];
        let is_welcome = self.sign_up == SignUp::Open || user.id.is_some();
        let expected = self.model.holds(credential, now) && !user.disabled && is_welcome;
        prop_assert_eq!(begun.is_ok(), expected, "{:?}", begun.err());
        if let Ok(begun) = begun {
            let user = &mut self.model.users[wallet];
            prop_assert_eq!(user.id.get_or_insert(begun.user.id), &begun.user.id);
            prop_assert_eq!(begun.user.roles.is_empty(), !user.role);
            self.model.begin(credential, begun.access_token.expose().to_owned(), now);
        }
        Ok(())
    }

    /// Every token with every credential.
    async fn check(&self) -> TestCaseResult {
        let now = self.world.now();
        for (t, token) in self.model.tokens.iter().enumerate() {
            for (c, credential) in self.model.credentials.iter().enumerate() {
                let (access_token, text) = (Some(token.text.as_str()), Some(credential.text.as_str()));
                let offered = Offered { access_token, credential: text.map(Proof::alone), provider: None };
                let checked = self.world.sessions().check("verify", offered, &actor()).await;
                let expected = self.model.is_active(t, c, now);
                prop_assert_eq!(
                    checked.is_ok(),
                    expected,
                    "token {}, credential {}: {:?}",
                    t,
                    c,
                    checked.err()
                );
                if let Ok(checked) = checked {
                    prop_assert_eq!(&checked.user.wallet_id, &credential.wallet.to_string());
                }
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_lets_in_a_pair_that_does_not_match_is_revoked_or_has_run_out(
        steps in proptest::collection::vec(step(), 1..24),
        listed in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let sign_up = if listed { SignUp::Listed } else { SignUp::Open };
            let rules = SessionRules {
                enabled: true,
                sign_up,
                max_lifetime: Duration::from_secs(LONGEST),
                max_per_user: MOST,
                max_logins_per_wallet: 1_000,
                max_refreshes_per_wallet: 1_000,
                ..SessionRules::default()
            };
            let mut run = Run { world: World::new(rules).await, model: Model::default(), sign_up };
            for step in steps {
                run.take(step).await?;
                run.check().await?;
            }
            TestCaseResult::Ok(())
        })?;
    }
}
