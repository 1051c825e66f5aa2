//! The QR code as SVG: dark on white in every theme, with the margin that scanners need.

use std::fmt::Write as _;

use qrcode::{Color, EcLevel, QrCode};

use crate::protocol::HandshakeUrl;

/// The white margin, in modules (ISO/IEC 18004 §6.3.8).
const QUIET: usize = 4;

/// The smallest picture, in CSS pixels.
const SMALLEST: usize = 240;

/// How many relays a code names: more make it harder to scan, and a wallet needs one.
const RELAYS: usize = 3;

/// The URL with at most [`RELAYS`] relays, ready ones first.
pub(super) fn short(url: &str, is_ready: impl Fn(&str) -> bool) -> String {
    let Ok(parsed) = url.parse::<HandshakeUrl>() else { return url.to_owned() };
    let mut relays = parsed.relays.clone();
    relays.sort_by_key(|relay| !is_ready(relay));
    relays.truncate(RELAYS);
    HandshakeUrl { relays, ..parsed }.to_string()
}

/// A code with this content, named for screen readers. `None`: it is too long for a code.
pub(super) fn svg(content: &str, name: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(content, EcLevel::M).ok()?;
    let (width, colours) = (code.width(), code.to_colors());
    let all = width + 2 * QUIET;
    // A whole number of pixels for each module, so that all have the same size.
    let pixels = all * SMALLEST.div_ceil(all);
    let mut svg = format!(
        "<svg class=\"qr\" role=\"img\" aria-label=\"{name}\" width=\"{pixels}\" height=\"{pixels}\" \
         viewBox=\"0 0 {all} {all}\" shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{all}v{all}H0z\"/>\
         <path stroke=\"#000\" d=\""
    );
    for (y, row) in colours.chunks(width).enumerate() {
        let mut at = 0;
        for (x, length) in dark_runs(row) {
            let _ = if at == 0 {
                write!(svg, "M{} {}.5h{length}", x + QUIET, y + QUIET)
            } else {
                write!(svg, "m{} 0h{length}", x - at)
            };
            at = x + length;
        }
    }
    svg.push_str("\"/></svg>");
    Some(svg)
}

/// Where dark modules begin in a row, and how many follow each other.
fn dark_runs(row: &[Color]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (x, _) in row.iter().enumerate().filter(|(_, colour)| **colour == Color::Dark) {
        match runs.last_mut() {
            Some((start, length)) if *start + *length == x => *length += 1,
            _ => runs.push((x, 1)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "portal://npub16evtuu93f4jq8ymls3rl8kqc6jkn2v2mja07cafvv70jdp5nsv4sa4p28v?relays=\
                       wss%3A%2F%2Frelay.nostr.net,wss%3A%2F%2Frelay.damus.io,wss%3A%2F%2Fnos.lol,\
                       wss%3A%2F%2Frelay.primal.net&token=tttttttttttttttttttttttttttttttt";

    fn number(svg: &str, attribute: &str) -> usize {
        let (_, rest) = svg.split_once(&format!(" {attribute}=\"")).unwrap();
        rest.split_once('"').unwrap().0.parse().unwrap()
    }

    /// What a phone reads from the picture: the strokes are drawn as a browser draws them.
    fn scanned(svg: &str) -> String {
        let (_, path) = svg.split_once("stroke=\"#000\" d=\"").unwrap();
        let (path, _) = path.split_once('"').unwrap();
        let all: usize =
            svg.split_once("viewBox=\"0 0 ").unwrap().1.split_once(' ').unwrap().0.parse().unwrap();
        let mut dark = vec![vec![false; all]; all];
        for line in path.split('M').filter(|line| !line.is_empty()) {
            let (start, rest) = line.split_once(".5h").unwrap();
            let (x, y) = start.split_once(' ').unwrap();
            let (mut x, y): (usize, usize) = (x.parse().unwrap(), y.parse().unwrap());
            for (run, part) in rest.split('m').enumerate() {
                let (skipped, length) = if run == 0 { ("0", part) } else { part.split_once(" 0h").unwrap() };
                x += skipped.parse::<usize>().unwrap();
                let length: usize = length.parse().unwrap();
                dark[y][x..x + length].fill(true);
                x += length;
            }
        }
        const SCALE: usize = 4;
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(all * SCALE, all * SCALE, |x, y| {
            if dark[y / SCALE][x / SCALE] { 0 } else { 255 }
        });
        image.detect_grids().first().expect("a code is seen").decode().expect("it can be read").1
    }

    #[test]
    fn a_phone_reads_the_url_from_the_picture() {
        for content in [URL, "portal://x", &"x".repeat(1_000)] {
            assert_eq!(scanned(&svg(content, "").unwrap()), content);
        }
        assert_eq!(svg(&"x".repeat(10_000), ""), None);
    }

    #[test]
    fn every_module_has_the_same_whole_number_of_pixels_and_the_picture_is_large_enough() {
        for content in ["x", URL, &"x".repeat(500)] {
            let svg = svg(content, "").unwrap();
            let (pixels, all) = (number(&svg, "width"), svg.split_once("viewBox=\"0 0 ").unwrap().1);
            let all: usize = all.split_once(' ').unwrap().0.parse().unwrap();
            assert!(pixels >= 240 && pixels.is_multiple_of(all), "{pixels} of {all}");
            assert_eq!(number(&svg, "height"), pixels);
            assert!(svg.contains("shape-rendering=\"crispEdges\"") && svg.contains("fill=\"#fff\""));
        }
        assert!(svg(URL, "").unwrap().len() < 12_000, "{}", svg(URL, "").unwrap().len());
    }

    #[test]
    fn a_code_names_three_relays_and_those_that_are_ready_first() {
        let short: HandshakeUrl = short(URL, |relay| relay.contains("primal")).parse().unwrap();
        assert_eq!(short.relays, ["wss://relay.primal.net", "wss://relay.nostr.net", "wss://relay.damus.io"]);
        let long: HandshakeUrl = URL.parse().unwrap();
        assert_eq!((short.token, short.main_key), (long.token, long.main_key));
        assert_eq!(super::short("nonsense", |_| true), "nonsense");
    }
}
