//! The routes of the page.

use std::time::Duration;

use axum::Router;
use axum::extract::{Extension, Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use url::{Url, form_urlencoded};

use super::bounds::Holder;
use super::cookie::Secret;
use super::guard::{Visitor, guard, page_policy};
use super::html::{Problem, Shown, path};
use super::language;
use super::sign_ins::{Trouble, Wanted};
use super::texts::Texts;
use super::view::View;
use super::{Page, SignInPage};
use crate::config::WebApp;
use crate::http::body::read_off;
use crate::http::door::door;
use crate::http::envelope::because;
use crate::portal::PortalError;
use crate::store::{WebSignIn, WebSignInId};

/// How long a page waits for an answer: less than what proxies allow.
const WAIT: Duration = Duration::from_secs(25);

/// The longest `state` of an app, in bytes.
const MAX_STATE: usize = 1024;

pub(super) fn router(page: SignInPage) -> Router {
    Router::new()
        .route("/sign-in", get(begin))
        .route("/sign-in/{id}", get(show))
        .route("/sign-in/{id}/wait", get(wait))
        .route("/sign-in/{id}/new-code", post(new_code))
        .route("/sign-in/{id}/cancel", post(cancel))
        .route("/assets/{name}", get(asset))
        .fallback(nothing_here)
        .method_not_allowed_fallback(nothing_here)
        .layer(middleware::from_fn_with_state(page.clone(), pass))
        .with_state(page)
}

async fn pass(State(SignInPage(page)): State<SignInPage>, request: Request, next: Next) -> Response {
    door(&page.metrics, request, |request| guard(&page.guard, request, next)).await
}

async fn nothing_here(State(SignInPage(page)): State<SignInPage>, request: Request) -> Response {
    let texts = language::texts(None, request.headers());
    read_off(request).await;
    page.problem(texts, Problem::NotFound, "not_found", None)
}

async fn asset(
    State(SignInPage(page)): State<SignInPage>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let texts = language::texts(None, &headers);
    page.assets.get(&name).unwrap_or_else(|| page.problem(texts, Problem::NotFound, "not_found", None))
}

/// Opens a sign-in for an app, and leads to its page.
async fn begin(
    State(SignInPage(page)): State<SignInPage>,
    Extension(visitor): Extension<Visitor>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    let locales = one(&query, "ui_locales").flatten().unwrap_or_default();
    let texts = language::texts(language::asked(&locales), &headers);
    let Some(wanted) = page.wanted(&query, &locales) else {
        return page.problem(texts, Problem::UnknownApp, "bad_request", None);
    };
    let known = visitor.browser.filter(|browser| page.sign_ins.bounds.knows(browser));
    let new = known.is_none().then(Secret::new);
    let browser = known.or(new.as_ref().map(|secret| secret.digest)).unwrap_or_default();
    let holder = Holder { app: wanted.app.id.clone(), address: visitor.address, browser };
    match page.sign_ins.begin(wanted, holder).await {
        Ok(sign_in) => {
            let mut response = see_other(&path(&sign_in));
            if let Some(secret) = new {
                response.headers_mut().insert(header::SET_COOKIE, secret.set_cookie());
            }
            response
        }
        Err(trouble) => page.trouble(texts, trouble, Some(&format!("/sign-in?{query}"))),
    }
}

/// The page of a sign-in. When the user has approved, it leads back to the app with a code.
async fn show(
    State(SignInPage(page)): State<SignInPage>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let (found, holder) = match page.find(&id, visitor).await {
        Ok(found) => found,
        Err(trouble) => return page.trouble(language::texts(None, &headers), trouble, Some("")),
    };
    let texts = language::texts(found.0.language.as_deref(), &headers);
    let Some(app) = page.app_of(&found.0) else {
        return page.problem(texts, Problem::UnknownApp, "bad_request", None);
    };
    let (sign_in, mut view) = match page.sign_ins.look(found, holder).await {
        Ok(looked) => looked,
        Err(trouble) => return page.trouble(texts, trouble, Some(&format!("/sign-in/{id}"))),
    };
    if view == View::Approved {
        match page.codes.offer(&sign_in).await {
            Ok(Some(code)) => return see_other(&back_to(&sign_in, "code", code.expose())),
            Ok(None) => view = View::Finished,
            Err(error) => return page.trouble(texts, error.into(), Some(&path(&sign_in))),
        }
    }
    page.html(texts, app, &sign_in, view)
}

/// `main` of the page, as soon as it differs from what the browser has seen.
async fn wait(
    State(SignInPage(page)): State<SignInPage>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let seen = one(&query.unwrap_or_default(), "seen").flatten().unwrap_or_default();
    let texts = language::texts(None, &headers);
    let (found, holder) = match page.find(&id, visitor).await {
        Ok(found) => found,
        Err(trouble) => return page.trouble(texts, trouble, None),
    };
    let Some(app) = page.app_of(&found.0) else {
        return page.problem(texts, Problem::UnknownApp, "bad_request", None);
    };
    match page.sign_ins.wait(found.0.id, holder, (&seen, WAIT)).await {
        Ok(Some((sign_in, view))) => {
            let texts = language::texts(sign_in.language.as_deref(), &headers);
            page.with_shown(texts, app, &sign_in, view, |shown| Html(shown.main()).into_response())
        }
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Err(trouble) => page.trouble(texts, trouble, None),
    }
}

/// Shows another code in place of one that did not lead to a result.
async fn new_code(
    State(SignInPage(page)): State<SignInPage>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let renewed = async {
        let (found, holder) = page.find(&id, visitor).await?;
        let (sign_in, view) = page.sign_ins.look(found, holder.clone()).await?;
        if !matches!(view, View::Approved | View::Finished) {
            page.sign_ins.renew(&sign_in, holder, 0).await?;
        }
        Ok(path(&sign_in))
    };
    match renewed.await {
        Ok(path) => see_other(&path),
        Err(trouble) => {
            page.trouble(language::texts(None, &headers), trouble, Some(&format!("/sign-in/{id}")))
        }
    }
}

/// Ends the login of a sign-in.
async fn cancel(
    State(SignInPage(page)): State<SignInPage>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    match page.find(&id, visitor).await {
        Ok(((sign_in, _), _)) => {
            page.sign_ins.take_back(sign_in.stream).await;
            see_other(&path(&sign_in))
        }
        Err(trouble) => page.trouble(language::texts(None, &headers), trouble, None),
    }
}

impl Page {
    /// What a request asks for, if an app with this return URL is configured. The URL is compared as text.
    fn wanted(&self, query: &str, locales: &str) -> Option<Wanted<'_>> {
        let app = self.codes.app(&one(query, "app")??)?;
        let return_url = match one(query, "return_url")? {
            Some(asked) => app.return_urls.iter().find(|listed| **listed == asked)?,
            None => app.return_urls.first()?,
        };
        let state = one(query, "state")?;
        let fits = state
            .as_ref()
            .is_none_or(|state| state.len() <= MAX_STATE && !state.chars().any(char::is_control));
        let language = language::asked(locales);
        fits.then(|| Wanted { app, return_url: return_url.clone(), state, language })
    }

    /// A sign-in of this browser, and the holder of its next code.
    async fn find(&self, id: &str, visitor: Visitor) -> Result<((WebSignIn, bool), Holder), Trouble> {
        let id: WebSignInId = id.parse().map_err(|_| Trouble::NotYours)?;
        let found = self.sign_ins.find(id, visitor.browser).await?;
        let (app, browser) = (found.0.app.clone(), found.0.browser);
        Ok((found, Holder { app, address: visitor.address, browser }))
    }

    /// The app of a sign-in, if the configuration still has it with this return URL.
    fn app_of(&self, sign_in: &WebSignIn) -> Option<&WebApp> {
        self.codes.app(&sign_in.app).filter(|app| app.return_urls.contains(&sign_in.return_url))
    }

    fn with_shown<T>(
        &self,
        texts: &Texts,
        app: &WebApp,
        sign_in: &WebSignIn,
        view: View,
        then: impl FnOnce(Shown<'_>) -> T,
    ) -> T {
        let standing = self.profile.standing();
        let wallet_shows = standing.as_ref().map(|standing| standing.name.as_deref().ok());
        let error = match view {
            View::Ended(ending) => ending.code(),
            _ => "cancelled",
        };
        let back = back_to(sign_in, "error", error);
        let wallet_url = self.rules.wallet_url.as_ref().map(Url::as_str);
        let now = self.sign_ins.clock.now();
        then(Shown { texts, app, sign_in, view, wallet_shows, wallet_url, back: &back, now })
    }

    fn html(&self, texts: &Texts, app: &WebApp, sign_in: &WebSignIn, view: View) -> Response {
        let body = self.with_shown(texts, app, sign_in, view, |shown| {
            self.frame.page(texts, &shown.title(), &shown.main(), view.waits())
        });
        let returns_to = Url::parse(&sign_in.return_url).map(|url| url.origin().ascii_serialization());
        page_response(texts, page_policy(returns_to.ok().as_deref()), body)
    }

    /// A page that says what went wrong, with the code for the log.
    fn problem(&self, texts: &Texts, problem: Problem, code: &'static str, again: Option<&str>) -> Response {
        let body = self.frame.problem(texts, problem, again);
        let mut response = page_response(texts, page_policy(None), body);
        *response.status_mut() = match problem {
            Problem::UnknownApp => StatusCode::BAD_REQUEST,
            Problem::OtherBrowser | Problem::NotFound => StatusCode::NOT_FOUND,
            Problem::Busy { .. } => StatusCode::TOO_MANY_REQUESTS,
            Problem::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        if let Problem::Busy { retry_after } = problem {
            let seconds = retry_after.as_millis().div_ceil(1000).max(1) as u64;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        because(response, code)
    }

    fn trouble(&self, texts: &Texts, trouble: Trouble, again: Option<&str>) -> Response {
        let again = again.filter(|again| !again.is_empty());
        let busy = |retry_after| (Problem::Busy { retry_after }, "limit_reached");
        let (problem, code) = match trouble {
            Trouble::NotYours => (Problem::OtherBrowser, "no_such_sign_in"),
            Trouble::Full(full) => busy(full.retry_after),
            Trouble::Portal(PortalError::LimitReached { limit, retry_after, .. }) => {
                self.metrics.limits.reached(limit);
                busy(retry_after.unwrap_or(WAIT))
            }
            Trouble::Portal(PortalError::Stopping) => (Problem::Unavailable, "stopping"),
            Trouble::Portal(PortalError::NothingToLogInOver) => (Problem::Unavailable, "no_relay"),
            Trouble::Portal(error) => {
                tracing::error!(%error, "cannot open a login for the page");
                (Problem::Unavailable, "internal")
            }
            Trouble::Store(error) => {
                tracing::error!(%error, "the page cannot use the store");
                (Problem::Unavailable, "store_unavailable")
            }
        };
        self.problem(texts, problem, code, again)
    }
}

fn page_response(texts: &Texts, policy: HeaderValue, body: String) -> Response {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CONTENT_LANGUAGE, HeaderValue::from_static(texts.code)),
        (header::VARY, HeaderValue::from_static("accept-language, cookie")),
    ];
    (headers, Html(body)).into_response()
}

fn see_other(to: &str) -> Response {
    let location = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// The app's return URL with this parameter, and the app's `state`.
fn back_to(sign_in: &WebSignIn, name: &str, value: &str) -> String {
    let Ok(mut url) = Url::parse(&sign_in.return_url) else { return "/".into() };
    let mut query = url.query_pairs_mut();
    query.append_pair(name, value);
    if let Some(state) = &sign_in.state {
        query.append_pair("state", state);
    }
    drop(query);
    url.into()
}

/// A parameter of the query. `None`: it is there more than once, so nobody knows which one counts.
fn one(query: &str, name: &str) -> Option<Option<String>> {
    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
    match (values.next(), values.next()) {
        (value, None) => Some(value.map(|(_, value)| value.into_owned())),
        (_, Some(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_counts_only_if_it_is_there_once() {
        assert_eq!(one("app=shop&state=a%20b", "state"), Some(Some("a b".into())));
        assert_eq!(one("app=shop", "state"), Some(None));
        assert_eq!(one("app=shop&app=blog", "app"), None);
    }
}
