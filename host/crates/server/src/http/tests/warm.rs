//! Keys that are to be in memory.

use super::*;

#[test]
fn keys_are_warmed_and_it_is_told_what_they_came_to() {
    let server = server();
    server.connect().ask("SET k v\r\n", "+OK\r\n");
    let post = |body: &str| {
        let json = "Content-Type: application/json";
        ask(&server, "POST", "/v1/batch/warm", &[json], body.as_bytes())
    };
    let told = post("{\"keys\": [\"k\", \"none\", {\"base64\": \"/w==\"}]}");
    assert_eq!(told.status, 200);
    let expected = serde_json::json!({"resident": 1, "loaded": 0, "absent": 2, "failed": 0});
    assert_eq!(told.json(), expected);
    let elsewhere = post("{\"keys\": [\"k\"], \"db\": 1}").json();
    assert_eq!(elsewhere["absent"], 1);
    for wrong in [
        "{}",
        "{\"keys\": []}",
        "{\"keys\": [1]}",
        "{\"key\": \"k\"}",
    ] {
        assert_eq!(post(wrong).status, 400, "{wrong}");
    }
}
