//! `[profile]`: the profile that wallets show, checked before it is published.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::config::mistakes::{InSection, Mistakes};
use crate::nip05;
use crate::quoted::steers;

/// The longest name, in bytes: wallets show it on one line.
const MAX_NAME: usize = 128;

/// The longest URL of a picture, in bytes.
const MAX_PICTURE: usize = 2048;

/// The longest NIP-05 name, in bytes.
const MAX_NIP05: usize = 320;

/// The service's profile (NIP-01, kind 0). An absent field is not published.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProfileRules {
    /// Short name.
    pub name: Option<String>,
    /// Name to show.
    pub display_name: Option<String>,
    /// URL of a picture.
    pub picture: Option<String>,
    /// A NIP-05 name that points to the service's key. Portal's wallet shows this name.
    pub nip05: Option<String>,
}

impl ProfileRules {
    /// Whether no field is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Checks that wallets can show all fields.
    pub(in crate::config) fn check(&self, wrong: &mut InSection<'_>) {
        let Self { name, display_name, picture, nip05 } = self;
        let picture_fault =
            |text: &str| (!is_picture(text)).then_some("must be a URL like https://app.example/logo.png");
        for (key, text, max, fault) in [
            ("name", name, MAX_NAME, None),
            ("display_name", display_name, MAX_NAME, None),
            ("picture", picture, MAX_PICTURE, picture.as_deref().and_then(picture_fault)),
            ("nip05", nip05, MAX_NIP05, nip05.as_deref().and_then(|name| nip05::check_own(name).err())),
        ] {
            let Some(text) = text else { continue };
            if let Some(fault) = text_fault(text, max).or_else(|| fault.map(str::to_owned)) {
                wrong.add(key, fault);
            }
        }
    }

    /// The same profile with its `nip05` as wallets need it: Portal's wallet reads no host alone.
    pub(in crate::config) fn in_full(mut self) -> Self {
        self.nip05 = self.nip05.map(|name| if name.contains('@') { name } else { format!("_@{name}") });
        self
    }

    /// Keeps the fields that wallets can show. Returns the others: each key, and the reason.
    pub fn keep_what_fits(mut self) -> (Self, Vec<(String, String)>) {
        let mut wrong = Mistakes::default();
        self.check(&mut wrong.section("profile"));
        for (key, field) in [
            ("profile.name", &mut self.name),
            ("profile.display_name", &mut self.display_name),
            ("profile.picture", &mut self.picture),
            ("profile.nip05", &mut self.nip05),
        ] {
            if wrong.has(key) {
                *field = None;
            }
        }
        let wrong = wrong.all(true).into_iter().map(|mistake| (mistake.key.clone(), mistake.reason.clone()));
        (self, wrong.collect())
    }
}

fn text_fault(text: &str, max: usize) -> Option<String> {
    if text.trim().is_empty() {
        Some("is empty: remove it, or set a value".into())
    } else if text.len() > max {
        Some(format!("must be at most {max} bytes long, but has {}", text.len()))
    } else if text.chars().any(steers) {
        Some("contains control characters, or characters that reverse the text direction".into())
    } else {
        None
    }
}

fn is_picture(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "https" | "http")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(profile: ProfileRules) -> Option<String> {
        profile.keep_what_fits().1.into_iter().map(|(key, _)| key).next()
    }

    fn nip05(text: &str) -> ProfileRules {
        ProfileRules { nip05: Some(text.into()), ..ProfileRules::default() }
    }

    fn picture(text: &str) -> ProfileRules {
        ProfileRules { picture: Some(text.into()), ..ProfileRules::default() }
    }

    #[test]
    fn what_wallets_can_show_is_taken() {
        let full = ProfileRules {
            name: Some("shop".into()),
            display_name: Some("Zoë's Shop 🔑".into()),
            ..nip05("_@app.example")
        };
        assert_eq!((wrong(full), wrong(ProfileRules::default())), (None, None));
        for text in ["app.example", "a.b-c_d@app.example", "shop@127.0.0.1:8080", "shop@[::1]:80"] {
            assert_eq!(wrong(nip05(text)), None, "{text}");
        }
        for text in ["https://app.example/logo.png", "http://app.example/x?y"] {
            assert_eq!(wrong(picture(text)), None, "{text}");
        }
    }

    #[test]
    fn what_fits_is_kept_and_the_rest_named() {
        let fits = ProfileRules { name: Some("shop".into()), ..ProfileRules::default() };
        let mixed = ProfileRules { picture: Some("x".into()), nip05: Some("@".into()), ..fits.clone() };
        let (kept, wrong) = mixed.keep_what_fits();
        let keys: Vec<_> = wrong.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!((kept, keys), (fits, vec!["profile.picture", "profile.nip05"]));
        let none = ProfileRules {
            name: Some(String::new()),
            display_name: Some(String::new()),
            picture: Some(String::new()),
            nip05: Some(String::new()),
        };
        let (kept, wrong) = none.keep_what_fits();
        assert!(kept.is_empty() && wrong.len() == 4);
    }

    #[test]
    fn what_no_wallet_would_show_is_refused_by_its_key() {
        for text in [
            "",
            " ",
            "@",
            "shop@",
            "@app.example",
            "Shop@app.example",
            "shop@App.example",
            "shöp@app.example",
            "shop@app.example/x",
            "shop@a@b",
            "shop@bücher.example",
            "sh op@app.example",
            "shop@app.example#",
        ] {
            assert_eq!(wrong(nip05(text)), Some("profile.nip05".into()), "{text:?}");
        }
        for text in
            ["", "logo.png", "ftp://app.example/x", "data:image/png;base64,AA", "https://u:p@app.example/"]
        {
            assert_eq!(wrong(picture(text)), Some("profile.picture".into()), "{text:?}");
        }
        for text in ["", "\t", "a\nb", "bank\u{202e}", &"x".repeat(129)] {
            let name = ProfileRules { name: Some(text.into()), ..ProfileRules::default() };
            assert_eq!(wrong(name), Some("profile.name".into()), "{text:?}");
            let name = ProfileRules { display_name: Some(text.into()), ..ProfileRules::default() };
            assert_eq!(wrong(name), Some("profile.display_name".into()), "{text:?}");
        }
    }
}
