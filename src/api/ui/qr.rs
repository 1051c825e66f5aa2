//! The QR code of a login URL, as the outline of its dark modules.

use qrcode::{Color, EcLevel, QrCode};
use serde_json::{Value, json};

/// The number of modules on each side, and a path for SVG with one unit a module. `null`: the text is too long.
pub(super) fn outline(text: &str) -> Value {
    let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::M) else { return Value::Null };
    let (size, colours) = (code.width(), code.to_colors());
    let mut path = String::new();
    for (y, row) in colours.chunks(size).enumerate() {
        let mut x = 0;
        while x < size {
            let run = row[x..].iter().take_while(|colour| **colour == Color::Dark).count();
            if run > 0 {
                path.push_str(&format!("M{x} {y}h{run}v1h-{run}z"));
            }
            x += run.max(1);
        }
    }
    json!({ "size": size, "path": path })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paints the outline as a browser would, with the quiet zone of the page around it.
    fn scanned(outline: &Value) -> String {
        const QUIET: usize = 4;
        const SCALE: usize = 4;
        let size = usize::try_from(outline["size"].as_u64().unwrap()).unwrap();
        let mut dark = vec![false; size * size];
        for run in outline["path"].as_str().unwrap().split('M').skip(1) {
            let (at, length) = run.split_once('h').unwrap();
            let (x, y) = at.split_once(' ').unwrap();
            let [x, y, length] =
                [x, y, length.split_once('v').unwrap().0].map(|n| n.parse::<usize>().unwrap());
            dark[y * size + x..][..length].fill(true);
        }
        let side = (size + 2 * QUIET) * SCALE;
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| {
            let at = |n: usize| (n / SCALE).checked_sub(QUIET).filter(|n| *n < size);
            match (at(x), at(y)) {
                (Some(x), Some(y)) if dark[y * size + x] => 0,
                _ => 255,
            }
        });
        image.detect_grids()[0].decode().unwrap().1
    }

    #[test]
    fn the_code_reads_as_the_url() {
        let url = format!(
            "portal://npub1{}?relays=wss%3A%2F%2Frelay.example&token={}",
            "q".repeat(58),
            "t".repeat(32)
        );
        assert_eq!(scanned(&outline(&url)), url);
    }

    #[test]
    fn what_fits_no_code_has_none() {
        assert_eq!(outline(&"x".repeat(10_000)), Value::Null);
    }
}
