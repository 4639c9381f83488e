//! Who sends a request, and whether it comes from where it may.

use std::net::{IpAddr, SocketAddr};
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN, USER_AGENT};
use axum::http::uri::Authority;
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use larder_engine::{Engine, Tenant};
use larder_resp::Version;
use tokio::time::sleep;

use super::api::Api;
use super::link::Link;
use super::problem::{Answer, Problem};
use crate::clients::{Kind, Origin};
use crate::users::{Address, Denial};
use crate::{Login, Session, Shared, User};

/// Requests of a tenant that has used up more than this are refused: who waits keeps a connection that
/// others may want.
const QUOTA_WAIT_MAX: Duration = Duration::from_secs(1);

/// Whoever sent a request.
pub(super) struct Caller {
    user: Arc<User>,
    pub(super) tenant: Arc<Tenant>,
    pub(super) db: u8,
    peer: String,
}

impl Caller {
    /// Who it is.
    pub(super) fn user(&self) -> &User {
        &self.user
    }

    /// The same, in that database.
    pub(super) fn on(self, db: u8) -> Self {
        Self { db, ..self }
    }

    /// The tenants whose figures it may see.
    pub(super) fn tenants<'a>(&'a self, engine: &'a Engine) -> &'a [Arc<Tenant>] {
        match self.user.is_admin() {
            true => engine.tenants(),
            false => slice::from_ref(&self.tenant),
        }
    }

    /// The one of that name among [`Self::tenants`].
    pub(super) fn tenant_named<'a>(&'a self, engine: &'a Engine, name: &str) -> Answer<&'a Tenant> {
        let mut seen = self.tenants(engine).iter();
        seen.find(|tenant| tenant.name() == name)
            .map(|tenant| &**tenant)
            .ok_or_else(|| Problem::not_found("there is no tenant of that name"))
    }

    /// A session for one command: no client that others see.
    pub(super) fn session(&self, shared: &Shared) -> Session {
        let login = Login::of(self.user.clone());
        let origin = Origin {
            kind: Kind::Http,
            peer: self.peer.as_str().into(),
            local: Box::default(),
            descriptor: -1,
        };
        let mut session = Session::new(shared.next_client(), login, origin, shared.now());
        session.db = self.db;
        session.set_version(Version::V3);
        session
    }
}

impl Api {
    /// Finds out who sends a request, and has them wait a little if their tenant has used up its requests;
    /// `None` when they do not say, and need to.
    pub(super) async fn recognise(
        &self,
        link: Option<&Link>,
        headers: &HeaderMap,
    ) -> Answer<Option<Arc<User>>> {
        let users = &self.shared.users;
        let user = match headers.get(AUTHORIZATION) {
            None => users.default_user().filter(|user| user.is_open()),
            Some(value) => {
                let (name, password) = credentials(value).ok_or_else(|| {
                    Problem::unauthorized("Authorization is Basic or Bearer, of NAME:PASSWORD")
                })?;
                let peer = link.map(|link| link.peer.to_string()).unwrap_or_default();
                let denial = Denial {
                    context: "toplevel",
                    client: format!("addr={peer} cmd=http user={name}"),
                };
                let address = Address::of_peer(&peer);
                let signing_in = users.clone().sign_in(name, password, address, denial);
                let user = signing_in.await;
                Some(user.map_err(Problem::of_refused)?)
            }
        };
        if let Some(user) = &user {
            self.pay(user, 1).await?;
        }
        Ok(user)
    }

    /// Pays for requests out of what the tenant may have, after a moment if it has used that up.
    pub(super) async fn pay(&self, user: &User, requests: u64) -> Answer<()> {
        let quota = self.shared.users.quota(user.tenant());
        let wait = quota.map_or(Ok(None), |quota| quota.enter(requests, QUOTA_WAIT_MAX));
        if let Some(wait) = wait.map_err(Problem::used_up)? {
            sleep(wait).await;
        }
        Ok(())
    }

    /// Who sent a request, as [`Self::recognise`] found out.
    pub(super) fn caller(&self, extensions: &Extensions) -> Answer<Caller> {
        let user = extensions.get::<Arc<User>>();
        let user = user.ok_or_else(|| Problem::unauthorized("a name and a password are needed"))?;
        let link = extensions.get::<ConnectInfo<Link>>();
        let peer = link.map(|ConnectInfo(link)| link.peer.to_string());
        Ok(Caller {
            tenant: user.tenant().clone(),
            user: user.clone(),
            db: 0,
            peer: peer.unwrap_or_default(),
        })
    }

