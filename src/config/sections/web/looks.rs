//! How the page looks: its colour, logo and name.

use std::fmt;
use std::path::Path;

use crate::config::files::{self, show_path};
use crate::quoted::{quoted, steers};

/// The contrast that text needs against what is behind it (WCAG 2.2, 1.4.3).
const CONTRAST: f64 = 4.5;

/// The largest logo, in bytes: every visitor loads it.
const MAX_LOGO: usize = 64 * 1024;

/// The longest name that the page shows, in bytes.
const MAX_NAME: usize = 128;

/// A colour that white text can be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accent([u8; 3]);

impl fmt::Display for Accent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [r, g, b] = self.0;
        write!(f, "#{r:02x}{g:02x}{b:02x}")
    }
}

/// A picture, and its media type.
#[derive(Clone, PartialEq, Eq)]
pub struct Logo {
    /// Its media type.
    pub media_type: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Logo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Logo({}, {} bytes)", self.media_type, self.bytes.len())
    }
}

/// Checks a name that the page shows.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let reason = if name.trim().is_empty() {
        "is empty: remove it, or set a value".into()
    } else if name.len() > MAX_NAME {
        format!("must be at most {MAX_NAME} bytes long, but has {}", name.len())
    } else if name.chars().any(steers) {
        "contains control characters, or characters that reverse the text direction".into()
    } else {
        return Ok(());
    };
    Err(reason)
}

/// The page is small, and a picture that is none would be noticed only by visitors.
pub(super) fn check_logo(path: &Path) -> Result<Logo, String> {
    let shown = show_path(path);
    let read = files::read_bytes(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let bytes = read.ok_or_else(|| format!("{shown} does not exist"))?;
    if bytes.len() > MAX_LOGO {
        return Err(format!("{shown} has {} bytes; at most {MAX_LOGO} are allowed", bytes.len()));
    }
    let media_type = media_type(&bytes);
    let media_type =
        media_type.ok_or_else(|| format!("{shown} is not a picture: use SVG, PNG, JPEG or WebP"))?;
    Ok(Logo { media_type, bytes })
}

fn media_type(bytes: &[u8]) -> Option<&'static str> {
    let begins = bytes.trim_ascii_start();
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some("image/png")
    } else if bytes.starts_with(b"\xff\xd8\xff") {
        Some("image/jpeg")
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some("image/webp")
    } else if begins.starts_with(b"<svg") || begins.starts_with(b"<?xml") {
        Some("image/svg+xml")
    } else {
        None
    }
}

/// Checks the colour of buttons.
pub(super) fn check_accent(text: &str) -> Result<Accent, String> {
    let mut rgb = [0; 3];
    let is_read = text.strip_prefix('#').is_some_and(|digits| hex::decode_to_slice(digits, &mut rgb).is_ok());
    if !is_read {
        return Err(format!("{} is not a colour like #1a56db", quoted(text)));
    }
    let contrast = contrast_with_white(rgb);
    if contrast < CONTRAST {
        let reason = format!(
            "white text on {} has a contrast of {contrast:.2}:1, but needs {CONTRAST}:1: choose a darker colour",
            Accent(rgb)
        );
        return Err(reason);
    }
    Ok(Accent(rgb))
}

/// The contrast of white text on a colour (WCAG 2.2, "contrast ratio").
fn contrast_with_white(rgb: [u8; 3]) -> f64 {
    let linear = |part: u8| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    let [r, g, b] = rgb.map(linear);
    1.05 / (0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_that_white_text_cannot_be_read_on_is_refused_with_the_numbers() {
        for (colour, told) in [
            ("#ffcc00", "white text on #ffcc00 has a contrast of 1.51:1, but needs 4.5:1"),
            ("#777777", "contrast of 4.48:1"),
            ("#ffffff", "contrast of 1.00:1"),
        ] {
            let reason = check_accent(colour).unwrap_err();
            assert!(reason.contains(told), "{reason}");
        }
        for colour in ["#1a56db", "#767676", "#000000", "#B00020"] {
            assert_eq!(check_accent(colour).unwrap().to_string(), colour.to_lowercase());
        }
        for colour in ["", "red", "#12", "#12345g", "1a56db", "#1a56db80"] {
            assert!(check_accent(colour).unwrap_err().contains("is not a colour"), "{colour}");
        }
    }

    #[test]
    fn a_picture_is_known_by_its_beginning() {
        for (bytes, expected) in [
            (&b"\x89PNG\r\n\x1a\nrest"[..], Some("image/png")),
            (b"\xff\xd8\xff\xe0", Some("image/jpeg")),
            (b"RIFF\0\0\0\0WEBPVP8 ", Some("image/webp")),
            (b"\n<svg xmlns='http://www.w3.org/2000/svg'/>", Some("image/svg+xml")),
            (b"<html>", None),
            (b"", None),
        ] {
            assert_eq!(media_type(bytes), expected);
        }
    }
}
