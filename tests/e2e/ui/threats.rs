//! What other web pages, other programs of the machine and strangers with odd names try. Each test names the threat.

use super::*;
use crate::support::beginning::Member;
use crate::support::rest::refused;

const WRITES: &str = "writes = true\n";

#[tokio::test]
async fn dns_rebinding_a_name_of_the_attacker_that_resolves_to_this_machine_is_refused() {
    let daemon = quiet("").await;
    let operator = operator(&daemon).await;
    for host in ["evil.example", "evil.example:3000", "127.0.0.1.evil.example", "localhost.evil.example"] {
        for base in [operator.clone(), page(Rest::unix(daemon.socket()), host)] {
            let rebound = base.with("host", host).with("origin", &format!("http://{host}"));
            for path in FILES {
                assert_eq!(rebound.get(path).await.refusal(), refused(403, "forbidden"), "{host} {path}");
            }
            for route in routes(NOBODY) {
                assert_eq!(
                    send(&rebound, &route).await.refusal(),
                    refused(403, "forbidden"),
                    "{host} {route:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn csrf_a_page_of_another_origin_reaches_no_route_with_the_operators_cookie() {
    let daemon = quiet(WRITES).await;
    let operator = operator(&daemon).await;
    let hostile = [
        ("another site", operator.clone().with("origin", "https://evil.example")),
        ("another site", operator.clone().with("sec-fetch-site", "cross-site")),
        ("another port of this host", operator.clone().with("origin", "http://127.0.0.1:1")),
        ("another port of this host", operator.clone().with("sec-fetch-site", "same-site")),
        ("a sandboxed frame", operator.clone().with("origin", "null")),
        ("a link", operator.clone().with("sec-fetch-site", "none")),
        ("a form, an image or a script", operator.clone().without("x-portico-ui")),
        ("two origins", operator.clone().and("origin", "https://evil.example")),
    ];
    for (who, page) in hostile {
        for route in routes(NOBODY) {
            let answer = send(&page, &route).await;
            assert_eq!(answer.refusal(), refused(403, "forbidden"), "{who}: {route:?}");
            assert!(answer.header("access-control-allow-origin").is_none(), "{who}: {route:?}");
        }
    }
    assert!(is_signed_in(&operator).await, "nobody could sign the operator out");
}

#[tokio::test]
async fn csrf_no_page_of_another_origin_is_ever_allowed_to_send_the_header_of_the_page() {
    let relay = TestRelay::start().await;
    let toml = "[local]\nallowed_origins = [\"https://app.example\"]\n[ui]\nenabled = true\n";
    let daemon = Daemon::on(&[&relay]).with_config(toml).with_tcp().start().await;
    for origin in ["https://evil.example", "https://app.example"] {
        let asking = browser(&daemon).with("origin", origin).with("access-control-request-method", "POST");
        for (_, path, _) in routes(NOBODY) {
            let preflight = asking.send(Method::OPTIONS, &path, "").await;
            assert!(!preflight.status.is_success(), "{origin} {path}");
            assert!(
                preflight.header("access-control-allow-headers").is_none_or(|all| !all.contains("portico"))
            );
        }
    }
}

#[tokio::test]
async fn csrf_a_read_changes_nothing_whatever_the_method_is_that_it_pretends() {
    let daemon = quiet(WRITES).await;
    let operator = operator(&daemon).await;
    for path in ["/ui/session", "/ui/login"] {
        for method in [Method::PUT, Method::PATCH] {
            let odd = operator.send(method.clone(), path, "{}").await;
            assert!(odd.status.is_client_error(), "{method} {path}: {odd:?}");
        }
    }
    let overridden = operator.clone().with("x-http-method-override", "DELETE").get("/ui/session").await;
    assert_eq!(overridden.data()["signed_in"], true);
    assert!(is_signed_in(&operator).await);
}

#[tokio::test]
async fn clickjacking_and_injected_scripts_every_answer_forbids_frames_and_code_from_texts() {
    let daemon = quiet("").await;
    let mut answers = vec![browser(&daemon).get("/ui").await];
    for path in FILES {
        answers.push(browser(&daemon).get(path).await);
    }
    for route in routes(NOBODY) {
        answers.push(send(&browser(&daemon), &route).await);
        answers.push(send(&browser(&daemon).with("origin", "https://evil.example"), &route).await);
    }
    for answer in answers {
        let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("{answer:?}"));
        for rule in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "form-action 'none'",
            "base-uri 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(rule), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn cookie_theft_the_cookie_that_another_port_of_the_host_receives_opens_nothing() {
    let daemon = quiet("").await;
    let (operator, other) = (operator(&daemon).await, enter(&daemon, &daemon.api_token()).await);
    assert!(is_signed_in(&operator).await);
    for key in ["1", "", "0"] {
        let thief = operator.clone().with("x-portico-ui", key);
        assert_eq!(thief.get("/ui/data").await.refusal(), refused(401, "unauthorized"));
    }
    let without = operator.clone().without("cookie");
    assert_eq!(without.get("/ui/data").await.refusal(), refused(401, "unauthorized"), "nor does the key");
    let mixed = operator.clone().with("x-portico-ui", &header_of(&other, "x-portico-ui"));
    assert_eq!(mixed.get("/ui/data").await.refusal(), refused(401, "unauthorized"));
}

fn header_of(page: &Rest, name: &str) -> String {
    page.header(name).expect(name).to_owned()
}

#[tokio::test]
async fn cookie_tossing_cookies_that_another_port_adds_neither_sign_out_nor_sign_in() {
    let daemon = quiet("").await;
    let operator = operator(&daemon).await;
    let own = header_of(&operator, "cookie");
    let (name, _) = own.split_once('=').unwrap();
    let tossed = operator.clone().with("cookie", &format!("{name}=tossed; {own}; {name}={}", "0".repeat(64)));
    assert!(is_signed_in(&tossed).await);
    let only_tossed = operator.clone().with("cookie", &format!("{name}=tossed"));
    assert!(!is_signed_in(&only_tossed).await);
}

#[tokio::test]
async fn session_fixation_a_sign_in_never_takes_over_a_cookie_that_was_there() {
    let daemon = quiet("").await;
    let attacker = operator(&daemon).await;
    let planted = browser(&daemon).with("cookie", &header_of(&attacker, "cookie"));
    let answer = planted.post("/ui/session", json!({ "token": daemon.api_token() })).await;
    assert_ne!(cookie(&answer), header_of(&attacker, "cookie"));
    let victim = signed_in(&planted, &answer);
    assert_eq!(victim.get("/ui/session").await.data()["name"], "API token");
    let name = attacker.get("/ui/session").await.data()["name"].to_string();
    assert!(name.contains("token:ops#"), "{name}");
}

#[tokio::test]
async fn confused_credentials_the_page_takes_no_api_token_and_the_api_no_session_of_the_page() {
    let daemon = quiet("").await;
    let bearer = browser(&daemon).with("authorization", &format!("Bearer {}", daemon.api_token()));
    assert_eq!(bearer.get("/ui/data").await.refusal(), refused(401, "unauthorized"));
    let operator = operator(&daemon).await.without("origin");
    for path in ["/users", "/audit", "/relays", "/keys", "/metrics"] {
        assert_eq!(operator.get(path).await.refusal(), refused(401, "unauthorized"), "{path}");
    }
}

#[tokio::test]
async fn read_only_no_write_passes_unless_the_configuration_allows_writes() {
    let (_relay, daemon) = daemon("").await;
    let (member, operator) = (Member::of(&daemon).await, operator(&daemon).await);
    for route in routes(member.id()).into_iter().skip(10) {
        assert_eq!(send(&operator, &route).await.refusal(), refused(403, "read_only"), "{route:?}");
        assert_eq!(
            send(&browser(&daemon), &route).await.refusal(),
            refused(401, "unauthorized"),
            "{route:?}"
        );
    }
    let user = daemon.rest().get(&format!("/users/{}", member.id())).await.data();
    assert_eq!(user["user"]["disabled"], false);
    assert_eq!(daemon.rest().post("/auth/verify", member.both()).await.status, 200);
}

#[tokio::test]
async fn leaks_no_answer_of_the_page_has_a_token_a_stream_or_a_sessions_id() {
    let (_relay, daemon) = daemon(WRITES).await;
    let member = Member::of(&daemon).await;
    let (url, stream) = daemon.rest().login(json!({})).await;
    let ops = token(&daemon, "ops", &["operate"]).await;
    let operator = enter(&daemon, &ops).await;
    let end = format!("/ui/users/{}/end-sessions", member.id());
    let mut told = vec![operator.post(&end, json!({})).await];
    for path in ["/ui/session", "/ui/data", "/ui/audit", "/ui/users", &format!("/ui/users/{}", member.id())] {
        told.push(operator.get(path).await);
    }
    let secrets = [
        member.session(),
        member.access_token(),
        &member.credential,
        &stream,
        &url,
        ops.rsplit('_').next().unwrap(),
        &daemon.api_token(),
        &daemon.secret(),
    ];
    for answer in told {
        assert_eq!(answer.status, 200);
        for secret in secrets {
            assert!(!answer.text.contains(secret), "{secret} is in {answer:?}");
        }
    }
}

#[tokio::test]
async fn strangers_on_the_machine_a_user_whom_the_configuration_does_not_list_gets_not_even_the_page() {
    let relay = TestRelay::start().await;
    let toml = "[ui]\nenabled = true\n[local]\nsocket_mode = \"0666\"\n";
    let daemon = Daemon::on(&[&relay]).where_others_can_look().with_config(toml).start().await;
    let stranger = page(Rest::unix_as(65534, daemon.socket()), "localhost");
    for path in FILES {
        assert_eq!(stranger.get(path).await.refusal(), refused(403, "forbidden"), "{path}");
    }
    for route in routes(NOBODY) {
        assert_eq!(send(&stranger, &route).await.refusal(), refused(403, "forbidden"), "{route:?}");
    }
}
