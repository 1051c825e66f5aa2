//! What clients say of themselves, in every spelling that some app takes for `X-Auth-…`.

use crate::app::{App, told_of_user};
use crate::gateways::{Gateway, More};
use crate::guarding::{named, refusal};
use crate::site::Site;
use crate::support::beginning::Member;
use crate::support::rest::Rest;

for_every_gateway! { what_a_client_says_of_itself_is_not_believed, a_client_names_no_other_request_than_its_own }

/// Headers by which a client would like to be somebody else, roles and permissions included. WSGI reads the underscore
/// as a hyphen, PHP the dot, some servers every sign that a name may have (RFC 9110 §5.6.2).
const LIES: [(&str, &str); 29] = [
    ("x-auth-user", "root"),
    ("x-auth-user", "root again"),
    ("x_auth_user", "root"),
    ("x-auth_user", "root"),
    ("x_auth-user", "root"),
    ("x_auth_wallet", "root"),
    ("x_auth_provider", "root"),
    ("x_auth_roles", "admin"),
    ("x-auth_permissions", "everything"),
    ("x_auth_session", "root"),
    ("x.auth.user", "root"),
    ("x!auth!user", "root"),
    ("x#auth#user", "root"),
    ("x$auth$user", "root"),
    ("x%auth%user", "root"),
    ("x&auth&user", "root"),
    ("x'auth'user", "root"),
    ("x*auth*user", "root"),
    ("x+auth+user", "root"),
    ("x^auth^user", "root"),
    ("x`auth`user", "root"),
    ("x|auth|user", "root"),
    ("x~auth~user", "root"),
    ("x-auth-wallet", "root"),
    ("x-auth-provider", "root"),
    ("x-auth-roles", "admin"),
    ("x-auth-permissions", "everything"),
    ("x-auth-error", "none"),
    ("x-auth-return-to", "//evil.example"),
];

async fn what_a_client_says_of_itself_is_not_believed(gateway: Gateway) {
    let around = "underscores_in_headers on; ignore_invalid_headers off;";
    for app in App::ALL {
        let site = Site::with(gateway, app, More { around, within: "" }).await;
        let member = Member::of(&site.daemon).await;
        let lying = |client| LIES.iter().fold(client, |client, (name, lie)| Rest::and(client, name, lie));
        // With good tokens, under the true name; the roles, of which there are none, are not those of the client.
        let answer = lying(site.client_of(&member)).get("/notes").await;
        assert_eq!(told_of_user(&answer), named(&member, ""), "{app:?}");
        assert_eq!(refusal(&lying(site.client_of(&member)).get("/admin/").await).0, 403);
        // Without tokens, nowhere; and where everybody may go, as nobody.
        assert_eq!(refusal(&lying(site.stranger()).get("/notes").await).0, 401);
        for client in [site.stranger(), site.client_of(&member)] {
            assert_eq!(told_of_user(&lying(client).get("/public/").await), [], "{app:?}");
        }
    }
}

async fn a_client_names_no_other_request_than_its_own(gateway: Gateway) {
    let site = Site::of(gateway, App::Wsgi).await;
    let lying = site.browser(&[]).with("x-forwarded-uri", "//evil.example").with("x-forwarded-method", "GET");
    let answer = lying.get("/notes").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (302, Some(SIGN_IN_FOR_NOTES)));
    // Neither does one that tells it twice, nor by another name: the gateway alone is asked what the request is.
    let more = lying.with("x-original-method", "POST").with("x-original-uri", "//evil.example");
    let twice = more.and("x-original-uri", "/elsewhere").get("/notes").await;
    assert_eq!((twice.status.as_u16(), twice.header("location")), (302, Some(SIGN_IN_FOR_NOTES)));
}

const SIGN_IN_FOR_NOTES: &str = "/public/sign-in?return_to=%2Fnotes";
