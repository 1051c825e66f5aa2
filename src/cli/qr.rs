//! QR codes for terminals, in half-block characters: one row of text shows two rows of the code.

use std::os::fd::AsFd;

use qrcode::{Color, EcLevel, QrCode};

use crate::protocol::HandshakeUrl;

/// The margin that ISO/IEC 18004 requires, in modules. Phones accept less, but not zero.
const MARGIN: usize = 4;

/// The space for a picture, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

impl Room {
    /// The size of the terminal; if standard error is not a terminal, the size of a VT100.
    pub(super) fn of(output: impl AsFd) -> Self {
        let size = terminal_size::terminal_size_of(output);
        let size = size.map(|(columns, rows)| (usize::from(columns.0), usize::from(rows.0)));
        let (columns, rows) = size.filter(|(columns, rows)| columns * rows > 0).unwrap_or((80, 24));
        Self { columns, rows }
    }

    /// The same code for a terminal with fewer columns.
    #[cfg(feature = "demo")]
    pub(super) fn indented(self, columns: usize) -> Self {
        Self { columns: self.columns.saturating_sub(columns), ..self }
    }
}

/// A URL as a terminal shows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Picture {
    /// The code, light on dark, without the last line feed; empty if its lines would wrap.
    pub(super) code: String,
    /// The hint for the user, if the code does not fit on the screen.
    pub(super) hint: Option<String>,
    /// Whether the code fills the terminal: one more line below would scroll the first line away.
    pub(super) fills: bool,
}

/// A handshake URL as a code that fits the terminal. One relay is enough for a wallet, so relays are left out until
/// the code fits: first those that are not ready, then from the end.
pub(super) fn picture(url: &str, room: Room, is_ready: impl Fn(&str) -> bool) -> Picture {
    let mut shown = draw(url, room);
    let Some(relays) = Relays::of(url, is_ready) else { return shown };
    for count in (1..relays.all.len()).rev() {
        if shown.hint.is_none() {
            break;
        }
        shown = draw(&relays.first(count), room);
    }
    shown
}

/// The relays in a URL, the rest of which stays as it is written.
struct Relays<'a> {
    before: &'a str,
    /// As written in the URL, the best first.
    all: Vec<&'a str>,
    behind: &'a str,
}

impl<'a> Relays<'a> {
    fn of(url: &'a str, is_ready: impl Fn(&str) -> bool) -> Option<Self> {
        const NAME: &str = "relays=";

        let parsed: HandshakeUrl = url.parse().ok()?;
        let start = url.find(&format!("?{NAME}")).or_else(|| url.find(&format!("&{NAME}")))? + 1 + NAME.len();
        let (before, rest) = url.split_at(start);
        let (list, behind) = rest.split_at(rest.find('&').unwrap_or(rest.len()));
        let mut all: Vec<_> = list.split(',').filter(|relay| !relay.is_empty()).zip(&parsed.relays).collect();
        all.sort_by_key(|(_, relay)| !is_ready(relay));
        Some(Self { before, all: all.into_iter().map(|(written, _)| written).collect(), behind })
    }

    /// The URL with the first `count` relays.
    fn first(&self, count: usize) -> String {
        format!("{}{}{}", self.before, self.all[..count].join(","), self.behind)
    }
}

fn draw(text: &str, room: Room) -> Picture {
    let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::L) else {
        let hint = "The URL is too long for a QR code: open it on the phone.".to_owned();
        return Picture { code: String::new(), hint: Some(hint), fills: false };
    };
    let size = |margin: usize| {
        let modules = code.width() + 2 * margin;
        (modules, modules.div_ceil(2))
    };
    let fitting = (1..=MARGIN).rev().find(|margin| {
        let (columns, rows) = size(*margin);
        columns <= room.columns && rows <= room.rows
    });
    let margin = fitting.unwrap_or(1);
    let (columns, rows) = size(margin);
    let hint = fitting.is_none().then(|| {
        format!(
            "The QR code needs {columns} columns and {rows} rows, and this terminal has {} and {}: make the \
             window larger or the font smaller, and try again; or open the URL on the phone.",
            room.columns, room.rows
        )
    });
    // Nobody can scan a code with wrapped lines; a user can scroll back to a code that is too high.
    let code = if columns <= room.columns { lines(&code, margin) } else { String::new() };
    Picture { code, hint, fills: fitting.is_some() && rows == room.rows }
}

