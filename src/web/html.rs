//! The page as HTML: one `main` for each state, with one sentence and one button.
//!
//! The server renders every state, so the page works without JavaScript, and its module only exchanges `main`.

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::qr;
use super::texts::Texts;
use super::view::{Ending, View};
use crate::clock::Timestamp;
use crate::config::WebApp;
use crate::store::WebSignIn;

/// Text in HTML, and in attributes in double quotes.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A text of the page with these values in it, escaped.
fn filled(text: &str, values: &[(&str, &str)]) -> String {
    let mut whole = Escaped(text).to_string();
    for (name, value) in values {
        whole = whole.replace(&format!("{{{name}}}"), &Escaped(value).to_string());
    }
    whole
}

/// What surrounds `main` on every page.
#[derive(Debug)]
pub(super) struct Frame {
    /// The name of the service.
    pub(super) brand: Option<String>,
    pub(super) logo: Option<String>,
    pub(super) style: String,
    pub(super) script: String,
}

/// What a page is about.
pub(super) struct Shown<'a> {
    pub(super) texts: &'a Texts,
    pub(super) app: &'a WebApp,
    pub(super) sign_in: &'a WebSignIn,
    pub(super) view: View,
    /// The name that wallets show of the service, or that they show none. `None`: not known yet.
    pub(super) wallet_shows: Option<Option<&'a str>>,
    /// Where people get a wallet.
    pub(super) wallet_url: Option<&'a str>,
    /// The address that goes back to the app without a result.
    pub(super) back: &'a str,
    pub(super) now: Timestamp,
}

/// Something that went wrong before there was a sign-in, or beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    /// The app or its return URL is not configured.
    UnknownApp,
    /// No such sign-in, or that of another browser.
    OtherBrowser,
    /// No such page.
    NotFound,
    /// A bound is reached.
    Busy { retry_after: Duration },
    /// The daemon cannot do it now.
    Unavailable,
}

impl Frame {
    /// A page around this `main`. `reloads`: without JavaScript, it loads itself again.
    pub(super) fn page(&self, texts: &Texts, title: &str, main: &str, reloads: bool) -> String {
        let (style, script) = (&self.style, &self.script);
        let reload =
            if reloads { "<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>" } else { "" };
        let brand = self.brand.as_deref().unwrap_or_default();
        let logo = self.logo.as_ref().map(|logo| {
            let alt = if self.brand.is_some() { "" } else { title };
            format!("<img src=\"{logo}\" alt=\"{}\" height=\"40\">", Escaped(alt))
        });
        let header = match (&logo, &self.brand) {
            (None, None) => String::new(),
            _ => format!("<header>{}<span>{}</span></header>", logo.unwrap_or_default(), Escaped(brand)),
        };
        format!(
            "<!doctype html><html lang=\"{lang}\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\"><meta name=\"robots\" content=\"noindex\">\
             <title>{title}</title><link rel=\"icon\" href=\"data:,\"><link rel=\"stylesheet\" href=\"{style}\">\
             <script type=\"module\" src=\"{script}\"></script>{reload}</head><body>{header}{main}\
             <p id=\"net\" hidden>{offline}</p><p id=\"say\" role=\"status\" aria-live=\"polite\"></p></body></html>",
            lang = texts.code,
            title = Escaped(title),
            offline = Escaped(texts.offline),
        )
    }

    /// A page that says what went wrong.
    pub(super) fn problem(&self, texts: &Texts, problem: Problem, again: Option<&str>) -> String {
        let (title, text) = match problem {
            Problem::UnknownApp => (texts.unknown_app_title, texts.unknown_app),
            Problem::OtherBrowser => (texts.other_browser_title, texts.other_browser),
            Problem::NotFound => (texts.not_found_title, texts.not_found),
            Problem::Busy { .. } => (texts.busy_title, texts.busy),
            Problem::Unavailable => (texts.unavailable_title, texts.unavailable),
        };
        let n = match problem {
            Problem::Busy { retry_after } => minutes(retry_after),
            _ => 0,
        };
        let button = again.map(|href| link("button", href, texts.try_again)).unwrap_or_default();
        let text = filled(text, &[("n", &n.to_string())]);
        let main = format!("<main><h1 tabindex=\"-1\">{}</h1><p>{text}</p>{button}</main>", Escaped(title));
        self.page(texts, title, &main, false)
    }
}

