//! The text that users sign at a sign-in of thirdweb: any payload, with a valid signature of its text.

use std::sync::LazyLock;

use portico::clock::Timestamp;
use portico::ethereum::SigningKey;
use portico::wallet::thirdweb::{ExpectedPayload, Payload};

/// The time at which payloads are checked: that of the vectors.
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// The user of the vectors.
static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::parse(&"22".repeat(32)).unwrap());

/// The service has the domain and the statement that the payload names.
pub fn run(data: &[u8]) {
    let Ok(payload) = serde_json::from_slice::<Payload>(data) else { return };
    let expected = ExpectedPayload {
        domain: payload.domain.clone(),
        uri: payload.uri.clone(),
        statement: payload.statement.clone(),
        version: payload.version.clone(),
        chain_ids: Vec::new(),
        resources: Vec::new(),
        leeway_secs: 60,
    };
    let text = payload.message();
    let Ok(address) = payload.verify(&KEY.sign(text.as_bytes()), &expected, NOW) else { return };
    assert_eq!(address, KEY.address());
    // No field added a line to the text, or hid one.
    let said = serde_json::to_value(&payload).unwrap();
    let fields = said.as_object().unwrap().values().flat_map(|value| match value {
        serde_json::Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    });
    for field in fields {
        assert!(!field.as_str().unwrap().chars().any(char::is_control), "{field}");
    }
    assert!(!text.contains('\r'));
}
