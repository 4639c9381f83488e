//! The description says what there is, and what there is is described.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::openapi::DESCRIPTION;
use super::super::router::routes;
use super::*;

const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "PATCH"];

#[test]
fn every_route_is_described_and_every_description_is_a_route() {
    let server = server();
    let description: Value = serde_json::from_str(DESCRIPTION).expect("JSON");
    let paths = description["paths"].as_object().expect("paths");
    let described: BTreeSet<&str> = paths.keys().map(String::as_str).collect();
    let routes = routes();
    assert_eq!(described, routes.iter().map(|(path, _)| *path).collect());
    for (path, methods) in paths {
        let address = path
            .replace("{action}", "enable")
            .replace("{key}", "k")
            .replace("{name}", "none");
        for method in METHODS {
            // HEAD goes with GET.
            let is_described = methods.get(method.to_lowercase()).is_some();
            let status = ask(&server, method, &address, &[], b"").status;
            assert_eq!(status != 405, is_described, "{method} {path}: {status}");
        }
    }
    let page = ask(&server, "GET", "/openapi.json", &[], b"");
    assert_eq!(page.json(), description);
}

/// Parts that are named exist.
#[test]
fn references_lead_somewhere() {
    let description: Value = serde_json::from_str(DESCRIPTION).expect("JSON");
    let mut waiting = vec![&description];
    let mut seen = 0;
    while let Some(value) = waiting.pop() {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(to)) = fields.get("$ref") {
                    seen += 1;
                    let to = to.strip_prefix('#').expect("a reference within the page");
                    assert!(description.pointer(to).is_some(), "{to}");
                }
                waiting.extend(fields.values());
            }
            Value::Array(items) => waiting.extend(items),
            _ => {}
        }
    }
    assert!(seen > 50);
}