impl Shown<'_> {
    /// The title of the whole page.
    pub(super) fn title(&self) -> String {
        self.texts.sign_in.replace("{app}", &self.app.name)
    }

    /// Names this state of this code: it changes with every change on the page.
    pub(super) fn tag(&self) -> String {
        tag(self.view, self.sign_in)
    }

    /// `main` in this state.
    pub(super) fn main(&self) -> String {
        let view = self.view;
        let content = match view {
            View::Scan { until } => self.scan(until),
            View::Ended(ending) => self.ended(ending),
            _ => self.on_the_way(),
        };
        let waits = if view.waits() { format!(" data-wait=\"{}/wait\"", self.path()) } else { String::new() };
        let news = match view {
            View::Scan { .. } => format!(" data-news=\"{}\"", Escaped(self.texts.new_code_shown)),
            _ => String::new(),
        };
        let goes =
            if view == View::Approved { format!(" data-go=\"{}\"", self.path()) } else { String::new() };
        format!(
            "<main data-state=\"{}\" data-tag=\"{}\"{waits}{goes}{news}>{content}</main>",
            view.name(),
            self.tag()
        )
    }

    fn path(&self) -> String {
        path(self.sign_in)
    }

    fn fill(&self, text: &str) -> String {
        filled(text, &[("app", &self.app.name)])
    }

    fn heading(&self, text: &str, sentence: &str) -> String {
        format!("<h1 tabindex=\"-1\">{}</h1><p>{sentence}</p>", self.fill(text))
    }

    fn scan(&self, until: Timestamp) -> String {
        let Texts { open, copy, copied, .. } = self.texts;
        let qr = qr::svg(&self.sign_in.url, &self.fill(self.texts.qr)).unwrap_or_default();
        let wallet = self.wallet_url.map(|url| link("", url, self.texts.get_wallet)).unwrap_or_default();
        format!(
            "<h1 tabindex=\"-1\">{title}</h1><div class=\"ways\"><div class=\"here\">\
             <a class=\"button\" href=\"{url}\" data-open>{open}</a><p data-hint hidden>{nothing}</p></div>\
             <div class=\"code\"><p class=\"scan\">{scan}</p><p class=\"other\">{other}</p>{qr}\
             <p class=\"left\">{left}</p>\
             <button type=\"button\" class=\"plain\" data-copy=\"{copied}\" hidden>{copy}</button></div></div>\
             {shows}<div class=\"more\">{wallet}{cancel}{back}</div>",
            title = self.fill(self.texts.sign_in),
            url = Escaped(&self.sign_in.url),
            nothing = self.fill(self.texts.nothing_opened),
            scan = self.fill(self.texts.scan),
            other = self.fill(self.texts.or_here),
            left = self.left(self.texts.left, until),
            shows = self.wallet_shows(),
            cancel = self.form("cancel", "plain", self.texts.cancel),
            back = self.back(),
        )
    }

    /// The time that is left. The module counts down; without it, there are minutes.
    fn left(&self, text: &str, until: Timestamp) -> String {
        let left = until.since(self.now);
        let whole = self.texts.minutes.replace("{n}", &minutes(left).to_string());
        format!(
            "<span data-left=\"{}\" data-text=\"{}\" data-say=\"{}\">{}</span>",
            left.as_secs(),
            Escaped(text),
            Escaped(self.texts.say_left),
            filled(text, &[("t", &whole)])
        )
    }

    fn wallet_shows(&self) -> String {
        match self.wallet_shows {
            None => String::new(),
            Some(Some(name)) => {
                format!("<p class=\"shows\">{}</p>", filled(self.texts.wallet_shows, &[("name", name)]))
            }
            Some(None) => format!("<p class=\"warning\">{}</p>", self.fill(self.texts.wallet_shows_nobody)),
        }
    }

    /// The states between the code and the app.
    fn on_the_way(&self) -> String {
        let texts = self.texts;
        let go_on = |href: &str| link("button", href, &texts.go_on.replace("{app}", &self.app.name));
        match self.view {
            View::Scanned { until } => {
                let sentence = self.fill(texts.scanned);
                let (heading, left) =
                    (self.heading(texts.scanned_title, &sentence), self.left(texts.scanned_left, until));
                let cancel = self.form("cancel", "button second", texts.cancel);
                format!("{heading}<p class=\"left\">{left}</p>{}{cancel}", self.wallet_shows())
            }
            View::NoRelayYet => {
                let heading = self.heading(texts.no_relay_yet_title, &self.fill(texts.no_relay_yet));
                heading + &link("button", &self.path(), texts.try_again)
            }
            View::Approved => {
                self.heading(texts.approved_title, &self.fill(texts.approved)) + &go_on(&self.path())
            }
            // The app has its result, and knows where to go on.
            _ => {
                let home = origin_of(&self.sign_in.return_url);
                self.heading(texts.approved_title, &self.fill(texts.finished)) + &go_on(&home)
            }
        }
    }

    fn ended(&self, ending: Ending) -> String {
        let texts = self.texts;
        let (title, sentence) = match ending {
            Ending::Declined => (texts.declined_title, texts.declined),
            Ending::NotScanned => (texts.late_title, texts.not_scanned),
            Ending::NotAnswered => (texts.late_title, texts.not_answered),
            Ending::Cancelled => (texts.cancelled_title, texts.cancelled),
            Ending::UserDisabled => (texts.may_not_title, texts.user_disabled),
            Ending::UserNotListed => (texts.may_not_title, texts.user_not_listed),
            Ending::TooOften { .. } => (texts.too_often_title, texts.too_often),
            Ending::NoRelay => (texts.no_relay_title, texts.no_relay),
            Ending::InvalidToken => (texts.invalid_token_title, texts.invalid_token),
        };
        let n = match ending {
            Ending::TooOften { until } => minutes(until.since(self.now)),
            _ => 0,
        };
        let sentence = filled(sentence, &[("app", &self.app.name), ("n", &n.to_string())]);
        let button = self.form("new-code", "button", texts.new_code);
        format!("{}{button}<div class=\"more\">{}</div>", self.heading(title, &sentence), self.back())
    }

    fn form(&self, action: &str, class: &str, label: &str) -> String {
        let (path, label) = (self.path(), Escaped(label));
        format!(
            "<form method=\"post\" action=\"{path}/{action}\"><button class=\"{class}\">{label}</button></form>"
        )
    }

    fn back(&self) -> String {
        link("", self.back, &self.texts.back.replace("{app}", &self.app.name))
    }
}

