//! Style, module and logo: in the program, under names that change with their content, so browsers keep them.

use axum::body::Bytes;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::html::Frame;
use crate::config::SignInPages;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The content of a name never changes.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// A picture may be opened as a page of its own: it must not run as one.
const INERT: HeaderValue = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");

/// The files of the page.
#[derive(Debug)]
pub(super) struct Assets(Vec<Asset>);

#[derive(Debug)]
struct Asset {
    name: String,
    media_type: &'static str,
    bytes: Bytes,
}

impl Asset {
    fn new(ending: &str, media_type: &'static str, bytes: Vec<u8>) -> Self {
        let hash = hex::encode(&Sha256::digest(&bytes)[..8]);
        Self { name: format!("{hash}{ending}"), media_type, bytes: bytes.into() }
    }

    fn path(&self) -> String {
        format!("/assets/{}", self.name)
    }
}

impl Assets {
    /// The files, and the frame of the pages that use them.
    pub(super) fn of(rules: &SignInPages) -> (Self, Frame) {
        let css = format!("{STYLE}:root{{--accent:{}}}\n", rules.accent);
        let style = Asset::new(".css", "text/css; charset=utf-8", css.into_bytes());
        let script = Asset::new(".js", "text/javascript; charset=utf-8", SCRIPT.into());
        let logo = rules.logo.as_ref().map(|logo| Asset::new("", logo.media_type, logo.bytes.clone()));
        let frame = Frame {
            brand: rules.name.clone(),
            logo: logo.as_ref().map(Asset::path),
            style: style.path(),
            script: script.path(),
        };
        (Self([style, script].into_iter().chain(logo).collect()), frame)
    }

    /// The file with this name.
    pub(super) fn get(&self, name: &str) -> Option<Response> {
        let asset = self.0.iter().find(|asset| asset.name == name)?;
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(asset.media_type)),
            (header::CACHE_CONTROL, KEPT),
            (header::CONTENT_SECURITY_POLICY, INERT),
        ];
        Some((headers, asset.bytes.clone()).into_response())
    }
}
