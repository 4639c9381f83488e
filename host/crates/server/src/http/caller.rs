//! Who sends a request, and whether it comes from where it may.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::ConnectInfo;
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{Extensions, HeaderMap, Method, StatusCode};
use larder_engine::{Engine, Tenant};
use larder_resp::Version;

use super::api::Api;
use super::link::Link;
use super::problem::{Answer, Problem};
use crate::{Session, Shared};

/// Whoever sent a request.
pub(super) struct Caller {
    pub(super) tenant: Arc<Tenant>,
    pub(super) db: u8,
    peer: String,
}

impl Caller {
    /// The same, in that database.
    pub(super) fn on(self, db: u8) -> Self {
        Self { db, ..self }
    }

    /// The tenants whose figures it may see.
    pub(super) fn tenants<'a>(&'a self, engine: &'a Engine) -> &'a [Arc<Tenant>] {
        engine.tenants()
    }

    /// A session for one command: no client that others see.
    pub(super) fn session(&self, shared: &Shared) -> Session {
        let (tenant, peer) = (self.tenant.clone(), self.peer.clone());
        Session {
            db: self.db,
            version: Version::V3,
            ..Session::new(shared.next_client(), tenant, peer, shared.now())
        }
    }
}

impl Api {
    /// Who sent a request with that head.
    pub(super) fn caller(&self, extensions: &Extensions, _headers: &HeaderMap) -> Answer<Caller> {
        let link = extensions.get::<ConnectInfo<Link>>();
        let peer = link.map(|ConnectInfo(link)| link.peer.to_string());
        Ok(Caller {
            tenant: self.shared.engine.default_tenant().clone(),
            db: 0,
            peer: peer.unwrap_or_default(),
        })
    }

    /// Turns away what a web page of another site makes a browser send: under a name of its own that
    /// leads to this machine, or as a request that changes something.
    pub(super) fn check_origin(&self, method: &Method, headers: &HeaderMap) -> Answer<()> {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
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

fn is_this_machine(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = |address: IpAddr| address.to_canonical().is_loopback();
    name.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(is_loopback)
}

/// Whether only this machine can connect to `addr`.
pub(super) fn is_local(addr: SocketAddr) -> bool {
    addr.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

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