/// The address of a sign-in's page.
pub(super) fn path(sign_in: &WebSignIn) -> String {
    format!("/sign-in/{}", sign_in.id)
}

/// See [`Shown::tag`].
pub(super) fn tag(view: View, sign_in: &WebSignIn) -> String {
    format!("{}-{}", view.name(), sign_in.shown_until.millis())
}

fn link(class: &str, href: &str, label: &str) -> String {
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    format!("<a{class} href=\"{}\">{}</a>", Escaped(href), Escaped(label))
}

/// Whole minutes, rounded up: nobody is told to try too early.
fn minutes(time: Duration) -> u64 {
    time.as_secs().div_ceil(60).max(1)
}

/// The first page of the site that a URL belongs to.
fn origin_of(url: &str) -> String {
    url::Url::parse(url).map_or_else(|_| "/".into(), |url| url.origin().ascii_serialization() + "/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{StreamId, WebSignInId};
    use crate::web::texts::ALL;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn app(name: &str) -> WebApp {
        WebApp { id: "shop".into(), name: name.into(), return_urls: vec![], uids: vec![], tokens: vec![] }
    }

    fn sign_in() -> WebSignIn {
        WebSignIn {
            id: WebSignInId::from_bytes([7; 16]),
            browser: [1; 32],
            app: "shop".into(),
            return_url: "https://shop.example/back?a=1&b=2".into(),
            state: None,
            language: None,
            stream: StreamId::from_bytes([9; 16]),
            url: "portal://npub1x?relays=a&token=b".into(),
            shown_until: Timestamp::from_secs(1_287),
            renewals: 0,
            expires_at: NOW,
        }
    }

    const VIEWS: [View; 14] = [
        View::Scan { until: Timestamp::from_secs(1_287) },
        View::NoRelayYet,
        View::Scanned { until: Timestamp::from_secs(1_060) },
        View::Approved,
        View::Finished,
        View::Ended(Ending::Declined),
        View::Ended(Ending::NotScanned),
        View::Ended(Ending::NotAnswered),
        View::Ended(Ending::Cancelled),
        View::Ended(Ending::UserDisabled),
        View::Ended(Ending::UserNotListed),
        View::Ended(Ending::TooOften { until: Timestamp::from_secs(1_599) }),
        View::Ended(Ending::NoRelay),
        View::Ended(Ending::InvalidToken),
    ];

    fn main(texts: &Texts, name: &str, view: View) -> String {
        let (app, sign_in) = (app(name), sign_in());
        let back = "https://shop.example/back?a=1&b=2&error=cancelled";
        let wallet_shows = Some(Some("shop@shop.example"));
        let wallet_url = Some("https://wallet.example/");
        Shown { texts, app: &app, sign_in: &sign_in, view, wallet_shows, wallet_url, back, now: NOW }.main()
    }

    #[test]
    fn every_state_has_a_heading_and_a_button_in_every_language_and_no_gap_in_its_text() {
        for texts in &ALL {
            for view in VIEWS {
                let main = main(texts, "Shop", view);
                assert_eq!(main.matches("<h1").count(), 1, "{main}");
                assert!(main.contains("class=\"button"), "{main}");
                let text = main.replace("{t}", "").replace("{n} ", "").replace("{n}", "");
                assert!(!text.contains('{'), "{} {view:?}: {main}", texts.code);
            }
            for problem in [
                Problem::UnknownApp,
                Problem::OtherBrowser,
                Problem::NotFound,
                Problem::Busy { retry_after: Duration::from_secs(61) },
                Problem::Unavailable,
            ] {
                let frame = Frame { brand: None, logo: None, style: String::new(), script: String::new() };
                let page = frame.problem(texts, problem, Some("/sign-in"));
                assert!(page.contains("<h1") && !page.contains('{'), "{page}");
            }
        }
    }

    #[test]
    fn a_name_with_markup_stays_text() {
        let hostile = "<script>\"'&{n}";
        for view in VIEWS {
            let main = main(&ALL[0], hostile, view);
            assert!(!main.contains("<script>") && !main.contains("\"'&"), "{main}");
        }
    }

    #[test]
    fn the_time_that_is_left_is_there_for_people_and_for_the_module() {
        let main = main(&ALL[0], "Shop", VIEWS[0]);
        assert!(main.contains("data-left=\"287\""), "{main}");
        assert!(main.contains("A new code comes in 5 min."), "{main}");
    }

    #[test]
    fn neither_the_stream_nor_the_browser_is_on_the_page() {
        for view in VIEWS {
            let main = main(&ALL[0], "Shop", view);
            assert!(!main.contains(&sign_in().stream.to_string()), "{main}");
            assert!(!main.contains(&hex::encode(sign_in().browser)), "{main}");
        }
    }
}