    /// Whether the figures of all tenants may be told: on an address that only this machine reaches,
    /// where there are no users, and to administrators.
    pub(super) fn check_figures(&self, extensions: &Extensions) -> Answer<()> {
        if self.is_local || self.caller(extensions)?.user.is_admin() {
            return Ok(());
        }
        let detail = "only an administrator may see the figures of all tenants";
        Err(Problem::new(StatusCode::FORBIDDEN, detail))
    }

    /// Turns away what a web page of another site makes a browser send: under a name of its own that
    /// leads to this machine, or as a request that changes something.
    pub(super) fn check_origin(&self, method: &Method, headers: &HeaderMap) -> Answer<()> {
        if headers.get_all(HOST).iter().nth(1).is_some() {
            return Err(Problem::bad("a request has one Host"));
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        // Where nobody is asked for a password, a page of another site whose name leads here could do all.
        let is_open = self
            .shared
            .users
            .default_user()
            .is_some_and(|user| user.is_open());
        if is_open && is_browser(headers) && !host.is_some_and(is_number) {
            return Err(Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "without users, browsers are served under an address or localhost only",
            ));
        }
        if self.is_local && !host.is_some_and(is_this_machine) {
            return Err(Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "the Host of a request to a loopback address is localhost or that address",
            ));
        }
        if method.is_safe() {
            return Ok(());
        }
        let is_foreign = match headers.get(ORIGIN).map(|origin| origin.to_str()) {
            None => headers
                .get("sec-fetch-site")
                .is_some_and(|site| site == "cross-site"),
            Some(Ok(origin)) => origin.split_once("://").map(|(_, name)| name) != host,
            Some(Err(_)) => true,
        };
        if is_foreign {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "pages of other sites may not change anything here",
            ));
        }
        Ok(())
    }
}

/// Name and password: `Basic` as browsers send them, `Bearer` as they are.
fn credentials(value: &HeaderValue) -> Option<(String, Vec<u8>)> {
    let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
    let pair = match scheme.to_ascii_lowercase().as_str() {
        "basic" => STANDARD.decode(rest.trim()).ok()?,
        "bearer" => rest.trim().as_bytes().to_vec(),
        _ => return None,
    };
    let colon = pair.iter().position(|byte| *byte == b':')?;
    let name = String::from_utf8(pair[..colon].to_vec()).ok()?;
    Some((name, pair[colon + 1..].to_vec()))
}

/// Whether a browser sends this, as far as it can be told: those that change something name their origin.
fn is_browser(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).map(HeaderValue::as_bytes);
    headers.contains_key(ORIGIN) || agent.is_some_and(|agent| agent.starts_with(b"Mozilla/"))
}

fn is_this_machine(host: &str) -> bool {
    is_at(host, |address| address.to_canonical().is_loopback())
}

/// Whether a host is no name that anybody could have lead here.
fn is_number(host: &str) -> bool {
    is_at(host, |_| true)
}

/// Whether it is localhost, or such an address.
fn is_at(host: &str, fits: impl FnOnce(IpAddr) -> bool) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(fits)
}

/// Whether only this machine can connect to `addr`.
pub(super) fn is_local(addr: SocketAddr) -> bool {
    addr.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_come_in_two_ways() {
        let read = |text| credentials(&HeaderValue::from_static(text));
        let pair = Some(("ann".to_owned(), b"a:b".to_vec()));
        assert_eq!(read("Basic YW5uOmE6Yg=="), pair);
        assert_eq!(read("bearer ann:a:b"), pair);
        for wrong in [
            "",
            "Basic",
            "Basic ann:a",
            "Bearer ann",
            "Digest ann:a",
            "Basic YW5u",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_of_this_machine_are_told_from_others() {
        for host in [
            "localhost",
            "LOCALHOST:1",
            "127.0.0.1",
            "127.9.9.9:80",
            "[::1]:80",
        ] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "larder",
            "localhost.evil.example",
            "192.168.0.1",
            "",
            "a b",
            "[::2]",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
