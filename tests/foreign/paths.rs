//! Paths that a gateway and an app read differently: nobody without the role may reach what is for admins.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};

use crate::app::App;
use crate::gateways::Gateway;
use crate::site::Site;
use crate::support::beginning::Member;

for_every_gateway! {
    a_path_parameter_is_refused_as_servlets_drop_it,
    no_spelling_of_a_path_leads_somebody_without_the_role_to_the_admins,
    who_has_the_role_reaches_the_admins_in_either_case,
}

/// What leads to `/admin` for some program, as it stands in the request line.
const TRICKS: [&str; 46] = [
    "/admin",
    "/admin/",
    "/Admin/",
    "/ADMIN/x",
    "/aDmIn",
    "/admin?x=1",
    "/admin%2f",
    "/admin%2Fx",
    "/ADMIN%2fx",
    "//admin",
    "///Admin",
    "//admin//x",
    "/./admin",
    "/.//admin",
    "/x/../admin/",
    "/x/..//admin",
    "/%61dmin/",
    "/%41DMIN",
    "/admin.",
    "/admin./x",
    "/admin;x=1",
    "/admin;x/y",
    "/admin%00",
    "/admin%20/",
    "/admin/.",
    "/admin/..",
    "/%2e/admin",
    "/%2E%2e/admin",
    "/x/%2e%2e/Admin",
    "/x%2f..%2fadmin",
    "/%2fadmin",
    "/%5cadmin",
    "/\\admin",
    "/x\\..\\admin",
    "/public/../admin",
    "/public/..%2fadmin",
    "/public/%2e%2e/ADMIN",
    "/public%2f..%2fadmin",
    "/public/..\\admin",
    "/public\\..\\admin",
    "/public/x%5c..%5c..%5cadmin",
    "/admin/../public/",
    "/ADMIN/../public/x",
    "/admin/x/../../public/",
    "/admin%2f..%2fpublic/",
    "/admin/%2e%2e/public/",
];

/// Paths with parameters, most of which are `/admin/x` to Tomcat.
const PARAMETERS: [&str; 16] = [
    "/public/..;/admin/x",
    "/public/..;x=1/admin/x",
    "/public/..;x=1;y=2/admin/x",
    "/public/%2e%2e;/admin/x",
    "/public/%2E.;/ADMIN/x",
    "/public/..%3b/admin/x",
    "/public/%2e%2e%3Bx=1/admin/x",
    "/public/.;/..;/admin/x",
    "/public;/../admin/x",
    "/;/admin/x",
    "/;x=1/admin/x",
    "/%3b/admin/x",
    "/%3B/admin/x",
    "/x/..;/admin/x",
    "/admin;x=1/x",
    "/public/x;jsessionid=1",
];

/// Status and page for a request line that no well-meaning client would write.
pub(crate) fn get(socket: &Path, target: &str, headers: &str) -> (u16, Option<Value>) {
    let mut stream = UnixStream::connect(socket).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n{headers}\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap_or_else(|| panic!("{target}: {answer}")).parse().unwrap();
    let page = answer.find('{').zip(answer.rfind('}')).map(|(from, to)| &answer[from..=to]);
    (status, page.and_then(|page| serde_json::from_str(page).ok()))
}

async fn a_path_parameter_is_refused_as_servlets_drop_it(gateway: Gateway) {
    let site = Site::of(gateway, App::Servlets).await;
    let member = Member::of(&site.daemon).await;
    let user = format!("/users/{}", member.id());
    site.daemon.rest().patch(&user, json!({ "roles": ["admin"] })).await.data();
    let tokens = tokens_of(&member);
    let (app, socket) = (site.app_socket(), site.socket());
    tokio::task::spawn_blocking(move || {
        // To the app itself it is the page of the admins.
        let (status, page) = get(&app, "/public/..;x=1/admin/x", "");
        assert_eq!((status, &page.unwrap()["admin"]), (200, &json!(true)));
        for target in PARAMETERS {
            // Before nginx resolves "..", no app sees what stood there.
            let is_resolved = gateway == Gateway::Nginx && target == "/public;/../admin/x";
            let expected = if is_resolved { [401, 200] } else { [400, 400] };
            let answers = ["", &*tokens].map(|tokens| get(&socket, target, tokens).0);
            assert_eq!(answers, expected, "{target}");
        }
        // In a query it means nothing to anybody.
        assert_eq!(get(&socket, "/notes?x=1;y=%3b", &tokens).0, 200);
    })
    .await
    .unwrap();
}

/// Both layers of this user, as lines.
pub(crate) fn tokens_of(member: &Member) -> String {
    let (token, credential) = (member.access_token(), &member.credential);
    format!("Authorization: Bearer {token}\r\nX-Wallet-Session: {credential}\r\n")
}

async fn no_spelling_of_a_path_leads_somebody_without_the_role_to_the_admins(gateway: Gateway) {
    for app in App::ALL {
        let site = Site::of(gateway, app).await;
        let member = Member::of(&site.daemon).await;
        let tokens = tokens_of(&member);
        let socket = site.socket();
        let answers = tokio::task::spawn_blocking(move || {
            let both = [("a stranger", String::new()), ("a user", tokens)];
            let ask = |target| both.clone().map(|(who, tokens)| (who, target, get(&socket, target, &tokens)));
            TRICKS.into_iter().chain(PARAMETERS).flat_map(ask).collect::<Vec<_>>()
        });
        for (who, target, (status, page)) in answers.await.unwrap() {
            let is_inside = status == 200 && page.as_ref().is_some_and(|page| page["admin"] == true);
            assert!(!is_inside, "{app:?}: {who} is among the admins by {target}: {page:?}");
            if [400, 401, 403, 404].contains(&status) {
                continue;
            }
            // What is left is another page for the app, too, however it reads paths; a stranger's is for everybody.
            let path = page.as_ref().and_then(|page| page["path"].as_str()).unwrap_or_default();
            let is_theirs = path.starts_with(if who == "a stranger" { "/public/" } else { "/" });
            let is_other = is_theirs && !path.to_ascii_lowercase().contains("admin");
            assert!(status == 200 && is_other, "{app:?}: {who}, {target}: {status} {path}");
        }
    }
}

async fn who_has_the_role_reaches_the_admins_in_either_case(gateway: Gateway) {
    let site = Site::of(gateway, App::Express).await;
    let member = Member::of(&site.daemon).await;
    let user = format!("/users/{}", member.id());
    site.daemon.rest().patch(&user, json!({ "roles": ["admin"] })).await.data();
    for path in ["/admin", "/admin/x", "/Admin/", "/ADMIN/x"] {
        let answer = site.client_of(&member).get(path).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["admin"]), (200, &json!(true)), "{path}");
    }
}
