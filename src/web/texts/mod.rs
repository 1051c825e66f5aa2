//! The texts of the page, a file for each language.
//!
//! `{app}` is the name of the app, `{name}` what a wallet shows, `{n}` a number and `{t}` a time like 4:59.

mod de;
mod en;
mod es;
mod fr;
mod it;
mod ja;
mod pt;
mod zh;

/// All languages. The first one serves everybody else.
pub(super) static ALL: [Texts; 8] =
    [en::TEXTS, de::TEXTS, es::TEXTS, fr::TEXTS, it::TEXTS, pt::TEXTS, ja::TEXTS, zh::TEXTS];

/// The texts in one language. `code` is its name in two letters.
#[derive(Debug)]
pub(super) struct Texts {
    pub(super) code: &'static str,
    pub(super) sign_in: &'static str,
    pub(super) scan: &'static str,
    pub(super) or_here: &'static str,
    pub(super) open: &'static str,
    pub(super) copy: &'static str,
    pub(super) copied: &'static str,
    pub(super) qr: &'static str,
    pub(super) left: &'static str,
    pub(super) minutes: &'static str,
    pub(super) say_left: &'static str,
    pub(super) new_code_shown: &'static str,
    pub(super) nothing_opened: &'static str,
    pub(super) get_wallet: &'static str,
    pub(super) wallet_shows: &'static str,
    pub(super) wallet_shows_nobody: &'static str,
    pub(super) no_relay_yet_title: &'static str,
    pub(super) no_relay_yet: &'static str,
    pub(super) scanned_title: &'static str,
    pub(super) scanned: &'static str,
    pub(super) scanned_left: &'static str,
    pub(super) approved_title: &'static str,
    pub(super) approved: &'static str,
    pub(super) go_on: &'static str,
    pub(super) finished: &'static str,
    pub(super) declined_title: &'static str,
    pub(super) declined: &'static str,
    pub(super) late_title: &'static str,
    pub(super) not_scanned: &'static str,
    pub(super) not_answered: &'static str,
    pub(super) cancelled_title: &'static str,
    pub(super) cancelled: &'static str,
    pub(super) may_not_title: &'static str,
    pub(super) user_disabled: &'static str,
    pub(super) user_not_listed: &'static str,
    pub(super) too_often_title: &'static str,
    pub(super) too_often: &'static str,
    pub(super) no_relay_title: &'static str,
    pub(super) no_relay: &'static str,
    pub(super) invalid_token_title: &'static str,
    pub(super) invalid_token: &'static str,
    pub(super) new_code: &'static str,
    pub(super) cancel: &'static str,
    pub(super) back: &'static str,
    pub(super) try_again: &'static str,
    pub(super) offline: &'static str,
    pub(super) other_browser_title: &'static str,
    pub(super) other_browser: &'static str,
    pub(super) unknown_app_title: &'static str,
    pub(super) unknown_app: &'static str,
    pub(super) not_found_title: &'static str,
    pub(super) not_found: &'static str,
    pub(super) busy_title: &'static str,
    pub(super) busy: &'static str,
    pub(super) unavailable_title: &'static str,
    pub(super) unavailable: &'static str,
}
