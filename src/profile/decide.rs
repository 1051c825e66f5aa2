//! Decides which profile should be at the relays. Pure.

use nostr_sdk::Event;

use super::content::read;
use crate::config::ProfileRules;
use crate::relay::supersedes;

/// The decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// No profile is wanted: leave the relays as they are.
    Nothing,
    /// The profile that was published last should be at every relay.
    Keep,
    /// The profile found at the relays equals the wanted one: keep it from now on.
    Adopt,
    /// The wanted profile is not published yet: sign it.
    Make,
    /// A newer profile was published elsewhere with the service's key: it stays.
    Leave,
}

/// `wanted` is the operator's latest profile, which may not be published yet; `kept` is the one that this
/// daemon published last; `found` is the newest at the relays. The service's key has signed the latter two.
///
/// An unpublished change of the operator takes precedence over what the relays have. Without one, the newest
/// event counts, and a profile that was published elsewhere is not overwritten.
pub(super) fn decide(wanted: Option<&ProfileRules>, kept: Option<&Event>, found: Option<&Event>) -> Decision {
    let says = |event: &Event, profile: &ProfileRules| read(event).as_ref() == Some(profile);
    let newer = found.filter(|found| kept.is_none_or(|kept| supersedes(found, kept)));
    if let Some(wanted) = wanted.filter(|wanted| kept.is_none_or(|kept| !says(kept, wanted))) {
        return match newer {
            Some(newer) if says(newer, wanted) => Decision::Adopt,
            _ => Decision::Make,
        };
    }
    match (kept, newer) {
        (None, _) => Decision::Nothing,
        (Some(kept), Some(newer)) if read(newer) == read(kept) => Decision::Adopt,
        (Some(_), Some(_)) => Decision::Leave,
        (Some(_), None) => Decision::Keep,
    }
}

#[cfg(test)]
mod tests {
    use nostr_sdk::Keys;

    use super::*;
    use crate::profile::content::draft;

    fn profile(name: &str) -> ProfileRules {
        ProfileRules { name: Some(name.into()), ..ProfileRules::default() }
    }

    fn event(keys: &Keys, name: &str, at: u64) -> Event {
        draft(&profile(name), at, None).sign_with_keys(keys).unwrap()
    }

    #[test]
    fn a_first_word_is_published_and_then_kept() {
        let keys = Keys::generate();
        let (wanted, kept) = (profile("Shop"), event(&keys, "Shop", 100));
        assert_eq!(decide(Some(&wanted), None, None), Decision::Make);
        assert_eq!(decide(Some(&wanted), Some(&kept), None), Decision::Keep);
        assert_eq!(decide(None, Some(&kept), Some(&kept)), Decision::Keep);
        assert_eq!(decide(None, None, None), Decision::Nothing);
        assert_eq!(decide(None, None, Some(&kept)), Decision::Nothing);
    }

    #[test]
    fn a_changed_word_replaces_whatever_there_is() {
        let keys = Keys::generate();
        let (wanted, kept, elsewhere) =
            (profile("New"), event(&keys, "Old", 100), event(&keys, "Elsewhere", 200));
        assert_eq!(decide(Some(&wanted), Some(&kept), Some(&kept)), Decision::Make);
        assert_eq!(decide(Some(&wanted), Some(&kept), Some(&elsewhere)), Decision::Make);
        assert_eq!(decide(Some(&wanted), None, Some(&elsewhere)), Decision::Make);
    }

    #[test]
    fn what_was_published_elsewhere_later_is_not_overwritten_by_a_word_that_has_not_changed() {
        let keys = Keys::generate();
        let (wanted, kept) = (profile("Shop"), event(&keys, "Shop", 100));
        let elsewhere = event(&keys, "Elsewhere", 101);
        assert_eq!(decide(Some(&wanted), Some(&kept), Some(&elsewhere)), Decision::Leave);
        assert_eq!(decide(None, Some(&kept), Some(&elsewhere)), Decision::Leave);
        let earlier = event(&keys, "Elsewhere", 99);
        assert_eq!(decide(Some(&wanted), Some(&kept), Some(&earlier)), Decision::Keep);
    }

    #[test]
    fn what_says_the_same_is_taken_for_ours_whoever_published_it() {
        let keys = Keys::generate();
        let (wanted, same) = (profile("Shop"), event(&keys, "Shop", 100));
        assert_eq!(decide(Some(&wanted), None, Some(&same)), Decision::Adopt);
        let later = event(&keys, "Shop", 200);
        assert_eq!(decide(Some(&wanted), Some(&same), Some(&later)), Decision::Adopt);
    }
}
