//! QR codes for terminals.

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

/// The text as a QR code of half-block characters, light on dark; empty if it does not fit one.
pub(super) fn render(text: &str) -> String {
    QrCode::with_error_correction_level(text, qrcode::EcLevel::L)
        .map(|code| {
            let mut image = code.render::<Dense1x2>();
            // Terminals are dark: the modules that a scanner takes for dark must be the unlit ones.
            image.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build()
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_url_with_several_relays_fits_a_terminal() {
        let url =
            format!("portal://npub1{}?relays={}&token={}", "q".repeat(58), "w".repeat(120), "t".repeat(32));
        let picture = render(&url);
        assert!(picture.lines().all(|line| line.chars().count() <= 80) && picture.lines().count() > 20);
    }

    #[test]
    fn what_does_not_fit_a_code_gives_none() {
        assert_eq!(render(&"x".repeat(10_000)), "");
    }
}