/// Terminals are dark: the modules that a scanner takes for dark are the unlit ones.
fn lines(code: &QrCode, margin: usize) -> String {
    let (width, colours) = (code.width(), code.to_colors());
    let is_lit = |x: usize, y: usize| match (x.checked_sub(margin), y.checked_sub(margin)) {
        (Some(x), Some(y)) if x < width && y < width => colours[y * width + x] == Color::Light,
        _ => y < width + 2 * margin,
    };
    let all = width + 2 * margin;
    let row = |y: usize| {
        let blocks = (0..all).map(|x| match (is_lit(x, y), is_lit(x, y + 1)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        });
        blocks.collect::<String>()
    };
    (0..all).step_by(2).map(row).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NPUB: &str = "npub16evtuu93f4jq8ymls3rl8kqc6jkn2v2mja07cafvv70jdp5nsv4sa4p28v";
    const RELAYS: [&str; 4] =
        ["wss://relay.getportal.cc", "wss://relay.damus.io", "wss://nos.lol", "wss://offchain.pub"];
    const SMALL: Room = Room { columns: 80, rows: 24 };

    fn url(relays: &[&str], rest: &str) -> String {
        let relays: Vec<_> =
            relays.iter().map(|relay| relay.replace(':', "%3A").replace('/', "%2F")).collect();
        format!("portal://{NPUB}?relays={}&token={}{rest}", relays.join(","), "t".repeat(32))
    }

    /// What a phone reads from the terminal.
    fn scanned(code: &str) -> HandshakeUrl {
        let rows: Vec<Vec<bool>> = code
            .lines()
            .flat_map(|line| {
                let halves = |lit: [char; 2]| line.chars().map(|c| lit.contains(&c)).collect::<Vec<_>>();
                [halves(['█', '▀']), halves(['█', '▄'])]
            })
            .collect();
        const SCALE: usize = 4;
        let (height, width) = (rows.len() * SCALE, rows[0].len() * SCALE);
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
            if rows[y / SCALE][x / SCALE] { 255 } else { 0 }
        });
        let grids = image.detect_grids();
        let (_, text) = grids.first().expect("a code is seen").decode().expect("it can be read");
        text.parse().unwrap()
    }

    #[test]
    fn a_login_url_with_the_relays_of_the_built_in_list_fits_the_smallest_terminal_and_is_read_from_there() {
        let shown = picture(&url(&RELAYS, ""), SMALL, |_| true);
        assert_eq!(shown.hint, None);
        assert!(shown.code.lines().count() <= 24, "{}", shown.code);
        assert!(shown.code.lines().all(|line| line.chars().count() <= 80), "{}", shown.code);
        let read = scanned(&shown.code);
        assert_eq!(read.relays, RELAYS[..1], "the first stays");
        assert_eq!((read.token, read.main_key.to_hex().len()), ("t".repeat(32), 64));
    }

    #[test]
    fn the_relay_that_stays_is_one_that_is_ready() {
        let is_ready = |relay: &str| relay == RELAYS[2];
        assert_eq!(scanned(&picture(&url(&RELAYS, ""), SMALL, is_ready).code).relays, RELAYS[2..3]);
    }

    #[test]
    fn a_larger_terminal_shows_every_relay_within_the_margin_of_the_standard() {
        let shown = picture(&url(&RELAYS, ""), Room { columns: 100, rows: 60 }, |_| true);
        assert_eq!((shown.hint, shown.fills), (None, false));
        assert_eq!(scanned(&shown.code).relays, RELAYS);
        assert!(shown.code.lines().take(2).all(|line| line.chars().all(|c| c == '█')), "four modules");
    }

    #[test]
    fn as_many_relays_stay_as_there_is_room_for() {
        let mut before = 0;
        for rows in 24..40 {
            let shown = picture(&url(&RELAYS, ""), Room { columns: 80, rows }, |_| true);
            let read = scanned(&shown.code).relays.len();
            assert!(read >= before && shown.hint.is_none(), "{rows} rows: {read} relays");
            before = read;
        }
        assert_eq!(before, 4);
    }

    #[test]
    fn what_does_not_fit_even_with_one_relay_says_how_much_room_it_needs() {
        let subkey = url(&RELAYS, &format!("&subkey={NPUB}"));
        let shown = picture(&subkey, SMALL, |_| true);
        let hint = shown.hint.unwrap();
        assert!(hint.contains("55 columns and 28 rows") && hint.contains("has 80 and 24"), "{hint}");
        assert_eq!(scanned(&shown.code).relays, RELAYS[..1], "it can be scrolled back to");
        let needed = Room { columns: 55, rows: 28 };
        let fitting = picture(&subkey, needed, |_| true);
        assert_eq!((fitting.hint, fitting.fills), (None, true));
        let narrow = picture(&subkey, Room { columns: 54, rows: 100 }, |_| true);
        assert!(narrow.code.is_empty() && narrow.hint.is_some(), "a torn code helps nobody");
    }

    #[test]
    fn what_fits_no_code_is_said_to() {
        let shown = picture(&"x".repeat(10_000), Room { columns: 1_000, rows: 1_000 }, |_| true);
        assert!(shown.code.is_empty() && shown.hint.unwrap().contains("too long"));
    }
}
