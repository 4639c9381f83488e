//! The console at `/`: a page of files as they are in the repository, without anything from elsewhere.

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::IntoResponse;
use axum::routing::get;

macro_rules! files {
    ($($path:literal $file:literal $kind:literal,)*) => {
        /// The files by their addresses, each with its type.
        const FILES: &[(&str, &[u8], &str)] =
            &[$(($path, include_bytes!(concat!("console/", $file)), $kind)),*];
    };
}

files! {
    "/" "index.html" "text/html; charset=utf-8",
    "/console/style.css" "style.css" "text/css",
    "/console/main.js" "main.js" "text/javascript",
    "/console/api.js" "api.js" "text/javascript",
    "/console/commands.js" "commands.js" "text/javascript",
    "/console/dom.js" "dom.js" "text/javascript",
    "/console/format.js" "format.js" "text/javascript",
    "/console/inspect.js" "inspect.js" "text/javascript",
    "/console/overview.js" "overview.js" "text/javascript",
    "/console/policies.js" "policies.js" "text/javascript",
    "/console/prediction.js" "prediction.js" "text/javascript",
    "/console/tables.js" "tables.js" "text/javascript",
}

/// Nothing but what comes from here, nothing inline, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// The console's addresses.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let add = |router: Router<S>,
               &(path, bytes, kind): &(&'static str, &'static [u8], &'static str)| {
        router.route(path, get(async move || file(bytes, kind)))
    };
    FILES.iter().fold(Router::new(), add)
}

fn file(bytes: &'static [u8], kind: &'static str) -> impl IntoResponse {
    let head = [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        // After an update of the server its pages have to fit each other.
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (head, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str) -> &'static str {
        let (_, bytes, _) = FILES
            .iter()
            .find(|(path, ..)| path.ends_with(name))
            .expect("a file");
        std::str::from_utf8(bytes).expect("text")
    }

    #[test]
    fn everything_that_is_named_is_served_and_nothing_comes_from_elsewhere() {
        for (path, bytes, _) in FILES {
            let text = std::str::from_utf8(bytes).expect("text");
            // The name of a name space is no address.
            let text = text.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !text.contains("http:") && !text.contains("https:"),
                "{path}"
            );
            for line in text.lines().filter(|line| line.starts_with("import ")) {
                let (_, name) = line.split_once("\"./").expect("a module from here");
                let name = name.trim_end_matches("\";");
                let is_served = |(path, ..): &(&str, _, _)| *path == format!("/console/{name}");
                assert!(FILES.iter().any(is_served), "{path}: {name}");
            }
        }
        for name in ["/console/style.css", "/console/main.js"] {
            assert!(text("/").contains(name));
        }
    }

    #[test]
    fn the_page_needs_no_exception_from_its_policy() {
        let page = text("/");
        for inline in ["<style", " style=", " onclick=", "<script>", "javascript:"] {
            assert!(!page.contains(inline), "{inline}");
        }
        for (path, bytes, _) in FILES.iter().filter(|(path, ..)| path.ends_with(".js")) {
            let script = std::str::from_utf8(bytes).expect("text");
            for markup in ["innerHTML", "outerHTML", "insertAdjacentHTML", "eval("] {
                assert!(!script.contains(markup), "{path}: {markup}");
            }
        }
    }
}
